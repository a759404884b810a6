"""The `camera` object of our JSON descriptions: lengths in scene units, angles in degrees because people read it.

Keys, all optional: radius; focal (in image heights) or fov_degrees (across the diagonal, EG3D's convention, read only
where focal is missing); pivot, aim [x, y, z]; up 'y' or 'z'; yaw_degrees, pitch_degrees; yaw_range_degrees,
pitch_range_degrees, fov_height_range_degrees and radius_range [low, high].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..base import CameraDefaults
from ..errors import CheckpointError

_ANGLES = {"yaw_degrees": "yaw", "pitch_degrees": "pitch"}
_RANGES = {
    "yaw_range_degrees": "yaw_range",
    "pitch_range_degrees": "pitch_range",
    "fov_height_range_degrees": "fov_range",
}
_POINTS = ("pivot", "aim")
_KEYS = ("radius", "focal", "fov_degrees", "up", "radius_range", *_POINTS, *_ANGLES, *_RANGES)


def camera_to_json(camera: CameraDefaults) -> dict[str, Any]:
    """Plain values that `camera_from_json` reads back."""
    return {
        "radius": camera.radius,
        "focal": 0.5 / math.tan(camera.fov / 2),
        "pivot": list(camera.pivot),
        "aim": list(camera.aim),
        "up": camera.up,
        **{key: math.degrees(getattr(camera, name)) for key, name in _ANGLES.items()},
        **{key: [math.degrees(v) for v in getattr(camera, name)] for key, name in _RANGES.items()},
        "radius_range": list(camera.radius_range),
    }


def camera_from_json(given: Any, default: CameraDefaults) -> CameraDefaults:
    """`default` with what is given replaced.

    Raises:
        CheckpointError: a key is unknown or its value impossible; the message names it.
    """
    if not isinstance(given, Mapping):
        raise CheckpointError(f"camera is a {type(given).__name__}; expected an object of named values")
    changes: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _KEYS:
            raise CheckpointError(f"camera has unknown key {str(key)[:80]!r}; known are {', '.join(_KEYS)}")
        if key in ("radius", "focal", "fov_degrees"):
            changes[key] = _number(key, value, low=1e-6)
        elif key in _ANGLES:
            changes[_ANGLES[key]] = math.radians(_number(key, value))
        elif key in _RANGES:
            low, high = _numbers(key, value, 2)
            changes[_RANGES[key]] = (math.radians(low), math.radians(high))
        elif key == "radius_range":
            changes[key] = _numbers(key, value, 2)
        elif key in _POINTS:
            changes[key] = _numbers(key, value, 3)
        elif value in ("y", "z"):
            changes["up"] = value
        else:
            raise CheckpointError(f"camera.up is {value!r}; expected 'y' or 'z'")
    for name in ("yaw_range", "pitch_range", "fov_range", "radius_range"):
        low, high = changes.get(name, (0, 1))
        if not low < high:
            raise CheckpointError(f"camera's {name} runs from {low:g} to {high:g}; expected a low and a higher end")
    focal, diagonal = changes.pop("focal", None), changes.pop("fov_degrees", None)
    if focal is None and diagonal is not None:
        if diagonal >= 179:
            raise CheckpointError(f"camera.fov_degrees is {diagonal:g}; expected less than 179")
        focal = math.sqrt(0.5) / math.tan(math.radians(diagonal) / 2)
    if focal is not None:
        changes["fov"] = 2 * math.atan(0.5 / focal)
    return replace(default, **changes)


def _number(key: str, value: Any, low: float = -1e6) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= 1e6:
        raise CheckpointError(f"camera.{key} is {str(value)[:80]!r}; expected a number between {low:g} and 1e6")
    return float(value)


def _numbers(key: str, value: Any, count: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise CheckpointError(f"camera.{key} is {str(value)[:80]!r}; expected {count} numbers")
    return tuple(_number(key, part) for part in value)
