"""`Pace`: how often something happens and how long it takes, over the last second."""

from __future__ import annotations

from collections import deque

WINDOW = 1.0
"""Seconds that are looked back."""
SMOOTHING = 0.1
"""Part of a new duration in the shown one: single outliers shall not flicker."""


class Pace:
    """Counts what is noted. Times are seconds of any clock that only grows."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int]] = deque()
        self.milliseconds = 0.0
        """How long one takes, smoothed; 0: not known."""

    def note(self, now: float, seconds: float = 0.0, count: int = 1) -> None:
        """`count` of them have happened since the last note; the last took `seconds`."""
        self._noted.append((now, count))
        while now - self._noted[0][0] > WINDOW:
            self._noted.popleft()
        taken = 1000 * seconds
        self.milliseconds += (taken - self.milliseconds) * (SMOOTHING if self.milliseconds else 1.0)

    def rate(self, now: float) -> float:
        """How many a second; 0 after a second without any."""
        recent = [(at, count) for at, count in self._noted if now - at <= WINDOW]
        if len(recent) < 2:
            return 0.0
        span = recent[-1][0] - recent[0][0]
        return sum(count for _, count in recent[1:]) / span if span > 0 else 0.0
