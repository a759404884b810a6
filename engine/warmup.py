"""Compiles the loops of the fast paths beside the running program, so that nothing waits for it.

Numba compiles under the interpreter's lock: done in this process it would freeze the window for seconds. The first
time on a machine it is therefore done by another process, whose result lies in numba's cache; loading it from there
takes a tenth of a second. `rendering/compiled.py` keeps the record of both.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Sequence

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

PATIENCE = 0.5
"""Seconds between two looks at what is wanted."""

AWAITED, LATER = 5, 10
"""How nice a compilation is to what a person sees: one that makes it quicker at once, and the others."""

_COMPILE = (
    "import os; getattr(os, 'nice', int)({}); from importlib import import_module;"
    " import_module('{}.rendering.compiled').load('{}')"
)


class WarmUp:
    """Runs once on its own thread; `ready` says when baked grids can be marched at full speed.

    What is compiled next is what is wanted next: while somebody drives, the painter's kernels, and then nothing, as a
    drive keeps all cores busy and the generators' are of no use to it. A compilation that a drive finds going on for
    them is given up, and begun anew when the drive is over.

    Args:
        driving: whether somebody drives; called from this thread.
        tell: called with what is being prepared, in a person's words; '': nothing any more.
    """

    def __init__(
        self, driving: Callable[[], bool] = lambda: False, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._driving, self._tell = driving, tell
        self._ready = threading.Event()
        self._stopping = threading.Event()
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
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(LOADING)

    def _run(self) -> None:
        import torch

        from .driving.painting import quickest_kind
        from .rendering import compiled

        waiting = list(RENDERING)
        if quickest_kind("cpu") is torch.bfloat16:  # else the readable painter paints
            waiting.append(PAINTER)
        missing = [module for module in waiting if not compiled.kept(module)]
        while waiting and not self._stopping.is_set():
            module = next_wanted(waiting, missing, driving=self._driving())
            if module is None:
                self._stopping.wait(PATIENCE)
                continue
            if module in missing:
                done = sum(each not in waiting for each in missing)
                self._tell(f"Preparing the renderer ({done + 1} of {len(missing)})")
                finished = self._compile(module)
                self._tell("")
                if not finished:
                    continue
            waiting.remove(module)
            if _load(module) and module == MARCH:
                self._ready.set()

    def _compile(self, module: str) -> bool:
        """Has a module's kernels compiled aside; False: that was given up."""
        niceness = AWAITED if module in (MARCH, PAINTER) else LATER
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _COMPILE.format(niceness, PACKAGE, module)], stderr=subprocess.DEVNULL
            )
        except OSError:
            return True  # then it is compiled here, at the price of a stutter
        while process.poll() is None:
            if self._stopping.is_set() or (module != PAINTER and self._driving()):
                process.kill()
                process.wait()
                return False
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
        return True


def next_wanted(waiting: Sequence[str], missing: Collection[str], *, driving: bool) -> str | None:
    """Which module's kernels are to be loaded next; None: none that is worth it while somebody drives.

    Args:
        waiting: modules that are not loaded, what generators want soonest first.
        missing: those that would have to be compiled first.
        driving: whether somebody drives.
    """
    if not driving:
        return waiting[0]
    if PAINTER in waiting:
        return PAINTER
    return next((module for module in waiting if module not in missing), None)


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
