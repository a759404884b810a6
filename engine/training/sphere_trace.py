"""Exact pictures of procedural things, by sphere tracing their signed distance, and field samples of heads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ..rendering.edges import edges, finer
from . import heads_colour, heads_sdf
from .heads_parameters import Head

RADIUS = 2.7
"""Distance of the camera from the origin, as in EG3D's portraits."""
FOCAL = 4.2647
"""Normalised focal length (focal length over image width)."""
HIT = 0.0006


class Subject(Protocol):
    """A family of procedural things as functions of points, and how its pictures are taken."""

    bound: float
    """Radius of a ball about the origin that holds every one of them."""
    radius: float
    """Distance of the cameras from the origin."""
    focal: float
    """Normalised focal length."""

    def distance(self, parameters: Any, x: Tensor, y: Tensor, z: Tensor, /) -> Tensor:
        """Signed distances [B, N]."""
        ...

    def shade(self, parameters: Any, x: Tensor, y: Tensor, z: Tensor, /) -> tuple[Tensor, Tensor]:
        """Signed distances [B, N] and lit colours [B, N, 3] in [0, 1]."""
        ...


class Teacher:
    """The procedural heads as functions of points; ``compile=True`` fuses them with torch.compile (about 8x faster)."""

    bound: float = heads_sdf.BOUND
    radius: float = RADIUS
    focal: float = FOCAL

    def __init__(self, compile: bool = False) -> None:
        wrap: Callable = (lambda f: torch.compile(f, dynamic=True)) if compile else (lambda f: f)
        self.distance = wrap(heads_sdf.distance)
        self._materials = wrap(heads_sdf.material_distances)

    def shade(self, head: Head, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Distance and lit colour; only its distances are compiled: the whole took minutes to compile, for little."""
        return heads_colour.shade(head, x, y, z, self._materials, self.distance)


def look_at_origin(yaw: Tensor, pitch: Tensor, radius: float = RADIUS) -> Tensor:
    """Camera-to-world matrices of cameras on a sphere that look at the origin.

    Args:
        yaw: [B] radians, positive towards +x.
        pitch: [B] radians, positive upwards.
        radius: distance from the origin.

    Returns:
        [B, 4, 4], OpenCV axes: x right, y down, z forward.
    """
    c = pitch.cos()
    position = radius * torch.stack([yaw.sin() * c, pitch.sin(), yaw.cos() * c], -1)
    forward = torch.nn.functional.normalize(-position, dim=-1)
    up = torch.tensor([0.0, 1.0, 0.0], device=yaw.device).expand_as(forward)
    right = torch.nn.functional.normalize(torch.cross(forward, up, dim=-1), dim=-1)
    matrix = torch.eye(4, device=yaw.device).repeat(len(yaw), 1, 1)
    matrix[:, :3, 0], matrix[:, :3, 1] = right, torch.cross(forward, right, dim=-1)
    matrix[:, :3, 2], matrix[:, :3, 3] = forward, position
    return matrix


def window_rays(
    cam2world: Tensor, resolution: int, corner: Tensor, size: int, focal: float = FOCAL
) -> tuple[Tensor, Tensor]:
    """Rays through a square window of an image.

    Args:
        cam2world: [B, 4, 4].
        resolution: side of the whole image in pixels.
        corner: [B, 2] integer (row, column) of the window's first pixel.
        size: side of the window in pixels.
        focal: normalised focal length.

    Returns:
        Origins and unit directions [B, size * size, 3].
    """
    steps = torch.arange(size, device=cam2world.device) + 0.5
    v = (corner[:, :1] + steps) / resolution - 0.5
    u = (corner[:, 1:] + steps) / resolution - 0.5
    b = len(cam2world)
    grid = torch.stack(
        [
            u[:, None, :].expand(b, size, size) / focal,
            v[:, :, None].expand(b, size, size) / focal,
            torch.ones(b, size, size, device=u.device),
        ],
        -1,
    ).reshape(b, -1, 3)
    directions = torch.nn.functional.normalize(grid @ cam2world[:, :3, :3].transpose(1, 2), dim=-1)
    return cam2world[:, None, :3, 3].expand_as(directions), directions


@torch.no_grad()
def render(
    teacher: Subject,
    head: Mapping[str, Tensor],
    cam2world: Tensor,
    resolution: int,
    corner: Tensor | None = None,
    size: int | None = None,
    steps: int = 48,
) -> tuple[Tensor, Tensor, Tensor]:
    """Picture of each head (or other subject) on white, or of one window of it.

    Args:
        teacher: the subject's functions and camera.
        head: parameters of B heads.
        cam2world: [B, 4, 4].
        resolution: side of the whole picture.
        corner, size: window as for :func:`window_rays`; the whole picture when omitted.

    Returns:
        rgb [B, 3, size, size] in [0, 1]; coverage [B, size, size] in [0, 1] (anti-aliased by the closest approach);
        distance along the ray [B, size, size], valid where covered.
    """
    b = len(cam2world)
    size = resolution if size is None else size
    device = cam2world.device
    corner = torch.zeros(b, 2, dtype=torch.long, device=device) if corner is None else corner
    origins, directions = window_rays(cam2world, resolution, corner, size, teacher.focal)
    rgb, alpha, depth = _trace(teacher, head, origins, directions, resolution, steps)
    return rgb.permute(0, 2, 1).reshape(b, 3, size, size), alpha.view(b, size, size), depth.view(b, size, size)


@torch.no_grad()
def render_smooth(
    teacher: Subject,
    head: Mapping[str, Tensor],
    cam2world: Tensor,
    resolution: int,
    corner: Tensor,
    size: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """As `render`, with four rays in pixels that differ from a neighbour: smooth edges at half of the price.

    A student that learns from one ray a pixel learns its stairs, and a share of its error is theirs.
    """
    rgb, coverage, depth = render(teacher, head, cam2world, resolution, corner, size)
    seen = torch.cat([rgb, coverage[:, None]], 1)
    edge = edges(seen).flatten(1)
    n = int(edge.sum(1).max())
    if n == 0:
        return rgb, coverage, depth
    index = edge.float().topk(n, 1).indices
    take = finer(index, size).flatten(1)[..., None].expand(-1, -1, 3)
    origins, directions = window_rays(cam2world, 2 * resolution, 2 * corner, 2 * size, teacher.focal)
    colour, alpha, _ = _trace(teacher, head, origins.gather(1, take), directions.gather(1, take), 2 * resolution)
    colour = colour.view(len(rgb), n, 4, 3).mean(2).transpose(1, 2)
    rgb = rgb.flatten(2).scatter(2, index[:, None].expand(-1, 3, -1), colour).view_as(rgb)
    coverage = coverage.flatten(1).scatter(1, index, alpha.view(len(rgb), n, 4).mean(2)).view_as(coverage)
    return rgb, coverage, depth


def _trace(
    teacher: Subject,
    head: Mapping[str, Tensor],
    origins: Tensor,
    directions: Tensor,
    resolution: int,
    steps: int = 48,
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours on white [B, N, 3], coverage [B, N] and distance [B, N] along rays [B, N, 3] of a picture so fine."""
    along = (origins * directions).sum(-1)
    inside = along**2 - ((origins**2).sum(-1) - teacher.bound**2)
    # Only rays that meet the bounding ball are traced; padded to the fullest picture so that the batch stays a tensor.
    candidates = inside > 0
    n = max(int(candidates.sum(1).max()), 1)
    index = candidates.float().topk(n, dim=1).indices
    take = index[..., None].expand(-1, -1, 3)
    ox, oy, oz = (c.contiguous() for c in origins.gather(1, take).unbind(-1))
    dx, dy, dz = (c.contiguous() for c in directions.gather(1, take).unbind(-1))
    t = -along.gather(1, index) - inside.gather(1, index).clamp(min=0).sqrt()
    live = candidates.gather(1, index)
    pixel = teacher.radius / teacher.focal / resolution
    closest, closest_t = torch.full_like(t, 9.0), t.clone()
    for _ in range(steps):
        s = teacher.distance(head, ox + t * dx, oy + t * dy, oz + t * dz)
        better = (s < closest) & live
        closest, closest_t = torch.where(better, s, closest), torch.where(better, t, closest_t)
        live = live & (s > HIT)
        t = t + torch.where(live, (s * 0.9).clamp(min=0.0004), 0.0)
    coverage = torch.where(closest < 0.0015, 1.0, (1 - closest / pixel).clamp(0, 1))
    _, colour = teacher.shade(head, ox + closest_t * dx, oy + closest_t * dy, oz + closest_t * dz)
    colour = colour * coverage[..., None] + 1 - coverage[..., None]
    rgb = torch.ones_like(origins).scatter(1, take, colour)
    alpha = torch.zeros_like(along).scatter(1, index, coverage)
    depth = torch.zeros_like(along).scatter(1, index, closest_t)
    return rgb, alpha, depth


def random_cameras(count: int) -> Tensor:
    """Training cameras [count, 4, 4]: mostly portraits, three in ten from all around."""
    around = torch.rand(count) < 0.3
    yaw = torch.where(around, (torch.rand(count) * 2 - 1) * math.pi, torch.randn(count) * 0.45)
    return look_at_origin(yaw, (torch.randn(count) * 0.18 + 0.05).clamp(-0.5, 0.6))


@torch.no_grad()
def surface_samples(teacher: Teacher, head: Head, rays: int, uniform: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points about the surface and in space, with the teacher's distance and colour.

    A mean over the whole surface would leave what matters for last. So three sixteenths of the rays aim at the face's
    features (mouth, brows, eyes), a quarter at the hair's locks, an eighth at the face, and an eighth each at the rims
    of glasses and at their temples, or at what is there where no glasses are.

    Args:
        head: parameters of B heads.
        rays: surface points; each gives two samples, one very near and one near.
        uniform: samples in space, half of them beyond the planes' box, or blobs would appear there.

    Returns:
        points [B, 2 rays + uniform, 3], distances [B, 2 rays + uniform], colours [B, 2 rays, 3] of the first ones.
    """
    b = len(head["hw"])
    n_feature, n_rim, n_face, n_hair, n_side = 3 * rays // 16, rays // 8, rays // 8, rays // 4, rays // 8
    n_any = rays - n_feature - n_rim - n_face - n_hair - n_side
    side = (torch.randint(0, 2, (b, n_side)) * 2 - 1).float()
    targets = [_feature_targets(head, n_feature), _rim_targets(head, n_rim), _face_targets(b, n_face)]
    targets.append(_skull_targets(b, n_hair))
    targets = torch.cat([*targets, _temple_targets(head, side), _body_targets(b, n_any)], 1)
    n_front = n_feature + n_rim + n_face
    frontal = torch.randn(b, n_front, 3) * torch.tensor([0.35, 0.30, 0.0]) + torch.tensor([0.0, 0.05, 1.0])
    upward = torch.randn(b, n_hair, 3) + torch.tensor([0.0, 0.5, -0.1])
    sideways = torch.randn(b, n_side, 3) * 0.4 + side[..., None] * torch.tensor([1.0, 0.0, 0.0])
    directions = torch.cat([frontal, upward, sideways, torch.randn(b, n_any, 3)], 1)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    points = targets + 0.42 * directions
    for _ in range(14):
        points = points - directions * 0.9 * teacher.distance(head, *_split(points))[..., None]
    near = torch.cat([points + 0.0035 * torch.randn_like(points), points + 0.012 * torch.randn_like(points)], 1)
    scale = torch.where(torch.arange(uniform) % 2 == 0, 0.68, 1.0)[None, :, None]
    space = (torch.rand(b, uniform, 3) - 0.5) * scale
    d_near, colour = teacher.shade(head, *_split(near))
    d_space = teacher.distance(head, *_split(space))
    return torch.cat([near, space], 1), torch.cat([d_near, d_space], 1), colour


def _split(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x, y, z = points.unbind(-1)
    return x.contiguous(), y.contiguous(), z.contiguous()


def _feature_targets(p: Head, n: int) -> Tensor:
    """Aim points on mouth (half), brows and eyes."""
    b = len(p["hw"])
    noise, side = torch.randn(b, n, 3), (torch.randint(0, 2, (b, n)) * 2 - 1).float()
    k = n // 2
    x = torch.cat([(torch.rand(b, k) * 2 - 1) * (p["mw"] + 0.012), (p["ex"] * side + 0.026 * noise[..., 0])[:, k:]], 1)
    mouth_y = p["my"] + p["sm"] * (x[:, :k] / 0.045) ** 2 + 0.012 * noise[:, :k, 1]
    m = k + (n - k) // 2
    brow_y = 0.5 * (p["by0"] + p["by1"]) + 0.010 * noise[:, k:m, 1]
    eye_y = p["ey"] + 0.024 * noise[:, m:, 1]
    return torch.stack([x, torch.cat([mouth_y, brow_y, eye_y], 1), 0.15 + 0.01 * noise[..., 2]], -1)


def _rim_targets(p: Head, n: int) -> Tensor:
    """Aim points [B, N, 3] about the rims of glasses, or where they would be."""
    b = len(p["hw"])
    side, angle = (torch.randint(0, 2, (b, n)) * 2 - 1).float(), 2 * math.pi * torch.rand(b, n)
    radius = p["er"] + 0.013 + 0.007 * torch.randn(b, n)
    x, y = side * (p["ex"] + radius * angle.cos()), p["ey"] + radius * angle.sin()
    return torch.stack([x, y, (p["ez"] + 0.62 * p["er"] + 0.013).expand(b, n)], -1)


def _face_targets(b: int, n: int) -> Tensor:
    return torch.randn(b, n, 3) * torch.tensor([0.06, 0.07, 0.02]) + torch.tensor([0.0, -0.01, 0.15])


def _skull_targets(b: int, n: int) -> Tensor:
    return torch.randn(b, n, 3) * 0.03 + torch.tensor([0.0, 0.04, -0.03])


def _temple_targets(p: Head, side: Tensor) -> Tensor:
    """Aim points [B, N, 3] along the temples of glasses, on the sides that `side` [B, N] gives as -1 or 1."""
    b, n = side.shape
    x = 0.150 * p["hw"] * side
    y = p["ey"] + 0.006 + 0.008 * torch.randn(b, n)
    return torch.stack([x, y, torch.rand(b, n) * 0.17 - 0.03], -1)


def _body_targets(b: int, n: int) -> Tensor:
    targets = torch.nn.functional.normalize(torch.randn(b, n, 3), dim=-1) * torch.rand(b, n, 1) ** 0.4 * 0.24
    targets = targets - torch.tensor([0.0, 0.01, 0.02])
    k = n // 8
    targets[:, :k, 1] = -0.25 + 0.03 * torch.randn(b, k)
    return targets


def one(head: Head, i: int) -> Head:
    """The i-th head of a batch, as a batch of one."""
    return {k: v[i : i + 1] for k, v in head.items()}
