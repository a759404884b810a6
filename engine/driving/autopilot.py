"""An autopilot for the embedded town: follows lanes, obeys signals, keeps its distance; a demo, and a source of data.

Steering is pure pursuit (Coulter, 'Implementation of the pure pursuit path tracking algorithm', CMU-RI-TR-92-01, 1992);
speed is the intelligent driver model of `town/traffic.py`. It drives through the same Control as a person does.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .messages import Control, DriveFrame
from .town import routes
from .town.right_of_way import Demand, may_enter, stopping_distance
from .town.routes import LANE_LENGTH, LEFT, LENGTH, LINE
from .town.signals import AMBER, GREEN
from .town.traffic import GAP, TURNS, follow
from .vehicle import BRAKES, COASTING, DRAG, POWER, ROLLING, TRACTION, WHEELBASE, steering_limit

if TYPE_CHECKING:
    from .town.world import TownWorld

CRUISE = 9.5
"""Metres a second on a free street."""
SIGHT = np.arange(1.0, 26.0)
LOST = 3.5
"""Metres off its route from which it looks for the nearest lane anew."""
PATIENCE = 45.0
"""Seconds of standing, red lights included, after which it asks to be put back on the road."""


class HasWorld(Protocol):
    """Who can be driven: a `TownSimulator`, or whatever else holds a `TownWorld`."""

    @property
    def world(self) -> TownWorld: ...


class Autopilot:
    """Drives the car of one town."""

    def __init__(self, simulator: HasWorld, seed: int = 0) -> None:
        """`seed` decides where it turns."""
        self._simulator = simulator
        self._random = np.random.default_rng((seed, 3))
        self._lane, self._turn, self._place = -1, 0, 0.0
        self._granted = False
        self._still = 0.0
        self._last = math.nan

    def control(self, frame: DriveFrame | None = None, *, like: Control | None = None) -> Control:
        """What to do now: `like` (weather, camera and the rest are taken from it) with steering and pedals replaced.

        The world itself is looked at, which is what `frame` shows; `frame` may be left out."""
        world = self._simulator.world
        base = like or Control()
        self._find_way(world)
        elapsed = world.time - self._last if self._last <= world.time else 0.0
        self._last = world.time
        self._still = self._still + elapsed if abs(world.car.speed) < 0.1 else 0.0
        if self._still > PATIENCE:
            self._still = 0.0
            world.reset()
            self._lane = -1
            self._find_way(world)
        throttle, brake = _pedals(self._acceleration(world), world.car.speed)
        return replace(base, steer=self._steer(world), throttle=throttle, brake=brake, hand_brake=False, reverse=False)

    def release(self) -> None:
        """A person takes over: it claims no junction any more."""
        self._simulator.world.demand = Demand()
        self._lane, self._granted = -1, False

    def _find_way(self, world: TownWorld) -> None:
        """Where on its route the car is: `_place` metres from the lane's beginning, junction included."""
        x, y, yaw = world.car.x, world.car.y, world.car.yaw
        if self._lane >= 0:
            near = np.linspace(-4.0, 4.0, 33)
            px, py = self._route(self._place, near)
            far = np.hypot(routes.wrapped(px - x), routes.wrapped(py - y))
            best = int(np.argmin(far))
            self._place += float(near[best])
            if far[best] > LOST:
                self._lane = -1
        if self._lane < 0:
            self._lane, self._place, _ = routes.nearest_lane(x, y, yaw)
            self._turn, self._granted = int(self._random.choice(3, p=TURNS)), False
        end = LANE_LENGTH + float(LENGTH[routes.connector_of(self._lane, self._turn)])
        if self._place >= end:
            self._lane = int(routes.EXIT_OF[self._lane, self._turn])
            self._place -= end
            self._turn, self._granted = int(self._random.choice(3, p=TURNS)), False
        claims = self._granted or self._place > LANE_LENGTH
        world.demand = Demand(self._lane, self._turn) if claims else Demand()

    def _route(self, place: float, metres: routes.Numbers) -> tuple[routes.Numbers, routes.Numbers]:
        one = np.array([self._lane]), np.array([self._turn]), np.ones(1, bool), np.array([place])
        x, y = routes.ahead(*one, metres)
        return x[0], y[0]

    def _steer(self, world: TownWorld) -> float:
        """Pure pursuit about the rear axle: curvature 2 sin(a) / distance."""
        car = world.car
        reach = 3.2 + 0.42 * max(car.speed, 0.0)
        c, s = math.cos(car.yaw), math.sin(car.yaw)
        rear = car.x - 0.5 * WHEELBASE * c, car.y - 0.5 * WHEELBASE * s
        x, y = self._route(self._place, np.array([reach - 0.5 * WHEELBASE]))
        dx, dy = float(routes.wrapped(x - rear[0])[0]), float(routes.wrapped(y - rear[1])[0])
        left = dy * c - dx * s
        angle = math.atan(WHEELBASE * 2 * left / max(dx * dx + dy * dy, 1.0))
        return min(max(-angle / steering_limit(car.speed), -1.0), 1.0)

    def _acceleration(self, world: TownWorld) -> float:
        speed = max(world.car.speed, 0.0)
        turn_speed = min(CRUISE, float(routes.TURN_SPEED[self._turn]))
        to_turn = LANE_LENGTH - self._place
        wanted = min(CRUISE, math.sqrt(turn_speed**2 + 3.0 * max(to_turn, 0.0)))
        gaps = [(math.inf, 0.0), *self._ahead(world)]
        line = LINE - self._place - world.half[0]
        if to_turn > 0:
            self._granted = self._may_go(world, line, speed)
            if not self._granted and line > -1.5:
                gaps.append((max(line, 0.0) + GAP - 0.5, 0.0))
        gap = np.array([g[0] for g in gaps])
        leader = np.array([g[1] for g in gaps])
        count = len(gaps)
        return float(np.min(follow(np.full(count, speed), np.full(count, wanted), gap, leader)))

    def _may_go(self, world: TownWorld, line: float, speed: float) -> bool:
        colour = world.signals[routes.GROUP_OF[self._lane]]
        if self._granted:
            return bool(colour == GREEN or line < max(1.5, stopping_distance(speed) + 0.5))
        late = line < stopping_distance(speed) or (self._turn == LEFT and line < 2.0)
        if line < -0.5 or colour == GREEN or (colour == AMBER and late):
            near = line < max(3.0, 2.5 * speed)
            crossings = world.people.crossings()
            lane, turn = self._lane, self._turn
            return near and may_enter(world.traffic, lane, turn, world.signals, crossings, 2 * world.half[0])
        return False

    def _ahead(self, world: TownWorld) -> list[tuple[float, float]]:
        """Gaps to the nearest car, and to the nearest person, on the route, metres, with their speeds along it."""
        car, traffic, people = world.car, world.traffic, world.people
        x, y = self._route(self._place, SIGHT)
        found: list[tuple[float, float]] = []
        nose = world.half[0]
        off = np.array([-1.0, 0.0, 1.0])
        discs = off * (traffic.length[:, None] / 2 - 0.8)
        cx = (traffic.x[:, None] + discs * np.cos(traffic.yaw)[:, None]).ravel()
        cy = (traffic.y[:, None] + discs * np.sin(traffic.yaw)[:, None]).ravel()
        radius = np.repeat(traffic.width / 2 + 0.1, 3)
        speed = np.repeat(traffic.speed * np.cos(traffic.yaw - car.yaw), 3)
        walking = people.z < 0.1
        pace = np.zeros(int(walking.sum()))
        px, py = people.x[walking], people.y[walking]
        for ox, oy, wide, along in ((cx, cy, radius, speed), (px, py, np.full(len(px), 0.6), pace)):
            near = np.hypot(routes.wrapped(ox - car.x), routes.wrapped(oy - car.y)) < SIGHT[-1] + 3
            if not near.any():
                continue
            far = np.hypot(
                routes.wrapped(x[:, None] - ox[near]),
                routes.wrapped(y[:, None] - oy[near]),
            )
            touch = far < world.half[1] + wide[near] + 0.25
            step = np.where(touch.any(0), np.argmax(touch, 0), len(SIGHT))
            first = int(np.argmin(step))
            if step[first] < len(SIGHT):
                found.append((float(SIGHT[step[first]]) - nose, max(float(along[near][first]), 0.0)))
        # Within the junction: wait before the crossing that it leaves by while people are on it.
        end = LANE_LENGTH + float(LENGTH[routes.connector_of(self._lane, self._turn)])
        arm = routes.HEADING_OF[routes.EXIT_OF[self._lane, self._turn]]
        stop = end - self._place - 3.2 - nose
        if self._granted and stop > -0.3 and people.crossings()[routes.JUNCTION_OF[self._lane], arm]:
            found.append((max(stop, 0.0) + GAP - 0.4, 0.0))
        return found


def _pedals(acceleration: float, speed: float) -> tuple[float, float]:
    """Throttle and brake that give about `acceleration` (m/s^2) at `speed`."""
    drag = ROLLING + DRAG * speed * speed
    if speed < 0.3 and acceleration < 0.2:
        return 0.0, 0.6
    push = (acceleration + drag + COASTING) / (min(TRACTION, POWER / max(speed, 1e-3)) + COASTING)
    if push >= 0:
        return min(push, 1.0), 0.0
    return 0.0, min(-(acceleration + drag + COASTING) / BRAKES, 1.0)
