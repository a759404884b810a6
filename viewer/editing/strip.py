"""The floating tool strip: brushes, size and palette beside the picture, and which of them is under the hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..letterbox import Rect
from ..theme import Colour, Theme, faded
from .brushes import BRUSHES, BY_NAME, LARGEST, PALETTE, SMALLEST, tint_of
from .icons import draw_icon
from .tools import Tools

if TYPE_CHECKING:
    from ..painter import Painter
    from ..typeset import Weight
    from .verbs import EditActions

WIDTH, HEIGHT, GAP, PAD = 64.0, 46.0, 2.0, 6.0
"""Of a button with its word, points."""
SIZE_HEIGHT, APPLY_HEIGHT, CLOSE_HEIGHT = 28.0, 34.0, 28.0
SWATCH = 26.0
SEPARATOR = 9.0
TOP = 52.0
"""Points that the line at the window's head is left alone."""


@dataclass(frozen=True)
class Target:
    """Something that can be pressed, in points."""

    place: Rect
    press: Callable[[], object]
    title: str = ""
    help: str = ""


def strip_targets(area: Rect, height: float, tools: Tools, do: EditActions, factor: float, apply: str) -> list[Target]:
    """Where the strip's buttons are: a column beside the picture's left edge, the palette beside it.

    Args:
        area: the picture, points.
        height: of the window, points.
        factor: 1 at full size; smaller where the window is too low.
        apply: what Enter would do with the strokes, as a button says it; '': nothing.
    """
    width, gap, pad = WIDTH * factor, GAP * factor, PAD * factor
    x = strip_left(area, width + 2 * pad) + pad
    y = max((height - strip_height() * factor) / 2, TOP) + pad
    found: list[Target] = []

    def row(tall: float, *parts: tuple[float, Callable[[], object], str, str]) -> None:
        nonlocal y
        left = x
        for part, press, title, words in parts:
            found.append(Target(Rect(left, y, part * width, tall * factor), press, title, words))
            left += part * width
        y += tall * factor + gap

    for brush in BRUSHES:
        row(HEIGHT, (1.0, _chooser(do, brush.name), brush.title, brush.help))
    y += SEPARATOR * factor
    row(SIZE_HEIGHT, (0.5, do.smaller, "Smaller", "Ctrl [, or scroll"), (0.5, do.larger, "Larger", "Ctrl ], or scroll"))
    y += SEPARATOR * factor
    row(APPLY_HEIGHT, (1.0, do.apply, apply or "Apply", "Let the scene take the strokes on. Enter"))
    row(CLOSE_HEIGHT, (1.0, do.toggle_brushes, "Close", "Put the brush away. Esc, or B"))
    if BY_NAME[tools.brush].coloured:
        found += _palette_targets(x + width + 2 * pad + 6, height, do, factor)
    return found


def strip_factor(height: float) -> float:
    """How large the strip can be in a window of that height."""
    return min(1.0, (height - TOP - 8) / strip_height())


def strip_left(area: Rect, width: float) -> float:
    """Where a column of that width stands: beside the picture where there is room, else over its left edge."""
    return max((area.x - width) / 2, 8.0) if area.x >= width + 12 else area.x + 12


def _palette_targets(x: float, height: float, do: EditActions, factor: float) -> list[Target]:
    side, gap = SWATCH * factor, GAP * factor
    x += PAD * factor
    y = (
        max((height - strip_height() * factor) / 2, TOP)
        + (strip_height() - palette_height()) / 2 * factor
        + PAD * factor
    )
    found = [Target(Rect(x, y, side, side), do.pick, "Pick", "Take a colour from the picture. I, or Alt click")]
    y += side + gap
    for colour in PALETTE:
        found.append(Target(Rect(x, y, side, side), _painter_of(do, colour), "", ""))
        y += side
    return found


def strip_height() -> float:
    """Of the strip with its padding, at full size."""
    rows = len(BRUSHES) * (HEIGHT + GAP) + SIZE_HEIGHT + APPLY_HEIGHT + CLOSE_HEIGHT + 2 * GAP
    return 2 * PAD + rows + 2 * SEPARATOR


def palette_height() -> float:
    return 2 * PAD + GAP + (len(PALETTE) + 1) * SWATCH


def draw_strip(
    painter: Painter,
    theme: Theme,
    targets: list[Target],
    tools: Tools,
    hover: tuple[float, float] | None,
    *,
    ready: bool,
) -> None:
    """Draw what `strip_targets` has laid out. `ready`: there is something to apply, and no edit runs."""
    count = len(BRUSHES)
    column, palette = targets[: count + 4], targets[count + 4 :]
    factor = column[0].place.width / WIDTH
    _plate(painter, theme, _around(column, PAD * factor))
    for brush, target in zip(BRUSHES, column[:count], strict=True):
        tint, lit = tint_of(brush.name, tools.colour), tools.brush == brush.name
        _brush(painter, theme, target, brush.name, hover, factor, lit=lit, dot=tint)
    smaller, larger, apply, close = column[count:]
    for target in (smaller, apply):
        y = target.place.y - (SEPARATOR + GAP) / 2 * factor
        painter.box(Rect(column[0].place.x + 4, y, column[0].place.width - 8, 1), faded(theme.text, 0.10))
    for target, icon, side in ((smaller, "minus", -1), (larger, "plus", 1)):
        _hovered(painter, theme, target, hover)
        x, y = target.place.x + target.place.width / 2 + 5 * side * factor, _middle(target)
        draw_icon(painter, icon, x, y, 13 * factor, faded(theme.text, 0.8))
    # The brush's size between the two, on the scale on which they change it.
    radius = (1.5 + 6 * math.log(tools.width / SMALLEST) / math.log(LARGEST / SMALLEST)) * factor
    painter.disc(larger.place.x, _middle(larger), radius, faded(theme.text, 0.55))
    over = hover is not None and apply.place.contains(*hover)
    fill = faded(theme.accent, 1.0 if over else 0.88) if ready else faded(theme.text, 0.06)
    painter.box(apply.place, fill, radius=9 * factor)
    _word(painter, apply, theme.background if ready else faded(theme.text, 0.38), 12 * factor, weight="semibold")
    _hovered(painter, theme, close, hover)
    _word(painter, close, faded(theme.text, 0.72), 11 * factor)
    if palette:
        _draw_palette(painter, theme, palette, tools, hover, PAD * factor)
    for target in targets:
        if hover and target.title and target.place.contains(*hover):
            beside = (palette or column)[0].place.right if target in column else target.place.right
            _tooltip(painter, theme, target, beside + PAD * factor + 10)


def _draw_palette(
    painter: Painter, theme: Theme, palette: list[Target], tools: Tools, hover: tuple[float, float] | None, pad: float
) -> None:
    _plate(painter, theme, _around(palette, pad))
    _pipette(painter, theme, palette[0], hover, tools.picking)
    for colour, target in zip(PALETTE, palette[1:], strict=True):
        place = target.place
        x, y, radius = place.x + place.width / 2, place.y + place.height / 2, place.width * 0.36
        over = hover is not None and place.contains(*hover)
        painter.disc(x, y, radius + (1 if over else 0), (*colour, 1.0))
        painter.disc(x, y, radius + (1 if over else 0), faded(theme.text, 0.16), border=1)
        if colour == tools.colour:
            painter.disc(x, y, radius + 3, theme.accent, border=2)


def _brush(
    painter: Painter,
    theme: Theme,
    target: Target,
    icon: str,
    hover: tuple[float, float] | None,
    factor: float,
    *,
    lit: bool,
    dot: Colour,
) -> None:
    """Icon above, word below, and the colour of its strokes beside the icon."""
    place = target.place
    x = place.x + place.width / 2
    if lit:
        painter.box(place, faded(theme.accent, 0.24), radius=9)
    else:
        _hovered(painter, theme, target, hover)
    over = hover is not None and place.contains(*hover)
    colour = theme.text if lit or over else faded(theme.text, 0.78)
    y = place.y + 17 * factor
    draw_icon(painter, icon, x, y, 19 * factor, colour)
    painter.disc(x + 15 * factor, y + 6 * factor, 3.5 * factor, dot)
    painter.disc(x + 15 * factor, y + 6 * factor, 4.5 * factor, faded(theme.surface, 0.9), border=1)
    size = 11 * factor
    wide = painter.measure(target.title, size=size)
    painter.text(x - wide / 2, place.y + 36 * factor, target.title, colour, size=size)


def _pipette(painter: Painter, theme: Theme, target: Target, hover: tuple[float, float] | None, lit: bool) -> None:
    place = target.place
    if lit:
        painter.box(place, faded(theme.accent, 0.24), radius=8)
    else:
        _hovered(painter, theme, target, hover)
    draw_icon(painter, "pipette", place.x + place.width / 2, _middle(target), 0.66 * place.height, theme.text)


def _hovered(painter: Painter, theme: Theme, target: Target, hover: tuple[float, float] | None) -> None:
    if hover is not None and target.place.contains(*hover):
        painter.box(target.place, faded(theme.text, 0.08), radius=8)


def _middle(target: Target) -> float:
    return target.place.y + target.place.height / 2


def _word(painter: Painter, target: Target, colour: Colour, size: float, weight: Weight = "regular") -> None:
    wide = painter.measure(target.title, size=size, weight=weight)
    x = target.place.x + (target.place.width - wide) / 2
    painter.text(x, _middle(target), target.title, colour, size=size, weight=weight)


def _tooltip(painter: Painter, theme: Theme, target: Target, x: float) -> None:
    gap = 8
    title = painter.measure(target.title, size=12, weight="semibold")
    width = title + gap + painter.measure(target.help, size=12) + 24
    place = Rect(x, target.place.y + target.place.height / 2 - 14, width, 28)
    painter.box(place.grown(1), (0, 0, 0, 0.35), radius=10, softness=6)
    painter.box(place, theme.raised, radius=9)
    painter.box(place, faded(theme.text, 0.10), radius=9, border=1)
    middle = place.y + 14
    painter.text(place.x + 12, middle, target.title, theme.text, size=12, weight="semibold")
    painter.text(place.x + 12 + title + gap, middle, target.help, faded(theme.text, 0.72), size=12)


def _plate(painter: Painter, theme: Theme, place: Rect) -> None:
    painter.box(place.grown(1), (0, 0, 0, 0.35), radius=15, softness=8)
    painter.box(place, faded(theme.surface, 0.97), radius=14)
    painter.box(place, faded(theme.text, 0.08), radius=14, border=1)


def _around(targets: list[Target], pad: float) -> Rect:
    left, top = min(t.place.x for t in targets), min(t.place.y for t in targets)
    right, bottom = max(t.place.right for t in targets), max(t.place.bottom for t in targets)
    return Rect(left, top, right - left, bottom - top).grown(pad)


def _chooser(do: EditActions, name: str) -> Callable[[], object]:
    return lambda: do.choose(name)  # type: ignore[arg-type]


def _painter_of(do: EditActions, colour: tuple[float, float, float]) -> Callable[[], object]:
    return lambda: do.set_colour(colour)
