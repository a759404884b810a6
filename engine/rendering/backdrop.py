"""What lies at the far end of the rays, for scenes whose last sample takes all light that is left (`opaque_end`).

The end moves with the camera, so the colours that it may show are kept for the whole box, coarsely: a backdrop is
smooth, or training would have put something in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import RadianceField, VolumeSettings
from .cancel import Checkpoint, never
from .image import Rendered
from .occupancy import field_device
from .rays import Bounds, camera_rays

SIDE = 24
"""Nodes along each edge of the box."""

CLOSED = 0.998
"""Opacity from which a ray's end does not show: what is left changes no 8-bit level."""


@dataclass(frozen=True)
class Backdrop:
    """Features in a box, without density."""

    bounds: Bounds
    """Positions of the first and last node, world units."""
    features: Tensor
    """[1, C, nz, ny, nx] float32 on the CPU, laid out for `grid_sample`."""

    def at(self, points: Tensor) -> Tensor:
        """Features [N, C] at points [N, 3], interpolated; outside of the box those of its nearest point."""
        low, high = (points.new_tensor(corner) for corner in self.bounds)
        where = (2 * (points - low) / (high - low) - 1).view(1, 1, 1, -1, 3)
        return F.grid_sample(self.features, where, padding_mode="border", align_corners=True)[0, :, 0, 0].T


@torch.no_grad()
def bake_backdrop(field: RadianceField, channels: int, checkpoint: Checkpoint = never) -> Backdrop:
    """Asks a field for the features of SIDE^3 points, seen from outside when they depend on the direction."""
    checkpoint()
    axes = [torch.linspace(low, high, SIDE) for low, high in zip(*field.bounds, strict=True)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    points = torch.stack([x, y, z], dim=-1).view(-1, 3).to(field_device(field))
    directions = F.normalize(-points, dim=-1) if field.view_dependent else None
    features = field(points, directions)[1][:, :channels].float().cpu()
    return Backdrop(field.bounds, features.T.reshape(1, -1, SIDE, SIDE, SIDE).contiguous())


def close(
    rendered: Rendered,
    backdrop: Backdrop,
    volume: VolumeSettings,
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
) -> Rendered:
    """The picture with its open rays ended at `volume.far`: C + (1 - alpha) c(far), and opacity 1 everywhere.

    Args:
        rendered: composited over black.
        backdrop: of the same scene.
        volume: its `far` says where rays end; without one nothing is changed.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
    """
    channels, height, width = rendered.features.shape
    rest = 1.0 - rendered.alpha.view(-1)
    open_ = (rest > 1.0 - CLOSED).nonzero()[:, 0]
    if volume.far is None or not len(open_):
        return rendered
    origins, directions = camera_rays(cam2world, intrinsics, height, width, volume)
    ends = backdrop.at(origins[open_] + volume.far * directions[open_])  # [M, C]
    features, depth = rendered.features.reshape(channels, -1).clone(), rendered.depth.reshape(-1).clone()
    features[:, open_] += rest[open_] * ends.T
    depth[open_] = (1.0 - rest[open_]) * depth[open_] + rest[open_] * volume.far
    alpha = torch.ones_like(rendered.alpha)
    return Rendered(features.view(channels, height, width), depth.view(height, width), alpha)
