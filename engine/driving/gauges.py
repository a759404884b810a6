"""`Gauges`: what can be counted of a drive: metres, frames that nobody painted, the engine's rate, and latency."""

from __future__ import annotations

from collections import deque

from .messages import DriveFrame
from .pace import Pace

LATENCY_SMOOTHING = 0.2
"""Weight of the newest measurement."""
REMEMBERED = 256
"""Controls whose time of sending is kept: some seconds."""


class Gauges:
    """Fed with what is sent, taken up and shown. Times are seconds of `time.perf_counter`."""

    def __init__(self) -> None:
        self.last: DriveFrame | None = None
        """The newest frame."""
        self.dropped = 0
        """Steps of a free-running engine that were not drawn, or not taken up."""
        self.distance = 0.0
        """Metres driven."""
        self.latency = 0.0
        """Milliseconds from a CONTROL's sending to the picture of a world that obeys it, smoothed."""
        self._pace = Pace()
        self._sent: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)

    def sent(self, serial: int, now: float) -> None:
        """CONTROL went out; serials grow."""
        self._sent.append((serial, now))

    def arrived(self, frame: DriveFrame, now: float, free_running: bool) -> None:
        """A frame was taken up."""
        last, self.last = self.last, frame
        steps = 1
        if last is not None and frame.number > last.number:
            steps = frame.number - last.number
            self.dropped += steps - 1 if free_running else 0
            if not frame.cut:
                self.distance += abs(frame.vehicle.speed) * max(0.0, frame.time - last.time)
        self._pace.note(now, count=steps)

    def shown(self, frame: DriveFrame, now: float) -> None:
        """A frame is on its way to the screen. The first that obeys a CONTROL measures the latency."""
        while self._sent and self._sent[0][0] < frame.control_serial:
            self._sent.popleft()
        if self._sent and self._sent[0][0] == frame.control_serial:
            taken = 1000 * (now - self._sent.popleft()[1])
            self.latency += (taken - self.latency) * (LATENCY_SMOOTHING if self.latency else 1.0)

    def rate(self, now: float) -> float:
        """The engine's steps a second."""
        return self._pace.rate(now)

    def interrupted(self) -> None:
        """The next frame follows none."""
        self.last = None
