"""`Link`: what the driver's end needs of an engine, wherever that runs."""

from __future__ import annotations

from collections.abc import Callable
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


class Link(Protocol):
    """A connection to one engine. No call waits for it."""

    info: EngineInfo

    def send(self, control: Control, clock: Clock, steps: int) -> None:
        """CONTROL, how time shall pass, and how many single steps were asked for so far."""
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


Connect = Callable[[Drive, Callable[[], None], "dict[str, Any] | None", Clock], Link]
"""Reaches the engine of a drive: (drive, called from any thread when a frame came or the engine went, state to go on
from, how time passes from the first step on). Takes as long as it takes; raises EngineError. See `supervise.connect`.
"""
