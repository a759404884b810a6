"""The help: the key table as columns of key caps, as large as the window allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keymap import help_rows
from .letterbox import Rect
from .theme import Theme, faded
from .verbs import Mode, Row

if TYPE_CHECKING:
    from .painter import Painter

_LINE, _HEADING, _GAP = 28.0, 36.0, 16.0
_COLUMN = 360.0
_CAPS = 148.0
"""Width kept for the key caps of a row."""
_WORDS = (
    "Drop a file",
    "Brush drag",
    "Alt click",
    "Drag",
    "Right drag",
    "Shift drag",
    "Alt drag",
    "Scroll",
    "Ctrl scroll",
    "Double-click",
    "…",
)
"""Shown as words: no key is called so."""


def draw_help(painter: Painter, theme: Theme, mode: Mode = "generator") -> None:
    """Cover the window with every key and mouse movement that counts in `mode`; shrunk until it fits."""
    painter.box(Rect(0, 0, painter.width, painter.height), faded(theme.background, 0.88))
    groups: dict[str, list[Row]] = {}
    for row in help_rows(mode):
        groups.setdefault(row.group, []).append(row)
    columns, height = _arranged(groups, painter.width, painter.height)
    wanted_x, wanted_y = len(columns) * _COLUMN + (len(columns) - 1) * 24 + 64, height + 72 + 32 - _GAP
    factor = min(1.0, (painter.width - 16) / wanted_x, (painter.height - 16) / wanted_y)
    scale, size = painter.scale, (painter.width, painter.height)
    painter.scale *= factor
    painter.width, painter.height = size[0] / factor, size[1] / factor
    try:
        _draw_card(painter, theme, columns, wanted_x, wanted_y)
    finally:
        painter.scale, (painter.width, painter.height) = scale, size


def _arranged(
    groups: dict[str, list[Row]], width: float, height: float
) -> tuple[list[list[tuple[str, list[Row]]]], float]:
    """The groups in as many columns as make the text largest, and the height of the tallest column."""
    heights = {name: _HEADING + _LINE * len(rows) + _GAP for name, rows in groups.items()}
    best: tuple[float, list[list[tuple[str, list[Row]]]], float] | None = None
    for count in (1, 2, 3):
        columns: list[list[tuple[str, list[Row]]]] = [[] for _ in range(count)]
        used = [0.0] * count
        for name, rows in groups.items():
            shortest = used.index(min(used))
            columns[shortest].append((name, rows))
            used[shortest] += heights[name]
        tallest = max(used)
        factor = min(1.0, width / (len(columns) * (_COLUMN + 24) + 40), height / (tallest + 120))
        if best is None or factor > best[0] + 1e-6:
            best = (factor, columns, tallest)
    assert best is not None
    return best[1], best[2]


def _draw_card(
    painter: Painter, theme: Theme, columns: list[list[tuple[str, list[Row]]]], width: float, height: float
) -> None:
    card = Rect((painter.width - width) / 2, (painter.height - height) / 2, width, height)
    painter.box(card, theme.surface, radius=16)
    painter.box(card, faded(theme.text, 0.08), radius=16, border=1)
    painter.text(card.x + 32, card.y + 40, "Keys and mouse", theme.text, size=18, weight="semibold")
    hint = "Esc closes"
    painter.text(card.right - 32 - painter.measure(hint), card.y + 40, hint, theme.muted)
    for index, column in enumerate(columns):
        x, y = card.x + 32 + index * (_COLUMN + 24), card.y + 72
        for name, rows in column:
            painter.text(x, y + _HEADING / 2, name.upper(), theme.accent, size=11, weight="semibold")
            y += _HEADING
            for row in rows:
                _draw_row(painter, theme, row, x, y + _LINE / 2)
                y += _LINE
            y += _GAP


def _draw_row(painter: Painter, theme: Theme, row: Row, x: float, middle: float) -> None:
    pen = x
    for cap in row.shown:
        if cap in _WORDS:
            pen += painter.text(pen, middle, cap, faded(theme.text, 0.9), size=12) + 10
            continue
        for index, part in enumerate(cap.split(" ")):
            if index:
                pen += painter.text(pen - 3, middle, "+", theme.muted, size=11)
            width = max(painter.measure(part, size=12) + 12, 22)
            box = Rect(pen, middle - 11, width, 22)
            painter.box(box, theme.raised, radius=5)
            painter.box(box, faded(theme.text, 0.12), radius=5, border=1)
            painter.text(pen + (width - painter.measure(part, size=12)) / 2, middle, part, theme.text, size=12)
            pen += width + 6
    painter.text(max(x + _CAPS, pen + 8), middle, row.does, theme.muted, size=13)
