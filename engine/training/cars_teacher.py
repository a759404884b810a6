"""The cars' teacher: its cameras, and samples of its field for a student to learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from . import cars_colour, cars_sdf
from .cars_parameters import Car
from .sphere_trace import look_at_origin

RADIUS = 1.0
"""Distance of the cameras from the origin; with FOV as in pi-GAN's CARLA."""
FOV = math.radians(30.0)
FOCAL = 0.5 / math.tan(0.5 * FOV)
PITCHES = (0.03, 1.25)
"""Lowest and highest elevation of training cameras, radians; uniform on the sphere between."""
STEPS = 14
"""Sphere-tracing steps of a surface sample; what has not arrived is a sample of the space near the surface."""


class CarTeacher:
    """The procedural cars as functions of points; ``compile=True`` fuses them with torch.compile."""

    bound: float = cars_sdf.BOUND
    radius: float = RADIUS
    focal: float = FOCAL

    def __init__(self, compile: bool = False) -> None:
        wrap: Callable = (lambda f: torch.compile(f, dynamic=True)) if compile else (lambda f: f)
        self.distance: Callable[..., Tensor] = wrap(cars_sdf.distance)
        self._materials = wrap(cars_sdf.material_distances)
        self._albedo = wrap(cars_colour.albedo)

    def shade(self, car: Car, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance [B, N] and lit colour [B, N, 3] in [0, 1]."""
        return cars_colour.shade(car, x, y, z, self._materials, self.distance, self._albedo)


def random_cameras(count: int, device: torch.device | None = None) -> Tensor:
    """Training cameras [count, 4, 4]: all around, uniform on the sphere between `PITCHES`."""
    low, high = (math.sin(pitch) for pitch in PITCHES)
    pitch = torch.asin(low + (high - low) * torch.rand(count, device=device))
    return look_at_origin(2 * math.pi * torch.rand(count, device=device), pitch, RADIUS)


@torch.no_grad()
def surface_samples(teacher: CarTeacher, car: Car, rays: int, uniform: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points about the surface and in space, with the teacher's distance and colour.

    Half of the rays aim at what a mean over the surface would leave for last: roof rack, spoiler, wheels and faces.

    Args:
        teacher: of the cars.
        car: parameters of B cars.
        rays: surface points; each gives two samples, one very near and one near.
        uniform: samples in space: about the car, above roof and tail (where ghosts of racks and spoilers would stay),
            and farther out.

    Returns:
        points [B, 2 rays + uniform, 3], distances [B, 2 rays + uniform], colours [B, 2 rays, 3] of the first ones.
    """
    targets = torch.cat([detail_targets(car, rays // 2), body_targets(car, rays - rays // 2)], 1)
    directions = torch.randn_like(targets) * targets.new_tensor([1.0, 0.6, 1.3]) + targets.new_tensor([0.0, 0.35, 0.0])
    directions = normalize(directions, dim=-1)
    points = targets + 0.40 * directions
    for _ in range(STEPS):
        points = points - directions * 0.9 * teacher.distance(car, *_split(points))[..., None]
    near = torch.cat([points + 0.003 * torch.randn_like(points), points + 0.010 * torch.randn_like(points)], 1)
    space = _space(car, uniform)
    d_near, colour = teacher.shade(car, *_split(near))
    d_space = teacher.distance(car, *_split(space))
    return torch.cat([near, space], 1), torch.cat([d_near, d_space], 1), colour


def _split(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x, y, z = points.unbind(-1)
    return x.contiguous(), y.contiguous(), z.contiguous()


def _signed(car: Car, n: int) -> Tensor:
    """[B, n, 3] uniform in -1..1."""
    return 2 * torch.rand(len(car["L"]), n, 3, device=car["L"].device) - 1


def body_targets(p: Car, n: int) -> Tensor:
    half = torch.cat([p["W"], 0.5 * p["roof"], p["L"]], 1)[:, None]
    middle = torch.cat([0 * p["L"], 0.5 * p["roof"] - cars_sdf.GROUND, 0 * p["L"]], 1)[:, None]
    return middle + half * _signed(p, n)


def detail_targets(p: Car, n: int) -> Tensor:
    """Aim points: three in ten on the roof, two at the tail's top, three on wheels, the rest on the faces."""
    roof, tail, wheel = 3 * n // 10, n // 5, 3 * n // 10
    zero, road = 0 * p["L"], cars_sdf.GROUND

    def about(x: Tensor, y: Tensor, z: Tensor, spread: tuple[Tensor, Tensor, Tensor], count: int) -> Tensor:
        return torch.cat([x, y, z], 1)[:, None] + torch.cat(spread, 1)[:, None] * _signed(p, count)

    middle = 0.5 * (p["roof_front"] + p["roof_back"])
    half = 0.5 * (p["roof_front"] - p["roof_back"]) + 0.02
    edge = p["tail_top"] * p["sedan"] + p["roof"] * (1 - p["sedan"])
    edge_z = (0.026 - p["L"]) * p["sedan"] + p["roof_back"] * (1 - p["sedan"])
    sides = torch.randint(0, 2, (len(zero), wheel, 2), device=zero.device).float() * 2 - 1
    wheels = about(zero, p["wr"] - road, zero, (zero + 0.006, 0.8 * p["wr"], 0.8 * p["wr"]), wheel)
    wheels = wheels + torch.stack([sides[..., 0] * p["W"], zero.expand(-1, wheel), sides[..., 1] * p["zx"]], -1)
    faces = n - roof - tail - wheel
    ends = torch.randint(0, 2, (len(zero), faces), device=zero.device).float() * 2 - 1
    face = about(zero, p["lamp_y"] - road, zero, (0.9 * p["W"], zero + 0.03, zero + 0.01), faces)
    face = face + torch.stack([0 * ends, 0 * ends, ends * (p["L"] - 0.01)], -1)
    return torch.cat(
        [
            about(zero, p["roof"] + 0.012 - road, middle, (p["rail_x"] + 0.01, zero + 0.02, half), roof),
            about(zero, edge + 0.008 - road, edge_z, (0.9 * p["W"], zero + 0.02, zero + 0.03), tail),
            wheels,
            face,
        ],
        1,
    )


def _space(p: Car, n: int) -> Tensor:
    far, above = n // 4, n // 3
    device = p["L"].device
    low, high = (torch.tensor(corner, device=device) for corner in cars_sdf.BOX)
    spread = 0.5 * (high - low) * 1.08
    about = 0.5 * (low + high) + spread * _signed(p, n - far - above)
    ghosts = detail_targets(p, above * 2)[:, :above]  # roof and tail come first
    ghosts = ghosts + 0.012 * torch.randn_like(ghosts)
    return torch.cat([about, ghosts, 0.42 * _signed(p, far)], 1)
