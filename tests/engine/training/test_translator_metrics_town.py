"""The shipped segmenter on the embedded town itself, on a seed that neither it nor any painter was trained on."""

from __future__ import annotations

import numpy as np
import pytest
from neuroview.engine.driving.messages import Weather
from neuroview.engine.driving.simulator import EngineError
from neuroview.engine.training.translator_metrics.footage import Clip, open_town, shoot
from neuroview.engine.training.translator_metrics.segmenter import (
    GROUPS,
    SIZE,
    WIDTHS,
    Confusion,
    grouped,
    load_segmenter,
    read,
    shipped_weights,
)
from neuroview.models.errors import CheckpointError

SEED = 7


@pytest.fixture(scope="module")
def frames():
    """Six moments of the town, from behind and from within the car."""
    try:
        town = open_town(SEED, SIZE[1], SIZE[0])
    except EngineError as error:
        pytest.skip(f"no OpenGL here: {error}")
    try:
        clips = [Clip(view, Weather(hour=hour), 1) for view, hour in (("hood", 11), ("chase", 11), ("hood", 9))]
        return [frame for clip in clips for frame in shoot(town, clip, between=4)]
    finally:
        town.close()


def test_the_shipped_segmenter_is_small():
    assert shipped_weights().stat().st_size < 700_000


def test_the_segmenter_reads_the_teachers_photos(frames):
    confusion = Confusion()
    for frame in frames:
        confusion.add(grouped(frame.labels), read(load_segmenter(), frame.photo).groups)
    assert confusion.accuracy() > 0.93
    assert confusion.ious()["road"] > 0.9


def test_the_segmenter_misreads_pictures_of_another_place(frames):
    confusion = Confusion()
    confusion.add(grouped(frames[0].labels), read(load_segmenter(), frames[1].photo).groups)
    assert confusion.accuracy() < 0.93


def test_the_segmenter_cannot_read_what_was_not_painted(frames):
    confusion = Confusion()
    confusion.add(grouped(frames[0].labels), read(load_segmenter(), np.full((*SIZE, 3), 127, np.uint8)).groups)
    assert confusion.miou() < 0.2


def test_features_are_one_row_for_each_part_of_a_picture(frames):
    reading = read(load_segmenter(), frames[0].photo)
    assert reading.features.shape == (8, WIDTHS[-1])
    assert reading.groups.shape == SIZE
    assert reading.groups.max() < len(GROUPS)


def test_a_missing_segmenter_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match="train_segmenter"):
        load_segmenter(tmp_path / "none.safetensors")


def test_a_file_that_is_no_segmenter_is_refused(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(CheckpointError, match="no readable safetensors"):
        load_segmenter(path)
