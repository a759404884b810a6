"""A picture's rays as compiled loops read them, and what the loops return as the exact renderer's `Rendered`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.base import Scene, VolumeSettings
from .background import over_background
from .cancel import Checkpoint
from .image import Rendered
from .rays import camera_rays, ray_limits
from .sampling import stratified

SAMPLES = 1 << 19
"""Samples between two looks whether the picture is still wanted: some 50 ms on two cores."""


@dataclass(frozen=True)
class RayBundle:
    """All rays of one picture, row by row; or some rays of one camera, as a single row."""

    cam2world: Any
    """[4, 4]; None of some rays."""
    intrinsics: Any
    """[3, 3], likewise."""
    height: int
    width: int
    origin: np.ndarray
    """[3] float32"""
    directions: np.ndarray
    """[N, 3] float32, contiguous; of length 1 when `volume.unit_rays`."""
    near: np.ndarray
    """[N] float32, multiples of the direction."""
    far: np.ndarray
    """[N] float32"""

    @classmethod
    def of_picture(
        cls, scene: Scene, volume: VolumeSettings, cam2world: Any, intrinsics: Any, height: int, width: int
    ) -> RayBundle:
        """The rays that `render_exact` casts.

        Args:
            scene: its field's bounds limit rays where the settings do not.
            volume: of the scene, with the wanted samples.
            cam2world: [4, 4], OpenCV axes.
            intrinsics: [3, 3], normalised.
            height: rows.
            width: columns.

        Raises:
            ValueError: a matrix of another shape, or no pixels.
        """
        with torch.no_grad():
            origins, directions = camera_rays(cam2world, intrinsics, height, width, volume)
            near, far = ray_limits(origins, directions, volume, scene.field.bounds)
        arrays = (origins[0], directions, near, far)
        return cls(cam2world, intrinsics, height, width, *(a.contiguous().numpy() for a in arrays))

    @classmethod
    def of_rays(cls, origins: Tensor, directions: Tensor, near: Tensor, far: Tensor) -> RayBundle:
        """Some rays, as `render_rays` takes them, of one camera; `picture` cannot be asked for."""
        arrays = (each.detach().contiguous().numpy() for each in (origins[0], directions, near, far))
        return cls(None, None, 1, len(directions), *arrays)

    def chunks(
        self, volume: VolumeSettings, checkpoint: Checkpoint, rays: int | None = None
    ) -> Iterator[tuple[int, int]]:
        """Begin and end of bundles of rays that take long enough to be worth a launch; `checkpoint` before each.

        Args:
            volume: of the scene, with the wanted samples.
            checkpoint: raises `Cancelled` to give up.
            rays: how many are cast; None: all.
        """
        count, rays = max(1, SAMPLES // (volume.coarse + volume.fine)), len(self.directions) if rays is None else rays
        for begin in range(0, rays, count):
            checkpoint()
            yield begin, min(begin + count, rays)

    def picture(
        self, scene: Scene, volume: VolumeSettings, features: np.ndarray, depth: np.ndarray, alpha: np.ndarray
    ) -> Rendered:
        """What the rays gathered, depth clamped to the samples of the whole picture as in EG3D.

        Args:
            scene: its background is put behind.
            volume: as the rays were sampled.
            features: [C, N]
            depth: [N]; negative where nothing was met, which is infinitely far.
            alpha: [N]
        """
        limits = (torch.from_numpy(self.near), torch.from_numpy(self.far))
        ends = stratified(*limits, volume.coarse, volume.sampler, disparity=volume.disparity)[:, [0, -1]]
        distance = torch.from_numpy(np.where(depth < 0, np.float32(np.inf), depth)).clamp(ends.min(), ends.max())
        size = (self.height, self.width)
        rendered = Rendered(
            torch.from_numpy(features).view(-1, *size), distance.view(size), torch.from_numpy(alpha).view(size)
        )
        return over_background(scene, rendered, self.cam2world, self.intrinsics)
