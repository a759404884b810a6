"""`EditProgress`: what an optimiser says after each short piece of work."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .result import EditResult

T = TypeVar("T")


@dataclass(frozen=True)
class EditProgress:
    """One step of an edit; the iterator that yields it can be dropped at any moment, and the scene is as before."""

    step: int
    """Pieces of work done."""
    steps: int
    """Pieces of work in all."""
    loss: float
    """Mean squared distance to what the strokes ask for, so far; nan before anything was compared."""
    seconds_left: float
    result: EditResult | None = None
    """What there is so far, to be shown live and good enough to be kept; None: nothing new since the last one."""
    done: bool = False
    """Whether this is the last step; its `result` is the edit."""
    says: str = ""
    """What is being done, for a progress bar."""


class Pace:
    """Counts steps and foretells how long the rest takes.

    Args:
        steps: pieces of work in all.
    """

    def __init__(self, steps: int) -> None:
        self.step, self.steps, self.loss = 0, steps, float("nan")
        self._start = time.perf_counter()

    def next(self, says: str, result: EditResult | None = None, *, loss: float | None = None) -> EditProgress:
        """One more step done."""
        self.step = min(self.step + 1, self.steps - 1)
        self.loss = self.loss if loss is None else loss
        each = (time.perf_counter() - self._start) / self.step if self.step else 0.0
        return EditProgress(self.step, self.steps, self.loss, each * (self.steps - self.step), result, says=says)

    def through(self, says: str, work: Iterator[T | None]) -> Generator[EditProgress, None, T]:
        """A step for each piece of work that yields None or what there is so far; returns the last that is not None."""
        found: T | None = None
        for made in work:
            found = found if made is None else made
            yield self.next(says)
        assert found is not None
        return found

    def last(self, result: EditResult) -> EditProgress:
        """The end."""
        return EditProgress(self.steps, self.steps, self.loss, 0.0, result, done=True, says="Done")
