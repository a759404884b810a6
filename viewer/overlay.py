"""`Overlay`: everything drawn over the picture, from the pill with the frame time to the cards with what went wrong."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from ..engine.state import Camera, ViewState
from ..engine.status import LoopStatus, Message, ModelInfo
from .driving.hud import Hud
from .editing.overlay import EditOverlay
from .follow import training_line
from .help_screen import draw_help
from .letterbox import Rect
from .notices import Level, Notices
from .start_screen import FRAMES_A_SECOND, draw_start
from .theme import Colour, Theme, faded

if TYPE_CHECKING:
    from .painter import Painter

READY = "Ready"
"""The activity of a loop that has nothing to do."""
PATIENCE = 0.25
"""Seconds of work before it is mentioned: shorter work would only flicker."""
_SWEEP = 1.4
"""Seconds in which the bar of unknown progress crosses the picture."""


class Overlay:
    """Holds what is to be drawn; knows nothing of windows and events. Times are seconds of the caller's clock."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.notices = Notices(theme)
        self.hud = Hud(theme)
        """What a drive shows over its picture."""
        self.edit = EditOverlay(theme)
        """What editing shows over it."""
        self.visible = True
        """Whether the pill and a drive's instruments are drawn; progress and cards always are."""
        self.following = False
        """Whether the model is one that trains: then it is said how far it is."""
        self.help = False
        self.start: str | None = "Starting…"
        """What the start screen says; None: a picture is shown."""
        self._status = LoopStatus()
        self._camera: Camera | None = None
        self._busy_since: float | None = None
        self._drawn: tuple[object, ...] | None = None
        self._serial = 0
        self._heard: deque[Message] = deque(maxlen=16)

    def hear(self, message: Message | None) -> None:
        """Take in what was said, on any thread: of two messages, the window would only find the newer one."""
        if message is not None and (not self._heard or self._heard[-1].serial != message.serial):
            self._heard.append(message)

    def update(self, status: LoopStatus, state: ViewState | None, now: float, *, fresh: bool = False) -> bool:
        """Take in what the loop says and what is looked at; True when the overlay has to be drawn again.

        Args:
            fresh: whether a new frame has come with it.
        """
        at_ease = status.activity == READY or (status.drive is not None and status.drive.connection != "starting")
        if at_ease and status.progress is None:
            self._busy_since = None
        elif self._busy_since is None:
            self._busy_since = now
        self._status, self._camera = status, state.camera if state is not None else None
        edited = self.edit.update(state, status.edit)
        drove = self.hud.update(state.drive if state is not None else None, status.drive, now, fresh=fresh)
        said = self._take_messages(now)
        gone = self.notices.expire(now)
        looks = (self._pill_words(now) if self.visible else None, self._bar(now), self._start_words(), self.chips())
        changed = said or gone or drove or edited or looks != self._drawn
        self._drawn = looks
        return changed

    def _take_messages(self, now: float) -> bool:
        self.hear(self._status.message)
        said = False
        for message in tuple(self._heard):
            if message.serial > self._serial:
                said, self._serial = True, message.serial
                level: Level = message.level if message.level in ("error", "warning") else "info"  # type: ignore[assignment]
                self.notices.tell(message.text, level, now)
        return said

    @property
    def idle(self) -> bool:
        """Whether the loop has nothing to do."""
        return self._busy_since is None and not self.hud.running

    def next_change(self, now: float) -> float | None:
        """Seconds until it has to be drawn again although nothing happens; None: never."""
        waits = [self.notices.next_change(now), self.hud.next_change(now)]
        if self.start is not None:
            waits.append(1 / FRAMES_A_SECOND)
        elif self._busy_since is not None:
            begun = self._busy_since + PATIENCE - now
            waits.append(begun if begun > 0 else (1 / FRAMES_A_SECOND if self._status.progress is None else None))
        times = [wait for wait in waits if wait is not None]
        return max(min(times), 0.0) if times else None

    def draw(self, painter: Painter, picture: Rect | None, now: float, *, photo: Rect | None = None) -> None:
        """Draw everything; `picture` is where the picture stands in points, None on the start screen.

        Args:
            photo: where a photo stands beside it.
        """
        head: list[Rect] = []
        if picture is None or self.start is not None:
            draw_start(painter, self.theme, self._start_words() or "", self._status.progress, now)
        else:
            self._draw_bar(painter, picture, now)
            if not self.help:
                self.hud.draw(painter, picture, now, instruments=self.visible)
                self.edit.draw(painter, picture, photo, launcher=self.visible, guided=not self.notices.cards)
                head += [] if self.edit.card is None else [self.edit.card]
            if self.visible and not self.help:
                head.append(self._draw_pill(painter, now))
        if self.help:
            draw_help(painter, self.theme, "drive" if self.hud.driving else "generator")
        self.notices.draw(painter, now, beside=head)
        painter.flush()

    def _start_words(self) -> str | None:
        if self.start is None:
            return None
        activity = self._status.activity
        drive = self._status.drive
        if drive is not None and drive.text:
            return drive.text
        return self.start if activity in ("", READY, "Starting") else f"{activity}…"

    def _busy(self, now: float) -> bool:
        return self._busy_since is not None and now - self._busy_since >= PATIENCE

    def _pill_words(self, now: float) -> tuple[tuple[str, bool], ...]:
        """(words, whether they matter most) from left to right."""
        if self.hud.driving:
            return tuple(self.hud.pill())
        status = self._status
        words: list[tuple[str, bool]] = []
        if status.frame_times:
            words.append((f"{status.frame_times[-1]:.1f} ms", True))
        if status.fps >= 1:
            words.append((f"{status.fps:.0f} fps", False))
        if status.rung:
            words.append((status.rung, False))
        if self._busy(now):
            percent = "" if status.progress is None else f" {100 * status.progress:.0f} %"
            words.append((f"{status.activity}{percent}", False))
        return tuple(words) or ((status.activity, False),)

    def _outside(self) -> bool:
        """Whether the camera stands where the model was never trained to be seen from."""
        info, camera = self._status.model, self._camera
        if self.hud.driving or info is None or camera is None or camera.cam2world is not None:
            return False
        return outside_training(camera, info)

    def chips(self) -> tuple[tuple[str, Colour], ...]:
        """Words and colours of what stands under the pill."""
        chips: list[tuple[str, Colour]] = []
        info = self._status.model
        if self.following and info is not None and (line := training_line(info.card)):
            chips.append((line, faded(self.theme.text, 0.72)))
        if self._outside():
            chips.append(("Beyond the trained views", self.theme.warning))
        return tuple(chips)

    def _bar(self, now: float) -> float | None:
        """How far the bar is, to half a percent; -1 when that is unknown, None when there is none."""
        if not self._busy(now):
            return None
        return -1.0 if self._status.progress is None else round(self._status.progress * 200) / 200

    def _draw_pill(self, painter: Painter, now: float) -> Rect:
        """Draw it and what belongs to it; returns the space that they take."""
        theme, words = self.theme, self._pill_words(now)
        chips: list[tuple[str, Colour]] = []
        for text, first in words:
            chips.append((text, theme.text if first else faded(theme.text, 0.72)))
        width = 12 + 8 + 8 + sum(painter.measure(text, size=12) for text, _ in chips) + 16 * (len(chips) - 1) + 12
        pill = Rect(16, 16, math.ceil(width), 28)
        painter.box(pill, faded(theme.surface, 0.96), radius=14)
        painter.box(pill, faded(theme.text, 0.08), radius=14, border=1)
        painter.disc(
            pill.x + 16, 30, 3.5, theme.accent if self._busy(now) or self.hud.running else faded(theme.muted, 0.8)
        )
        x = pill.x + 28
        for index, (text, colour) in enumerate(chips):
            if index:
                painter.box(Rect(x - 8.5, 26, 1, 8), faded(theme.text, 0.16))
            x += painter.text(x, 30, text, colour, size=12, weight="semibold" if index == 0 else "regular") + 16
        place = pill
        for text, colour in self.chips():
            chip = Rect(16, place.bottom + 8, math.ceil(painter.measure(text, size=12) + 24), 24)
            painter.box(chip, faded(theme.surface, 0.96), radius=12)
            painter.box(chip, faded(theme.text, 0.08), radius=12, border=1)
            painter.text(28, chip.y + 12, text, colour, size=12)
            place = Rect(16, 16, max(place.width, chip.width), chip.bottom - 16)
        return place

    def _draw_bar(self, painter: Painter, picture: Rect, now: float) -> None:
        bar = self._bar(now)
        if bar is None:
            return
        below = picture.bottom + 9 <= painter.height
        track = Rect(picture.x, picture.bottom + 6 if below else picture.bottom - 3, picture.width, 3)
        painter.box(track, self.theme.raised, radius=1.5)
        if bar >= 0:
            head, tail = min(bar, 1.0), 0.0
        else:
            assert self._busy_since is not None
            phase = ((now - self._busy_since) % _SWEEP) / _SWEEP
            head, tail = min(phase * 1.3, 1.0), max(phase * 1.3 - 0.3, 0.0)
        done = Rect(track.x + tail * track.width, track.y, (head - tail) * track.width, 3)
        painter.box(done, self.theme.accent, radius=1.5)


def outside_training(camera: Camera, info: ModelInfo) -> bool:
    """Whether yaw or pitch lie beyond the model's trusted ranges; a hair's breadth beyond does not count."""
    limits = info.camera
    slack = math.radians(2)
    return not (
        limits.yaw_range[0] - slack <= camera.yaw <= limits.yaw_range[1] + slack
        and limits.pitch_range[0] - slack <= camera.pitch <= limits.pitch_range[1] + slack
    )
