"""What the driver does against the rules of the road: over a red light, off the road, on the wrong side.

Each is told once, when it begins.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..messages import Event
from ..vehicle import CarState
from .plan import LANE, PERIOD, ROAD_HALF, STOP, signal_group
from .signals import RED

PATIENCE = 1.0
"""Seconds for which something must hold to count, or be over to count anew."""
WRONG_SPEED = 2.5
"""Slower than this nobody drives on the wrong side: one manoeuvres."""


class Offences:
    """Watches the driver's car from step to step."""

    def __init__(self) -> None:
        self._nose: tuple[float, float] | None = None
        self._time = {"off road": 0.0, "wrong way": 0.0}
        self._told = {"off road": False, "wrong way": False}

    def forget(self) -> None:
        """The car has been put elsewhere."""
        self.__init__()

    def step(self, seconds: float, car: CarState, half_length: float, signals: NDArray[np.int32]) -> list[Event]:
        """What the car did in this step."""
        events: list[Event] = []
        nose = car.x + half_length * math.cos(car.yaw), car.y + half_length * math.sin(car.yaw)
        if self._nose is not None and car.speed > 0.3 and _ran_red(self._nose, nose, car.yaw, signals):
            events.append(Event("red light", "drove through a red light"))
        self._nose = nose
        if self._began("off road", on_land(car.x, car.y), seconds, 0.1):
            events.append(Event("off road", "left the road"))
        if self._began("wrong way", on_wrong_side(car), seconds, PATIENCE):
            events.append(Event("wrong way", "on the wrong side of the road"))
        return events

    def _began(self, kind: str, now: bool, seconds: float, patience: float) -> bool:
        told = self._told[kind]
        self._time[kind] = self._time[kind] + seconds if now != told else 0.0
        if self._time[kind] < (PATIENCE if told else patience):
            return False
        self._told[kind], self._time[kind] = now, 0.0
        return now


def on_land(x: float, y: float) -> bool:
    """Whether a point is on a sidewalk or inside a block."""
    dx, dy = x - round(x / PERIOD) * PERIOD, y - round(y / PERIOD) * PERIOD
    return min(abs(dx), abs(dy)) > ROAD_HALF


def on_wrong_side(car: CarState) -> bool:
    """Whether the car drives along a street on its left half."""
    if car.speed < WRONG_SPEED:
        return False
    for across, along, heading, sign in (
        (car.y, car.x, math.cos(car.yaw), 1.0),
        (car.x, car.y, math.sin(car.yaw), -1.0),
    ):
        off = across - round(across / PERIOD) * PERIOD
        at = abs(along - round(along / PERIOD) * PERIOD)
        # To the left of who drives east is north, of who drives north is west.
        if at > STOP and abs(off) <= ROAD_HALF and abs(heading) > 0.8:
            return off * sign * math.copysign(1.0, heading) > 0.35 * LANE
    return False


def _ran_red(before: tuple[float, float], now: tuple[float, float], yaw: float, signals: NDArray[np.int32]) -> bool:
    axis = 0 if abs(math.cos(yaw)) > abs(math.sin(yaw)) else 1
    way = 1.0 if (math.cos(yaw) if axis == 0 else math.sin(yaw)) > 0 else -1.0
    if abs(math.cos(yaw) if axis == 0 else math.sin(yaw)) < 0.7:
        return False
    junction = [round(now[0] / PERIOD), round(now[1] / PERIOD)]
    across = now[1 - axis] - junction[1 - axis] * PERIOD
    right = -across if axis == 0 else across
    if not -0.3 < right * way <= ROAD_HALF:  # on its own half of the road: elsewhere stands no line for it
        return False
    line = junction[axis] * PERIOD - way * (STOP - 0.3)
    passed = (before[axis] - line) * way < 0 <= (now[axis] - line) * way
    return passed and bool(signals[signal_group(junction[0], junction[1], axis)] == RED)
