"""Edits by a network's own layers: what strokes ask for comes, density and all else stay, nothing needs a surface."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.editing.adam import Adam
from neuroview.engine.editing.colour import edit_colour
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.parameter_edit import edit_colour_parameters
from neuroview.engine.editing.parameter_shape import Reshapable, edit_shape_parameters
from neuroview.engine.editing.result import EditResult
from neuroview.engine.editing.shape import edit_shape
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.editing.stroke_rays import sample_weights
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering.integrate import composite
from neuroview.engine.state import Edits, Stroke, ViewState, first_state
from neuroview.models.base import ModelCard, VolumeSettings
from neuroview.models.editnerf import EditNeRFLayout, EditNeRFNetwork
from neuroview.models.editnerf_generator import EditNeRFGenerator
from neuroview.models.editnerf_setting import EditNeRFSetting
from neuroview.models.nerf import Encoding, NeRFLayout, NeRFNetwork
from neuroview.models.nerf_generator import BLENDER_CAMERA, BLENDER_VOLUME, NeRFGenerator

SIZE = 16
RED, BLUE = (0.85, 0.1, 0.1), (0.1, 0.2, 0.9)
LEFT, RIGHT = slice(3, 7), slice(9, 13)
"""Columns of a 16 x 16 picture, beside rows 6 to 9."""
MIDDLE = slice(6, 10)


def untrained() -> EditNeRFGenerator:
    """A conditional field as it is made: haze without any surface, of three instances."""
    torch.manual_seed(3)
    layout = EditNeRFLayout(
        points=Encoding(3), code=4, embedding=8, shared_width=32, instance_width=32, fusion_width=32, colour_width=24
    )
    network = EditNeRFNetwork(layout)
    setting = EditNeRFSetting("balls")
    setting = replace(setting, resolution=SIZE, volume=replace(setting.volume, coarse=12, fine=12))
    card = ModelCard(name="balls", family="editnerf", title="Two balls")
    return EditNeRFGenerator(network.requires_grad_(False), network, torch.randn(3, 2, 4), card, setting)


@pytest.fixture(scope="module")
def balls() -> EditNeRFGenerator:
    """One that has learned two balls, side by side in the first view, the left one yellow and the right one green."""
    generator = untrained()
    network = generator.network.requires_grad_(True)
    across = torch.from_numpy(camera_matrices(first_state("", generator.camera).camera, generator.camera)[0][:3, 0])
    adam = Adam([(parameter, 5e-3) for parameter in network.parameters()])
    for _ in range(250):
        points = 4.0 * torch.rand(512, 3) - 2.0
        side = torch.randint(0, 2, (300, 1)) - 0.5
        points[:300] = side * across.float() + 0.25 * torch.randn(300, 3)
        away = torch.stack([(points + side * 0.5 * across.float()).norm(dim=1) for side in (1, -1)], 1)
        views = torch.nn.functional.normalize(torch.randn(512, 3), dim=1)
        code = generator.styles[int(torch.randint(3, ()))]
        raw, logits = network(points, views, *code)
        rgb = torch.where(away[:, :1] < away[:, 1:], torch.tensor([0.8, 0.7, 0.1]), torch.tensor([0.2, 0.6, 0.2]))
        loss = (raw - (40 * (0.35 - away.amin(1))).clamp(-6, 10)).square().mean() / 20
        loss = loss + 4 * (torch.sigmoid(logits) - rgb).square().mean()
        adam.forget()
        loss.backward()
        adam.step()
    network.requires_grad_(False)
    return generator


def pipeline_of(folder, generator) -> Pipeline:
    return Pipeline(generator, side_files=SideFiles(folder))


def stroke(kind: str, columns: slice, colour=RED) -> Stroke:
    """A horizontal stroke over some columns of the middle rows, in the first view."""
    state = first_state("", BLENDER_CAMERA)
    return Stroke(kind, ((columns.start / SIZE, 0.47), (columns.stop / SIZE, 0.47)), state.camera, 0.2, colour)  # type: ignore[arg-type]


def state_of(pipeline: Pipeline, *strokes: Stroke) -> ViewState:
    state = first_state("", pipeline.generator.camera)
    quality = replace(state.quality, resolution=SIZE)
    return replace(state, latents=replace(state.latents, truncation=1.0), edits=Edits(strokes), quality=quality)


def finished(steps) -> EditResult:
    *_, last = steps
    assert last.done
    return last.result


def edited(pipeline: Pipeline, state: ViewState, result: EditResult) -> ViewState:
    return replace(state, edits=Edits(result=result.store(pipeline.side_files)))


def test_a_colour_stroke_is_matched_and_what_is_kept_stays(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    state = state_of(pipeline, stroke("colour", LEFT), stroke("keep", RIGHT))
    result = finished(edit_colour(pipeline, state, size=SIZE))
    was, now = (pipeline.frame(s, "exact") for s in (state, edited(pipeline, state, result)))
    solid = was.alpha > 0.9
    before, after = ((f.rgb - torch.tensor(RED))[:, LEFT][solid[:, LEFT]].square().mean() for f in (was, now))
    assert after < 0.2 * before
    assert (was.rgb - now.rgb)[:, RIGHT].abs().mean() < 0.2 * (was.rgb - now.rgb)[:, LEFT].abs().mean()
    assert torch.equal(was.alpha, now.alpha)


def test_an_edit_begins_from_a_scene_that_was_made_for_looking_only(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    state = state_of(pipeline, stroke("colour", LEFT))
    first = edited(pipeline, state, finished(edit_colour_parameters(pipeline, state, size=SIZE, steps=2)))
    assert pipeline.frame(first, "exact").rgb.is_inference()
    again = replace(first, edits=replace(first.edits, strokes=state.edits.strokes))
    assert finished(edit_colour_parameters(pipeline, again, size=SIZE, steps=2)).parameters
    removed = replace(again, edits=replace(again.edits, strokes=(stroke("remove", LEFT),)))
    assert finished(edit_shape_parameters(pipeline, removed, size=SIZE, steps=2)).moves_density


def test_a_colour_edit_is_seen_on_the_baked_rung(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    state = state_of(pipeline, stroke("colour", LEFT))
    after = edited(pipeline, state, finished(edit_colour(pipeline, state, size=SIZE)))
    next(pipeline.bake(after))
    baked, exact = (pipeline.frame(after, rung) for rung in ("baked", "exact"))
    assert baked.rung == "baked"
    solid = (exact.alpha > 0.9) & (baked.alpha > 0.9)
    assert solid.any()
    assert (baked.rgb - exact.rgb)[solid].abs().mean() < 0.06


def test_a_colour_edit_trains_the_published_layers_and_no_others(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    result = finished(edit_colour_parameters(pipeline, state_of(pipeline, stroke("colour", LEFT)), size=SIZE, steps=4))
    generator = pipeline.generator
    assert isinstance(generator, EditNeRFGenerator)
    assert set(result.parameters) == set(result.colour_parameters) == set(generator.network.colour_parameters())
    assert not result.moves_density


def test_what_is_known_of_empty_space_outlives_a_colour_edit(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    state = state_of(pipeline, stroke("colour", LEFT))
    known = pipeline.occupancy(state)
    result = finished(edit_colour_parameters(pipeline, state, size=SIZE, steps=4))
    after = edited(pipeline, state, result)
    assert pipeline.occupancy(after) is known
    assert pipeline.scene(after) is not pipeline.scene(state)


def test_a_result_comes_back_from_its_side_file(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    result = finished(edit_colour_parameters(pipeline, state_of(pipeline, stroke("colour", LEFT)), size=SIZE, steps=4))
    back = EditResult.load(SideFiles(tmp_path), result.store(pipeline.side_files))
    assert back.colour_parameters == result.colour_parameters
    assert all(torch.equal(back.parameters[name].half(), delta.half()) for name, delta in result.parameters.items())


def test_results_come_while_the_edit_runs_and_the_model_itself_stays(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    generator = pipeline.generator
    assert isinstance(generator, EditNeRFGenerator)
    before = {name: p.clone() for name, p in generator.network.named_parameters()}
    steps = edit_colour_parameters(pipeline, state_of(pipeline, stroke("colour", LEFT)), size=SIZE, steps=60)
    live = [progress.result for progress in steps if progress.result is not None]
    assert len(live) >= 4
    assert all(torch.equal(p, before[name]) for name, p in generator.network.named_parameters())


def test_an_edit_builds_upon_the_one_before(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    state = state_of(pipeline, stroke("colour", LEFT))
    first = finished(edit_colour_parameters(pipeline, state, size=SIZE, steps=30))
    state = replace(
        edited(pipeline, state, first), edits=Edits((stroke("colour", LEFT),), first.store(pipeline.side_files))
    )
    *_, last = edit_colour_parameters(pipeline, state, size=SIZE, steps=30)
    was, now = (pipeline.frame(edited(pipeline, state, r), "exact").rgb[MIDDLE, LEFT] for r in (first, last.result))
    assert (now - torch.tensor(RED)).square().mean() < (was - torch.tensor(RED)).square().mean()


def test_two_colours_pull_apart(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    state = state_of(pipeline, stroke("colour", LEFT), stroke("colour", RIGHT, BLUE))
    result = finished(edit_colour(pipeline, state, size=SIZE))
    rgb = pipeline.frame(edited(pipeline, state, result), "exact").rgb
    assert rgb[MIDDLE, LEFT, 0].mean() > rgb[MIDDLE, RIGHT, 0].mean()
    assert rgb[MIDDLE, LEFT, 2].mean() < rgb[MIDDLE, RIGHT, 2].mean()


def test_a_removal_lets_light_through_under_the_stroke_more_than_beside_it(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    state = state_of(pipeline, stroke("remove", LEFT))
    result = finished(edit_shape(pipeline, state, size=SIZE))
    was, now = (pipeline.frame(s, "exact").alpha for s in (state, edited(pipeline, state, result)))
    gone = was - now
    assert gone[MIDDLE, LEFT].mean() > 0.1
    assert gone[MIDDLE, LEFT].mean() > 2 * gone[MIDDLE, RIGHT].mean().abs()
    assert result.moves_density
    assert pipeline.occupancy(edited(pipeline, state, result)) is not pipeline.occupancy(state)


def test_an_addition_stops_light_beside_the_object_in_its_own_colour(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    gap = slice(7, 9)
    state = state_of(pipeline, stroke("add", gap))
    result = finished(edit_shape_parameters(pipeline, state, size=SIZE))
    was, now = (pipeline.frame(s, "exact") for s in (state, edited(pipeline, state, result)))
    assert was.alpha[MIDDLE, gap].mean() + 0.2 < now.alpha[MIDDLE, gap].mean()
    before, after = ((f.rgb[MIDDLE, gap] - torch.tensor(RED)).square().mean() for f in (was, now))
    assert after < 0.6 * before
    assert (was.alpha - now.alpha)[:4].abs().mean() < 0.05


def test_strokes_on_nothing_and_strokes_that_contradict_are_refused(tmp_path, balls):
    pipeline = pipeline_of(tmp_path, balls)
    corner = replace(stroke("colour", LEFT), points=((0.02, 0.02),), width=0.02)
    with pytest.raises(EditError, match="empty space"):
        finished(edit_colour(pipeline, state_of(pipeline, corner), size=SIZE))
    twice = stroke("colour", LEFT), stroke("colour", LEFT, BLUE)
    with pytest.raises(EditError, match="two colours"):
        finished(edit_colour(pipeline, state_of(pipeline, *twice), size=SIZE))
    with pytest.raises(EditError, match="No remove or add stroke"):
        finished(edit_shape(pipeline, state_of(pipeline, stroke("keep", LEFT)), size=SIZE))


def test_haze_without_any_surface_is_recoloured_too(tmp_path):
    pipeline = pipeline_of(tmp_path, untrained())
    state = state_of(pipeline, stroke("colour", LEFT), stroke("keep", RIGHT))
    result = finished(edit_colour(pipeline, state, size=SIZE))
    was, now = (pipeline.frame(s, "exact") for s in (state, edited(pipeline, state, result)))
    before, after = (((f.rgb - torch.tensor(RED))[MIDDLE, LEFT]).square().mean() for f in (was, now))
    assert after < 0.75 * before
    assert (was.rgb - now.rgb)[MIDDLE, RIGHT].abs().mean() < (was.rgb - now.rgb)[MIDDLE, LEFT].abs().mean()


def test_a_view_dependent_nerf_of_one_scene_takes_the_same_way(tmp_path):
    torch.manual_seed(0)
    layout = NeRFLayout(width=24, depth=3, points=Encoding(4), view_width=16, skips=())
    network = NeRFNetwork(layout).requires_grad_(False)
    network.density.bias += 1.0
    volume = replace(BLENDER_VOLUME, coarse=16, fine=0)
    card = ModelCard(name="small", family="nerf", title="Small")
    pipeline = pipeline_of(tmp_path, NeRFGenerator(network, None, card, volume=volume, resolution=SIZE))
    assert not isinstance(pipeline.scene(state_of(pipeline)).field, Reshapable)
    state = state_of(pipeline, stroke("colour", LEFT))
    result = finished(edit_colour_parameters(pipeline, state, size=SIZE))
    was, now = (pipeline.frame(s, "exact") for s in (state, edited(pipeline, state, result)))
    before, after = ((f.rgb - torch.tensor(RED))[MIDDLE, LEFT].square().mean() for f in (was, now))
    assert after < 0.6 * before
    assert torch.equal(was.alpha, now.alpha)


@pytest.mark.parametrize("quadrature", ["left", "midpoint"])
def test_weights_of_samples_give_the_integrators_own_colour(quadrature):
    torch.manual_seed(0)
    volume = VolumeSettings(0.0, 1.0, 9, 0, "softplus", quadrature, "nerf")
    depths, raw, features = torch.rand(5, 9).sort(1).values, torch.randn(5, 9), torch.rand(5, 9, 3)
    expected = composite(volume, depths, raw, features, torch.ones(5)).features
    weights = sample_weights(volume, depths, raw, torch.ones(5))
    torch.testing.assert_close((weights[..., None] * features).sum(1), expected)
