"""What a dropped path is to a drive."""

from __future__ import annotations

import os

import pytest
from drive_fakes import FakeLoop
from neuroview.engine.state import Drive, ViewState
from neuroview.engine.store import Store
from neuroview.viewer.actions import Actions
from neuroview.viewer.driving.files import kind_of, recordings
from PIL import Image


@pytest.fixture
def actions(tmp_path):
    return Actions(Store(ViewState()), FakeLoop(), screenshots=tmp_path, on_quit=lambda: None)  # type: ignore[arg-type]


def labels(folder):
    folder.mkdir()
    Image.new("L", (8, 4)).save(folder / "0001.png")
    return folder


def test_kinds_are_told_apart(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "drive.jsonl").write_text("{}\n")
    (tmp_path / "noise.pth").write_bytes(b"\x00" * 4096)
    assert kind_of(labels(tmp_path / "labels")) == "labels"
    assert kind_of(tmp_path / "drive.jsonl") == "recording"
    assert kind_of(tmp_path / "empty") is None
    assert kind_of(tmp_path / "noise.pth") is None
    assert kind_of(tmp_path / "nothing.pth") is None
    assert kind_of(tmp_path / "heads") is None


def test_an_official_painters_checkpoint_is_recognised_by_its_content(oracles):
    for path in (oracles / "spade", oracles / "vid2vid"):
        found = list(path.rglob("*net_G*.pth"))
        assert found, f"no official generator in {path}"
        assert kind_of(found[0]) == "translator"


def test_recordings_are_listed_newest_first(tmp_path):
    for age, name in ((30, "old"), (10, "new"), (20, "middle")):
        path = tmp_path / f"{name}.jsonl"
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    (tmp_path / "shot.png").touch()
    assert [path.stem for path in recordings(tmp_path)] == ["new", "middle", "old"]
    assert recordings(tmp_path / "nowhere") == ()


def test_a_dropped_recording_is_replayed(actions, tmp_path):
    path = tmp_path / "drive_7_0001.jsonl"
    path.write_text("{}\n")
    actions.open_path(str(path))
    assert actions.loop.asked == [("replay", path)]
    assert actions.store.state.drive is not None


def test_a_dropped_folder_of_label_maps_is_played(actions, tmp_path):
    folder = labels(tmp_path / "labels")
    actions.open_path(str(folder))
    assert actions.store.state.drive == Drive(engine=str(folder))


def test_a_generator_dropped_on_a_drive_leaves_it(actions):
    actions.drive.start()
    actions.open_path("heads")
    assert actions.loop.asked == [("open", "heads")]
    assert actions.store.state.drive is None


def test_a_screenshot_before_the_first_picture_of_a_drive_says_so(actions):
    actions.drive.start()
    assert actions.screenshot().cancelled()
    assert "no picture of the drive yet" in actions.loop.told[-1]
