"""DATA and CONTROL as values: what an engine says of one moment of a drive, and what the driver answers.

World axes are x east, y north, z up, in metres, right-handed; yaw is counter-clockwise from east, radians. Everything
here is immutable and travels between threads as it is; `wire.py` turns it into protobuf and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...models.base import LabelSet

PROTOCOL = 1
"""Version of `service.proto`. Client and server of different versions do not talk."""

Viewpoint = Literal["chase", "hood", "top"]
VIEWPOINTS: tuple[Viewpoint, ...] = ("chase", "hood", "top")

Look = Literal["photo", "drawn"]
"""How an engine shades its own picture: as a camera would see it, or as an illustrator would draw it."""

Part = Literal[
    "depth", "motion", "expected_depth", "height", "storey", "bay", "normals", "shadow", "ground", "sun", "photo"
]
"""What a frame may hold beyond labels and instances, by the names of the fields of `DriveFrame` and `Geometry`."""

EventKind = Literal["collision", "red light", "off road", "reset", "wrong way"]


@dataclass(frozen=True)
class Weather:
    """What the sky does; an engine that cannot do it ignores it."""

    hour: float = 11.0
    """Of the day, 0..24: where the sun stands."""
    clouds: float = 0.3
    """Part of the sky that is covered, 0..1."""
    fog: float = 0.15
    """0 is clear; 1 leaves about 60 m."""


@dataclass(frozen=True)
class Control:
    """CONTROL: what the driver does."""

    steer: float = 0.0
    """-1 (full left) .. 1 (full right), as in CARLA."""
    throttle: float = 0.0
    """0..1."""
    brake: float = 0.0
    """0..1."""
    hand_brake: bool = False
    reverse: bool = False
    resets: int = 0
    """How often the driver has asked to be put back on the road; the engine acts when it grows."""
    viewpoint: Viewpoint = "chase"
    weather: Weather = field(default_factory=Weather)
    photo: bool = False
    """Whether the engine shall also draw the shaded picture, if it can."""
    look: Look = "photo"
    """How it is to be shaded."""
    autopilot: bool = False
    """Whether the engine drives by itself, if it can; then steer, throttle and brake are ignored."""
    serial: int = 0
    """Counts controls; DATA names the last one that it obeys, which is how latency is measured."""


@dataclass(frozen=True)
class Vehicle:
    """The driver's car."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    speed: float = 0.0
    """Metres a second along its own axis, negative in reverse."""
    steer: float = 0.0
    """Where the wheels really stand, -1..1."""
    gear: int = 0
    """-1 reverse, 0 neutral, 1.. forward."""


@dataclass(frozen=True)
class CameraPose:
    """Through which the maps are seen."""

    cam2world: tuple[float, ...] = (0, 0, 1, 0, -1, 0, 0, 0, 0, -1, 0, 0)
    """12 numbers, [3, 4] row-major; camera axes right, down, forward (OpenCV)."""
    fov: float = 1.0
    """Angle across the picture's height, radians."""


@dataclass(frozen=True)
class Actor:
    """Something else that moves, for the map beside the picture."""

    kind: Literal["car", "person"]
    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Event:
    """Something that happened since the last frame."""

    kind: EventKind
    text: str = ""
    """In a person's words, such as 'hit a lamp post at 31 km/h'."""


@dataclass(frozen=True)
class Geometry:
    """What an engine may know of each pixel beyond labels, depth and motion; see `models.base.GBuffer`, whose parts
    these are, as numpy arrays. NaN where a part means nothing; None: this engine does not say."""

    height: NDArray[np.float32] | None = None
    storey: NDArray[np.float32] | None = None
    """Storeys above the foot of a facade. Of a car: height / its own height."""
    bay: NDArray[np.float32] | None = None
    """Bays from the corner of a facade. Of a car: along its length, 0 at its tail and 1 at its nose."""
    normals: NDArray[np.float32] | None = None
    """[H, W, 3]: right, down, forward."""
    shadow: NDArray[np.float32] | None = None
    """1 where the sun does not reach."""
    ground: NDArray[np.float32] | None = None
    """[H, W, 2]: east and north, metres; NaN on cars and people, which take their paint along."""
    sun: tuple[float, float, float] | None = None
    """Unit vector towards the sun: forward, left, up of the camera, levelled."""


@dataclass(frozen=True, eq=False)
class DriveFrame:
    """DATA: one moment of a drive, as an engine sees it. Row 0 of every map is the top."""

    number: int
    """Counts the engine's steps since it started."""
    time: float
    """Seconds of the simulation."""
    labels: NDArray[np.uint8]
    """[H, W], in the engine's `label_set`."""
    instances: NDArray[np.uint16]
    """[H, W]; 0: none."""
    depth: NDArray[np.float32] | None = None
    """[H, W], metres along the optical axis; inf for the sky."""
    motion: NDArray[np.float32] | None = None
    """[H, W, 2], pixels right and down from here to where the previous frame showed the same point; None: unknown."""
    expected_depth: NDArray[np.float32] | None = None
    """[H, W], metres from the previous camera to the point seen here."""
    geometry: Geometry = field(default_factory=Geometry)
    camera: CameraPose = field(default_factory=CameraPose)
    vehicle: Vehicle = field(default_factory=Vehicle)
    hour: float = 11.0
    """The clock of this world, 0..24."""
    actors: tuple[Actor, ...] = ()
    """Those within about 100 m."""
    events: tuple[Event, ...] = ()
    photo: NDArray[np.uint8] | None = None
    """[H, W, 3], sRGB; where asked for."""
    control_serial: int = 0
    """The last CONTROL that had an effect."""
    cut: bool = False
    """Whether this frame does not follow the one before (a reset, another camera): nothing can be carried over."""


@dataclass(frozen=True)
class EngineInfo:
    """How an engine introduces itself; sent once, before the first frame."""

    name: str
    """'town', 'carla' or 'recording'."""
    title: str
    """For a person, such as 'Embedded town, seed 7'."""
    label_set: LabelSet = "carla"
    width: int = 256
    height: int = 128
    rate: float = 30.0
    """Steps a second of the simulation."""
    has_photo: bool = False
    has_motion: bool = True
    parts: tuple[Part, ...] = ()
    """Which optional maps it can draw; an asker may want fewer."""
    controllable: bool = True
    """False for recordings: CONTROL only chooses the weather and the camera, or nothing."""
    roads: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Centre lines, metres, for the map."""
    road_width: float = 11.0
    period: float = 0.0
    """Metres after which the world repeats itself in x and y; 0: it does not."""
    protocol: int = PROTOCOL
