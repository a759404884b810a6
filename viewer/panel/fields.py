"""The numbers of a `ViewState` as a person edits them: shown units, ranges, defaults and one sentence of help each.

Nothing here knows a widget: a field says how to read a state and how to make the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ...engine.camera import orbit_from_matrix
from ...engine.state import Camera, Latents, Quality, ViewState
from ...engine.status import ModelInfo

Info = ModelInfo | None
Span = tuple[float, float]


@dataclass(frozen=True)
class NumberField:
    """One number of the state. `None` is a value of its own where `absent` says what it stands for."""

    key: str
    label: str
    help: str
    get: Callable[[ViewState, Info], float | None]
    """The shown number."""
    put: Callable[[ViewState, float | None, Info], ViewState]
    """The state with the shown number in it; numbers beyond what makes sense are clamped."""
    span: Callable[[Info], Span]
    default: Callable[[Info], float | None]
    text: Callable[[float], str]
    """The number as the panel writes it."""
    whole: bool = False
    absent: str = ""
    """What is written for None."""
    stand_in: Callable[[ViewState, Info], float] = lambda state, info: 0.0
    """Where the slider stands for None."""


def number(value: float, digits: int = 2, unit: str = "") -> str:
    """A number for reading: a real minus sign, and no minus before a zero."""
    text = f"{value:.{digits}f}"
    if text.startswith("-"):
        text = text[1:] if not float(text) else "−" + text[1:]
    return text + unit


def orbit(state: ViewState, info: Info) -> Camera:
    """The camera as an orbit, also where the state holds an exact matrix."""
    camera = state.camera
    if info is None or (camera.cam2world is None and camera.intrinsics is None):
        return camera
    return orbit_from_matrix(camera, info.camera)


def with_camera(state: ViewState, info: Info, **changes: Any) -> ViewState:
    """The state with a changed orbit; an exact matrix becomes the nearest orbit first."""
    return replace(state, camera=replace(orbit(state, info), **changes))


def with_latents(state: ViewState, **changes: Any) -> ViewState:
    return replace(state, latents=replace(state.latents, **changes))


def with_quality(state: ViewState, **changes: Any) -> ViewState:
    return replace(state, quality=replace(state.quality, **changes))


def _clamp(value: float | None, low: float, high: float) -> float:
    return min(max(round(float(value or 0.0), 5), low), high)


def _wrapped(degrees: float) -> float:
    return degrees if -180 <= degrees <= 180 else (degrees + 180) % 360 - 180


ANGLE_LIMITS: dict[str, Span] = {"yaw": (-3600, 3600), "pitch": (-90, 90), "roll": (-3600, 3600), "fov": (0.5, 170)}
"""Degrees beyond which an angle makes no sense, by its name in `Camera`."""


def _angle(name: str, label: str, text: str, span: Callable[[Info], Span]) -> NumberField:
    def get(state: ViewState, info: Info) -> float:
        degrees = math.degrees(getattr(orbit(state, info), name))
        return _wrapped(degrees) if name in ("yaw", "roll") else degrees

    def put(state: ViewState, value: float | None, info: Info) -> ViewState:
        return with_camera(state, info, **{name: math.radians(_clamp(value, *ANGLE_LIMITS[name]))})

    def default(info: Info) -> float:
        if name == "roll" or info is None:
            return 0.0 if name != "fov" else math.degrees(Camera.fov)
        return math.degrees(getattr(info.camera, name))

    return NumberField(f"camera.{name}", label, text, get, put, span, default, lambda v: number(v, 1, "°"))


def _degrees(name: str, fallback: Span) -> Callable[[Info], Span]:
    def span(info: Info) -> Span:
        if info is None:
            return fallback
        low, high = getattr(info.camera, name)
        return round(math.degrees(low), 3), round(math.degrees(high), 3)

    return span


YAW = _angle(
    "yaw",
    "Yaw",
    "Walk around the subject: 0° faces it, positive moves the camera to its right.",
    _degrees("yaw_range", (-180, 180)),
)
PITCH = _angle("pitch", "Pitch", "Rise above (positive) or sink below the subject.", _degrees("pitch_range", (-86, 86)))
ROLL = _angle("roll", "Roll", "Tilt the camera about its viewing axis.", lambda info: (-180, 180))
FOV = _angle(
    "fov",
    "Field of view",
    "Angle across the picture's height. Small: a telephoto lens; large: a wide angle.",
    _degrees("fov_range", (3, 90)),
)
RADIUS = NumberField(
    "camera.radius",
    "Distance",
    "How far the camera stands from its pivot, in the model's own units.",
    lambda state, info: orbit(state, info).radius,
    lambda state, value, info: with_camera(state, info, radius=_clamp(value, 1e-3, 1e4)),
    lambda info: info.camera.radius_range if info else (0.1, 10.0),
    lambda info: info.camera.radius if info else Camera.radius,
    number,
)


def _latent(
    name: str, label: str, text: str, span: Span, limits: Span, default: float, write: Callable[[float], str] = number
) -> NumberField:
    return NumberField(
        f"latents.{name}",
        label,
        text,
        lambda state, info: getattr(state.latents, name),
        lambda state, value, info: with_latents(state, **{name: _clamp(value, *limits)}),
        lambda info: span,
        lambda info: default,
        write,
    )


MIX_GEOMETRY = _latent(
    "mix_geometry",
    "Geometry",
    "Blends the layers that decide the shape: 0 has seed A's geometry, 1 seed B's.",
    (0, 1),
    (-2, 3),
    Latents.mix_geometry,
)
MIX_APPEARANCE = _latent(
    "mix_appearance",
    "Appearance",
    "Blends the layers that decide colour and texture: 0 looks like seed A, 1 like seed B. The shape stays.",
    (0, 1),
    (-2, 3),
    Latents.mix_appearance,
)
TRUNCATION = _latent(
    "truncation",
    "Truncation ψ",
    "How far identities may stray from the average: 0 is the average itself, 0.7 typical and clean, "
    "1 the full variety of the training set. Negative values give the opposite of a face.",
    (-1, 2),
    (-10, 10),
    Latents.truncation,
)


def _put_cutoff(state: ViewState, value: float | None, info: Info) -> ViewState:
    layers = len(info.layer_names) if info else 0
    whole = None if value is None or round(value) >= layers else max(round(value), 0)
    return with_latents(state, cutoff=whole)


CUTOFF = NumberField(
    "latents.cutoff",
    "Cutoff",
    "Truncate only the first so many layers. Few: shapes stay average while colours vary freely.",
    lambda state, info: state.latents.cutoff,
    _put_cutoff,
    lambda info: (0, max(len(info.layer_names), 1) if info else 1),
    lambda info: None,
    lambda value: f"{value:.0f}",
    whole=True,
    absent="all",
    stand_in=lambda state, info: float(len(info.layer_names)) if info else 0.0,
)


def layer_field(index: int, name: str, geometry: bool) -> NumberField:
    """The mix of one layer alone; None follows the shape's or the appearance's mix."""

    def get(state: ViewState, info: Info) -> float | None:
        mix = state.latents.layer_mix
        return mix[index] if index < len(mix) else None

    def put(state: ViewState, value: float | None, info: Info) -> ViewState:
        mix = list(state.latents.layer_mix)
        mix += [None] * (index + 1 - len(mix))
        mix[index] = None if value is None else _clamp(value, -2, 3)
        while mix and mix[-1] is None:  # one way to write "all follow", so that equal pictures are equal states
            mix.pop()
        return with_latents(state, layer_mix=tuple(mix))

    follows = "Geometry" if geometry else "Appearance"
    return NumberField(
        f"latents.layer_mix[{index}]",
        name,
        f"Layer {index + 1}: a blend of its own. Right-click to follow {follows} again.",
        get,
        put,
        lambda info: (0, 1),
        lambda info: None,
        number,
        absent="follows",
        stand_in=lambda state, info: state.latents.mix_geometry if geometry else state.latents.mix_appearance,
    )


def direction_field(name: str) -> NumberField:
    """How far along one of the model's named directions; 0 is left out, so that equal pictures are equal states."""

    def get(state: ViewState, info: Info) -> float:
        return dict(state.latents.directions).get(name, 0.0)

    def put(state: ViewState, value: float | None, info: Info) -> ViewState:
        amounts = {**dict(state.latents.directions), name: _clamp(value, -10, 10)}
        order = info.directions if info is not None else ()
        ranked = sorted(amounts.items(), key=lambda pair: (order.index(pair[0]) if pair[0] in order else 99, pair[0]))
        return with_latents(state, directions=tuple(pair for pair in ranked if pair[1]))

    def span(info: Info) -> Span:
        limits = dict(zip(info.directions, info.direction_limits, strict=False)) if info is not None else {}
        end = limits.get(name, 3.0)
        return -end, end

    return NumberField(
        f"latents.directions.{name}",
        name[:1].upper() + name[1:],
        "How far the identity is moved along this direction, in standard deviations of what the model makes.",
        get,
        put,
        span,
        lambda info: 0.0,
        lambda v: number(v, 2, "σ"),
    )


def _conditioning(name: str, label: str, text: str, limit: float) -> NumberField:
    def put(state: ViewState, value: float | None, info: Info) -> ViewState:
        angle = math.radians(_clamp(value, -limit, limit))
        return with_latents(state, conditioning=replace(state.latents.conditioning, **{name: angle}))

    return NumberField(
        f"conditioning.{name}",
        label,
        text,
        lambda state, info: math.degrees(getattr(state.latents.conditioning, name)),
        put,
        lambda info: (-limit, limit),
        lambda info: 0.0,
        lambda value: number(value, 1, "°"),
    )


CONDITIONING_YAW = _conditioning(
    "yaw", "Yaw", "The yaw that the network is told. It learned that faces in side views look different.", 90.0
)
CONDITIONING_PITCH = _conditioning("pitch", "Pitch", "The pitch that the network is told; not the camera's own.", 60.0)

TARGET_FPS = NumberField(
    "quality.target_fps",
    "Target rate",
    "Frames a second to hold while something moves. Higher is smoother and coarser.",
    lambda state, info: state.quality.target_fps,
    lambda state, value, info: with_quality(state, target_fps=_clamp(value, 1, 1000)),
    lambda info: (5, 120),
    lambda info: Quality.target_fps,
    lambda value: f"{value:.0f} fps",
    whole=True,
)


def _put_resolution(state: ViewState, value: float | None, info: Info) -> ViewState:
    # Multiples of 8 keep the upsamplers' sizes whole.
    side = None if value is None else int(min(max(round(value / 8) * 8, 8), 2048))
    return with_quality(state, resolution=None if info and side == info.resolution else side)


RESOLUTION = NumberField(
    "quality.resolution",
    "Resolution",
    "Side in pixels of the volume-rendered image, before any super-resolution.",
    lambda state, info: state.quality.resolution,
    _put_resolution,
    lambda info: (16, max(256, 2 * info.resolution) if info else 256),
    lambda info: None,
    lambda value: f"{value:.0f} px",
    whole=True,
    absent="model's",
    stand_in=lambda state, info: float(info.resolution) if info else 64.0,
)
SAMPLES = NumberField(
    "quality.samples",
    "Samples",
    "Multiplies the samples along each ray. Fewer is faster, more removes banding.",
    lambda state, info: state.quality.samples,
    lambda state, value, info: with_quality(state, samples=_clamp(value, 0.05, 16)),
    lambda info: (0.25, 2.0),
    lambda info: Quality.samples,
    lambda value: f"{value:.2f}×",
)

CAMERA_FIELDS = (YAW, PITCH, ROLL, FOV, RADIUS)
