"""`Surroundings`: the vehicles and people near the driver, where they are and where the last frame showed them."""

from __future__ import annotations

import math
from typing import Any

from ..messages import Actor
from .conversion import Pose, body_pose, heading, place
from .motion import Body

REACH = 150.0
"""Metres within which the motion of actors is exact; beyond, they are taken to stand still."""
MAP_REACH = 100.0
"""Metres within which the map beside the picture names them."""
REFRESH = 10
"""Steps after which newcomers are looked for."""
SMALLEST = (0.4, 0.4, 0.8)
"""Half a box, metres: CARLA's boxes of two-wheelers leave the rider out."""


class Surroundings:
    """What moves, from the server's snapshots."""

    def __init__(self, world: Any, own: int) -> None:
        """`own`: id of the driver's vehicle."""
        self._world, self._own = world, own
        self._known: list[Any] = []
        self._age = REFRESH
        self._before: dict[int, Pose] = {}

    def look(self, snapshot: Any, x: float, y: float) -> tuple[list[Body], tuple[Actor, ...], dict[int, Pose]]:
        """Everything near a place, the driver's own car included.

        Returns:
            Bodies with their poses at the last `remember`, actors for the map (without the own car), poses by id.

        Raises:
            RuntimeError: the server is gone.
        """
        self._age += 1
        if self._age >= REFRESH:
            everything = self._world.get_actors()
            self._known = [*everything.filter("vehicle.*"), *everything.filter("walker.pedestrian.*")]
            self._age = 0
        bodies, actors, poses = [], [], {}
        for actor in self._known:
            found = snapshot.find(actor.id)
            if found is None:
                continue
            transform = found.get_transform()
            east, north, _ = place(transform.location)
            far = math.hypot(east - x, north - y)
            if far > REACH:
                continue
            pose = poses[actor.id] = body_pose(transform)
            box = actor.bounding_box
            extent = box.extent.x, box.extent.y, box.extent.z
            half = max(extent[0], SMALLEST[0]), max(extent[1], SMALLEST[1]), max(extent[2], SMALLEST[2])
            bodies.append(Body(pose, self._before.get(actor.id), place(box.location), half))
            if far <= MAP_REACH and actor.id != self._own:
                kind = "person" if str(actor.type_id).startswith("walker") else "car"
                actors.append(Actor(kind, east, north, heading(transform.rotation)))
        return bodies, tuple(actors), poses

    def remember(self, poses: dict[int, Pose]) -> None:
        """These are what a frame has shown; the next `look` compares with them."""
        self._before = poses
