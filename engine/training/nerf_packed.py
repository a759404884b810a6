"""Rays through a field that trains: first all densities without gradients, then what can be seen, with them.

Samples stand on a lattice of even steps in cells that may hold something (`nerf_march`), so a ray costs what it meets:
no second network has to place them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .nerf_march import Samples, march, packed_weights
from .nerf_model import PackedField, RenderedRays

TRANSPARENT = 1e-4
"""Weight under which a sample's colour is not asked, and nothing is learned from it."""
_AT_ONCE = 1 << 14
_FRONT = (0, 6, 14)
"""Where, in a ray's samples, it is seen whether the rest is hidden."""


def render_packed(
    field: PackedField,
    occupied: Tensor,
    origins: Tensor,
    directions: Tensor,
    step: float,
    offsets: Tensor,
    *,
    near: float = 0.0,
    window: Tensor | None = None,
    least: float = TRANSPARENT,
) -> RenderedRays:
    """Rays through a field, differentiable in its weights and in the rays.

    Args:
        field: what is asked.
        occupied: [S, S, S] bool.
        origins: [N, 3]; with gradients where poses are refined.
        directions: [N, 3], of length 1.
        step: world units between samples.
        offsets: [N] in 0..1, the lattice's beginning.
        near: world units in front of the camera that stay empty.
        window: see `PackedField.trunk`.
        least: weight from which a sample counts.
    """
    with torch.no_grad():
        samples = march(origins.detach(), directions.detach(), occupied, field.cube, step, offsets, near)
        seen = packed_weights(_thickness(field, samples, origins, directions, window, least), samples.ray) > least
        ray, depth = samples.ray[seen], samples.depth[seen]
    views = directions[ray]
    raw, features = field.trunk(origins[ray] + depth[:, None] * views, window)
    weights = packed_weights(field.density(raw) * step, ray)
    colours = field.colour(features, views)
    rgb = origins.new_zeros(len(origins), 3).index_add(0, ray, weights[:, None] * colours)
    alpha = origins.new_zeros(len(origins)).index_add(0, ray, weights)
    return RenderedRays(rgb, alpha, len(ray))


def _thickness(
    field: PackedField, samples: Samples, origins: Tensor, directions: Tensor, window: Tensor | None, least: float
) -> Tensor:
    """sigma_i delta of all samples [M]; 0 behind where less than `least` of a ray's light comes through.

    Front to back, some samples of each ray at a time, so that what is hidden is hardly asked.
    """
    ray, opaque = samples.ray, -math.log(least)
    count = torch.bincount(ray, minlength=len(origins))
    rank = torch.arange(len(ray), device=ray.device) - (count.cumsum(0) - count)[ray]  # of a sample within its ray
    thickness = torch.zeros_like(samples.depth)
    passed = torch.zeros_like(origins[:, 0])  # thickness before the next samples, ray by ray
    for first, end in zip(_FRONT, (*_FRONT[1:], len(ray) + 1), strict=True):
        index = ((rank >= first) & (rank < end) & (passed[ray] < opaque)).nonzero()[:, 0]
        for part in index.split(_AT_ONCE):
            points = origins[ray[part]] + samples.depth[part, None] * directions[ray[part]]
            thickness[part] = field.density(field.trunk(points, window)[0]) * samples.step
        passed.index_add_(0, ray[index], thickness[index])
    return thickness


def rays_that_fill(samples: int, rendered: RenderedRays, rays: int) -> int:
    """How many rays should follow a batch of `rays` so that about `samples` colours are asked."""
    factor = min(1.5, samples / max(rendered.samples, 1))
    return int(min(samples, max(64, rays * factor)))
