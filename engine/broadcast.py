"""What the render loop tells the rest of the program: the newest frame and status, and who wants to know."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from .baked_view import BakedView
from .frame import Frame
from .status import LoopStatus, Message

REMEMBERED = 240
"""Live frames whose times are kept for the plot."""

STEADY = 5
"""Live frames within a second from which on one can speak of a frame rate."""


class Broadcast:
    """Immutable values that any thread may read at any time.

    Listeners are called outside of the lock, on the thread that published, and must return at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._times: deque[float] = deque(maxlen=REMEMBERED)
        self._finished: deque[float] = deque(maxlen=REMEMBERED)
        self._messages = 0
        self.frame: Frame | None = None
        """The newest finished frame."""
        self.baked_view: BakedView | None = None
        """What a window may march by itself while only the camera moves."""
        self.status = LoopStatus()
        """What the loop is doing."""

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every new frame or status; returns the function that ends this."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def publish(self, **changes: object) -> None:
        """Replace fields of the status."""
        with self._lock:
            self.status = replace(self.status, **changes)  # type: ignore[arg-type]
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def tell(self, text: str, level: str = "info") -> None:
        """Show a message ('error', 'warning' or 'info') to the person."""
        with self._lock:  # number and status in one go: of two at once, the newer has to be the one that stays
            self._messages += 1
            self.status = replace(self.status, message=Message(text, level, self._messages))
        self.publish()

    def show(self, frame: Frame, live_seconds: float | None = None, **changes: object) -> None:
        """A finished frame; `live_seconds` when it answered a moving hand, and so counts for the plot and the rate.

        `changes` are fields of the status that change with it.
        """
        self.frame = frame
        self._count(live_seconds, rung=frame.detail, **changes)

    def marched(self, seconds: float, detail: str) -> None:
        """The window has made a picture of a moving camera by itself, in so many seconds; the window's thread."""
        self._count(seconds, rung=detail)

    def offer(self, view: BakedView | None) -> None:
        """What a window may march from now on; None: nothing."""
        self.baked_view = view
        self.publish()

    def _count(self, live_seconds: float | None, **changes: object) -> None:
        now = time.perf_counter()
        with self._lock:  # the window's thread counts too
            if live_seconds is not None:
                self._times.append(1000 * live_seconds)
                self._finished.append(now)
            times = tuple(self._times)
            recent = [t for t in self._finished if now - t <= 1.0]
        # A few single frames are no rate: the first picture and its finer grids arrive when they are ready.
        fps = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > STEADY else self.status.fps
        self.publish(frame_times=times, fps=fps, **changes)
