"""Compiles the baked rung's march beside the running program, so that nothing waits for a compiler.

Numba compiles under the interpreter's lock: done in this process it would freeze the window for seconds. The first
time on a machine it is therefore done by another process, whose result lies in numba's cache; loading it from there
takes a tenth of a second.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

log = logging.getLogger(__name__)

COMPILE = "from neuroview.engine.rendering.march import warm_up; warm_up()"


class WarmUp:
    """Runs once on its own thread; `ready` says when baked grids can be marched at full speed."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._process: subprocess.Popen | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="neuroview-warmup", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether the march is compiled."""
        return self._ready.is_set()

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Give up and wait for the thread."""
        self._stopping = True
        if self._process is not None:
            self._process.kill()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        from .rendering.march import warm_up
        from .rendering.numba_setup import cache_folder

        if not any(cache_folder().rglob("*.nbi")):
            try:
                self._process = subprocess.Popen([sys.executable, "-c", COMPILE], stderr=subprocess.DEVNULL)
                if self._stopping:
                    self._process.kill()
                self._process.wait()
            except OSError:
                pass  # then it is compiled here, at the price of a stutter
        if self._stopping:
            return
        try:
            warm_up()
        except Exception:  # a compiler that does not work here: the other rungs need none
            log.exception("The march could not be compiled; baked previews are off.")
        else:
            self._ready.set()
