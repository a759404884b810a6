"""People: they walk along sidewalks, cross at crossings while the cars there have red, and jump aside for the driver.

Sidewalks form a lattice: every junction has four corners, one in each quadrant; a walker goes from corner to corner,
along a block or across a street, each on a line of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plan import BLOCK_HALF, BLOCKS, KERB, PERIOD, ROAD_HALF
from .routes import EAST, NORTH, Numbers, Pieces, wrapped
from .signals import AMBER_TIME, CLEARANCE, GREEN_TIME, phases

STRIDE = 1.5
"""Metres of two steps: one round of the walk's phase."""
SPACE = 0.45
"""Metres that a person keeps free around itself."""
DODGE, RETURN = 4.5, 0.9
"""How fast people jump out of the way and come back, m/s."""


class Pedestrians:
    """All people; arrays of one entry for each.

    A walker is on the way to corner (`column`, `row`, `sx`, `sy`) with `heading`, `left` metres away from it.
    """

    def __init__(self, count: int, kinds: int, seed: int, clear: tuple[float, float, float] | None = None) -> None:
        """`count` people of `kinds` kinds, none within `clear` (x, y, metres)."""
        self.random = random = np.random.default_rng((seed, 2))
        self.column: Pieces = random.integers(0, BLOCKS, count)
        self.row: Pieces = random.integers(0, BLOCKS, count)
        self.heading: Pieces = random.integers(0, 4, count)
        self.sx, self.sy = np.ones(count, np.int64), np.ones(count, np.int64)
        # Everybody begins on a sidewalk: the corner ahead is the near one of its junction.
        side = random.choice((-1, 1), count)
        along_x = self.heading % 2 == 0
        self.sx = np.where(along_x, -EAST[self.heading].astype(int), side)
        self.sy = np.where(along_x, side, -NORTH[self.heading].astype(int))
        self.line: Numbers = random.uniform(7.2, 8.2, count)
        """Distance of each walker's own line from the middle of the streets."""
        self.left: Numbers = random.uniform(1.0, PERIOD - 2 * 8.5, count)
        self.pace: Numbers = random.uniform(1.1, 1.6, count)
        self.kind: Pieces = random.integers(0, max(kinds, 1), count)
        self.size: Numbers = random.uniform(0.92, 1.06, count)
        self.walked: Numbers = random.uniform(0.0, STRIDE, count)
        self.going: NDArray[np.bool_] = np.ones(count, bool)
        self.aside: Numbers = np.zeros((count, 2))
        """How far each stands off its line because of the driver, metres east and north."""
        if clear is not None:
            x, y = self._places()
            close = np.hypot(wrapped(x - clear[0]), wrapped(y - clear[1])) < clear[2]
            self.row = np.where(close, (self.row + 3) % BLOCKS, self.row)
            self.column = np.where(close, (self.column + 3) % BLOCKS, self.column)
        self._place()

    def __len__(self) -> int:
        return len(self.column)

    @property
    def crossing(self) -> NDArray[np.bool_]:
        """[N]: on a way across a street (its kerbs included)."""
        ahead = np.where(self.heading % 2 == 0, self.sx * EAST[self.heading], self.sy * NORTH[self.heading])
        return ahead > 0

    @property
    def on_road(self) -> NDArray[np.bool_]:
        """[N]: on the carriageway of a crossing."""
        return self.crossing & (np.abs(self.left - self.line) < ROAD_HALF + 0.1)

    @property
    def phase(self) -> Numbers:
        """[N]: of the walk, 0..1; standing: 0."""
        return np.where(self.going, self.walked / STRIDE % 1.0, 0.0)

    def crossings(self) -> NDArray[np.bool_]:
        """[BLOCKS^2, 4]: whether somebody is on the crossing of each junction's arm, arms numbered as headings."""
        busy = np.zeros((BLOCKS * BLOCKS, 4), bool)
        here = np.flatnonzero(self.on_road)
        busy[(self.column * BLOCKS + self.row)[here], self._arm()[here]] = True
        return busy

    def step(self, seconds: float, time: float, cars: tuple[Numbers, ...]) -> None:
        """One step. `cars`: x, y, yaw, length and width of all cars that move, the driver's included."""
        crossing, on_road = self.crossing, self.on_road
        before = self.left - self.line - ROAD_HALF
        kerb = crossing & (before > 0.2) & (before < 1.0)
        going = ~(kerb & ~self._may_cross(time)) & ~self._stopped(cars, on_road | kerb)
        pace = np.where(crossing, np.maximum(self.pace, 1.5), self.pace) * going
        self.going = going
        self.left = self.left - pace * seconds
        self.walked = self.walked + pace * seconds
        for k in np.flatnonzero(self.left <= 0):
            self._turn(int(k))
        back = np.hypot(self.aside[:, 0], self.aside[:, 1])
        self.aside *= (np.maximum(back - RETURN * seconds, 0.0) / np.maximum(back, 1e-9))[:, None]
        self._place()

    def dodge(self, seconds: float, x: float, y: float, yaw: float, speed: float, half: tuple[float, float]) -> Pieces:
        """Whoever is before the driver's car (its middle, heading, speed, half length and width) jumps aside; nobody is
        ever inside it. Returns the numbers of those whom it would have touched."""
        if not len(self):
            return np.zeros(0, np.int64)
        dx, dy = wrapped(self.x - x), wrapped(self.y - y)
        along = dx * np.cos(yaw) + dy * np.sin(yaw)
        left = dy * np.cos(yaw) - dx * np.sin(yaw)
        front = half[0] + SPACE + max(speed, 0.0) * 0.7
        back = -half[0] - SPACE + min(speed, 0.0) * 0.7
        wide = half[1] + SPACE
        near = (np.abs(left) < wide) & (along < front) & (along > back)
        if not near.any():
            return np.zeros(0, np.int64)
        touched = near & (np.abs(along) < half[0] + 0.1) & (np.abs(left) < half[1] + 0.1)
        urgent = near & (np.abs(along) < half[0] + SPACE)
        moving = near & (abs(speed) > 1.0) | urgent
        way = np.where(left >= 0, 1.0, -1.0)
        # Not into a house: to the other side where the near one ends in a block.
        for k in np.flatnonzero(moving):
            off = way[k] * (wide - abs(left[k]))
            if self._in_block(self.x[k] - off * np.sin(yaw), self.y[k] + off * np.cos(yaw)):
                way[k] = -way[k]
        most = np.where(urgent, np.inf, DODGE * seconds)
        off = way * np.minimum(np.where(way * left >= 0, wide - np.abs(left), wide + np.abs(left)), most) * moving
        self.aside = self.aside + np.stack([-np.sin(yaw) * off, np.cos(yaw) * off], 1)
        self._place()
        return np.flatnonzero(touched)

    def _may_cross(self, time: float) -> NDArray[np.bool_]:
        """[N]: whether the cars that each would meet have red for long enough."""
        group = (self.column * BLOCKS + self.row) * 2 + self.heading % 2  # green with those who drive alongside
        needed = (2 * ROAD_HALF + 1.2) / np.maximum(self.pace, 1.5)
        phase = phases(time)[group]
        return (phase > 0.4) & (phase < GREEN_TIME + AMBER_TIME + CLEARANCE - needed)

    def _stopped(self, cars: tuple[Numbers, ...], who: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[N]: of `who`, those with a car right before them."""
        stopped = np.zeros(len(self), bool)
        who_ = np.flatnonzero(who)
        if not len(who_) or not len(cars[0]):
            return stopped
        x, y, yaw, length, width = cars
        east, north = EAST[self.heading[who_]], NORTH[self.heading[who_]]
        dx = wrapped((self.x[who_] + 0.9 * east)[:, None] - x)
        dy = wrapped((self.y[who_] + 0.9 * north)[:, None] - y)
        along, left = dx * np.cos(yaw) + dy * np.sin(yaw), dy * np.cos(yaw) - dx * np.sin(yaw)
        stopped[who_] = ((np.abs(along) < length / 2 + 0.4) & (np.abs(left) < width / 2 + 0.4)).any(1)
        return stopped

    def _turn(self, k: int) -> None:
        """At a corner: straight on, left or right along the lattice."""
        heading = (int(self.heading[k]) + (0, 1, 3)[int(self.random.choice(3, p=(0.4, 0.3, 0.3)))]) % 4
        self.heading[k] = heading
        east, north = int(EAST[heading]), int(NORTH[heading])
        sign = self.sx if east else self.sy
        cross = sign[k] * (east + north) < 0  # the next corner lies across the street
        if not cross:
            self.column[k], self.row[k] = (self.column[k] + east) % BLOCKS, (self.row[k] + north) % BLOCKS
        sign[k] = -sign[k]
        self.left[k] += 2 * self.line[k] if cross else PERIOD - 2 * self.line[k]

    def _arm(self) -> Pieces:
        """[N]: the arm of the junction whose crossing a walker is on, if it is on one."""
        along_x = self.heading % 2 == 0
        return np.where(along_x, np.where(self.sy > 0, 1, 3), np.where(self.sx > 0, 0, 2))

    @staticmethod
    def _in_block(x: float, y: float) -> bool:
        edge = BLOCK_HALF + 0.2
        return abs(x % PERIOD - PERIOD / 2) < edge and abs(y % PERIOD - PERIOD / 2) < edge

    def _places(self) -> tuple[Numbers, Numbers]:
        x = self.column * PERIOD + self.sx * self.line - EAST[self.heading] * self.left
        y = self.row * PERIOD + self.sy * self.line - NORTH[self.heading] * self.left
        return x + self.aside[:, 0], y + self.aside[:, 1]

    def _place(self) -> None:
        self.x, self.y = self._places()
        self.yaw: Numbers = self.heading * np.pi / 2
        # From the kerb's height to the road's within .4 m: people step, they do not fall.
        x, y = self.x / PERIOD, self.y / PERIOD
        inner = np.minimum(np.abs(x - np.round(x)), np.abs(y - np.round(y))) * PERIOD
        self.z: Numbers = KERB * np.clip((inner - ROAD_HALF + 0.2) / 0.4, 0.0, 1.0)

    _SAVED = (
        "column",
        "row",
        "heading",
        "sx",
        "sy",
        "line",
        "left",
        "pace",
        "kind",
        "size",
        "walked",
        "going",
        "aside",
    )

    def state(self) -> dict[str, Any]:
        """Plain JSON values from which `restore` goes on."""
        saved: dict[str, Any] = {name: getattr(self, name).tolist() for name in self._SAVED}
        return {**saved, "random": self.random.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError where that is no state of these people."""
        arrays = {name: np.array(state[name], getattr(self, name).dtype) for name in self._SAVED}
        if any(arrays[name].shape != getattr(self, name).shape for name in self._SAVED):
            raise ValueError("another number of people")
        if not all(np.isfinite(a).all() for a in arrays.values()):
            raise ValueError("a number is not finite")
        if len(self) and not (arrays["heading"].min() >= 0 and arrays["heading"].max() < 4):
            raise ValueError("heading beyond its range")
        self.random.bit_generator.state = state["random"]
        for name, array in arrays.items():
            setattr(self, name, array)
        self._place()
