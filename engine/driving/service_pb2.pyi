from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Clock(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FREE_RUNNING: _ClassVar[Clock]
    PAUSED: _ClassVar[Clock]
    SYNCHRONOUS: _ClassVar[Clock]

class Viewpoint(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHASE: _ClassVar[Viewpoint]
    HOOD: _ClassVar[Viewpoint]
    TOP: _ClassVar[Viewpoint]

class Look(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHOTO: _ClassVar[Look]
    DRAWN: _ClassVar[Look]

class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    U8: _ClassVar[Type]
    I8: _ClassVar[Type]
    U16: _ClassVar[Type]
    F16: _ClassVar[Type]
    F32: _ClassVar[Type]

class ActorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAR: _ClassVar[ActorKind]
    PERSON: _ClassVar[ActorKind]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLLISION: _ClassVar[EventKind]
    RED_LIGHT: _ClassVar[EventKind]
    OFF_ROAD: _ClassVar[EventKind]
    RESET: _ClassVar[EventKind]
    WRONG_WAY: _ClassVar[EventKind]
FREE_RUNNING: Clock
PAUSED: Clock
SYNCHRONOUS: Clock
CHASE: Viewpoint
HOOD: Viewpoint
TOP: Viewpoint
PHOTO: Look
DRAWN: Look
U8: Type
I8: Type
U16: Type
F16: Type
F32: Type
CAR: ActorKind
PERSON: ActorKind
COLLISION: EventKind
RED_LIGHT: EventKind
OFF_ROAD: EventKind
RESET: EventKind
WRONG_WAY: EventKind

class HelloRequest(_message.Message):
    __slots__ = ("protocol", "client")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    client: str
    def __init__(self, protocol: _Optional[int] = ..., client: _Optional[str] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class Road(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[Point]
    def __init__(self, points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ...) -> None: ...

class Info(_message.Message):
    __slots__ = ("protocol", "name", "title", "label_set", "width", "height", "rate", "has_photo", "has_motion", "controllable", "roads", "road_width", "period", "parts", "max_message", "server")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SET_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    HAS_PHOTO_FIELD_NUMBER: _ClassVar[int]
    HAS_MOTION_FIELD_NUMBER: _ClassVar[int]
    CONTROLLABLE_FIELD_NUMBER: _ClassVar[int]
    ROADS_FIELD_NUMBER: _ClassVar[int]
    ROAD_WIDTH_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    name: str
    title: str
    label_set: str
    width: int
    height: int
    rate: float
    has_photo: bool
    has_motion: bool
    controllable: bool
    roads: _containers.RepeatedCompositeFieldContainer[Road]
    road_width: float
    period: float
    parts: _containers.RepeatedScalarFieldContainer[str]
    max_message: int
    server: str
    def __init__(self, protocol: _Optional[int] = ..., name: _Optional[str] = ..., title: _Optional[str] = ..., label_set: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., rate: _Optional[float] = ..., has_photo: _Optional[bool] = ..., has_motion: _Optional[bool] = ..., controllable: _Optional[bool] = ..., roads: _Optional[_Iterable[_Union[Road, _Mapping]]] = ..., road_width: _Optional[float] = ..., period: _Optional[float] = ..., parts: _Optional[_Iterable[str]] = ..., max_message: _Optional[int] = ..., server: _Optional[str] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("protocol", "parts", "state")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    parts: _containers.RepeatedScalarFieldContainer[str]
    state: bytes
    def __init__(self, protocol: _Optional[int] = ..., parts: _Optional[_Iterable[str]] = ..., state: _Optional[bytes] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("start", "control", "clock", "steps", "taken")
    START_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    start: Start
    control: Control
    clock: Clock
    steps: int
    taken: int
    def __init__(self, start: _Optional[_Union[Start, _Mapping]] = ..., control: _Optional[_Union[Control, _Mapping]] = ..., clock: _Optional[_Union[Clock, str]] = ..., steps: _Optional[int] = ..., taken: _Optional[int] = ...) -> None: ...

class Weather(_message.Message):
    __slots__ = ("hour", "clouds", "fog")
    HOUR_FIELD_NUMBER: _ClassVar[int]
    CLOUDS_FIELD_NUMBER: _ClassVar[int]
    FOG_FIELD_NUMBER: _ClassVar[int]
    hour: float
    clouds: float
    fog: float
    def __init__(self, hour: _Optional[float] = ..., clouds: _Optional[float] = ..., fog: _Optional[float] = ...) -> None: ...

class Control(_message.Message):
    __slots__ = ("steer", "throttle", "brake", "hand_brake", "reverse", "resets", "viewpoint", "weather", "photo", "serial", "autopilot", "look")
    STEER_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_FIELD_NUMBER: _ClassVar[int]
    BRAKE_FIELD_NUMBER: _ClassVar[int]
    HAND_BRAKE_FIELD_NUMBER: _ClassVar[int]
    REVERSE_FIELD_NUMBER: _ClassVar[int]
    RESETS_FIELD_NUMBER: _ClassVar[int]
    VIEWPOINT_FIELD_NUMBER: _ClassVar[int]
    WEATHER_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    AUTOPILOT_FIELD_NUMBER: _ClassVar[int]
    LOOK_FIELD_NUMBER: _ClassVar[int]
    steer: float
    throttle: float
    brake: float
    hand_brake: bool
    reverse: bool
    resets: int
    viewpoint: Viewpoint
    weather: Weather
    photo: bool
    serial: int
    autopilot: bool
    look: Look
    def __init__(self, steer: _Optional[float] = ..., throttle: _Optional[float] = ..., brake: _Optional[float] = ..., hand_brake: _Optional[bool] = ..., reverse: _Optional[bool] = ..., resets: _Optional[int] = ..., viewpoint: _Optional[_Union[Viewpoint, str]] = ..., weather: _Optional[_Union[Weather, _Mapping]] = ..., photo: _Optional[bool] = ..., serial: _Optional[int] = ..., autopilot: _Optional[bool] = ..., look: _Optional[_Union[Look, str]] = ...) -> None: ...

class Plane(_message.Message):
    __slots__ = ("data", "type", "scale", "offset", "nan_code")
    DATA_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    NAN_CODE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    type: Type
    scale: float
    offset: float
    nan_code: bool
    def __init__(self, data: _Optional[bytes] = ..., type: _Optional[_Union[Type, str]] = ..., scale: _Optional[float] = ..., offset: _Optional[float] = ..., nan_code: _Optional[bool] = ...) -> None: ...

class Camera(_message.Message):
    __slots__ = ("cam2world", "fov")
    CAM2WORLD_FIELD_NUMBER: _ClassVar[int]
    FOV_FIELD_NUMBER: _ClassVar[int]
    cam2world: _containers.RepeatedScalarFieldContainer[float]
    fov: float
    def __init__(self, cam2world: _Optional[_Iterable[float]] = ..., fov: _Optional[float] = ...) -> None: ...

class Vehicle(_message.Message):
    __slots__ = ("x", "y", "yaw", "speed", "steer", "gear")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    YAW_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    STEER_FIELD_NUMBER: _ClassVar[int]
    GEAR_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    yaw: float
    speed: float
    steer: float
    gear: int
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., yaw: _Optional[float] = ..., speed: _Optional[float] = ..., steer: _Optional[float] = ..., gear: _Optional[int] = ...) -> None: ...

class Actor(_message.Message):
    __slots__ = ("kind", "x", "y", "yaw")
    KIND_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    YAW_FIELD_NUMBER: _ClassVar[int]
    kind: ActorKind
    x: float
    y: float
    yaw: float
    def __init__(self, kind: _Optional[_Union[ActorKind, str]] = ..., x: _Optional[float] = ..., y: _Optional[float] = ..., yaw: _Optional[float] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("kind", "text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: EventKind
    text: str
    def __init__(self, kind: _Optional[_Union[EventKind, str]] = ..., text: _Optional[str] = ...) -> None: ...

class Obeyed(_message.Message):
    __slots__ = ("step", "control")
    STEP_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    step: int
    control: Control
    def __init__(self, step: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...

class Data(_message.Message):
    __slots__ = ("number", "time", "width", "height", "labels", "instances", "depth", "motion", "expected_depth", "elevation", "storey", "bay", "normals", "shadow", "ground", "photo", "sun", "camera", "vehicle", "hour", "actors", "events", "control_serial", "cut", "delivery", "obeyed", "state", "step")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    MOTION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DEPTH_FIELD_NUMBER: _ClassVar[int]
    ELEVATION_FIELD_NUMBER: _ClassVar[int]
    STOREY_FIELD_NUMBER: _ClassVar[int]
    BAY_FIELD_NUMBER: _ClassVar[int]
    NORMALS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    SUN_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    VEHICLE_FIELD_NUMBER: _ClassVar[int]
    HOUR_FIELD_NUMBER: _ClassVar[int]
    ACTORS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_SERIAL_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    OBEYED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    number: int
    time: float
    width: int
    height: int
    labels: Plane
    instances: Plane
    depth: Plane
    motion: Plane
    expected_depth: Plane
    elevation: Plane
    storey: Plane
    bay: Plane
    normals: Plane
    shadow: Plane
    ground: Plane
    photo: Plane
    sun: _containers.RepeatedScalarFieldContainer[float]
    camera: Camera
    vehicle: Vehicle
    hour: float
    actors: _containers.RepeatedCompositeFieldContainer[Actor]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    control_serial: int
    cut: bool
    delivery: int
    obeyed: _containers.RepeatedCompositeFieldContainer[Obeyed]
    state: bytes
    step: int
    def __init__(self, number: _Optional[int] = ..., time: _Optional[float] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., labels: _Optional[_Union[Plane, _Mapping]] = ..., instances: _Optional[_Union[Plane, _Mapping]] = ..., depth: _Optional[_Union[Plane, _Mapping]] = ..., motion: _Optional[_Union[Plane, _Mapping]] = ..., expected_depth: _Optional[_Union[Plane, _Mapping]] = ..., elevation: _Optional[_Union[Plane, _Mapping]] = ..., storey: _Optional[_Union[Plane, _Mapping]] = ..., bay: _Optional[_Union[Plane, _Mapping]] = ..., normals: _Optional[_Union[Plane, _Mapping]] = ..., shadow: _Optional[_Union[Plane, _Mapping]] = ..., ground: _Optional[_Union[Plane, _Mapping]] = ..., photo: _Optional[_Union[Plane, _Mapping]] = ..., sun: _Optional[_Iterable[float]] = ..., camera: _Optional[_Union[Camera, _Mapping]] = ..., vehicle: _Optional[_Union[Vehicle, _Mapping]] = ..., hour: _Optional[float] = ..., actors: _Optional[_Iterable[_Union[Actor, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., control_serial: _Optional[int] = ..., cut: _Optional[bool] = ..., delivery: _Optional[int] = ..., obeyed: _Optional[_Iterable[_Union[Obeyed, _Mapping]]] = ..., state: _Optional[bytes] = ..., step: _Optional[int] = ...) -> None: ...
