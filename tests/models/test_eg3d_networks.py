"""EG3D's networks agree with the official code's recorded outputs, and can be trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.models.base import Conditioning, Generator, ModelCard, RadianceField, Upsampler
from neuroview.models.eg3d import EG3DConfig, TriPlaneField, TriPlaneGenerator, merge_planes, sample_planes
from neuroview.models.eg3d_folded import FoldedSuperResolution
from neuroview.models.eg3d_generator import EG3DGenerator, conditioning_label, default_geometry, layer_names
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import eg3d_pickle
from neuroview.models.layers.resampling import resample_filter, transposed_up2, upsample2
from torch.nn import functional as F

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracles" / "eg3d"
needs_oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason="the EG3D oracle is not beside the repository")

SMALL = EG3DConfig(
    z_dim=16,
    c_dim=0,
    w_dim=24,
    plane_resolution=32,
    plane_channels=8,
    channel_base=512,
    channel_max=16,
    decoder_hidden=16,
    decoder_features=8,
    neural_rendering_resolution=16,
    image_resolution=64,
    superresolution="8X",
    sr_input_resolution=16,
    sr_channels=(12, 8),
)


def small(**changes: object) -> TriPlaneGenerator:
    torch.manual_seed(0)
    return TriPlaneGenerator(EG3DConfig.from_dict({**SMALL.to_dict(), **changes}))


@pytest.fixture(scope="module")
def official() -> EG3DGenerator:
    found = eg3d_pickle.open_generator(ORACLE / "small512.pkl")
    assert isinstance(found, EG3DGenerator)
    return found


@pytest.fixture(scope="module")
def recorded() -> dict[str, torch.Tensor]:
    arrays: dict[str, torch.Tensor] = {}
    for name in ("small512.npz", "small512.extras.npz"):
        with np.load(ORACLE / name) as file:
            arrays.update({key: torch.from_numpy(file[key]) for key in file.files})
    return arrays


def worst(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).detach().abs().max())


# Against the official code


@needs_oracle
@pytest.mark.parametrize(("psi", "cutoff"), [(0.7, 14), (1.0, None), (-0.5, 0), (-0.5, 7), (-0.5, 14)])
def test_codes_equal_the_official_ones(official, recorded, psi, cutoff) -> None:
    key = f"ws_psi{psi}" if psi > 0 else f"ws_psi{psi}_cut{cutoff}"
    assert worst(official.codes(7, truncation=psi, cutoff=cutoff), recorded[key][0]) < 1e-5


@needs_oracle
def test_codes_of_another_conditioning_camera_equal_the_official_ones(official, recorded) -> None:
    ws = official.network.mapping(recorded["z"].float(), recorded["ws_condpose_c"])
    assert worst(ws, recorded["ws_condpose"]) < 1e-5


@needs_oracle
def test_batch_of_two_seeds_equals_the_official_codes(official, recorded) -> None:
    c = recorded["c_conditioning"].expand(2, -1)
    ws = official.network.mapping(recorded["batch2_z"].float(), c, 0.7, 7)
    assert worst(ws, recorded["batch2_ws"]) < 1e-5


@needs_oracle
def test_the_frontal_conditioning_label_equals_the_official_one(official, recorded) -> None:
    assert worst(conditioning_label(Conditioning(), official.camera), recorded["c_conditioning"][0]) < 1e-6


@needs_oracle
@pytest.mark.parametrize("psi", [0.7, 1.0])
@torch.inference_mode()
def test_planes_equal_the_official_ones(official, recorded, psi) -> None:
    planes = official.network.backbone.synthesis(recorded[f"ws_psi{psi}"], "const")
    assert worst(planes[:, :, ::8, ::8], recorded[f"planes_psi{psi}"]) < 1e-4


@needs_oracle
@pytest.mark.parametrize("merged", [False, True])
@torch.inference_mode()
def test_density_and_features_at_points_equal_the_official_ones(official, recorded, merged) -> None:
    planes = official.network.planes(recorded["ws_psi0.7"])
    field = TriPlaneField(planes, official.network.decoder, 1.0, merged=merged)
    density, features = field(recorded["points_xyz"][0])
    assert worst(density, recorded["points_sigma"][0, :, 0]) < 1e-4
    assert worst(features, recorded["points_rgbfeat"][0]) < 1e-5


@needs_oracle
@torch.inference_mode()
def test_field_at_the_official_samples_of_a_view_equals_the_official_one(official, recorded) -> None:
    depths = recorded["stage_depths_coarse"][0]  # [rays, 48, 1]
    points = recorded["stage_ray_origins"][0, :, None] + depths * recorded["stage_ray_dirs"][0, :, None]
    field = official.scene(recorded["ws_psi0.7"][0]).field
    density, features = field(points.reshape(-1, 3))
    assert worst(density, recorded["stage_sigma_coarse"][0, :, 0]) < 1e-4
    assert worst(features[:8192], recorded["stage_rgbfeat_coarse_first8192"][0]) < 1e-5


@needs_oracle
@pytest.mark.parametrize("pose", [0, 1])
@torch.inference_mode()
def test_whole_picture_equals_the_official_one(official, recorded, pose) -> None:
    exact = pytest.importorskip("neuroview.engine.rendering.exact")
    camera = recorded[f"c_pose{pose}"][0]
    scene = official.scene(recorded["ws_psi0.7"][0])
    view = exact.render_exact(scene, camera[:16].reshape(4, 4), camera[16:].reshape(3, 3), resolution=64)
    assert worst(view.features[None, :3] * 2 - 1, recorded[f"pose{pose}_psi0.7_det_image_raw"]) < 1e-3
    picture = scene.upsampler(view.features[None]) * 2 - 1
    assert worst(picture, recorded[f"pose{pose}_psi0.7_det_image"]) < 1e-3


@needs_oracle
def test_the_generator_fulfils_the_contracts(official, recorded) -> None:
    scene = official.scene(recorded["ws_psi0.7"][0])
    assert isinstance(official, Generator)
    assert isinstance(scene.field, RadianceField)
    assert isinstance(scene.upsampler, Upsampler)
    assert official.num_layers == len(official.layer_names) == 14
    assert official.has_noise
    assert official.has_conditioning


def test_learned_noise_is_not_offered_and_no_other_stands_in_for_it() -> None:
    network = small(learned_noise=True)
    with torch.no_grad():
        network.backbone.synthesis.b8.conv0.noise_strength.fill_(1.0)
    generator = EG3DGenerator(network, ModelCard("learned", "eg3d", "Learned"))
    codes = generator.codes(0)
    assert not generator.has_noise
    points = torch.rand(20, 3) * 0.2 - 0.1
    answers = [generator.scene(codes, noise=mode).field(points)[0] for mode in ("const", "none", "random")]
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


# Layers


def test_upsampling_convolution_equals_zero_insertion_convolution_and_filtering() -> None:
    weight, x = torch.randn(5, 7, 3, 3), torch.randn(2, 7, 9, 11)
    spread = torch.zeros(2, 7, 18, 22)
    spread[:, :, ::2, ::2] = x
    convolved = F.conv2d(F.pad(spread, (3, 2, 3, 2)), weight.flip(2, 3))
    expected = F.conv2d(convolved, resample_filter().expand(5, 1, 4, 4) * 4, groups=5)
    assert worst(transposed_up2(x, weight, resample_filter()), expected) < 1e-4


def test_upsampling_equals_zero_insertion_and_filtering() -> None:
    image = torch.randn(2, 3, 5, 6)
    spread = torch.zeros(2, 3, 10, 12)
    spread[:, :, ::2, ::2] = image
    kernel = resample_filter().expand(3, 1, 4, 4) * 4
    expected = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel, groups=3)
    assert worst(upsample2(image), expected) < 1e-6


def test_merging_planes_changes_nothing() -> None:
    planes, points = torch.randn(2, 3, 4, 16, 16), torch.rand(2, 50, 3) * 1.2 - 0.6
    assert worst(sample_planes(merge_planes(planes), points, 1.0), sample_planes(planes, points, 1.0)) < 1e-6


def test_features_outside_the_box_are_zero() -> None:
    outside = torch.tensor([[[0.9, 0.9, 0.9]]])
    assert not sample_planes(torch.ones(1, 3, 4, 16, 16), outside, 1.0).any()


def test_a_batch_gives_the_same_as_its_samples_alone() -> None:
    network = small()
    ws = network.mapping(torch.randn(3, 16))
    features = torch.rand(3, 8, 16, 16)
    apart = torch.cat([network.planes(w[None], "const") for w in ws])
    assert worst(network.planes(ws, "const"), apart) < 1e-4
    pictures = torch.cat([network.upsample(f[None], w[None]) for f, w in zip(features, ws, strict=True)])
    assert worst(network.upsample(features, ws), pictures) < 1e-4


@pytest.mark.parametrize("noise", ["none", "const", "random"])
@pytest.mark.parametrize("kind", ["2X", "4X", "8X", "8XDC"])
def test_folded_super_resolution_equals_the_network(kind, noise) -> None:
    network = small(superresolution=kind, image_resolution=32 if kind in ("2X", "4X") else 64, sr_conv_clamp=2.0)
    with torch.no_grad():
        for parameter in network.superresolution.parameters():
            if parameter.ndim < 2:
                parameter.normal_()
    ws, features = network.mapping(torch.randn(1, 16)), torch.rand(1, 8, 16, 16)
    expected = network.upsample(features, ws, noise, torch.Generator().manual_seed(3))
    folded = FoldedSuperResolution(network.superresolution, ws[:, -1], noise=(noise, 3))
    assert worst(folded(features), expected) < 1e-4


def test_folded_super_resolution_in_half_precision_errs_by_about_a_percent() -> None:
    network = small()
    ws, features = network.mapping(torch.randn(1, 16)), torch.rand(1, 8, 16, 16)
    expected = network.upsample(features, ws)
    found = FoldedSuperResolution(network.superresolution, ws[:, -1], dtype=torch.bfloat16)(features)
    assert (found - expected).abs().mean() < 0.02 * expected.std()


# Training


def test_every_parameter_receives_a_gradient() -> None:
    network = small(c_dim=25)
    ws = network.mapping(torch.randn(2, 16), torch.randn(2, 25))
    density, features = network.query(network.planes(ws, "random"), torch.rand(2, 256, 3) - 0.5)
    picture = network.upsample(features.transpose(1, 2).unflatten(2, (16, 16)), ws, "random")
    (picture.square().mean() + density.square().mean()).backward()
    untouched = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert untouched == []


def test_autocast_gives_nearly_the_same_picture() -> None:
    network = small()
    ws, features = network.mapping(torch.randn(2, 16)), torch.rand(2, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = network.upsample(features, ws)
    expected = network.upsample(features, ws)
    assert (reduced - expected).abs().mean() < 0.02 * expected.std()


def test_the_average_code_follows_the_batches() -> None:
    mapping = small().backbone.mapping
    mapping.update_average(torch.ones(4, 24), beta=0.75)
    assert torch.allclose(mapping.w_avg, torch.full((24,), 0.25))


# The generator


def generator_of(network: TriPlaneGenerator) -> EG3DGenerator:
    from neuroview.models.base import ModelCard

    return EG3DGenerator(network.eval(), ModelCard("small", "eg3d", "small"))


def test_one_seed_gives_one_code_and_other_seeds_others() -> None:
    generator = generator_of(small())
    assert torch.equal(generator.codes(5), generator.codes(5))
    assert not torch.equal(generator.codes(5), generator.codes(6))
    assert torch.equal(generator.codes(5), generator.codes(5 + (1 << 32)))


def test_zero_truncation_gives_the_average_and_a_cutoff_leaves_the_rest() -> None:
    generator = generator_of(small())
    generator.network.backbone.mapping.w_avg.normal_()
    average = generator.network.backbone.mapping.w_avg
    assert torch.allclose(generator.codes(1, truncation=0.0), average.expand(8, -1), atol=1e-6)
    part = generator.codes(1, truncation=0.0, cutoff=3)
    assert torch.allclose(part[:3], average.expand(3, -1), atol=1e-6)
    assert torch.equal(part[3:], generator.codes(1)[3:])


def test_random_noise_is_a_function_of_its_seed() -> None:
    network = small()
    with torch.no_grad():
        network.backbone.synthesis.b32.conv0.noise_strength.fill_(1.0)
    generator = generator_of(network)
    codes, points = generator.codes(0), torch.rand(20, 3) - 0.5
    values = [generator.scene(codes, noise="random", noise_seed=seed).field(points)[0] for seed in (1, 1, 2)]
    assert generator.has_noise
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


def test_zoom_does_not_enter_the_codes() -> None:
    generator = generator_of(small(c_dim=25))
    assert generator.has_conditioning
    assert torch.equal(generator.codes(3), generator.codes(3, conditioning=Conditioning(0.0, 0.0)))
    assert not torch.equal(generator.codes(3), generator.codes(3, conditioning=Conditioning(0.4, 0.0)))


def test_a_scene_is_differentiable_in_its_codes() -> None:
    generator = generator_of(small())
    codes = generator.codes(0).detach().requires_grad_()
    scene = generator.scene(codes)
    density, features = scene.field(torch.rand(256, 3) - 0.5)
    picture = scene.upsampler(features.t().reshape(1, 8, 16, 16))
    (density.mean() + picture.mean()).backward()
    assert codes.grad is not None
    assert (codes.grad.abs().sum(dim=1) > 0).all()


def test_coarse_layers_are_geometry_by_default() -> None:
    config = EG3DConfig()
    assert default_geometry(config) == tuple(range(7))
    assert layer_names(config)[6:8] == ("32x32 conv1", "64x64 conv0")


def test_codes_of_another_shape_are_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3, 24\), expected \(8, 24\)"):
        generator_of(small()).scene(torch.zeros(3, 24))


# The configuration


def test_the_configuration_survives_json() -> None:
    assert EG3DConfig.from_dict(SMALL.to_dict()) == SMALL


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"plane_resolution": 48}, "plane_resolution"),
        ({"plane_resolution": 1 << 20}, "plane_resolution"),
        ({"w_dim": -1}, "w_dim"),
        ({"w_dim": 10.5}, "w_dim"),
        ({"z_dim": True}, "z_dim"),
        ({"superresolution": "16X"}, "superresolution"),
        ({"image_resolution": 100}, "image_resolution"),
        ({"sr_channels": [1, 2, 3]}, "sr_channels"),
        ({"colour": "red"}, "colour"),
        ({"rendering": {"box_warp": float("nan")}}, "box_warp"),
        ({"rendering": {"ray_start": 2.0, "ray_end": 1.0}}, "ray_end"),
        ({"rendering": {"ray_start": "auto", "ray_end": 1.0}}, "auto"),
        ({"rendering": {"avg_camera_pivot": [1]}}, "avg_camera_pivot"),
        ({"rendering": 3}, "rendering"),
    ],
)
def test_a_wrong_setting_is_named(change, named) -> None:
    with pytest.raises(CheckpointError, match=named):
        EG3DConfig.from_dict({**SMALL.to_dict(), **change})
