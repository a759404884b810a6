"""Compiles the loops of the fast paths beside the running program, so that nothing waits for it.

Numba compiles under the interpreter's lock: done in this process it would freeze the window for seconds. The first
time on a machine it is therefore done by another process, whose result lies in numba's cache; loading it from there
takes a tenth of a second. `rendering/compiled.py` keeps the record of both.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

log = logging.getLogger(__name__)

PACKAGE = __package__ or "neuroview.engine"
MARCH = f"{PACKAGE}.rendering.march"
RENDERING = (
    MARCH,
    f"{PACKAGE}.rendering.triplane_quick",
    f"{PACKAGE}.rendering.hashgrid_quick",
    f"{PACKAGE}.rendering.siren_quick",
    f"{PACKAGE}.rendering.winograd",
)
"""Modules of the generators' kernels, what is wanted soonest first."""
PAINTER = f"{PACKAGE}.driving.quick_painter"
LOADING = 30.0
"""Seconds that loading kernels from the cache takes at most, on a machine that is busy with other things."""

# Behind everything that a person waits for.
_COMPILE = (
    "import os; getattr(os, 'nice', int)(10); from importlib import import_module;"
    " import_module('{}.rendering.compiled').load('{}')"
)


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
            self._thread.join(LOADING)

    def _run(self) -> None:
        import torch

        from .driving.painting import quickest_kind

        for module in RENDERING:
            if self._compiled(module) and module == MARCH:
                self._ready.set()
        if quickest_kind("cpu") is torch.bfloat16:  # else the readable painter paints
            self._compiled(PAINTER)

    def _compiled(self, module: str) -> bool:
        """Has a module's kernels compiled aside where that is still to be done, and loads them; whether that worked."""
        from .rendering import compiled

        if not self._stopping and not compiled.kept(module):
            try:
                command = [sys.executable, "-c", _COMPILE.format(PACKAGE, module)]
                self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                if self._stopping:
                    self._process.kill()
                self._process.wait()
            except OSError:
                pass  # then it is compiled here, at the price of a stutter
        return not self._stopping and _load(module)


def load_kept() -> None:
    """Loads what earlier runs have compiled, for programs without a window; compiles nothing."""
    from .rendering import compiled

    for module in RENDERING:
        if compiled.kept(module):
            _load(module)


def compile_now() -> None:
    """Compiles or loads all that generators are rendered with, however long it takes: before something is measured."""
    for module in RENDERING:
        _load(module)


def _load(module: str) -> bool:
    from .rendering import compiled

    if compiled.ready(module):
        return True
    try:
        compiled.load(module)
    except Exception:  # a compiler that does not work here: the slower ways need none
        log.exception("%s could not be compiled; what is quicker with it stays as it is.", module)
        return False
    return True
