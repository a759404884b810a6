"""Which compiled loops this process has in memory, and which lie compiled on disk: the one record that is asked.

A kernel that is called before it is compiled compiles under the interpreter's lock, for many seconds. What numba's own
index says does not help: it stays when the sources that it was made of are gone. So a module of kernels is used from
the moment `load` has returned in this process, and trusted to load in a moment only where the note that `load` left
behind names these very sources (`kernel_sources.py`), this compiler and this processor.
"""

from __future__ import annotations

import os
import platform
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import llvmlite
import numba
from llvmlite import binding

from .kernel_sources import sources_hash
from .numba_setup import cache_folder

_loaded: set[str] = set()


def ready(module: str) -> bool:
    """Whether a module's kernels are in memory; `module` by its full import name."""
    return module in _loaded


def load(module: str) -> None:
    """Calls the module's `warm_up`, which runs each of its kernels once: compiled, or read from numba's cache.

    Raises:
        Exception: whatever a compiler that does not work here raises; the slower ways need none.
    """
    stamp = _stamp(module)
    import_module(module).warm_up()
    _loaded.add(module)
    try:
        note = _note(module)
        note.parent.mkdir(parents=True, exist_ok=True)
        half = note.with_suffix(f".{os.getpid()}")
        half.write_text(stamp, "ascii")
        half.replace(note)
    except OSError:
        pass  # then it will be compiled aside once more, and found compiled


def kept(module: str) -> bool:
    """Whether `load` would only read what an earlier one compiled of these sources."""
    try:
        return _note(module).read_text("ascii") == _stamp(module)
    except (OSError, UnicodeDecodeError):
        return False


def _note(module: str) -> Path:
    return cache_folder() / "compiled" / f"{module}.stamp"


def _stamp(module: str) -> str:
    """Names the text of all sources that the module imports from us, the compiler and the processor."""
    spec = find_spec(module)
    assert spec is not None
    parts = [numba.__version__, llvmlite.__version__, platform.python_version(), binding.get_host_cpu_name()]
    return " ".join([*parts, sources_hash(Path(spec.origin or ""))])
