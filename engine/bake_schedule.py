"""`BakeSchedule`: which finer grid of the scene is due, so that moving pictures soon come from a baked one."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from .rendering.cancel import Checkpoint
from .state import ViewState

if TYPE_CHECKING:
    from .pipeline import Pipeline
    from .rendering.bake import BakedGrid

SETTLE = 0.12
"""Seconds without a change after which the picture counts as still and is refined."""
SHARE = 0.35
"""Part of the time that baking keeps while the camera moves."""


class BakeSchedule:
    """Bakes one scene after another, each coarse to fine, one grid a call. Belongs to the render thread."""

    def __init__(self) -> None:
        self._scene_moved = time.perf_counter()
        self._levels: Iterator[BakedGrid] | None = None
        self._key: Hashable = None
        self._baked_all = False

    def scene_changed(self, now: float) -> None:
        """Another scene is shown since `now` of `time.perf_counter`: start anew when it has settled."""
        self._scene_moved = now
        self._levels, self._baked_all = None, False

    def forget(self) -> None:
        """Another model is open."""
        self._levels, self._key = None, None

    def due(self, pipeline: Pipeline, state: ViewState, device: str) -> bool:
        """Whether a finer grid is wanted now: not on a GPU, where the other rungs are quick; not for another rung
        chosen by name; not while the scene itself changes."""
        if device != "cpu" or state.quality.rung not in ("auto", "baked"):
            return False
        if self._baked_all and self._key == pipeline.scene_key(state):
            return False
        return time.perf_counter() - self._scene_moved > SETTLE / 2

    def begins(self, pipeline: Pipeline, state: ViewState) -> bool:
        """Whether the next `bake` is the first of its scene."""
        return self._levels is None or self._key != pipeline.scene_key(state)

    def bake(self, pipeline: Pipeline, state: ViewState, checkpoint: Checkpoint) -> BakedGrid | None:
        """The next finer grid; None: there is no finer one. What `checkpoint` raises gives the scene up."""
        try:
            if self.begins(pipeline, state):
                self._levels = pipeline.bake(state, checkpoint)
                self._key, self._baked_all = pipeline.scene_key(state), False
            assert self._levels is not None
            grid = next(self._levels, None)
        except BaseException:
            self._levels = None
            raise
        if grid is None:
            self._levels, self._baked_all = None, True
        return grid
