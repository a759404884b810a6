"""What a driver is told over the picture: paused, replaying, recording, autopilot; what just happened; engine lost."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.state import Drive
from ..letterbox import Rect
from ..theme import Colour, Theme, faded

if TYPE_CHECKING:
    from ...engine.driving.messages import DriveFrame, EventKind
    from ...engine.driving.status import DriveStatus
    from ..painter import Painter

SECONDS = 4.0
"""For which an event is shown."""
_FADE = 0.4
PAINTED = ("painted", "split")
"""Views that need a painter."""
SHORT = 72
"""Characters that fit on a chip."""
MOST = 3
"""Events at the same time; older ones give way."""
_COLOURS: dict[EventKind, str] = {"collision": "danger", "red light": "warning", "wrong way": "warning"}


@dataclass(frozen=True)
class Chip:
    """A few words on a small plate; `dot` names the theme's colour of the dot before them."""

    text: str
    dot: str = ""


@dataclass
class _Happened:
    chip: Chip
    until: float
    times: int = 1


class Happenings:
    """Events of the drive, each for some seconds. `note` may be called from any thread, the rest from the window's."""

    def __init__(self) -> None:
        self._noted: deque[DriveFrame] = deque(maxlen=64)
        self._newest: DriveFrame | None = None
        self._shown: list[_Happened] = []

    def note(self, frame: DriveFrame | None) -> None:
        """Take in a frame's events, once."""
        if frame is not None and frame is not self._newest:
            self._newest = frame
            if frame.events:
                self._noted.append(frame)

    def update(self, now: float) -> bool:
        """Show what was noted and forget what is old; True when something came or went."""
        before = [(item.chip, item.times) for item in self._shown]
        while self._noted:
            for event in self._noted.popleft().events:
                self._show(Chip(sentence(event.text or event.kind), _COLOURS.get(event.kind, "accent")), now)
        self._shown = [item for item in self._shown if now < item.until][:MOST]
        return before != [(item.chip, item.times) for item in self._shown]

    def clear(self) -> None:
        """Another drive begins."""
        self._noted.clear()
        self._shown.clear()

    def next_change(self, now: float) -> float | None:
        """Seconds until they look different; None: there are none."""
        waits = [item.until - _FADE - now for item in self._shown]
        return max(min(waits), 1 / 30) if waits else None

    def chips(self, now: float) -> list[tuple[Chip, float]]:
        """(chip, opacity), newest first."""
        return [
            (
                Chip(f"{item.chip.text}  ×{item.times}" if item.times > 1 else item.chip.text, item.chip.dot),
                min(1.0, max(0.0, (item.until - now) / _FADE)),
            )
            for item in self._shown
        ]

    def _show(self, chip: Chip, now: float) -> None:
        for item in self._shown:
            if item.chip == chip:  # the same once more, such as a second lamp post
                item.until, item.times = now + SECONDS, item.times + 1
                return
        self._shown.insert(0, _Happened(chip, now + SECONDS))


def sentence(text: str) -> str:
    """With a capital, as the first word on a chip."""
    return text[:1].upper() + text[1:]


def banners(status: DriveStatus, drive: Drive) -> list[Chip]:
    """What holds for the drive as a whole, most important first."""
    found: list[Chip] = []
    text = status.text
    if status.recording:
        found.append(Chip(f"Recording {Path(status.recording).name}", "danger"))
    if status.replaying:
        found.append(Chip("Replaying", "accent"))
    if status.connection == "paused" and len(text) <= SHORT:
        found.append(Chip(text or "Paused  ·  K goes on, . is one step", "warning"))
    elif status.connection == "running" and text:
        found.append(Chip(text if len(text) <= SHORT else text[: SHORT - 1].rstrip() + "…", "warning"))
    if status.painter == "missing" and drive.view in PAINTED:
        found.append(Chip("No painter  ·  the labels are shown", "warning"))
    if status.autopilot:
        found.append(Chip("Autopilot", "accent"))
    return found


def draw_chips(painter: Painter, theme: Theme, middle: float, top: float, chips: list[tuple[Chip, float]]) -> None:
    """A row of chips about x = `middle`."""
    widths = [chip_width(painter, chip) for chip, _ in chips]
    x = middle - (sum(widths) + 8 * (len(chips) - 1)) / 2
    for (chip, opacity), width in zip(chips, widths, strict=True):
        draw_chip(painter, theme, x, top, chip, opacity)
        x += width + 8


def chip_width(painter: Painter, chip: Chip) -> float:
    return painter.measure(chip.text, size=12) + (40 if chip.dot else 24)


def draw_chip(painter: Painter, theme: Theme, x: float, top: float, chip: Chip, opacity: float = 1.0) -> None:
    """One chip, its upper left corner at (x, top)."""
    place = Rect(x, top, chip_width(painter, chip), 26)
    painter.box(place, faded(theme.surface, 0.9 * opacity), radius=13)
    painter.box(place, faded(theme.text, 0.10 * opacity), radius=13, border=1)
    pen = x + 12
    if chip.dot:
        painter.disc(pen + 4, top + 13, 4, faded(getattr(theme, chip.dot), opacity))
        pen += 16
    painter.text(pen, top + 13, chip.text, faded(theme.text, opacity), size=12)


def draw_card(painter: Painter, theme: Theme, area: Rect, heading: str, body: str, hint: str, colour: Colour) -> None:
    """A card in the middle of the picture: what is being waited for, or what was lost and what to do."""
    width = min(420.0, area.width - 32)
    lines = painter.wrap(sentence(body), width - 48, size=13, most=5) if body else ()
    height = 56 + 20 * len(lines) + (28 if hint else 0)
    place = Rect(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
    painter.box(place.grown(2), (0, 0, 0, 0.4), radius=16, softness=10)
    painter.box(place, faded(theme.raised, 0.97), radius=14)
    painter.box(place, faded(colour, 0.4), radius=14, border=1)
    painter.disc(place.x + 28, place.y + 28, 4, colour)
    painter.text(place.x + 44, place.y + 28, heading, theme.text, size=15, weight="semibold")
    y = place.y + 54
    for line in lines:
        painter.text(place.x + 24, y, line, faded(theme.text, 0.8), size=13)
        y += 20
    if hint:
        painter.text(place.x + 24, y + 6, hint, theme.muted, size=12)
