"""One view of a scene by the occupancy rung, in short pieces of work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ...models.base import Scene, VolumeSettings
from ..rendering.background import over_background
from ..rendering.image import Rendered
from ..rendering.occupancy import OccupancyGrid
from ..rendering.occupancy_march import render_occupancy
from .guided_render import affordable

ASKED = 16
"""Places at which a ray is asked, about, before it is opaque."""


@torch.no_grad()
def looking(
    scene: Scene,
    occupancy: OccupancyGrid,
    volume: VolumeSettings,
    cam2world: Tensor,
    intrinsics: Tensor,
    size: int,
    *,
    onto: Rendered | None = None,
    only: Tensor | None = None,
) -> Iterator[Rendered | None]:
    """Renders a view without pictures kept; yields None after each piece and what is seen at last.

    Args:
        scene: what is seen.
        occupancy: of it.
        volume: the scene's, for a camera at that distance (`strokes.place`).
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        size: side, pixels.
        onto: the same view of the scene as it was, which stays where nothing is asked for.
        only: [size * size] bool, the pixels that are asked for; None: all.
    """
    # The background is put behind the whole picture, once.
    seen = replace(scene, volume=volume, background=None)
    wanted = torch.ones(size * size, dtype=torch.bool, device=cam2world.device) if only is None else only
    plain = scene.background is None
    features = alpha = depth = None
    for rays in wanted.nonzero()[:, 0].split(max(64, affordable(scene.field) // ASKED)):
        piece = torch.zeros_like(wanted)
        piece[rays] = True
        found = render_occupancy(seen, occupancy, cam2world, intrinsics, resolution=size, only=piece)
        if features is None or alpha is None or depth is None:
            features, alpha, depth = found.features, found.alpha, found.depth
        else:
            here = piece.view(size, size)
            features = torch.where(here, found.features, features)
            alpha, depth = torch.where(here, found.alpha, alpha), torch.where(here, found.depth, depth)
        yield None
    if features is None or alpha is None or depth is None:
        assert onto is not None
        yield onto
        return
    rendered = Rendered(features, depth, alpha)
    if not plain:
        rendered = over_background(scene, rendered, cam2world, intrinsics)
    if onto is not None and only is not None:
        here = only.view(size, size)
        rendered = Rendered(
            torch.where(here, rendered.features, onto.features),
            torch.where(here, rendered.depth, onto.depth),
            torch.where(here, rendered.alpha, onto.alpha),
        )
    yield rendered
