"""StyleNeRF: the official numbers, its sizes, the demonstration's controls, and what a damaged file is told."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering.background import over_background
from neuroview.engine.rendering.exact import render_exact, render_image
from neuroview.engine.rendering.image import Rendered
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.state import Camera, first_state
from neuroview.models.base import Configurable, Generator, ModelCard
from neuroview.models.errors import CheckpointError, NeuroviewError
from neuroview.models.formats import stylenerf_pickle
from neuroview.models.formats.stylenerf_pickle import network_of
from neuroview.models.layers.learned_upsampling import Growth, UpsamplingLayer, double, outer_neighbours
from neuroview.models.stylenerf import StyleNeRFNetwork
from neuroview.models.stylenerf_background import beyond_sphere, frozen_camera, roll_of
from neuroview.models.stylenerf_config import PointMLP, StyleNeRFConfig
from neuroview.models.stylenerf_demo import StyleNeRFOptions
from neuroview.models.stylenerf_generator import StyleNeRFGenerator, background_latent
from neuroview.models.stylenerf_official import config_of_official
from torch.nn import functional as F

CASE = "small_ffhq_r128_pixelshuffle"
SMALL = StyleNeRFConfig(
    z_dim=8,
    w_dim=8,
    mapping_layers=2,
    image_resolution=32,
    volume_resolution=8,
    foreground=PointMLP(coordinates=3, octaves=4, width=16, layers=3, features=8),
    background=PointMLP(coordinates=4, octaves=4, width=8, layers=2, features=8, latent=4, styled=False),
    channels=(8, 8),
)


def small(seed: int = 0, **changes) -> StyleNeRFGenerator:
    torch.manual_seed(seed)
    network = StyleNeRFNetwork(replace(SMALL, **changes)).eval().requires_grad_(False)
    return StyleNeRFGenerator(network, ModelCard("small", "stylenerf", "small"))


@pytest.fixture(scope="module")
def folder(oracles):
    found = oracles / "stylenerf" / CASE
    if not found.is_dir():
        pytest.skip("the StyleNeRF oracle is not beside this checkout")
    return found


@pytest.fixture(scope="module")
def official(folder):
    return stylenerf_pickle.open_generator(folder / "network-snapshot-000000.pkl")


@pytest.fixture(scope="module")
def expected(folder):
    return np.load(folder / "oracle.npz")


def official_matrices(expected, pose):
    cam2world = expected[f"p{pose}_world_mat"][0].copy()
    cam2world[:3, 1:3] *= -1  # OpenGL's axes to OpenCV's
    focal = 0.5 / expected[f"p{pose}_camera_mat"][0][0, 0]
    return torch.from_numpy(cam2world), torch.tensor([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]).float()


@torch.inference_mode()
def picture(generator, codes, expected, pose):
    scene = generator.scene(codes)
    rendered = render_exact(scene, *official_matrices(expected, pose))
    return (render_image(scene, rendered) * 2 - 1).numpy(), (rendered.features[:3] * 2 - 1).numpy()


def errors(found, wanted):
    """Mean error of the raw numbers, which reach 30, and of what a screen shows of them."""
    shown = np.abs(found.clip(-1, 1) - wanted.clip(-1, 1)).mean()
    return float(np.abs(found - wanted).mean()), float(shown)


def test_a_generator_of_styles_is_a_generator():
    assert isinstance(small(), Generator)


def test_codes_are_the_official_ones(official, expected):
    for seed in (1, 9):
        for psi in (0.7, 1.0):
            np.testing.assert_allclose(official.codes(seed, truncation=psi), expected[f"ws_seed{seed}_psi{psi}"][0])


def test_the_background_code_is_the_one_that_the_demonstration_draws_first(official, expected):
    latent = background_latent(official.network.config, "const", 0)
    np.testing.assert_array_equal(latent, expected["bg_z_shape_seed10"][0])
    np.testing.assert_array_equal(latent, background_latent(official.network.config, "random", 10))


def test_the_foreground_is_the_official_function_of_space(official, expected):
    field = official.scene(official.codes(1, truncation=0.7)).field
    raw, features = field(torch.from_numpy(expected["fg_pts"][0]))
    features = torch.cat([features[:, :3] * 2 - 1, features[:, 3:]], dim=1)
    assert np.abs(raw.numpy() - expected["fg_sigma_raw_seed1_psi0.7"][0, :, 0]).mean() < 1e-4
    assert np.abs(features.numpy() - expected["fg_feat_seed1_psi0.7"][0]).mean() < 1e-4


@pytest.mark.parametrize("psi", [0.7, 1.0])
@pytest.mark.parametrize("pose", [0, 1, 2])
def test_pictures_agree_with_the_official_code(official, expected, pose, psi):
    found, _ = picture(official, official.codes(1, truncation=psi), expected, pose)
    raw, shown = errors(found, expected[f"p{pose}_psi{psi}_img"])
    print(f"pose {pose} psi {psi}: mean error {raw:.2g} raw, {shown:.2g} on screen")
    assert raw < 1e-4


def test_the_volume_rendered_image_agrees(official, expected):
    _, found = picture(official, official.codes(1, truncation=0.7), expected, 1)
    assert errors(found, expected["p1_psi0.7_img_nerf32"])[0] < 1e-4


def test_a_frozen_background_and_more_steps_agree(official, expected):
    other = official.with_options(StyleNeRFOptions.parse("freeze_bg,steps:20"))
    found, _ = picture(other, other.codes(1, truncation=0.7), expected, 1)
    assert errors(found, expected["p1_psi0.7_freezebg_steps20_img"])[0] < 1e-4


@pytest.mark.parametrize("ratios", [(1, 0), (0, 1), (0.5, 0.5), (0.25, 0.75)])
def test_mixing_agrees_with_the_demonstration(official, expected, ratios):
    """Its ratio is the share of seed 1, ours of seed B: with A = seed 2 and B = seed 1 they are the same number."""
    seed_a, seed_b = official.demo.seeds
    a, b = (official.codes(seed, truncation=0.7) for seed in (seed_a, seed_b))
    share = torch.tensor([ratios[0] if layer in official.geometry_layers else ratios[1] for layer in range(len(a))])
    found, _ = picture(official, torch.lerp(a, b, share[:, None].float()), expected, 0)
    raw, shown = errors(found, expected[f"mix_geo{ratios[0]}_app{ratios[1]}_psi0.7_p0_img"])
    print(f"mix {ratios}: mean error {raw:.2g} raw, {shown:.2g} on screen")
    # Random weights make fields that jump from sample to sample; a rounding moves a few rays of 1024 by 0.2.
    assert shown < 1e-4
    assert raw < 1e-3


def test_the_first_view_is_the_demonstrations(official, expected):
    camera = official.camera
    view = Camera(yaw=camera.yaw, pitch=camera.pitch, radius=camera.radius, fov=camera.fov)
    cam2world, intrinsics = camera_matrices(view, camera)
    wanted = official_matrices(expected, 0)
    np.testing.assert_allclose(cam2world, wanted[0], atol=1e-6)
    np.testing.assert_allclose(intrinsics, wanted[1], atol=1e-5)


def test_the_sliders_cover_the_demonstrations_ranges():
    generator = small()
    demo = generator.demo
    assert [(s.low, s.high, s.start) for s in (demo.yaw, demo.pitch, demo.roll, demo.fov)] == [
        (-1, 1, 0),
        (-1, 1, 0),
        (-1, 1, 0),
        (9, 15, 12),
    ]
    assert demo.yaw.value(1) - demo.yaw.value(0) == pytest.approx(0.5)
    assert demo.pitch.value(1) == pytest.approx(-0.3)  # the official angle is counted from the upward axis
    assert demo.fov.value(12) == pytest.approx(math.radians(12))
    assert demo.pitch.position(demo.pitch.value(0.25)) == pytest.approx(0.25)
    assert generator.camera.yaw_range == pytest.approx((math.pi / 2 - 0.5, math.pi / 2 + 0.5))


def test_the_published_512_model_has_the_official_shapes(oracles):
    table = oracles / "stylenerf" / "ffhq512_state_dict_shapes.json"
    if not table.is_file():
        pytest.skip("the StyleNeRF oracle is not beside this checkout")
    shapes = json.loads(table.read_text())
    torch.manual_seed(0)
    tensors = {name: torch.rand(shape) * 0.1 for name, (shape, _) in shapes.items()}
    tensors["synthesis.alpha"] = torch.tensor(1.0)
    network = network_of(config_of_official({}, tensors), tensors)
    assert network.config.num_ws == 19
    assert network.config.growth == "nn_cat"
    generator = StyleNeRFGenerator(network, ModelCard("ffhq", "stylenerf", "ffhq"))
    assert generator.codes(0).shape == (19, 512)
    held = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert held == {name: shape for name, (shape, _) in shapes.items() if not name.endswith("resample_filter")}


@pytest.mark.parametrize(("resolution", "codes"), [(256, 17), (512, 19), (1024, 21)])
def test_each_doubling_takes_two_more_codes(resolution, codes):
    blocks = int(math.log2(resolution // 32))
    layout = replace(SMALL.foreground, layers=8)
    config = replace(
        SMALL, image_resolution=resolution, volume_resolution=32, channels=(8,) * blocks, foreground=layout
    )
    assert config.num_ws == codes


def test_the_neighbours_adapter_is_the_plain_formula_run_at_low_resolution():
    torch.manual_seed(0)
    layer = UpsamplingLayer(8, 8, w_dim=4, growth="nn_cat", blur=False, magnitude=False)
    x = torch.randn(1, 8, 5, 5)
    first, second = layer.adapter
    both = torch.cat([double(x), outer_neighbours(x)], dim=1)
    hidden = F.leaky_relu(F.conv2d(both, first.scaled(), first.bias), 0.2) * math.sqrt(2)
    wanted = double(x) + F.conv2d(hidden, second.scaled(), second.bias)
    torch.testing.assert_close(layer.grow(x), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("growth", get_args(Growth))
def test_every_way_of_growing_doubles_the_picture(growth):
    layer = UpsamplingLayer(8, 8, w_dim=4, kernel=3 if growth == "default" else 1, growth=growth)
    grown = layer(torch.randn(1, 8, 6, 5 if growth != "default" else 6), torch.randn(1, 4))
    assert grown.shape[-2:] == (12, 10 if growth != "default" else 12)


def test_pictures_are_differentiable_in_the_codes_and_the_same_with_and_without():
    generator = small()
    codes = generator.codes(2).requires_grad_()
    features = torch.randn(1, 11, 8, 8)
    picture = generator.scene(codes).upsampler(features)
    with torch.no_grad():
        torch.testing.assert_close(generator.scene(codes).upsampler(features), picture)
    picture.sum().backward()
    assert codes.grad[generator.network.config.foreground.codes :].abs().max() > 0


def test_a_quarter_pixel_touches_its_two_outer_neighbours():
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert outer_neighbours(x)[0, 0, 2:4, 2:4].tolist() == [[(3 + 1) / 2, (1 + 5) / 2], [(3 + 7) / 2, (5 + 7) / 2]]
    assert outer_neighbours(x)[0, 0, 0, 0] == 0  # outside of the picture is 0


def test_points_beyond_the_sphere_lie_on_their_ray_at_the_inverse_distance():
    torch.manual_seed(0)
    origin = torch.tensor([0.6, -0.3, 0.5])
    directions = F.normalize(torch.randn(16, 3), dim=-1)
    points = beyond_sphere(origin, directions, torch.tensor([0.5, 0.25, 0.0]))
    where = points[:, :2, :3] / points[:, :2, 3:]  # unit vector / r
    off_axis = torch.linalg.cross(where - origin, directions[:, None].expand(-1, 2, -1), dim=-1)
    assert off_axis.abs().max() < 1e-5
    torch.testing.assert_close(points[:, 2, :3], directions)  # at infinity only the direction counts


def test_a_frozen_background_stands_still_but_for_the_roll():
    generator = small().with_options(StyleNeRFOptions(freeze_background=True))
    background = generator.scene(generator.codes(0)).background
    lens = torch.tensor([[4.0, 0, 0.5], [0, 4.0, 0.5], [0, 0, 1]])
    pixels = torch.rand(7, 2)

    def seen(**view):
        matrix, _ = camera_matrices(Camera(radius=1.0, fov=0.2, **view), generator.camera)
        return background(torch.from_numpy(matrix).float(), lens, pixels)

    still = seen(yaw=1.2, pitch=0.1)
    torch.testing.assert_close(seen(yaw=1.7, pitch=-0.2), still, rtol=1e-3, atol=1e-3)
    assert (seen(yaw=1.2, pitch=0.1, roll=1.0) - still).abs().max() > 1e-2


def test_the_roll_of_a_camera_is_read_off_its_matrix():
    generator = small()
    for roll in (-2.0, 0.0, 0.7):
        matrix, _ = camera_matrices(Camera(yaw=1.1, pitch=0.2, radius=1.0, fov=0.2, roll=roll), generator.camera)
        assert float(roll_of(torch.from_numpy(matrix))) == pytest.approx(roll, abs=1e-6)
    pose, _ = frozen_camera(1.0, 0.2, torch.tensor(0.7), torch.eye(4))
    assert float(roll_of(pose)) == pytest.approx(0.7, abs=1e-5)
    torch.testing.assert_close(pose[:3, :3] @ pose[:3, :3].T, torch.eye(3))


def test_every_renderer_puts_the_same_background_behind_the_field():
    generator = small()
    scene = generator.scene(generator.codes(1))
    matrices = camera_matrices(Camera(yaw=1.5, pitch=0.1, radius=1.0, fov=0.2), generator.camera)
    cam2world, intrinsics = (torch.from_numpy(matrix).float() for matrix in matrices)
    empty = Rendered(torch.zeros(scene.field.features, 8, 8), torch.zeros(8, 8), torch.zeros(8, 8))
    behind = over_background(scene, empty, cam2world, intrinsics).features
    grid = build_occupancy(scene.field, scene.volume)
    alone = replace(scene, background=None)
    for render in (render_exact, lambda scene, *view: render_occupancy(scene, grid, *view, samples=64)):
        front, both = render(alone, cam2world, intrinsics), render(scene, cam2world, intrinsics)
        torch.testing.assert_close(both.features, front.features + (1 - front.alpha) * behind)
        torch.testing.assert_close(both.alpha, front.alpha)


def test_a_scene_of_many_features_is_not_baked():
    """The grid would take gigabytes, and the up-sampler most of the frame all the same."""
    wide = replace(SMALL.foreground, features=80)
    generator = small(foreground=wide, background=replace(SMALL.background, features=80))
    pipeline, state = Pipeline(generator), first_state("x", generator.camera, None)
    assert list(pipeline.bake(state)) == []
    assert pipeline.rungs(state) == ["exact", "occupancy"]
    assert pipeline.frame(state, "baked").rung == "occupancy"


def test_cameras_that_stood_all_around_get_the_whole_circle():
    around = small(yaw_range=(-math.pi, math.pi), polar_range=(1.1, 1.1))
    assert around.camera.yaw_range == pytest.approx((-math.pi / 2, 3 * math.pi / 2))
    low, high = around.camera.pitch_range
    assert low < math.pi / 2 - 1.1 < high
    assert around.demo.yaw.value(1) - around.demo.yaw.value(-1) == pytest.approx(2 * math.pi)


def test_noise_chooses_the_background():
    generator = small()
    codes = generator.codes(3)
    pixels, lens = torch.rand(4, 2), torch.tensor([[4.0, 0, 0.5], [0, 4.0, 0.5], [0, 0, 1]])
    pose, _ = frozen_camera(1.0, 0.2, torch.tensor(0.0), torch.eye(4))

    def seen(noise, seed=0):
        return generator.scene(codes, noise=noise, noise_seed=seed).background(pose, lens, pixels)

    assert generator.has_noise
    assert torch.equal(seen("random", 4), seen("random", 4))
    assert not torch.equal(seen("random", 4), seen("random", 5))
    assert not torch.equal(seen("none"), seen("const"))


def test_a_model_grown_half_way_fades_its_last_block_in():
    config = replace(SMALL, alpha=0.75)
    assert config.levels == (2, 0.5)
    assert replace(SMALL, alpha=0.0).levels == (0, 1.0)
    generator = small(alpha=0.0)
    scene = generator.scene(generator.codes(0))
    assert scene.upsampler is None
    assert scene.image_resolution == 8


@pytest.mark.parametrize("text", ["freeze", "steps:x", "steps:2", "steps:99999999999999"])
def test_an_unknown_rendering_option_is_named(text):
    with pytest.raises(NeuroviewError, match="rendering option"):
        StyleNeRFOptions.parse(text)


def test_the_demonstrations_options_are_choices():
    generator = small()
    assert isinstance(generator, Configurable)
    configured = generator.configure({"background": "frozen", "steps": "40"})
    assert configured.options == StyleNeRFOptions.parse("freeze_bg,steps:40")
    assert configured.configure({}).options == StyleNeRFOptions()
    for wrong in ({"steps": "many"}, {"background": "none"}, {"weather": "fine"}):
        with pytest.raises(CheckpointError):
            generator.configure(wrong)


def test_steps_count_coarse_and_fine_samples():
    generator = small().with_options(StyleNeRFOptions.parse("freeze_bg, steps:40"))
    volume = generator.scene(generator.codes(0)).volume
    assert (volume.coarse, volume.fine) == (40, 40)


def test_a_missing_or_misshapen_tensor_is_named(folder):
    kwargs = json.loads((folder / "init_kwargs.json").read_text())
    held = np.load(folder / "state_dict.npz")
    tensors = {name: torch.from_numpy(held[name]) for name in held.files}
    lacking = {name: tensor for name, tensor in tensors.items() if name != "synthesis.b64.conv1.bias"}
    with pytest.raises(CheckpointError, match=r"synthesis\.b64\.conv1\.bias.*\(64,\).*missing"):
        network_of(config_of_official(kwargs, lacking), lacking)
    bent = {**tensors, "synthesis.b64.torgb.weight": torch.zeros(3, 63, 1, 1)}
    with pytest.raises(CheckpointError, match=r"torgb\.weight.*\(3, 63, 1, 1\), expected \(3, 64, 1, 1\)"):
        network_of(config_of_official(kwargs, bent), bent)


@pytest.mark.parametrize(
    ("group", "change", "named"),
    [
        ("input_kwargs", {"output_mode": "tri_plane_reshape"}, "learned inputs"),
        ("camera_kwargs", {"depth_transform": "LogWarp"}, "LogWarp"),
        ("foreground_kwargs", {"use_sdf": "volsdf"}, "use_sdf"),
    ],
)
def test_an_experimental_variant_is_refused_by_name(folder, group, change, named):
    kwargs = json.loads((folder / "init_kwargs.json").read_text())
    held = np.load(folder / "state_dict.npz")
    synthesis = kwargs["synthesis_kwargs"]
    synthesis[group] = {**synthesis.get(group, {}), **change}
    with pytest.raises(CheckpointError, match=named):
        config_of_official(kwargs, {name: torch.from_numpy(held[name]) for name in held.files})


def test_the_configuration_survives_json():
    assert StyleNeRFConfig.from_dict(json.loads(json.dumps(SMALL.to_dict()))) == SMALL
