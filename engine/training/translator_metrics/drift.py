"""Whether a painter that feeds on its own pictures wanders off: colour and contrast along a long drive."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .similarity import MeasureError, Picture, luma

PARTS = 8
"""Into how many stretches a drive is cut."""
_TINY = 1e-6


@dataclass(frozen=True)
class Drift:
    """How a painter's levels move, as fractions: 0.05 is 5 %.

    A street's own levels change from place to place, so everything is divided by those of another picture of the same
    moment: the teacher's, or one that the same weights painted with a memory of a second or so.
    """

    colour: float
    """Against the teacher: the greatest change, of red, green or blue and over all stretches, of the mean level since
    the first stretch. Contains what the painter does better or worse in one place than in another."""
    contrast: float
    """The same of the luma's standard deviation."""
    colour_trend: float
    """Against the teacher: change from the drive's start to its end along the straight line through all stretches, the
    signed one of greatest size."""
    contrast_trend: float
    memory_colour: float
    """Against a young memory: the greatest difference of red, green or blue in any stretch. What a long memory alone
    has changed, free of what differs between places. NaN where it was not painted."""
    memory_contrast: float


@dataclass
class DriftMeter:
    """Collects pictures of a drive beside the teacher's, and beside those painted with a young memory."""

    _painted: list[tuple[float, ...]] = field(default_factory=list)
    _teacher: list[tuple[float, ...]] = field(default_factory=list)
    _old: list[tuple[float, ...]] = field(default_factory=list)
    _young: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, painted: Picture, teacher: Picture) -> None:
        """One moment; both pictures [H, W, 3] show the same."""
        self._painted.append(_levels(painted))
        self._teacher.append(_levels(teacher))

    def compare(self, painted: Picture, young: Picture) -> None:
        """One moment, painted with the drive's whole memory and with one that began lately."""
        self._old.append(_levels(painted))
        self._young.append(_levels(young))

    def result(self) -> Drift:
        """What has moved so far.

        Raises:
            MeasureError: fewer moments than stretches.
        """
        if len(self._painted) < PARTS:
            raise MeasureError(
                f"{len(self._painted)} pictures beside the teacher's are too few to see drift; expected {PARTS} or more"
            )
        ratio = _ratio(self._painted, self._teacher)
        change = np.abs(ratio / np.maximum(ratio[0], _TINY) - 1)
        # The line goes through stretches' middles; a drive is one stretch longer than from the first to the last.
        trend = np.polyfit(np.arange(PARTS), ratio, 1)[0] * PARTS / np.maximum(ratio.mean(0), _TINY)
        memory = np.full(4, np.nan)
        if len(self._old) >= PARTS:
            memory = np.abs(_ratio(self._old, self._young) - 1).max(0)
        return Drift(
            colour=float(change[:, :3].max()),
            contrast=float(change[:, 3].max()),
            colour_trend=float(trend[:3][np.abs(trend[:3]).argmax()]),
            contrast_trend=float(trend[3]),
            memory_colour=float(memory[:3].max()),
            memory_contrast=float(memory[3]),
        )


def _ratio(ours: list[tuple[float, ...]], theirs: list[tuple[float, ...]]) -> NDArray[np.float64]:
    """[PARTS, 4]: mean levels of each stretch, divided."""
    above, below = (
        np.stack([part.mean(0) for part in np.array_split(np.array(rows), PARTS)]) for rows in (ours, theirs)
    )
    return above / np.maximum(below, _TINY)


def _levels(picture: Picture) -> tuple[float, ...]:
    """Mean red, green, blue, and the luma's standard deviation."""
    return (*(float(n) for n in picture.reshape(-1, 3).mean(0)), float(luma(picture).std()))
