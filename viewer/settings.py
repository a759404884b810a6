"""Remembered settings: window places, recent models, preferences, in one small file that can never stop a start.

The file lies in the user's configuration folder (`NEUROVIEW_CONFIG_DIR` overrides it). It is replaced atomically; one
that cannot be read is set aside as `settings.json.broken`, and the defaults are used with a warning.
"""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

log = logging.getLogger(__name__)

VERSION = 1
RECENT_LIMIT = 12
_LARGEST_FILE = 1_000_000
"""Bytes; a settings file has some hundred, so anything beyond this was not written by us."""


@dataclass(frozen=True)
class Place:
    """Where a window stands on the desktop, in screen coordinates."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Settings:
    """What is remembered from one run to the next."""

    window: Place | None = None
    """The view window; None: wherever it opens."""
    panel: Place | None = None
    """The panel; None: beside the view window."""
    panel_visible: bool = True
    overlay: bool = True
    """Whether the overlay with frame time and rung, or a drive's instruments, is drawn."""
    minimap: bool = True
    """Whether a drive's map is drawn."""
    target_fps: float = 30.0
    recent: tuple[str, ...] = ()
    """Absolute paths of the models opened last, newest first, at most `RECENT_LIMIT`."""

    def with_recent(self, path: str | os.PathLike[str]) -> Settings:
        """These settings with `path` (made absolute) as the newest of the recent models, each listed once."""
        newest = os.path.abspath(os.fspath(path))
        others = (p for p in self.recent if p != newest)
        return replace(self, recent=(newest, *others)[:RECENT_LIMIT])

    def without_recent(self, path: str | os.PathLike[str]) -> Settings:
        """These settings without `path` among the recent models: it is gone, or it cannot be opened."""
        gone = os.path.abspath(os.fspath(path))
        return replace(self, recent=tuple(p for p in self.recent if p != gone))


def settings_path() -> Path:
    """Where the settings are kept: `NEUROVIEW_CONFIG_DIR`, or the platform's folder for user configuration."""
    folder = os.environ.get("NEUROVIEW_CONFIG_DIR") or platformdirs.user_config_dir("neuroview", appauthor=False)
    return Path(folder) / "settings.json"


def load_settings(path: Path | None = None) -> Settings:
    """The remembered settings, or the defaults. Never raises: what cannot be used is logged as a warning.

    A file that is no settings file at all is renamed to `*.broken`, so that nothing of the user's is lost; a single
    entry of a wrong type takes its default and leaves the others alone.
    """
    path = path or settings_path()
    try:
        if not path.exists():
            return Settings()
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is no small text file")
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or not isinstance(data.get("version"), int):
            raise ValueError('it holds no object with a "version"')
        if data["version"] > VERSION:
            log.warning("%s was written by a newer neuroview; using the defaults and leaving it as it is.", path)
            return Settings()
    except (OSError, ValueError, RecursionError) as error:
        _set_aside(path, error)
        return Settings()
    return _read(data, path)


def save_settings(settings: Settings, path: Path | None = None) -> bool:
    """Replace the settings file in one step; returns False (and logs why) where that is not possible.

    A file of a newer version is left alone: an older program does not take away what a newer one remembers.
    """
    path = path or settings_path()
    if _is_newer(path):
        return False
    text = json.dumps({"version": VERSION, **asdict(settings)}, indent=2, allow_nan=False)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        return True
    except OSError as error:
        log.warning("The settings could not be saved to %s: %s", path, error)
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        return False


def _is_newer(path: Path) -> bool:
    try:
        version = json.loads(path.read_text(encoding="utf-8")).get("version", 0)
        return isinstance(version, int) and version > VERSION
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _set_aside(path: Path, error: Exception) -> None:
    broken = path.with_name(path.name + ".broken")
    try:
        os.replace(path, broken)
        log.warning("The settings in %s could not be read (%s); kept as %s, using defaults.", path, error, broken.name)
    except OSError:
        log.warning("The settings in %s could not be read (%s); using defaults.", path, error)


def _read(data: Mapping[str, Any], path: Path) -> Settings:
    settings = Settings()
    for name, check in _CHECKS.items():
        if name not in data:
            continue
        try:
            settings = replace(settings, **{name: check(data[name])})
        except (TypeError, ValueError, KeyError) as error:
            log.warning("%s: %s is not usable (%s); using its default.", path, name, error)
    return settings


def _place(value: Any) -> Place | None:
    if value is None:
        return None
    place = Place(**{name: _whole(value[name]) for name in ("x", "y", "width", "height")})
    if not (64 <= place.width <= 32768 and 64 <= place.height <= 32768) or max(abs(place.x), abs(place.y)) > 65536:
        raise ValueError(f"not a place on a desktop: {place}")
    return place


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected a whole number, found {value!r:.40}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, found {value!r:.40}")
    return value


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, found {value!r:.40}")
    if not (math.isfinite(value) and 1 <= value <= 1000):
        raise ValueError(f"expected 1 to 1000 frames a second, found {value!r:.40}")
    return float(value)


def _paths(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(p, str) and p for p in value):
        raise TypeError("expected a list of paths")
    return tuple(dict.fromkeys(value))[:RECENT_LIMIT]


_CHECKS = {
    "window": _place,
    "panel": _place,
    "panel_visible": _flag,
    "overlay": _flag,
    "minimap": _flag,
    "target_fps": _rate,
    "recent": _paths,
}
