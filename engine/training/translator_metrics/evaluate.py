"""Measures a translator on clips of a town: each way of painting beside the teacher, and a long drive for drift."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ....models.base import LabelSet, Translator
from ....models.labels import convert, paint
from ...driving.messages import DriveFrame, Viewpoint
from ...driving.painting import Painting
from ...driving.simulator import Simulator
from .drift import Drift, DriftMeter
from .footage import Clip, drive, shoot
from .frechet import frechet_distance
from .rollout import METHODS, Brush, Method, frame_validity
from .segmenter import Confusion, Reading, Segmenter, grouped, read
from .similarity import MeasureError, Picture, psnr, sharpness, ssim
from .temporal import warping_error

READ_EVERY = 4
"""Frames from one that is segmented to the next: neighbours say nearly the same."""
YOUNG_EVERY = 48
"""Frames from one comparison with a young memory to the next; it is half as old as that."""
STRIP = 8
"""Consecutive frames on a contact sheet."""
Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Scores:
    """What one way of painting reached; means over all frames but each clip's first, which has no past."""

    psnr: float
    """dB, of the teacher's photo."""
    ssim: float
    sharpness: float
    """Ratio to the teacher's."""
    warping_error: float
    """Levels of 255."""
    warping_ratio: float
    """Warping error divided by the teacher's own."""
    miou: float
    """Of the segmenter on these pictures, against the true labels."""
    accuracy: float
    """Part of the pixels that the segmenter read right."""
    frechet: float
    """To the teacher's photos; see `frechet.NAME`."""


@dataclass(frozen=True)
class Evaluation:
    """All figures of one run."""

    scores: dict[str, Scores]
    """By way of painting; 'teacher' last."""
    ious: dict[str, dict[str, float]]
    """By way of painting, each class's intersection over union."""
    clips: tuple[dict[str, float | str], ...]
    """Of each clip, the viewpoint and what 'recurrent' reached."""
    frechet_floor: float
    """The teacher's Frechet distance from one half of the places to the other: what differing content alone makes."""
    drift: Drift | None = None
    drift_frames: int = 0


@dataclass(frozen=True)
class Sheet:
    """Pictures for eyes: rows of labels, painted, teacher."""

    consecutive: tuple[tuple[Picture, Picture, Picture], ...]
    places: tuple[tuple[Picture, Picture, Picture], ...]


@dataclass
class _Tally:
    """One way of painting's figures, frame by frame."""

    values: dict[str, list[float]] = field(default_factory=dict)
    clip: list[int] = field(default_factory=list)
    confusion: Confusion = field(default_factory=Confusion)
    features: list[NDArray[np.float32]] = field(default_factory=list)

    def note(self, clip: int, **values: float) -> None:
        self.clip.append(clip)
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def mean(self, name: str, clip: int | None = None) -> float:
        chosen = [v for v, c in zip(self.values[name], self.clip, strict=True) if clip in (None, c)]
        return float(np.nanmean(chosen)) if not all(math.isnan(v) for v in chosen) else math.nan

    def read(self, truth: NDArray[np.uint8], reading: Reading) -> None:
        self.confusion.add(truth, reading.groups)
        self.features.append(reading.features)


class Evaluator:
    """Paints clips in every way and keeps the figures.

    Args:
        translator: what is measured, on `device`.
        segmenter: reads the pictures.
        source: the numbering of the engine's labels.
        device: where the translator is; everything else happens on the CPU.
    """

    def __init__(self, translator: Translator, segmenter: Segmenter, source: LabelSet, device: str = "cpu") -> None:
        methods: tuple[Method, ...] = tuple(METHODS) if translator.has_memory else ("frame by frame",)
        # Each way has a memory of its own; the weights are shared.
        self._brushes = {method: Brush(Painting(translator, device), source, method) for method in methods}
        self._tallies = {name: _Tally() for name in (*methods, "teacher")}
        self._segmenter, self._main = segmenter, methods[0]
        self._source: LabelSet = source
        self._viewpoints: list[Viewpoint] = []
        self._strip: list[tuple[Picture, Picture, Picture]] = []
        self._places: list[tuple[Picture, Picture, Picture]] = []

    def add(self, frames: Iterable[DriveFrame], viewpoint: Viewpoint, tick: Callable[[], None] = lambda: None) -> None:
        """Measures one clip. Every frame needs its photo."""
        clip = len(self._viewpoints)
        self._viewpoints.append(viewpoint)
        for brush in self._brushes.values():
            brush.restart()
        last: tuple[DriveFrame, dict[str, Picture]] | None = None
        for number, frame in enumerate(frames):
            last = frame, self._measure(clip, number, frame, last)
            tick()

    def _measure(
        self, clip: int, number: int, frame: DriveFrame, last: tuple[DriveFrame, dict[str, Picture]] | None
    ) -> dict[str, Picture]:
        if frame.photo is None:
            raise MeasureError(f"frame {frame.number} has no photo to compare with")
        # The picture of a first frame may not be warped, whatever its motion says: that is of a frame not painted.
        given = frame if last is not None else dataclasses.replace(frame, cut=True)
        pictures: dict[str, Picture] = {method: brush.paint(given) for method, brush in self._brushes.items()}
        pictures["teacher"] = frame.photo
        if last is not None:
            motion = None if frame.motion is None else torch.from_numpy(np.array(frame.motion))
            valid, sharp = frame_validity(frame, last[0]), sharpness(frame.photo)
            for name, picture in pictures.items():
                error = (
                    math.nan if motion is None or frame.cut else warping_error(picture, last[1][name], motion, valid)
                )
                self._tallies[name].note(
                    clip,
                    psnr=psnr(picture, frame.photo),
                    ssim=ssim(picture, frame.photo),
                    sharpness=sharpness(picture) / max(sharp, 1e-6),
                    warping_error=error,
                )
        if number % READ_EVERY == READ_EVERY - 1:
            truth = grouped(convert(frame.labels, self._source, "carla", unknown="unlabeled"))
            for name, picture in pictures.items():
                self._tallies[name].read(truth, read(self._segmenter, picture))
        row = (paint(frame.labels, self._source), pictures[self._main], frame.photo)
        if clip == 0 and len(self._strip) < STRIP and number >= STRIP:
            self._strip.append(row)
        if number == 2 * STRIP or (number < STRIP and len(self._places) == clip):
            self._places[clip:] = [row]
        return pictures

    def result(self) -> Evaluation:
        """The figures so far.

        Raises:
            MeasureError: fewer than two clips of READ_EVERY frames.
        """
        teacher = self._tallies["teacher"]
        if len(teacher.features) < 2:
            raise MeasureError(f"too few frames to measure; expected 2 clips of {READ_EVERY} frames or more")
        features = {name: np.concatenate(tally.features) for name, tally in self._tallies.items()}
        own = teacher.mean("warping_error")
        scores = {}
        for name, tally in self._tallies.items():
            error = tally.mean("warping_error")
            scores[name] = Scores(
                psnr=tally.mean("psnr"),
                ssim=tally.mean("ssim"),
                sharpness=tally.mean("sharpness"),
                warping_error=error,
                warping_ratio=error / own if own > 0 else math.nan,
                miou=tally.confusion.miou(),
                accuracy=tally.confusion.accuracy(),
                frechet=frechet_distance(features[name], features["teacher"]),
            )
        main, half = self._tallies[self._main], len(teacher.features) // 2
        return Evaluation(
            scores=scores,
            ious={name: tally.confusion.ious() for name, tally in self._tallies.items()},
            clips=tuple(
                {"viewpoint": view, **{name: main.mean(name, clip) for name in main.values}}
                for clip, view in enumerate(self._viewpoints)
            ),
            frechet_floor=frechet_distance(
                np.concatenate(teacher.features[:half]), np.concatenate(teacher.features[half:])
            ),
        )

    def sheet(self) -> Sheet:
        """What to look at."""
        return Sheet(tuple(self._strip), tuple(self._places))


def evaluate(
    translator: Translator,
    simulator: Simulator,
    clips: Sequence[Clip],
    segmenter: Segmenter,
    *,
    device: str = "cpu",
    progress: Progress = lambda what, done, of: None,
) -> tuple[Evaluation, Sheet]:
    """Films all clips with one simulator, paints and measures them.

    Raises:
        MeasureError: too few frames, or an engine without photos.
        FrameError: the translator does not take frames of this size.
        EngineError: the engine is gone.
    """
    total = sum(clip.frames for clip in clips)
    evaluator, done = Evaluator(translator, segmenter, simulator.info.label_set, device), 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress("clips", done, total)

    for clip in clips:
        evaluator.add(shoot(simulator, clip), clip.viewpoint, tick)
    return evaluator.result(), evaluator.sheet()


def measure_drift(
    translator: Translator,
    simulator: Simulator,
    clip: Clip,
    *,
    photo_every: int = 5,
    device: str = "cpu",
    progress: Progress = lambda what, done, of: None,
) -> tuple[Drift, list[tuple[Picture, Picture]]]:
    """Paints one uncut drive; also returns (painted, photo) of about eight moments along it.

    Raises:
        MeasureError: fewer frames than `drift.PARTS` times `photo_every`.
        FrameError, EngineError: as `evaluate`.
    """
    source = simulator.info.label_set
    brush, young, meter = (
        Brush(Painting(translator, device), source),
        Brush(Painting(translator, device), source),
        DriftMeter(),
    )
    kept: list[tuple[Picture, Picture]] = []
    for number, frame in enumerate(drive(simulator, clip, photo_every)):
        picture = brush.paint(frame if number else dataclasses.replace(frame, cut=True))
        # The second brush begins anew half a period before each comparison.
        phase = number % YOUNG_EVERY - YOUNG_EVERY // 2
        if phase >= 0:
            fresh = young.paint(dataclasses.replace(frame, cut=True) if phase == 0 else frame)
            if number % YOUNG_EVERY == YOUNG_EVERY - 1:
                meter.compare(picture, fresh)
        if frame.photo is not None:
            meter.add(picture, frame.photo)
            if number * STRIP >= len(kept) * clip.frames:
                kept.append((picture, frame.photo))
        progress("drift", number + 1, clip.frames)
    return meter.result(), kept
