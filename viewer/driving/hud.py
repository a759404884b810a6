"""`Hud`: everything that a drive draws over its picture, and when that has to be drawn again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...engine.state import Drive
from ..letterbox import Rect
from ..theme import Theme
from .banners import PAINTED, SHORT, Happenings, banners, draw_card, draw_chips
from .divider import draw_divider
from .instruments import PLATE, STRIP, draw_compass, draw_dashboard
from .minimap import RADIUS, Minimap

if TYPE_CHECKING:
    from ...engine.driving.status import DriveStatus
    from ..painter import Painter

DESIGNED = 860.0
"""Points of picture width at which the instruments have their own size."""
SMALLEST, LARGEST = 0.62, 1.35
"""Limits of their scale."""
CROWDED = 420.0
"""Points of picture width below which map and compass give way."""
INSET = 18.0
PERIOD = 1 / 15
"""Seconds after which the instruments are drawn anew although no new picture has come."""
GO_ON = "K goes on   ·   F2 back to the generators"
RETRY = "K tries again   ·   F2 back to the generators"


class Hud:
    """Holds what is to be drawn; knows nothing of windows and events. Times are seconds of the caller's clock."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.map = True
        """Whether the map is drawn."""
        self.happenings = Happenings()
        self._minimap = Minimap(theme)
        self._drive: Drive | None = None
        self._status: DriveStatus | None = None
        """As it is drawn."""
        self._newest: DriveStatus | None = None
        self._taken = -math.inf

    @property
    def driving(self) -> bool:
        """Whether a drive is shown."""
        return self._drive is not None

    @property
    def running(self) -> bool:
        """Whether pictures of a drive follow each other."""
        return self.driving and self._status is not None and self._status.connection == "running"

    @property
    def status(self) -> DriveStatus | None:
        """What the instruments show."""
        return self._status if self.driving else None

    def update(self, drive: Drive | None, status: DriveStatus | None, now: float, *, fresh: bool = False) -> bool:
        """Take in how the drive stands; True when it has to be drawn again.

        An engine says something thirty times a second. That alone would have the whole window drawn as often, which
        without a GPU is what painting needs the processor for: instruments follow the pictures (`fresh`: a new one has
        come), or a slower clock of their own while there are none.
        """
        before, settings = self._status, self._drive
        if (drive is None) != (settings is None):
            self.happenings.clear()
        self._drive, self._newest = drive, status
        self.note(status)
        happened = self.happenings.update(now)
        if fresh or now - self._taken >= PERIOD or now < self._taken or _urgent(before, status):
            self._status, self._taken = status, now
        return happened or drive != settings or (self.driving and self._status is not before)

    def note(self, status: DriveStatus | None) -> None:
        """Take in what happened in a frame that `update` may never see. Any thread may call it."""
        if status is not None:
            self.happenings.note(status.frame)

    def next_change(self, now: float) -> float | None:
        """Seconds until it has to be drawn again although nothing happens; None: never."""
        if not self.driving:
            return None
        waits = [self.happenings.next_change(now)]
        if self._newest is not self._status:
            waits.append(max(self._taken + PERIOD - now, 0.0))
        times = [wait for wait in waits if wait is not None]
        return min(times) if times else None

    def pill(self) -> list[tuple[str, bool]]:
        """(words, whether they matter most) about speed and delay."""
        status, drive = self._status, self._drive
        if status is None or drive is None:
            return [("Starting the engine", False)]
        words: list[tuple[str, bool]] = []
        if status.latency_ms > 0:
            words.append((f"{status.latency_ms:.0f} ms delay", True))
        if status.painter_fps >= 0.5 and drive.view in PAINTED:
            words.append((f"{status.painter_fps:.0f} fps painted", not words))
        if status.engine_fps >= 0.5:
            words.append((f"{status.engine_fps:.0f} fps engine", not words))
        if status.dropped:
            words.append((f"{status.dropped} dropped", False))
        return words or [(status.text or _CONNECTIONS[status.connection], False)]

    def draw(self, painter: Painter, picture: Rect, now: float, *, instruments: bool) -> None:
        """Draw over `picture` (points): banners and divider always, `instruments` where they are wanted."""
        drive, status, theme = self._drive, self._status, self.theme
        if drive is None:
            return
        shown = status is not None and status.frame is not None
        if drive.view == "split" and shown:
            draw_divider(painter, theme, picture, drive, labels=instruments)
        with _zoomed(painter, min(max(picture.width / DESIGNED, SMALLEST), LARGEST)) as factor:
            area = picture.scaled(1 / factor)
            if status is not None and shown:
                top = self._draw_instruments(painter, area, status, instruments, picture.width < CROWDED)
                middle = area.x + area.width / 2
                if held := banners(status, drive):
                    draw_chips(painter, theme, middle, top, [(chip, 1.0) for chip in held])
                    top += 34
                for chip in self.happenings.chips(now):
                    draw_chips(painter, theme, middle, top, [chip])
                    top += 32
            if status is None or status.connection == "starting":
                text = status.text if status is not None else ""
                draw_card(painter, theme, area, "Starting the engine", text, "", theme.accent)
            elif status.connection == "paused" and len(status.text) > SHORT:
                draw_card(painter, theme, area, "The drive is paused", status.text, GO_ON, theme.warning)
            elif status.connection == "lost":
                draw_card(painter, theme, area, "The drive stands still", status.text, RETRY, theme.danger)

    def _draw_instruments(
        self, painter: Painter, area: Rect, status: DriveStatus, wanted: bool, crowded: bool
    ) -> float:
        """Draw them where `wanted`; returns where there is room below the compass."""
        frame = status.frame
        assert frame is not None
        top = area.y + INSET
        if not wanted:
            return top
        engine, middle = status.engine, area.x + area.width / 2
        if engine is None or engine.controllable:
            # Not in the middle, where the car itself is seen from behind.
            right = area.right - INSET - PLATE[0] / 2
            draw_dashboard(painter, self.theme, right, area.bottom - INSET, frame, status.control)
            if not crowded:
                draw_compass(painter, self.theme, middle, top, frame.vehicle.yaw)
                top += STRIP[1] + 12
        if self.map and not crowded and engine is not None and engine.roads and area.height > PLATE[1] + 2 * RADIUS:
            place = INSET + RADIUS + 4
            self._minimap.draw(painter, area.x + place, area.bottom - place, engine, frame)
        return top


_CONNECTIONS = {"starting": "Starting the engine", "running": "Running", "paused": "Paused", "lost": "No engine"}


def _urgent(before: DriveStatus | None, after: DriveStatus | None) -> bool:
    """Whether a person waits to see this difference: it is an answer to a key."""
    if before is None or after is None:
        return before is not after

    def answer(status: DriveStatus) -> tuple[object, ...]:
        what = (status.connection, status.text, status.painter, status.engine)
        return (*what, status.recording, status.replaying, status.autopilot)

    return answer(before) != answer(after)


@contextmanager
def _zoomed(painter: Painter, factor: float) -> Iterator[float]:
    """Everything larger by `factor`, on the same pixels."""
    scale, size = painter.scale, (painter.width, painter.height)
    painter.scale, painter.width, painter.height = scale * factor, size[0] / factor, size[1] / factor
    try:
        yield factor
    finally:
        painter.scale, (painter.width, painter.height) = scale, size
