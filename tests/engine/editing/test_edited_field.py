"""A field with an edit laid over it: changed inside the mask, untouched outside, the same after a side file."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from neuroview.engine.editing.edited_field import EditedField, edited_field, edited_scene
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.grid import Grid, lattice
from neuroview.engine.editing.result import EditResult, Patch
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.rendering.bake_features import SplitField
from parts_model import PartsGenerator, pipeline_of, seen, state_of

BOX = ((-0.5, 0.2, -0.5), (0.5, 0.8, 0.5))


@pytest.fixture
def patch():
    recolour = torch.tensor([[0.2, 0, 0, 0.7], [0, 0.2, 0, 0.0], [0, 0, 0.2, 0.0]])
    return Patch(Grid(torch.ones(1, 9, 9, 9), BOX), recolour=recolour)


def field_and_points():
    generator = PartsGenerator()
    torch.manual_seed(0)
    return generator.scene(generator.codes(0)).field, torch.rand(500, 3) * 2 - 1


def test_a_grid_reads_a_linear_function_exactly_and_is_zero_outside():
    points = lattice(BOX, (5, 6, 7))
    grid = Grid((points @ torch.tensor([1.0, -2.0, 3.0])).view(1, 5, 6, 7), BOX)
    inside = torch.tensor([[0.1, 0.3, -0.2], [-0.4, 0.7, 0.4]])
    assert torch.allclose(grid.sample(inside)[:, 0], inside @ torch.tensor([1.0, -2.0, 3.0]), atol=1e-5)
    assert grid.sample(torch.tensor([[0.9, 0.9, 0.9]])).item() == 0.0


def test_cropping_a_grid_changes_none_of_its_values():
    values = torch.zeros(1, 12, 12, 12)
    values[0, 4:7, 5:6, 3:9] = 1.0
    grid = Grid(values, BOX)
    points = torch.rand(300, 3) - torch.tensor([0.5, -0.1, 0.5])
    assert grid.cropped().values.numel() < values.numel()
    assert torch.allclose(grid.cropped().sample(points), grid.sample(points), atol=1e-5)


def test_outside_of_the_mask_nothing_changes_at_all(patch):
    field, points = field_and_points()
    edited = EditedField(field, ((patch, None),))
    outside = patch.mask.sample(points)[:, 0] == 0
    (raw, features), (raw_after, features_after) = field(points), edited(points)
    assert outside.any()
    assert torch.equal(features[outside], features_after[outside])
    assert torch.equal(raw, raw_after)
    assert not torch.allclose(features[~outside], features_after[~outside])


def test_the_density_alone_agrees_with_the_whole_field(patch):
    field, points = field_and_points()
    other = PartsGenerator()
    own = other.scene(other.codes(1)).field
    solid = replace(patch, shape=True, density=Grid(torch.full((1, 3, 3, 3), 20.0), BOX))
    edited = EditedField(field, ((solid, own),))
    assert torch.allclose(edited.density(points), edited(points)[0], atol=1e-4)


def test_a_patch_of_shape_takes_the_density_of_its_own_codes(patch):
    generator = PartsGenerator()
    codes = generator.codes(0)
    delta = torch.zeros_like(codes)
    delta[0, 0] = -1.0
    result = EditResult((replace(patch, codes=delta, shape=True, recolour=None),))
    edited = edited_scene(generator, generator.scene(codes), result, codes)
    top = torch.tensor([[0.0, 0.6, 0.0]])
    assert generator.scene(codes).field(top)[0] > 0
    assert edited.field(top)[0] < 0


def test_an_edit_comes_back_from_its_side_file_and_gives_the_same_frame(tmp_path, patch):
    pipeline = pipeline_of(tmp_path)
    paint = Grid(torch.rand(3, 4, 4, 4), BOX)
    result = EditResult((patch, Patch(patch.mask, paint=paint)), codes=torch.zeros(2, 6), about={"what": "both"})
    state = state_of(pipeline)
    state = replace(state, edits=replace(state.edits, result=result.store(pipeline.side_files)))
    again = pipeline_of(tmp_path)
    assert torch.equal(seen(pipeline, state).pixels, seen(again, state).pixels)
    assert again.edit(state).about == {"what": "both"}  # type: ignore[union-attr]


def test_an_edit_of_another_model_is_refused_in_words(tmp_path, patch):
    pipeline = pipeline_of(tmp_path)
    result = EditResult((replace(patch, codes=torch.zeros(5, 7)),))
    state = state_of(pipeline)
    state = replace(state, edits=replace(state.edits, result=result.store(SideFiles(tmp_path))))
    with pytest.raises(EditError, match=r"codes \(5, 7\), and this model's are \(2, 6\)"):
        pipeline.scene(state)


def test_every_rung_shows_the_edit(tmp_path, patch):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    edited = replace(state, edits=replace(state.edits, result=EditResult((patch,)).store(pipeline.side_files)))
    next(pipeline.bake(edited))
    exact, fast, baked = (seen(pipeline, edited, rung=rung).rgb for rung in ("exact", "occupancy", "baked"))
    plain = seen(pipeline, state, rung="exact").rgb
    for picture in (exact, fast, baked):
        assert (picture - exact).square().mean() < 0.1 * (picture - plain).square().mean()


def test_a_colour_edit_keeps_what_is_known_of_empty_space(tmp_path, patch):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    before = pipeline.occupancy(state)
    name = EditResult((patch,)).store(pipeline.side_files)
    assert pipeline.occupancy(replace(state, edits=replace(state.edits, result=name))) is before


class TurningField:
    """A `SplitField` whose colour turns with the direction; `tint` tells two of them apart."""

    features, view_dependent, bounds = 3, True, ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __init__(self, tint: float) -> None:
        self.tint = tint

    def __call__(self, points, directions=None):
        raw, hidden = self.trunk(points)
        return raw, self.colour(hidden, directions)

    def trunk(self, points):
        return 5 * (0.7 - points.norm(dim=1)) + self.tint, torch.cat([points, self.tint * points[:, :1]], 1)

    def colour(self, hidden, directions):
        return torch.sigmoid(hidden[:, :3] + hidden[:, 3:] * directions + self.tint)


def test_an_edited_split_field_is_split_and_both_halves_give_the_whole(patch):
    base, own = TurningField(0.1), TurningField(0.8)
    paint = Grid(torch.rand(3, 4, 4, 4), ((-0.6, -0.6, -0.6), (0.2, 0.2, 0.2)))
    body = Grid(0.7 * torch.ones(1, 4, 4, 4), ((-0.9, -0.9, -0.9), (0.3, 0.3, 0.3)))
    patches = (
        (replace(patch, shape=True), own),
        (Patch(body, paint=paint, density=Grid(3 * paint.values[:1], paint.bounds)), None),
        (Patch(body, recolour=patch.recolour), own),
    )
    edited = edited_field(base, patches)  # type: ignore[arg-type]
    assert isinstance(edited, SplitField)
    points, directions = torch.rand(400, 3) * 2 - 1, torch.nn.functional.normalize(torch.randn(400, 3), dim=1)
    raw, features = EditedField(base, patches)(points, directions)  # type: ignore[arg-type]
    found, hidden = edited.trunk(points)
    torch.testing.assert_close(found, raw)
    torch.testing.assert_close(edited.colour(hidden, directions), features)


def test_a_field_that_is_not_split_stays_so(patch):
    field, _ = field_and_points()
    assert not isinstance(edited_field(field, ((patch, None),)), SplitField)
