"""The first thing on screen: the name and what is being waited for, drawn before torch is even imported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .letterbox import Rect
from .theme import Theme, faded

if TYPE_CHECKING:
    from .painter import Painter

FRAMES_A_SECOND = 20.0
"""Enough for the slow orbit; the processor belongs to the model that is loading."""
_TURN = 3.0
"""Seconds for one orbit of the mark."""


def draw_start(painter: Painter, theme: Theme, text: str, progress: float | None, now: float) -> None:
    """The mark (a body and the camera that orbits it), the name, what is going on, and how far it is.

    Args:
        progress: 0..1; None: unknown.
    """
    x, y = painter.width / 2, painter.height / 2
    angle = 2 * math.pi * (now % _TURN) / _TURN - math.pi / 2
    mark = y - 56
    painter.disc(x, mark, 34, faded(theme.muted, 0.32), border=2)
    painter.disc(x, mark, 14, theme.text)
    painter.disc(x + 33 * math.cos(angle), mark + 33 * math.sin(angle), 10, theme.background)
    painter.disc(x + 33 * math.cos(angle), mark + 33 * math.sin(angle), 6, theme.accent)
    name = painter.measure("neuroview", size=32, weight="semibold")
    painter.text(x - name / 2, y + 20, "neuroview", theme.text, size=32, weight="semibold")
    line = painter.wrap(text, max(painter.width - 64, 64), size=14, most=1)[:1]
    for words in line:
        painter.text(x - painter.measure(words, size=14) / 2, y + 60, words, theme.muted, size=14)
    if progress is not None:
        track = Rect(x - 96, y + 88, 192, 4)
        painter.box(track, theme.raised, radius=2)
        done = 192 * min(max(progress, 0.0), 1.0)
        painter.box(Rect(track.x, track.y, max(done, 4), 4), theme.accent, radius=2)
