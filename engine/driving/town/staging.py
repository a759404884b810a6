"""Turns a `TownWorld` into the rows that the renderer draws: where everything is, and was in the last frame."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..messages import Actor
from .pedestrians import Pedestrians
from .plan import SIZE
from .routes import Numbers, wrapped
from .scene import ACTOR, EGO, Actors
from .signals import signals
from .traffic import Traffic
from .world import TownWorld

CAR_REACH, PERSON_REACH = 125.0, 90.0
"""Metres within which cars and people are drawn."""
MAP_REACH = 100.0
"""Metres within which the map beside the picture names them."""


class Staging:
    """Remembers from frame to frame where things were."""

    def __init__(self, world: TownWorld) -> None:
        self._world = world
        town = world.town
        parked = [(body, rows) for body, rows in enumerate(town.parked) if len(rows)]
        self._parked: NDArray[np.void] = np.concatenate([r for _, r in parked]) if parked else np.zeros(0, ACTOR)
        self._parked_body = np.concatenate([np.full(len(r), b) for b, r in parked]) if parked else np.zeros(0, int)
        self._before: dict[str, Numbers] = {}

    def forget(self) -> None:
        """The next frame is a cut: nothing was anywhere before."""
        self._before = {}

    def rows(self, ego: bool) -> Actors:
        """Everything near the driver's car, the car itself where `ego`; and remembers it for the next call."""
        world = self._world
        traffic, people, car = world.traffic, world.people, world.car
        first = world.town.next_instance
        flat = np.zeros(len(traffic))
        cars = self._made(
            "cars",
            np.stack([traffic.x, traffic.y, flat, traffic.yaw], 1),
            first + np.arange(len(traffic)),
            1.0,
            traffic.braking,
        )
        walkers = self._made(
            "people",
            np.stack([people.x, people.y, people.z, people.yaw], 1),
            first + len(traffic) + np.arange(len(people)),
            people.size,
            people.phase,
        )
        own = self._made(
            "ego",
            np.array([[car.x, car.y, 0.0, car.yaw]]),
            np.array([EGO]),
            1.0,
            np.array([world.brake_light]),
        )
        bodies = np.concatenate([self._parked_body, traffic.body, np.zeros(int(ego), int)])
        all_cars = np.concatenate([self._parked, cars, own[: int(ego)]])
        x, y = all_cars["now"][:, 0], all_cars["now"][:, 1]
        near = np.hypot(wrapped(x - car.x), wrapped(y - car.y)) < CAR_REACH
        close = np.hypot(wrapped(people.x - car.x), wrapped(people.y - car.y)) < PERSON_REACH
        scene = world.town.scene
        return Actors(
            tuple(all_cars[near & (bodies == k)] for k in range(len(scene.cars))),
            tuple(walkers[close & (people.kind == k)] for k in range(len(scene.people))),
            signals(world.time),
        )

    def actors(self) -> tuple[Actor, ...]:
        """Moving cars and people for the map, in the copy nearest to the driver's car."""
        world = self._world
        car = world.car
        kinds: tuple[tuple[Literal["car", "person"], Traffic | Pedestrians], ...]
        kinds = ("car", world.traffic), ("person", world.people)
        found: list[Actor] = []
        for kind, group in kinds:
            dx, dy = wrapped(group.x - car.x), wrapped(group.y - car.y)
            for k in np.flatnonzero(np.hypot(dx, dy) < MAP_REACH):
                found.append(Actor(kind, float(car.x + dx[k]), float(car.y + dy[k]), float(group.yaw[k])))
        return tuple(found)

    def _made(
        self,
        name: str,
        now: Numbers,
        instance: NDArray[np.int64],
        height: Numbers | float,
        state: NDArray[np.generic],
    ) -> NDArray[np.void]:
        now[:, :2] %= SIZE  # so that float32 stays exact however far the drive has come
        before = self._before.get(name, now)
        if before.shape != now.shape:
            before = now
        self._before[name] = now.copy()
        step = before - now
        step[:, :2] = wrapped(step[:, :2])
        step[:, 3] = (step[:, 3] + np.pi) % (2 * np.pi) - np.pi
        rows = np.zeros(len(now), ACTOR)
        rows["now"], rows["before"] = now, now + step
        rows["instance"], rows["length"], rows["height"], rows["state"] = instance, 1.0, height, state
        return rows
