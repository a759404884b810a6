"""Numba, set up once: where compiled kernels are kept, how many threads they use, and who may run one now.

Import `njit_parallel` from here, never `numba.njit` itself: the cache folder must be chosen before the first kernel is
declared.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
import torch

from .kernel_sources import kernel_folder


def cache_folder() -> Path:
    """A folder that can be written: `NUMBA_CACHE_DIR`, else the user's cache, else one below the temporary folder.

    The package's own folder, numba's first choice, is read-only in system-wide and container installations.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return Path(named)
    user = Path(platformdirs.user_cache_dir("neuroview")) / "numba"
    # Per user, because a folder that others can write to would let them choose the machine code that we run.
    fallback = Path(tempfile.gettempdir()) / f"neuroview-{getattr(os, 'getuid', os.getpid)()}" / "numba"
    for folder in (user, fallback):
        if _writable(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="neuroview-numba-"))


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


import numba  # noqa: E402 - the environment is read when kernels are declared, but keep the order obvious

numba.config.CACHE_DIR = str(cache_folder())  # pyright: ignore[reportAttributeAccessIssue]

_one_kernel = threading.Lock()
_folder_of = cache(kernel_folder)


def njit_parallel(function: Callable[..., Any]) -> Any:
    """Compiles a loop kernel: parallel, cached on disk, without the interpreter's lock, free to reorder float sums.

    What lies in the cache is of these sources, inlined functions and constants included: see `kernel_sources`.
    """
    return _declared(function, parallel=True, fastmath=True)


def njit_serial(function: Callable[..., Any]) -> Any:
    """As `njit_parallel`, but on the thread that calls it, and NaN and infinity stay what they are."""
    return _declared(function, fastmath=KEEPING_NAN)


KEEPING_NAN = {"reassoc", "contract", "nsz", "arcp"}
"""What may be done to sums and products where NaN means something."""


def _declared(function: Callable[..., Any], **options: Any) -> Any:
    config: Any = numba.config
    everywhere = config.CACHE_DIR
    config.CACHE_DIR = str(_folder_of(Path(everywhere), Path(function.__code__.co_filename)))
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = everywhere


@contextmanager
def kernel_threads(threads: int | None = None) -> Iterator[int]:
    """Holds the right to run a parallel kernel, with `threads` threads (None: all); yields how many it will be.

    One at a time: numba's portable threading layer ('workqueue') aborts the process when two threads enter it. Its
    OpenMP layer shares torch's runtime and leaves its own number of threads there; torch gets its own back.
    """
    count: int = numba.config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]
    if threads is not None:
        count = max(1, min(threads, count))
    with _one_kernel:
        torch_before, before = torch.get_num_threads(), numba.get_num_threads()
        numba.set_num_threads(count)
        try:
            yield count
        finally:
            numba.set_num_threads(before)
            if torch.get_num_threads() != torch_before:
                torch.set_num_threads(torch_before)
