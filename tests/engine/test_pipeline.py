"""State in, frame out, and every stage kept until its own inputs change."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from neuroview.engine.model import Model
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.state import Camera, with_option
from neuroview.models.base import Option
from neuroview.models.errors import CheckpointError
from spheres import SphereGenerator


@pytest.fixture
def model():
    return Model("sphere", SphereGenerator())


def with_camera(state, **changes):
    return replace(state, camera=replace(state.camera, **changes))


def with_latents(state, **changes):
    return replace(state, latents=replace(state.latents, **changes))


def with_output(state, **changes):
    return replace(state, output=replace(state.output, **changes))


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


def test_the_same_state_gives_the_same_frame(model):
    state = model.first_state()
    first = model.render(state)
    model.render(with_latents(state, seed_a=5))
    assert torch.equal(model.render(state).pixels, first.pixels)


def test_a_camera_move_keeps_the_scene_and_an_output_change_keeps_the_image(model):
    state = model.first_state()
    model.render(state)
    moved = model.render(with_camera(state, yaw=0.3))
    assert set(moved.stages) == {"volume image", "picture"}
    depth = model.render(with_output(with_camera(state, yaw=0.3), kind="depth"))
    assert depth.stages == {}
    latent = model.render(with_latents(with_camera(state, yaw=0.3), seed_a=3))
    assert {"codes a", "scene", "volume image"} <= set(latent.stages)


def test_an_unused_seed_b_computes_nothing(model):
    state = model.first_state()
    model.render(state)
    frame = model.render(with_latents(state, seed_b=9))
    assert frame.stages == {}


def test_mixing_geometry_takes_the_shape_of_b_and_the_colour_of_a(model):
    a = model.render(with_latents(model.first_state(), seed_a=1, seed_b=2))
    b = model.render(with_latents(model.first_state(), seed_a=2, seed_b=1))
    mixed = model.render(with_latents(model.first_state(), seed_a=1, seed_b=2, mix_geometry=1.0))
    assert torch.allclose(mixed.alpha, b.alpha)
    inside = (mixed.alpha > 0.99) & (a.alpha > 0.99)
    # The colour depends on where the surface is, so compare its hue.
    hue = [f.raw[inside] / f.raw[inside].sum(-1, keepdim=True) for f in (mixed, a)]
    assert torch.allclose(hue[0], hue[1], atol=0.02)


def test_a_layers_own_mix_overrides_the_two_sliders(model):
    state = with_latents(model.first_state(), seed_a=1, seed_b=2, mix_geometry=1.0, layer_mix=(0.0,))
    unmixed = with_latents(model.first_state(), seed_a=1, seed_b=2)
    assert torch.equal(model.render(state).alpha, model.render(unmixed).alpha)


@pytest.mark.parametrize("rung", ["occupancy", "baked"])
def test_fast_rungs_agree_with_exact(model, rung):
    # Enough samples that exact is the converged integral, which is what the fast paths approximate.
    state = replace(model.first_state(), quality=replace(model.first_state().quality, samples=8.0))
    exact = model.render(state)
    fast = model.render(state, rung)
    assert fast.rung == rung
    assert psnr(fast.rgb, exact.rgb) > 33


@pytest.mark.parametrize("kind", ["rgb", "raw", "depth", "normals", "alpha"])
def test_every_output_has_the_size_that_was_asked_for(model, kind):
    frame = model.render(with_output(model.first_state(), kind=kind, size=48))
    assert frame.pixels.shape == (48, 48, 4)
    assert frame.pixels.dtype == torch.uint8
    assert frame.pixels[..., :3].float().std() > 1


def test_a_camera_matrix_replaces_the_orbit(model):
    from neuroview.engine.camera import camera_matrices

    state = with_camera(model.first_state(), yaw=0.4)
    cam2world, intrinsics = camera_matrices(state.camera, model.generator.camera)
    exact = Camera(cam2world=tuple(cam2world.ravel()), intrinsics=tuple(intrinsics.ravel()))
    assert torch.allclose(model.render(replace(state, camera=exact)).rgb, model.render(state).rgb, atol=1e-5)


def test_a_cancelled_frame_leaves_the_kept_stages_usable(model):
    state = model.first_state()

    def checkpoint():
        raise Cancelled

    with pytest.raises(Cancelled):
        model.pipeline.frame(state, "exact", checkpoint=checkpoint)
    assert model.render(state).rgb.isfinite().all()


def test_other_scenes_grids_are_let_go(model):
    state = model.first_state()
    for _ in model.pipeline.bake(state):
        pass
    assert "baked" in model.pipeline.rungs(state)
    assert "baked" not in model.pipeline.rungs(with_latents(state, seed_a=4))


def test_a_camera_that_comes_closer_still_sees_the_object(model):
    near = model.render(with_camera(model.first_state(), radius=2.0))
    assert near.alpha.max() > 0.99


def test_a_models_own_options_are_part_of_the_state(model):
    state = model.first_state()
    size = model.generator.offered[0]
    whole, half = model.render(state), model.render(with_option(state, size, "half"))
    assert half.alpha.sum() < 0.5 * whole.alpha.sum()
    assert torch.equal(model.render(with_option(state, size, "as trained")).rgb, whole.rgb)
    assert model.describe(state).options[0].name == "size"


def test_an_option_that_the_model_does_not_have_is_told(model):
    with pytest.raises(CheckpointError, match="no option"):
        model.render(replace(model.first_state(), options=(("colour", "red"),)))


def test_a_preset_brings_its_camera(model):
    usual = model.generator.camera
    preset = Option("preset", "Preset", ("a", "b"), "a", cameras=(usual, replace(usual, radius=9.0)))
    state = with_option(model.first_state(), preset, "b")
    assert state.camera.radius == 9.0
    assert state.options == (("preset", "b"),)


def test_where_nothing_is_empty_the_exact_samples_are_taken(model, monkeypatch):
    field = type(model.pipeline.scene(model.first_state()).field)
    monkeypatch.setattr(field, "__call__", lambda self, p, d=None: (0.3 + 0 * p[:, 0], 0.5 + 0 * p))
    state = with_latents(model.first_state(), seed_a=77)
    assert model.render(state, "occupancy").rung == "exact"
    assert model.pipeline.is_fog(state)
    assert [grid.resolution for grid in model.pipeline.bake(state)] == [64]
    assert model.pipeline.rungs(state) == ["exact", "baked"]
