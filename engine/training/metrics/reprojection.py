"""Multi-view consistency: one view, carried by its depth to another camera, is compared with what is seen there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ....models.base import VolumeSettings
from ...rendering.rays import camera_rays
from .pictures import psnr
from .views import Pose, View

PAIRS = ((-0.6, -0.3), (-0.3, 0.0), (0.0, 0.3), (0.3, 0.6))
"""Yaws of the two cameras of a pair, radians from the usual one."""
NEARER = 0.01
"""A point is hidden where the other camera sees something nearer by this part of the distance or by two pixels."""
STEEP = 8.0
"""Depth that changes by more widths of a pixel between next neighbours is an edge, not a slope (75 degrees)."""
OPAQUE = 0.95
"""Least opacity of a pixel that is compared: a half-covered pixel has no one depth."""


@dataclass(frozen=True)
class Reprojected:
    """View B as view A foresees it."""

    picture: Tensor
    """[3, H, W]: B's colours where they are seen from A."""
    compared: Tensor
    """[H, W], bool: both show the same point of a surface, and neither has an edge there."""


def carried(a: View, b: View, from_a: Pose, from_b: Pose, volume: VolumeSettings) -> Reprojected:
    """B's picture brought to A's camera by A's depth: p = o + t d of A, projected into B.

    Pixels are left out where A is not opaque, the point falls outside B's picture, B sees something nearer (occlusion),
    or depth jumps between neighbours, where a pixel mixes two surfaces.

    Args:
        a, b: views of one scene.
        from_a, from_b: their cameras.
        volume: of the scene: where rays pass through pixels, and what depth is a multiple of.
    """
    side = a.picture.shape[-1]
    depth, solid = _at_size(a, side, from_a)
    origins, directions = camera_rays(from_a.cam2world, from_a.intrinsics, side, side, volume)
    points = (origins + depth.flatten()[:, None] * directions).view(side, side, 3)
    there = points - from_b.cam2world[:3, 3]
    in_camera = there @ from_b.cam2world[:3, :3]
    z = in_camera[..., 2]
    projected = in_camera @ from_b.intrinsics.T / z.clamp_min(1e-6)[..., None]  # 0..1 across and down
    grid = _grid(projected[..., :2], side, volume)
    seen = F.grid_sample(b.picture[None], grid[None], align_corners=False, padding_mode="border")[0]
    depth_b, solid_b = _at_size(b, side, from_b)
    both = torch.stack([depth_b, solid_b.float()])
    sampled, solid_there = F.grid_sample(both[None], grid[None], align_corners=False)[0]
    expected = there.norm(dim=-1) if volume.unit_rays else z
    hidden = (expected - sampled).abs() > expected * max(NEARER, 2 * _width(b, from_b))
    inside = (grid.abs() < 1).all(-1) & (z > 0)
    return Reprojected(seen, solid & inside & ~hidden & (solid_there > 0.99))


def reprojection_psnr(a: View, b: View, from_a: Pose, from_b: Pose, volume: VolumeSettings) -> tuple[float, float]:
    """PSNR in dB between A and what B shows of the same points, and the part of A's opaque pixels that was compared.

    Where nothing can be compared it is (nan, 0).
    """
    result = carried(a, b, from_a, from_b, volume)
    if not bool(result.compared.any()):
        return float("nan"), 0.0
    _, solid = _at_size(a, a.picture.shape[-1], from_a)
    value = psnr(a.picture[:, result.compared], result.picture[:, result.compared])
    return value, float(result.compared.sum() / solid.sum().clamp(min=1))


def _width(view: View, pose: Pose) -> float:
    """Width of a pixel of the depth, as a part of its distance."""
    return 1 / (float(pose.intrinsics[1, 1]) * view.depth.shape[-1])


def _at_size(view: View, side: int, pose: Pose) -> tuple[Tensor, Tensor]:
    """Depth [side, side] and where it can be trusted: opaque, and no jump to any neighbour."""
    depth, alpha = view.depth[None, None], view.alpha[None, None]
    jump = F.max_pool2d(depth, 3, 1, 1) + F.max_pool2d(-depth, 3, 1, 1)
    sound = ((alpha > OPAQUE) & (jump < STEEP * _width(view, pose) * depth)).float()
    sound = 1 - F.max_pool2d(1 - sound, 3, 1, 1)
    if depth.shape[-1] != side:
        depth = F.interpolate(depth, size=(side, side), mode="bilinear", align_corners=False)
        sound = F.interpolate(sound, size=(side, side), mode="bilinear", align_corners=False)
    return depth[0, 0], sound[0, 0] > 0.99


def _grid(positions: Tensor, side: int, volume: VolumeSettings) -> Tensor:
    """Positions 0..1 as `camera_rays` counts them, in grid_sample's -1..1 (pixel centres at (2 i + 1) / side - 1)."""
    match volume.pixels:
        case "centre":
            index = positions * side - 0.5
        case "corner":
            index = positions / volume.pixel_stretch * side
        case _:
            index = positions / volume.pixel_stretch * (side - 1)
    return (2 * index + 1) / side - 1
