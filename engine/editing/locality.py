"""What pivotal tuning must leave alone: the sides of a subject that its photo does not show.

Roich et al. 2021 hold the generator's pictures of *other* codes in place. A radiance field allows something more
direct: from one photo nothing is learned about points that it does not show, so there the tuned field is held to what
the generator said before.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import CameraDefaults, RadianceField, Scene
from ..camera import camera_matrices
from ..rendering.rays import camera_rays
from ..state import Camera
from .guided_render import place_samples, render_placed

SIDE = 32
"""Of the views from which unseen points are gathered, pixels."""
TURNS = (-150, -100, -55, 55, 100, 150)
"""Degrees of yaw away from the photo, as far as the family's range allows."""
BEHIND = 0.03
"""Depth behind the photo's surface from which a point counts as not seen, parts of the camera's distance over 2.7."""
AT_ONCE = 3000
FEATURES, DENSITY = 4.0, 0.02
RAW_RANGE = (-5.0, 15.0)
"""Beyond it a raw density is empty or opaque, and how much so does not show."""


class Locality:
    """The mean squared change of a field where the photo does not show it.

    Args:
        scene: of the pivot, before any tuning.
        camera: the photo's.
        defaults: the family's.
        device: where the scene's tensors are.
    """

    @torch.no_grad()
    def __init__(
        self, scene: Scene, camera: Camera, defaults: CameraDefaults, device: torch.device | str = "cpu"
    ) -> None:
        self._field: RadianceField = scene.field
        self._source = torch.Generator().manual_seed(1)
        self._points = unseen_points(scene, camera, defaults, device)

    def __call__(self, field: RadianceField) -> Tensor:
        """How far `field` is from what it was at some of the points; differentiable."""
        low, high = (self._points.new_tensor(corner) for corner in field.bounds)
        anywhere = low + (high - low) * torch.rand(AT_ONCE // 5, 3, generator=self._source).to(low)
        points = anywhere
        if len(self._points):
            drawn = torch.randint(len(self._points), (AT_ONCE,), generator=self._source)
            points = torch.cat([self._points[drawn.to(low.device)], anywhere])
        directions = None
        if field.view_dependent:
            directions = F.normalize(torch.randn(points.shape, generator=self._source), dim=-1).to(low)
        raw, features = field(points, directions)
        with torch.no_grad():
            was, were = self._field(points, directions)
        density = (raw.clamp(*RAW_RANGE) - was.clamp(*RAW_RANGE)).square().mean()
        return DENSITY * density + FEATURES * (features - were).square().mean()


@torch.no_grad()
def unseen_points(scene: Scene, camera: Camera, defaults: CameraDefaults, device: torch.device | str = "cpu") -> Tensor:
    """Points [N, 3] about the surface that other views see and the photo's does not."""
    low, high = defaults.yaw_range
    found = []
    cam2world, intrinsics = _matrices(camera, defaults, device)
    placed = place_samples(scene, cam2world, intrinsics, 2 * SIDE, 8)
    shown = render_placed(scene, cam2world, intrinsics, placed)
    unit = BEHIND * camera.radius / 2.7
    for turn in TURNS:
        yaw = camera.yaw + math.radians(turn)
        if not low - 1e-6 <= yaw <= high + 1e-6 and high - low < 2 * math.pi - 1e-3:
            continue
        there, lens = _matrices(replace(camera, yaw=yaw), defaults, device)
        nothing = torch.zeros(SIDE, SIDE, dtype=torch.bool, device=device)
        view = place_samples(scene, there, lens, SIDE, 8, wanted=nothing)
        origins, directions = camera_rays(there, lens, SIDE, SIDE, scene.volume, device)
        points = origins[view.rays][:, None] + view.depths[..., None] * directions[view.rays][:, None]
        found.append(points.reshape(-1, 3))
    if not found:
        return torch.zeros(0, 3, device=device)
    points = torch.cat(found)
    local = (points - cam2world[:3, 3]) @ cam2world[:3, :3]
    flat = local @ intrinsics.T
    place = flat[:, :2] / flat[:, 2:].clamp_min(1e-6) * 2 - 1
    looked = F.grid_sample(
        torch.stack([shown.depth, shown.alpha])[None], place[None, None], align_corners=False, padding_mode="zeros"
    )[0, :, 0]
    along = local.norm(dim=-1) if scene.volume.unit_rays else local[:, 2]
    # Behind the surface, or beside the subject: there the photo says only that nothing stands before the backdrop.
    return points[(looked[1] > 0.9) & (along > looked[0] + unit)]


def _matrices(camera: Camera, defaults: CameraDefaults, device: torch.device | str) -> tuple[Tensor, Tensor]:
    cam2world, intrinsics = camera_matrices(camera, defaults)
    return torch.from_numpy(cam2world).float().to(device), torch.from_numpy(intrinsics).float().to(device)
