"""Any field as a grid."""

from __future__ import annotations

import pytest
import torch
from balls import Balls, look, psnr, volume
from neuroview.engine.rendering.bake import bake, bake_levels
from neuroview.engine.rendering.bake_features import LANES, LEAST_LOOKS
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.spherical import basis, even_directions


def test_density_near_the_surface_is_the_fields_own():
    field = Balls()
    baked = bake(field, volume(), 48)
    seen = (baked.index >= 0).nonzero()
    points = torch.tensor(baked.bounds[0]) + seen * baked.spacing
    raw, _ = field(points)
    stored = baked.density[tuple(seen.T)]
    moderate = raw.abs() < 100
    assert torch.allclose(stored[moderate], raw[moderate], atol=0.1)


def test_features_come_back_to_a_grey_level():
    field = Balls(channels=5)
    baked = bake(field, volume(), 48)
    seen = (baked.index >= 0).nonzero()
    points = torch.tensor(baked.bounds[0]) + seen * baked.spacing
    rows = baked.features(baked.index[tuple(seen.T)])
    assert rows.shape[1] == 5
    assert (rows - field(points)[1]).abs().max() < 1 / 255


def test_empty_space_and_the_deep_inside_are_never_asked():
    field = Balls(((0.0, 0.0, 0.0, 0.8),), sharpness=2000.0)
    occupancy = build_occupancy(field, volume())
    field.asked = 0
    baked = bake(field, volume(), 96, occupancy=occupancy)
    assert field.asked < baked.density.numel() * 0.6
    middle = tuple(n // 2 for n in baked.density.shape)
    assert baked.density[middle] > 0
    assert baked.index[middle] == -1


def test_a_coarser_grid_saves_questions_and_costs_no_quality():
    field = Balls(sharpness=400.0)
    occupancy = build_occupancy(field, volume())
    coarse = bake(field, volume(), 48, occupancy=occupancy)
    field.asked = 0
    alone = bake(field, volume(), 96, occupancy=occupancy)
    without, field.asked = field.asked, 0
    guided = bake(field, volume(), 96, occupancy=occupancy, previous=coarse)
    assert field.asked < 0.8 * without
    one = render_baked(alone, volume(), *look(), 64, 64)
    other = render_baked(guided, volume(), *look(), 64, 64)
    assert psnr(one.features, other.features) > 45


def test_levels_arrive_coarse_first():
    resolutions = [baked.resolution for baked in bake_levels(Balls(), volume(), (24, 32, 48))]
    assert resolutions == [24, 32, 48]


def test_the_box_is_the_occupied_one():
    field = Balls(((0.5, 0.5, 0.5, 0.2),))
    baked = bake(field, volume(), 32)
    assert all(low > 0 for low in baked.bounds[0])
    assert baked.spacing < 0.03


def test_only_the_wanted_channels_are_kept():
    baked = bake(Balls(channels=16), volume(), 32, channels=3)
    assert baked.channels == 3
    assert baked.features(torch.zeros(1)).shape == (1, 3)
    assert baked.rows.shape[1] == LANES


def test_a_split_field_pays_its_trunk_once():
    class Split(Balls):
        trunks = colours = 0

        def trunk(self, points):
            self.trunks += len(points)
            directions = torch.zeros(len(points), 3)
            return super().__call__(points, directions)

        def density(self, points):
            return super().__call__(points, torch.zeros(len(points), 3))[0]

        def colour(self, hidden, directions):
            self.colours += len(hidden)
            return hidden + self.shine * directions[:, :1]

    field = Split(shine=0.2)
    baked = bake(field, volume(), 32, degree=1)
    assert field.trunks == len(baked.rows)
    assert field.colours == LEAST_LOOKS * len(baked.rows)


@pytest.mark.parametrize("degree", [1, 2])
def test_colour_linear_in_the_direction_is_recovered(degree):
    field = Balls(shine=0.2)
    baked = bake(field, volume(), 32, degree=degree)
    seen = (baked.index >= 0).nonzero()
    points = torch.tensor(baked.bounds[0]) + seen * baked.spacing
    rows = baked.features(baked.index[tuple(seen.T)])
    for direction in even_directions(5):
        colour = torch.einsum("k,nkc->nc", basis(direction[None], degree)[0], rows.view(len(rows), -1, 3))
        error = (colour - field(points, direction.expand_as(points))[1]).abs()
        assert error.mean() < 0.02


def test_harmonics_are_orthonormal_over_the_sphere():
    values = basis(even_directions(20000), 2)
    assert torch.allclose(values.T @ values / len(values), torch.eye(9), atol=2e-3)


def test_an_empty_field_bakes_to_nothing():
    baked = bake(Balls(((0.0, 0.0, 0.0, -9.0),)), volume(), 32)
    assert len(baked.rows) == 0
    assert (render_baked(baked, volume(), *look(), 8, 8).features == 1).all()


def test_a_newer_state_stops_the_bake_half_way():
    field, calls = Balls(), []

    def checkpoint() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Cancelled

    occupancy = build_occupancy(field, volume())
    with pytest.raises(Cancelled):
        list(bake_levels(field, volume(), (32, 48), occupancy=occupancy, checkpoint=checkpoint))
    assert len(calls) == 2


def test_an_impossible_resolution_is_refused():
    with pytest.raises(ValueError, match="resolution 2"):
        bake(Balls(), volume(), 2)


def test_an_impossible_degree_is_refused():
    with pytest.raises(ValueError, match="degree 3"):
        bake(Balls(shine=0.1), volume(), 16, degree=3)
