"""EG3D's folded networks: the numbers of the readable ones, and nothing computed anew while w stands still."""

from __future__ import annotations

import copy

import pytest
import torch
from graph_tape import Tape
from neuroview.models.base import ModelCard
from neuroview.models.captured import WARM
from neuroview.models.eg3d import EG3DConfig, TriPlaneGenerator
from neuroview.models.eg3d_folded import FoldedBackbone, FoldedSuperResolution
from neuroview.models.eg3d_generator import EG3DGenerator
from neuroview.models.layers.stylegan2_folded import FoldedLayer
from torch import Tensor

CONFIG = EG3DConfig(
    z_dim=16, c_dim=0, w_dim=24, plane_resolution=32, plane_channels=8, channel_base=512, channel_max=16,
    decoder_hidden=16, decoder_features=8, neural_rendering_resolution=16, image_resolution=64,
    superresolution="8X", sr_input_resolution=16, sr_channels=(12, 8),
)  # fmt: skip


@pytest.fixture
def network() -> TriPlaneGenerator:
    torch.manual_seed(0)
    made = TriPlaneGenerator(CONFIG).eval().requires_grad_(False)
    for parameter in made.parameters():
        if parameter.ndim < 2:
            parameter.normal_()
    return made


def codes(network: TriPlaneGenerator, seed: int = 0) -> Tensor:
    return network.mapping(torch.randn(1, 16, generator=torch.Generator().manual_seed(seed)))[0]


@pytest.mark.parametrize("noise", ["none", "const", "random"])
def test_the_folded_backbone_draws_the_networks_planes(network, noise):
    ws = codes(network)
    folded = FoldedBackbone(network.backbone.synthesis)
    folded.bind(ws, (noise, 3))
    expected = network.backbone.synthesis(ws[None], noise, torch.Generator().manual_seed(3))
    torch.testing.assert_close(folded(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_a_backbone_of_half_precision_errs_by_a_percent(network, kind):
    ws = codes(network)
    exact, half = FoldedBackbone(network.backbone.synthesis), FoldedBackbone(network.backbone.synthesis, dtype=kind)
    exact.bind(ws, ("const", 0))
    half.bind(ws, ("const", 0))
    assert half().dtype == torch.float32
    assert float((half() - exact()).abs().mean()) < 0.02 * float(exact().std())


def test_nothing_is_folded_anew_while_the_identity_stands_still(network, monkeypatch):
    generator = EG3DGenerator(network, ModelCard("", "", ""))
    folds, real = [], FoldedLayer.bind
    monkeypatch.setattr(FoldedLayer, "bind", lambda self, w: (folds.append(self), real(self, w))[1])
    ws, features = codes(network), torch.rand(1, 8, 16, 16)
    with torch.inference_mode():
        scene = generator.scene(ws)
        assert scene.upsampler is not None
        once = scene.upsampler(features)
        counted = len(folds)
        again = [scene.upsampler(features) for _ in range(3)]
        generator.scene(ws, noise="random", noise_seed=4)
    assert len(folds) == counted
    assert all(torch.equal(once, each) for each in again)


def test_scenes_that_take_turns_get_their_own_pictures(network):
    generator = EG3DGenerator(network, ModelCard("", "", ""))
    features = torch.rand(1, 8, 16, 16)
    with torch.inference_mode():
        scenes = [generator.scene(codes(network, seed)) for seed in (0, 1)]
        for _ in range(2):
            for seed, scene in enumerate(scenes):
                expected = network.upsample(features * 2 - 1, codes(network, seed)[None]) * 0.5 + 0.5
                assert scene.upsampler is not None
                torch.testing.assert_close(scene.upsampler(features), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("which", ["backbone.synthesis.b8.conv0.bias", "superresolution.block1.torgb.bias"])
def test_weights_that_a_trainer_has_changed_are_read_anew(network, which):
    generator = EG3DGenerator(network, ModelCard("", "", ""))
    ws, features = codes(network), torch.rand(1, 8, 16, 16)
    with torch.no_grad():
        scene = generator.scene(ws)
        assert scene.upsampler is not None
        scene.upsampler(features)
        network.get_parameter(which).add_(0.5)
        expected = network.planes(ws[None], "const"), network.upsample(features * 2 - 1, ws[None]) * 0.5 + 0.5
        assert scene.upsampler is not None
        picture = scene.upsampler(features)
        planes = EG3DGenerator.scene(generator, ws).field
    torch.testing.assert_close(picture, expected[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(planes.planes[:, 0], expected[0][:, 0], atol=1e-4, rtol=1e-4)  # pyright: ignore


def test_a_copy_with_tensors_of_its_own_has_networks_of_its_own(network):
    generator, ws = EG3DGenerator(network, ModelCard("", "", "")), codes(network)
    with torch.no_grad():
        before = generator.scene(ws).field.planes  # pyright: ignore
        twin = copy.copy(generator)
        twin.network = copy.deepcopy(network)
        twin.network.get_parameter("backbone.synthesis.b8.conv0.bias").add_(0.5)
        assert (twin.scene(ws).field.planes - before).abs().max() > 1e-3  # pyright: ignore
        torch.testing.assert_close(generator.scene(ws).field.planes, before)  # pyright: ignore


def test_recorded_networks_follow_the_identity_and_the_noise(network):
    backbone = FoldedBackbone(network.backbone.synthesis, recorder=Tape())
    enlarging = FoldedSuperResolution(network.superresolution, recorder=Tape())
    features = torch.rand(1, 8, 16, 16)
    for number in range(2 * WARM + 4):
        ws, noise = codes(network, number), ("none", "const", "random")[number % 3]
        backbone.bind(ws, (noise, number))
        enlarging.bind(ws[-1:], (noise, number))
        expected = network.backbone.synthesis(ws[None], noise, torch.Generator().manual_seed(number))
        torch.testing.assert_close(backbone(), expected, atol=1e-4, rtol=1e-4)
        expected = network.upsample(features, ws[None], noise, torch.Generator().manual_seed(number))
        torch.testing.assert_close(enlarging(features), expected, atol=1e-4, rtol=1e-4)
    assert backbone.bindings == enlarging.bindings == 2 * WARM + 4


def test_gradients_reach_codes_that_want_them(network):
    generator = EG3DGenerator(network, ModelCard("", "", ""))
    ws = codes(network).clone().requires_grad_()
    scene = generator.scene(ws)
    scene.field(torch.zeros(4, 3))[0].sum().backward()
    assert ws.grad is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need an NVIDIA GPU")
def test_on_a_gpu_both_networks_are_recorded_and_say_what_they_said(network):
    network.cuda()
    backbone, features = FoldedBackbone(network.backbone.synthesis), torch.rand(1, 8, 16, 16, device="cuda")
    enlarging = FoldedSuperResolution(network.superresolution, dtype=torch.float16)
    for number in range(WARM + 3):
        ws = network.mapping(torch.randn(1, 16, device="cuda"))[0]
        backbone.bind(ws, ("const", 0))
        enlarging.bind(ws[-1:])
        torch.testing.assert_close(backbone(), network.backbone.synthesis(ws[None]), atol=1e-2, rtol=1e-2)
        expected = network.upsample(features, ws[None])
        assert float((enlarging(features) - expected).abs().mean()) < 0.02 * float(expected.std()), number
    assert backbone.trouble == enlarging.trouble == ""
