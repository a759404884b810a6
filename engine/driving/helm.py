"""`Helm`: the CONTROL that an engine is sent: what the driver does, what the state adds, and when it is sent again."""

from __future__ import annotations

from dataclasses import replace

from ..state import Drive
from .messages import Control, DriveFrame, EngineInfo, Weather

PHOTO_VIEWS = ("photo", "split")
"""Views for which the engine has to draw its own picture."""
HEARTBEAT = 0.05
"""Seconds after which an unchanged CONTROL is sent once more, which keeps the latency measured."""


class Helm:
    """Remembers what was sent last. Times are seconds of any clock that only grows."""

    def __init__(self) -> None:
        self.sent = Control()
        """With its serial number."""
        self._driver = Control()
        self._sent_at = 0.0
        self._photo_from = 0  # serial of the first CONTROL that has asked for the photo without a break
        self._resets: int | None = None  # how often the driver had asked to be put back when that was last looked at

    def take(self, control: Control, obeyed: bool = True) -> None:
        """What the driver does now; unless `obeyed`, it goes nowhere, and asking to be put back is forgotten."""
        if self._resets is None or not obeyed:
            self._resets = control.resets  # what was asked for before is not asked of this engine
        self._driver = control

    def due(self, drive: Drive, info: EngineInfo, paused: bool, now: float, force: bool = False) -> Control | None:
        """What is to be sent, and counts as sent with that; None: nothing has changed, and the last is not old.

        Args:
            drive: the state's.
            info: of the engine that it goes to.
            paused: whether the world stands still, so that it is looked at in every way.
            now: the time.
            force: send in any case.
        """
        asked = 0 if self._resets is None else max(0, self._driver.resets - self._resets)
        weather = Weather(drive.hour, drive.clouds, drive.fog)
        control = replace(self._driver, viewpoint=drive.viewpoint, weather=weather, resets=self.sent.resets + asked)
        control = _seen_as_wanted(control, drive, info, paused)
        fresh = now - self._sent_at < HEARTBEAT
        if not force and fresh and replace(control, serial=self.sent.serial) == self.sent:
            return None
        self._resets = self._driver.resets if self._resets is not None else None
        return self._stamped(control, now)

    def replayed(self, control: Control, drive: Drive, info: EngineInfo, paused: bool, now: float) -> Control:
        """A recorded CONTROL as it is to be sent, and counts as sent with that; what it shows is as the state says."""
        return self._stamped(_seen_as_wanted(control, drive, info, paused), now)

    def begin(self) -> None:
        """For another engine. Each counts from 0: one that goes on where another was shall not put the car back."""
        self.sent = replace(self.sent, resets=0)
        self._resets = None if self._resets is None else self._driver.resets

    def photo_follows(self, frame: DriveFrame) -> bool:
        """Whether it was drawn before the engine knew that its own picture is wanted: the next one will have it."""
        return frame.photo is None and self.sent.photo and frame.control_serial < self._photo_from

    def _stamped(self, control: Control, now: float) -> Control:
        if control.photo and not self.sent.photo:
            self._photo_from = self.sent.serial + 1
        self.sent, self._sent_at = replace(control, serial=self.sent.serial + 1), now
        return self.sent


def _seen_as_wanted(control: Control, drive: Drive, info: EngineInfo, paused: bool) -> Control:
    """With what changes nothing in the world: whether the engine draws its own picture, and how."""
    photo = info.has_photo and (paused or drive.view in PHOTO_VIEWS)
    return replace(control, photo=photo, look=drive.photo_look)
