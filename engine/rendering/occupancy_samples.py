"""The occupancy path of scenes with a proposal network (NeRF): the exact renderer's samples where there is anything.

A lattice, however fine, converges to the integral; the official 64 + 64 samples of a rough field do not (lego: 41.5 dB
from it), and it is their picture that counts. So samples are placed as `exact.render_rays` places them, and then

- rays that meet no occupied cell are background and cost nothing,
- both networks answer only for samples in occupied cells; elsewhere the density is 0,
- the field is asked front to back, and not behind what is opaque.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...models.base import RadianceField, Scene, VolumeSettings
from .background import over_background
from .cancel import Checkpoint, never
from .density import raw_at_density
from .exact import with_samples
from .image import Rendered
from .integrate import Composite, composite, compositing_weights, opacities
from .occupancy import OccupancyGrid, densities
from .rays import box_limits, camera_rays, ray_limits
from .sampling import importance, stratified

TRANSPARENT = 1e-4
"""Transmittance under which a ray is not followed further."""

FIRST = 16
"""Occupied samples of a ray that are asked before opaque rays are sorted out; every later pass takes twice as many."""

RAYS_AT_ONCE = 2048
"""Rays placed and composited together: with 128 samples of 3 features about 10 MB of temporaries."""

# Density that stands for none where the activation has no 0.
_NOTHING = 1e-6


@torch.no_grad()
def render_samples(
    scene: Scene,
    grid: OccupancyGrid,
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
    *,
    resolution: int | tuple[int, int] | None = None,
    fineness: float = 1.0,
    only: Tensor | None = None,
    checkpoint: Checkpoint = never,
) -> Rendered:
    """One view of a scene with a proposal network; arguments and result as those of `render_occupancy`.

    Args:
        scene: what is seen; `proposal` is not None.
        grid: of the scene's field, from `build_occupancy`; the proposal is taken to be empty where the field is.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        resolution: side, or (height, width), in pixels; None: the scene's own.
        fineness: factor on the coarse and fine samples, as the exact renderer's `samples`.
        only: as there.
        checkpoint: called before each chunk of rays and each pass; raises `Cancelled` to give up.
    """
    volume, field = with_samples(scene.volume, fineness), scene.field
    size = scene.resolution if resolution is None else resolution
    height, width = (size, size) if isinstance(size, int) else size
    device = grid.occupied.device
    origins, directions = camera_rays(cam2world, intrinsics, height, width, volume, device)
    near, far = ray_limits(origins, directions, volume, field.bounds)
    features = torch.full((height * width, field.features), float(volume.white_background), device=device)
    alpha = torch.zeros(height * width, device=device)
    depth = torch.full_like(alpha, torch.inf)
    cast = _worth_casting(grid, volume, origins, directions)
    cast = cast if only is None else cast[only[cast]]
    for chunk in cast.split(RAYS_AT_ONCE):
        checkpoint()
        kept, result = _render(
            scene, volume, grid, origins[chunk], directions[chunk], near[chunk], far[chunk], checkpoint
        )
        features[chunk[kept]], alpha[chunk[kept]] = result.features, result.alpha
        depth[chunk[kept]] = torch.where(result.depth.isnan(), torch.inf, result.depth)
    ends = stratified(near, far, volume.coarse, volume.sampler, disparity=volume.disparity)[:, [0, -1]]
    depth = depth.clamp(ends.min(), ends.max())  # all samples lie between; what met nothing is as far as the farthest
    rendered = Rendered(features.T.reshape(-1, height, width), depth.view(height, width), alpha.view(height, width))
    return over_background(scene, rendered, cam2world, intrinsics)


def _closed(volume: VolumeSettings) -> bool:
    """Whether the last sample takes what light is left: by `opaque_end`, or by its endless interval, through which a
    density that is never quite 0 lets nothing."""
    return volume.opaque_end or (volume.quadrature == "left" and volume.activation != "relu")


def _worth_casting(grid: OccupancyGrid, volume: VolumeSettings, origins: Tensor, directions: Tensor) -> Tensor:
    """Indices of the rays that may meet something: those through the occupied box, or all where rays are closed."""
    if _closed(volume):
        return torch.arange(len(origins), device=origins.device)
    if grid.empty:
        return torch.zeros(0, dtype=torch.long, device=origins.device)
    return box_limits(origins, directions, grid.tight)[2].nonzero()[:, 0]


def _render(
    scene: Scene,
    volume: VolumeSettings,
    grid: OccupancyGrid,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    checkpoint: Checkpoint,
) -> tuple[Tensor, Composite]:
    """What rays [R] gather; only those with a sample in an occupied cell: which [r] of them, and their values [r]."""
    assert scene.proposal is not None
    nothing = 0.0 if volume.activation == "relu" else raw_at_density(_NOTHING, volume.activation)
    lengths = directions.norm(dim=-1)
    depths = stratified(near, far, volume.coarse, volume.sampler, disparity=volume.disparity)  # [R, coarse]
    if volume.fine:
        points, inside = _points(grid, volume, origins, directions, depths)
        raw = torch.full_like(depths, nothing)
        raw[inside] = densities(scene.proposal, points[inside])
        weights = compositing_weights(volume, depths, raw, lengths)
        finer = importance(depths, weights, volume.fine, volume.sampler)
        depths, _ = torch.sort(torch.cat([depths, finer], dim=-1), dim=-1)  # [R, coarse + fine]
    points, inside = _points(grid, volume, origins, directions, depths)
    kept = inside.any(-1).nonzero()[:, 0]
    depths, points, inside, lengths = (x[kept] for x in (depths, points, inside, lengths))
    views = torch.nn.functional.normalize(directions[kept], dim=-1) if scene.field.view_dependent else None
    raw = torch.full_like(depths, nothing)
    features = depths.new_zeros(*depths.shape, scene.field.features)
    rank = inside.cumsum(-1)  # [r, S], from 1
    done, take = 0, FIRST
    alive = torch.arange(len(kept), device=depths.device)
    while len(alive):
        checkpoint()
        wanted = inside[alive] & (rank[alive] > done) & (rank[alive] <= done + take)
        row, column = wanted.nonzero(as_tuple=True)
        ray = alive[row]
        raw[ray, column], features[ray, column] = _ask(scene.field, points[ray, column], views, ray)
        done, take = done + take, 2 * take
        alive = alive[rank[alive, -1] > done]
        blocked = opacities(volume, depths[alive], raw[alive], lengths[alive])
        # Without the last interval, which may have no end and is not known before the last sample.
        alive = alive[(1.0 - blocked[:, :-1]).prod(-1) > TRANSPARENT]
    return kept, composite(volume, depths, raw, features, lengths)


def _points(
    grid: OccupancyGrid, volume: VolumeSettings, origins: Tensor, directions: Tensor, depths: Tensor
) -> tuple[Tensor, Tensor]:
    """Positions [R, S, 3] of samples at depths [R, S], and which of them to ask a network for [R, S]."""
    points = origins[:, None] + depths[..., None] * directions[:, None]
    inside = grid.contains(points)
    if _closed(volume):
        inside[:, -1] = True
    return points, inside


def _ask(field: RadianceField, points: Tensor, views: Tensor | None, ray: Tensor) -> tuple[Tensor, Tensor]:
    raw, features = field(points, None if views is None else views[ray])
    return raw.float(), features.float()
