"""`Replay`: what is left of a recorded drive, and when its next step is due."""

from __future__ import annotations

from collections.abc import Iterator

from .controllog import RecordedDrive
from .messages import Control


class Replay:
    """One recorded CONTROL a step, the next only when the last one's frame has come.

    Args:
        recorded: the drive; None: there is nothing to replay.
    """

    def __init__(self, recorded: RecordedDrive | None) -> None:
        self.running = recorded is not None
        """Whether the recording drives, and not the driver."""
        self._controls: Iterator[Control] = iter(()) if recorded is None else recorded.controls()
        self._left = 0 if recorded is None else recorded.steps
        self._singles = 0  # steps that were asked for one by one
        self._due = 0.0
        self._waiting = False  # whether a step has not yet come back

    @property
    def over(self) -> bool:
        """Whether no step is left."""
        return not self._left

    def go_on(self) -> None:
        """After a pause: with what is left, or where nothing is, with the driver."""
        self.running &= not self.over

    def step_once(self) -> None:
        """Of a replay that stands still."""
        self._singles += 1

    def came_back(self) -> None:
        """The frame of the last step has come, or its engine will not send it any more."""
        self._waiting = False

    def next(self, now: float, rate: float, paused: bool) -> Control | float | None:
        """The next CONTROL if it is due, and counts as sent with that; else how many seconds there are until one is,
        or None: it is not for time to tell.

        Args:
            now: seconds of any clock that only grows.
            rate: steps a second.
            paused: whether only steps asked for one by one are due.
        """
        asked = not paused or self._singles > 0
        if not self.running or self._waiting or self.over or not asked:
            return None
        if not paused and now < self._due:
            return self._due - now
        self._singles = max(0, self._singles - 1)
        self._due = max(self._due, now - 1 / rate) + 1 / rate
        self._waiting = True
        self._left -= 1
        return next(self._controls)
