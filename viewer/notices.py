"""What a person should notice: cards that stay until they are read, and short confirmations that fade."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .letterbox import Rect
from .theme import Colour, Theme, faded

if TYPE_CHECKING:
    from .painter import Painter

Level = Literal["error", "warning", "info"]

CARD_SECONDS = 12.0
TOAST_SECONDS = 3.0
_FADE = 0.35
_HEADINGS = {"error": "Something went wrong", "warning": "Please note"}


@dataclass
class Notice:
    """One message on screen."""

    text: str
    level: Level
    until: float
    """Clock time at which it goes by itself."""
    place: Rect | None = None
    """Where it was drawn last, points."""


class Notices:
    """Errors and warnings as cards at the top right, information as a toast at the bottom; newest first."""

    MOST = 3
    """Cards at the same time; older ones give way."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self.cards: list[Notice] = []
        self.toast: Notice | None = None

    def tell(self, text: str, level: Level, now: float) -> None:
        """Show `text`; the same text again starts its time anew."""
        if level == "info":
            self.toast = Notice(text, level, now + TOAST_SECONDS)
            return
        self.cards = [card for card in self.cards if card.text != text]
        self.cards.insert(0, Notice(text, level, now + CARD_SECONDS))
        del self.cards[self.MOST :]

    def dismiss(self) -> bool:
        """Take the newest card away; False when there is none."""
        if not self.cards:
            return False
        del self.cards[0]
        return True

    def click(self, x: float, y: float) -> bool:
        """Take away the card under (x, y), points; False when there is none."""
        for card in self.cards:
            if card.place is not None and card.place.contains(x, y):
                self.cards.remove(card)
                return True
        return False

    def expire(self, now: float) -> bool:
        """Forget what has been there long enough; True when something went."""
        before = (len(self.cards), self.toast)
        self.cards = [card for card in self.cards if now < card.until]
        if self.toast is not None and now >= self.toast.until:
            self.toast = None
        return before != (len(self.cards), self.toast)

    def next_change(self, now: float) -> float | None:
        """Seconds until the picture of these notices changes by itself; None: not at all."""
        waits = [card.until - now for card in self.cards]
        if self.toast is not None:
            fade = self.toast.until - _FADE - now
            waits.append(fade if fade > 0 else 1 / 30)
        return max(min(waits), 0.0) if waits else None

    def draw(self, painter: Painter, now: float, *, beside: Sequence[Rect] = ()) -> None:
        """Draw them, below what else stands at the window's head, `beside`, where they would reach over it."""
        left = painter.width - 16 - _width(painter)
        top = max((place.bottom + 8 for place in beside if place.right + 8 > left), default=16.0)
        for card in self.cards:
            top = self._draw_card(painter, card, top) + 8
        if self.toast is not None:
            self._draw_toast(painter, self.toast, min(1.0, max(0.0, (self.toast.until - now) / _FADE)))

    def _draw_card(self, painter: Painter, card: Notice, top: float) -> float:
        theme = self._theme
        width = _width(painter)
        left, inner = painter.width - 16 - width, width - 16 - 40 - 8
        heading, body = split_message(card.text, _HEADINGS[card.level])
        headings = painter.wrap(heading, inner, size=14, weight="semibold", most=3)
        lines = painter.wrap(body, inner, size=13, most=8) if body else []
        height = 32 + 20 * (len(headings) + len(lines)) + (4 if lines else 0) - 4
        card.place = Rect(left, top, width, height)
        colour = theme.danger if card.level == "error" else theme.warning
        painter.box(card.place.grown(2), (0, 0, 0, 0.45), radius=14, softness=10)
        painter.box(card.place, theme.raised, radius=12)
        painter.box(card.place, faded(colour, 0.45), radius=12, border=1)
        _badge(painter, left + 24, top + 24, colour, theme.raised)
        y = top + 24
        for line in headings:
            painter.text(left + 44, y, line, theme.text, size=14, weight="semibold")
            y += 20
        y += 4 if lines else 0
        for line in lines:
            painter.text(left + 44, y, line, faded(theme.text, 0.78), size=13)
            y += 20
        _cross(painter, left + width - 20, top + 20, theme.muted)
        return card.place.bottom

    def _draw_toast(self, painter: Painter, toast: Notice, opacity: float) -> None:
        theme = self._theme
        line = painter.wrap(toast.text, painter.width - 96, size=13, most=1)[0]
        width = painter.measure(line, size=13) + 32
        place = Rect((painter.width - width) / 2, painter.height - 32 - 40, width, 36)
        painter.box(place.grown(2), (0, 0, 0, 0.4 * opacity), radius=18, softness=8)
        painter.box(place, faded(theme.raised, 0.97 * opacity), radius=18)
        painter.box(place, faded(theme.text, 0.10 * opacity), radius=18, border=1)
        painter.text(place.x + 16, place.y + 18, line, faded(theme.text, opacity), size=13)
        toast.place = place


def split_message(text: str, otherwise: str) -> tuple[str, str]:
    """A message as (heading, body): its first sentence and the rest; a long first sentence goes under `otherwise`."""
    text = text.strip()
    end = re.search(r"[.!?](?=\s)|\n", text)
    first = text[: end.start() + 1].strip() if end else text
    if len(first) > 90:
        return otherwise, text
    return first.rstrip("."), text[len(first) :].strip()


def _width(painter: Painter) -> float:
    return min(440.0, painter.width - 32)


def _badge(painter: Painter, x: float, y: float, colour: Colour, on: Colour) -> None:
    """An exclamation mark in a disc, built from shapes so that it needs no icon font."""
    painter.disc(x, y, 9, colour)
    painter.box(Rect(x - 1, y - 5, 2, 6), on, radius=1)
    painter.box(Rect(x - 1, y + 3, 2, 2), on, radius=1)


def _cross(painter: Painter, x: float, y: float, colour: Colour) -> None:
    painter.text(x - painter.measure("×", size=18) / 2, y + 2, "×", colour, size=18)
