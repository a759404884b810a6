"""The floating tool strip: brushes, size and palette beside the picture, and which of them is under the hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..letterbox import Rect
from ..theme import Colour, Theme, faded
from .brushes import BRUSHES, PALETTE
from .icons import draw_icon
from .tools import Tools

if TYPE_CHECKING:
    from ..painter import Painter
    from .verbs import EditActions

BUTTON, GAP, PAD = 36.0, 2.0, 6.0
SWATCH = 26.0
SEPARATOR = 9.0


@dataclass(frozen=True)
class Target:
    """Something that can be pressed, in points."""

    place: Rect
    press: Callable[[], object]
    title: str = ""
    help: str = ""


def strip_targets(area: Rect, height: float, tools: Tools, do: EditActions, factor: float) -> list[Target]:
    """Where the strip's buttons are: a column beside the picture's left edge, the palette beside it.

    Args:
        area: the picture, points.
        height: of the window, points.
        factor: 1 at full size; smaller where the window is too low.
    """
    b, gap, pad = BUTTON * factor, GAP * factor, PAD * factor
    x = 16.0 if area.x >= 16 + b + 2 * pad + 4 else area.x + 12
    x += pad
    y = (height - strip_height() * factor) / 2 + pad
    found: list[Target] = []
    for brush in BRUSHES:
        press = _chooser(do, brush.name)
        found.append(Target(Rect(x, y, b, b), press, brush.title, brush.help))
        y += b + gap
    y += SEPARATOR * factor
    half = (b - gap) / 2
    found.append(Target(Rect(x, y, half, b * 0.72), do.smaller, "Smaller", "Ctrl [, or scroll"))
    found.append(Target(Rect(x + half + gap, y, half, b * 0.72), do.larger, "Larger", "Ctrl ], or scroll"))
    y += b * 0.72 + gap + SEPARATOR * factor
    found.append(Target(Rect(x, y, b, b), do.apply, "Apply", "Let the scene take it on. Enter"))
    if tools.brush == "colour":
        found += _palette_targets(x + b + 2 * pad + 6, height, do, factor)
    return found


def _palette_targets(x: float, height: float, do: EditActions, factor: float) -> list[Target]:
    side, b = SWATCH * factor, BUTTON * factor
    x += PAD * factor
    y = (height - palette_height() * factor) / 2 + PAD * factor
    found = [Target(Rect(x, y, side, b), do.pick, "Pick", "Take a colour from the picture. I, or Alt click")]
    y += b + GAP * factor
    for colour in PALETTE:
        found.append(Target(Rect(x, y, side, side), _painter_of(do, colour), "", ""))
        y += side
    return found


def strip_height() -> float:
    """Of the strip with its padding, at full size."""
    return 2 * PAD + len(BRUSHES) * (BUTTON + GAP) + 2 * SEPARATOR + 0.72 * BUTTON + GAP + BUTTON


def palette_height() -> float:
    return 2 * PAD + BUTTON + GAP + len(PALETTE) * SWATCH


def draw_strip(
    painter: Painter, theme: Theme, targets: list[Target], tools: Tools, hover: tuple[float, float] | None, busy: bool
) -> None:
    """Draw what `strip_targets` has laid out. `busy`: an edit runs, and nothing can be applied."""
    count = len(BRUSHES)
    column, palette = targets[: count + 3], targets[count + 3 :]
    pad = PAD * column[0].place.width / BUTTON
    _plate(painter, theme, _around(column, pad))
    for brush, target in zip(BRUSHES, column[:count], strict=True):
        tint = (*tools.colour, 1.0) if brush.name == "colour" else brush.tint
        _button(painter, theme, target, brush.name, hover, lit=tools.brush == brush.name, dot=tint)
    smaller, larger, apply = column[count:]
    for target in (smaller, apply):
        y = target.place.y - (SEPARATOR + GAP) / 2 * target.place.height / BUTTON
        painter.box(Rect(column[0].place.x + 4, y, column[0].place.width - 8, 1), faded(theme.text, 0.10))
    _button(painter, theme, smaller, "minus", hover, scale=0.4)
    _button(painter, theme, larger, "plus", hover, scale=0.4)
    _button(painter, theme, apply, "apply", hover, enabled=not busy)
    if palette:
        _draw_palette(painter, theme, palette, tools, hover, pad)
    for target in targets:
        if hover and target.title and target.place.contains(*hover):
            beside = (palette or column)[0].place.right if target in column else target.place.right
            _tooltip(painter, theme, target, beside + pad + 10)


def _draw_palette(
    painter: Painter, theme: Theme, palette: list[Target], tools: Tools, hover: tuple[float, float] | None, pad: float
) -> None:
    _plate(painter, theme, _around(palette, pad))
    _button(painter, theme, palette[0], "pipette", hover, lit=tools.picking, scale=0.6)
    for colour, target in zip(PALETTE, palette[1:], strict=True):
        place = target.place
        x, y, radius = place.x + place.width / 2, place.y + place.height / 2, place.width * 0.36
        over = hover is not None and place.contains(*hover)
        painter.disc(x, y, radius + (1 if over else 0), (*colour, 1.0))
        painter.disc(x, y, radius + (1 if over else 0), faded(theme.text, 0.16), border=1)
        if colour == tools.colour:
            painter.disc(x, y, radius + 3, theme.accent, border=2)


def _button(
    painter: Painter,
    theme: Theme,
    target: Target,
    icon: str,
    hover: tuple[float, float] | None,
    *,
    lit: bool = False,
    enabled: bool = True,
    dot: Colour | None = None,
    scale: float = 0.54,
) -> None:
    place = target.place
    x, y = place.x + place.width / 2, place.y + place.height / 2
    over = hover is not None and place.contains(*hover) and enabled
    if lit:
        painter.box(place, faded(theme.accent, 0.24), radius=9)
    elif over:
        painter.box(place, faded(theme.text, 0.08), radius=9)
    colour = theme.text if lit or over else faded(theme.text, 0.72 if enabled else 0.3)
    draw_icon(painter, icon, x, y, BUTTON * place.height / BUTTON * scale, colour)
    if dot is not None:
        painter.disc(place.right - 6, place.bottom - 6, 3.5, dot)
        painter.disc(place.right - 6, place.bottom - 6, 4.5, faded(theme.surface, 0.9), border=1)


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
