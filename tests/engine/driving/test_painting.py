"""Painting a drive: memory where frames follow one another, none where they do not, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neuroview.engine.driving.messages import DriveFrame, Geometry
from neuroview.engine.driving.painting import Painting
from neuroview.models import translators
from neuroview.models.base import ModelCard
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import painter_native
from neuroview.models.frames import FrameError
from neuroview.models.painter import Painter, PainterConfig
from neuroview.models.painter_conditions import PARTS, ConditionLayout

H, W = 32, 48
CONFIG = PainterConfig(ConditionLayout(parts=tuple(PARTS)), width=4, maps=8, past=4)


def painter(seed=0):
    torch.manual_seed(seed)
    return Painter(CONFIG.network(), CONFIG, ModelCard("small", "vid2vid+spade", "A small painter"))


def frame(number=0, cut=False, height=H, width=W, motion=0.5):
    rows = np.arange(height, dtype=np.float32)[:, None]
    labels = np.where(rows + np.zeros(width) < height / 2, 11, 1).astype(np.uint8)
    flat = np.ones((height, width), np.float32)
    geometry = Geometry(
        height=flat, storey=flat * np.nan, bay=flat * np.nan, normals=np.dstack([flat * 0, flat, flat * 0]),
        shadow=flat * 0, ground=np.dstack([flat * number, flat]), sun=(0.0, 0.6, 0.8),
    )  # fmt: skip
    moved = np.full((height, width, 2), motion, np.float32)
    depth = flat * 10
    return DriveFrame(
        number, number / 30, labels, np.zeros((height, width), np.uint16), depth, moved, depth, geometry, cut=cut
    )


@pytest.fixture
def painting():
    return Painting(painter())


def test_a_picture_has_three_planes_in_range(painting):
    picture = painting.paint(frame(), "carla")
    assert picture.shape == (3, H, W)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() < picture.max() <= 1


def test_a_frame_that_follows_is_painted_with_its_past(painting):
    painting.paint(frame(0), "carla")
    with_past = painting.paint(frame(1), "carla")
    assert np.abs(with_past - Painting(painter()).paint(frame(1), "carla")).max() > 1e-3


@pytest.mark.parametrize("why", ["cut", "skipped", "forgotten"])
def test_a_frame_that_does_not_follow_is_painted_as_a_first_one(painting, why):
    painting.paint(frame(0), "carla")
    if why == "forgotten":
        painting.forget()
    picture = painting.paint(frame(1, cut=why == "cut"), "carla", follows=why != "skipped")
    assert np.array_equal(picture, Painting(painter()).paint(frame(1), "carla"))


def test_another_size_starts_anew(painting):
    painting.paint(frame(0), "carla")
    assert painting.paint(frame(1, height=H * 2), "carla").shape == (3, H * 2, W)


def test_motion_that_is_no_number_is_painted_afresh(painting):
    painting.paint(frame(0), "carla")
    picture = painting.paint(frame(1, motion=np.nan), "carla")
    assert np.isfinite(picture).all()


def test_labels_in_another_numbering_give_the_same_picture(painting):
    from neuroview.models.labels import convert

    data = frame()
    in_ids = DriveFrame(**{**vars(data), "labels": convert(data.labels, "carla", "cityscapes_ids")})
    assert np.array_equal(painting.paint(data, "carla"), Painting(painter()).paint(in_ids, "cityscapes_ids"))


def test_read_only_maps_are_painted(painting):
    data = frame()
    data.depth.flags.writeable = False
    assert painting.paint(data, "carla").shape == (3, H, W)


def test_a_frame_of_bare_labels_is_painted(painting):
    data = frame()
    assert painting.paint(DriveFrame(0, 0.0, data.labels, data.instances), "carla").shape == (3, H, W)


def test_a_size_that_the_network_cannot_take_is_refused_with_one_that_it_can(painting):
    with pytest.raises(FrameError, match="50 x 32.*multiples of 16.*48 x 32"):
        painting.paint(frame(width=50), "carla")


def test_unknown_labels_are_refused_and_forgotten(painting):
    painting.paint(frame(0), "carla")
    strange = frame(1)
    strange.labels[0, 0] = 77
    with pytest.raises(FrameError, match="77"):
        painting.paint(strange, "carla")
    assert np.array_equal(painting.paint(frame(2), "carla"), Painting(painter()).paint(frame(2), "carla"))


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Two sizes of 'town' and one 'dusk' in place of what ships."""
    folder = tmp_path / "translators"
    folder.mkdir()
    for name, resolution in (("town", (128, 256)), ("town_512", (256, 512)), ("dusk", (128, 256))):
        made = painter()
        made.resolution = resolution
        painter_native.save(folder / f"{name}.safetensors", made)
    monkeypatch.setattr(translators.resources, "files", lambda _: tmp_path)
    return folder


def test_shipped_translators_are_listed_by_name_and_size(shipped):
    found = [(each.name, each.resolution) for each in translators.shipped_translators()]
    assert found == [("dusk", (128, 256)), ("town", (128, 256)), ("town", (256, 512))]


@pytest.mark.parametrize(
    ("name", "size", "file"),
    [
        ("town", None, "town"),
        ("town", (128, 256), "town"),
        ("town", (160, 320), "town"),
        ("town", (256, 512), "town_512"),
        ("town", (512, 1024), "town_512"),
        ("town_512", (128, 256), "town_512"),
        ("dusk", (256, 512), "dusk"),
    ],
)
def test_a_name_and_a_size_give_the_weights_trained_nearest_to_it(shipped, name, size, file):
    assert translators.resolve(name, size) == shipped / f"{file}.safetensors"


def test_a_name_that_nothing_has_is_refused_with_those_that_there_are(shipped):
    with pytest.raises(CheckpointError, match=r"no translator 'twon'.*dusk, town"):
        Painting.open("twon", 128, 256)


def test_a_path_is_opened_as_it_is(tmp_path):
    painter_native.save(tmp_path / "mine.safetensors", painter())
    assert Painting.open(str(tmp_path / "mine.safetensors"), H, W).title == "A small painter"


def test_it_computes_with_the_threads_it_was_given_and_leaves_torchs_number_as_it_was(monkeypatch):
    painting, before, used = Painting(painter()), torch.get_num_threads(), []
    real = Painter.__call__

    def watched(self, *maps):
        used.append(torch.get_num_threads())
        return real(self, *maps)

    monkeypatch.setattr(Painter, "__call__", watched)
    painting.threads = before + 1
    painting.paint(frame(), "carla")
    assert used == [before + 1]
    assert torch.get_num_threads() == before
