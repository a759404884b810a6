"""GRAF: the official layers read as they are written, folded without loss, and cameras found beside the file."""

from __future__ import annotations

import math
from collections import OrderedDict

import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.state import Camera
from neuroview.models.base import Configurable, Generator
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import graf_checkpoint, nerf_yenchenlin
from neuroview.models.graf_setting import DATA_SETS, setting_of
from torch import nn


class Independent(nn.Module):
    """The same network written down again, without folding: codes are appended to every point."""

    def __init__(self, shape=12, appearance=12, width=16, depth=8, directions=True):
        super().__init__()
        self.sizes = (shape, appearance, directions)
        inputs, seen = 63 + shape, appearance + 27 * directions
        self.pts_linears = nn.ModuleList(
            nn.Linear({0: inputs, 5: width + inputs}.get(layer, width), width) for layer in range(depth)
        )
        self.views_linears = nn.ModuleList([nn.Linear(width + seen, width // 2)])
        self.feature_linear = nn.Linear(width, width)
        self.alpha_linear = nn.Linear(width, 1)
        self.rgb_linear = nn.Linear(width // 2, 3)

    def forward(self, points, views, shape, appearance):
        def waves(x, octaves):
            parts = [x]
            for k in range(octaves):
                parts += [torch.sin(2**k * x), torch.cos(2**k * x)]
            return torch.cat(parts, -1)

        beside = torch.cat([waves(points, 10), shape.expand(len(points), -1)], -1)
        h = beside
        for layer, linear in enumerate(self.pts_linears):
            h = torch.relu(linear(torch.cat([beside, h], -1) if layer == 5 else h))
        seen = [self.feature_linear(h)]
        if self.sizes[2]:
            seen.append(waves(views, 4))
        seen.append(appearance.expand(len(points), -1))
        colour = self.rgb_linear(torch.relu(self.views_linears[0](torch.cat(seen, -1))))
        return self.alpha_linear(h)[:, 0], torch.sigmoid(colour)


@pytest.fixture
def write(tmp_path):
    def writes(network, name="model.pt", legacy=False, **more):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = OrderedDict((key, value + 1) for key, value in network.state_dict().items())
        content = {
            "it": 7,
            "fid_best": 12.5,
            "discriminator": OrderedDict(w=torch.zeros(3)),
            "g_optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
            "generator": raw,
            "generator_test": network.state_dict(),
            **more,
        }
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        return path

    return writes


def network(**sizes):
    torch.manual_seed(0)
    return Independent(**sizes)


@pytest.mark.parametrize("sizes", [{}, {"appearance": 5}, {"directions": False}])
@pytest.mark.parametrize("legacy", [False, True])
def test_the_folded_field_is_the_network_with_its_codes_appended(write, sizes, legacy):
    theirs = network(**sizes)
    ours = open_generator(str(write(theirs, legacy=legacy)))
    assert isinstance(ours, Generator)
    codes = ours.codes(3)
    points, views = torch.randn(50, 3), torch.nn.functional.normalize(torch.randn(50, 3), dim=-1)
    shape, appearance, _ = theirs.sizes
    with torch.no_grad():
        raw, rgb = theirs(points, views, codes[0, :shape], codes[1, :appearance])
        found_raw, found_rgb = ours.scene(codes).field(points, views)
    assert (found_raw - raw).abs().max() < 1e-4
    assert (found_rgb - rgb).abs().max() < 1e-5


def test_the_moving_average_is_shown_not_the_last_weights(write):
    theirs = network()
    ours = graf_checkpoint.open_generator(write(theirs))
    torch.testing.assert_close(ours.network.rgb_linear.bias, theirs.rgb_linear.bias)


def test_geometry_comes_from_the_shape_code_alone(write):
    ours = graf_checkpoint.open_generator(write(network()))
    a, b = ours.codes(1), ours.codes(2)
    mixed = torch.stack([a[0], b[1]])
    points, views = torch.randn(20, 3), torch.nn.functional.normalize(torch.randn(20, 3), dim=-1)
    one, two = ours.scene(a).field(points, views), ours.scene(mixed).field(points, views)
    torch.testing.assert_close(one[0], two[0])
    assert not torch.allclose(one[1], two[1])


def test_truncation_scales_the_codes(write):
    ours = graf_checkpoint.open_generator(write(network()))
    torch.testing.assert_close(ours.codes(1, truncation=0.5), 0.5 * ours.codes(1))
    torch.testing.assert_close(ours.codes(1, truncation=0.0, cutoff=1)[1], ours.codes(1)[1])
    assert ours.codes(1, truncation=0.0).abs().max() == 0


def test_a_picture_is_the_integral_over_its_rays(write):
    """Against NeRF's quadrature written down again for one pixel."""
    theirs = network()
    ours = graf_checkpoint.open_generator(write(theirs))
    codes = ours.codes(0)
    scene = ours.scene(codes)
    camera = ours.camera
    view = Camera(yaw=camera.yaw, pitch=camera.pitch, radius=camera.radius, fov=camera.fov)
    pose, lens = (torch.from_numpy(m).float() for m in camera_matrices(view, camera))
    with torch.no_grad():
        found = render_exact(scene, pose, lens, resolution=8).features[:, 2, 5]
        direction = pose[:3, :3] @ torch.tensor([(5 / 8 - 0.5) / lens[0, 0], (2 / 8 - 0.5) / lens[1, 1], 1.0])
        t = torch.linspace(7.5, 12.5, 64)
        unit = (direction / direction.norm()).expand(64, 3)
        raw, rgb = theirs(pose[:3, 3] + t[:, None] * direction, unit, codes[0, :12], codes[1, :12])
        steps = torch.cat([t.diff(), torch.tensor([1e10])]) * direction.norm()
        alpha = 1 - torch.exp(-raw.relu() * steps)
        weights = alpha * torch.cat([torch.ones(1), (1 - alpha).cumprod(0)[:-1]])
        wanted = weights @ rgb + 1 - weights.sum()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "fov", "size", "white"),
    [
        ("carla_128.pt", 30, 128, True),
        ("celebA_64.pt", 10, 64, False),
        ("celebA_hq_256.pt", 10, 256, False),
        ("results/cats_64/chkpts/model.pt", 10, 64, False),
        ("runs-512/carla_128.pt", 30, 128, True),
        ("runs-512/256/cats_64.pt", 10, 64, False),
        ("64/carla.pt", 30, 128, True),
    ],
)
def test_the_camera_is_guessed_from_the_published_names(write, name, fov, size, white):
    ours = graf_checkpoint.open_generator(write(network(), name))
    assert math.degrees(ours.camera.fov) == pytest.approx(fov)
    assert ours.setting.resolution == size
    assert ours.setting.volume.white_background is white


def test_a_configuration_beside_the_file_outranks_its_name(write):
    path = write(network(), "carla/chkpts/model.pt")
    text = "z_dist: {dim: 256}\ndata: {type: mine, fov: 20, radius: '9.5,10.5', near: 7.5, far: 12.5, imsize: 32}\n"
    (path.parent.parent / "config.yaml").write_text(text)
    ours = graf_checkpoint.open_generator(path)
    assert ours.setting.name == "mine"
    assert math.degrees(ours.camera.fov) == pytest.approx(20)
    assert (ours.setting.volume.near, ours.setting.volume.far) == (7.0, 12.0)  # moved with the mean radius


def test_impossible_values_beside_the_file_are_named(write):
    path = write(network())
    (path.parent / "config.yaml").write_text("z_dist: {}\ndata: {fov: wide}\n")
    with pytest.raises(CheckpointError, match="fov is 'wide'"):
        graf_checkpoint.open_generator(path)


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_official_data_set_has_a_camera_inside_its_ranges(name):
    camera = setting_of({"data": DATA_SETS[name]}).camera
    assert camera.yaw_range[0] <= camera.yaw <= camera.yaw_range[1]
    assert camera.pitch_range[0] <= camera.pitch <= camera.pitch_range[1]


def test_another_data_set_can_be_chosen(write):
    ours = graf_checkpoint.open_generator(write(network(), "carla_128.pt"))
    assert isinstance(ours, Configurable)
    cats = ours.configure({"preset": "cats"})
    assert math.degrees(cats.camera.fov) == pytest.approx(10)
    assert cats.card.configuration["camera of"] == "cats"
    assert cats.configure({}).setting == ours.setting
    with pytest.raises(CheckpointError, match="expected preset = carla"):
        ours.configure({"preset": "dogs"})


def test_a_nerf_of_one_scene_is_not_taken_for_a_generator(write, tmp_path):
    path = tmp_path / "scene.tar"
    torch.save({"global_step": 1, "network_fn_state_dict": network().state_dict()}, path)
    assert not graf_checkpoint.sniff(path)
    assert not nerf_yenchenlin.sniff(write(network()))


def test_a_missing_or_misshapen_tensor_is_named(write):
    theirs = network()
    state = theirs.state_dict()
    del state["alpha_linear.bias"]
    with pytest.raises(CheckpointError, match=r"alpha_linear\.bias.*missing"):
        graf_checkpoint.open_generator(write(theirs, generator_test=state))
    state = {**theirs.state_dict(), "rgb_linear.weight": torch.zeros(3, 7)}
    with pytest.raises(CheckpointError, match=r"rgb_linear\.weight.*\(3, 7\), expected \(3, 8\)"):
        graf_checkpoint.open_generator(write(theirs, generator_test=state))
