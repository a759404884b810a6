"""The exact renderer: every family's official picture, slowly and readably; what all faster paths are measured by.

rays -> coarse samples -> field -> weights -> fine samples -> field -> composite
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...models.base import RadianceField, Scene, VolumeSettings
from .background import over_background
from .cancel import Checkpoint, never
from .image import Rendered
from .integrate import composite, compositing_weights
from .rays import camera_rays, ray_limits
from .sampling import importance, stratified

# EG3D's importance sampler drops three of its weights; with fewer samples none would be left.
_LEAST_COARSE = 4
# Samples at once when the caller does not say: small enough to cancel soon on a CPU, large enough to fill a GPU.
_SAMPLES_CPU, _SAMPLES_GPU = 1 << 15, 1 << 21


@dataclass(frozen=True)
class RayValues:
    """What `render_rays` returns for N rays."""

    features: Tensor
    """[N, C] over the background."""
    depth: Tensor
    """[N], nan where a ray met nothing."""
    alpha: Tensor
    """[N] in 0..1."""
    sampled: tuple[Tensor, Tensor]
    """Smallest and largest depth of any sample: scalars, to which a picture's depths are clamped (EG3D)."""


def render_exact(
    scene: Scene,
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
    *,
    resolution: int | tuple[int, int] | None = None,
    samples: float = 1.0,
    chunk: int | None = None,
    checkpoint: Checkpoint = never,
    device: torch.device | str | None = None,
) -> Rendered:
    """One view of a scene, as its family's official code renders it without jitter.

    Differentiable in the field's parameters and in both matrices; wrap it in `torch.inference_mode()` to only look.

    Args:
        scene: what is seen.
        cam2world: [4, 4], OpenCV axes (x right, y down, z forward).
        intrinsics: [3, 3], normalised by the picture's width and height.
        resolution: side, or (height, width), in pixels; None: the scene's own.
        samples: factor on the scene's coarse and fine samples a ray.
        chunk: rays at once; changes memory, not the picture. None: by device.
        checkpoint: called before each chunk; raises `Cancelled` to give up.
        device: where the scene's tensors are; None: where `cam2world` is.

    Raises:
        ValueError: a shape or a size is impossible.
        Cancelled: from `checkpoint`.
    """
    height, width = _size(scene.resolution if resolution is None else resolution)
    if device is None:
        device = cam2world.device if isinstance(cam2world, Tensor) else "cpu"
    volume = with_samples(scene.volume, samples)
    origins, directions = camera_rays(cam2world, intrinsics, height, width, volume, device)
    near, far = ray_limits(origins, directions, volume, scene.field.bounds)  # of the whole picture, not of a chunk
    seen = render_in_chunks(scene, volume, origins, directions, near, far, chunk=chunk, checkpoint=checkpoint)
    nearest, farthest = seen.sampled
    # Nothing met means infinitely far. The clamp spans the whole picture, as in EG3D, hence after the chunks.
    depth = torch.where(seen.depth.isnan(), torch.full_like(seen.depth, torch.inf), seen.depth)
    rendered = Rendered(
        features=seen.features.T.reshape(-1, height, width),
        depth=depth.clamp(nearest, farthest).view(height, width),
        alpha=seen.alpha.view(height, width),
    )
    return over_background(scene, rendered, cam2world, intrinsics)


def render_in_chunks(
    scene: Scene,
    volume: VolumeSettings,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    *,
    chunk: int | None = None,
    checkpoint: Checkpoint = never,
) -> RayValues:
    """As `render_rays` without jitter, for as many rays as there are: `chunk` at once, `checkpoint` before each."""
    if chunk is None:
        at_once = _SAMPLES_GPU if origins.device.type == "cuda" else _SAMPLES_CPU
        chunk = max(1, at_once // (volume.coarse + volume.fine))
    parts = []
    for start in range(0, len(origins), chunk):
        checkpoint()
        rays = slice(start, start + chunk)
        parts.append(render_rays(scene, volume, origins[rays], directions[rays], near[rays], far[rays]))
    features = torch.cat([part.features for part in parts])  # [N, C]
    depth, alpha = torch.cat([part.depth for part in parts]), torch.cat([part.alpha for part in parts])
    nearest = torch.stack([part.sampled[0] for part in parts]).min()
    farthest = torch.stack([part.sampled[1] for part in parts]).max()
    return RayValues(features, depth, alpha, (nearest, farthest))


def render_rays(
    scene: Scene,
    volume: VolumeSettings,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    *,
    generator: torch.Generator | None = None,
) -> RayValues:
    """Any bundle of rays through a scene; for training and editing, which want some rays and not a picture.

    Args:
        scene: what is seen; its own volume settings are not read, and its `background` is left out.
        volume: how it is rendered.
        origins: [N, 3]
        directions: [N, 3], of length 1 when `volume.unit_rays`.
        near: [N]
        far: [N]
        generator: jitters the samples as the official training does; None: no jitter.
    """
    lengths = directions.norm(dim=-1)  # [N], all 1 for unit rays
    depths = stratified(near, far, volume.coarse, volume.sampler, disparity=volume.disparity, generator=generator)
    if volume.fine == 0:
        raw, features = query(scene.field, origins, directions, depths)
    elif scene.proposal is None:
        raw, features = query(scene.field, origins, directions, depths)
        weights = compositing_weights(volume, depths, raw, lengths)
        finer = importance(depths, weights, volume.fine, volume.sampler, generator=generator)
        more_raw, more_features = query(scene.field, origins, directions, finer)
        depths, order = torch.sort(torch.cat([depths, finer], dim=-1), dim=-1)  # [N, coarse + fine]
        raw = torch.cat([raw, more_raw], dim=-1).gather(-1, order)
        features = torch.cat([features, more_features], dim=1)
        features = features.gather(1, order[..., None].expand_as(features))
    else:
        raw = query_density(scene.proposal, origins, directions, depths)
        weights = compositing_weights(volume, depths, raw, lengths)
        finer = importance(depths, weights, volume.fine, volume.sampler, generator=generator)
        depths, _ = torch.sort(torch.cat([depths, finer], dim=-1), dim=-1)
        raw, features = query(scene.field, origins, directions, depths)
    result = composite(volume, depths, raw, features, lengths)
    return RayValues(result.features, result.depth, result.alpha, (depths.min(), depths.max()))


def query(field: RadianceField, origins: Tensor, directions: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    """The field at o + t d: depths [N, S] -> raw density [N, S] and features [N, S, C]."""
    points, views = _points(field, origins, directions, depths)
    raw, features = field(points, views)
    return raw.view(depths.shape), features.view(*depths.shape, -1)


def query_density(field: RadianceField, origins: Tensor, directions: Tensor, depths: Tensor) -> Tensor:
    """Only the raw density [N, S], without paying for colour where the field can tell them apart."""
    density = getattr(field, "density", None)
    if density is None:
        return query(field, origins, directions, depths)[0]
    points, _ = _points(field, origins, directions, depths)
    return density(points).view(depths.shape)


def render_image(scene: Scene, rendered: Rendered) -> Tensor:
    """The final picture [3, H, W], about 0..1: from the upsampler when there is one, else the first three features."""
    if scene.upsampler is None:
        return rendered.features[:3]
    return refined(scene, rendered, scene.upsampler(rendered.features[None])[0])


def refined(scene: Scene, rendered: Rendered, picture: Tensor) -> Tensor:
    """An upsampled picture [3, H, W] as the scene's refiner has it; as it is where there is none, or another number of
    rays than the refiner has learned to read."""
    rays, across = rendered.rays, scene.resolution * scene.supersampling
    if scene.refiner is None or rays is None or rays.shape[1:] != (across, across):
        return picture
    return scene.refiner(picture[None], rays[None])[0]


def with_samples(volume: VolumeSettings, factor: float) -> VolumeSettings:
    """The same settings with `factor` times as many samples a ray, rounded down, and never fewer than work."""
    if factor == 1.0:
        return volume
    if not factor > 0:
        raise ValueError(f"the factor on samples is {factor}; expected more than 0")
    coarse = max(_LEAST_COARSE, int(volume.coarse * factor))
    fine = max(1, int(volume.fine * factor)) if volume.fine else 0
    return replace(volume, coarse=coarse, fine=fine)


def _points(field: RadianceField, origins: Tensor, directions: Tensor, depths: Tensor) -> tuple[Tensor, Tensor | None]:
    points = origins[:, None] + depths[..., None] * directions[:, None]  # [N, S, 3]
    views = None
    if field.view_dependent:
        unit = torch.nn.functional.normalize(directions, dim=-1)
        views = unit[:, None].expand_as(points).reshape(-1, 3)
    return points.reshape(-1, 3), views


def _size(resolution: int | tuple[int, int]) -> tuple[int, int]:
    return (resolution, resolution) if isinstance(resolution, int) else resolution
