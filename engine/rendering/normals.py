"""Surface normals for looking at: from a depth picture, or from the slope of the density itself."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import RadianceField, VolumeSettings
from .occupancy import densities
from .rays import camera_rays

_TINY = 1e-12


@torch.no_grad()
def normals_from_depth(
    depth: Tensor,
    alpha: Tensor,
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
    volume: VolumeSettings,
    *,
    smooth: int = 1,
) -> Tensor:
    """Normals of the surface that a depth picture shows, as colours.

    n = normalise((p_right - p_left) x (p_down - p_up)), turned towards the camera, with p the point of each pixel; of
    the two one-sided differences along each axis the one with the smaller jump counts most, so that a silhouette does
    not bend the normals beside it.

    Args:
        depth: [h, w], in the meaning of `volume.unit_rays`.
        alpha: [h, w] in 0..1. Fades normals out to the neutral (.5, .5, .5) where nothing was met.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        volume: of the scene that was rendered.
        smooth: radius in pixels of the alpha-weighted mean taken of the points first; 0: none. Depth is an expectation
            over few samples and steps by fractions of their distance.

    Returns:
        [3, h, w] in 0..1: (n + 1) / 2 with n in world axes, composited over n = 0.

    Raises:
        ValueError: depth and alpha are not pictures of one size, at least 2 x 2.
    """
    if depth.ndim != 2 or depth.shape != alpha.shape or min(depth.shape) < 2:
        raise ValueError(
            f"depth {tuple(depth.shape)} and alpha {tuple(alpha.shape)}: expected one shape [h, w], 2 x 2 or more"
        )
    height, width = depth.shape
    origins, directions = camera_rays(cam2world, intrinsics, height, width, volume, depth.device)
    weight = alpha.clamp(0.0, 1.0)
    if smooth:
        depth = _smooth_depth(depth, weight, smooth, _footprint(depth, directions.view(height, width, 3)))
    points = (origins + depth.reshape(-1, 1) * directions).view(height, width, 3)
    across, down = _difference(points, weight, 1), _difference(points, weight, 0)
    normals = F.normalize(torch.linalg.cross(across, down), dim=-1, eps=_TINY)
    towards = -(normals * directions.view_as(normals)).sum(-1, keepdim=True)
    normals = torch.where(towards < 0, -normals, normals)
    return ((normals * weight[..., None] + 1) / 2).permute(2, 0, 1)


@torch.no_grad()
def normals_from_field(
    field: RadianceField,
    volume: VolumeSettings,
    depth: Tensor,
    alpha: Tensor,
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
    *,
    spacing: float,
) -> Tensor:
    """Normals -grad(raw density) at the points that a depth picture shows, as colours; six densities a pixel.

    Finer than `normals_from_depth` where the field is smooth, and independent of the picture's resolution.

    Args:
        field: the field that was rendered.
        volume: its settings.
        depth: [h, w]
        alpha: [h, w]; only pixels above 0.01 are asked for.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        spacing: half the distance of the central differences, world units; about a cell of the occupancy grid over 4.

    Returns:
        [3, h, w] in 0..1, as `normals_from_depth`.
    """
    height, width = depth.shape
    origins, directions = camera_rays(cam2world, intrinsics, height, width, volume, depth.device)
    weight = alpha.reshape(-1).clamp(0.0, 1.0)
    met = (weight > 0.01).nonzero()[:, 0]
    points = origins[met] + depth.reshape(-1, 1)[met] * directions[met]
    offsets = torch.eye(3, device=points.device) * spacing
    slopes = [densities(field, points + o) - densities(field, points - o) for o in offsets]
    normals = torch.zeros(height * width, 3, device=depth.device)
    normals[met] = F.normalize(-torch.stack(slopes, -1), dim=-1, eps=_TINY)
    return ((normals * weight[:, None] + 1) / 2).T.reshape(3, height, width)


def _footprint(depth: Tensor, directions: Tensor) -> Tensor:
    """[h, w] world size of a pixel at its depth: how far apart neighbouring points lie on a surface seen head-on."""
    step = (directions[:, 1:] - directions[:, :-1]).norm(dim=-1).mean()
    return (depth * step).clamp(min=_TINY)


def _smooth_depth(depth: Tensor, weight: Tensor, radius: int, footprint: Tensor) -> Tensor:
    """Means over (2 radius + 1)^2 pixels, counting those that are opaque and on the same surface."""
    total, count = depth * (weight + _TINY), weight + _TINY
    height, width = depth.shape
    padded = F.pad(torch.stack([depth, weight])[None], [radius] * 4, mode="replicate")[0]
    for dy in range(2 * radius + 1):
        for dx in range(2 * radius + 1):
            if dy == radius and dx == radius:
                continue
            d, w = padded[:, dy : dy + height, dx : dx + width]
            # Slopes up to about 75 degrees count as the same surface.
            w = w * torch.exp(-(((d - depth) / (4 * footprint)) ** 2))
            total, count = total + w * d, count + w
    return total / count


def _difference(points: Tensor, weight: Tensor, axis: int) -> Tensor:
    """Tangents [h, w, 3] along an axis: the mean of both one-sided differences, weighted by calm and opacity."""
    step = points.diff(dim=axis)
    trust = torch.minimum(weight.narrow(axis, 1, step.shape[axis]), weight.narrow(axis, 0, step.shape[axis]))
    trust = (trust + 1e-3) / (step.square().sum(-1) + _TINY).square()
    pad = [0, 0, 0, 0]
    pad[2 * (1 - axis)] = 1
    before = F.pad((trust[..., None] * step).permute(2, 0, 1), pad)
    before_trust = F.pad(trust, pad)
    pad = [0, 0, 0, 0]
    pad[2 * (1 - axis) + 1] = 1
    after = F.pad((trust[..., None] * step).permute(2, 0, 1), pad)
    after_trust = F.pad(trust, pad)
    return ((before + after) / (before_trust + after_trust)).permute(1, 2, 0)
