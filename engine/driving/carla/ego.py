"""`EgoCar`: the driver's vehicle on the server: spawned, steered, put back on the road, taken away."""

from __future__ import annotations

import contextlib
import logging
import math
import random
from typing import Any

from ..messages import Control, Vehicle
from ..simulator import EngineError
from .connection import Connection
from .conversion import heading, place
from .sensors import ROLE, remove

_LOG = logging.getLogger(__name__)
MODELS = ("vehicle.lincoln.mkz_2020", "vehicle.lincoln.mkz_2017", "vehicle.tesla.model3", "vehicle.audi.a2")
"""Cars of the usual size, best first; one of them is in every version."""
TRAFFIC_PORT = 8000
LIFT = 0.4
"""Metres above the road where a car is put down: lower and its wheels may be in the asphalt."""
ROOM = 6.0
"""Metres to the next vehicle where a car is put."""


class EgoCar:
    """The driver's car."""

    def __init__(self, connection: Connection, seed: int) -> None:
        """Spawn it at a free place that `seed` chooses.

        Raises:
            EngineError: the server knows no car, or every place is taken.
            RuntimeError: the server is gone.
        """
        self._connection, self._world = connection, connection.world
        self._map = self._world.get_map()
        self._autopilot = False
        self._traffic: Any = None
        blueprint = _car(self._world.get_blueprint_library())
        if blueprint.has_attribute("role_name"):
            # The name by which large maps stream around a car, and by which traffic managers keep it awake.
            blueprint.set_attribute("role_name", "hero")
        self.model = str(blueprint.id)
        self.actor = self._spawn(blueprint, seed)

    @property
    def map_name(self) -> str:
        """Such as 'Town10HD_Opt'."""
        return str(self._map.name).rsplit("/", 1)[-1]

    @property
    def map(self) -> Any:
        """`carla.Map`."""
        return self._map

    def obey(self, control: Control) -> None:
        """Pass the driver's control on. Raises RuntimeError where the server is gone."""
        if control.autopilot != self._autopilot:
            self._autopilot = control.autopilot
            self._engage(control.autopilot)
        if self._autopilot and self._traffic is not None:
            return
        made = self._connection.package.VehicleControl(
            throttle=float(control.throttle),
            steer=float(control.steer),
            brake=float(control.brake),
            hand_brake=bool(control.hand_brake),
            reverse=bool(control.reverse),
        )
        self.actor.apply_control(made)

    def message(self, snapshot: Any) -> Vehicle:
        """As DATA says it."""
        found = self.found(snapshot)
        transform, velocity = found.get_transform(), found.get_velocity()
        x, y, _ = place(transform.location)
        yaw = heading(transform.rotation)
        east, north, _ = place(velocity)
        given = self.actor.get_control()
        speed = east * math.cos(yaw) + north * math.sin(yaw)
        return Vehicle(x, y, yaw, speed, float(given.steer), -1 if given.reverse else max(int(given.gear), 0))

    def found(self, snapshot: Any) -> Any:
        """The car in a snapshot.

        Raises:
            EngineError: it is not there any more.
        """
        actor = snapshot.find(self.actor.id)
        if actor is None:
            raise EngineError(
                f"the driver's car is gone from the CARLA server at {self._connection.address}: another program has "
                "removed it or loaded another town. Begin the drive again"
            )
        return actor

    def is_off_road(self, snapshot: Any) -> bool:
        """Whether the car's middle is on no driving lane."""
        location = self.found(snapshot).get_transform().location
        return self._map.get_waypoint(location, project_to_road=False) is None

    def put_back(self, snapshot: Any, others: list[tuple[float, float]]) -> None:
        """Onto the nearest lane, standing, where no other vehicle is.

        Args:
            snapshot: of now.
            others: east and north of the other vehicles.
        """
        waypoint = self._map.get_waypoint(self.found(snapshot).get_transform().location)
        if waypoint is None:
            raise EngineError(f"the map {self.map_name} has no driving lane to put the car back on; load another town")
        candidate = waypoint
        for _ in range(8):
            x, y, _ = place(candidate.transform.location)
            if all(math.hypot(x - ox, y - oy) > ROOM for ox, oy in others):
                break
            further = candidate.next(ROOM)
            if not further:
                candidate = waypoint
                break
            candidate = further[0]
        self.place_at(candidate.transform, LIFT)

    def place_at(self, transform: Any, lift: float, speed: float = 0.0) -> None:
        """Put the car at a `carla.Transform`, `lift` metres higher, going straight ahead at `speed`."""
        package = self._connection.package
        there, turned = transform.location, transform.rotation
        spot = package.Transform(package.Location(x=there.x, y=there.y, z=there.z + lift), turned)
        yaw = math.radians(turned.yaw)
        self.actor.set_transform(spot)
        self.actor.set_target_velocity(package.Vector3D(x=speed * math.cos(yaw), y=speed * math.sin(yaw), z=0.0))
        self.actor.set_target_angular_velocity(package.Vector3D(x=0.0, y=0.0, z=0.0))

    def close(self) -> None:
        """Take the car away; a server that is gone does no harm."""
        if self._traffic is not None:
            with contextlib.suppress(RuntimeError):
                self.actor.set_autopilot(False, self._traffic.get_port())
            with contextlib.suppress(RuntimeError):
                self._traffic.set_synchronous_mode(False)
            self._traffic = None
        remove(self.actor)

    def _engage(self, on: bool) -> None:
        try:
            if self._traffic is None:
                if not on:
                    return
                self._traffic = self._connection.client.get_trafficmanager(TRAFFIC_PORT)
                # In a world that waits for ticks it would otherwise plan on the wall's clock.
                self._traffic.set_synchronous_mode(True)
            self.actor.set_autopilot(on, self._traffic.get_port())
        except RuntimeError as error:
            self._traffic = None
            _LOG.warning("CARLA's traffic manager cannot be had (%s): the car goes on by the driver's control", error)

    def _spawn(self, blueprint: Any, seed: int) -> Any:
        spots = list(self._map.get_spawn_points())
        if not spots:  # maps made of an OpenDRIVE file alone may have none
            spots = [_lifted(self._connection.package, w.transform) for w in self._map.generate_waypoints(20.0)]
        random.Random(seed).shuffle(spots)
        for spot in spots:
            actor = self._world.try_spawn_actor(blueprint, spot)
            if actor is not None:
                return actor
        raise EngineError(
            f"the map {self.map_name} of the CARLA server at {self._connection.address} has no free place for a car "
            f"({len(spots)} were tried): remove vehicles, or load another town"
        )


def clear_leftovers(world: Any) -> int:
    """Remove the sensors of a drive whose process died, and the cars that they hang on; how many actors that were."""
    everything = world.get_actors()
    sensors = [a for a in everything.filter("sensor.*") if a.attributes.get("role_name") == ROLE]
    cars = {a.parent.id: a.parent for a in sensors if a.parent is not None}
    for actor in (*sensors, *cars.values()):
        remove(actor)
    return len(sensors) + len(cars)


def _car(library: Any) -> Any:
    for model in MODELS:
        with contextlib.suppress(IndexError, RuntimeError):
            return library.find(model)
    found = [b for b in library.filter("vehicle.*") if b.has_attribute("number_of_wheels")]
    for blueprint in found:
        if int(blueprint.get_attribute("number_of_wheels")) == 4:
            return blueprint
    raise EngineError("this CARLA server has no car to drive; expected CARLA 0.9.13 to 0.9.16 as released")


def _lifted(package: Any, transform: Any) -> Any:
    there = transform.location
    return package.Transform(package.Location(x=there.x, y=there.y, z=there.z + LIFT), transform.rotation)
