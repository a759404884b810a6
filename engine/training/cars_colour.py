"""The colour of a procedural car: albedo of four materials under soft baked light (it does not depend on the view)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .cars_parameters import Car
from .cars_sdf import GROUND, cabin_planes, distance, end_face, material_distances, wheel_radius
from .heads_parameters import between, smoothstep
from .heads_sdf import length

LIGHT = (-0.3767, 0.7931, 0.4560)
"""Unit vector towards the key light: above, in front, from the car's right."""
MATERIAL_BLEND = 0.0022
"""Width (scene units) over which materials melt into each other, half a pixel at 128 x 128."""
SPOKES = 5


def _rgb(r: float, g: float, b: float, like: Tensor) -> Tensor:
    return torch.tensor([r, g, b], device=like.device).expand(*like.shape, 3)


def _mix(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return a + (b - a) * t[..., None]


def shell_colour(p: Car, ax: Tensor, h: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Paint, roof, stripes, sill, glass, grille and lamps [B, N, 3]; and where lamps shine [B, N], 0..1."""
    front, rear, side, roof = cabin_planes(p, ax, h, z)
    wall = torch.maximum(torch.maximum(front, rear), side)
    upper = smoothstep(-0.002, 0.008, h - p["belt"]) * smoothstep(0.012, 0.0, wall)
    c = _mix(p["c_paint"].expand(*ax.shape, 3), p["c_roof"], upper)
    half = between(p["stripe_width"], 0.010, 0.018)
    stripe = smoothstep(half, half - 0.004, (ax - 1.35 * half).abs()) * smoothstep(-0.034, -0.026, h - p["belt"])
    c = _mix(c, p["c_stripe"], stripe * p["stripe_on"])
    c = _mix(c, _rgb(0.10, 0.10, 0.11, ax), smoothstep(p["gc"] + 0.020, p["gc"] + 0.010, h) * p["sill_on"])
    c = _glass(p, ax, h, z, (front, rear, side, roof), upper, c)
    return _face(p, ax, h, z, c)


def _glass(p: Car, ax: Tensor, h: Tensor, z: Tensor, planes: tuple[Tensor, ...], upper: Tensor, c: Tensor) -> Tensor:
    """Panes with frames: a pane ends where the second nearest of the cabin's planes is near."""
    front, rear, side, roof = planes
    sill = p["belt"] + 0.003 - h
    high = torch.maximum(torch.maximum(front, rear), torch.maximum(torch.maximum(side, roof), sill))
    second = torch.full_like(high, -9.0)
    for plane in (front, rear, side, roof, sill):
        second = torch.maximum(second, torch.where(plane < high, plane, torch.full_like(plane, -9.0)))
    vertical = smoothstep(0.002, -0.004, roof - torch.maximum(torch.maximum(front, rear), side))
    pane = smoothstep(-0.0060, -0.0100, second) * vertical * upper
    pillar = smoothstep(0.0065, 0.0040, (z - 0.5 * (p["zw"] + p["zr"]) + 0.010).abs())
    pillar = pillar * smoothstep(-0.004, 0.0, side - torch.maximum(front, rear))
    shine = 0.20 * smoothstep(0.2, 0.8, torch.sin(46 * (z + 0.8 * h) + 1.0))
    shine = shine + 0.30 * smoothstep(0.0, 1.0, (h - p["belt"]) / (p["roof"] - p["belt"]))
    glass = _mix(p["c_glass"].expand_as(c), _rgb(0.74, 0.85, 0.94, h), shine)
    return _mix(c, glass, pane * (1 - pillar))


def _face(p: Car, ax: Tensor, h: Tensor, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Grille and lamps, on the faces at nose and tail only: not on hood or deck behind their edges."""
    face = smoothstep(-0.017, -0.009, end_face(p, ax, h, z))
    nose = face * smoothstep(-0.01, 0.01, z) * smoothstep(p["nose_top"] - 0.001, p["nose_top"] - 0.007, h)
    tail = face * smoothstep(0.01, -0.01, z) * smoothstep(p["tail_top"] - 0.001, p["tail_top"] - 0.007, h)
    grille = torch.maximum(ax / (p["gw"] * p["W"]), (h - p["lamp_y"]).abs() / (0.75 * p["ls"]))
    c = _mix(c, _rgb(0.13, 0.13, 0.15, h), smoothstep(1.12, 0.92, grille) * nose)
    spot = length((ax - 0.66 * p["W"]) / p["lw"], h - p["lamp_y"])
    lens = smoothstep(0.003, -0.001, spot - 0.74 * p["ls"]) * nose
    c = _mix(c, _rgb(0.17, 0.18, 0.20, h), smoothstep(0.003, -0.001, spot - p["ls"]) * nose)
    c = _mix(c, p["c_lamp"].expand_as(c), lens)
    low = p["tail_top"] - 0.024
    red = torch.maximum((ax - 0.70 * p["W"]).abs() / 1.25, (h - low).abs()) - 0.75 * p["ls"]
    amber = torch.maximum((ax - 0.48 * p["W"]).abs() / 0.8, (h - low).abs()) - 0.75 * p["ls"]
    c = _mix(c, _rgb(0.98, 0.62, 0.20, h), smoothstep(0.002, -0.002, amber) * tail)
    c = _mix(c, _rgb(0.86, 0.08, 0.09, h), smoothstep(0.002, -0.002, red) * tail)
    return c, lens


def wheel_colour(p: Car, ax: Tensor, h: Tensor, z: Tensor) -> Tensor:
    """Tyre, white wall and a rim with five spokes: [B, N, 3]."""
    radius = wheel_radius(p, h, z) / p["wr"]
    angle = torch.atan2(h - p["wr"], z - torch.sign(z) * p["zx"])
    face = smoothstep(-0.010, -0.005, ax - p["W"] - p["fl"])
    gap = (
        smoothstep(-0.1, 0.5, torch.cos(SPOKES * angle))
        * smoothstep(0.60, 0.50, radius)
        * smoothstep(0.16, 0.26, radius)
    )
    c = _rgb(0.12, 0.12, 0.13, h)
    ring = smoothstep(0.70, 0.74, radius) * smoothstep(0.92, 0.88, radius)
    c = _mix(c, _rgb(0.95, 0.95, 0.93, h), ring * p["whitewall_on"] * face)
    rim = p["c_rim"] * (1 - 0.85 * p["spoke_on"] * gap)[..., None]
    return _mix(c, rim, smoothstep(0.70, 0.64, radius) * face)


def trim_colour(p: Car, ax: Tensor, h: Tensor, z: Tensor) -> Tensor:
    """Bumpers and rack, with number plates on the bumpers: [B, N, 3]."""
    plate = torch.maximum(ax / 0.027, (h - p["gc"] - 0.017).abs() / 0.0085)
    plate = smoothstep(1.12, 0.92, plate) * smoothstep(-0.004, 0.0, z.abs() - p["L"] - 0.5 * p["bp"])
    return _mix(p["c_trim"].expand(*h.shape, 3), _rgb(0.97, 0.95, 0.86, h), plate)


def albedo(p: Car, x: Tensor, y: Tensor, z: Tensor, parts: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Unlit colour [B, N, 3] where the materials' distances are ``parts``; how much a point shines by itself [B, N]."""
    ax, h = x.abs(), y + GROUND
    shell, lens = shell_colour(p, ax, h, z)
    trunk = p["c_luggage"].expand_as(shell)
    straps = smoothstep(0.007, 0.004, ((z - 0.5 * (p["roof_front"] + p["roof_back"])).abs() - 0.022).abs())
    trunk = trunk * (1 - 0.45 * straps)[..., None]
    weights = torch.softmax(-torch.stack(parts, -1) / MATERIAL_BLEND, -1)
    colours = (shell, wheel_colour(p, ax, h, z), trim_colour(p, ax, h, z), trunk)
    mixed = colours[0] * weights[..., 0, None]
    for i in range(1, len(colours)):
        mixed = mixed + colours[i] * weights[..., i, None]
    return mixed, lens * weights[..., 0]


def light(c: Tensor, lens: Tensor, lit: Tensor, h: Tensor) -> Tensor:
    """Colour [B, N, 3] under warm light and cool shade, darker near the road."""
    warm, cool = _rgb(1.0, 0.985, 0.96, h), _rgb(0.92, 0.95, 1.06, h)
    k = (0.50 + 0.62 * lit) * (0.74 + 0.26 * smoothstep(0.0, 0.06, h))
    k = k * (1 - 0.6 * lens) + 0.6 * lens
    return (c * k[..., None] * (warm * lit[..., None] + cool * (1 - lit[..., None]))).clamp(0, 1)


def shade(
    p: Car,
    x: Tensor,
    y: Tensor,
    z: Tensor,
    materials: Callable[..., tuple[Tensor, ...]] = material_distances,
    distance: Callable[..., Tensor] = distance,
    albedo: Callable[..., tuple[Tensor, Tensor]] = albedo,
) -> tuple[Tensor, Tensor]:
    """Signed distance [B, N] and lit colour [B, N, 3] in [0, 1] of points near the surface.

    ``materials``, ``distance`` and ``albedo`` may be compiled versions of the functions of these names.
    """
    parts = materials(p, x, y, z)
    d = torch.minimum(torch.minimum(parts[0], parts[1]), torch.minimum(parts[2], parts[3]))
    c, lens = albedo(p, x, y, z, parts)
    # Two differences of the distance along the light: a near one for n.l, a far one that darkens hollows.
    near, far = 0.010, 0.05
    lx, ly, lz = LIGHT
    n1 = ((distance(p, x + lx * near, y + ly * near, z + lz * near) - d) / near).clamp(-1, 1)
    n2 = ((distance(p, x + lx * far, y + ly * far, z + lz * far) - d) / far).clamp(-1, 1)
    return d, light(c, lens, 0.5 + 0.25 * (n1 + n2), y + GROUND)
