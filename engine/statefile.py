"""States on disk: a saved .json, or the text inside a screenshot."""

from __future__ import annotations

import math
from json import loads
from pathlib import Path
from typing import Any

from .state import StateError, ViewState

MAX_BYTES = 1 << 20
"""No state of ours comes near this; a larger file is something else."""


def read_state(path: str | Path) -> tuple[ViewState, str]:
    """(state, fingerprint of its model or '') from a .json file or a screenshot.

    Raises:
        StateError, ExportError: the file holds none, or one of a newer version.
    """
    path = Path(path)
    if path.suffix.lower() == ".png":
        from .export.image import read_png

        restored = read_png(path)
        return restored.state, restored.fingerprint
    return ViewState.from_json(_read_text(path, "a saved state")), ""


def read_camera(path: str | Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """cam2world (16 numbers) and normalised intrinsics (9 numbers) from a JSON file, nested or flat, OpenCV axes.

    Raises:
        StateError: the file is not that.
    """
    path = Path(path)
    expected = f'{path.name}: expected {{"cam2world": 4x4 numbers, "intrinsics": 3x3 numbers}}'
    try:
        data = loads(_read_text(path, "a camera"))
    except (ValueError, RecursionError) as error:
        raise StateError(f"{expected}, found no valid JSON ({error}).") from error
    if not isinstance(data, dict):
        raise StateError(f"{expected}, found a {type(data).__name__}.")
    found = []
    for name, count in (("cam2world", 16), ("intrinsics", 9)):
        numbers = _flatten(data.get(name))
        if numbers is None or len(numbers) != count or not all(math.isfinite(n) for n in numbers):
            raise StateError(f"{expected}; {name} is missing or not {count} finite numbers.")
        found.append(tuple(numbers))
    return found[0], found[1]


def _read_text(path: Path, what: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise StateError(f"{path.name} is too large for {what} (over 1 MiB).")
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise StateError(f"{path.name} is not text; expected {what} as JSON.") from error
    except OSError as error:
        raise StateError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _flatten(value: Any) -> list[float] | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return [float(value)]
    if not isinstance(value, list):
        return None
    parts = [_flatten(v) for v in value]
    return None if any(p is None for p in parts) else [n for p in parts if p for n in p]
