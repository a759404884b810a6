"""`Pacing`: what a picture may cost. Learns what frames and scenes took, and says how the next frame is rendered."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from .frame import Frame, FrameRung
from .governor import Governor, Plan
from .state import ViewState

if TYPE_CHECKING:
    from .pipeline import Pipeline

QUICK = 0.4
"""An exact frame expected within so many seconds is rendered before the finer baked grids."""


class Pacing:
    """Belongs to the render thread."""

    def __init__(self) -> None:
        self._governor = Governor()
        self._scene_key: Hashable = None
        self._scene_ms = 0.0

    def forget(self) -> None:
        """Another model is open: nothing known holds any more."""
        self._governor.forget()
        self.forget_scene()

    def forget_scene(self) -> None:
        """The same model has other weights: its next picture is of a new scene."""
        self._scene_key = None

    def enters(self, key: Hashable) -> bool:
        """Whether the next frame is of another scene than the last one, which was asked about."""
        changed, self._scene_key = key != self._scene_key, key
        return changed

    def live(
        self, pipeline: Pipeline, state: ViewState, *, baked: bool, fps: float, new_scene: bool, marched: bool
    ) -> Plan:
        """How a moving frame is rendered.

        Args:
            pipeline: renders it.
            state: what it shows; a rung chosen by name is taken as it is.
            baked: whether baked grids can be marched at full speed.
            fps: frames a second to hold at most, where fewer than the state's will do.
            new_scene: whether the frame pays for its scene too.
            marched: whether the window has just marched the same scene.
        """
        if state.quality.rung != "auto":
            return Plan(state.quality.rung, 1.0)
        side = pipeline.volume_size(state)
        rungs: list[FrameRung] = [rung for rung in pipeline.rungs(state) if rung != "baked" or baked]
        if marched and "baked" in rungs:
            return Plan("baked", 1.0)  # as the window marched it, now that the hand rests: nothing jumps
        overhead = self._scene_ms if new_scene else 0.0
        return self._governor.choose(rungs, side * side, min(state.quality.target_fps, fps), overhead)

    def expects_quick_exact(self, pipeline: Pipeline, state: ViewState) -> bool:
        """Whether the state's exact picture is expected within `QUICK` seconds."""
        side = pipeline.volume_size(state) * pipeline.scene(state).supersampling
        cost = self._governor.predict("exact", side * side)
        return cost is not None and cost < 1000 * QUICK

    def account(self, frame: Frame, *, live: bool) -> None:
        """A frame has been rendered; `live`: of a picture that moves."""
        drawn = frame.stages.get("volume image")
        if drawn is not None and (live or frame.rung == "exact"):  # a still picture's super-resolution is dearer
            # Plans count a moving picture's pixels, however many rays each has.
            rays = frame.raw.shape[0] * frame.raw.shape[1] if live else frame.rays
            self._governor.observe(frame.rung, rays, drawn + frame.stages.get("picture", 0.0))
        if "scene" in frame.stages:
            self._scene_ms = sum(frame.stages.get(name, 0.0) for name in ("codes a", "codes b", "scene", "occupancy"))
