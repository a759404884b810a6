"""The student's rays in a window of a picture, cast as they are where a picture stands still."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.eg3d import TriPlaneGenerator
from ..rendering.edges import FINER, edges, finer
from .heads_student import DENSITY_GAIN, query_scaled
from .sphere_trace import window_rays

SAMPLES = 12
"""Samples of a ray about the teacher's surface."""
MARGIN = 2
"""Rays beyond a silhouette that are marched too: nobody else would notice a haze there."""
NOTHING = -9.0
"""Where there is no depth; less than any, and than any negative one."""


def march(y: Tensor, features: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """EG3D's marcher (midpoint density and colour) on white.

    Args:
        y: [..., S], density is softplus(100 y).
        features: [..., S, F].
        t: [..., S] increasing distances.

    Returns:
        Features [..., F] in [0, 1] and accumulated weight [...].
    """
    delta = t[..., 1:] - t[..., :-1]
    density = F.softplus(DENSITY_GAIN * (y[..., 1:] + y[..., :-1]) / 2)
    alpha = 1 - torch.exp(-density * delta)
    passed = torch.cat([torch.ones_like(alpha[..., :1]), 1 - alpha + 1e-10], -1)
    weights = alpha * torch.cumprod(passed, -1)[..., :-1]
    middle = (features[..., 1:, :] + features[..., :-1, :]) / 2
    total = weights.sum(-1)
    return (weights[..., None] * middle).sum(-2) + 1 - total[..., None], total


def march_window(
    student: TriPlaneGenerator,
    planes: Tensor,
    cameras: Tensor,
    resolution: int,
    corner: Tensor,
    size: int,
    factor: int,
    coverage: Tensor,
    depth: Tensor,
) -> tuple[Tensor, Tensor]:
    """A window of a picture, four rays in place of one where it shows an edge.

    Args:
        student: whose decoder is asked.
        planes: of B heads, as `draw_planes` gives them.
        cameras: [B, 4, 4].
        resolution: rays along a side of the whole picture.
        corner: [B, 2] row and column of the window's first ray.
        size: rays along the window's side.
        factor: the teacher's pixels along a ray's side.
        coverage: of the teacher's window, [B, size * factor, size * factor].
        depth: likewise, along the rays; valid where covered.

    Returns:
        Features [B, F, size, size] in [-1, 1] on white, and the mean squared error of opacity.
    """
    b = len(planes)
    hit = coverage > 0
    far = _about(torch.where(hit, depth, NOTHING), factor)
    near = -_about(torch.where(hit, -depth, NOTHING), factor)
    covered = far > NOTHING
    n = max(int(covered.sum(1).max()), 1)
    # Padded to the fullest window, so that the batch stays a tensor.
    index = covered.float().topk(n, 1).indices
    valid = covered.gather(1, index)
    start = torch.where(valid, near.gather(1, index) - 0.024, 2.5)
    end = torch.where(valid, far.gather(1, index) + 0.030, 3.0)
    rays = window_rays(cameras, resolution, corner, size)
    seen, opacity = _march_some(student, planes, rays, index, start, end)
    edge = edges(_picture(seen.detach()[..., :3], index, size)).flatten(1).gather(1, index) & valid
    m = int(edge.sum(1).max())
    if m:
        chosen, each = edge.float().topk(m, 1).indices, FINER * FINER
        fine = finer(index.gather(1, chosen), size).flatten(1)
        rays = window_rays(cameras, FINER * resolution, FINER * corner, FINER * size)
        ends = (limit.gather(1, chosen).repeat_interleave(each, 1) for limit in (start, end))
        more, passed = _march_some(student, planes, rays, fine, *ends)
        seen = seen.scatter(1, chosen[..., None].expand(-1, -1, seen.shape[-1]), more.view(b, m, each, -1).mean(2))
        opacity = opacity.scatter(1, chosen, passed.view(b, m, each).mean(2))
    target = F.avg_pool2d(coverage[:, None], factor).view(b, -1).gather(1, index)
    return _picture(seen, index, size) * 2 - 1, F.mse_loss(opacity, target)


def _march_some(
    student: TriPlaneGenerator,
    planes: Tensor,
    rays: tuple[Tensor, Tensor],
    index: Tensor,
    start: Tensor,
    end: Tensor,
) -> tuple[Tensor, Tensor]:
    """Features [B, N, F] and opacity [B, N] of some rays, by their index [B, N], sampled from start to end."""
    b, n = index.shape
    take = index[..., None].expand(-1, -1, 3)
    origins, directions = (each.gather(1, take) for each in rays)
    step = ((end - start) / (SAMPLES - 1)).clamp(min=0.0050)[..., None]
    t = start[..., None] + step * (torch.arange(SAMPLES) + torch.rand(b, n, 1) - 0.5)
    points = (origins[:, :, None] + t[..., None] * directions[:, :, None]).reshape(b, -1, 3)
    y, features = query_scaled(student, planes, points)
    return march(y.view(b, n, SAMPLES), features.view(b, n, SAMPLES, -1), t)


def _picture(values: Tensor, index: Tensor, size: int) -> Tensor:
    """[B, C, size, size] of values [B, N, C] at an index [B, N], white elsewhere."""
    b, _, channels = values.shape
    white = torch.ones(b, size * size, channels)
    return (
        white.scatter(1, index[..., None].expand_as(values), values).permute(0, 2, 1).reshape(b, channels, size, size)
    )


def _about(picture: Tensor, factor: int) -> Tensor:
    """The greatest value [B, N] under each ray, of a picture [B, H, W] with `factor` pixels on a ray's side; where all
    are `NOTHING`, the greatest within `MARGIN` rays of it."""
    under = F.max_pool2d(picture[:, None], factor)
    beside = F.max_pool2d(under, 2 * MARGIN + 1, 1, MARGIN)
    return torch.where(under > NOTHING, under, beside).flatten(1)
