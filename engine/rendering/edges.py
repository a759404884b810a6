"""More rays where a picture has edges: an outline falls anywhere within a pixel, and one ray sees one side of it.

A seventh of a shipped head's picture differs from its neighbours. Cast there with four rays more each, it is as good as
a picture that has four times as many rays everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Scene
from .exact import RayValues
from .image import Rendered
from .rays import camera_rays, ray_limits

EDGE = 0.15
"""Difference of colour (0..1) between neighbours that makes an edge."""
FINER = 2
"""Rays along the side of one that is replaced."""

Cast = Callable[[Tensor, Tensor, Tensor, Tensor], RayValues]
"""What rays gather: of origins [N, 3], directions [N, 3], near [N] and far [N]."""


def edges(pictures: Tensor) -> Tensor:
    """Which pixels [B, H, W] of pictures [B, C, H, W] differ by more than `EDGE` within their 3 x 3 neighbourhood."""
    contrast = F.max_pool2d(pictures, 3, 1, 1) + F.max_pool2d(-pictures, 3, 1, 1)
    return contrast.amax(1) > EDGE


def finer(index: Tensor, width: int) -> Tensor:
    """The pixels [..., N, 4] of a picture `FINER` times as wide and high that lie in pixels [..., N] of one so wide."""
    row, column = index // width * FINER, index % width * FINER
    parts = [(row + i) * (FINER * width) + column + j for i in range(FINER) for j in range(FINER)]
    return torch.stack(parts, -1)


def with_smooth_edges(scene: Scene, rendered: Rendered, cam2world: Any, intrinsics: Any, cast: Cast) -> Rendered:
    """A picture whose rays at edges are replaced by the mean of four each.

    Args:
        scene: what is seen; one with a background of its own is left as it is.
        rendered: one ray a pixel.
        cam2world: [4, 4], OpenCV axes, that it was rendered from.
        intrinsics: [3, 3], normalised, likewise.
        cast: renders rays of the scene.
    """
    index = edges(rendered.features[None, :3])[0].flatten().nonzero()[:, 0]
    if scene.background is not None or not len(index):
        return rendered
    height, width = rendered.depth.shape
    size = (FINER * height, FINER * width)
    origins, directions = camera_rays(cam2world, intrinsics, *size, scene.volume, rendered.depth.device)
    near, far = ray_limits(origins, directions, scene.volume, scene.field.bounds)
    fine = finer(index, width).flatten()
    seen = cast(*(values[fine].contiguous() for values in (origins, directions, near, far)))
    each = FINER * FINER
    features, alpha, depth = (flat.clone() for flat in _flat(rendered))
    features[:, index] = seen.features.view(len(index), each, -1).mean(1).T
    alpha[index] = seen.alpha.view(-1, each).mean(1)
    # As in a mean of pixels: an outline does not lie half-way to the background.
    weight = seen.alpha * ~seen.depth.isnan()
    total = weight.view(-1, each).sum(1)
    met = (weight * seen.depth.nan_to_num()).view(-1, each).sum(1)
    depth[index] = torch.where(total > 1e-6, met / total.clamp(min=1e-6), depth[index])
    shape = (height, width)
    return replace(
        rendered, features=features.view_as(rendered.features), alpha=alpha.view(shape), depth=depth.view(shape)
    )


def _flat(rendered: Rendered) -> tuple[Tensor, Tensor, Tensor]:
    return rendered.features.flatten(1), rendered.alpha.flatten(), rendered.depth.flatten()
