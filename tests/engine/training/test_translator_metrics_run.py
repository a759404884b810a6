"""A whole evaluation on a scripted engine: what is painted, with which memory, and what is reported."""

from __future__ import annotations

import argparse
import itertools
import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from neuroview.engine.driving.messages import Control, DriveFrame, EngineInfo, Geometry, Vehicle, Weather
from neuroview.engine.training.translator_metrics import command, report
from neuroview.engine.training.translator_metrics.evaluate import (
    READ_EVERY,
    STRIP,
    Evaluator,
    evaluate,
    measure_drift,
)
from neuroview.engine.training.translator_metrics.footage import Clip, shoot
from neuroview.engine.training.translator_metrics.segmenter import (
    GROUPS,
    NOT_JUDGED,
    SIZE,
    Confusion,
    Segmenter,
    grouped,
)
from neuroview.engine.training.translator_metrics.similarity import PERFECT, MeasureError
from neuroview.models.base import ModelCard

HEIGHT, WIDTH = 32, 64


class Panorama:
    """A simulator whose world is a striped wall that slides by, two pixels a step."""

    def __init__(self, has_photo: bool = True) -> None:
        self.info = EngineInfo("town", "Panorama", width=WIDTH, height=HEIGHT, has_photo=has_photo)
        self.told: list[Control] = []
        self.now = self.drawn = 0
        random = np.random.default_rng(0)
        self.wall = cv2.GaussianBlur(random.integers(0, 256, (HEIGHT, 4096, 3), dtype=np.uint8), (0, 0), 2)
        self.tags = np.repeat(random.choice([1, 3, 9, 14], 512), 8).astype(np.uint8)[None].repeat(HEIGHT, 0)

    def advance(self, control: Control) -> None:
        self.told.append(control)
        self.now += 1

    def step(self, control: Control) -> DriveFrame:
        self.advance(control)
        at = (2 * self.now) % 3500
        motion = np.zeros((HEIGHT, WIDTH, 2), np.float32)
        motion[..., 0] = 2 * (self.now - self.drawn)
        self.drawn = self.now
        return DriveFrame(
            self.now,
            self.now / 30,
            self.tags[:, at : at + WIDTH].copy(),
            np.zeros((HEIGHT, WIDTH), np.uint16),
            depth=np.full((HEIGHT, WIDTH), 10, np.float32),
            motion=motion,
            expected_depth=np.full((HEIGHT, WIDTH), 10, np.float32),
            geometry=Geometry(height=np.zeros((HEIGHT, WIDTH), np.float32)),
            vehicle=Vehicle(speed=self.now / 100),
            photo=self.wall[:, at : at + WIDTH].copy() if control.photo else None,
        )

    def close(self) -> None: ...


class Counting:
    """A translator that paints how many frames its memory holds, tens of levels, and notes what it was told."""

    card = ModelCard("counting", "test", "Counting")
    label_set, multiple, resolution, has_memory = "carla", 16, None, True

    def __init__(self) -> None:
        self.known: list[bool] = []

    def __call__(self, labels, instances, motion, memory=None, gbuffer=None):
        age = memory or 0
        self.known.append(gbuffer is not None and gbuffer.height is not None)
        return torch.full((3, *labels.shape), min(age, 20) * 10 / 255), age + 1

    def to(self, device):
        return self

    def prepare(self, kind):
        return self


class Copying(Counting):
    """A painter that has seen the photo: perfect, if memory and motion do not matter."""

    def __init__(self, panorama: Panorama) -> None:
        super().__init__()
        self.panorama = panorama

    def __call__(self, labels, instances, motion, memory=None, gbuffer=None):
        at = (2 * self.panorama.now) % 3500
        return torch.from_numpy(self.panorama.wall[:, at : at + WIDTH].copy()).permute(2, 0, 1) / 255, 1


@pytest.fixture
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter().eval().requires_grad_(False)


def clips(frames: int = 4 * READ_EVERY) -> list[Clip]:
    return [Clip(view, Weather(), frames) for view in ("hood", "chase")]


def test_a_clip_begins_once_the_car_moves_and_every_frame_has_its_photo():
    frames = list(shoot(Panorama(), Clip("hood", Weather(hour=9), 5, every=3), between=1))
    assert [b.number - a.number for a, b in itertools.pairwise(frames)] == [3] * 4
    assert all(frame.photo is not None for frame in frames)
    assert frames[0].vehicle.speed >= 3


def test_the_engine_is_told_viewpoint_and_hour_all_along():
    panorama = Panorama()
    list(shoot(panorama, Clip("top", Weather(hour=9), 2), between=0.1))
    assert {control.viewpoint for control in panorama.told} == {"top"}
    assert {control.weather.hour for control in panorama.told} == {9}


def test_an_engine_without_photos_is_no_teacher():
    with pytest.raises(MeasureError, match="Panorama draws no photos"):
        next(shoot(Panorama(has_photo=False), clips()[0]))


def test_a_painter_that_equals_the_teacher_gets_full_marks(segmenter):
    panorama = Panorama()
    found, _ = evaluate(Copying(panorama), panorama, clips(), segmenter)
    perfect, teacher = found.scores["recurrent"], found.scores["teacher"]
    assert (perfect.psnr, perfect.sharpness, perfect.warping_ratio) == (PERFECT, 1, 1)
    assert perfect.ssim == pytest.approx(1, abs=1e-6)
    assert perfect.frechet == pytest.approx(0, abs=1e-6)
    assert (perfect.miou, perfect.accuracy) == (teacher.miou, teacher.accuracy)


def test_a_wall_that_slides_by_is_steady(segmenter):
    panorama = Panorama()
    found, _ = evaluate(Copying(panorama), panorama, clips(), segmenter)
    assert found.scores["teacher"].warping_error < 0.01


def test_each_way_of_painting_has_its_own_memory(segmenter):
    panorama = Panorama()
    _, sheet = evaluate(Counting(), panorama, clips(), segmenter)
    painted = [int(row[1][0, 0, 0]) for row in sheet.consecutive]
    assert painted == [10 * age for age in range(STRIP, 2 * STRIP)]


def test_only_with_memory_does_a_counting_painter_change_from_frame_to_frame(segmenter):
    found, _ = evaluate(Counting(), Panorama(), clips(), segmenter)
    assert found.scores["recurrent"].warping_error == pytest.approx(10, abs=0.01)
    assert found.scores["frame by frame"].warping_error == 0


def test_bare_labels_come_without_geometry(segmenter):
    counting = Counting()
    evaluate(counting, Panorama(), clips(), segmenter)
    assert counting.known[:6] == [True, True, False, True, True, False]


def test_a_translator_without_memory_is_measured_frame_by_frame_only(segmenter):
    counting = Counting()
    counting.has_memory = False
    found, _ = evaluate(counting, Panorama(), clips(), segmenter)
    assert list(found.scores) == ["frame by frame", "teacher"]


def test_a_single_short_clip_is_too_little(segmenter):
    evaluator = Evaluator(Counting(), segmenter, "carla")
    evaluator.add(shoot(Panorama(), Clip("hood", Weather(), 2)), "hood")
    with pytest.raises(MeasureError, match="too few frames"):
        evaluator.result()


def test_a_long_drive_of_a_perfect_painter_shows_no_drift():
    panorama = Panorama()
    drift, moments = measure_drift(Copying(panorama), panorama, Clip("hood", Weather(), 400))
    assert (drift.colour, drift.contrast, drift.memory_colour) == (0, 0, 0)
    assert len(moments) == STRIP


def test_a_long_drive_of_a_painter_that_brightens_shows_it():
    drift, _ = measure_drift(Counting(), Panorama(), Clip("hood", Weather(), 400), photo_every=1)
    assert drift.colour > 0.05


def test_the_table_has_a_row_for_each_way_and_the_json_no_nan(segmenter):
    found, _ = evaluate(Counting(), Panorama(), clips(), segmenter)
    found = replace(found, scores={**found.scores, "none": replace(found.scores["teacher"], psnr=math.nan)})
    assert report.result_table(found, "title").row_count == len(found.scores)
    read = json.loads(report.as_json(found, {"seed": 7}))
    assert read["seed"] == 7
    assert read["scores"]["none"]["psnr"] is None


def test_contact_sheets_are_written_side_by_side(segmenter, tmp_path):
    _, sheet = evaluate(Counting(), Panorama(), clips(), segmenter)
    written = report.write_pictures(tmp_path / "new", sheet)
    assert [path.name for path in written] == ["consecutive.png", "places.png"]
    shape = cv2.imread(str(written[0])).shape
    assert shape == (STRIP * (HEIGHT + 2) - 2, 3 * (WIDTH + 2) - 2, 3)


def test_the_segmenter_scores_every_class_at_every_pixel(segmenter):
    scores, features = segmenter.read(torch.rand(1, 3, 32, 64))
    assert scores.shape == (1, len(GROUPS), 32, 64)
    assert features.shape[2:] == (2, 4)


def test_tags_that_the_town_does_not_have_are_not_judged():
    labels = np.zeros(SIZE, np.uint8)
    labels[0, :3] = 1, 7, 8
    found = grouped(labels)
    assert [list(GROUPS)[i] for i in found[0, :3]] == ["road", "pole", "pole"]
    assert found[1, 0] == NOT_JUDGED


def test_larger_labels_are_reduced():
    assert grouped(np.full((256, 512), 11, np.uint8)).shape == SIZE


def test_miou_is_the_mean_over_the_classes_that_occur():
    confusion = Confusion()
    # Road: 2 of 3 found, nothing else taken for it: 2/3. Sky: 1 found, 1 taken for it: 1/2.
    sky = list(GROUPS).index("sky")
    confusion.add(np.array([[0, 0, 0, sky, NOT_JUDGED]], np.uint8), np.array([[0, 0, sky, sky, 0]], np.uint8))
    assert confusion.ious() == pytest.approx({"road": 2 / 3, "sky": 1 / 2})
    assert confusion.miou() == pytest.approx(7 / 12)
    assert confusion.accuracy() == 3 / 4


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(["--weights", "town", *arguments])


def test_the_command_line_understands_sizes_and_viewpoints():
    options = parsed("--size", "512x256", "--viewpoints", "hood,top", "--drift", "0")
    assert (options.size, options.viewpoints, options.drift) == ((512, 256), ("hood", "top"), 0)


@pytest.mark.parametrize("wrong", [("--size", "huge"), ("--hour", "nan"), ("--frames", "0"), ("--viewpoints", "moon")])
def test_the_command_line_refuses(wrong, capsys):
    with pytest.raises(SystemExit):
        parsed(*wrong)
    assert wrong[0] in capsys.readouterr().err
