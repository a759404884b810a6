"""The window's icon: the mark of the start screen, a body and the camera that orbits it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .theme import Colour, Theme

_FINER = 4
"""Drawn this much larger and averaged down, for smooth edges."""


Icon = tuple[int, int, list[list[list[int]]]]
"""(width, height, rows of RGBA pixels), as pyGLFW takes it."""


def window_icons(theme: Theme) -> list[Icon]:
    """The mark in the sizes that desktops ask for."""
    return [(side, side, np.asarray(_mark(side, theme)).tolist()) for side in (16, 32, 48)]


def _mark(side: int, theme: Theme) -> Image.Image:
    unit = side * _FINER / 32
    image = Image.new("RGBA", (side * _FINER, side * _FINER))
    draw = ImageDraw.Draw(image)

    def disc(x: float, y: float, radius: float, colour: Colour, line: float = 0.0) -> None:
        box = [unit * (x - radius), unit * (y - radius), unit * (x + radius), unit * (y + radius)]
        paint = _bytes(colour)
        draw.ellipse(box, fill=None if line else paint, outline=paint if line else None, width=round(unit * line))

    draw.rounded_rectangle([0, 0, side * _FINER - 1, side * _FINER - 1], 7 * unit, fill=_bytes(theme.surface))
    disc(16, 16, 11.5, theme.muted, line=1.6)
    disc(16, 16, 5, theme.text)
    disc(24, 8, 5, theme.surface)
    disc(24, 8, 3.2, theme.accent)
    return image.resize((side, side), Image.Resampling.BOX)


def _bytes(colour: Colour) -> tuple[int, int, int, int]:
    red, green, blue, opacity = (round(255 * value) for value in colour)
    return red, green, blue, opacity
