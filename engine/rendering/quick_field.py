"""`QuickField`: a field bound to its compiled loops, whichever network it is, and how pictures of it are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.base import Scene, VolumeSettings
from .cancel import Checkpoint, never
from .exact import RayValues, with_samples
from .image import Rendered
from .occupancy import OccupancyGrid
from .ray_bundle import RayBundle
from .rays import Bounds

Gathered = tuple[np.ndarray, np.ndarray, np.ndarray]
"""What N rays gathered: features [C, N], depth [N], negative where nothing was met, and opacity [N]."""


class QuickField(ABC):
    """A `RadianceField` without gradients, of the weights as they were when it was made."""

    features: int
    view_dependent: bool
    bounds: Bounds

    @abstractmethod
    def fits(self, scene: Scene) -> bool:
        """Whether the loops render a scene of this field: they know its family's own marcher."""

    @abstractmethod
    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and features [N, C] at points [N, 3] seen along unit directions [N, 3].

        Raises:
            ValueError: no directions, where the features depend on them.
        """

    @abstractmethod
    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""

    @abstractmethod
    def render(
        self,
        scene: Scene,
        grid: OccupancyGrid,
        cam2world: Any,
        intrinsics: Any,
        height: int,
        width: int,
        *,
        samples: int | None = None,
        fineness: float = 1.0,
        threads: int | None = None,
    ) -> Rendered:
        """As `render_occupancy` of the scene that this field belongs to, which `fits`, without its background.

        Args:
            samples: positions on every ray; None: by the size of the grid's cells.
            fineness: factor on that number.
            threads: CPU threads; None: all.
        """

    def render_exact(
        self,
        scene: Scene,
        cam2world: Any,
        intrinsics: Any,
        height: int,
        width: int,
        *,
        samples: float = 1.0,
        checkpoint: Checkpoint = never,
        threads: int | None = None,
    ) -> Rendered:
        """As `exact.render_exact` of the scene that this field belongs to, which `fits`.

        Args:
            samples: factor on the scene's coarse and fine samples a ray.
            checkpoint: called before each chunk of rays; raises `Cancelled` to give up.
            threads: CPU threads; None: all.
        """
        volume = with_samples(scene.volume, samples)
        rays = RayBundle.of_picture(scene, volume, cam2world, intrinsics, height, width)
        return rays.picture(scene, volume, *self._gather(volume, rays, checkpoint, threads))

    def cast(
        self,
        scene: Scene,
        rays: tuple[Tensor, Tensor, Tensor, Tensor],
        samples: float = 1.0,
        checkpoint: Checkpoint = never,
    ) -> RayValues:
        """As `exact.render_rays` of the scene that this field belongs to, which `fits`.

        Args:
            rays: origins [N, 3], all of one camera, directions [N, 3], near and far ends [N].
            samples: factor on the scene's coarse and fine samples a ray.
            checkpoint: called before each chunk of rays; raises `Cancelled` to give up.
        """
        volume = with_samples(scene.volume, samples)
        bundle = RayBundle.of_rays(*rays)
        features, depth, alpha = (torch.from_numpy(each) for each in self._gather(volume, bundle, checkpoint, None))
        return RayValues(features.T, depth.where(depth >= 0, torch.nan), alpha, (rays[2].min(), rays[3].max()))

    @abstractmethod
    def _gather(self, volume: VolumeSettings, rays: RayBundle, checkpoint: Checkpoint, threads: int | None) -> Gathered:
        """What the rays gather by the samples that `volume` puts on them."""
