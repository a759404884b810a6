"""`ViewState`: everything a frame depends on, in one immutable value that goes loss-free through JSON."""

from __future__ import annotations

import json
import math
import types
import typing
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

from ..models.base import CameraDefaults, Conditioning, DemoControls, FirstIdentity, NoiseMode, Option
from ..models.errors import NeuroviewError

VERSION = 1
"""Version of the JSON form. A file of a newer version is refused, never half read."""

OutputKind = Literal["rgb", "raw", "depth", "normals", "alpha"]
Rung = Literal["auto", "baked", "occupancy", "exact"]
DriveView = Literal["painted", "semantic", "photo", "split", "motion", "depth"]
Viewpoint = Literal["chase", "hood", "top"]
PhotoLook = Literal["photo", "drawn"]
StrokeKind = Literal["colour", "keep", "remove", "add", "region"]
"""'keep' stays as it is; 'add' grows what is there or, where there is nothing, puts something; 'region' bounds a
transfer."""


class StateError(NeuroviewError):
    """A stored state that cannot be restored; the message says which entry, what it held and what was expected."""


@dataclass(frozen=True)
class Camera:
    """An orbit about `pivot`. Angles in radians; a matrix, when given, replaces the orbit altogether."""

    yaw: float = 0.0
    """Turn about the world's up axis; 0 faces the front, positive moves the camera to its right."""
    pitch: float = 0.0
    """Elevation, positive above."""
    roll: float = 0.0
    """Turn about the viewing axis, positive tilts the camera clockwise."""
    radius: float = 2.7
    """Distance from the pivot, world units."""
    fov: float = 0.2333
    """Angle across the image's height."""
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """World point that the camera orbits."""
    cam2world: tuple[float, ...] | None = None
    """16 numbers, row-major, OpenCV axes (x right, y down, z forward); None: use the orbit."""
    intrinsics: tuple[float, ...] | None = None
    """9 numbers, row-major, normalised by the image's width and height; None: from `fov`."""


@dataclass(frozen=True)
class Latents:
    """Which identity: two seeds, how they mix, and how far from the average."""

    seed_a: int = 0
    seed_b: int = 1
    mix_geometry: float = 0.0
    """0 shows seed A's shape, 1 seed B's."""
    mix_appearance: float = 0.0
    """0 shows seed A's colours, 1 seed B's."""
    truncation: float = 0.7
    """psi in w = w_avg + psi (w - w_avg)."""
    cutoff: int | None = None
    """Number of layers that are truncated; None: all."""
    layer_mix: tuple[float | None, ...] = ()
    """For each layer a mix of its own that replaces the two above; None or a missing entry: follow them."""
    directions: tuple[tuple[str, float], ...] = ()
    """(name, amount) of each of the model's named directions that is not at 0; in standard deviations."""
    identity: str = ""
    """sha256 of a side file whose codes take the place of seed A's (an inverted photo); '': seed A itself."""
    noise: NoiseMode = "const"
    noise_seed: int = 0
    conditioning: Conditioning = field(default_factory=Conditioning)


@dataclass(frozen=True)
class Output:
    """What is looked at, and how large."""

    kind: OutputKind = "rgb"
    size: int | None = None
    """Side of the delivered picture in pixels; None: the model's native size."""


@dataclass(frozen=True)
class Quality:
    """How much work a frame is worth."""

    rung: Rung = "auto"
    """'auto' lets the governor choose while something moves, and refines to exact when all is still."""
    target_fps: float = 30.0
    resolution: int | None = None
    """Side of the volume-rendered image; None: the model's own."""
    samples: float = 1.0
    """Multiplier of the samples along a ray."""


@dataclass(frozen=True)
class Stroke:
    """One stroke of a brush over the picture, with the view in which it was made."""

    kind: StrokeKind
    points: tuple[tuple[float, float], ...]
    """Across and down, 0..1 of the picture."""
    camera: Camera
    width: float = 0.04
    """Diameter of the brush; the picture's height is 1."""
    colour: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """sRGB, 0..1; of a colour stroke."""
    on: bool = True
    """Whether it counts."""


@dataclass(frozen=True)
class Edits:
    """What a person has changed about the scene itself."""

    strokes: tuple[Stroke, ...] = ()
    """Drawn and not yet part of `result`."""
    result: str = ""
    """sha256 of the side file that holds what the strokes made of the scene: codes and residuals; '': nothing."""


@dataclass(frozen=True)
class Drive:
    """A drive: which world, what paints it, and how it is looked at. What the driver does is CONTROL, not state."""

    engine: str = "town"
    """'town' (embedded), 'carla' (needs a server here) or 'carla://host:port', an address 'host:port' of a running
    engine, an OpenDRIVE map (.xodr), or the folder of a recorded label sequence."""
    seed: int = 7
    """Of the town."""
    translator: str = "town"
    """Name of a shipped translator or path of a checkpoint."""
    view: DriveView = "painted"
    split: float = 0.5
    """Where the divider stands in the split view, 0 left .. 1 right: painted left of it, photo right."""
    width: int = 256
    height: int = 128
    """Of the maps, pixels."""
    rate: float = 60.0
    """Steps a second of a town's world, 5..240: as often as it can be painted at most."""
    viewpoint: Viewpoint = "chase"
    hour: float = 11.0
    """Of the day, 0..24."""
    clouds: float = 0.3
    """0..1."""
    fog: float = 0.15
    """0 clear .. 1 thick."""
    photo_look: PhotoLook = "photo"
    """How the engine shades its own picture."""


@dataclass(frozen=True)
class ViewState:
    """One picture, completely described: the same state on the same device gives the same frame."""

    model: str = "heads"
    """Name of a shipped model or path of a checkpoint."""
    options: tuple[tuple[str, str], ...] = ()
    """(name, choice) of each of the model's own options that differs from its default; see `models.base.Option`."""
    camera: Camera = field(default_factory=Camera)
    latents: Latents = field(default_factory=Latents)
    output: Output = field(default_factory=Output)
    quality: Quality = field(default_factory=Quality)
    edits: Edits = field(default_factory=Edits)
    drive: Drive | None = None
    """None: the generator `model` is shown; else this drive is, and the rest waits."""

    def to_json(self) -> str:
        """The state as JSON text with its version number. Floats are written so that they read back bit-equal."""
        return json.dumps({"neuroview": VERSION, **_plain(self)}, indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ViewState:
        """Read what `to_json` wrote. Missing entries take their defaults, so older files stay readable.

        Raises:
            StateError: the text is no JSON object, of a newer version, or holds an unknown name or a wrong type.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise StateError(f"The state is not valid JSON ({error}). Expected what neuroview itself saved.") from error
        if not isinstance(data, dict):
            raise StateError(f"The state is a JSON {type(data).__name__}; an object was expected.")
        version = data.pop("neuroview", None)
        if not isinstance(version, int) or isinstance(version, bool):
            raise StateError('The state has no whole number under "neuroview", its version: not saved by neuroview?')
        if version > VERSION:
            raise StateError(
                f"The state has version {version}; this neuroview reads up to {VERSION}. Update neuroview to open it."
            )
        return _build(cls, data, "state")


def with_option(state: ViewState, option: Option, choice: str) -> ViewState:
    """The state with one of its model's options chosen; defaults are left out, so that equal views are equal."""
    others = tuple(pair for pair in state.options if pair[0] != option.name)
    options = others if choice == option.default else tuple(sorted((*others, (option.name, choice))))
    camera = state.camera
    if option.cameras:
        camera = first_camera(option.cameras[option.choices.index(choice)])
    return replace(state, options=options, camera=camera)


def first_camera(usual: CameraDefaults) -> Camera:
    """The orbit that a family's pictures are first seen from."""
    return Camera(yaw=usual.yaw, pitch=usual.pitch, radius=usual.radius, fov=usual.fov, pivot=usual.pivot)


def first_state(
    model: str,
    camera: CameraDefaults,
    base: ViewState | None = None,
    demo: DemoControls | FirstIdentity | None = None,
) -> ViewState:
    """`base` (or a fresh state) looking at `model` through that model's default camera.

    Args:
        demo: the identity to start with when this opens the model (`base` shows another one).
    """
    opening = base is None or base.model != model
    base = base or ViewState()
    latents = base.latents
    if opening and demo is not None:
        seed_a, seed_b = demo.seeds
        latents = replace(latents, seed_a=seed_a, seed_b=seed_b, truncation=demo.truncation)
    options = base.options if base.model in ("", model) else ()
    return replace(base, model=model, options=options, camera=first_camera(camera), latents=latents)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _build(kind: Any, data: Any, where: str) -> Any:
    """`data` (parsed JSON) as the annotated type `kind`; `where` names the entry in messages."""
    if is_dataclass(kind):
        if not isinstance(data, dict):
            raise StateError(f"{where}: expected an object, found {_show(data)}.")
        hints = typing.get_type_hints(kind)
        unknown = sorted(set(data) - set(hints))
        if unknown:
            raise StateError(f"{where}: unknown entry {unknown[0]!r}; known are {', '.join(hints)}.")
        return kind(**{name: _build(hints[name], value, f"{where}.{name}") for name, value in data.items()})  # type: ignore[operator]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in args:
            return None
        return _build(next(a for a in args if a is not type(None)), data, where)
    if origin is Literal:
        if data not in args or isinstance(data, bool):
            raise StateError(f"{where}: expected one of {', '.join(map(str, args))}, found {_show(data)}.")
        return data
    if origin is tuple:
        return _build_tuple(args, data, where)
    if kind is bool and isinstance(data, bool):
        return data
    if kind is str and isinstance(data, str):
        return data
    if kind is int and isinstance(data, int) and not isinstance(data, bool) and abs(data) < 2**63:
        return data
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        try:
            number = float(data)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise StateError(f"{where}: expected a {_NAMES.get(kind, kind)}, found {_show(data)}.")


def _build_tuple(args: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    many = len(args) == 2 and args[1] is Ellipsis
    if not isinstance(data, list) or (not many and len(data) != len(args)):
        raise StateError(f"{where}: expected a list{'' if many else f' of {len(args)}'}, found {_show(data)}.")
    kinds = [args[0]] * len(data) if many else args
    return tuple(_build(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, data, strict=True)))


_NAMES = {float: "finite number", int: "whole number", str: "text", bool: "true or false"}


def _show(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."
