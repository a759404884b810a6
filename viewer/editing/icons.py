"""Icons of the tool strip, drawn as lines on a grid of 24 like the panel's (Lucide's proportions)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from ..theme import Colour

if TYPE_CHECKING:
    from ..painter import Painter

Line = tuple[tuple[float, float], ...]


def _ring(x: float, y: float, radius: float, start: float = 0.0, end: float = 360.0) -> Line:
    """An arc as short lines; degrees, clockwise from the right."""
    count = max(4, round(abs(end - start) / 15))
    angles = (math.radians(start + (end - start) * i / count) for i in range(count + 1))
    return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles)


ICONS: dict[str, tuple[Line, ...]] = {
    "colour": (
        ((20.5, 3.5), (12.2, 12.8)),
        ((20.5, 3.5), (11.2, 11.8)),
        (*_ring(8.3, 15.7, 4.2, -40, 90), (6.5, 20.6), (3.2, 20.4), (4.4, 18.6), *_ring(8.3, 15.7, 4.2, 170, 320)),
    ),
    "keep": (
        ((5, 11), (19, 11), (19, 20.5), (5, 20.5), (5, 11)),
        ((8, 11), *_ring(12, 7.6, 4, 180, 360), (16, 11)),
        ((12, 14.6), (12, 16.9)),
    ),
    "remove": (_ring(12, 12, 9), ((8, 12), (16, 12))),
    "add": (_ring(12, 12, 9), ((8, 12), (16, 12)), ((12, 8), (12, 16))),
    "region": tuple(
        line
        for a, b in ((4.0, 8.0), (10.2, 13.8), (16.0, 20.0))
        for line in (((a, 4), (b, 4)), ((a, 20), (b, 20)), ((4, a), (4, b)), ((20, a), (20, b)))
    ),
    "eraser": (
        ((8.2, 20), (3.6, 15.4), (14.2, 4.8), (20.4, 11), (11.4, 20), (8.2, 20)),
        ((9.0, 10.0), (15.2, 16.2)),
        ((8.2, 20), (20.5, 20)),
    ),
    "pipette": (
        ((3.5, 20.5), (5, 16.6), (13.2, 8.4)),
        ((3.5, 20.5), (7.4, 19), (15.6, 10.8)),
        ((11.4, 6.6), (17.4, 12.6)),
        ((14.2, 7.4), (17.4, 4.2), (19.8, 4.2), (19.8, 6.6), (16.6, 9.8)),
    ),
    "minus": (((6, 12), (18, 12)),),
    "plus": (((6, 12), (18, 12)), ((12, 6), (12, 18))),
    "apply": (((4.5, 12.5), (9.5, 17.5), (19.5, 7)),),
    "close": (((6, 6), (18, 18)), ((18, 6), (6, 18))),
}


def draw_icon(painter: Painter, name: str, x: float, y: float, size: float, colour: Colour) -> None:
    """An icon about (x, y), `size` points across."""
    unit = size / 24
    lines = [
        (x + unit * (ax - 12), y + unit * (ay - 12), x + unit * (bx - 12), y + unit * (by - 12))
        for line in ICONS[name]
        for (ax, ay), (bx, by) in pairwise(line)
    ]
    painter.strokes(lines, max(1.5, 1.9 * unit), colour)
