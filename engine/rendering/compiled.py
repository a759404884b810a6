"""Which compiled loops this process has in memory, and which lie compiled on disk: the one record that is asked.

A kernel that is called before it is compiled compiles under the interpreter's lock, for many seconds. What numba's own
index says does not help: it stays when the sources that it was made of are gone. So a module of kernels is used from
the moment `load` has returned in this process, and trusted to load in a moment only where the note that `load` left
behind names these very sources, this compiler and this processor.
"""

from __future__ import annotations

import hashlib
import os
import platform
from importlib import import_module
from pathlib import Path

import llvmlite
import numba
from llvmlite import binding

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
    """Names the sources of the module's folder, by date and size as numba does, the compiler and the processor."""
    package = import_module(module.rpartition(".")[0])
    files = sorted(path for folder in package.__path__ for path in Path(folder).glob("*.py"))
    parts = [numba.__version__, llvmlite.__version__, platform.python_version(), binding.get_host_cpu_name()]
    parts += [f"{path.name} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
