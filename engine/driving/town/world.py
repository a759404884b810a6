"""`TownWorld`: everything that moves in the town and how it goes on, without a picture of it."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..messages import Control, Event
from ..vehicle import SUBSTEP, CarState, substep
from . import routes
from .collision import Boxes, SolidGrid, deepest, overlaps, respond
from .offences import Offences
from .pedestrians import Pedestrians
from .plan import wrap
from .right_of_way import Demand
from .routes import EAST, LANE_LENGTH, LANES, NORTH, Numbers, wrapped
from .signals import signals
from .town import Town
from .traffic import Obstacles, Traffic

CLEAR = 14.0
"""Metres around the start that stay free of cars and people."""
TELLABLE = 1.0
"""Impacts slower than this, m/s, are no event."""
APART = 1.0
"""Seconds without contact after which the same thing can be hit anew."""
PERSON_RADIUS = 0.3


class TownWorld:
    """Signals, traffic, people and the driver's car. The same seed and the same controls give the same world."""

    def __init__(self, town: Town, seed: int, cars: int = 60, people: int = 60) -> None:
        self.town, self.seed = town, seed
        self.grid = SolidGrid(town.solids)
        body = town.bodies[0]
        self.half = body.length / 2, body.width / 2
        """Half length and half width of the driver's car."""
        random = np.random.default_rng((seed, 0))
        self.time, self.steps = 0.0, 0
        self.car = CarState()
        self.traffic = Traffic(0, town.bodies, seed)
        self.people = Pedestrians(0, 1, seed)
        lane = int(random.integers(LANES))
        self._place_on(lane, 12.0)
        around = self.car.x, self.car.y, CLEAR
        self.traffic = Traffic(cars, town.bodies, seed, around)
        self.people = Pedestrians(people, len(town.scene.people), seed, around)
        self.signals = signals(0.0)
        self.demand = Demand()
        """What the driver's car claims of a junction; set by the autopilot."""
        self.offences = Offences()
        self.jumped = False
        """Whether the last step has put the car elsewhere."""
        self.brake_light = False
        self._resets: int | None = None
        self._touched: dict[str, float] = {}

    def step(self, control: Control, seconds: float) -> list[Event]:
        """Obey `control` for `seconds`; what happened meanwhile."""
        events: list[Event] = []
        self.jumped = False
        if self._resets is None:
            self._resets = control.resets
        if control.resets > self._resets:
            events += self.reset()
        self._resets = control.resets
        self.signals = signals(self.time)
        self.brake_light = control.brake > 0.05 or control.hand_brake
        events += self._drive(control, seconds)
        touched = self.people.dodge(seconds, self.car.x, self.car.y, self.car.yaw, self.car.speed, self.half)
        for k in touched.tolist():
            events += self._tell(f"person {k}", "somebody jumped out of the way", 3.0)
        self.traffic.step(seconds, self.signals, self.people.crossings(), self.obstacles(), self.demand)
        events += self._separate()
        self.people.step(seconds, self.time, self._car_boxes())
        self.people.dodge(0.0, self.car.x, self.car.y, self.car.yaw, 0.0, self.half)
        self.time, self.steps = self.time + seconds, self.steps + 1
        return events + self.offences.step(seconds, self.car, self.half[0], self.signals)

    def reset(self) -> list[Event]:
        """Put the driver's car back on the nearest lane that is free, standing."""
        self._place_near(self.car.x, self.car.y, self.car.yaw)
        self.jumped = True
        self.offences.forget()
        self.demand = Demand()
        return [Event("reset", "back on the road")]

    def obstacles(self) -> Obstacles:
        """The driver's car and the people on the carriageway, as traffic sees them."""
        car, people = self.car, self.people
        c, s = math.cos(car.yaw), math.sin(car.yaw)
        along = np.array([-1.0, 0.0, 1.0]) * (self.half[0] - 0.75)
        here = people.z < 0.1
        heading = people.heading[here]
        pace = people.pace[here] * people.going[here]
        count = int(here.sum())
        return Obstacles(
            np.concatenate([car.x + along * c, people.x[here]]),
            np.concatenate([car.y + along * s, people.y[here]]),
            np.concatenate([np.full(3, self.half[1] + 0.05), np.full(count, PERSON_RADIUS)]),
            np.concatenate([np.full(3, car.speed * c), EAST[heading] * pace]),
            np.concatenate([np.full(3, car.speed * s), NORTH[heading] * pace]),
        )

    def _drive(self, control: Control, seconds: float) -> list[Event]:
        events: list[Event] = []
        count = max(1, math.ceil(seconds / SUBSTEP - 1e-9))
        reach = math.hypot(*self.half) + abs(self.car.speed) * seconds + 0.5
        boxes, names, cars = self._solid(reach)
        for _ in range(count):
            before = self.car
            self.car = substep(before, control, seconds / count)
            events += self._resolve(boxes, names, cars, before)
        return events

    def _separate(self) -> list[Event]:
        """After the others have moved: out of whoever drove into the car."""
        return self._resolve(*self._solid(math.hypot(*self.half) + 0.5), self.car)

    def _solid(self, reach: float) -> tuple[Boxes, list[str], list[int]]:
        """Everything solid within `reach`, what it is, and its number in the traffic (-1: it stands still)."""
        car, traffic = self.car, self.traffic
        still = self.grid.near(car.x, car.y, reach)
        far = np.hypot(wrapped(traffic.x - car.x), wrapped(traffic.y - car.y))
        moving = np.flatnonzero(far < reach + 3.5)
        a, b = self.grid.boxes(still), moving
        yaw, speed = traffic.yaw[b], traffic.speed[b]
        boxes = Boxes(
            np.concatenate([a.x, traffic.x[b]]),
            np.concatenate([a.y, traffic.y[b]]),
            np.concatenate([a.half_length, traffic.length[b] / 2]),
            np.concatenate([a.half_width, traffic.width[b] / 2]),
            np.concatenate([a.yaw, yaw]),
            np.concatenate([a.east, speed * np.cos(yaw)]),
            np.concatenate([a.north, speed * np.sin(yaw)]),
        )
        names = [self.town.solid_names[k] for k in still] + ["a car"] * len(b)
        return boxes, names, [-1] * len(still) + b.tolist()

    def _resolve(self, boxes: Boxes, names: list[str], cars: list[int], before: CarState) -> list[Event]:
        events: list[Event] = []
        for _ in range(8):
            contact = deepest(self.car, self.half, boxes)
            if contact is None:
                return events
            k = contact.index
            self.car, impact = respond(self.car, self.half, contact, boxes)
            if cars[k] >= 0 and impact > 0.2:
                self.traffic.hit(cars[k])
            key = f"{names[k]} {boxes.x[k]:.1f} {boxes.y[k]:.1f}" if cars[k] < 0 else f"car {cars[k]}"
            text = f"hit {names[k]} at {impact * 3.6:.0f} km/h"
            events += self._tell(key, text, APART, impact >= TELLABLE)
        # Wedged between two things: back to where it was free, standing.
        self.car = replace(before, speed=0.0, slide=0.0, spin=0.0)
        if deepest(self.car, self.half, boxes) is not None:
            self._place_near(self.car.x, self.car.y, self.car.yaw)
            self.jumped = True
        return events

    def _tell(self, key: str, text: str, apart: float, worth: bool = True) -> list[Event]:
        """The event of touching `key`, unless it has been touched within `apart` seconds."""
        last = self._touched.get(key, -math.inf)
        if worth or key in self._touched:
            self._touched[key] = self.time
        if len(self._touched) > 64:
            self._touched = {k: t for k, t in self._touched.items() if self.time - t < 10.0}
        return [Event("collision", text)] if worth and self.time - last > apart else []

    def _car_boxes(self) -> tuple[Numbers, ...]:
        car, traffic = self.car, self.traffic
        return (
            np.append(traffic.x, car.x),
            np.append(traffic.y, car.y),
            np.append(traffic.yaw, car.yaw),
            np.append(traffic.length, 2 * self.half[0]),
            np.append(traffic.width, 2 * self.half[1]),
        )

    def _free(self, x: float, y: float, yaw: float, apart: float) -> bool:
        """Whether the car could stand there with `apart` metres to other cars before and behind it, on its lane."""
        half = self.half[0] + 0.2, self.half[1] + 0.1
        still = self.grid.near(x, y, math.hypot(*half) + 0.5)
        if len(still) and (overlaps(x, y, yaw, half, self.grid.boxes(still))[0] > 0).any():
            return False
        room = self.half[0] + apart, self.half[1] + 0.3
        for px, py, radius in ((self.traffic.x, self.traffic.y, 2.3), (self.people.x, self.people.y, 0.5)):
            dx, dy = wrapped(px - x), wrapped(py - y)
            along, left = dx * math.cos(yaw) + dy * math.sin(yaw), dy * math.cos(yaw) - dx * math.sin(yaw)
            if ((np.abs(along) < room[0] + radius) & (np.abs(left) < room[1] + radius * 0.5)).any():
                return False
        return True

    def _place_near(self, x: float, y: float, yaw: float) -> None:
        """On the nearest lane, best in the direction of `yaw`; further along and on other lanes until there is room."""
        first, along, _ = routes.nearest_lane(x, y, yaw)
        for apart in (4.0, 1.0):
            for lane in (first, *_others(first, x, y)):
                start = along if lane == first else LANE_LENGTH / 2
                for off in (0.0, 4.0, -4.0, 8.0, -8.0, 13.0, -13.0, 18.0, -18.0, 24.0, -24.0):
                    if 3.0 <= start + off <= LANE_LENGTH - 6.0 or (off == 0.0 and not 3.0 <= start <= LANE_LENGTH - 6):
                        place = min(max(start + off, 3.0), LANE_LENGTH - 6.0)
                        px, py, pyaw = (float(v[0]) for v in routes.poses(np.array([lane]), np.array([place])))
                        if self._free(px, py, pyaw, apart):
                            self._place_on(lane, place)
                            return
        self._place_on(first, along)

    def _place_on(self, lane: int, along: float) -> None:
        x, y, yaw = (float(v[0]) for v in routes.poses(np.array([lane]), np.array([along])))
        # The copy of the place that is nearest to where the car was.
        x, y = self.car.x + wrap(x - self.car.x), self.car.y + wrap(y - self.car.y)
        self.car = CarState(x, y, math.remainder(yaw, 2 * math.pi))

    def state(self) -> dict[str, Any]:
        """Plain JSON values from which `restore` goes on as if nothing had happened."""
        return {
            "time": self.time,
            "steps": self.steps,
            "car": asdict(self.car),
            "traffic": self.traffic.state(),
            "people": self.people.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError where that is no state of this world; it is then as before."""
        time, steps = float(state["time"]), int(state["steps"])
        fields = {name: type(default)(state["car"][name]) for name, default in asdict(CarState()).items()}
        if not all(math.isfinite(v) for v in (time, *fields.values())):
            raise ValueError("a number is not finite")
        kept = self.traffic.state()
        self.traffic.restore(state["traffic"])
        try:
            self.people.restore(state["people"])
        except (KeyError, TypeError, ValueError):
            self.traffic.restore(kept)
            raise
        self.time, self.steps, self.car = time, steps, CarState(**fields)
        self.signals, self._resets = signals(time), None
        self.demand = Demand()
        self.offences.forget()


def _others(first: int, x: float, y: float) -> list[int]:
    """The lanes but `first`, nearest first."""
    lanes = np.arange(LANES)
    px, py, _ = routes.poses(lanes, np.full(LANES, LANE_LENGTH / 2))
    far: NDArray[np.float64] = np.hypot(wrapped(px - x), wrapped(py - y))
    return [int(k) for k in np.argsort(far, kind="stable") if k != first][:40]
