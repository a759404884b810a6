"""DATA, CONTROL and the handshake between values and protobuf; whatever comes in is checked before anyone sees it."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from ...models.base import LabelSet
from . import planes
from . import service_pb2 as pb
from .messages import (
    PROTOCOL,
    Actor,
    CameraPose,
    Control,
    DriveFrame,
    EngineInfo,
    Event,
    EventKind,
    Geometry,
    Look,
    Part,
    Vehicle,
    Viewpoint,
    Weather,
)
from .planes import ProtocolError

MAX_MESSAGE = 64 << 20
"""Bytes of one message, both ways: a full frame of 2048 x 1024 takes 59 million."""
MOST_PIXELS = 1 << 21
PARTS: tuple[Part, ...] = get_args(Part)

_VIEWPOINTS: tuple[Viewpoint, ...] = get_args(Viewpoint)
_LOOKS: tuple[Look, ...] = get_args(Look)
_EVENTS: tuple[EventKind, ...] = get_args(EventKind)
_ACTORS = ("car", "person")
_FIELDS: dict[str, tuple[str, int]] = {
    "depth": ("depth", 1),
    "motion": ("motion", 2),
    "expected_depth": ("expected_depth", 1),
    "height": ("elevation", 1),
    "storey": ("storey", 1),
    "bay": ("bay", 1),
    "normals": ("normals", 3),
    "shadow": ("shadow", 1),
    "ground": ("ground", 2),
}
"""Float parts: the field of Data, and channels."""
_IN_FRAME = ("depth", "motion", "expected_depth")

Choice = TypeVar("Choice", bound=str)


def control_message(control: Control) -> pb.Control:
    """CONTROL as protobuf."""
    weather = control.weather
    return pb.Control(
        steer=control.steer,
        throttle=control.throttle,
        brake=control.brake,
        hand_brake=control.hand_brake,
        reverse=control.reverse,
        resets=control.resets,
        viewpoint=_VIEWPOINTS.index(control.viewpoint),  # type: ignore[arg-type]
        weather=pb.Weather(hour=weather.hour, clouds=weather.clouds, fog=weather.fog),
        photo=control.photo,
        look=_LOOKS.index(control.look),  # type: ignore[arg-type]
        autopilot=control.autopilot,
        serial=control.serial,
    )


def read_control(message: pb.Control) -> Control:
    """CONTROL from protobuf: pedals, wheel and weather brought into their ranges, the hour taken modulo 24.

    Raises:
        ProtocolError: a number is not finite, or a viewpoint or look that this version does not know.
    """
    weather = Weather(
        _finite(message.weather.hour, "CONTROL's weather.hour") % 24.0,
        _clamped(message.weather.clouds, 0.0, "weather.clouds"),
        _clamped(message.weather.fog, 0.0, "weather.fog"),
    )
    return Control(
        steer=_clamped(message.steer, -1.0, "steer"),
        throttle=_clamped(message.throttle, 0.0, "throttle"),
        brake=_clamped(message.brake, 0.0, "brake"),
        hand_brake=message.hand_brake,
        reverse=message.reverse,
        resets=message.resets,
        viewpoint=_choice(message.viewpoint, _VIEWPOINTS, "CONTROL's viewpoint"),
        weather=weather if message.HasField("weather") else Weather(),
        photo=message.photo,
        look=_choice(message.look, _LOOKS, "CONTROL's look"),
        autopilot=message.autopilot,
        serial=message.serial,
    )


def info_message(info: EngineInfo, server: str = "") -> pb.Info:
    """The handshake's answer as protobuf; `server` names the program for messages."""
    return pb.Info(
        protocol=info.protocol,
        name=info.name,
        title=info.title,
        label_set=info.label_set,
        width=info.width,
        height=info.height,
        rate=info.rate,
        has_photo=info.has_photo,
        has_motion=info.has_motion,
        controllable=info.controllable,
        roads=[pb.Road(points=[pb.Point(x=x, y=y) for x, y in road]) for road in info.roads],
        road_width=info.road_width,
        period=info.period,
        parts=info.parts,
        max_message=MAX_MESSAGE,
        server=server,
    )


def check_protocol(theirs: int, who: str) -> None:
    """Raises ProtocolError naming both versions unless `theirs` is ours; `who` names the other side."""
    if theirs != PROTOCOL:
        raise ProtocolError(
            f"{who} speaks version {theirs} of the driving protocol, this program version {PROTOCOL}; "
            "use the same release of neuroview for both"
        )


def read_info(message: pb.Info) -> EngineInfo:
    """The handshake's answer.

    Raises:
        ProtocolError: another protocol version, an unknown numbering of labels, or sizes and rates out of bounds.
    """
    who = f"the engine {message.title or message.name!r}" + (f" ({message.server})" if message.server else "")
    check_protocol(message.protocol, who)
    numberings: dict[str, LabelSet] = {name: name for name in get_args(LabelSet)}
    if message.label_set not in numberings:
        known = ", ".join(numberings)
        raise ProtocolError(f"{who} numbers its labels as {message.label_set!r}; expected one of {known}")
    if not (0 < message.width * message.height <= MOST_PIXELS):
        raise ProtocolError(
            f"{who} draws {message.width} x {message.height}; expected 1 to {MOST_PIXELS:,} pixels. Ask it for less"
        )
    if not 0.1 <= message.rate <= 1000:
        raise ProtocolError(f"{who} gives {message.rate} steps a second; expected 0.1 to 1000")
    unknown = set(message.parts) - set(PARTS)
    if unknown:
        raise ProtocolError(f"{who} offers {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}")
    return EngineInfo(
        name=message.name,
        title=message.title,
        label_set=numberings[message.label_set],
        width=message.width,
        height=message.height,
        rate=message.rate,
        has_photo=message.has_photo,
        has_motion=message.has_motion,
        parts=tuple(part for part in PARTS if part in message.parts),
        controllable=message.controllable,
        roads=tuple(tuple((_finite(p.x, "roads"), _finite(p.y, "roads")) for p in r.points) for r in message.roads),
        road_width=_finite(message.road_width, "road_width"),
        period=max(0.0, _finite(message.period, "period")),
        protocol=message.protocol,
    )


def data_message(frame: DriveFrame, info: EngineInfo, parts: Collection[str] = PARTS) -> pb.Data:
    """DATA as protobuf.

    Args:
        frame: of the size that `info` says.
        info: of the engine that drew it.
        parts: the optional maps to put in, where the frame has them.

    Raises:
        ProtocolError: a map of another size or kind; it is named.
    """
    size = (info.height, info.width)
    sun = frame.geometry.sun if "sun" in parts else None
    message = pb.Data(
        number=frame.number,
        time=frame.time,
        width=info.width,
        height=info.height,
        labels=planes.whole(_sized(frame.labels, size, np.uint8, "labels")),
        instances=planes.whole(_sized(frame.instances, size, np.uint16, "instances")),
        sun=sun or (),
        camera=pb.Camera(cam2world=frame.camera.cam2world, fov=frame.camera.fov),
        vehicle=pb.Vehicle(**vars(frame.vehicle)),
        hour=frame.hour,
        actors=[pb.Actor(kind=_ACTORS.index(a.kind), x=a.x, y=a.y, yaw=a.yaw) for a in frame.actors],  # type: ignore[arg-type]
        events=[pb.Event(kind=_EVENTS.index(e.kind), text=e.text[:500]) for e in frame.events],  # type: ignore[arg-type]
        control_serial=frame.control_serial,
        cut=frame.cut,
    )
    if frame.photo is not None and "photo" in parts:
        message.photo.CopyFrom(planes.whole(_sized(frame.photo, (*size, 3), np.uint8, "photo")))
    for part, (field, channels) in _FIELDS.items():
        given = getattr(frame if part in _IN_FRAME else frame.geometry, part) if part in parts else None
        if given is not None:
            shape = size if channels == 1 else (*size, channels)
            plane = _coded(part, _sized(given, shape, np.float32, part), info.period)
            getattr(message, field).CopyFrom(plane)
    return message


def read_data(message: pb.Data, info: EngineInfo) -> DriveFrame:
    """DATA from protobuf. Motion that is infinite becomes NaN: unknown.

    Args:
        message: as it came.
        info: how the engine introduced itself.

    Raises:
        ProtocolError: maps of another size than `info` says, labels that its numbering does not have, or numbers that
            are not finite where only NaN in a map may be.
    """
    if (message.width, message.height) != (info.width, info.height):
        raise ProtocolError(
            f"the engine sent a frame of {message.width} x {message.height}; it had announced "
            f"{info.width} x {info.height}. Start the engine anew with the size that you want"
        )
    size = (info.height, info.width)
    check_tags(message.labels.data, info.label_set, "the engine's label map")
    maps: dict[str, Any] = {}
    for part, (field, channels) in _FIELDS.items():
        if message.HasField(field):  # type: ignore[arg-type]
            shape = size if channels == 1 else (*size, channels)
            maps[part] = planes.opened(getattr(message, field), part, shape, np.float32)
    motion = maps.get("motion")
    if motion is not None and np.isinf(motion).any():
        motion[np.isinf(motion)] = np.nan
    geometry = Geometry(**{part: found for part, found in maps.items() if part not in _IN_FRAME})
    if message.sun:
        geometry = replace(geometry, sun=_numbers(message.sun, 3, "sun"))
    v = message.vehicle
    return DriveFrame(
        number=message.number,
        time=_finite(message.time, "time"),
        labels=planes.opened(message.labels, "labels", size, np.uint8),
        instances=planes.opened(message.instances, "instances", size, np.uint16),
        depth=maps.get("depth"),
        motion=motion,
        expected_depth=maps.get("expected_depth"),
        geometry=geometry,
        camera=CameraPose(_numbers(message.camera.cam2world, 12, "camera"), _finite(message.camera.fov, "camera.fov")),
        vehicle=Vehicle(*_numbers((v.x, v.y, v.yaw, v.speed, v.steer), 5, "vehicle"), gear=v.gear),
        hour=_finite(message.hour, "hour"),
        actors=tuple(
            Actor(_choice(a.kind, _ACTORS, "an actor's kind"), *_numbers((a.x, a.y, a.yaw), 3, "actors"))  # type: ignore[arg-type]
            for a in message.actors
        ),
        events=tuple(Event(_choice(e.kind, _EVENTS, "an event's kind"), e.text) for e in message.events),
        photo=planes.opened(message.photo, "photo", (*size, 3), np.uint8) if message.HasField("photo") else None,
        control_serial=message.control_serial,
        cut=message.cut,
    )


def check_tags(labels: bytes | NDArray[np.uint8], numbering: LabelSet, what: str) -> None:
    """Raises ProtocolError where a label map holds numbers that `numbering` does not have; `what` names the map."""
    data = labels if isinstance(labels, bytes) else labels.tobytes()
    # What is left after deleting every known byte: a tenth of a millisecond for 512 x 256.
    left = data.translate(None, load_tags(numbering))
    if left:
        from ...models import labels as table

        try:
            table.convert(np.frombuffer(left, np.uint8), numbering, numbering)
        except table.LabelError as error:
            text = str(error).removeprefix("the label map")
            raise ProtocolError(f"{what}{text} ({len(left):,} of {len(data):,} pixels)") from None


@functools.cache
def load_tags(numbering: LabelSet) -> bytes:
    """Every number of a numbering. The first call loads the table, and torch with it."""
    # Imported here because the table imports torch, which an engine's process does without.
    from ...models.labels import known

    return bytes(known(numbering))


def _coded(part: str, array: NDArray[np.float32], period: float) -> pb.Plane:
    if part == "normals":
        return planes.signed_unit(array)
    if part == "shadow":
        return planes.unit(array)
    if part == "ground":
        return planes.wrapped(array, period) if period > 0 else planes.single(array)
    return planes.half(array)


def _sized(array: NDArray, shape: tuple[int, ...], dtype: type[np.generic], name: str) -> NDArray:
    if array.shape != shape or array.dtype != dtype:
        raise ProtocolError(
            f"the engine drew {name} as {' x '.join(map(str, array.shape))} of {array.dtype}; "
            f"expected {' x '.join(map(str, shape))} of {np.dtype(dtype).name}, as it had announced"
        )
    return array


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise ProtocolError(f"{name} is {value}; expected a finite number")
    return value


def _clamped(value: float, low: float, name: str) -> float:
    return min(max(_finite(value, f"CONTROL's {name}"), low), 1.0)


def _numbers(values: Iterable[float], count: int, name: str) -> Any:
    found = tuple(_finite(value, name) for value in values)
    if len(found) != count:
        raise ProtocolError(f"{name} has {len(found)} numbers; expected {count}")
    return found


def _choice(index: int, known: tuple[Choice, ...], name: str) -> Choice:
    if not 0 <= index < len(known):
        raise ProtocolError(f"{name} is {index}; this version knows {', '.join(known)}. Update neuroview")
    return known[index]
