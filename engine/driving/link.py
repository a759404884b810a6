"""`Link`: what the driver's end needs of an engine, wherever that runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from ..state import Drive
from .messages import Control, DriveFrame, EngineInfo

Clock = Literal["free running", "paused", "synchronous"]
"""The engine's own rate by the wall clock; time stands still but for single steps; one step for each CONTROL."""


class Delivery(NamedTuple):
    """DATA as it is taken up."""

    frame: DriveFrame
    step: int
    """Steps since the engine started or was restored."""
    obeyed: tuple[tuple[int, Control], ...] = ()
    """Since the last delivery: (step, CONTROL that was the first obeyed in it)."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """A frame as the painter takes it up."""

    frame: DriveFrame
    info: EngineInfo
    count: int
    """Frames taken up in this drive: one that has the next number refers to this one with its motion."""


class Link(Protocol):
    """A connection to one engine. No call waits for it."""

    info: EngineInfo

    def send(self, control: Control, clock: Clock, steps: int) -> None:
        """CONTROL, how time shall pass, and how many single steps were asked for so far."""
        ...

    def want(self, parts: Collection[str]) -> None:
        """Which of the optional maps (`messages.Part`) later frames shall hold; until this is said, all."""
        ...

    def take(self) -> Delivery | None:
        """The next frame, or None: there is none yet. The engine may draw the one after it from now on.

        Raises:
            EngineError: the engine is gone, or sent what it may not; the message says why and what to do.
        """
        ...

    def state(self) -> dict[str, Any] | None:
        """The last that is known of where the drive stands, for `Connect`."""
        ...

    def close(self) -> None:
        """Hang up, and end the engine if it was started for this."""
        ...


class Abandon:
    """Says once, from any thread, that what is being waited for is not wanted any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given = False
        self._actions: list[Callable[[], object]] = []

    @property
    def given(self) -> bool:
        """Whether it has been said."""
        return self._given

    def give(self) -> None:
        """Say so; those who wait are interrupted on this thread."""
        with self._lock:
            self._given = True
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    @contextmanager
    def interrupting(self, action: Callable[[], object]) -> Iterator[None]:
        """While the block waits, `action` ends the wait; it is called at once where that has been said before."""
        with self._lock:
            given = self._given
            if not given:
                self._actions.append(action)
        if given:
            action()
        try:
            yield
        finally:
            with self._lock:
                if action in self._actions:
                    self._actions.remove(action)


class Connect(Protocol):
    """Reaches the engine of a drive; see `supervise.connect`."""

    def __call__(
        self,
        drive: Drive,
        notify: Callable[[], None],
        state: dict[str, Any] | None,
        clock: Clock,
        abandon: Abandon | None = None,
        /,
    ) -> Link:
        """Takes as long as it takes, or until it is abandoned.

        Args:
            drive: whose engine.
            notify: called from any thread when a frame came or the engine went.
            state: to go on from.
            clock: how time passes from the first step on.
            abandon: ends the wait.

        Raises:
            EngineError: it cannot be reached, or is not wanted any more.
        """
        ...
