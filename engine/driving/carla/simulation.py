"""`CarlaSimulator`: a real CARLA server as a `Simulator`: steps its world and draws it through its cameras.

Written for CARLA 0.9.13 to 0.9.16 by their documentation and source, and tested against a scripted stand-in of the
client package: no server was at hand.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator
from typing import Any

from ..messages import Control, DriveFrame, EngineInfo, Event, Weather
from ..saved_state import check_saved, reading_saved
from ..simulator import EngineError
from ..town.cameras import FOV
from .clock import WorldClock
from .connection import connect, load_package
from .conversion import camera_message, picture
from .ego import EgoCar, clear_leftovers
from .frames import FrameMaker
from .roads import lane_lines
from .sensors import Bumper, Kind, Rig
from .surroundings import Surroundings
from .weather import apply_weather

_LOG = logging.getLogger(__name__)
SETTLE = 0.7
"""Seconds of the simulation in which a spawned car falls onto its wheels."""
OFF_ROAD = 0.4
"""Seconds beside the road that are an event."""
_VERSION = 1


class CarlaSimulator:
    """Drives a car on a CARLA server. See `Simulator` for what its methods promise.

    A server renders every camera at every step, also for frames that nobody wants. Replays are as exact as the
    server's physics, which do not promise to be.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 2000,
        *,
        width: int = 256,
        height: int = 128,
        rate: float = 30.0,
        seed: int = 0,
        timeout: float = 20.0,
        package: Any = None,
    ) -> None:
        """Take a server's clock, put a car on its road and cameras on the car.

        Args:
            host: of the server.
            port: likewise.
            width: of every map and picture, pixels.
            height: likewise.
            rate: steps a second of the simulation, 7..240.
            seed: chooses where the drive begins.
            timeout: seconds that the server may take for anything.
            package: what to use as the `carla` module; None: the installed one.

        Raises:
            EngineError: no such package, no server there, versions that do not go together, somebody else steps that
                world, or there is no room for a car.
        """
        self._closed = False
        self._patience = timeout
        self._clock: WorldClock | None = None
        self._undo = contextlib.ExitStack()
        connection = connect(host, port, timeout, load_package() if package is None else package)
        self._connection, self._world = connection, connection.world
        try:
            with self._asking():
                self._begin(width, height, rate, seed)
        except BaseException:
            self.close()
            raise

    def _begin(self, width: int, height: int, rate: float, seed: int) -> None:
        world, connection = self._world, self._connection
        clock = self._clock = WorldClock(connection, rate, self._patience)
        if clock.orphaned and (count := clear_leftovers(world)):
            _LOG.info("%d actors of a drive that died were removed from the CARLA server", count)
        sky = world.get_weather()
        self._undo.callback(self._quietly, world.set_weather, sky)
        self._weather: Weather | None = None
        self._sky = world.get_weather()
        self._car = EgoCar(connection, seed)
        self._undo.callback(self._car.close)
        self._bumper = Bumper(connection, self._car.actor)
        self._undo.callback(self._bumper.close)
        self._rig: Rig | None = None
        self._undo.callback(self._unmount)
        self._around = Surroundings(world, int(self._car.actor.id))
        self._maker = FrameMaker(width, height, connection.label_set)
        self._events: list[Event] = []
        self._resets: int | None = None
        self._beside = 0.0
        self._cut, self._drawn = True, -1
        self._number = 0
        for _ in range(math.ceil(SETTLE * rate)):
            clock.tick()
        self._snapshot = world.get_snapshot()
        self._began = float(self._snapshot.timestamp.elapsed_seconds)
        self._vehicle = self._car.message(self._snapshot)
        self._place = _place_of(self._car.found(self._snapshot))
        lines, lane_width = lane_lines(self._car.map)
        self.info = EngineInfo(
            name="carla",
            title=f"CARLA {connection.version}, {self._car.map_name}",
            label_set=connection.label_set,
            width=width,
            height=height,
            rate=rate,
            has_photo=True,
            parts=("depth", "motion", "expected_depth", "height", "normals", "ground", "sun", "photo"),
            roads=lines,
            road_width=lane_width,
        )

    def advance(self, control: Control) -> None:
        """As `Simulator.advance`."""
        self._open()
        with self._asking():
            self._step(control)
            if self._rig is not None:
                self._rig.drop()

    def step(self, control: Control) -> DriveFrame:
        """As `Simulator.step`."""
        self._open()
        with self._asking():
            rig = self._mounted(control)
            frame = self._step(control)
            images = rig.collect(frame, self._patience)
            return self._frame(control, images)

    def state(self) -> dict[str, Any]:
        """As `Simulator.state`; asks nothing of the server."""
        return {
            "engine": "carla",
            "version": _VERSION,
            "map": self._car.map_name,
            "place": list(self._place),
            "speed": self._vehicle.speed,
            "number": self._number,
            "time": self._time(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """As `Simulator.restore`: the car goes back where it was; the others are where the server has them."""
        self._open()
        wanted = {"engine": "carla", "version": _VERSION, "map": self._car.map_name}
        check_saved(state, wanted, f"CARLA server shows {self._car.map_name}", "load that town")
        with reading_saved():
            x, y, z, pitch, yaw, roll = (float(n) for n in state["place"])
            speed, time, number = float(state["speed"]), float(state["time"]), int(state["number"])
            if not all(math.isfinite(n) for n in (x, y, z, pitch, yaw, roll, speed, time)) or number < 0:
                raise ValueError("a number is not finite")
        package = self._connection.package
        spot = package.Transform(
            package.Location(x=x, y=y, z=z), package.Rotation(pitch=pitch, yaw=yaw, roll=roll)
        )  # fmt: skip
        with self._asking():
            self._car.place_at(spot, 0.1, speed)
        self._place, self._number, self._cut, self._resets = (x, y, z, pitch, yaw, roll), number, True, None
        self._began = float(self._snapshot.timestamp.elapsed_seconds) - time
        self._events = []

    def close(self) -> None:
        """As `Simulator.close`: takes everything of ours from the server and lets it run as before."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(RuntimeError):
            # It may be gone; nobody shall wait long for that.
            self._connection.client.set_timeout(2.0)
        # The clock first: whatever else goes wrong, the server must not be left waiting for us.
        if self._clock is None or self._quietly(self._clock.give_back):
            self._undo.close()

    def _step(self, control: Control) -> int:
        """Obey, let one step pass, and see what has happened; the server's number of the frame."""
        if self._resets is not None and control.resets > self._resets:
            self._put_back()
        self._resets = control.resets
        if control.weather != self._weather:
            self._weather = control.weather
            apply_weather(self._sky, control.weather)
            self._world.set_weather(self._sky)
        self._car.obey(control)
        speed = self._vehicle.speed
        assert self._clock is not None
        frame = self._clock.tick()
        self._number += 1
        self._snapshot = self._world.get_snapshot()
        self._vehicle = self._car.message(self._snapshot)
        self._place = _place_of(self._car.found(self._snapshot))
        self._events += self._bumper.events(self._time(), speed)
        self._events += self._off_road()
        return frame

    def _frame(self, control: Control, images: dict[Kind, Any]) -> DriveFrame:
        vehicle, number = self._vehicle, self._number
        bodies, actors, poses = self._around.look(self._snapshot, vehicle.x, vehicle.y)
        cut, self._cut = self._cut, False
        sky = self._world.get_weather()
        single = self._drawn == number - 1
        maps, pose = self._maker.make(images, bodies, self._place[2], sky, cut=cut, single=single)
        self._around.remember(poses)
        self._drawn = number
        events, self._events = tuple(self._events), []
        return DriveFrame(
            number=number,
            time=self._time(),
            labels=maps.labels,
            instances=maps.instances,
            depth=maps.depth,
            motion=maps.motion,
            expected_depth=maps.expected_depth,
            geometry=maps.geometry,
            camera=camera_message(pose, FOV),
            vehicle=vehicle,
            hour=control.weather.hour,
            actors=actors,
            events=events,
            photo=picture(images["photo"]) if control.photo and "photo" in images else None,
            control_serial=control.serial,
            cut=cut,
        )

    def _mounted(self, control: Control) -> Rig:
        """The cameras that `control` needs. Others, or one more, mean a cut: all of them start together."""
        kinds: list[Kind] = ["semantic", "instance", "depth"]
        if self._maker.scale.verdict != "refused":
            kinds.append("flow")
        if control.photo:
            kinds.append("photo")
        rig = self._rig
        if rig is None or rig.viewpoint != control.viewpoint or not set(rig.kinds) >= set(kinds):
            self._unmount()
            size = self.info.width, self.info.height
            rig = self._rig = Rig(self._connection, self._car.actor, control.viewpoint, *size, tuple(kinds))
            self._cut = True
        return rig

    def _unmount(self) -> None:
        rig, self._rig = self._rig, None
        if rig is not None:
            rig.close()

    def _put_back(self) -> None:
        mine = self._vehicle
        _, _, poses = self._around.look(self._snapshot, mine.x, mine.y)
        own = int(self._car.actor.id)
        others = [(float(pose[0, 3]), float(pose[1, 3])) for key, pose in poses.items() if key != own]
        self._car.put_back(self._snapshot, others)
        self._events.append(Event("reset", "back on the road"))
        self._cut, self._beside = True, 0.0

    def _off_road(self) -> list[Event]:
        if not self._car.is_off_road(self._snapshot):
            self._beside = 0.0
            return []
        before, self._beside = self._beside, self._beside + 1 / self.info.rate
        return [Event("off road", "left the road")] if before < OFF_ROAD <= self._beside else []

    def _time(self) -> float:
        return float(self._snapshot.timestamp.elapsed_seconds) - self._began

    def _open(self) -> None:
        if self._closed:
            raise EngineError("this CARLA drive has been closed; make another simulator.")

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Whatever the package raises means that the server is gone, or as good as."""
        try:
            yield
        except EngineError:
            raise
        except RuntimeError as error:
            raise EngineError(
                f"the CARLA server at {self._connection.address} no longer answers ({error}). Start it again; the "
                "drive goes on where it was"
            ) from error

    @staticmethod
    def _quietly(act: Any, *arguments: Any) -> bool:
        try:
            act(*arguments)
        except RuntimeError as error:
            _LOG.warning("the CARLA server could not be left as it was found (%s)", error)
            return False
        return True


def _place_of(actor: Any) -> tuple[float, float, float, float, float, float]:
    """x, y, z, pitch, yaw, roll of an actor in Unreal's own numbers: metres and degrees."""
    transform = actor.get_transform()
    there, turned = transform.location, transform.rotation
    return there.x, there.y, there.z, turned.pitch, turned.yaw, turned.roll
