"""Compiles the baked rung's march and the painter's loops beside the running program, so that nothing waits for it.

Numba compiles under the interpreter's lock: done in this process it would freeze the window for seconds. The first
time on a machine it is therefore done by another process, whose result lies in numba's cache; loading it from there
takes a tenth of a second.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from importlib import import_module

log = logging.getLogger(__name__)

PACKAGE = __package__ or "neuroview.engine"
COMPILE = "from importlib import import_module; import_module('{}').warm_up()"


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
        import torch

        from .driving.painting import quickest_kind

        if self._compiled(f"{PACKAGE}.rendering.march", ("march_kernel",)):
            self._ready.set()
        self._compiled(f"{PACKAGE}.rendering.triplane_quick", ("triplane_loops",))
        if quickest_kind("cpu") is torch.bfloat16:  # else the readable painter paints
            self._compiled(f"{PACKAGE}.driving.quick_painter", ("condition_kernels", "painting_kernels"))

    def _compiled(self, module: str, kernels: tuple[str, ...]) -> bool:
        """Compiles or loads a module's kernels, which numba caches under these files' names; whether that worked."""
        from .rendering.numba_setup import cache_folder

        folder = cache_folder()
        if not self._stopping and not all(any(folder.rglob(f"{name}*.nbi")) for name in kernels):
            try:
                command = [sys.executable, "-c", COMPILE.format(module)]
                self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                if self._stopping:
                    self._process.kill()
                self._process.wait()
            except OSError:
                pass  # then it is compiled here, at the price of a stutter
        if self._stopping:
            return False
        try:
            import_module(module).warm_up()
        except Exception:  # a compiler that does not work here: the slower ways need none
            log.exception("%s could not be compiled; what is quicker with it stays as it is.", module)
            return False
        return True
