"""Several rays a pixel: the mean of what they gather."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .image import Rendered


def averaged(rendered: Rendered, side: int) -> Rendered:
    """A view in pixels of `side` x `side` rays each.

    Features and opacity are plain means, as light adds up; depth is the mean of the rays that met something, weighted
    by their opacity, so that a silhouette does not lie half-way to the background.

    Args:
        rendered: one ray a pixel, [C, h side, w side].
        side: rays along a pixel's side; 1 returns `rendered` itself.
    """
    if side == 1:
        return rendered
    alpha = F.avg_pool2d(rendered.alpha[None], side)[0]
    met = F.avg_pool2d((rendered.depth * rendered.alpha)[None], side)[0]
    plain = F.avg_pool2d(rendered.depth[None], side)[0]
    depth = torch.where(alpha > 1e-6, met / alpha.clamp(min=1e-6), plain)
    return Rendered(F.avg_pool2d(rendered.features[None], side)[0], depth, alpha, rendered.features)
