"""`Rig`: the cameras of one viewpoint, each with a queue of its own; and the collision sensor."""

from __future__ import annotations

import contextlib
import math
import queue
import time
from typing import Any, Literal

from ..messages import Event, Viewpoint
from ..simulator import EngineError
from ..town.cameras import ABOVE, DIP, DISTANCE, FOV, HEIGHT, LEAD, TILT
from .clock import frame_of
from .connection import Connection
from .conversion import horizontal_degrees

Kind = Literal["semantic", "instance", "depth", "flow", "photo"]
BLUEPRINTS: dict[Kind, str] = {
    "semantic": "sensor.camera.semantic_segmentation",
    "instance": "sensor.camera.instance_segmentation",
    "depth": "sensor.camera.depth",
    "flow": "sensor.camera.optical_flow",
    "photo": "sensor.camera.rgb",
}
ROLE = "neuroview"
"""`role_name` of our sensors: a later drive finds by it what a process that died has left behind."""
APART = 1.0
"""Seconds of the simulation after which the same thing can be hit anew."""
TELLABLE = 1.0
"""Metres a second below which a touch is no event."""


class Rig:
    """Cameras in one place, which all show the same frame."""

    def __init__(
        self,
        connection: Connection,
        vehicle: Any,
        viewpoint: Viewpoint,
        width: int,
        height: int,
        kinds: tuple[Kind, ...],
    ) -> None:
        """Mount the cameras on `vehicle`.

        Raises:
            EngineError: the server knows no such camera.
            RuntimeError: the server is gone.
        """
        self.viewpoint, self.kinds = viewpoint, kinds
        self._sensors: list[Any] = []
        self._queues: dict[Kind, queue.SimpleQueue[Any]] = {}
        transform, attachment = _mount(connection.package, vehicle, viewpoint)
        library = connection.world.get_blueprint_library()
        try:
            for kind in kinds:
                blueprint = _blueprint(library, BLUEPRINTS[kind])
                degrees = horizontal_degrees(FOV, width, height)
                for name, value in (("image_size_x", width), ("image_size_y", height), ("fov", degrees)):
                    blueprint.set_attribute(name, str(value))
                if blueprint.has_attribute("role_name"):
                    blueprint.set_attribute("role_name", ROLE)
                sensor = connection.world.spawn_actor(
                    blueprint, transform, attach_to=vehicle, attachment_type=attachment
                )
                self._sensors.append(sensor)
                arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
                self._queues[kind] = arrived
                sensor.listen(arrived.put)
        except BaseException:
            self.close()
            raise

    def collect(self, frame: int, patience: float) -> dict[Kind, Any]:
        """What every camera saw of a frame. Older pictures are dropped.

        Args:
            frame: what `tick` returned.
            patience: seconds to wait for all of them together.

        Raises:
            EngineError: a camera sends nothing of that frame, or one of a later frame.
        """
        until = time.monotonic() + patience
        found: dict[Kind, Any] = {}
        for kind, arrived in self._queues.items():
            while kind not in found:
                try:
                    data = arrived.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    raise EngineError(
                        f"CARLA's {kind} camera sent no picture of frame {frame} within {patience:g} s; the server is "
                        "overloaded or stuck: make the picture smaller, or start the server again"
                    ) from None
                if frame_of(data) > frame:
                    raise EngineError(
                        f"CARLA's {kind} camera sent frame {frame_of(data)} while {frame} was awaited: another program "
                        "steps this server too. End it, or start a server for this drive on a port of its own"
                    )
                if frame_of(data) == frame:
                    found[kind] = data
        return found

    def drop(self) -> None:
        """Nobody wants what has come so far."""
        for arrived in self._queues.values():
            with contextlib.suppress(queue.Empty):
                while True:
                    arrived.get_nowait()

    def close(self) -> None:
        """Take the cameras away; twice does no harm, nor a server that is gone."""
        sensors, self._sensors = self._sensors, []
        for sensor in sensors:
            remove(sensor)
        self.drop()


class Bumper:
    """Tells what the car has hit."""

    def __init__(self, connection: Connection, vehicle: Any) -> None:
        blueprint = _blueprint(connection.world.get_blueprint_library(), "sensor.other.collision")
        if blueprint.has_attribute("role_name"):
            blueprint.set_attribute("role_name", ROLE)
        still = connection.package.Transform()
        self._sensor = connection.world.spawn_actor(blueprint, still, attach_to=vehicle)
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._last: dict[str, float] = {}
        self._sensor.listen(self._arrived.put)

    def events(self, now: float, speed: float) -> list[Event]:
        """What was hit since the last call.

        Args:
            now: seconds of the simulation.
            speed: of the car before the blow, m/s.
        """
        told: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while True:
                other = self._arrived.get_nowait().other_actor
                name = _name(str(getattr(other, "type_id", "")))
                key = f"{name} {getattr(other, 'id', 0)}"
                last, self._last[key] = self._last.get(key, -math.inf), now
                if now - last > APART and abs(speed) >= TELLABLE:
                    told.append(Event("collision", f"hit {name} at {abs(speed) * 3.6:.0f} km/h"))
        if len(self._last) > 64:
            self._last = {key: when for key, when in self._last.items() if now - when <= APART}
        return told

    def close(self) -> None:
        """Take it away; a server that is gone does no harm."""
        remove(self._sensor)


def remove(actor: Any) -> None:
    """Stop and destroy an actor, if the server still has it."""
    with contextlib.suppress(RuntimeError, AttributeError):  # vehicles have no stop
        actor.stop()
    with contextlib.suppress(RuntimeError):
        actor.destroy()


def _mount(package: Any, vehicle: Any, viewpoint: Viewpoint) -> tuple[Any, Any]:
    """Where a camera sits on the car, in Unreal's axes, and how it hangs there; the views are the embedded town's."""
    kinds = package.AttachmentType
    if viewpoint == "hood":
        # Before and above the driver, outside the bodywork, as CARLA's manual control has it.
        extent = vehicle.bounding_box.extent
        spot = package.Location(x=0.8 * (0.5 + extent.x), y=0.0, z=1.3 * (0.5 + extent.z))
        return package.Transform(spot, package.Rotation(pitch=-math.degrees(math.atan(0.05)))), kinds.Rigid
    if viewpoint == "top":
        back, up, pitch = ABOVE * TILT - LEAD, ABOVE, -math.atan(1 / TILT)
    else:
        back, up, pitch = DISTANCE, HEIGHT, -math.atan(DIP)
    # At the end of a spring arm (which keeps level and follows the car's heading late) a camera looks along the arm;
    # its own pitch comes on top.
    along = -math.atan2(up, back)
    spot = package.Location(x=-back, y=0.0, z=up)
    arm = getattr(kinds, "SpringArmGhost", None) or kinds.SpringArm
    return package.Transform(spot, package.Rotation(pitch=math.degrees(pitch - along))), arm


def _blueprint(library: Any, name: str) -> Any:
    try:
        return library.find(name)
    except (IndexError, RuntimeError) as error:
        raise EngineError(
            f"this CARLA server has no {name} ({error}); expected CARLA 0.9.13 to 0.9.16 as released"
        ) from error


def _name(type_id: str) -> str:
    """What was hit, with its article: 'vehicle.tesla.model3' -> 'a vehicle', 'static.pole' -> 'a pole'."""
    group, _, rest = type_id.partition(".")
    known = {"vehicle": "a vehicle", "walker": "a person"}
    if group in known:
        return known[group]
    word = rest.split(".")[-1].replace("_", " ")
    plain = {"trafficlight": "traffic light", "trafficsign": "traffic sign", "roadlines": "road", "unknown": ""}
    word = plain.get(word.lower().replace(" ", ""), word)
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if word.isascii() and word.strip() else "something"
