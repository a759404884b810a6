"""One client's drive, between the thread that simulates and the threads that talk: what is due, and what was drawn."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from threading import Condition
from typing import Any, NamedTuple

from . import service_pb2 as pb
from . import wire
from .messages import Control, DriveFrame
from .planes import ProtocolError
from .simulator import EngineError

LATE, SLOW_MOMENT = 2, 1 / 15
"""Steps, or seconds where those are more, for which a slow moment may be made up; whatever is lost beyond, the clock of
the world has simply lost. A drawn step of 512 x 256 takes 40 ms of a processor."""
AHEAD = 1
"""Frames that a client may give credit for before they are drawn."""
UNREAD = 2
"""Frames that wait for a client in synchronous mode before the world waits too."""


class Due(NamedTuple):
    """What the simulation shall do now."""

    control: Control
    draw: bool
    """False: physics alone; the painter has not yet taken up the last frame that was drawn."""
    step: bool = True
    """False: no time passes; what was drawn last is to be seen in another way."""


class Drawn(NamedTuple):
    """What goes to the client next."""

    frame: DriveFrame
    step: int
    obeyed: list[pb.Obeyed]
    state: bytes


class Session:
    """Begins with a client's first request and ends with it, or with an error.

    Free running, steps are due at `rate` by the wall clock and never in a bunch: where a step takes longer than its
    time, the world goes slower. A frame is drawn only when the client has taken up the last one, because motion counts
    from the last frame drawn, so that none may be dropped behind the engine's back; and only when the world has made up
    the steps that came due meanwhile, so that it keeps its rate however often it is drawn. Time begins with the first
    control.

    Args:
        first: that request.
        rate: of the world, steps a second.
        now: seconds of a monotonic clock.

    Raises:
        ProtocolError: the first request is none, or of another version.
    """

    def __init__(self, first: pb.Request, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        if not first.HasField("start"):
            raise ProtocolError("the first request of a drive had no `start`; the client is no neuroview")
        wire.check_protocol(first.start.protocol, "the client")
        self.parts: Collection[str] = frozenset(first.start.parts)
        self.state: dict[str, Any] | None = parse_state(first.start.state) if first.start.state else None
        self.error: Exception | None = None
        self._changed = Condition()
        self._period, self._now = 1 / rate, now
        self._late = max(LATE * self._period, SLOW_MOMENT)
        self._most_made_up = math.ceil(self._late * rate)
        self._made_up = 0
        self._next: float | None = None
        self._control: Control | None = None
        self._queued: deque[Control] = deque()
        self._clock: int = first.clock
        self._steps_wanted = self._steps_made = 0
        self._drawn = self._taken = 0
        self._outbox: deque[Drawn] = deque()
        self._ended = False
        self._fresh = True
        self._shown: tuple[object, ...] | None = None
        self.receive(first)

    def receive(self, request: pb.Request) -> None:
        """Takes in what the client says.

        Raises:
            ProtocolError: a CONTROL or a clock that makes no sense.
        """
        control = wire.read_control(request.control) if request.HasField("control") else None
        if request.clock not in pb.Clock.values():
            raise ProtocolError(f"clock is {request.clock}; expected one of {', '.join(pb.Clock.keys())}")
        with self._changed:
            if request.clock != self._clock:
                self._clock, self._next = request.clock, None
                self._queued.clear()
            if request.HasField("start"):
                self.parts = frozenset(request.start.parts)
            if control:
                self._control = control
                if self._clock == pb.SYNCHRONOUS:
                    self._queued.append(control)
            self._steps_wanted = max(self._steps_wanted, request.steps)
            self._taken = max(self._taken, min(request.taken, self._drawn + AHEAD))
            self._changed.notify_all()

    def due(self) -> Due | None:
        """Waits until something is to be done; None: the session has ended."""
        with self._changed:
            while not self._ended:
                found = self.now_due()
                if isinstance(found, Due):
                    return found
                self._changed.wait(found)
            return None

    def now_due(self) -> Due | float | None:
        """What is due and counts as done with that, or for how many seconds nothing is; None: until something comes."""
        if self._control is None:
            return None
        taken = self._taken >= self._drawn
        if self._clock == pb.SYNCHRONOUS:
            if not self._queued or len(self._outbox) >= UNREAD:
                return None
            return self._drawn_due(self._queued.popleft())
        if self._clock == pb.PAUSED:
            if not taken:
                return None
            if self._steps_made < self._steps_wanted:
                self._steps_made += 1
                return self._drawn_due(self._control)
            if self._shown is not None and self._shown != self._seen_as(self._control):
                return self._drawn_due(self._control, step=False)
            return None
        now = self._now()
        due = now if self._next is None else max(self._next, now - self._late)
        if now < due:
            self._next = due
            return due - now
        self._next = due + self._period
        if taken and (now < self._next or self._made_up >= self._most_made_up):  # slow physics shall be seen, too
            self._made_up = 0
            return self._drawn_due(self._control)
        self._made_up += taken
        return Due(self._control, False)

    def _drawn_due(self, control: Control, step: bool = True) -> Due:
        self._shown = self._seen_as(control)
        return Due(control, True, step)

    def _seen_as(self, control: Control) -> tuple[object, ...]:
        """What a frame depends on beside the world."""
        return control.weather, control.viewpoint, control.photo, control.look, self.parts

    def deliver(self, frame: DriveFrame, step: int, obeyed: list[pb.Obeyed], state: bytes) -> None:
        """Hands over what was drawn. The first frame is a cut: nobody knows what its client has painted before."""
        with self._changed:
            if self._fresh:
                frame, self._fresh = replace(frame, cut=True), False
            self._drawn += 1
            self._outbox.append(Drawn(frame, step, obeyed, state))
            self._changed.notify_all()

    def next_drawn(self) -> Drawn | None:
        """Waits for what goes out next; None: there will be no more, and `error` may say why."""
        with self._changed:
            self._changed.wait_for(lambda: self._outbox or self._ended)
            if not self._outbox:
                return None
            self._changed.notify_all()
            return self._outbox.popleft()

    def end(self, error: Exception | None = None) -> None:
        """No more is due; what was drawn still goes out. The first error given counts."""
        with self._changed:
            if not self._ended:
                self.error = error
            self._ended = True
            self._changed.notify_all()


def parse_state(data: bytes) -> dict[str, Any]:
    """A saved drive from its JSON.

    Raises:
        EngineError: it is none.
    """
    try:
        state = json.loads(data)
    except ValueError as error:
        raise EngineError(f"the saved drive is no JSON ({error}); start a new one") from None
    if not isinstance(state, dict):
        raise EngineError(f"the saved drive is a {type(state).__name__}; expected an object. Start a new one")
    return state
