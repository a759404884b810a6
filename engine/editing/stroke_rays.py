"""Rays through strokes and through what must stay, few of them and traced once: no picture is rendered, and no surface
is needed.

The parameter edits (`parameter_edit.py`, `parameter_shape.py`) learn from single rays, as EditNeRF does: up to 64 of a
colour edit's strokes, 8192 of a removal's. A whole picture of a conditional NeRF would take minutes on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...models.base import CameraDefaults, Scene, VolumeSettings
from ..rendering.exact import query_density
from ..rendering.image import Rendered
from ..rendering.integrate import compositing_weights
from ..rendering.rays import camera_rays, picture_positions, ray_limits
from ..rendering.sampling import importance, stratified
from ..state import Camera
from .strokes import StrokePixels, StrokeView, by_camera, check, cover, effective, place

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import StrokeKind, ViewState

SIZE = 96
"""Side in pixels at which strokes are read."""
STRUCK, KEPT = 96, 160
"""Rays at most, in all views together: through strokes, and through all else."""
AROUND = 120
"""Rays from other sides, where they are asked for."""
FAINT = 0.05
"""Opacity from which a ray shows something that may be edited: haze counts."""
PIECE = 4
"""Rays traced between two pauses."""


@dataclass(frozen=True)
class StrokeRays:
    """Rays of all views: `struck` ones through strokes, then those that pass beside every stroke or through a keep."""

    origins: Tensor
    """[N, 3]"""
    directions: Tensor
    """[N, 3], as `VolumeSettings.unit_rays` says."""
    near: Tensor
    """[N]"""
    far: Tensor
    """[N]"""
    stroke: Tensor
    """[N] the stroke's place in `strokes`, -1 for a ray that no stroke means."""
    asked: Tensor
    """[N] bool: whether a keep stroke asks for it."""
    view: Tensor
    """[N] number of the view in `views`; higher ones are of views from other sides."""
    pixel: Tensor
    """[N] in that view, row by row."""
    strokes: tuple[StrokePixels, ...]
    views: tuple[StrokeView, ...]
    """Of the strokes; their pictures are empty: no picture is needed."""

    def __len__(self) -> int:
        return len(self.origins)


def stroke_rays(
    pipeline: Pipeline,
    state: ViewState,
    scene: Scene,
    kinds: tuple[StrokeKind, ...],
    size: int = SIZE,
    around: int = 0,
) -> StrokeRays:
    """Some of the rays through strokes of the given kinds, of those beside them, and of `around` views from elsewhere.

    Raises:
        EditError: nothing is drawn.
    """
    cameras, usual, device = by_camera(state), pipeline.generator_for(state).camera, pipeline.device
    source, parts, strokes, views = torch.Generator().manual_seed(0), [], [], []
    read = (*kinds, "keep")
    share = max(1, sum(stroke.kind in kinds for entries in cameras.values() for _, stroke in entries))
    for number, (camera, entries) in enumerate(cameras.items()):
        volume, cam2world, intrinsics = place(camera, usual, scene)
        rays = camera_rays(cam2world, intrinsics, size, size, volume, device)
        limits = ray_limits(*rays, volume, scene.field.bounds)
        positions = picture_positions(size, size, volume, device)
        pixels = tuple(
            StrokePixels(n, s, cover(s.points, s.width, positions, 1 / size)) for n, s in entries if s.kind in read
        )
        blank = torch.zeros(size, size, device=device)
        empty = Rendered(blank.expand(3, -1, -1), blank, blank)
        view = StrokeView(camera, cam2world, intrinsics, volume, size, pixels, empty, rays)
        views.append(view)
        # What each ray is for: (pixels, the stroke or -1, whether a keep stroke asks for it).
        wanted: list[tuple[Tensor, int, bool]] = []
        free = torch.ones(size * size, dtype=torch.bool, device=device)
        for entry, left in effective(view):
            covered = left > 0.5 if bool((left > 0.5).any()) else left >= left.max().clamp(min=1e-6)
            free &= left == 0
            if entry.stroke.kind in kinds:
                wanted.append((_some(covered, STRUCK // share, source), len(strokes), False))
                strokes.append(entry)
            elif entry.stroke.kind == "keep":
                wanted.append((_some(covered, STRUCK // len(cameras), source), -1, True))
        wanted.append((_some(free, KEPT // len(cameras), source), -1, False))
        for index, stroke, asked in wanted:
            numbers = torch.tensor([stroke, asked, number], device=device).expand(len(index), 3)
            parts.append((*(values[index] for values in (*rays, *limits)), *numbers.unbind(1), index))
    for number in range(around):
        camera = _beside(next(iter(cameras)), usual, (number + 1) / (around + 1))
        volume, cam2world, intrinsics = place(camera, usual, scene)
        rays = camera_rays(cam2world, intrinsics, size, size, volume, device)
        index = _some(torch.ones(size * size, dtype=torch.bool, device=device), AROUND // around, source)
        limits = ray_limits(*rays, volume, scene.field.bounds)
        numbers = torch.tensor([-1, 0, len(views) + number], device=device).expand(len(index), 3)
        parts.append((*(values[index] for values in (*rays, *limits)), *numbers.unbind(1), index))
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    order = (columns[4] < 0).byte().argsort(stable=True)  # those that strokes mean come first
    origins, directions, near, far, stroke, asked, view, pixel = (column[order] for column in columns)
    return StrokeRays(origins, directions, near, far, stroke, asked > 0, view, pixel, tuple(strokes), tuple(views))


def check_hits(rays: StrokeRays, alpha: Tensor, depth: Tensor) -> None:
    """Whether the strokes make sense, by opacity [N] and depth [N] of their rays alone.

    Raises:
        EditError: a stroke lies on nothing, or two contradict each other.
    """
    for number, view in enumerate(rays.views):
        mine, picture = rays.view == number, alpha.new_zeros(2, view.size * view.size)
        picture[:, rays.pixel[mine]] = torch.stack([alpha[mine], depth[mine]])
        opacity, distance = picture.view(2, view.size, view.size)
        check(replace(view, rendered=replace(view.rendered, alpha=opacity, depth=distance)), FAINT)


@torch.no_grad()
def sample_depths(scene: Scene, rays: StrokeRays, chosen: slice) -> Tensor:
    """Where the exact renderer samples those rays: depths [N, S], increasing.

    An edit of the fine network moves none of them, since the coarse one places them.
    """
    # Limits are in the rays already; all else that a camera's distance could change is the scene's own.
    volume, o, d = scene.volume, rays.origins[chosen], rays.directions[chosen]
    depths = stratified(rays.near[chosen], rays.far[chosen], volume.coarse, volume.sampler, disparity=volume.disparity)
    if volume.fine:
        raw = query_density(scene.field if scene.proposal is None else scene.proposal, o, d, depths)
        weights = compositing_weights(volume, depths, raw, d.norm(dim=-1))
        depths = torch.cat([depths, importance(depths, weights, volume.fine, volume.sampler)], -1).sort(-1).values
    return depths


def sample_weights(volume: VolumeSettings, depths: Tensor, raw: Tensor, lengths: Tensor) -> Tensor:
    """How much of each sample's own colour its ray shows: [N, S], whatever the quadrature.

    'midpoint' weights intervals, which show the mean of both their ends.
    """
    weights = compositing_weights(volume, depths, raw, lengths)
    if volume.quadrature == "midpoint":
        halves = torch.nn.functional.pad(0.5 * weights, (1, 1))
        weights = halves[:, 1:] + halves[:, :-1]
    return weights


def pieces(count: int) -> Iterator[slice]:
    """Rays at once: short pieces of work."""
    for start in range(0, count, PIECE):
        yield slice(start, min(start + PIECE, count))


def _beside(camera: Camera, usual: CameraDefaults, turn: float) -> Camera:
    """A camera at the usual place, turned away from where strokes were drawn by part of a full turn."""
    yaw = usual.yaw if camera.cam2world is not None else camera.yaw
    yaw += 2 * math.pi * turn
    return Camera(yaw=yaw, pitch=usual.pitch, radius=usual.radius, fov=usual.fov, pivot=usual.pivot)


def _some(mask: Tensor, most: int, source: torch.Generator) -> Tensor:
    """Up to `most` of the indices that a mask [P] holds, spread at random."""
    index = mask.nonzero()[:, 0]
    return index[torch.randperm(len(index), generator=source)[: max(most, 1)].to(index.device)]
