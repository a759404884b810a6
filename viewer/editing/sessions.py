"""`Sessions`: saving and opening session files, the autosave beside the settings, and what a crash left behind."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.export.paths import free_name
from ...engine.store import Store
from ...models.errors import NeuroviewError
from ..settings import settings_path

if TYPE_CHECKING:
    from ...engine.loop import RenderLoop

log = logging.getLogger(__name__)

SUFFIX = ".nvsession"
EVERY = 5.0
"""Seconds between two looks whether there is something to save."""
_PREFIX = "autosave-"
MOST_LISTED = 50
OFFER = "The last run did not end well. Ctrl+O brings back what it showed, edits included."


class Sessions:
    """Any thread may call any of these.

    Args:
        folder: where sessions are saved and looked for.
        autosaves: where the autosave goes; None: beside the settings.
    """

    def __init__(self, store: Store, loop: RenderLoop, folder: Path, autosaves: Path | None = None) -> None:
        self._store, self._loop, self.folder = store, loop, folder
        self._autosaves = autosaves or settings_path().parent
        self._own = self._autosaves / f"{_PREFIX}{os.getpid()}{SUFFIX}"
        self._saved: object = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._recoverable: Path | None = None

    # ---- on purpose

    def save(self, path: str | Path | None = None) -> Path | None:
        """Write the state, its history and every side file into one file; tells where it went."""
        from ...engine.editing.session import save_session
        from ...engine.editing.side_files import SideFiles

        timeline = self._store.timeline
        left_out: list[str] = []
        state = timeline.state
        name = Path(state.model).stem if state.drive is None else "drive"
        target = Path(path) if path else free_name(self.folder, f"{name}_session", SUFFIX)
        if target.suffix.lower() != SUFFIX:
            target = target.with_name(target.name + SUFFIX)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            save_session(target, timeline, SideFiles(), tell=left_out.append)
        except (NeuroviewError, OSError) as error:
            self._loop.tell(f"The session was not saved: {error}", "error")
            return None
        self._tell(f"Saved {target}", left_out)
        return target

    def open(self, path: str | Path, done: str = "") -> None:
        """Bring back a saved session with its history; going back beyond that leads to what was here before.

        Args:
            path: of the file.
            done: what to tell the person afterwards; '': that it was opened.

        Raises:
            NeuroviewError: it cannot be read, is of a newer version, or lacks a side file; nothing has changed then.
        """
        from ...engine.editing.session import open_session
        from ...engine.editing.side_files import SideFiles

        path = Path(path).expanduser()
        left_out: list[str] = []
        timeline = open_session(path, SideFiles(), tell=left_out.append)
        opened = bool(self._store.state.model)  # else the program has just begun, and there is nothing to go back to
        self._store.resume(timeline, label=f"Open {path.name}", undoable=opened)
        self._tell(done or f"Opened {path.name}", left_out)

    def open_newest(self) -> None:
        """What a crash left behind, else the session that was saved last."""
        if self._recoverable is not None:
            self.recover()
            return
        listed = self.saved()
        if not listed:
            self._loop.tell(f"No session has been saved in {self.folder} yet. Ctrl+Shift+S saves one")
            return
        try:
            self.open(listed[0])
        except NeuroviewError as error:
            self._loop.tell(str(error), "error")

    def saved(self) -> tuple[Path, ...]:
        """The saved sessions, newest first."""
        try:
            found = [(p.stat().st_mtime, p) for p in self.folder.glob(f"*{SUFFIX}") if p.is_file()]
        except OSError:
            return ()
        return tuple(path for _, path in sorted(found, reverse=True)[:MOST_LISTED])

    # ---- after a crash

    @property
    def recoverable(self) -> bool:
        """Whether a run that did not end well has left its view."""
        return self._recoverable is not None

    def recover(self) -> None:
        """Bring back what the run that did not end well showed last."""
        path, self._recoverable = self._recoverable, None
        if path is None:
            self._loop.tell("There is nothing to restore")
            return
        try:
            self.open(path, "Restored what the last run showed")
        except NeuroviewError as error:
            self._loop.tell(str(error), "error")
        else:
            self._sweep()

    def forget_crash(self) -> None:
        """Nobody wants it back."""
        if self._recoverable is not None:
            self._recoverable = None
            self._sweep()

    def begin(self) -> None:
        """Look for what a crash left, say so, and save every now and then from now on."""
        self._recoverable = next(iter(self._left_behind()), None)
        if self._recoverable == self._own:  # numbers of processes come round again
            self._recoverable = self._own.replace(self._own.with_name(f"{_PREFIX}0{SUFFIX}"))
        if self._recoverable is not None:
            self._loop.tell(OFFER, "warning")
        self._thread = threading.Thread(target=self._watch, name="neuroview-autosave", daemon=True)
        self._thread.start()

    def end(self, *, well: bool) -> None:
        """The program ends; what `begin` started is over. Not `well`: the autosave is kept and offered next time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)
        if well:
            self._own.unlink(missing_ok=True)
        else:
            self.autosave()

    def autosave(self) -> bool:
        """Save if something has been done since the last time; side files stay where they are, under their names."""
        from ...engine.editing.session import save_session

        timeline = self._store.timeline
        if timeline == self._saved or not timeline.labels:
            return False
        try:
            self._own.parent.mkdir(parents=True, exist_ok=True)
            save_session(self._own, timeline, None)
        except (NeuroviewError, OSError) as error:  # the next one may work; nobody is to be disturbed by this
            log.warning("The autosave could not be written: %s", error)
            return False
        self._saved = timeline
        return True

    def _tell(self, done: str, left_out: list[str]) -> None:
        """What was done, and what of it was not."""
        self._loop.tell(". ".join([done, *left_out]), "warning" if left_out else "info")

    def _watch(self) -> None:
        while not self._stop.wait(EVERY):
            self.autosave()

    def _left_behind(self, alive: Callable[[int], bool] | None = None) -> tuple[Path, ...]:
        """The autosaves of processes that are no more, newest first."""
        alive = alive or is_alive
        found: list[tuple[float, Path]] = []
        try:
            for path in self._autosaves.glob(f"{_PREFIX}*{SUFFIX}"):
                number = path.stem.removeprefix(_PREFIX)
                if number.isdecimal() and (int(number) in (0, os.getpid()) or not alive(int(number))):
                    found.append((path.stat().st_mtime, path))
        except OSError:
            pass
        return tuple(path for _, path in sorted(found, reverse=True))

    def _sweep(self) -> None:
        """What crashes have left is dealt with: the newest was offered, older ones nobody would miss."""
        for path in self._left_behind():
            if path != self._own:
                path.unlink(missing_ok=True)


def is_alive(number: int) -> bool:
    """Whether a process of that number runs."""
    if sys.platform == "win32":  # there, signal 0 would end it
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, number)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
