"""The three cameras on the driver's car: behind it, at the driver's eyes, and high above."""

from __future__ import annotations

import math

import numpy as np

from ..messages import Viewpoint, Weather
from ..vehicle import CarState
from .collision import SolidGrid
from .routes import wrapped
from .view import View

FOV = 2 * math.atan(math.tan(math.radians(40.0)) / 2)
"""80 degrees across a picture twice as wide as high."""
DISTANCE, HEIGHT, DIP = 7.2, 2.8, 0.15
"""Of the camera behind the car: metres back and up, and how much it looks down."""
EYES = 0.35, 1.32
"""Of the driver: metres before the car's middle, and up."""
ABOVE, TILT, LEAD = 45.0, 0.35, 9.0
"""Of the camera above: metres up, forward for each metre down, and how far ahead of the car it aims."""
LAG = 0.22
"""Seconds by which the chasing camera's heading is late."""
TALL = ("a house", "a church")
"""Beginnings of the names of solids that a camera may not be in."""


class Cameras:
    """Follows the car; what it shows depends on time and not on how often it is asked."""

    def __init__(self, grid: SolidGrid, names: tuple[str, ...]) -> None:
        """`names`: of `grid`'s solids."""
        self._grid = grid
        self._tall = np.array([name.startswith(TALL) for name in names], bool)
        self._yaw, self._back = 0.0, DISTANCE
        self._viewpoint: Viewpoint | None = None

    def follow(self, car: CarState, viewpoint: Viewpoint, seconds: float) -> None:
        """Let `seconds` pass."""
        if viewpoint != self._viewpoint:
            if self._viewpoint is not None:
                self.jump(car)
            self._viewpoint = viewpoint
        late = math.remainder(car.yaw - self._yaw, 2 * math.pi)
        self._yaw += late * -math.expm1(-seconds / LAG)
        # Falls back when the car is fast, and stays before houses: comes in at once, goes out slowly.
        wanted = DISTANCE + 0.05 * min(abs(car.speed), 30.0)
        room = self._room(car, wanted)
        self._back += (min(wanted, room) - self._back) * -math.expm1(-seconds / 0.4)
        self._back = min(self._back, room)

    def jump(self, car: CarState) -> None:
        """Be in place at once: the car has been put elsewhere."""
        self._yaw, self._back = car.yaw, DISTANCE

    def state(self) -> list[float]:
        """Where the lagging camera stands: plain JSON values for `restore`."""
        return [self._yaw, self._back]

    def restore(self, state: list[float]) -> None:
        """Go on from there. Raises TypeError or ValueError where that is no state of a camera."""
        yaw, back = (float(n) for n in state)
        if not (math.isfinite(yaw) and 0.0 < back < 50.0):
            raise ValueError(f"a camera {back} m behind the car")
        self._yaw, self._back, self._viewpoint = yaw, back, None

    def view(self, car: CarState, viewpoint: Viewpoint, weather: Weather, time: float) -> View:
        """What `viewpoint` shows now."""
        if viewpoint == "hood":
            east, north = math.cos(car.yaw), math.sin(car.yaw)
            eye = car.x + EYES[0] * east, car.y + EYES[0] * north, EYES[1]
            return View(eye, (east, north, -0.05), FOV, weather, time)
        east, north = math.cos(self._yaw), math.sin(self._yaw)
        if viewpoint == "top":
            back = ABOVE * TILT - LEAD
            return View(
                (car.x - back * east, car.y - back * north, ABOVE),
                (TILT * east, TILT * north, -1.0),
                FOV,
                weather,
                time,
            )
        # Where a house leaves no room behind, it looks from higher up.
        height = HEIGHT + 0.35 * max(0.0, DISTANCE - self._back)
        dip = DIP * (1.0 + 0.9 * max(0.0, DISTANCE - self._back) / DISTANCE)
        return View(
            (car.x - self._back * east, car.y - self._back * north, height), (east, north, -dip), FOV, weather, time
        )

    def _room(self, car: CarState, wanted: float) -> float:
        """Metres behind the car, at most `wanted`, that are free of houses."""
        middle = car.x - 0.5 * wanted * math.cos(self._yaw), car.y - 0.5 * wanted * math.sin(self._yaw)
        near = self._grid.near(*middle, 0.5 * wanted + 1.0)
        near = near[self._tall[near]]
        if not len(near):
            return wanted
        boxes = self._grid.boxes(near)
        steps = np.arange(1.0, wanted + 0.5, 0.5)
        # Against every tall box in its own frame, with .4 m to spare: the near plane must not cut it.
        dx = wrapped((car.x - steps * math.cos(self._yaw))[:, None] - boxes.x)
        dy = wrapped((car.y - steps * math.sin(self._yaw))[:, None] - boxes.y)
        along, left = dx * np.cos(boxes.yaw) + dy * np.sin(boxes.yaw), dy * np.cos(boxes.yaw) - dx * np.sin(boxes.yaw)
        inside = ((np.abs(along) < boxes.half_length + 0.4) & (np.abs(left) < boxes.half_width + 0.4)).any(1)
        return wanted if not inside.any() else max(1.0, float(steps[np.argmax(inside)]) - 0.5)
