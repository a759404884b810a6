"""Super-resolution on CPUs: of moving pictures to half precision, smaller with the volume image; the exact one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering import compiled, draft, winograd
from neuroview.engine.rendering.draft import SuperResolutions
from neuroview.engine.rendering.exact import render_image
from neuroview.engine.rendering.image import Rendered
from neuroview.engine.state import first_state
from neuroview.models.base import ModelCard, Scene
from neuroview.models.eg3d import TriPlaneGenerator
from neuroview.models.eg3d_config import EG3DConfig
from neuroview.models.eg3d_generator import EG3DGenerator


def generator(**changes: Any) -> EG3DGenerator:
    """A small one of random weights: 16 -> 64 pixels."""
    torch.manual_seed(0)
    sizes = {"z_dim": 8, "w_dim": 8, "plane_resolution": 8, "plane_channels": 4, "channel_base": 64, "channel_max": 8}
    sizes |= {"decoder_hidden": 8, "decoder_features": 6, "neural_rendering_resolution": 16, "image_resolution": 64}
    config = EG3DConfig(**sizes, sr_input_resolution=16, **({"sr_channels": (8, 8)} | changes))  # type: ignore[arg-type]
    return EG3DGenerator(TriPlaneGenerator(config).eval(), ModelCard("small", "eg3d", "small"))


@pytest.fixture
def scene() -> Scene:
    made = generator()
    with torch.no_grad():
        return made.scene(made.codes(0))


def volume_image(side: int) -> Rendered:
    torch.manual_seed(1)
    return Rendered(torch.rand(6, side, side), torch.zeros(side, side), torch.ones(side, side))


@torch.inference_mode()
def test_at_full_size_it_is_the_exact_networks_picture(scene):
    image = volume_image(16)
    made, wanted = SuperResolutions().picture(scene, image, moving=True), render_image(scene, image)
    assert made is not None
    assert made.shape == wanted.shape == (3, 64, 64)
    assert made.dtype == torch.float32
    assert float(-10 * torch.log10((made - wanted).square().mean())) > 40


@torch.inference_mode()
@pytest.mark.parametrize(("side", "picture"), [(8, 32), (12, 48), (16, 64), (24, 64)])
def test_a_coarser_volume_image_makes_a_smaller_picture_and_a_finer_one_no_larger(scene, side, picture):
    made = SuperResolutions().picture(scene, volume_image(side), moving=True)
    assert made is not None
    assert made.shape == (3, picture, picture)


@torch.inference_mode()
def test_another_identity_takes_its_own_weights():
    drafts, made = SuperResolutions(), generator()
    scenes = [made.scene(made.codes(seed)) for seed in (0, 1)]
    image = volume_image(16)
    for scene in (*scenes, scenes[0]):
        picture = drafts.picture(scene, image, moving=True)
        assert picture is not None
        assert float(-10 * torch.log10((picture - render_image(scene, image)).square().mean())) > 40


def test_weights_that_were_trained_meanwhile_are_seen():
    drafts, made = SuperResolutions(), generator()
    image = volume_image(16)
    before = drafts.picture(made.scene(made.codes(0)), image, moving=True)
    with torch.no_grad():
        made.network.superresolution.block0.conv1.weight.mul_(-1.0)
    after = drafts.picture(made.scene(made.codes(0)), image, moving=True)
    assert before is not None
    assert after is not None
    assert (before - after).abs().max() > 1e-2


@torch.inference_mode()
def test_an_exact_picture_with_fewer_products_is_the_networks_own():
    compiled.load(winograd.__name__)
    made, quick = generator(sr_channels=(64, 64)), SuperResolutions()
    for seed in (0, 1, 0):
        scene = made.scene(made.codes(seed))
        picture = quick.picture(scene, volume_image(16), moving=False)
        assert picture is not None
        assert (picture - render_image(scene, volume_image(16))).abs().max() < 1e-4


@torch.inference_mode()
def test_an_exact_picture_outlives_the_next_one():
    compiled.load(winograd.__name__)
    made, quick = generator(sr_channels=(64, 64)), SuperResolutions()
    scene = made.scene(made.codes(0))
    first = quick.picture(scene, volume_image(16), moving=False)
    assert first is not None
    kept = first.clone()
    quick.picture(scene, replace(volume_image(16), features=torch.zeros(6, 16, 16)), moving=False)
    assert torch.equal(first, kept)


def test_without_the_compiled_loop_or_wide_layers_the_upsampler_makes_it(scene, monkeypatch):
    assert SuperResolutions().picture(scene, volume_image(16), moving=False) is None
    made = generator(sr_channels=(64, 64))
    monkeypatch.setattr(compiled, "ready", lambda module: False)
    assert SuperResolutions().picture(made.scene(made.codes(0)), volume_image(16), moving=False) is None


def test_noise_has_a_size_and_is_left_to_the_upsampler():
    made = generator(sr_noise_mode="const")
    assert SuperResolutions().picture(made.scene(made.codes(0)), volume_image(8), moving=True) is None


def test_a_scene_without_upsampler_is_its_own_picture(scene):
    assert SuperResolutions().picture(replace(scene, upsampler=None), volume_image(8), moving=True) is None


def test_only_what_moves_is_drafted():
    made = generator()
    pipeline = Pipeline(made)
    state = first_state("small", made.camera)
    assert pipeline.frame(state, "occupancy", scale=0.5, live=True).rgb.shape == (32, 32, 3)
    assert pipeline.frame(state, "occupancy", scale=0.5).rgb.shape == (64, 64, 3)
    assert pipeline.frame(state, "exact", live=True).rgb.shape == (64, 64, 3)


def test_a_coarse_picture_of_a_baked_grid_has_four_rays_a_pixel():
    pipeline = Pipeline(generator())
    state = first_state("small", pipeline.generator.camera)
    next(pipeline.bake(state))
    coarse, full = (pipeline.frame(state, "baked", scale=scale, live=True) for scale in (0.5, 1.0))
    assert coarse.rays == full.rays == full.raw.shape[0] ** 2
    assert coarse.raw.shape[0] == full.raw.shape[0] // 2
    torch.testing.assert_close(coarse.alpha, full.alpha.view(8, 2, 8, 2).mean((1, 3)))


def test_a_coarse_picture_of_a_fog_has_one_ray_a_pixel(monkeypatch):
    pipeline = Pipeline(generator())
    state = first_state("small", pipeline.generator.camera)
    next(pipeline.bake(state))
    monkeypatch.setattr(pipeline, "is_fog", lambda state: True)
    coarse = pipeline.frame(state, "baked", scale=0.5, live=True)
    assert coarse.rays == coarse.raw.shape[0] ** 2 == 64


@torch.inference_mode()
def test_without_half_precision_a_moving_picture_multiplies_less_too(monkeypatch):
    compiled.load(winograd.__name__)
    monkeypatch.setattr(draft, "half_precision", lambda: torch.float32)
    made, small = generator(sr_channels=(64, 64)), generator()
    scene = made.scene(made.codes(0))
    picture = SuperResolutions().picture(scene, volume_image(16), moving=True)
    assert picture is not None
    assert (picture - render_image(scene, volume_image(16))).abs().max() < 1e-4
    assert SuperResolutions().picture(small.scene(small.codes(0)), volume_image(8), moving=True).shape == (3, 32, 32)
