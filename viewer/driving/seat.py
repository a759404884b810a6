"""`Seat`: the driver's place. Keys that are down go in, CONTROL goes to the engine, at the pace of the window."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from ...engine.driving.wheel import HELD, Wheel

if TYPE_CHECKING:
    from ...engine.driving.messages import Control

PEDALS: frozenset[str] = frozenset(HELD)
"""What can be held down in the car."""
TICK = 1 / 60
"""Seconds between two steps of the wheel."""
STALL = 0.1
"""Seconds that one step is worth at most: after a hiccup the wheel does not jump."""


class Steered(Protocol):
    """What takes CONTROL: the render loop."""

    def steer(self, control: Control) -> None: ...


class Seat:
    """Turns held keys into CONTROL. Keys come on the window's thread, buttons from the panel's."""

    def __init__(self, loop: Steered) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._wheel = Wheel()
        self._stepped: float | None = None

    @property
    def autopilot(self) -> bool:
        """Whether the engine has been asked to drive."""
        return self._wheel.autopilot

    @property
    def in_reverse(self) -> bool:
        return self._wheel.in_reverse

    def sit_down(self, *, autopilot: bool = False) -> None:
        """A new drive: wheel straight, in first gear."""
        with self._lock:
            self._wheel = Wheel(autopilot=autopilot, resets=self._wheel.resets)
            self._stepped = None

    def tick(self, held: frozenset[str], now: float) -> None:
        """Go on to the time `now` (seconds) with `held` (out of `PEDALS`) down; early calls do nothing.

        CONTROL is handed over also when it is the same: that is how the loop measures the delay, and how an engine
        that was started anew learns of it.
        """
        with self._lock:
            if self._stepped is not None and 0 <= now - self._stepped < 0.9 * TICK:
                return
            passed = 0.0 if self._stepped is None else min(now - self._stepped, STALL)
            self._stepped = now
            control = self._wheel.step(held, passed)
        self._loop.steer(control)

    def release(self) -> None:
        """Hands and feet off: the window has lost the keyboard, and the keys' release goes to somebody else."""
        with self._lock:
            control = self._wheel.step(frozenset(), 0.0)
        self._loop.steer(control)

    def reverse(self) -> bool:
        """Into reverse, or out of it; returns whether it is in now."""
        with self._lock:
            self._wheel.reverse()
            return self._wheel.in_reverse

    def reset(self) -> None:
        """Ask for the car to be put back onto the road."""
        with self._lock:
            self._wheel.reset()

    def toggle_autopilot(self) -> bool:
        """Let the engine drive, or take the wheel; returns whether the engine drives now."""
        with self._lock:
            self._wheel.toggle_autopilot()
            return self._wheel.autopilot
