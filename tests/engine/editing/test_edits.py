"""Whole edits on a model of two parts: what was meant changes from every side, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from neuroview.engine.editing.appearance_search import colour_codes
from neuroview.engine.editing.colour import edit_colour
from neuroview.engine.editing.directions import Direction
from neuroview.engine.editing.donors import DONORS, Presence, search
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.matching import recolouring
from neuroview.engine.editing.parts import find_surface
from neuroview.engine.editing.shape import edit_shape
from neuroview.engine.editing.transfer import transfer
from parts_model import PartsGenerator, finished, on_body, on_hat, pipeline_of, seen, state_of, stroke

GREEN = (0.2, 0.7, 0.3)
UP, DOWN = slice(12, 17), slice(26, 34)
"""Rows of a 48 x 48 picture that show the hat, and the body."""


def edited(pipeline, state, result):
    return replace(state, edits=replace(state.edits, strokes=(), result=result.store(pipeline.side_files)))


@pytest.mark.parametrize("latents", [True, False], ids=["codes", "no latents"])
@pytest.mark.parametrize("yaw", [0.0, 2.5], ids=["front", "behind"])
def test_a_colour_stroke_recolours_its_part_from_every_side_and_no_other(tmp_path, latents, yaw):
    pipeline = pipeline_of(tmp_path, latents)
    state = state_of(pipeline)
    state = state_of(pipeline, on_hat(state, "colour", colour=GREEN))
    after = edited(pipeline, state, finished(edit_colour(pipeline, state)))
    was, now = (seen(pipeline, s, yaw).rgb for s in (state, after))
    hat = now[UP, 22:26].mean((0, 1))
    assert (hat / hat.sum() - torch.tensor(GREEN) / sum(GREEN)).abs().max() < 0.06
    assert torch.equal(was[DOWN], now[DOWN])


def test_under_the_stroke_the_picture_has_the_strokes_colour(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    state = state_of(pipeline, on_hat(state, "colour", colour=GREEN))
    after = edited(pipeline, state, finished(edit_colour(pipeline, state)))
    assert (seen(pipeline, after).rgb[14:16, 22:26].mean((0, 1)) - torch.tensor(GREEN)).abs().max() < 0.05


def test_codes_that_lead_away_from_a_colour_are_not_shown(tmp_path):
    pipeline = pipeline_of(tmp_path)
    codes = pipeline.codes(state_of(pipeline))
    surface = finished_surface(pipeline, state_of(pipeline))
    nodes = surface.points[:, 1].topk(20).indices  # the hat's
    now = surface.appearances[1][nodes, 0].mean(0)
    generator = Stubborn()
    worse = list(colour_codes(generator, surface, nodes, now + 0.3, codes))
    assert worse
    assert all(step is None for step in worse)
    *_, better = colour_codes(pipeline.generator, surface, nodes, now + 0.1, codes)
    assert better[1] < 1e-3


class Stubborn(PartsGenerator):
    """Every change of its colours darkens them."""

    def scene(self, codes, **noise):
        plain = self.codes(0)
        darker = torch.cat([codes[:1], plain[1:] - (codes[1:] - plain[1:]).abs().sum()])
        return super().scene(darker, **noise)


def finished_surface(pipeline, state):
    *_, surface = find_surface(
        pipeline.generator, pipeline.scene(state), pipeline.occupancy(state), pipeline.codes(state)
    )
    return surface


def test_shading_survives_a_change_of_colour(tmp_path):
    pipeline = pipeline_of(tmp_path, latents=False)
    state = state_of(pipeline)
    state = state_of(pipeline, on_body(state, "colour", colour=GREEN))
    after = edited(pipeline, state, finished(edit_colour(pipeline, state)))
    was, now = (seen(pipeline, s).rgb[30, 14:34].mean(-1) for s in (state, after))
    assert torch.corrcoef(torch.stack([was, now]))[0, 1] > 0.95


def test_two_colours_in_one_edit_go_to_their_own_parts(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    strokes = on_hat(state, "colour", colour=(0.8, 0.2, 0.2)), on_body(state, "colour", colour=(0.2, 0.3, 0.8))
    state = state_of(pipeline, *strokes)
    now = seen(pipeline, edited(pipeline, state, finished(edit_colour(pipeline, state)))).rgb
    assert now[UP, 22:26].mean((0, 1)).argmax() == 0
    assert now[DOWN, 20:28].mean((0, 1)).argmax() == 2


def test_a_keep_stroke_bounds_the_part(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    left = stroke(state, "colour", (0.38, 0.5), (0.38, 0.7), colour=GREEN)
    right = stroke(state, "keep", (0.62, 0.5), (0.62, 0.7))
    state = state_of(pipeline, left, right)
    after = edited(pipeline, state, finished(edit_colour(pipeline, state)))
    change = (seen(pipeline, after).rgb - seen(pipeline, state).rgb).abs().mean(-1)[28]
    assert change[16:20].mean() > 10 * change[28:32].mean()


def test_an_edit_is_laid_over_the_one_before(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    first = state_of(pipeline, on_hat(state, "colour", colour=GREEN))
    once = edited(pipeline, first, finished(edit_colour(pipeline, first)))
    stroked = replace(once, edits=replace(once.edits, strokes=(on_body(state, "colour", colour=(0.7, 0.2, 0.2)),)))
    twice = edited(pipeline, stroked, finished(edit_colour(pipeline, stroked)))
    assert torch.equal(seen(pipeline, once).rgb[UP], seen(pipeline, twice).rgb[UP])
    assert seen(pipeline, twice).rgb[DOWN, 20:28].mean((0, 1)).argmax() == 0


def test_an_edit_shows_something_before_it_is_done_and_can_be_dropped(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    state = state_of(pipeline, on_hat(state, "colour", colour=GREEN))
    before = seen(pipeline, state).pixels
    steps = edit_colour(pipeline, state)
    shown = next(step for step in steps if step.result is not None)
    assert not shown.done
    assert 0 < shown.step < shown.steps
    steps.close()
    assert torch.equal(seen(pipeline, state).pixels, before)


@pytest.mark.parametrize("latents", [True, False], ids=["codes", "no latents"])
def test_a_remove_stroke_takes_its_part_away_from_every_side(tmp_path, latents):
    pipeline = pipeline_of(tmp_path, latents)
    state = state_of(pipeline)
    state = state_of(pipeline, on_hat(state, "remove"))
    after = edited(pipeline, state, finished(edit_shape(pipeline, state)))
    for yaw in (0.0, 2.5):
        was, now = (seen(pipeline, s, yaw) for s in (state, after))
        assert was.alpha[14:17, 22:26].min() > 0.9
        assert now.alpha[14:17, 22:26].max() < 0.1
        assert (now.rgb[DOWN] - was.rgb[DOWN]).abs().max() < 0.05


def test_a_part_that_was_recoloured_can_be_taken_away(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    state = state_of(pipeline, on_hat(state, "colour", colour=GREEN))
    green = edited(pipeline, state, finished(edit_colour(pipeline, state)))
    marked = replace(green, edits=replace(green.edits, strokes=(on_hat(state, "remove"),)))
    after = edited(pipeline, marked, finished(edit_shape(pipeline, marked)))
    assert seen(pipeline, green).alpha[14:17, 22:26].min() > 0.9
    assert seen(pipeline, after).alpha[14:17, 22:26].max() < 0.1


def test_what_an_edit_has_brought_can_be_taken_away_again(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline, seed=5)
    state = state_of(pipeline, stroke(state, "add", (0.44, 0.3), (0.56, 0.3), width=0.08, colour=GREEN), seed=5)
    worn = edited(pipeline, state, finished(edit_shape(pipeline, state)))
    marked = replace(worn, edits=replace(worn.edits, strokes=(on_hat(state, "remove"),)))
    after = edited(pipeline, marked, finished(edit_shape(pipeline, marked)))
    assert seen(pipeline, worn).alpha[13:16, 22:26].min() > 0.9
    assert seen(pipeline, after).alpha[13:16, 22:26].max() < 0.1


def test_what_an_edit_has_brought_is_recoloured_as_what_it_is(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline, seed=5)
    state = state_of(pipeline, stroke(state, "add", (0.44, 0.3), (0.56, 0.3), width=0.08, colour=GREEN), seed=5)
    worn = edited(pipeline, state, finished(edit_shape(pipeline, state)))
    red = (0.7, 0.2, 0.2)
    marked = replace(worn, edits=replace(worn.edits, strokes=(on_hat(state, "colour", colour=red),)))
    after = edited(pipeline, marked, finished(edit_colour(pipeline, marked)))
    for yaw in (0.0, 2.5):
        was, now = (seen(pipeline, s, yaw).rgb for s in (worn, after))
        hat = now[UP, 22:26].mean((0, 1))
        assert (hat / hat.sum() - torch.tensor(red) / sum(red)).abs().max() < 0.06
        assert (now[DOWN] - was[DOWN]).abs().max() < 0.05


def test_an_add_stroke_brings_what_the_generator_knows(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline, seed=5)
    drawn = stroke(state, "add", (0.44, 0.3), (0.56, 0.3), width=0.08, colour=GREEN)
    state = state_of(pipeline, drawn, seed=5)
    result = finished(edit_shape(pipeline, state))
    assert any(patch.codes is not None for patch in result.patches)
    now = seen(pipeline, edited(pipeline, state, result), 2.5)
    assert now.alpha[13:16, 22:26].min() > 0.9
    assert now.rgb[13:16, 22:26].mean((0, 1)).argmax() == 1


def test_a_direction_that_does_what_a_stroke_asks_for_spares_the_asking_of_other_identities(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    state = state_of(pipeline, on_hat(state, "remove"))
    hat, idle = torch.zeros(2, 6), torch.zeros(2, 6)
    hat[0, 0], idle[0, 1] = 0.4, 0.4
    named = (Direction("Idle", idle), Direction("Hat", hat))
    steps = search(pipeline.generator, pipeline.codes(state), presence_of_hat(), False, named)
    *asked, found = list(steps)
    assert found.presence < 0.1
    assert found.delta[0, 0] < -0.5
    assert not found.delta[0, 1:].any()
    assert len(asked) < DONORS


def presence_of_hat():
    top, side = torch.tensor([[0.0, 0.6, 0.1]]), torch.tensor([[0.0, -0.5, 0.3]])
    return Presence(top, lambda raw, _: float(torch.sigmoid(raw).mean()), side, 20.0)


def test_without_latents_an_add_stroke_grows_a_body_in_its_colour(tmp_path):
    pipeline = pipeline_of(tmp_path, latents=False)
    state = state_of(pipeline)
    state = state_of(pipeline, stroke(state, "add", (0.64, 0.6), (0.74, 0.6), width=0.08, colour=GREEN))
    after = edited(pipeline, state, finished(edit_shape(pipeline, state)))
    was, now = (seen(pipeline, s) for s in (state, after))
    spot = slice(28, 30), slice(33, 35)
    assert was.alpha[spot].max() < 0.1
    assert now.alpha[spot].min() > 0.9
    assert now.rgb[spot].mean((0, 1)).argmax() == 1
    assert (now.rgb[UP] - was.rgb[UP]).abs().max() < 0.02


def test_a_transfer_takes_the_colours_of_another_seed_for_the_region_only(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    state = state_of(pipeline, on_hat(state, "region"))
    after = edited(pipeline, state, finished(transfer(pipeline, state, 6, "colour")))
    donor = state_of(pipeline, seed=6)
    was, now, other = (seen(pipeline, s).rgb for s in (state, after, donor))
    assert (now[12:16, 22:26] - other[12:16, 22:26]).abs().max() < 0.03
    assert torch.equal(now[DOWN], was[DOWN])


def test_without_a_region_a_transfer_takes_everything_of_its_part(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state, donor = state_of(pipeline), state_of(pipeline, seed=6)
    both = edited(pipeline, state, finished(transfer(pipeline, state, 6, "both")))
    assert (seen(pipeline, both).rgb - seen(pipeline, donor).rgb).abs().max() < 1e-4
    colour = edited(pipeline, state, finished(transfer(pipeline, state, 6, "colour")))
    assert (seen(pipeline, colour).alpha - seen(pipeline, state).alpha).abs().max() < 1e-4


def test_a_model_of_one_scene_has_nobody_to_transfer_from(tmp_path):
    pipeline = pipeline_of(tmp_path, latents=False)
    state = state_of(pipeline)
    with pytest.raises(EditError, match="no other identities"):
        next(transfer(pipeline, state_of(pipeline, on_hat(state, "region")), 3))


def test_haze_has_no_parts_and_says_so(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    scene, codes = pipeline.scene(state), pipeline.codes(state)
    haze = replace(scene, field=Haze())
    with pytest.raises(EditError, match="haze without any surface"):
        list(find_surface(pipeline.generator, haze, pipeline.occupancy(state), codes))


class Haze:
    features, view_dependent, bounds = 3, False, ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __call__(self, points, directions=None):
        return points.new_full((len(points),), -20.0), points.new_zeros(len(points), 3)


def test_recolouring_takes_the_mean_to_the_wanted_colour_near_or_far():
    torch.manual_seed(0)
    for mean in (torch.tensor([0.4, 0.5, 0.3]), torch.tensor([0.03, 0.02, 0.02])):
        colours = mean * (0.8 + 0.4 * torch.rand(50, 1))
        matrix = recolouring(colours.mean(0), torch.tensor(GREEN), colours)
        assert torch.allclose(matrix[:, :3] @ colours.mean(0) + matrix[:, 3], torch.tensor(GREEN), atol=1e-5)


def test_strokes_of_two_views_are_one_edit(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    behind = replace(state, camera=replace(state.camera, yaw=2.5))
    strokes = on_hat(state, "colour", colour=GREEN), on_body(behind, "colour", colour=(0.2, 0.3, 0.8))
    both = state_of(pipeline, *strokes)
    now = seen(pipeline, edited(pipeline, both, finished(edit_colour(pipeline, both)))).rgb
    assert now[UP, 22:26].mean((0, 1)).argmax() == 1
    assert now[DOWN, 20:28].mean((0, 1)).argmax() == 2


def test_one_colour_drawn_in_two_views_goes_to_both_parts(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    behind = replace(state, camera=replace(state.camera, yaw=2.5))
    both = state_of(pipeline, on_hat(state, "colour", colour=GREEN), on_body(behind, "colour", colour=GREEN))
    now = seen(pipeline, edited(pipeline, both, finished(edit_colour(pipeline, both)))).rgb
    assert now[UP, 22:26].mean((0, 1)).argmax() == 1
    assert now[DOWN, 20:28].mean((0, 1)).argmax() == 1


def test_what_an_add_stroke_brings_has_the_strokes_colour(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline, seed=5)
    state = state_of(pipeline, stroke(state, "add", (0.44, 0.3), (0.56, 0.3), width=0.08, colour=GREEN), seed=5)
    now = seen(pipeline, edited(pipeline, state, finished(edit_shape(pipeline, state)))).rgb
    assert (now[13:16, 22:26].mean((0, 1)) - torch.tensor(GREEN)).abs().max() < 0.08


def test_a_sloppy_stroke_recolours_the_part_and_not_what_it_slips_onto(tmp_path):
    pipeline = pipeline_of(tmp_path)
    state = state_of(pipeline)
    slipped = stroke(state, "colour", (0.5, 0.3), (0.5, 0.45), width=0.05, colour=GREEN)
    state = state_of(pipeline, slipped)
    after = edited(pipeline, state, finished(edit_colour(pipeline, state)))
    assert torch.equal(seen(pipeline, after).rgb[DOWN], seen(pipeline, state).rgb[DOWN])
