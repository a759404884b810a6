"""The showroom: its distance, its pictures, and the data folder that a NeRF is trained on."""

import json
import math

import numpy as np
import pytest
import torch
from neuroview.engine.training import showroom_scene as scene
from neuroview.engine.training.nerf_dataset import load
from neuroview.engine.training.showroom_data import DEPTH_UNIT, write_showroom
from neuroview.engine.training.showroom_render import FOV, even_cameras, field, look_at, render, trace
from neuroview.engine.training.task import TrainingError
from PIL import Image

FRONT = look_at(torch.tensor([0.5]), torch.tensor([0.45]))[0]


@pytest.fixture(scope="module")
def picture():
    return render(FRONT, 48, samples=2)


def test_the_distance_never_promises_more_room_than_there_is():
    torch.manual_seed(0)
    points = (torch.rand(4000, 3) * 2 - 1) * 1.2
    other = points + 0.02 * torch.nn.functional.normalize(torch.randn(4000, 3), dim=-1)
    steepness = (scene.distance(points) - scene.distance(other)).abs() / 0.02
    print(f"steepest {float(steepness.max()):.4f}")
    assert float(steepness.max()) < 1.001


def test_everything_stands_within_the_bounds():
    low, high = (torch.tensor(corner) for corner in scene.BOUNDS)
    torch.manual_seed(0)
    points = low - 0.3 + torch.rand(20000, 3) * (high - low + 0.6)
    outside = ((points < low) | (points > high)).any(-1)
    assert float(scene.distance(points[outside]).min()) > 0


def test_rays_end_on_a_surface():
    directions = torch.nn.functional.normalize(torch.randn(500, 3) * 0.25 - FRONT[:3, 3] / 3.6, dim=-1)
    origins = FRONT[:3, 3].expand_as(directions)
    hit, t = trace(origins, directions)
    assert 100 < int(hit.sum()) < 500
    assert float(scene.distance(origins[hit] + t[hit][:, None] * directions[hit]).abs().max()) < 1e-3


def test_a_picture_has_the_scene_in_its_middle_and_nothing_in_its_corners(picture):
    assert float(picture.alpha[24, 24]) == 1.0
    assert float(picture.alpha[0, 0]) == float(picture.alpha[-1, -1]) == 0.0
    assert 0.25 < float(picture.alpha.mean()) < 0.6
    assert float(picture.rgb.min()) >= 0
    assert float(picture.rgb.max()) <= 1
    assert 2.8 < float(picture.depth[24, 24]) < 4.3
    assert math.isinf(float(picture.depth[0, 0]))


def test_gloss_turns_with_the_view_and_wood_hardly_does():
    towards = torch.nn.functional.normalize(torch.randn(64, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    towards[:, 2] = -towards[:, 2].abs() - 0.2
    towards = torch.nn.functional.normalize(towards, dim=-1)

    def spread(point):
        return float(scene.shade(torch.tensor([point]).expand(64, 3), towards).std(0).mean())

    chrome = spread((0.66, -0.46, scene.FLOOR + 0.34))
    wood = spread((0.25, -0.80, scene.FLOOR))
    print(f"standard deviation over views: chrome {chrome:.3f}, wood {wood:.3f}")
    assert chrome > 4 * wood


def test_the_wire_cube_is_open_and_its_bars_are_thin():
    lid, turn = 0.18 - 0.012, 0.45
    middle = torch.tensor([-0.60, 0.50, -0.23 + lid])
    along = lid * torch.tensor([math.cos(turn), math.sin(turn), 0.0])  # from the lid's middle to a bar's
    steel = [dict(scene.parts(point[None]))["steel"].item() for point in (middle, middle + along)]
    assert steel == [pytest.approx(lid - 0.012, abs=1e-4), pytest.approx(-0.012, abs=1e-4)]


def test_the_field_is_dense_inside_and_empty_outside():
    points = torch.tensor([[0.0, 0.0, 0.32], [0.0, 0.0, 0.9]])
    density, rgb = field(points, torch.tensor([[0.0, 0.0, -1.0]]).expand(2, 3))
    assert float(density[0]) > 100
    assert float(density[1]) < 1e-3
    assert rgb.shape == (2, 3)


def test_cameras_look_at_the_origin_from_the_upper_half():
    cameras = even_cameras(50)
    forward, place = cameras[:, :3, 2], cameras[:, :3, 3]
    assert float((torch.nn.functional.normalize(-place, dim=-1) - forward).abs().max()) < 1e-5
    assert float(place[:, 2].min()) > 0
    rotation = cameras[:, :3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    assert float(torch.linalg.det(rotation).min()) > 0.99


def test_a_data_folder_comes_back_as_what_was_rendered(tmp_path):
    folder = write_showroom(tmp_path / "room", train=3, held_out=1, size=24, samples=1)
    data = load(folder)
    assert data.held_out is not None
    assert (len(data.train), len(data.held_out), data.behind) == (3, 1, "transparent")
    torch.testing.assert_close(data.train.cam2world, even_cameras(3), atol=1e-6, rtol=0)
    assert float(data.train.intrinsics[0, 0, 0]) == pytest.approx(0.5 / math.tan(FOV / 2), rel=1e-6)
    made = render(even_cameras(3)[1], 24, samples=1)
    assert int((data.train.pictures[1][..., 3].float() - 255 * made.alpha).abs().max()) <= 1
    with Image.open(folder / "train" / "001_depth.png") as stored:
        depth = np.array(stored) / DEPTH_UNIT
    seen = made.depth.isfinite().numpy()
    np.testing.assert_allclose(depth[seen], made.depth.numpy()[seen], atol=1e-3)
    assert not depth[~seen].any()


def test_what_was_rendered_before_a_run_was_killed_is_kept(tmp_path):
    write_showroom(tmp_path, train=2, held_out=1, size=8, samples=1)
    (tmp_path / "train" / "001.png").unlink()
    kept = (tmp_path / "train" / "000.png").stat().st_mtime_ns
    told = []
    write_showroom(tmp_path, train=2, held_out=1, size=8, samples=1, told=told.append)
    assert told == ["showroom: train 2 of 2"]
    assert (tmp_path / "train" / "000.png").stat().st_mtime_ns == kept
    assert len(json.loads((tmp_path / "transforms_train.json").read_text())["frames"]) == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        write_showroom(tmp_path / "file", train=1, held_out=1, size=8)
    with pytest.raises(TrainingError, match="expected at least 1 of each"):
        write_showroom(tmp_path, train=0)
