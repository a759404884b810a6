"""Folders of label maps as an engine: which files belong together, what they mean, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from neuroview.engine.driving.messages import Control, DriveFrame
from neuroview.engine.driving.recording import RecordedSequence
from neuroview.engine.driving.simulator import EngineError, RecordingEndedError
from PIL import Image

ROAD, SKY = 1, 11
"""CARLA tags."""


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def labels(number: int = 0, width: int = 8, height: int = 4) -> np.ndarray:
    """Sky over road; `number` columns of the road are car, so that frames can be told apart."""
    made = np.full((height, width), SKY, np.uint8)
    made[height // 2 :] = ROAD
    made[-1, :number] = 14
    return made


def numbered(folder: Path, numbers: range | list[int]) -> Path:
    for number in numbers:
        save(folder / f"{number:06d}.png", labels(number % 8))
    return folder


def play(folder: Path, **options: object) -> RecordedSequence:
    options = {"width": 8, "height": 4, **options}
    return RecordedSequence(str(folder), **options)  # type: ignore[arg-type]


def cars(frame: DriveFrame) -> int:
    return int((frame.labels == 14).sum())


def test_frames_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (9, 10, 8, 11):
        save(tmp_path / f"frame{number}.png", labels(number - 8))
    recording = play(tmp_path)
    assert [cars(recording.step(Control())) for _ in range(4)] == [0, 1, 2, 3]


def test_the_end_is_said(tmp_path: Path) -> None:
    recording = play(numbered(tmp_path, range(2)))
    recording.step(Control())
    recording.step(Control())
    with pytest.raises(RecordingEndedError, match="ended after 2 frames"):
        recording.step(Control())


def test_a_loop_begins_again_with_a_cut(tmp_path: Path) -> None:
    recording = play(numbered(tmp_path, range(2)), loop=True)
    frames = [recording.step(Control()) for _ in range(4)]
    assert [cars(frame) for frame in frames] == [0, 1, 0, 1]
    assert [frame.cut for frame in frames] == [True, False, True, False]
    assert [frame.number for frame in frames] == [1, 2, 3, 4]


def test_a_frame_that_nobody_has_time_for_is_left_out(tmp_path: Path) -> None:
    recording = play(numbered(tmp_path, range(4)))
    recording.advance(Control())
    recording.advance(Control())
    assert cars(recording.step(Control())) == 2


def test_cityscapes_names_are_understood(tmp_path: Path) -> None:
    for snippet in (0, 5):  # not consecutive: each is a scene of its own
        name = f"ulm_{snippet:06d}_000019_gtFine"
        save(tmp_path / f"{name}_labelIds.png", np.full((4, 8), 26, np.uint8))
        save(tmp_path / f"{name}_instanceIds.png", np.full((4, 8), 26003, np.uint16))
        save(tmp_path / f"{name}_color.png", np.zeros((4, 8, 3), np.uint8))
    recording = play(tmp_path)
    assert recording.info.label_set == "cityscapes_ids"
    frame = recording.step(Control())
    assert (frame.labels == 26).all()
    assert (frame.instances == 26003).all()
    recording.step(Control())
    with pytest.raises(RecordingEndedError):
        recording.step(Control())


def test_train_ids_are_known_by_their_names(tmp_path: Path) -> None:
    save(tmp_path / "a_000001_gtFine_labelTrainIds.png", np.full((4, 8), 255, np.uint8))
    assert play(tmp_path).info.label_set == "cityscapes_train_ids"


@pytest.mark.parametrize(
    ("folder", "instances"),
    [("labels", "instances"), ("test_A", "test_inst"), ("train_label", "train_inst"), ("walk", "walk_instances")],
)
def test_instances_are_found_in_the_folder_beside(tmp_path: Path, folder: str, instances: str) -> None:
    numbered(tmp_path / folder, range(2))
    for number in range(2):
        save(tmp_path / instances / f"{number:06d}.png", np.full((4, 8), 40_000 + number, np.uint16))
    frame = play(tmp_path / folder).step(Control())
    assert frame.instances.dtype == np.uint16
    assert (frame.instances == 40_000).all()


def test_a_folder_that_holds_labels_and_instances_is_understood(tmp_path: Path) -> None:
    numbered(tmp_path / "labels", range(1))
    save(tmp_path / "instances" / "000000.png", np.full((4, 8), 7, np.uint8))
    assert (play(tmp_path).step(Control()).instances == 7).all()


def test_carlas_raw_instance_camera_is_understood(tmp_path: Path) -> None:
    raw = np.zeros((4, 8, 4), np.uint8)
    raw[..., 0], raw[..., 1], raw[..., 2], raw[..., 3] = 14, 0x34, 0x12, 255
    save(tmp_path / "1.png", raw)
    frame = play(tmp_path).step(Control())
    assert (frame.labels == 14).all()
    assert (frame.instances == 0x1234).all()


def test_maps_of_another_size_are_sampled_without_inventing_labels(tmp_path: Path) -> None:
    save(tmp_path / "1.png", labels(4, 16, 8))
    frame = play(tmp_path, width=4, height=2).step(Control())
    assert frame.labels.tolist() == [[SKY] * 4, [ROAD] * 4]
    assert set(np.unique(play(tmp_path, width=31, height=17).step(Control()).labels)) == {ROAD, SKY, 14}


def test_every_other_frame_is_a_sequence_too(tmp_path: Path) -> None:
    assert "3 frames" in play(numbered(tmp_path, [10, 12, 14])).info.title


def test_a_hole_in_the_numbering_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"has a hole: after 000002.png comes\s+000005.png"):
        play(numbered(tmp_path, [1, 2, 5, 6]))


def test_a_missing_instance_map_is_refused_by_name(tmp_path: Path) -> None:
    numbered(tmp_path / "labels", range(3))
    for number in (0, 2):
        save(tmp_path / "instances" / f"{number:06d}.png", np.zeros((4, 8), np.uint16))
    with pytest.raises(EngineError, match=r"instances.000001.png is missing, while 2 other"):
        play(tmp_path)


def test_a_frame_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    numbered(tmp_path, range(2))
    save(tmp_path / "000001.png", labels(0, 10, 4))
    recording = play(tmp_path)
    recording.step(Control())
    with pytest.raises(EngineError, match="000001.png is 10 x 4, those before it 8 x 4"):
        recording.step(Control())


def test_an_instance_map_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    numbered(tmp_path / "labels", range(1))
    save(tmp_path / "instances" / "000000.png", np.zeros((2, 2), np.uint16))
    with pytest.raises(EngineError, match=r"instances.000000.png is 2 x 2"):
        play(tmp_path).step(Control())


def test_unknown_tags_are_refused_by_name_and_number(tmp_path: Path) -> None:
    save(tmp_path / "000007.png", np.full((4, 8), 77, np.uint8))
    with pytest.raises(EngineError, match=r"000007.png holds 77, which CARLA tags"):
        play(tmp_path).step(Control())


def test_a_file_that_cannot_be_read_is_named_and_played_once_it_is_repaired(tmp_path: Path) -> None:
    numbered(tmp_path, range(3))
    broken = tmp_path / "000001.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40])
    recording = play(tmp_path)
    recording.step(Control())
    with pytest.raises(EngineError, match="000001.png cannot be read as a PNG"):
        recording.step(Control())
    broken.write_bytes(whole)
    frame = recording.step(Control())
    assert (cars(frame), frame.number) == (1, 2)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_maps_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="there is no folder|holds no PNG"):
        play(tmp_path / name)


def test_a_picture_of_real_numbers_is_no_label_map(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 8), bool)).save(tmp_path / "1.png")
    with pytest.raises(EngineError, match="1.png is a picture of bool"):
        play(tmp_path).step(Control())


def test_a_recording_goes_on_where_it_was(tmp_path: Path) -> None:
    first = play(numbered(tmp_path, range(4)))
    first.step(Control())
    first.step(Control())
    second = play(tmp_path)
    second.restore(first.state())
    frame = second.step(Control())
    assert (cars(frame), frame.number, frame.cut) == (2, 3, True)


@pytest.mark.parametrize("state", [{}, {"next": 9, "number": 9}, {"next": "2", "number": 2}])
def test_a_place_that_the_recording_does_not_have_is_refused(tmp_path: Path, state: dict) -> None:
    with pytest.raises(EngineError, match="is no place in a recording of 2 frames"):
        play(numbered(tmp_path, range(2))).restore(state)
