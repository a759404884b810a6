"""`BakedView`: a baked scene as the render thread offers it to the window, which can march it for a moving camera.

It is an immutable value like a frame: made by the render thread, read by the window's, and good for every state that
differs from its own in nothing but how the same scene is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ..models.base import CameraDefaults, VolumeSettings
from .camera import camera_matrices
from .state import ViewState, first_camera

if TYPE_CHECKING:
    from .frame import Frame
    from .pipeline import Pipeline
    from .rendering.bricks import BrickGrid

TRIAL_SIDE = 96
"""Of the picture that a shader has to draw as the processor does before it is trusted, pixels."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One view of the scene as the processor marched it: what a shader's picture of the same is held against."""

    pose: np.ndarray
    """cam2world [4, 4]"""
    lens: np.ndarray
    """intrinsics [3, 3], normalised"""
    pixels: np.ndarray
    """[TRIAL_SIDE, TRIAL_SIDE, 3] uint8"""
    milliseconds: float
    """That it took."""


@dataclass(frozen=True, eq=False)
class BakedView:
    """A scene that can be marched with nothing but what stands here."""

    state: ViewState
    """One of those that show the scene."""
    grid: BrickGrid
    volume: VolumeSettings
    usual: CameraDefaults
    """The family's; `volume`'s limits move with a camera that leaves its distance."""
    resolution: int
    """Side of the volume-rendered image where the state names none, pixels."""
    upsampled: bool
    """Whether colours come from an upsampler, of which the grid knows nothing."""
    trial: Trial

    def holds(self, state: ViewState) -> bool:
        """Whether `state` is of this very scene."""
        own = self.state
        same = (state.model, state.options, state.latents) == (own.model, own.options, own.latents)
        return same and state.edits.result == own.edits.result and state.drive is None

    def shows(self, state: ViewState) -> bool:
        """Whether a picture of `state` can be marched from this and is what the rung 'baked' would give."""
        kinds = ("raw", "alpha") if self.upsampled else ("rgb", "raw", "alpha")
        return self.holds(state) and state.output.kind in kinds and state.quality.rung in ("auto", "baked")

    def moves(self, state: ViewState, shown: Frame) -> bool:
        """Whether from frame `shown` to `state` the camera has moved over this scene: then the window may march.

        Where only something else differs (a stroke, a target rate), what is shown may be better than a baked grid.
        """
        return state.camera != shown.state.camera and self.shows(state)

    def side(self, state: ViewState) -> int:
        """Of the picture that a state asks for, pixels; as `Pipeline.volume_size`."""
        size = state.quality.resolution
        if size is None and not self.upsampled:
            size = state.output.size
        return self.resolution if size is None else min(max(size, 8), 2048)

    def lookout(self, state: ViewState) -> tuple[np.ndarray, np.ndarray, VolumeSettings]:
        """cam2world [4, 4], intrinsics [3, 3], and the volume's settings from there.

        Raises:
            StateError: the camera's matrices make no camera.
        """
        from .rendering.rays import volume_from

        pose, lens = camera_matrices(state.camera, self.usual)
        official = state.camera.cam2world is not None  # limits included
        return pose, lens, self.volume if official else volume_from(self.volume, pose, self.usual)


def offered_view(pipeline: Pipeline, state: ViewState, last: BakedView | None) -> BakedView | None:
    """What can be offered of `state`'s scene: `last` as long as nothing better is there, None where nothing is.

    For the render thread; takes a few milliseconds where a new grid has come.
    """
    grid = pipeline.baked_bricks(state)
    if grid is None:
        return None
    if last is not None and last.grid is grid:
        return last if last.holds(state) else replace(last, state=state)
    scene = pipeline.scene(state)
    if scene.background is not None:
        return None
    usual = pipeline.generator_for(state).camera
    return BakedView(
        state=state,
        grid=grid,
        volume=scene.volume,
        usual=usual,
        resolution=scene.resolution,
        upsampled=scene.upsampler is not None,
        trial=_trial(grid, scene.volume, usual),
    )


def _trial(grid: BrickGrid, volume: VolumeSettings, usual: CameraDefaults) -> Trial:
    """The family's usual view, where there is something to be seen; the better of two times."""
    from .rendering.march import render_baked

    pose, lens = camera_matrices(first_camera(usual), usual)
    milliseconds, rendered = float("inf"), None
    for _ in range(2):
        start = perf_counter()
        rendered = render_baked(grid, volume, pose, lens, TRIAL_SIDE, TRIAL_SIDE)
        milliseconds = min(milliseconds, 1000 * (perf_counter() - start))
    assert rendered is not None
    pixels = rendered.features[:3].permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()
    return Trial(pose, lens, pixels, milliseconds)
