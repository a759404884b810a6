"""Torch's and numba's thread counts, set once for the whole process."""

from __future__ import annotations

import os
import threading

import torch

_done = threading.Lock()


def use_threads(count: int | None = None) -> int:
    """Let the renderer use `count` cores (None: all but what the UI needs); the first call decides.

    The window and the panel sleep nearly always, so on few cores the renderer takes all; from six cores on, one is
    left to them. Torch allows the inter-op count to be set only once and only before any work, hence the guard.
    """
    if not _done.acquire(blocking=False):
        return torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = count or (cores if cores < 6 else cores - 1)
    torch.set_num_threads(wanted)
    return wanted
