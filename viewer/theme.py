"""The colours that the window and the panel share, read from `assets/theme.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from .. import assets

Colour = tuple[float, float, float, float]
"""Red, green, blue, opacity in 0..1, as the display takes them (sRGB)."""

ASSETS = Path(next(iter(assets.__path__)))


def rgba(colour: str, opacity: float = 1.0) -> Colour:
    """'#rrggbb' as numbers."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return (red, green, blue, opacity)


def faded(colour: Colour, opacity: float) -> Colour:
    """`colour` at `opacity` times its own."""
    return (*colour[:3], colour[3] * opacity)


@dataclass(frozen=True)
class Theme:
    """Names say what a colour is for."""

    background: Colour
    surface: Colour
    raised: Colour
    text: Colour
    muted: Colour
    accent: Colour
    danger: Colour
    warning: Colour


_DEFAULTS = {
    "background": "#0f1115",
    "surface": "#171a21",
    "raised": "#1f2430",
    "text": "#e7eaf0",
    "muted": "#8b93a5",
    "accent": "#6ea8fe",
    "danger": "#ff6b6b",
    "warning": "#f5b84b",
}


@lru_cache(maxsize=1)
def shipped_theme() -> Theme:
    """The theme in `assets/theme.json`; a colour that it does not name keeps its default."""
    path = ASSETS / "theme.json"
    stored = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return Theme(**{f.name: rgba(stored.get(f.name, _DEFAULTS[f.name])) for f in fields(Theme)})
