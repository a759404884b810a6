"""Cameras that lie beside a checkpoint become its first view and a list to fly through; NDC is rendered as official."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.state import first_state
from neuroview.models.base import CameraDefaults, Posed, Scene
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import llff, transforms_json
from neuroview.models.formats.cameras import find_cameras, first_view, focus_point
from neuroview.models.nerf import Encoding, NeRFField, NeRFLayout, NeRFNetwork
from neuroview.models.nerf_ndc import NDC, NDCField, frustum_bounds, ndc_volume
from test_nerf_dialects import paper_state, tar

FOV_X = 0.6911112


def opengl_pose(yaw: float, pitch: float = 0.5, radius: float = 4.0) -> np.ndarray:
    """A camera of Blender's kind: z up, looking at the origin, x right, y up, z backward."""
    out = np.array([math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch)])
    right = np.cross([0.0, 0.0, 1.0], out)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = right, np.cross(out, right), out, radius * out
    return matrix


def transforms(path: Path, count: int = 5, **more: object) -> Path:
    frames = [{"file_path": f"./train/r_{i}", "transform_matrix": opengl_pose(0.4 + i).tolist()} for i in range(count)]
    path.write_text(json.dumps({"camera_angle_x": FOV_X, "frames": frames, **more}))
    return path


def poses_bounds(path: Path, count: int = 9) -> Path:
    """Cameras beside each other that look along -z: rows of (down, right, back | position | hwf), near, far."""
    rows = []
    for i in range(count):
        turn = 0.05 * (i - count // 2)
        c, s = math.cos(turn), math.sin(turn)
        right, up, back = np.array([c, 0, -s]), np.array([0.0, 1.0, 0.0]), np.array([s, 0, c])
        position = np.array([0.3 * (i - count // 2), 0.1 * (i % 3 - 1), 0.02 * i]) + 7.0
        matrix = np.stack([-up, right, back, position, np.array([756.0, 1008.0, 815.0])], axis=1)
        rows.append(np.concatenate([matrix.ravel(), [3.0 + 0.1 * i, 20.0]]))
    np.save(path, np.array(rows))
    return path


def test_the_first_frame_of_a_synthetic_scene_is_the_first_view(tmp_path):
    transforms(tmp_path / "transforms_train.json")
    generator = open_generator(str(tar(tmp_path / "1.tar", paper_state())))
    assert isinstance(generator, Posed)
    assert [pose.name for pose in generator.poses] == [f"r_{i}" for i in range(5)]
    cam2world, intrinsics = camera_matrices(first_state("a", generator.camera, None).camera, generator.camera)
    expected = opengl_pose(0.4) @ np.diag([1.0, -1.0, -1.0, 1.0])
    np.testing.assert_allclose(cam2world, expected, atol=1e-6)
    np.testing.assert_allclose(cam2world, generator.poses[0].cam2world, atol=1e-6)
    assert intrinsics[1, 1] == pytest.approx(0.5 / math.tan(FOV_X / 2))
    assert generator.camera.up == "z"
    np.testing.assert_allclose(generator.camera.pivot, (0, 0, 0), atol=1e-6)
    assert generator.camera.radius == pytest.approx(4.0)


def test_the_oracles_pose_and_focal_are_what_transforms_json_would_give(tmp_path, oracles):
    oracle = json.loads((oracles / "nerf" / "oracle.json").read_text())
    text = json.dumps(oracle)
    assert "138.8" in text  # focal of a 100 pixel wide picture
    (pose,) = transforms_json.read(transforms(tmp_path / "transforms.json", count=1))
    assert pose.intrinsics[0][0] * 100 == pytest.approx(138.8889, abs=1e-3)


def test_pixel_lenses_are_normalised_and_may_differ_from_frame_to_frame(tmp_path):
    file = transforms(tmp_path / "transforms.json", 2, fl_x=500, fl_y=510, cx=330, cy=240, w=640, h=480)
    contents = json.loads(file.read_text())
    contents["frames"][1] |= {"fl_x": 250.0}
    file.write_text(json.dumps(contents))
    first, second = transforms_json.read(file)
    expected = ((500 / 640, 0, 330 / 640), (0, 510 / 480, 240 / 480), (0, 0, 1))
    np.testing.assert_allclose(first.intrinsics, expected)
    assert second.intrinsics[0][0] == 250 / 640


def test_nerfstudios_move_and_scale_are_applied(tmp_path):
    applied = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]]
    file = transforms(tmp_path / "transforms.json", 1, applied_transform=applied)
    move = np.array([[0, -1, 0, 0.5], [1, 0, 0, -0.25], [0, 0, 1, 2.0]])
    (tmp_path / "dataparser_transforms.json").write_text(json.dumps({"transform": move.tolist(), "scale": 0.25}))
    (pose,) = transforms_json.read(file, tmp_path / "dataparser_transforms.json")
    original = np.linalg.inv(np.vstack([applied, [0, 0, 0, 1]])) @ opengl_pose(0.4)
    expected = np.vstack([move, [0, 0, 0, 1]]) @ original
    expected[:3, 3] *= 0.25
    np.testing.assert_allclose(pose.cam2world, expected @ np.diag([1, -1, -1, 1]), atol=1e-12)


def test_cameras_above_a_run_folder_are_found(tmp_path):
    (tmp_path / "nerfstudio_models").mkdir()
    transforms(tmp_path / "transforms.json")
    cameras = find_cameras(tmp_path / "nerfstudio_models" / "step-1.ckpt")
    assert cameras is not None
    assert len(cameras.poses) == 5
    assert find_cameras(tmp_path / "elsewhere" / "step-1.ckpt") is None


def test_the_focus_is_where_the_axes_meet():
    rays = np.random.default_rng(0).normal(size=(6, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    target = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(focus_point(target - 3 * rays, rays), target, atol=1e-9)


def test_cameras_that_share_no_focus_keep_the_familys_distance(tmp_path):
    (pose,) = transforms_json.read(transforms(tmp_path / "transforms.json", 1))
    view = first_view([pose], CameraDefaults(radius=2.5, fov=1.0))
    assert view.radius == 2.5


def test_a_forward_facing_capture_is_scaled_and_centred_as_the_published_loaders_do(tmp_path):
    scene = llff.read(poses_bounds(tmp_path / "poses_bounds.npy"))
    assert scene.near == pytest.approx(1 / 0.75)
    assert scene.far == pytest.approx(20 / 3 / 0.75)
    assert (scene.ndc.focal_x, scene.ndc.focal_y) == (pytest.approx(815 / 1008), pytest.approx(815 / 756))
    matrices = np.array([pose.cam2world for pose in scene.poses])
    np.testing.assert_allclose(matrices[:, :3, 3].mean(0), 0, atol=1e-12)
    mean = matrices[:, :3, 2].mean(0)
    np.testing.assert_allclose(mean / np.linalg.norm(mean), [0, 0, -1], atol=1e-12)
    # Cameras are 0.3 apart in the file, and the scale is 1 / (3 * 0.75).
    steps = np.linalg.norm(np.diff(matrices[:, :3, 3], axis=0)[:, [0, 2]], axis=1)
    np.testing.assert_allclose(steps, np.hypot(0.3, 0.02) / (3 * 0.75), atol=1e-9)


def test_a_forward_facing_scene_opens_in_ndc_unless_its_run_said_otherwise(tmp_path):
    poses_bounds(tmp_path / "poses_bounds.npy")
    file = tar(tmp_path / "1.tar", paper_state(1), paper_state(2))
    generator = open_generator(str(file))
    scene = generator.scene(generator.codes(0))
    assert isinstance(scene.field, NDCField)
    assert isinstance(scene.proposal, NDCField)
    assert scene.volume.disparity
    assert len(generator.poses) == 9
    cam2world, _ = camera_matrices(first_state("a", generator.camera, None).camera, generator.camera)
    np.testing.assert_allclose(cam2world[:3, 2:], np.array(generator.poses[0].cam2world)[:3, 2:], atol=1e-6)
    (tmp_path / "args.txt").write_text("no_ndc = True\nlindisp = False\n")
    plain = open_generator(str(file))
    scene = plain.scene(plain.codes(0))
    assert isinstance(scene.field, NeRFField)
    assert scene.volume.near == pytest.approx(0.9 / 0.75)
    assert not scene.volume.disparity


def small_network(seed: int = 0) -> NeRFNetwork:
    torch.manual_seed(seed)
    network = NeRFNetwork(NeRFLayout(24, 3, Encoding(2), Encoding(1), 12, skips=())).requires_grad_(False)
    network.density.weight *= 6.0
    network.density.bias += 1.0
    return network


def official_ndc_picture(network: NeRFNetwork, ndc: NDC, pose: np.ndarray, size: int, samples: int) -> torch.Tensor:
    """Rays moved into NDC as the published code does it, then plain quadrature there: RGB [size, size, 3]."""
    i, j = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="xy")
    in_camera = torch.stack([(i - 0.5) / ndc.focal_x, (j - 0.5) / ndc.focal_y, torch.ones_like(i)], -1).reshape(-1, 3)
    d = in_camera @ torch.from_numpy(pose[:3, :3]).float().T
    views = torch.nn.functional.normalize(d, dim=-1)
    o = torch.from_numpy(pose[:3, 3]).float().expand_as(d)
    o = o + (-(1.0 + o[:, 2]) / d[:, 2])[:, None] * d
    fx, fy = 2 * ndc.focal_x, 2 * ndc.focal_y
    o_ndc = torch.stack([-fx * o[:, 0] / o[:, 2], -fy * o[:, 1] / o[:, 2], 1 + 2 / o[:, 2]], -1)
    d_ndc = torch.stack(
        [-fx * (d[:, 0] / d[:, 2] - o[:, 0] / o[:, 2]), -fy * (d[:, 1] / d[:, 2] - o[:, 1] / o[:, 2]), -2 / o[:, 2]], -1
    )
    t = torch.linspace(0, 1, samples)
    points = o_ndc[:, None] + t[:, None] * d_ndc[:, None]
    raw, logits = network(points.reshape(-1, 3), views[:, None].expand_as(points).reshape(-1, 3))
    delta = torch.cat([t.diff(), torch.tensor([1e10])]) * d_ndc.norm(dim=-1, keepdim=True)
    alpha = 1 - torch.exp(-raw.relu().view(len(d), -1) * delta)
    through = torch.cumprod(torch.cat([torch.ones(len(d), 1), 1 - alpha + 1e-10], -1), -1)[:, :-1]
    weights = alpha * through
    return (weights[..., None] * logits.sigmoid().view(len(d), -1, 3)).sum(1).view(size, size, 3)


@pytest.mark.parametrize("index", [4, 1])
def test_ndc_is_rendered_as_the_published_code_renders_it(tmp_path, index):
    scene = llff.read(poses_bounds(tmp_path / "poses_bounds.npy"))
    network, far, size = small_network(), 400.0, 8
    pose = np.array(scene.poses[index].cam2world)
    if index == 4:
        pose = np.diag([1.0, -1.0, -1.0, 1.0])  # the mean camera itself
    expected = official_ndc_picture(network, scene.ndc, pose, size, 3000)
    bounds = frustum_bounds(scene.ndc, far)
    field = NDCField(NeRFField(network, bounds), scene.ndc, bounds)
    volume = ndc_volume(scene.ndc, far, coarse=3000, fine=0)
    lens = np.array([[scene.ndc.focal_x, 0, 0.5], [0, scene.ndc.focal_y, 0.5], [0, 0, 1]])
    with torch.inference_mode():
        found = render_exact(Scene(field, volume, size, size), pose, lens).features.permute(1, 2, 0)
    difference = (found - expected).abs()
    assert float(difference.mean()) < 2e-3
    assert float(difference.max()) < 1e-2
    assert float(expected.std()) > 0.01  # there is something to see


def test_density_alone_and_trunk_agree_with_the_field_for_rays_from_the_mean_camera():
    ndc, network = NDC(0.8, 1.1), small_network()
    bounds = frustum_bounds(ndc, 10.0)
    field = NDCField(NeRFField(network, bounds), ndc, bounds)
    points = torch.tensor([[0.2, -0.1, -3.0], [-1.0, 0.5, -1.5], [0.0, 0.0, -9.0], [0.0, 0.0, 2.0], [0.1, 0.0, -0.5]])
    directions = torch.nn.functional.normalize(points, dim=-1)
    raw, rgb = field(points, directions)
    torch.testing.assert_close(field.density(points), raw)
    again, hidden = field.trunk(points)
    torch.testing.assert_close(again, raw)
    torch.testing.assert_close(field.colour(hidden, directions), rgb)
    assert bool((raw[3:] < -1000).all())  # behind the near plane there is nothing


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        ("[1]", "holds a list; expected an object"),
        ('{"frames": []}', "no list of 1 to 20000 frames"),
        ('{"camera_angle_x": 0.7, "frames": [3]}', "frame 0 is a int"),
        (
            '{"camera_angle_x": 0.7, "frames": [{"transform_matrix": [[1,2],[3,4]]}]}',
            r"shape \[2, 2\], expected \[4, 4\]",
        ),
        ('{"camera_angle_x": 0.7, "frames": [{"transform_matrix": [[0,0,0,0],[0,0,0,0],[0,0,0,0]]}]}', "singular"),
        ('{"camera_angle_x": 0.7, "frames": [{"transform_matrix": [[NaN,0,0,0],[0,1,0,0],[0,0,1,0]]}]}', "finite"),
        ('{"frames": [{"transform_matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,0]]}]}', "neither fl_x nor camera_angle_x"),
        (
            '{"camera_angle_x": 9, "frames": [{"transform_matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,0]]}]}',
            "radians below 3.1",
        ),
        ('{"fl_x": "a", "frames": [{"transform_matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,0]]}]}', "fl_x is 'a'"),
    ],
)
def test_a_damaged_camera_file_is_named_and_not_passed_over(tmp_path, text, reason):
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(CheckpointError, match=reason):
        open_generator(str(tar(tmp_path / "1.tar", paper_state())))


def test_damaged_poses_bounds_are_named(tmp_path):
    file = tmp_path / "poses_bounds.npy"
    poses_bounds(file)
    whole = file.read_bytes()
    for length in (0, 5, 70, 200, len(whole) - 9):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="poses_bounds.npy"):
            llff.read(file)
    np.save(file, np.zeros((3, 15)))
    with pytest.raises(CheckpointError, match=r"has shape \[3, 15\], expected \[N, 17\]"):
        llff.read(file)
    np.save(file, np.zeros((3, 17)))
    with pytest.raises(CheckpointError, match="not positive"):
        llff.read(file)
    np.save(file, np.array([{"a": 1}] * 17, dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError, match="not a readable array"):
        llff.read(file)
