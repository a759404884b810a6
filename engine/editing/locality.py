"""What pivotal tuning must leave alone: the sides of a subject that its photo does not show.

Roich et al. 2021 hold the generator's pictures of *other* codes in place. A radiance field allows something more
direct: from one photo nothing is learned about points that it does not show, so there the tuned field is held to what
the generator said before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import CameraDefaults, RadianceField, Scene
from ..camera import camera_matrices
from ..rendering.rays import camera_rays
from ..state import Camera
from .guided_render import RayPieces, affordable, placing

SIDE = 32
"""Of the views from which unseen points are gathered, pixels."""
TURNS = (-150, -100, -55, 55, 100, 150)
"""Degrees of yaw away from the photo, as far as the family's range allows."""
BEHIND = 0.03
"""Depth behind the photo's surface from which a point counts as not seen, parts of the camera's distance over 2.7."""
POOL = 20_000
"""Points whose answers are remembered."""
AT_ONCE = 3000
"""Of them in one step."""
FEATURES, DENSITY = 4.0, 0.02
RAW_RANGE = (-5.0, 15.0)
"""Beyond it a raw density is empty or opaque, and how much so does not show."""


class Locality:
    """The mean squared change of a field at points that the photo does not show.

    Args:
        points: [N, 3], from `gathered`.
        raw: [N] raw densities there before any change.
        features: [N, C] likewise.
        directions: [N, 3] that the features are seen along; None: they are the same from everywhere.
        weight: in the loss.
    """

    def __init__(
        self, points: Tensor, raw: Tensor, features: Tensor, directions: Tensor | None, weight: float = 1.0
    ) -> None:
        self._points, self._raw, self._features, self._directions = points, raw.clamp(*RAW_RANGE), features, directions
        self._weight = weight
        self._source = torch.Generator().manual_seed(1)

    @classmethod
    def gathered(
        cls,
        scene: Scene,
        camera: Camera,
        defaults: CameraDefaults,
        device: torch.device | str = "cpu",
        weight: float = 1.0,
    ) -> Iterator[Locality | None]:
        """Made in short pieces: None after each, and the locality in the end.

        Args:
            scene: as it is before any change.
            camera: the photo's.
            defaults: the family's.
            device: where the scene's tensors are.
            weight: in the loss.
        """
        points = torch.zeros(0, 3, device=device)
        for found in unseen_points(scene, camera, defaults, device):
            points = points if found is None else found
            yield None
        source = torch.Generator().manual_seed(2)
        low, high = (points.new_tensor(corner) for corner in scene.field.bounds)
        anywhere = low + (high - low) * torch.rand(POOL // 5, 3, generator=source).to(low)
        some = torch.randperm(len(points), generator=source)[:POOL].to(low.device)
        points = torch.cat([points[some], anywhere])
        directions = None
        if scene.field.view_dependent:
            directions = F.normalize(torch.randn(points.shape, generator=source), dim=-1).to(low)
        answers = []
        for start in range(0, len(points), at_once := 2 * affordable(scene.field)):
            chosen = slice(start, start + at_once)
            with torch.no_grad():
                answers.append(scene.field(points[chosen], None if directions is None else directions[chosen]))
            yield None
        raw, features = (torch.cat(parts) for parts in zip(*answers, strict=True))
        yield cls(points, raw, features, directions, weight)

    def __call__(self, field: RadianceField) -> Tensor:
        """How far `field` is from what it was at some of the points; differentiable."""
        count = min(AT_ONCE, affordable(field) // 2, len(self._points))
        chosen = torch.randint(len(self._points), (count,), generator=self._source).to(self._points.device)
        raw, features = field(self._points[chosen], None if self._directions is None else self._directions[chosen])
        density = (raw.clamp(*RAW_RANGE) - self._raw[chosen]).square().mean()
        change = DENSITY * density + FEATURES * (features - self._features[chosen]).square().mean()
        return self._weight * change


def unseen_points(
    scene: Scene, camera: Camera, defaults: CameraDefaults, device: torch.device | str = "cpu"
) -> Iterator[Tensor | None]:
    """Points [N, 3] about the surface that other views see and the photo's does not; None after each piece of work."""
    low, high = defaults.yaw_range
    cam2world, intrinsics = _matrices(camera, defaults, device)
    placed = None
    for placed in placing(scene, cam2world, intrinsics, 2 * SIDE, 8):  # noqa: B007 - the last one counts
        yield None
    assert placed is not None
    pieces = RayPieces(scene, cam2world, intrinsics, placed, learning=False)
    for _ in pieces.forward():
        yield None
    with torch.no_grad():
        seen = pieces.rendered()
    found = []
    unit = BEHIND * camera.radius / 2.7
    nothing = torch.zeros(SIDE, SIDE, dtype=torch.bool, device=device)
    for turn in TURNS:
        yaw = camera.yaw + math.radians(turn)
        if not low - 1e-6 <= yaw <= high + 1e-6 and high - low < 2 * math.pi - 1e-3:
            continue
        there, lens = _matrices(replace(camera, yaw=yaw), defaults, device)
        view = None
        for view in placing(scene, there, lens, SIDE, 8, wanted=nothing):  # noqa: B007
            yield None
        assert view is not None
        origins, directions = camera_rays(there, lens, SIDE, SIDE, scene.volume, device)
        points = origins[view.rays][:, None] + view.depths[..., None] * directions[view.rays][:, None]
        found.append(points.reshape(-1, 3))
    if not found:
        yield torch.zeros(0, 3, device=device)
        return
    points = torch.cat(found)
    local = (points - cam2world[:3, 3]) @ cam2world[:3, :3]
    flat = local @ intrinsics.T
    place = flat[:, :2] / flat[:, 2:].clamp_min(1e-6) * 2 - 1
    looked = F.grid_sample(
        torch.stack([seen.depth, seen.alpha])[None], place[None, None], align_corners=False, padding_mode="zeros"
    )[0, :, 0]
    along = local.norm(dim=-1) if scene.volume.unit_rays else local[:, 2]
    # Behind the surface, or beside the subject: there the photo says only that nothing stands before the backdrop.
    yield points[(looked[1] > 0.9) & (along > looked[0] + unit)].detach()


def _matrices(camera: Camera, defaults: CameraDefaults, device: torch.device | str) -> tuple[Tensor, Tensor]:
    cam2world, intrinsics = camera_matrices(camera, defaults)
    return torch.from_numpy(cam2world).float().to(device), torch.from_numpy(intrinsics).float().to(device)
