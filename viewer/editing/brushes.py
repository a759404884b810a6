"""The brushes: what each is called, what it looks like over the picture, and the palette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...engine.state import StrokeKind
from ..theme import Colour, rgba

BrushName = Literal["colour", "keep", "remove", "add", "region", "eraser"]
Pattern = Literal["plain", "stripes", "dots", "grid"]
"""How a stroke is filled, so that a red colour stroke is no removal."""


@dataclass(frozen=True)
class Brush:
    """One tool of the strip."""

    name: BrushName
    title: str
    help: str
    tint: Colour
    """Of its strokes over the picture, where they have no colour of their own."""
    pattern: Pattern = "plain"
    coloured: bool = False
    """Whether its strokes ask for a colour, which they show."""

    @property
    def kind(self) -> StrokeKind | None:
        """What its strokes ask for; None: it takes strokes away."""
        return None if self.name == "eraser" else self.name


BRUSHES: tuple[Brush, ...] = (
    Brush("colour", "Colour", "Paint over what shall have this colour", rgba("#cc1a1a"), coloured=True),
    Brush("keep", "Keep", "Paint over what has to stay as it is", rgba("#5fd38d"), "dots"),
    Brush("remove", "Remove", "Paint over what shall go away", rgba("#ff5c5c"), "stripes"),
    Brush("add", "Add", "Paint where something of this colour shall grow", rgba("#b08cff"), "grid", coloured=True),
    Brush("region", "Region", "Paint over what a transfer from another seed may change", rgba("#f5b84b"), "stripes"),
    Brush("eraser", "Eraser", "Rub out strokes of this view", rgba("#e7eaf0")),
)
BY_NAME = {brush.name: brush for brush in BRUSHES}
PALETTE: tuple[tuple[float, float, float], ...] = tuple(
    tuple(round(part, 4) for part in rgba(colour)[:3])  # type: ignore[misc]
    for colour in (
        "#cc1a1a", "#e8722a", "#f2c230", "#4f9e4a", "#2b8f96", "#2f62c9", "#7a46b8", "#d6589b", "#6b4226",
        "#d9b48f", "#f1f1ee", "#8b8d92", "#26272b",
    )
)  # fmt: skip
"""sRGB, 0..1, as rounded as strokes keep them: hues, two browns that hair and skin need, white, grey and black."""
SMALLEST, LARGEST = 0.008, 0.4
"""Diameter of a brush; the picture's height is 1."""
STEP = 1.18
"""Factor of one press of a key or one notch of the wheel, on the diameter."""


def tint_of(name: BrushName, colour: tuple[float, float, float]) -> Colour:
    """What strokes of a brush look like, opaque, with `colour` in the hand or in the stroke."""
    brush = BY_NAME[name]
    return (*colour, 1.0) if brush.coloured else brush.tint


def resized(width: float, notches: float) -> float:
    """A brush's diameter after `notches` steps, positive larger."""
    return round(min(max(width * STEP**notches, SMALLEST), LARGEST), 4)


def hex_of(colour: tuple[float, float, float]) -> str:
    """'#rrggbb'."""
    return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02x}" for part in colour)
