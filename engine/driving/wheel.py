"""`Wheel`: held keys become CONTROL, as in CARLA's manual control, at the same pace whatever the window's rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .messages import Control

Held = Literal["throttle", "brake", "left", "right", "hand brake"]
HELD: tuple[Held, ...] = ("throttle", "brake", "left", "right", "hand brake")
"""Names of what can be held down."""

# CARLA adds .01 throttle and .2 brake a frame at 60 Hz and .5 steer a second. Its throttle takes 1.4 s to .85, which
# feels like a broken pedal; ours takes .7.
MOST_THROTTLE = 0.85
THROTTLE_RATE = 1.2
BRAKE_RATE = 12.0
MOST_STEER = 0.7
STEER_RATE = 0.9
CENTRE_RATE = 2.8
"""Towards the middle, after release or while the other side is held. CARLA lets the wheel jump there."""


@dataclass
class Wheel:
    """The driver's hands and feet. All amounts as in `Control`, all rates a second."""

    steer: float = 0.0
    throttle: float = 0.0
    brake: float = 0.0
    in_reverse: bool = False
    autopilot: bool = False
    resets: int = 0

    def step(self, held: frozenset[str], dt: float) -> Control:
        """What the engine is to obey after `dt` seconds in which `held` were down.

        Two steps of dt/2 give what one of dt gives. Left and right together hold the wheel as nobody does: it centres.

        Args:
            held: some of `HELD`; other names mean nothing.
            dt: seconds since the last call; less than 0 counts as 0.
        """
        dt = max(0.0, dt)
        self.throttle = min(self.throttle + THROTTLE_RATE * dt, MOST_THROTTLE) if "throttle" in held else 0.0
        self.brake = min(self.brake + BRAKE_RATE * dt, 1.0) if "brake" in held else 0.0
        wanted = ("right" in held) - ("left" in held)
        self.steer = _turned(self.steer, wanted, dt)
        return Control(
            steer=self.steer,
            throttle=self.throttle,
            brake=self.brake,
            hand_brake="hand brake" in held,
            reverse=self.in_reverse,
            resets=self.resets,
            autopilot=self.autopilot,
        )

    def reverse(self) -> None:
        """Into reverse, or out of it."""
        self.in_reverse = not self.in_reverse

    def reset(self) -> None:
        """Ask to be put back on the road, wheel straight and out of reverse."""
        self.resets += 1
        self.steer, self.in_reverse = 0.0, False

    def toggle_autopilot(self) -> None:
        """Let the engine drive, or stop it."""
        self.autopilot = not self.autopilot


def _turned(steer: float, wanted: int, dt: float) -> float:
    """The wheel after `dt` seconds with `wanted` (-1, 0, 1) held: first to the middle if it stands elsewhere."""
    if steer * wanted <= 0 and steer:
        needed = abs(steer) / CENTRE_RATE
        if dt < needed:
            return steer - CENTRE_RATE * dt * (1 if steer > 0 else -1)
        steer, dt = 0.0, dt - needed
    return max(-MOST_STEER, min(MOST_STEER, steer + STEER_RATE * dt * wanted))
