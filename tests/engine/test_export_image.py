"""A screenshot carries its state, and what carries none says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from neuroview.engine.export.image import ExportError, read_png, save_npz, save_png
from neuroview.engine.export.paths import free_name
from neuroview.engine.model import Model
from neuroview.engine.state import StateError
from neuroview.engine.statefile import read_camera, read_state
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from spheres import SphereGenerator


@pytest.fixture(scope="module")
def model():
    return Model("sphere", SphereGenerator())


def test_a_screenshot_restores_the_same_pixels(model, tmp_path):
    state = replace(model.first_state(), camera=replace(model.first_state().camera, yaw=1 / 3, pivot=(0.1, 0.2, 0.3)))
    path = save_png(tmp_path / "shot.png", model.render(state), "f" * 64)
    restored = read_png(path)
    assert restored.state == state
    assert restored.fingerprint == "f" * 64
    again = model.render(restored.state).pixels[..., :3].numpy()
    assert (np.asarray(Image.open(path)) == again).all()


def test_float_arrays_are_not_clipped_and_keep_their_names(model, tmp_path):
    frame = model.render()
    saved = np.load(save_npz(tmp_path / "frame.npz", frame))
    assert set(saved.files) == {"rgb", "raw", "depth", "alpha"}
    assert saved["rgb"].dtype == np.float32
    assert saved["rgb"].shape == (32, 32, 3)
    assert (saved["rgb"] == frame.rgb.numpy()).all()


def test_a_picture_without_a_state_says_what_is_missing(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    with pytest.raises(ExportError, match="carries no neuroview state"):
        read_png(tmp_path / "plain.png")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 64])
def test_a_damaged_picture_is_refused(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ExportError, match="bad.png"):
        read_png(tmp_path / "bad.png")


def test_a_picture_from_a_newer_version_asks_for_an_update(tmp_path):
    info = PngInfo()
    info.add_itxt("neuroview:state", '{"neuroview": 99}')
    Image.new("RGB", (4, 4)).save(tmp_path / "new.png", pnginfo=info)
    with pytest.raises(StateError, match="Update neuroview"):
        read_state(tmp_path / "new.png")


def test_a_state_saved_as_json_is_read_back(model, tmp_path):
    (tmp_path / "state.json").write_text(model.first_state().to_json())
    assert read_state(tmp_path / "state.json") == (model.first_state(), "")


def test_a_folder_that_cannot_be_written_is_told(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        save_png(tmp_path / "file" / "shot.png", model.render())


def test_a_new_screenshot_never_overwrites_an_old_one(tmp_path):
    first = free_name(tmp_path, "heads_0", ".png")
    first.write_text("")
    assert free_name(tmp_path, "heads_0", ".png") != first


def test_a_camera_file_may_be_nested_or_flat(tmp_path):
    eye = np.eye(4)
    (tmp_path / "a.json").write_text(f'{{"cam2world": {eye.tolist()}, "intrinsics": {np.eye(3).ravel().tolist()}}}')
    cam2world, intrinsics = read_camera(tmp_path / "a.json")
    assert cam2world == tuple(eye.ravel())
    assert len(intrinsics) == 9


@pytest.mark.parametrize(
    "text", ["", "3", "{}", '{"cam2world": [1], "intrinsics": [1]}', '{"cam2world": "x"}', "[" * 9999]
)
def test_a_camera_file_that_holds_none_is_refused(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(StateError, match="c.json"):
        read_camera(tmp_path / "c.json")
