"""The showroom: a turntable of polished and thin things, as a signed distance and a colour that turns with the view.

An armillary sphere on a lacquered plinth stands on a chequered wooden disc, among a chrome ball, a lacquer ring, a wire
cube with a pearl in it and an emerald block: all that is hard for a NeRF, gloss, highlights, thin struts, holes.
World: z up, units of about a metre, all within `BOUNDS`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]

BOUNDS: Bounds = ((-1.14, -1.14, -0.52), (1.14, 1.14, 0.76))
"""Box around everything, world units."""
FLOOR = -0.42
"""Height of the floor's upper side."""
CENTRE = (0.0, 0.0, 0.32)
"""Of the armillary sphere."""
KEY = (0.42, -0.36, 0.83)
"""Direction of the key light (a window), of length 1 to rounding."""

# red, green, blue (linear); metal 0 or 1: how much of the colour is in the reflection; gloss: sharpness of reflections
# (exponent of a lobe); shine: reflected at normal incidence by what is not metal.
_MATERIALS = {
    "floor": (0.50, 0.34, 0.20, 0.0, 20.0, 0.045),
    "rim": (0.10, 0.065, 0.045, 0.0, 40.0, 0.05),
    "plinth": (0.018, 0.026, 0.060, 0.0, 110.0, 0.09),
    "brass": (0.95, 0.66, 0.27, 1.0, 35.0, 0.0),
    "globe": (0.015, 0.30, 0.38, 0.35, 150.0, 0.12),
    "chrome": (0.90, 0.92, 0.95, 1.0, 220.0, 0.0),
    "lacquer": (0.46, 0.014, 0.014, 0.0, 180.0, 0.11),
    "steel": (0.075, 0.075, 0.085, 0.3, 30.0, 0.05),
    "pearl": (0.80, 0.73, 0.67, 0.0, 60.0, 0.11),
    "emerald": (0.010, 0.20, 0.075, 0.0, 150.0, 0.12),
}
_WINDOW = 70.0  # sharpness of the lamps' own lobes
_NAMES = tuple(_MATERIALS)
_TABLE = torch.tensor([_MATERIALS[name] for name in _NAMES])

# Tilts of the three rings: normals of their planes.
_RINGS = ((0.0, 0.39, 0.92), (0.94, 0.0, 0.34), (-0.26, 0.93, 0.26))
_RING_RADII = (0.40, 0.36, 0.32)
_TUBE = 0.013
_CUBE = (-0.60, 0.50, -0.23)
_CUBE_HALF, _BAR = 0.18, 0.012


def parts(points: Tensor) -> list[tuple[str, Tensor]]:
    """Signed distance to each thing (material, [N]), negative inside; exact or a lower bound. Points [N, 3]."""
    x, y, z = points.unbind(-1)
    across = torch.sqrt(x * x + y * y)
    found = [
        ("floor", _disc(across, z, 1.08, FLOOR - 0.035, 0.035, 0.012)),
        ("rim", _disc(across, z, 1.12, FLOOR - 0.055, 0.030, 0.012)),
        ("plinth", _disc(across, z, 0.40, FLOOR + 0.105, 0.105, 0.025)),
        ("brass", _ring(across - 0.402, z - (FLOOR + 0.16), 0.014)),
        ("brass", _segment(x, y, z, (0.0, 0.0, FLOOR + 0.2), (0.0, 0.0, CENTRE[2] - 0.40), 0.020)),
        ("brass", _disc(across, z, 0.11, FLOOR + 0.222, 0.012, 0.008)),
        ("globe", _ball(x, y, z, CENTRE, 0.205)),
        ("chrome", _ball(x, y, z, (0.66, -0.46, FLOOR + 0.17), 0.17)),
        ("lacquer", _torus(x, y, z, (-0.56, -0.52, FLOOR + 0.085), 0.165, 0.085)),
        ("pearl", _ball(x, y, z, (_CUBE[0], _CUBE[1], FLOOR + 0.10), 0.10)),
    ]
    dx, dy, dz = x - CENTRE[0], y - CENTRE[1], z - CENTRE[2]
    squared = dx * dx + dy * dy + dz * dz
    for (a, b, c), radius in zip(_RINGS, _RING_RADII, strict=True):
        length = math.sqrt(a * a + b * b + c * c)
        height = (a * dx + b * dy + c * dz) / length
        found.append(("brass", _ring(torch.sqrt((squared - height * height).clamp_min(1e-12)) - radius, height, _TUBE)))
    # The globe's axis, through the tilted ring.
    found.append(("brass", _segment(dx, dy, dz, (0.0, -0.37, -0.157), (0.0, 0.37, 0.157), 0.009)))
    u, v = _turned(x - _CUBE[0], y - _CUBE[1], 0.45)
    found.append(("steel", _frame(u, v, z - _CUBE[2], _CUBE_HALF - _BAR, _BAR)))
    u, v = _turned(x - 0.58, y - 0.56, -0.35)
    found.append(("emerald", _block(u, v, z - (FLOOR + 0.20), (0.13, 0.13, 0.20), 0.035)))
    return found


def distance(points: Tensor) -> Tensor:
    """Signed distance [N] to the nearest thing, world units. Points [N, 3]."""
    parts_ = [value for _, value in parts(points)]
    nearest = parts_[0]
    for other in parts_[1:]:
        nearest = torch.minimum(nearest, other)
    return nearest


def normals(points: Tensor, reach: float = 2e-3) -> Tensor:
    """Outward unit normals [N, 3] of the distance, by differences over four corners of a tetrahedron."""
    corners = points.new_tensor([(1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)])
    asked = distance((points[:, None] + reach * corners).reshape(-1, 3)).view(-1, 4)
    return F.normalize(asked @ corners, dim=-1)


def shade(points: Tensor, directions: Tensor) -> Tensor:
    """Display RGB in 0..1 [N, 3] of surface points [N, 3] seen along unit directions [N, 3].

    Diffuse light of a window with a soft shadow and of the room with ambient occlusion, and the room's reflection with
    Schlick's Fresnel term.
    """
    found = parts(points)
    order = torch.stack([value for _, value in found], -1).argmin(-1)
    material = torch.tensor([_NAMES.index(name) for name, _ in found], device=points.device)[order]
    red, metal, gloss, shine = _TABLE.to(points).index_select(0, material).split([3, 1, 1, 1], -1)
    albedo = torch.where((material == 0)[:, None], _planks(points), red)
    normal = normals(points)
    facing = -(normal * directions).sum(-1, keepdim=True)
    mirrored = directions + 2 * facing * normal
    key = points.new_tensor(KEY)
    lit = (normal @ key).clamp_min(0.0) * _shadow(points + 4e-3 * normal, key.expand_as(points), 10.0, 1.2, 28)
    open_ = _openness(points, normal)
    soft = (0.34 + 0.26 * normal[:, 2:]) * points.new_tensor([1.0, 0.98, 0.96])
    bounce = (0.10 - 0.10 * normal[:, 2:]) * points.new_tensor([1.0, 0.78, 0.55])
    sun = 1.55 * lit[:, None] * points.new_tensor([1.0, 0.95, 0.86])
    diffuse = albedo * (1 - metal) * (sun + (soft + bounce) * open_[:, None])
    base = shine * (1 - metal) + red * metal
    grazing = (1 - base) * (1 - facing.clamp(0.0, 1.0)) ** 5 * (gloss / 120).clamp(max=1.0)
    away = _shadow(points + 8e-3 * normal, mirrored, 8.0, 0.4, 12)[:, None]
    reflected = _room(mirrored, gloss) * away + (1 - away) * points.new_tensor([0.10, 0.075, 0.055])
    return display(diffuse + (base + grazing) * reflected * (0.35 + 0.65 * open_[:, None]))


def display(linear: Tensor) -> Tensor:
    """Linear light, any shape -> 0..1: a soft shoulder for highlights, then gamma 2.2."""
    shoulder = torch.where(linear < 0.7, linear, 0.7 + 0.3 * torch.tanh((linear - 0.7) / 0.3 * 0.6))
    return shoulder.clamp(0.0, 1.0) ** (1 / 2.2)


def _planks(points: Tensor) -> Tensor:
    """Wood of the floor: squares of two tones, their grain along x and y in turn."""
    size = 0.24
    x, y = (points[:, 0] + 5) / size, (points[:, 1] + 5) / size
    i, j = x.floor(), y.floor()
    dark = ((i + j) % 2)[:, None]
    tone = torch.sin(i * 12.9898 + j * 78.233) * 43758.5453
    tone = (tone - tone.floor())[:, None]
    along, over = torch.where(dark > 0.5, x[:, None], y[:, None]), torch.where(dark > 0.5, y[:, None], x[:, None])
    grain = 0.5 + 0.5 * torch.sin(over * 17 + 2.2 * torch.sin(along * 1.3 + tone * 6) + tone * 40)
    light = points.new_tensor([0.58, 0.43, 0.28])
    deep = points.new_tensor([0.20, 0.105, 0.055])
    wood = (light + (deep - light) * dark) * (0.84 + 0.16 * grain) * (0.9 + 0.2 * tone)
    part_x, part_y = (x - i - 0.5).abs(), (y - j - 0.5).abs()
    seam = ((torch.maximum(part_x, part_y) - 0.47) / 0.025).clamp(0, 1)[:, None]
    return wood * (1 - 0.45 * seam)


def _room(directions: Tensor, gloss: Tensor) -> Tensor:
    """Light of the room from unit directions [N, 3], blurred to lobes of sharpness `gloss` [N, 1]: linear [N, 3]."""
    up = directions[:, 2:]
    sky, wall, ground = ((0.50, 0.60, 0.74), (0.80, 0.78, 0.75), (0.13, 0.085, 0.055))
    sky, wall, ground = (directions.new_tensor(c) for c in (sky, wall, ground))
    blur = 0.045 + 3.0 / gloss
    above = torch.sigmoid((up - 0.30) / (2 * blur))
    below = torch.sigmoid((-0.04 - up) / blur)
    light = wall + (sky - wall) * above
    light = light + (ground - light) * below
    boxes = (((0.42, -0.36, 0.83), 11.0, (1.0, 0.95, 0.86)), ((-0.75, 0.35, 0.56), 4.5, (0.80, 0.90, 1.0)))
    for towards, strength, colour in boxes:
        unit = F.normalize(directions.new_tensor(towards), dim=0)
        # A lobe of the light convolved with one of the surface; both keep their power.
        sharp = 1 / (1 / gloss + 1 / _WINDOW)
        lobe = strength * (sharp / _WINDOW) * torch.exp(sharp * ((directions @ unit)[:, None] - 1))
        light = light + lobe * directions.new_tensor(colour)
    return light


def _openness(points: Tensor, normal: Tensor) -> Tensor:
    """Ambient occlusion [N]: 1 where nothing is near."""
    closed = torch.zeros(len(points), device=points.device)
    for reach, weight in ((0.02, 0.9), (0.06, 0.55), (0.13, 0.35), (0.24, 0.22)):
        closed = closed + weight * (reach - distance(points + reach * normal)).clamp_min(0.0) / reach
    return (1 - 0.62 * closed).clamp(0.12, 1.0)


def _shadow(points: Tensor, directions: Tensor, softness: float, reach: float, steps: int) -> Tensor:
    """What reaches points from a direction past everything [N], 0..1, softened by the closest approach."""
    t = torch.full_like(points[:, 0], 0.012)
    light = torch.ones_like(t)
    for _ in range(steps):
        near = distance(points + t[:, None] * directions)
        light = torch.minimum(light, (0.5 + 0.5 * softness * near / t).clamp(0.0, 1.0))
        t = t + near.abs().clamp(0.008, 0.14)
        light = torch.where(t > reach, light.clamp_min(0.0), light)
    return light * light * (3 - 2 * light)


def _ball(x: Tensor, y: Tensor, z: Tensor, centre: tuple[float, float, float], radius: float) -> Tensor:
    a, b, c = centre
    return torch.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) - radius


def _disc(across: Tensor, z: Tensor, radius: float, height: float, half: float, rounding: float) -> Tensor:
    """An upright cylinder with rounded edges."""
    a, b = across - (radius - rounding), (z - height).abs() - (half - rounding)
    outside = torch.sqrt(a.clamp_min(0.0) ** 2 + b.clamp_min(0.0) ** 2)
    return outside + torch.maximum(a, b).clamp_max(0.0) - rounding


def _ring(off: Tensor, height: Tensor, tube: float) -> Tensor:
    """A torus, from the distances to its circle within and across its plane."""
    return torch.sqrt(off * off + height * height) - tube


def _torus(x: Tensor, y: Tensor, z: Tensor, centre: tuple[float, float, float], radius: float, tube: float) -> Tensor:
    a, b, c = centre
    return _ring(torch.sqrt((x - a) ** 2 + (y - b) ** 2) - radius, z - c, tube)


def _segment(
    x: Tensor, y: Tensor, z: Tensor, a: tuple[float, float, float], b: tuple[float, float, float], radius: float
) -> Tensor:
    d = [q - p for p, q in zip(a, b, strict=True)]
    px, py, pz = x - a[0], y - a[1], z - a[2]
    t = ((px * d[0] + py * d[1] + pz * d[2]) / sum(v * v for v in d)).clamp(0.0, 1.0)
    return torch.sqrt((px - t * d[0]) ** 2 + (py - t * d[1]) ** 2 + (pz - t * d[2]) ** 2) - radius


def _turned(x: Tensor, y: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    c, s = math.cos(angle), math.sin(angle)
    return c * x + s * y, c * y - s * x


def _block(x: Tensor, y: Tensor, z: Tensor, half: tuple[float, float, float], rounding: float) -> Tensor:
    a, b, c = (v.abs() - (h - rounding) for v, h in zip((x, y, z), half, strict=True))
    outside = torch.sqrt(a.clamp_min(0.0) ** 2 + b.clamp_min(0.0) ** 2 + c.clamp_min(0.0) ** 2)
    return outside + torch.maximum(a, torch.maximum(b, c)).clamp_max(0.0) - rounding


def _frame(x: Tensor, y: Tensor, z: Tensor, half: float, bar: float) -> Tensor:
    """The twelve edges of a cube, as round bars: by symmetry three of them, along x, y and z."""
    a, b, c = x.abs(), y.abs(), z.abs()
    p, q, r = a - half, b - half, c - half
    over = [v.clamp_min(0.0) for v in (p, q, r)]
    edges = (over[0] ** 2 + q * q + r * r, p * p + over[1] ** 2 + r * r, p * p + q * q + over[2] ** 2)
    return torch.sqrt(torch.minimum(edges[0], torch.minimum(edges[1], edges[2]))) - bar
