"""Exact pictures of the showroom by sphere tracing: colour, coverage and depth, from any camera, in chunks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..rendering.rays import box_limits
from . import showroom_scene as scene

FOV = 0.6911112
"""Angle across the picture, as in NeRF's synthetic scenes."""
RADIUS = 3.6
"""Distance of the cameras from the origin, world units."""
_HIT = 4e-4
_CHUNK = 1 << 14


@dataclass(frozen=True)
class Picture:
    """One view of the teacher."""

    rgb: Tensor
    """[H, W, 3] in 0..1, not multiplied by the coverage; black where nothing is."""
    alpha: Tensor
    """[H, W] in 0..1."""
    depth: Tensor
    """[H, W] distance along the ray, world units; infinite where nothing is."""


def look_at(yaw: Tensor, pitch: Tensor, radius: float = RADIUS) -> Tensor:
    """cam2world [B, 4, 4] (OpenCV axes) on a sphere around the origin, looking at it; z is up.

    Args:
        yaw: [B] radians about z, 0 in front (at -y), positive towards +x.
        pitch: [B] radians above the floor's plane.
    """
    out = torch.stack([yaw.sin() * pitch.cos(), -yaw.cos() * pitch.cos(), pitch.sin()], -1)
    right = torch.stack([yaw.cos(), yaw.sin(), torch.zeros_like(yaw)], -1)
    matrix = torch.eye(4).repeat(len(yaw), 1, 1)
    matrix[:, :3, 0], matrix[:, :3, 1] = right, torch.linalg.cross(-out, right)
    matrix[:, :3, 2], matrix[:, :3, 3] = -out, radius * out
    return matrix


def even_cameras(count: int, low: float = 0.05, high: float = 1.35) -> Tensor:
    """`count` cameras [count, 4, 4] spread evenly over the part of the sphere between two pitches (radians)."""
    i = torch.arange(count) + 0.5
    rise = math.sin(low) + (math.sin(high) - math.sin(low)) * i / count
    return look_at(i * math.pi * (3 - math.sqrt(5.0)) % (2 * math.pi), rise.asin())


@torch.no_grad()
def render(cam2world: Tensor, size: int, *, fov: float = FOV, samples: int = 2) -> Picture:
    """One view.

    Args:
        cam2world: [4, 4], OpenCV axes.
        size: side of the picture, pixels.
        fov: angle across it, radians.
        samples: rays along each side of a pixel; their mean is the pixel.
    """
    device = cam2world.device
    wide = size * samples
    positions = (torch.arange(wide, device=device) + 0.5) / wide - 0.5
    v, u = torch.meshgrid(positions, positions, indexing="ij")
    reach = 2 * math.tan(fov / 2)
    local = torch.stack([u * reach, v * reach, torch.ones_like(u)], -1).reshape(-1, 3)
    directions = F.normalize(local @ cam2world[:3, :3].T, dim=-1)
    origins = cam2world[:3, 3].expand_as(directions)
    rgb = torch.zeros(wide * wide, 3, device=device)
    depth = torch.full((wide * wide,), torch.inf, device=device)
    for at in torch.arange(wide * wide, device=device).split(_CHUNK):
        hit, t = trace(origins[at], directions[at])
        index = at[hit]
        depth[index] = t[hit]
        rgb[index] = scene.shade(origins[index] + t[hit][:, None] * directions[index], directions[index])
    hit = torch.isfinite(depth).float()
    alpha = _mean(hit[:, None], wide, samples)
    colour = _mean(rgb, wide, samples) / alpha.clamp_min(1e-6)
    nearest = -F.max_pool2d(-depth.view(1, 1, wide, wide), samples)[0, 0]
    return Picture(colour, alpha[..., 0], nearest)


def trace(origins: Tensor, directions: Tensor, steps: int = 110) -> tuple[Tensor, Tensor]:
    """Where rays [N, 3] first meet the scene: whether [N], and at which distance [N]."""
    enter, leave, through = box_limits(origins, directions, scene.BOUNDS)
    t, hit = enter.clone(), torch.zeros_like(through)
    live = through.nonzero()[:, 0]
    for _ in range(steps):
        if not len(live):
            break
        near = scene.distance(origins[live] + t[live][:, None] * directions[live])
        met = near < _HIT
        hit[live[met]] = True
        t[live] += torch.where(met, torch.zeros_like(near), near)
        live = live[~met & (t[live] < leave[live])]
    return hit, t


def field(points: Tensor, directions: Tensor, sharpness: float = 0.004) -> tuple[Tensor, Tensor]:
    """The scene as a radiance field: density [N] (1 / world unit) and RGB in 0..1 [N, 3].

    Args:
        points: [N, 3]
        directions: [N, 3], of length 1.
        sharpness: world units over which the density rises across a surface.
    """
    density = torch.sigmoid(-scene.distance(points) / sharpness) / sharpness
    return density, scene.shade(points, directions)


def _mean(values: Tensor, wide: int, samples: int) -> Tensor:
    """[wide * wide, C] -> [wide / samples, wide / samples, C]."""
    picture = values.view(wide, wide, -1).permute(2, 0, 1)[None]
    return F.avg_pool2d(picture, samples)[0].permute(1, 2, 0)
