"""What `neuroview train nerf --data` reads, and what it says of what it cannot read."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from nerf_balls import ball_views, with_depth, write_transforms
from neuroview.engine.training.image_folder import DataError
from neuroview.engine.training.nerf_dataset import load
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    write_transforms(tmp_path, ball_views(18, 16))
    return tmp_path


def _changed(folder, change):
    path = folder / "transforms.json"
    contents = json.loads(path.read_text())
    change(contents)
    path.write_text(json.dumps(contents))


def test_cameras_and_pictures_come_back_as_they_were_written(folder):
    views, data = ball_views(18, 16), load(folder)
    assert data.behind == "transparent"
    assert len(data.train) == 15
    assert data.held_out is not None
    assert data.held_out.names == ("000.png", "008.png", "016.png")
    torch.testing.assert_close(data.train.cam2world[0], views.cam2world[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(data.train.intrinsics[0], views.intrinsics[1], atol=1e-6, rtol=0)
    assert torch.equal(data.train.pictures[0], views.pictures[1])


def test_the_cube_lies_around_what_the_cameras_look_at(folder):
    cube = load(folder).cube
    middle = torch.tensor(cube.low) + cube.side / 2
    assert float(middle.abs().max()) < 0.02
    assert 2.0 < cube.side < 3.5
    assert load(folder, room=4).cube.side == pytest.approx(4 * cube.side)


def test_files_of_their_own_say_what_is_held_out(tmp_path):
    views = ball_views(6, 16)
    write_transforms(tmp_path, views.chosen([0, 1, 2, 3]), "transforms_train.json")
    write_transforms(tmp_path, views.chosen([4, 5]), "transforms_test.json")
    data = load(tmp_path)
    assert data.held_out is not None
    assert (data.train.names[0], data.held_out.names) == (
        "000.png",
        ("004.png", "005.png"),
    )


def test_lists_in_the_file_say_what_is_held_out(folder):
    _changed(folder, lambda c: c.update(val_filenames=["./images/003.png"], train_filenames=["001.png", "002.png"]))
    data = load(folder)
    assert data.held_out is not None
    assert data.train.names == ("001.png", "002.png")
    assert data.held_out.names == ("003.png",)


def test_each_frame_may_have_a_lens_of_its_own_in_pixels(folder):
    def change(contents):
        del contents["camera_angle_x"]
        contents.update(w=16, h=16)
        for index, frame in enumerate(contents["frames"]):
            frame.update(fl_x=20.0 + index, fl_y=21.0, cx=8.0, cy=7.0)

    _changed(folder, change)
    lens = load(folder).train.intrinsics[1]  # of frame 2
    assert lens[0, 0] == pytest.approx(22 / 16)
    assert lens[1, 1] == pytest.approx(21 / 16)
    assert lens[1, 2] == pytest.approx(7 / 16)


def test_a_wide_picture_of_unsaid_size_has_square_pixels(tmp_path):
    views = ball_views(2, 16)
    write_transforms(tmp_path, views)
    for name in views.names:
        Image.new("RGB", (32, 16)).save(tmp_path / name)
    lens = load(tmp_path).train.intrinsics[0]
    assert lens[0, 0] * 32 == pytest.approx(float(lens[1, 1] * 16))


def test_masked_pixels_do_not_count(folder):
    mask = np.zeros((16, 16), np.uint8)
    mask[4:] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    _changed(folder, lambda c: c["frames"][1].update(mask_path="mask.png"))
    counted = load(folder).train.counted
    assert counted is not None
    assert not counted[0, :4].any()
    assert counted[0, 4:].all()
    assert counted[1].all()


def test_names_without_an_ending_find_their_pictures(folder):
    _changed(folder, lambda c: [f.update(file_path=f["file_path"].removesuffix(".png")) for f in c["frames"]])
    assert load(folder).train.names[0] == "001.png"


def test_reducing_pictures_leaves_no_fringe_of_what_is_behind(folder):
    data = load(folder, shrink=2)
    edge = data.train.pictures[(data.train.pictures[..., 3] > 20) & (data.train.pictures[..., 3] < 235)]
    assert data.train.size == (8, 8)
    assert len(edge)
    assert int(edge[:, :3].amin()) > 0


def test_pictures_without_coverage_are_taken_for_what_their_borders_say(tmp_path):
    write_transforms(tmp_path, ball_views(4, 16))
    for index in range(4):
        with Image.open(tmp_path / f"{index:03d}.png") as picture:
            flat = Image.new("RGB", picture.size, "white")
            flat.paste(picture, mask=picture.getchannel("A"))
        flat.save(tmp_path / f"{index:03d}.png")
    assert load(tmp_path).behind == "white"
    for index in range(4):
        Image.new("RGB", (16, 16), (90, 120, 60)).save(tmp_path / f"{index:03d}.png")
    assert load(tmp_path).behind == "scene"


def test_an_npz_of_pictures_and_poses_is_read(oracles):
    data = load(oracles / "nerf" / "lego_gt_100x100.npz")
    assert data.held_out is not None
    assert (len(data.train), len(data.held_out)) == (80, 20)
    assert data.behind == "white"
    assert data.train.intrinsics[0, 0, 0] == pytest.approx(1.38889, abs=1e-4)


BROKEN = {
    "has no file_path": lambda c: c["frames"][2].pop("file_path"),
    "neither fl_x nor camera_angle_x": lambda c: c.pop("camera_angle_x"),
    "transform_matrix has shape": lambda c: c["frames"][2].pop("transform_matrix"),
    "names the picture 'lost.png'": lambda c: c["frames"][2].update(file_path="lost.png"),
    "camera of 002.png is no rotation": lambda c: c["frames"][2].update(
        transform_matrix=[[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]
    ),
    "determinant -1": lambda c: c["frames"][2].update(
        transform_matrix=[[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    ),
    "expected [4, 4] finite numbers": lambda c: c["frames"][2]["transform_matrix"][0].__setitem__(0, float("nan")),
    "no list of 1 to": lambda c: c.update(frames=[]),
    "none of train_filenames": lambda c: c.update(train_filenames=["x.png"], val_filenames=["001.png"]),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_file_is_told_in_a_sentence(folder, said):
    _changed(folder, BROKEN[said])
    with pytest.raises(DataError) as caught:
        load(folder)
    assert said in str(caught.value)


def test_a_damaged_picture_is_named(folder):
    (folder / "004.png").write_bytes((folder / "004.png").read_bytes()[:60])
    with pytest.raises(DataError, match="004.png is no readable picture"):
        load(folder)


def test_a_picture_of_another_size_is_named(folder):
    Image.new("RGBA", (20, 16)).save(folder / "004.png")
    with pytest.raises(DataError, match="004.png is 20 x 16, but the first picture is 16 x 16"):
        load(folder)


def test_a_folder_without_cameras_is_told_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"neither transforms\.json nor"):
        load(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "nothing")


def test_an_npz_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8)), poses=np.zeros((3, 4, 4)), focal=5.0)
    with pytest.raises(DataError, match=r"images are \[3, 8, 8\]"):
        load(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "b.npz")


def _write_depth(folder, views, along, factor=1000):
    """Depth pictures of the ball beside its pictures, named in transforms.json."""
    _, height, width = views.depth.shape
    index = torch.arange(height * width)
    for view, name in enumerate(views.names):
        _, directions = views.rays(torch.full_like(index, view), index // width + 0.5, index % width + 0.5)
        values = views.depth[view].reshape(-1)
        values = values * (directions @ views.cam2world[view, :3, 2]) if along == "axis" else values
        stored = (values * factor).round().view(height, width).numpy().astype(np.uint16)
        Image.fromarray(stored).save(folder / f"depth_{name}")
    _changed(folder, lambda c: [f.update(depth_file_path=f"depth_{f['file_path']}") for f in c["frames"]])


@pytest.mark.parametrize("along", ["axis", "ray"])
def test_depth_comes_back_as_distance_along_the_ray(folder, along):
    views = with_depth(ball_views(18, 16))
    _write_depth(folder, views, along)
    _changed(folder, lambda c: c.update({} if along == "axis" else {"depth_along": "ray"}))
    found = load(folder).train.depth
    assert found is not None
    torch.testing.assert_close(found[0], views.depth[1], atol=1e-3, rtol=0)
    assert bool((found[0][views.depth[1] == 0] == 0).all())


def test_depth_has_the_unit_that_the_file_says(folder):
    views = with_depth(ball_views(18, 16))
    _write_depth(folder, views, "ray", factor=4000)
    _changed(folder, lambda c: c.update(depth_along="ray", depth_unit_scale_factor=1 / 4000))
    found = load(folder).train.depth
    assert found is not None
    torch.testing.assert_close(found[0], views.depth[1], atol=2.5e-4, rtol=0)


def test_depth_of_reduced_pictures_belongs_to_the_same_rays(folder):
    views = with_depth(ball_views(18, 16))
    _write_depth(folder, views, "axis")
    data = load(folder, shrink=2)
    assert data.train.depth is not None
    assert data.train.depth.shape == data.train.pictures.shape[:3]
    twin = with_depth(replace(data.train, depth=None)).depth
    both = (data.train.depth > 0) & (twin > 0)
    assert float((data.train.depth - twin)[both].abs().median()) < 0.05  # a quarter of a pixel's side


def test_pictures_without_depth_have_none(folder):
    assert load(folder).train.depth is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"depth_unit_scale_factor": 0}, "expected a factor such as 0.001"),
        ({"depth_along": "z"}, "'axis' or 'ray'"),
    ],
)
def test_depth_of_an_unknown_kind_is_refused(folder, change, told):
    _write_depth(folder, with_depth(ball_views(18, 16)), "ray")
    _changed(folder, lambda c: c.update(change))
    with pytest.raises(DataError, match=told):
        load(folder)


def test_a_depth_picture_that_is_missing_or_of_another_kind_is_named(folder):
    _write_depth(folder, with_depth(ball_views(18, 16)), "ray")
    Image.new("RGB", (16, 16)).save(folder / "depth_004.png")
    with pytest.raises(DataError, match=r"depth_004.png is 16 x 16 of kind RGB; expected depth in 16 bits"):
        load(folder)
    (folder / "depth_004.png").unlink()
    with pytest.raises(DataError, match=r"depth_004.png', which is not beside it"):
        load(folder)
