"""What the cars' student is asked for: the teacher's parameters, its field at points, its pictures of windows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.pigan import PiGANNetwork
from .cars_parameters import Z_DIM, Car, cars_from_latents, is_appearance
from .cars_student import DENSITY_GAIN, MAPPING_APPEARANCE, MAPPING_GEOMETRY, Folded, colour, density
from .cars_teacher import FOCAL, CarTeacher, body_targets, detail_targets, random_cameras, surface_samples
from .mapping_probe import MappingProbe
from .sphere_trace import render, window_rays
from .task import Team

SURFACE_SHIFT, SURFACE_WIDTH = 0.004, 0.003
"""y is taught as the logit of 'inside by 4 mm', 3 mm wide, so that a ray turns opaque at the true surface."""
WINDOW = 32
"""Side of a training picture in rays, whatever the resolution that it is a window of (pi-GAN grows the picture)."""
SAMPLES, BEFORE, STEP = 10, 0.015, 0.0042
"""Samples of a ray about the teacher's surface, where the first lies before it, and their distance."""
TRACE_STEPS = 36
GRAIN = 128
"""Rays of a window are padded to multiples of this: a CPU prepares its matrix products for each size anew."""

Logs = dict[str, float]


def mapping_targets(z: Tensor) -> tuple[Tensor, Tensor]:
    """What latents z [B, 44] mean to the teacher, measures and colours: geometry [B, G] and appearance [B, A]."""
    geometry, appearance = [], []
    for name, value in cars_from_latents(z).items():
        (appearance if is_appearance(name) else geometry).append(value.reshape(len(z), -1))
    return torch.cat(geometry, 1), torch.cat(appearance, 1)


def cars_probe() -> MappingProbe:
    """The probe of the mapping network's last hidden layer."""
    return MappingProbe(mapping_targets, Z_DIM, MAPPING_GEOMETRY, MAPPING_APPEARANCE)


def mapping_loss(network: PiGANNetwork, probe: MappingProbe, z: Tensor) -> tuple[Tensor, Logs]:
    """How badly the parameters of latents z [B, 44] can be read off the mapping network."""
    geometry, appearance = probe(network.mapping_network.network[:-1](z), z)
    return geometry + appearance, {"geometry": float(geometry.detach()), "appearance": float(appearance.detach())}


def field_loss(
    network: PiGANNetwork, folded: Folded, teacher: CarTeacher, car: Car, rays: int, uniform: int, team: Team
) -> tuple[Tensor, Tensor, Logs]:
    """Occupancy (binary cross-entropy) and colour (smooth L1 near the surface) at sampled points."""
    points, distance, rgb = surface_samples(teacher, car, rays, uniform)
    n = rgb.shape[1]
    with team.autocast():
        y, hidden = density(network, folded, points)
        c = colour(network, folded, hidden[:, :n])
    target = torch.sigmoid(((SURFACE_SHIFT - distance) / SURFACE_WIDTH).clamp(-6, 6))
    occupancy = F.binary_cross_entropy_with_logits(y, target)
    weight = torch.exp(-((distance[:, :n] / 0.008) ** 2))[..., None]
    error = F.smooth_l1_loss(c, rgb, beta=0.05, reduction="none")
    shade = (error * weight).sum() / weight.sum() / 3
    floor = -(target * target.log() + (1 - target) * (1 - target).log()).mean()
    return occupancy, shade, {"occupancy": float((occupancy - floor).detach()), "colour": float(shade.detach())}


def march(y: Tensor, rgb: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """pi-GAN's quadrature on white: y [..., S], rgb [..., S, 3], t [..., S] -> colour [..., 3], weight [...]."""
    delta = t[..., 1:] - t[..., :-1]
    delta = torch.cat([delta, delta[..., :1]], -1)
    alpha = 1 - torch.exp(-delta * DENSITY_GAIN * y.relu())
    passed = torch.cumprod(torch.cat([torch.ones_like(alpha[..., :1]), 1 - alpha + 1e-10], -1), -1)[..., :-1]
    weights = alpha * passed
    total = weights.sum(-1)
    return (weights[..., None] * rgb).sum(-2) + 1 - total[..., None], total


def picture_loss(
    network: PiGANNetwork, folded: Folded, teacher: CarTeacher, car: Car, resolution: int, team: Team
) -> tuple[Tensor, Logs]:
    """Windows of 32 x 32 rays of pictures of a resolution, held against the teacher's, from random cameras.

    Only rays that the teacher covers are marched, with samples about its surface.
    """
    cameras = random_cameras(len(car["L"]), car["L"].device)
    corner = window_corner(car, cameras, resolution)
    rgb, coverage, depth = render(teacher, car, cameras, resolution, corner, WINDOW, TRACE_STEPS)
    b, covered = len(rgb), coverage.flatten(1)
    n = int((covered > 0).sum(1).max())
    n = min(max(-(-n // GRAIN), 1) * GRAIN, WINDOW * WINDOW)
    index = (covered > 0).float().topk(n, 1).indices
    take = index[..., None].expand(-1, -1, 3)
    origins, directions = window_rays(cameras, resolution, corner, WINDOW, FOCAL)
    origins, directions = origins.gather(1, take), directions.gather(1, take)
    target = covered.gather(1, index)
    start = torch.where(target > 0, depth.flatten(1).gather(1, index), 1.0) - BEFORE
    jitter = torch.arange(SAMPLES, device=start.device) + torch.rand(b, n, 1, device=start.device) - 0.5
    t = start[..., None] + STEP * jitter
    points = (origins[:, :, None] + t[..., None] * directions[:, :, None]).reshape(b, -1, 3)
    with team.autocast():
        y, hidden = density(network, folded, points)
        c = colour(network, folded, hidden)
    c, total = march(y.view(b, n, SAMPLES), c.view(b, n, SAMPLES, 3), t)
    white = torch.ones(b, WINDOW * WINDOW, 3, device=c.device)
    picture = white.scatter(1, take, c).transpose(1, 2).reshape(b, 3, WINDOW, WINDOW)
    share = covered.mean().clamp(min=0.05)
    l1 = F.l1_loss(picture, rgb) / share
    edges = _edges(picture, rgb) / share
    loss = l1 + 2 * F.mse_loss(picture, rgb) / share + 0.5 * edges + 0.2 * F.mse_loss(total, target)
    return loss, {"l1": float(l1.detach())}


@torch.no_grad()
def window_corner(car: Car, cameras: Tensor, resolution: int) -> Tensor:
    """First pixels [B, 2] (row, column) of windows about a random place on each car, inside the picture."""
    targets = torch.cat([detail_targets(car, 10), body_targets(car, 6)], 1)
    chosen = targets[torch.arange(len(targets)), torch.randint(0, 16, (len(targets),), device=targets.device)]
    local = torch.einsum("bji,bj->bi", cameras[:, :3, :3], chosen - cameras[:, :3, 3])
    column, row = (FOCAL * local[:, :2] / local[:, 2:] + 0.5).mul(resolution).unbind(1)
    corner = torch.stack([row, column], 1) - WINDOW / 2
    return corner.round().clamp(0, resolution - WINDOW).long()


def _edges(a: Tensor, b: Tensor) -> Tensor:
    """L1 of differences between neighbouring pixels: what a mean over colours does not see."""
    across = F.l1_loss(a[..., 1:] - a[..., :-1], b[..., 1:] - b[..., :-1])
    return across + F.l1_loss(a[..., 1:, :] - a[..., :-1, :], b[..., 1:, :] - b[..., :-1, :])
