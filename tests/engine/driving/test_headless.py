"""A drive without a window writes every step as a picture, the same each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flat_world import FlatWorlds, H, W
from neuroview.engine.driving.headless import DriveExportError, drive_headless
from neuroview.engine.driving.simulator import EngineError, RecordingEndedError
from neuroview.engine.state import Drive
from neuroview.models.base import ModelCard
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import painter_native
from neuroview.models.painter import Painter, PainterConfig
from PIL import Image

LABELS = Drive(width=W, height=H, view="semantic")


def read(path):
    return np.asarray(Image.open(path))


def test_a_folder_gets_a_picture_for_every_step(tmp_path):
    files = drive_headless(LABELS, 3, tmp_path / "drive", connect=FlatWorlds())
    assert [file.name for file in files] == ["frame_00000.png", "frame_00001.png", "frame_00002.png"]
    assert read(files[0]).shape == (H, W, 3)


def test_a_png_gets_a_sheet_from_the_first_to_the_last(tmp_path):
    photos = Drive(width=W, height=H, view="photo")
    worlds = FlatWorlds()
    (sheet,) = drive_headless(photos, 40, tmp_path / "drive.png", connect=worlds)
    pictures = read(sheet)
    assert pictures.shape == (4 * H, 4 * W, 3)
    assert (pictures[0, 0] == 1).all()
    assert (pictures[-1, -1] == 40).all()
    assert worlds.links[0].closed


def test_a_painted_drive_is_the_same_each_time(tmp_path):
    torch.manual_seed(0)
    config = PainterConfig(width=4, maps=8, past=4)
    weights = tmp_path / "small.safetensors"
    painter_native.save(weights, Painter(config.network(), config, ModelCard("small", "", "A small painter")))
    drive = Drive(width=W, height=H, translator=str(weights))
    once = drive_headless(drive, 3, tmp_path / "once", connect=FlatWorlds())
    again = drive_headless(drive, 3, tmp_path / "again", connect=FlatWorlds())
    assert all((read(a) == read(b)).all() for a, b in zip(once, again, strict=True))
    assert len(np.unique(read(once[-1]))) > 2


@pytest.mark.parametrize("autopilot", [True, False])
def test_the_engine_drives_only_if_it_may(tmp_path, autopilot):
    worlds = FlatWorlds()
    drive_headless(LABELS, 2, tmp_path / "drive", autopilot, connect=worlds)
    assert [control.autopilot for control in worlds.links[0].sent] == [autopilot] * 2


def test_a_sequence_that_ends_early_gives_what_there_was(tmp_path):
    worlds = FlatWorlds()

    def connect(*arguments):
        link = worlds(*arguments)
        send = link.send
        link.send = lambda *control: link.die(RecordingEndedError("over")) if link.world.number == 2 else send(*control)
        return link

    assert len(drive_headless(LABELS, 9, tmp_path / "drive", connect=connect)) == 2


def test_errors_keep_their_words(tmp_path):
    worlds = FlatWorlds()
    worlds.refuse = "no OpenGL here"
    with pytest.raises(EngineError, match="no OpenGL"):
        drive_headless(LABELS, 1, tmp_path / "drive", connect=worlds)
    with pytest.raises(DriveExportError, match="1 or more"):
        drive_headless(LABELS, 0, tmp_path / "drive", connect=FlatWorlds())
    (tmp_path / "file").write_text("")
    with pytest.raises(DriveExportError, match="cannot be written"):
        drive_headless(LABELS, 1, tmp_path / "file", connect=FlatWorlds())
    with pytest.raises(CheckpointError, match="no translator 'nobody'"):
        drive_headless(Drive(translator="nobody"), 1, tmp_path / "drive", connect=FlatWorlds())
