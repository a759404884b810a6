"""Moving cars: they follow lanes, keep their distance, stop for signals, people and the driver, and never touch.

Distance keeping is the intelligent driver model: Treiber, Hennecke and Helbing, 'Congested traffic states in empirical
observations and microscopic simulations', Physical Review E 62 (2000), eqs. 2 and 3. Who may enter a junction is
decided in `right_of_way.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import routes
from .plan import ROAD_HALF
from .right_of_way import Demand, grant
from .routes import EXIT_OF, LANE_LENGTH, LANES, LENGTH, LINE, Numbers, Pieces
from .town import Body

ACCELERATION, COMFORT, HEADWAY, GAP = 1.9, 2.4, 1.2, 2.2
"""a and b in m/s^2, T in seconds and s0 in metres of the model, for town traffic."""
HARDEST = 8.0
"""What the brakes give, m/s^2."""
SIGHT = np.arange(1.0, 24.0)
"""Metres ahead of a car's middle at which its path is tested against the driver and people."""
TURNS = (0.5, 0.22, 0.28)
"""Shares of straight on, left and right."""
IMPATIENCE = 20.0
"""Seconds of standing after which a driver turns off elsewhere: where somebody blocks a street, no jam grows."""
HELD = 1.5
"""Seconds for which a car that was hit stays where it is."""


@dataclass(frozen=True, eq=False)
class Obstacles:
    """What traffic meets besides itself, as discs: the driver's car and people on the carriageway; [K] each."""

    x: Numbers
    y: Numbers
    radius: Numbers
    east: Numbers
    north: Numbers
    """Their velocity, m/s."""

    @staticmethod
    def none() -> Obstacles:
        nothing = np.zeros(0)
        return Obstacles(nothing, nothing, nothing, nothing, nothing)


def follow(speed: Numbers, wanted: Numbers, gap: Numbers, leader: Numbers) -> Numbers:
    """The intelligent driver model's acceleration, m/s^2, for cars at `speed` who would like `wanted`, with `gap`
    metres to the tail of one who drives at `leader`."""
    dv = speed - leader
    desired = GAP + np.maximum(0.0, speed * HEADWAY + speed * dv / (2 * np.sqrt(ACCELERATION * COMFORT)))
    free = 1.0 - (speed / np.maximum(wanted, 0.1)) ** 4
    return ACCELERATION * (np.maximum(free, -1.5) - (desired / np.maximum(gap, 0.05)) ** 2)


class Traffic:
    """All moving cars but the driver's; arrays of one entry for each, advanced together."""

    def __init__(
        self, count: int, bodies: tuple[Body, ...], seed: int, clear: tuple[float, float, float] | None = None
    ) -> None:
        """`count` cars spread over the lanes, none within `clear` (x, y, metres)."""
        self.random = random = np.random.default_rng((seed, 1))
        self.bodies = bodies
        places = [(lane, along) for lane in range(LANES) for along in (6.0, 20.0, 34.0)]
        if clear is not None:
            lane = np.array([p[0] for p in places])
            x, y, _ = routes.poses(lane, np.array([p[1] for p in places]))
            away = np.hypot(routes.wrapped(x - clear[0]), routes.wrapped(y - clear[1])) > clear[2]
            places = [p for p, far in zip(places, away, strict=True) if far]
        count = min(count, len(places))
        chosen = random.permutation(len(places))[:count]
        self.piece: Pieces = np.array([places[k][0] for k in chosen], np.int64)
        self.along: Numbers = np.array([places[k][1] for k in chosen], float) + random.uniform(-2, 2, count)
        self.body = random.integers(0, len(bodies), count)
        self.length: Numbers = np.array([bodies[k].length for k in self.body], float)
        self.width: Numbers = np.array([bodies[k].width for k in self.body], float)
        self.speed: Numbers = random.uniform(3.0, 8.0, count)
        self.cruise: Numbers = random.uniform(7.5, 11.0, count)
        self.turn: Pieces = random.choice(3, count, p=TURNS)
        self.granted: NDArray[np.bool_] = np.zeros(count, bool)
        self.held: Numbers = np.zeros(count)
        self.stood: Numbers = np.zeros(count)
        """Seconds since each last moved or changed its mind."""
        self.acceleration: Numbers = np.zeros(count)
        self.braking: NDArray[np.bool_] = np.zeros(count, bool)
        self.x, self.y, self.yaw = routes.poses(self.piece, self.along)

    def __len__(self) -> int:
        return len(self.piece)

    @property
    def on_lane(self) -> NDArray[np.bool_]:
        return self.piece < LANES

    @property
    def lane(self) -> Pieces:
        """[N]: the lane that each car is on, or from which it entered its junction."""
        return np.where(self.on_lane, self.piece, (self.piece - LANES) // 3)

    def step(
        self,
        seconds: float,
        signals: NDArray[np.int32],
        crossings: NDArray[np.bool_],
        others: Obstacles,
        demand: Demand,
    ) -> None:
        """One step. `crossings` [BLOCKS^2, 4]: whether people are on the crossing of a junction's arm, arms numbered as
        headings from its centre; `demand`: what the driver's car claims of a junction."""
        if not len(self):
            return
        grant(self, signals, crossings, others, demand)
        gap, leader = self._leaders()
        turn_speed = np.minimum(self.cruise, routes.TURN_SPEED[self.turn])
        to_turn = np.maximum(LANE_LENGTH - self.along, 0.0)
        wanted = np.where(self.on_lane, np.minimum(self.cruise, np.sqrt(turn_speed**2 + 3.0 * to_turn)), turn_speed)
        acceleration = follow(self.speed, wanted, gap, leader)
        line = np.where(self.on_lane & ~self.granted, LINE - self.along - self.length / 2, np.inf)
        line = np.where(line < -1.0, np.inf, line)  # over it already: no use in stopping on the crossing
        line = np.minimum(line, self._people_at_the_exit(crossings))
        still = np.zeros(len(self))
        acceleration = np.minimum(acceleration, follow(self.speed, wanted, line + GAP - 0.4, still))
        seen, moving = self._seen(others)
        acceleration = np.minimum(acceleration, follow(self.speed, wanted, seen, moving))
        acceleration = np.clip(acceleration, -HARDEST, ACCELERATION)
        self.held = np.maximum(self.held - seconds, 0.0)
        speed = np.where(self.held > 0, 0.0, np.maximum(self.speed + acceleration * seconds, 0.0))
        room = np.minimum(np.minimum(gap - 0.3, seen - 0.2), np.where(line > -0.5, line + 0.3, np.inf))
        path = np.clip(0.5 * (self.speed + speed) * seconds, 0.0, np.maximum(room, 0.0))
        path = np.where(self.held > 0, 0.0, path)
        speed = np.minimum(speed, np.where(path < 1e-6, 0.0, np.inf))
        self.acceleration = (speed - self.speed) / seconds
        # With hysteresis: brake lights do not flicker.
        self.braking = np.where(self.braking, acceleration < -0.25, acceleration < -0.7) | (speed < 0.05)
        self.speed, self.along = speed, self.along + path
        self.stood = np.where(speed < 0.1, self.stood + seconds, 0.0)
        for k in np.flatnonzero((self.stood > IMPATIENCE) & self.on_lane & ~self.granted):
            self.turn[k], self.stood[k] = self.random.choice(3, p=TURNS), 0.0
        self._change_pieces()
        self.x, self.y, self.yaw = routes.poses(self.piece, self.along)

    def hit(self, index: int) -> None:
        """The driver has hit this car: it stops for a moment."""
        self.speed[index], self.held[index], self.braking[index] = 0.0, HELD, True

    def _leaders(self) -> tuple[Numbers, Numbers]:
        """Metres to the tail of whoever drives ahead on each car's route, and that one's speed."""
        on_lane, lane = self.on_lane, self.lane
        connector = np.asarray(routes.connector_of(lane, self.turn))
        to_connector = np.where(on_lane, LANE_LENGTH - self.along, -self.along)
        to_exit = to_connector + LENGTH[connector]
        tail = self.along - self.length / 2
        distance = np.full((len(self), len(self)), np.inf)
        same = (self.piece[:, None] == self.piece) & on_lane
        distance = np.where(same, self.along - self.along[:, None], distance)
        # Those who left our lane for another turn are in our way until their tail has swung out.
        crossing = ~on_lane & (lane[:, None] == lane) & ((self.piece == connector[:, None]) | (tail < 6.5))
        distance = np.where(crossing, to_connector[:, None] + self.along, distance)
        leaving = EXIT_OF[lane, self.turn][:, None] == np.where(on_lane, self.piece, -1)
        distance = np.where(leaving, to_exit[:, None] + self.along, distance)
        distance[distance <= 0] = np.inf
        np.fill_diagonal(distance, np.inf)
        gaps = distance - (self.length[:, None] + self.length) / 2
        first = np.argmin(gaps, 1)
        return gaps[np.arange(len(self)), first], self.speed[first]

    def _people_at_the_exit(self, crossings: NDArray[np.bool_]) -> Numbers:
        """Metres from each car's nose to where it waits inside the junction for people on the crossing that it leaves
        by; inf where there are none, or where the nose is past that."""
        lane = self.lane
        connector = np.asarray(routes.connector_of(lane, self.turn))
        arm = routes.HEADING_OF[EXIT_OF[lane, self.turn]]
        people = crossings[routes.JUNCTION_OF[lane], arm] & (self.granted | ~self.on_lane)
        ahead = np.where(self.on_lane, LANE_LENGTH - self.along, -self.along) + LENGTH[connector]
        ahead = ahead - (routes.REACH - ROAD_HALF - 0.7) - self.length / 2
        return np.where(people & (ahead > -0.3), ahead, np.inf)

    def _seen(self, others: Obstacles) -> tuple[Numbers, Numbers]:
        """Metres from each car's nose to the first of `others` on its path, and that one's speed along it."""
        gap, speed = np.full(len(self), np.inf), np.zeros(len(self))
        if not len(others.x):
            return gap, speed
        dx, dy = routes.wrapped(others.x - self.x[:, None]), routes.wrapped(others.y - self.y[:, None])
        near = np.flatnonzero((np.hypot(dx, dy) < SIGHT[-1] + 3).any(1))
        if not len(near):
            return gap, speed
        x, y = routes.ahead(self.lane[near], self.turn[near], self.on_lane[near], self.along[near], SIGHT)
        far = np.hypot(
            routes.wrapped(x[:, :, None] - others.x),
            routes.wrapped(y[:, :, None] - others.y),
        )
        reach = self.width[near][:, None, None] / 2 + others.radius + 0.3
        touch = far < reach
        step = np.argmax(touch, 1)  # [n, K]: first sample that touches
        distance = np.where(touch.any(1), SIGHT[step], np.inf) - self.length[near][:, None] / 2
        first = np.argmin(distance, 1)
        rows = np.arange(len(near))
        gap[near] = distance[rows, first]
        along = others.east[first] * np.cos(self.yaw[near]) + others.north[first] * np.sin(self.yaw[near])
        speed[near] = np.maximum(along, 0.0)
        return gap, speed

    def _change_pieces(self) -> None:
        for k in np.flatnonzero(self.along >= LENGTH[self.piece]):
            piece = int(self.piece[k])
            self.along[k] -= LENGTH[piece]
            if piece < LANES:
                self.piece[k] = routes.connector_of(piece, int(self.turn[k]))
                self.granted[k] = False
            else:
                self.piece[k] = EXIT_OF[(piece - LANES) // 3, (piece - LANES) % 3]
                self.turn[k] = self.random.choice(3, p=TURNS)

    _SAVED = ("piece", "along", "body", "speed", "cruise", "turn", "granted", "held", "stood", "braking")

    def state(self) -> dict[str, Any]:
        """Plain JSON values from which `restore` goes on."""
        saved: dict[str, Any] = {name: getattr(self, name).tolist() for name in self._SAVED}
        return {**saved, "random": self.random.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError where that is no state of this traffic."""
        arrays = {name: np.array(state[name], getattr(self, name).dtype) for name in self._SAVED}
        count = len(arrays["piece"])
        if any(a.shape != (count,) for a in arrays.values()):
            raise ValueError("the cars' lists differ in length")
        for name, top in (("piece", routes.PIECES), ("body", len(self.bodies)), ("turn", 3)):
            if count and not (arrays[name].min() >= 0 and arrays[name].max() < top):
                raise ValueError(f"{name} beyond its range")
        if not all(np.isfinite(a).all() for a in arrays.values()):
            raise ValueError("a number is not finite")
        self.random.bit_generator.state = state["random"]
        for name, array in arrays.items():
            setattr(self, name, array)
        self.length = np.array([self.bodies[k].length for k in self.body], float)
        self.width = np.array([self.bodies[k].width for k in self.body], float)
        self.acceleration = np.zeros(count)
        self.x, self.y, self.yaw = routes.poses(self.piece, self.along)
