"""`Journal`: what CONTROL came into force in a drive so far, and the file that it is written to, if any."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from ..state import Drive
from .controllog import ControlLog, DriveHeader
from .link import Delivery
from .messages import Control
from .simulator import EngineError


class Journal:
    """Kept from the first step on, so that a recording begun in the middle still repeats the whole drive.

    Args:
        drive: its engine, seed and size.
        rate: steps a second of the engine.
        state: where the drive began; None: where the engine begins.
    """

    def __init__(self, drive: Drive, rate: float, state: dict[str, Any] | None) -> None:
        self._header = DriveHeader(drive.engine, drive.seed, drive.width, drive.height, rate, state)
        self._changes: list[tuple[int, Control]] = []
        self._steps = 0
        self._log: ControlLog | None = None

    @property
    def path(self) -> str:
        """The file that is being written; '': none."""
        return "" if self._log is None else str(self._log.path)

    def begin(self, path: Path) -> None:
        """Write to `path`, beginning with all that has been; another recording ends.

        Raises:
            ControlLogError: it cannot be written.
        """
        self.end()
        log = ControlLog(path, self._header)
        for step, control in self._changes:
            log.control(step, control)
        log.reached(self._steps)
        self._log = log

    def note(self, delivery: Delivery) -> None:
        """What was taken up.

        Raises:
            ControlLogError: the file cannot be written any more; the recording is over.
        """
        self._changes.extend(delivery.obeyed)
        self._steps = delivery.step
        if self._log is None:
            return
        try:
            for step, control in delivery.obeyed:
                self._log.control(step, control)
            self._log.reached(delivery.step)
        except EngineError:
            self._log = None
            raise

    def end(self) -> None:
        """Close the file, if there is one."""
        log, self._log = self._log, None
        if log is not None:
            with suppress(EngineError):  # a full disk: what is there is there
                log.close()
