"""A still picture is made to agree with its rays; pictures in motion, and other sizes, are left alone."""

from __future__ import annotations

import pytest
import torch
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering.exact import refined
from neuroview.engine.rendering.image import Rendered
from neuroview.engine.state import first_state
from neuroview.models.base import ModelCard
from neuroview.models.eg3d import EG3DConfig, TriPlaneGenerator
from neuroview.models.eg3d_generator import EG3DGenerator
from neuroview.models.eg3d_refiner import RayRefiner
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import native
from torch.nn import functional as F

SMALL = {
    "z_dim": 16,
    "c_dim": 0,
    "w_dim": 24,
    "plane_resolution": 16,
    "plane_channels": 8,
    "channel_base": 256,
    "channel_max": 16,
    "decoder_hidden": 16,
    "decoder_features": 8,
    "neural_rendering_resolution": 16,
    "image_resolution": 64,
    "superresolution": "8X",
    "sr_input_resolution": 16,
    "sr_channels": (12, 8),
    "refiner_channels": 6,
    "rendering": {"supersampling": 2},
}


def generator(**changes: object) -> EG3DGenerator:
    torch.manual_seed(0)
    network = TriPlaneGenerator(EG3DConfig.from_dict({**SMALL, **changes}))
    return EG3DGenerator(network, ModelCard(name="small", family="eg3d", title="Small"))


def linear(refiner: RayRefiner) -> RayRefiner:
    """With nothing learned: the step of back-projection alone."""
    torch.nn.init.zeros_(refiner.conv2.weight)
    torch.nn.init.zeros_(refiner.conv2.bias)
    return refiner.requires_grad_(False)


def test_nothing_is_added_to_a_picture_that_agrees_with_its_rays():
    picture = torch.rand(1, 3, 16, 16)
    rays = torch.cat([F.avg_pool2d(picture, 2), torch.rand(1, 5, 8, 8)], 1)
    assert torch.allclose(linear(RayRefiner(8, 6, 2))(picture, rays), picture, atol=1e-6)


def test_a_picture_moves_towards_what_its_rays_saw():
    sharp = torch.rand(1, 3, 16, 16)
    rays = torch.cat([F.avg_pool2d(sharp, 2), torch.zeros(1, 5, 8, 8)], 1)
    blurred = F.interpolate(F.avg_pool2d(sharp, 4), scale_factor=4.0, mode="bilinear")
    refined = linear(RayRefiner(8, 6, 2))(blurred, rays)
    before, after = ((F.avg_pool2d(p, 2) - rays[:, :3]).square().mean() for p in (blurred, refined))
    assert after < 0.5 * before


def test_a_window_of_a_picture_is_refined_as_in_the_whole():
    torch.manual_seed(1)
    refiner = RayRefiner(8, 6, 2).requires_grad_(False)
    picture, rays = torch.rand(1, 3, 64, 64), torch.rand(1, 8, 32, 32)
    whole = refiner(picture, rays)
    part = refiner(picture[..., 16:48, 16:48], rays[..., 8:24, 8:24])
    assert torch.allclose(part[..., 6:-6, 6:-6], whole[..., 22:42, 22:42], atol=1e-5)


def test_a_still_picture_is_refined_and_a_live_one_is_not():
    made, plain = generator(), generator(refiner_channels=0)
    plain.network.load_state_dict(made.network.state_dict(), strict=False)
    with_, without = Pipeline(made), Pipeline(plain)
    state = first_state("small", made.camera)
    assert torch.equal(with_.frame(state, live=True).rgb, without.frame(state, live=True).rgb)
    assert torch.equal(with_.frame(state).raw, without.frame(state).raw)
    assert not torch.allclose(with_.frame(state).rgb, without.frame(state).rgb, atol=1e-4)


def test_another_number_of_rays_than_it_learned_to_read_leaves_the_picture_alone():
    made = generator()
    scene = made.scene(made.codes(0))
    picture = torch.rand(3, 64, 64)
    rendered = Rendered(torch.rand(8, 8, 8), torch.rand(8, 8), torch.rand(8, 8), torch.rand(8, 16, 16))
    assert refined(scene, rendered, picture) is picture


def test_a_file_keeps_the_refiner(tmp_path):
    made = generator()
    native.save(tmp_path / "small.safetensors", made.network, name="small", camera=made.camera)
    back = native.load(tmp_path / "small.safetensors")
    assert back.config == made.network.config
    assert back.refiner is not None
    assert made.network.refiner is not None
    assert torch.equal(back.refiner.conv2.weight, made.network.refiner.conv2.weight)


def test_rays_that_share_no_grid_with_the_pixels_are_refused():
    with pytest.raises(CheckpointError, match=r"refiner_channels is 6.*48 rays"):
        generator(rendering={"supersampling": 3})
