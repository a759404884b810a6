"""The occupancy grid and the path that renders through it."""

from __future__ import annotations

import pytest
import torch
from balls import Balls, dense, look, psnr, volume
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.models.base import Scene

SIZE = 40


def scene(field, settings) -> Scene:
    return Scene(field, settings, resolution=SIZE, image_resolution=SIZE)


@pytest.mark.parametrize("activation", ["softplus_shifted", "softplus", "relu", "exp"])
def test_every_point_with_density_is_in_an_occupied_cell(activation):
    field, settings = Balls(activation=activation), volume(activation=activation)
    grid = build_occupancy(field, settings)
    points = torch.rand(20000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    raw, _ = field(points)
    assert grid.contains(points[raw > (4.0 if activation == "exp" else 2.0)]).all()


def test_most_of_an_empty_box_is_not_occupied():
    grid = build_occupancy(Balls(), volume())
    assert grid.occupied.float().mean() < 0.25


def test_the_deep_inside_is_solid_and_the_surface_is_not():
    field = Balls(((0.0, 0.0, 0.0, 0.7),))
    grid = build_occupancy(field, volume())
    middle = grid.solid.shape[0] // 2
    assert grid.solid[middle, middle, middle]
    assert not grid.solid[0].any()
    assert (~grid.solid | grid.occupied).all()


def test_the_tight_box_holds_the_balls_and_little_more():
    grid = build_occupancy(Balls(((0.2, 0.0, 0.0, 0.3),)), volume())
    for axis, centre in enumerate((0.2, 0.0, 0.0)):
        assert centre - 0.3 - 3 * grid.cell[axis] < grid.tight[0][axis] < centre - 0.3
        assert centre + 0.3 < grid.tight[1][axis] < centre + 0.3 + 3 * grid.cell[axis]


def test_a_thin_plate_between_cell_centres_is_found():
    class Plate(Balls):
        def __call__(self, points, directions=None):
            raw = 1 + 2000 * (0.004 - (points[:, 0] - 0.0002).abs())
            return raw, torch.full((len(points), 3), 0.5)

    field, settings = Plate(), volume()
    grid = build_occupancy(field, settings)
    plate = torch.tensor([[0.0, 0.3, -0.3], [0.0, -0.9, 0.9]])
    assert grid.contains(plate).all()
    assert grid.occupied.float().mean() < 0.2


def test_refining_keeps_what_it_splits_honest():
    field, settings = Balls(), volume()
    coarse = build_occupancy(field, settings, resolution=24)
    fine = build_occupancy(field, settings, resolution=24, refinements=1)
    assert fine.occupied.shape == (48, 48, 48)
    assert fine.occupied.float().mean() < coarse.occupied.float().mean()
    points = torch.rand(20000, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert fine.contains(points[field(points)[0] > 2]).all()


def test_an_empty_field_renders_as_background():
    field, settings = Balls(((0.0, 0.0, 0.0, -9.0),)), volume()
    grid = build_occupancy(field, settings)
    picture = render_occupancy(scene(field, settings), grid, *look())
    assert grid.empty
    assert (picture.features == 1).all()
    assert (picture.alpha == 0).all()


@pytest.mark.parametrize("quadrature", ["midpoint", "left"])
@pytest.mark.parametrize("activation", ["softplus_shifted", "relu", "exp"])
def test_the_picture_agrees_with_a_dense_march(quadrature, activation):
    field, settings = Balls(activation=activation), volume(quadrature=quadrature, activation=activation)
    grid = build_occupancy(field, settings)
    picture = render_occupancy(scene(field, settings), grid, *look(), samples=512)
    truth = dense(field, settings, *look(), SIZE, SIZE)
    solid = truth.alpha > 0.9
    assert psnr(picture.features, truth.features) > 40
    assert psnr(picture.alpha, truth.alpha) > 38
    assert (picture.depth - truth.depth)[solid].abs().mean() < 0.01


@pytest.mark.parametrize(("quadrature", "sampler"), [("midpoint", "eg3d"), ("left", "nerf")])
def test_on_the_exact_renderers_own_lattice_only_the_skipping_differs(quadrature, sampler):
    field, settings = Balls(), volume(quadrature=quadrature, sampler=sampler)
    grid = build_occupancy(field, settings)
    picture = render_occupancy(scene(field, settings), grid, *look(), samples=settings.coarse)
    truth = render_exact(scene(field, settings), *look())
    assert psnr(picture.features, truth.features) > 50
    assert psnr(picture.alpha, truth.alpha) > 50


def test_view_dependent_fields_with_unnormalised_rays_agree_with_a_dense_march():
    field = Balls(shine=0.2)
    settings = volume(quadrature="left", sampler="nerf", unit_rays=False, pixels="corner")
    grid = build_occupancy(field, settings)
    picture = render_occupancy(scene(field, settings), grid, *look(), samples=512)
    truth = dense(field, settings, *look(), SIZE, SIZE)
    assert psnr(picture.features, truth.features) > 40
    assert (picture.depth - truth.depth)[truth.alpha > 0.9].abs().mean() < 0.01


def test_a_gap_between_two_sheets_is_not_bridged():
    class Sheets(Balls):
        def __call__(self, points, directions=None):
            inside = 0.03 - (points[:, 2].abs() - 0.6).abs()
            return 1 + 400 * inside.clamp(-0.1, 0.005), torch.full((len(points), 3), 0.25)

    field, settings = Sheets(), volume()
    pose, lens = look(0.0, 0.0)
    picture = render_occupancy(scene(field, settings), build_occupancy(field, settings), pose, lens, samples=512)
    truth = dense(field, settings, pose, lens, SIZE, SIZE)
    middle = (SIZE // 2, SIZE // 2)
    assert 0.05 < truth.alpha[middle] < 0.95  # both sheets are seen through
    assert abs(float(picture.alpha[middle] - truth.alpha[middle])) < 0.02
    assert abs(float(picture.depth[middle] - truth.depth[middle])) < 0.05


@pytest.mark.parametrize("radius", [0.9, 0.05])
def test_the_camera_may_stand_inside_the_box(radius):
    field, settings = Balls(((0.0, 0.0, -0.7, 0.25),)), volume(near=None, far=None)
    pose, lens = look(0.0, 0.0, radius)
    picture = render_occupancy(scene(field, settings), build_occupancy(field, settings), pose, lens)
    truth = dense(field, settings, pose, lens, SIZE, SIZE, samples=2048)
    assert psnr(picture.alpha, truth.alpha) > 30
    assert truth.alpha.max() > 0.99


def test_rays_that_miss_the_box_are_background():
    field, settings = Balls(), volume(near=None, far=None)
    pose, lens = look()
    pose[:3, 2] = -pose[:3, 2]  # look away
    picture = render_occupancy(scene(field, settings), build_occupancy(field, settings), pose, lens)
    assert (picture.alpha == 0).all()
    assert picture.depth.isfinite().all()


@pytest.mark.parametrize("first", [2, 5, 64])
def test_the_number_of_first_samples_does_not_change_the_picture(first):
    field, settings = Balls(sharpness=40.0), volume()
    grid = build_occupancy(field, settings)
    one = render_occupancy(scene(field, settings), grid, *look(), first=first)
    other = render_occupancy(scene(field, settings), grid, *look(), first=1000)
    assert psnr(one.features, other.features) > 55


def test_an_opaque_end_takes_the_light_that_is_left():
    field, settings = Balls(), volume(opaque_end=True, quadrature="left", sampler="nerf", white_background=False)
    picture = render_occupancy(scene(field, settings), build_occupancy(field, settings), *look())
    truth = render_exact(scene(field, settings), *look())
    assert torch.allclose(picture.alpha, torch.ones_like(picture.alpha), atol=0.01)
    assert psnr(picture.features, truth.features) > 35


def test_any_rectangle_can_be_rendered():
    field, settings = Balls(), volume()
    picture = render_occupancy(scene(field, settings), build_occupancy(field, settings), *look(), resolution=(10, 17))
    assert picture.features.shape == (3, 10, 17)
    assert picture.depth.shape == picture.alpha.shape == (10, 17)


def test_far_fewer_points_are_asked_than_by_the_exact_renderer():
    field, settings = Balls(), volume()
    grid = build_occupancy(field, settings)
    field.asked = 0
    render_exact(scene(field, settings), *look())
    exact, field.asked = field.asked, 0
    render_occupancy(scene(field, settings), grid, *look(), samples=settings.coarse)
    assert field.asked < exact / 8


def test_a_newer_state_stops_the_work():
    def overtaken() -> None:
        raise Cancelled

    field, settings = Balls(), volume()
    grid = build_occupancy(field, settings)
    with pytest.raises(Cancelled):
        build_occupancy(field, settings, checkpoint=overtaken)
    with pytest.raises(Cancelled):
        render_occupancy(scene(field, settings), grid, *look(), checkpoint=overtaken)


def test_an_impossible_resolution_is_refused():
    with pytest.raises(ValueError, match="resolution 1"):
        build_occupancy(Balls(), volume(), resolution=1)
