"""The colour of a procedural head: albedo of six materials under soft baked light (it does not depend on the view)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .heads_parameters import Head, between, smoothstep, switch
from .heads_sdf import beard_mask, distance, length, locks, material_distances, mouth_distance, segment

LIGHT = (-0.4508, 0.6211, 0.6411)
"""Unit vector towards the key light: above, in front, from the head's right."""
MATERIAL_BLEND = 0.0025
"""Width (scene units) over which materials melt into each other, a quarter of a pixel at 64 x 64."""


def _rgb(r: float, g: float, b: float, like: Tensor) -> Tensor:
    return torch.stack([torch.full_like(like, c) for c in (r, g, b)], -1)


def _mix(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return a + (b - a) * t[..., None]


def skin_colour(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Skin with blush, freckles, eye shadow, beard, lips, mouth and brows: [B, N, 3]."""
    ax = x.abs()
    front = smoothstep(0.03, 0.09, z)
    base = p["c_skin"].expand(*x.shape, 3)
    red = base * _rgb(1.0, 0.66, 0.62, x)
    c = base
    cheeks = torch.exp(-((ax - 0.080) ** 2 + (y + 0.042) ** 2) / 0.030**2) * front
    c = _mix(c, red, cheeks * between(p["blush"], 0.0, 0.6))
    dots = (torch.sin(170 * x + 1) * torch.sin(150 * y + 2)).clamp(min=0) ** 3
    dots = dots * torch.exp(-((ax - 0.055) ** 2 + (y + 0.03) ** 2) / 0.035**2) * front
    c = _mix(c, base * 0.55, dots * 0.8 * switch(p["freckles"], 0.68))
    nose = torch.exp(-(x**2 + (y - p["ny"]) ** 2) / 0.022**2) * smoothstep(0.13, 0.17, z)
    c = _mix(c, red, 0.45 * nose)
    ear = torch.exp(-(0.6 * (ax - 0.150 * p["hw"] - 0.026) ** 2 + 0.5 * y**2 + (z - 0.012) ** 2) / 0.016**2)
    c = _mix(c, base * _rgb(0.85, 0.58, 0.54, x), 0.6 * ear)
    shadow = torch.exp(-((ax - p["ex"]) ** 2 + (y - p["ey"] - 0.8 * p["er"]) ** 2) / (0.8 * p["er"]) ** 2) * front
    c = _mix(c, base * 0.5 + p["c_iris"] * 0.3, 0.6 * shadow * switch(p["shadow"], 0.62))
    c = _mix(c, p["c_beard"].expand_as(c), 0.92 * beard_mask(p, x, y, z))
    return _brow(p, ax, y, front, _mouth(p, x, y, front, c))


def _mouth(p: Head, x: Tensor, y: Tensor, front: Tensor, c: Tensor) -> Tensor:
    _, rim, height = mouth_distance(p, x, y)
    tint = p["lip_tint"][..., None]
    rose = torch.cat([0.55 + 0.28 * tint, 0.20 + 0.10 * tint, 0.24 + 0.10 * tint], -1)
    lip = 0.35 * p["c_skin"] * torch.tensor([1.0, 0.62, 0.60], device=x.device) + 0.65 * rose
    c = _mix(c, lip.expand_as(c), smoothstep(1.25 * p["lt"], 0.7 * p["lt"], rim) * front)
    inside = smoothstep(0.0050, 0.0010, rim) * front
    c = _mix(c, _rgb(0.27, 0.06, 0.09, x), inside)
    is_open = smoothstep(0.009, 0.013, p["mo"] + 0 * x)
    hollow = smoothstep(0.001, -0.004, rim) * front * is_open
    c = _mix(c, _rgb(0.97, 0.95, 0.92, x), hollow * smoothstep(-0.003, 0.002, height))
    return _mix(c, _rgb(0.80, 0.32, 0.36, x), hollow * smoothstep(-0.006, -0.012, height))


def _brow(p: Head, ax: Tensor, y: Tensor, front: Tensor, c: Tensor) -> Tensor:
    d = segment(ax, y, p["bx0"], p["by0"], p["bx1"], p["by1"])
    return _mix(c, p["c_brow"].expand_as(c), smoothstep(1.0 * p["bt"], 0.6 * p["bt"], d) * front)


def eye_colour(p: Head, x: Tensor, y: Tensor) -> Tensor:
    """White, iris, pupil, highlight, lash line and lid: [B, N, 3]."""
    lx, ly = (x.abs() - p["ex"]) / p["er"], (y - p["ey"]) / p["er"]
    sx = (x - torch.sign(x) * p["ex"]) / p["er"]
    r = length(lx + 0.08, ly)
    c = _rgb(0.98, 0.98, 0.97, x)
    c = _mix(c, (p["c_iris"] * 0.55).expand_as(c), smoothstep(0.74, 0.62, r))
    c = _mix(c, (p["c_iris"] * 1.15).expand_as(c), smoothstep(0.60, 0.48, r) * smoothstep(0.5, -0.5, ly))
    c = _mix(c, _rgb(0.04, 0.03, 0.05, x), smoothstep(0.40, 0.29, r))
    c = _mix(c, _rgb(1.0, 1.0, 1.0, x), smoothstep(0.27, 0.15, length(sx + 0.22, ly - 0.26)))
    lid = p["lid_open"] - 0.22 * lx**2
    c = _mix(c, _rgb(0.10, 0.06, 0.07, x), smoothstep(lid - 0.28, lid - 0.15, ly))
    shadow = (0.35 * switch(p["shadow"], 0.62))[..., None]
    cover = p["c_skin"] * 0.93 * (1 - shadow) + p["c_iris"] * shadow
    return _mix(c, cover.expand_as(c), smoothstep(lid - 0.02, lid + 0.08, ly))


def shade(
    p: Head,
    x: Tensor,
    y: Tensor,
    z: Tensor,
    materials: Callable[..., tuple[Tensor, ...]] = material_distances,
    distance: Callable[..., Tensor] = distance,
) -> tuple[Tensor, Tensor]:
    """Signed distance [B, N] and lit colour [B, N, 3] in [0, 1] of points near the surface.

    ``materials`` and ``distance`` may be compiled versions of the functions in ``heads_sdf``.
    """
    parts = materials(p, x, y, z)
    d = parts[0]
    for part in parts[1:]:
        d = torch.minimum(d, part)
    groove = 0.5 + 0.5 * locks(x, z)
    sheen = 0.07 * smoothstep(0.09, 0.17, y) * smoothstep(-0.02, 0.08, z)
    hair = p["c_hair"] * (1 - 0.24 * between(p["streak"], 0.3, 1.0) * groove)[..., None] + sheen[..., None]
    collar = smoothstep(0.024, 0.016, length(length(x, z + 0.018) - p["nk"] - 0.016, y + 0.222 + 0.12 * z))
    shirt = p["c_shirt"] * (1 - 0.22 * collar)[..., None]
    ribs = 0.5 + 0.5 * torch.sin(24 * torch.atan2(x, z + 0.03))
    brim = smoothstep(0.150, 0.138, y - 0.12 * z)
    hat = _mix(p["c_hat"].expand(*x.shape, 3), p["c_hat"] * 0.72 + 0.22, brim) * (1 - 0.10 * ribs)[..., None]
    colours = (skin_colour(p, x, y, z), shirt, eye_colour(p, x, y), hair, hat, p["c_glass"].expand(*x.shape, 3))
    weights = torch.softmax(-torch.stack(parts, -1) / MATERIAL_BLEND, -1)
    albedo = sum(c * weights[..., i, None] for i, c in enumerate(colours))
    # Two differences of the distance along the light: a near one for n.l, a far one that darkens hollows.
    near, far = 0.012, 0.07
    lx, ly, lz = LIGHT
    n1 = ((distance(p, x + lx * near, y + ly * near, z + lz * near) - d) / near).clamp(-1, 1)
    n2 = ((distance(p, x + lx * far, y + ly * far, z + lz * far) - d) / far).clamp(-1, 1)
    lit = 0.5 + 0.25 * (n1 + n2)
    k = (0.46 + 0.62 * lit)[..., None]
    warm, cool = _rgb(1.0, 0.985, 0.97, x), _rgb(0.93, 0.95, 1.06, x)
    tint = warm * lit[..., None] + cool * (1 - lit[..., None])
    eye = weights[..., 2, None]
    k = k * (1 - 0.6 * eye) + 0.6 * eye
    return d, (albedo * k * tint).clamp(0, 1)
