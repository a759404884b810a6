"""Pictures of a batch of scenes with gradients: all rays of all scenes as one bundle through the exact renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...models.base import Scene, VolumeSettings
from ..rendering.exact import render_rays
from ..rendering.rays import Bounds, camera_rays, ray_limits
from .camera_labels import split_label

Query = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Points [B, M, 3] and directions [B, M, 3] or None -> raw densities [B, M] and features [B, M, C]."""


def cube(side: float) -> Bounds:
    """An axis-aligned cube about the origin."""
    half = 0.5 * side
    return (-half, -half, -half), (half, half, half)


@dataclass
class BatchField:
    """B scenes as one radiance field (the `RadianceField` contract), for points that come scene by scene.

    Called with points [B M, 3], the first M of which belong to the first scene, it asks `query` for [B, M, 3].
    """

    query: Query
    scenes: int
    features: int
    bounds: Bounds
    view_dependent: bool = False

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [B M] and features [B M, C]."""
        shape = (self.scenes, -1, 3)
        raw, features = self.query(points.view(shape), None if directions is None else directions.reshape(shape))
        return raw.reshape(-1), features.reshape(-1, features.shape[-1])


def render_batch(
    field: BatchField, volume: VolumeSettings, labels: Tensor, side: int, *, jitter: bool = True
) -> Tensor:
    """One picture of each scene: features [B, C, side, side] in 0..1, over white where `volume` says so.

    Args:
        field: B scenes.
        volume: how they are rendered.
        labels: [B, 25], a camera for each.
        side: of the pictures, pixels.
        jitter: move samples along their rays at random, as the official training does; from torch's generator.
    """
    cam2world, lens = split_label(labels)
    rays = [camera_rays(c, k, side, side, volume, labels.device) for c, k in zip(cam2world, lens, strict=True)]
    origins, directions = (torch.cat(parts) for parts in zip(*rays, strict=True))
    near, far = ray_limits(origins, directions, volume, field.bounds)
    source = None
    if jitter:
        # A generator of the device's own, seeded from torch's, which is what a resumed run repeats.
        source = torch.Generator(labels.device).manual_seed(int(torch.randint(1 << 62, ())))
    scene = Scene(field, volume, side, side)
    values = render_rays(scene, volume, origins, directions, near, far, generator=source)
    return values.features.view(len(labels), side * side, -1).transpose(1, 2).unflatten(2, (side, side))
