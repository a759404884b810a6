"""A differentiable picture from few samples a ray, placed where a first look without gradients found the surface.

The exact renderer asks the field about a hundred times a ray, and every question costs three times as much when
gradients are wanted. Nearly all of them fall on empty space or behind the surface. Here the exact renderer's coarse
samples are asked once, without gradients and for density alone, and only a few samples about what they found take part
in the differentiable composite (NeRF's importance sampling, section 5.2, with the coarse samples left out).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Scene
from ..rendering.background import over_background
from ..rendering.exact import query, query_density
from ..rendering.image import Rendered
from ..rendering.integrate import composite, compositing_weights
from ..rendering.rays import camera_rays, ray_limits
from ..rendering.sampling import inverse_transform, stratified

FLOOR = 2e-3
"""Weight of a bin in which nothing was found, so that something can still grow there."""
VISIBLE = 1e-3
"""Opacity below which a ray met nothing."""


@dataclass(frozen=True)
class Placement:
    """Which rays of a picture are worth asking, and at which depths."""

    height: int
    width: int
    rays: Tensor
    """[N] indices of the rays that are rendered; the others show the background's plain colour."""
    depths: Tensor
    """[N, S], increasing."""


@torch.no_grad()
def place_samples(
    scene: Scene,
    cam2world: Tensor,
    intrinsics: Tensor,
    size: int,
    samples: int,
    *,
    coarse: int | None = None,
    wanted: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Placement:
    """Looks once without gradients.

    Args:
        scene: what is seen.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        size: side of the picture, pixels.
        samples: a ray, for the differentiable picture.
        coarse: samples a ray of the look; None: the scene's own.
        wanted: [size, size] bool, pixels that must be rendered whether or not there is anything yet; None: all. Rays
            are left out only over a plain background, whose colour is known.
        generator: moves the samples a little with every look; None: they stand still.
    """
    volume = scene.volume
    origins, directions = camera_rays(cam2world, intrinsics, size, size, volume, cam2world.device)
    near, far = ray_limits(origins, directions, volume, scene.field.bounds)
    look = stratified(near, far, coarse or volume.coarse, volume.sampler, generator=generator)
    step = (far - near)[:, None] / look.shape[1]
    lengths = directions.norm(dim=-1)
    field = scene.field if scene.proposal is None else scene.proposal
    raw = query_density(field, origins, directions, look)
    weights = compositing_weights(replace(volume, opaque_end=False), look, raw, lengths)
    if weights.shape[1] < look.shape[1]:  # of the intervals between samples: the first one before, the last one behind
        weights = torch.maximum(F.pad(weights, (1, 0)), F.pad(weights, (0, 1)))
    rays = torch.arange(size * size, device=look.device)
    if wanted is not None and scene.background is None:
        seen = (weights.sum(-1) > VISIBLE).view(1, 1, size, size).float()
        near_seen = F.max_pool2d(seen, 5, 1, 2)[0, 0] > 0
        rays = (near_seen | wanted).flatten().nonzero()[:, 0]
    spread = F.max_pool1d(weights[rays][:, None], 3, 1, 1)[:, 0] + FLOOR
    edges = torch.cat([look[rays] - 0.5 * step[rays], look[rays, -1:] + 0.5 * step[rays]], 1)  # [N, coarse + 1]
    quantiles = (torch.arange(samples, device=look.device) + 0.5).expand(len(rays), samples) / samples
    if generator is not None:
        quantiles = quantiles + (torch.rand(quantiles.shape, generator=generator).to(look) - 0.5) / samples
    depths = inverse_transform(edges, spread, quantiles.clamp(0, 1 - 1e-6).contiguous())
    return Placement(size, size, rays, depths.sort(-1).values)


def render_placed(scene: Scene, cam2world: Tensor, intrinsics: Tensor, placement: Placement) -> Rendered:
    """The volume image at the given samples; differentiable in the field, and in both matrices."""
    volume = scene.volume
    height, width = placement.height, placement.width
    origins, directions = camera_rays(cam2world, intrinsics, height, width, volume, placement.depths.device)
    origins, directions = origins[placement.rays], directions[placement.rays]
    raw, features = query(scene.field, origins, directions, placement.depths)
    found = composite(volume, placement.depths, raw, features, directions.norm(dim=-1))
    total, channels = height * width, features.shape[-1]
    image, alpha, depth = found.features, found.alpha, found.depth
    if len(placement.rays) < total:
        plain = float(volume.white_background)
        rows = placement.rays[:, None].expand(-1, channels)
        image = image.new_full((total, channels), plain).scatter(0, rows, image)
        alpha = alpha.new_zeros(total).scatter(0, placement.rays, alpha)
        depth = depth.new_zeros(total).scatter(0, placement.rays, depth)
    rendered = Rendered(
        features=image.T.reshape(channels, height, width),
        depth=depth.view(height, width),
        alpha=alpha.view(height, width),
    )
    return over_background(scene, rendered, cam2world, intrinsics)
