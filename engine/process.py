"""What is set once for the whole process before it renders: cores, and how freed memory is kept."""

from __future__ import annotations

import ctypes
import os
import sys
import threading

import torch

_once = threading.Lock()


def prepare_process(threads: int | None = None) -> int:
    """Set torch's thread count and the allocator's thresholds; the first call decides, later ones change nothing.

    Args:
        threads: cores for the renderer. None: all of them below six, since window and panel sleep nearly always;
            one is left to them from six on.

    Returns:
        The number of threads in use.
    """
    if not _once.acquire(blocking=False):
        return torch.get_num_threads()
    available = cores()
    wanted = threads or (available if available < 6 else available - 1)
    torch.set_num_threads(wanted)
    _keep_freed_memory()
    return wanted


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _keep_freed_memory() -> None:
    """glibc hands every multi-megabyte activation back to the kernel and takes it anew, page fault by page fault;
    kept, the super-resolution of a frame costs 7 ms in place of 12 (measured on one core)."""
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD in malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(mmap_threshold, 1 << 30)
    mallopt(trim_threshold, (1 << 31) - 1)
