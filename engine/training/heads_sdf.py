"""The shape of a procedural head: signed distances of its materials.

Scene units, y up, the face looks towards +z, everything lies inside a ball of radius .345 about the origin.
Coordinates are [B, N]; parameters are [B, 1] and broadcast.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .heads_parameters import Head, smoothstep

MATERIALS = ("skin", "shirt", "eye", "hair", "hat", "glasses")
BOUND = 0.345
"""Radius of a ball that holds every head."""


def ellipsoid(x: Tensor, y: Tensor, z: Tensor, rx, ry, rz) -> Tensor:
    """Approximate distance to an ellipsoid at the origin (Quilez): exact on the surface, first order near it."""
    a, b, c = x / rx, y / ry, z / rz
    k0 = (a * a + b * b + c * c + 1e-9).sqrt()
    a, b, c = a / rx, b / ry, c / rz
    return k0 * (k0 - 1) / (a * a + b * b + c * c + 1e-9).sqrt()


def blend(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Smooth union: quadratic blend over a width ``k``."""
    h = (k - (a - b).abs()).clamp(min=0) / k
    return torch.minimum(a, b) - h * h * (k * 0.25)


def carve(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Smooth intersection over a width ``k``."""
    return -blend(-a, -b, k)


def segment(px: Tensor, py: Tensor, ax, ay, bx, by) -> Tensor:
    """Distance in a plane to the segment (ax, ay)-(bx, by)."""
    dx, dy = bx - ax, by - ay
    t = (((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return ((px - ax - t * dx) ** 2 + (py - ay - t * dy) ** 2 + 1e-10).sqrt()


def length(*components: Tensor) -> Tensor:
    """Euclidean norm, safe to differentiate at zero."""
    total = components[0] ** 2
    for c in components[1:]:
        total = total + c**2
    return (total + 1e-9).sqrt()


def mouth_distance(p: Head, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distances on the face plane: to the lips' middle line, to the rim of the opening, height above the line."""
    ax = x.abs()
    height = y - p["my"] - p["sm"] * (x / 0.045) ** 2
    line = length((ax - p["mw"]).clamp(min=0), height)
    opening = p["mo"] * (1 - (ax / (p["mw"] + 0.004)) ** 2).clamp(min=0)
    return line, line - opening, height


def beard_mask(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """0..1: where a beard grows: chin, jaw and moustache, clear of the lips, fading into the cheeks."""
    ax = x.abs()
    _, rim, height = mouth_distance(p, x, y)
    edge = -0.078 + 4.2 * ax * ax
    jaw = smoothstep(edge + 0.014, edge - 0.016, y)
    jaw = jaw * smoothstep(-0.03, 0.05, z + 0.25 * (y + 0.12)) * smoothstep(-0.215, -0.175, y)
    moustache = smoothstep(0.016, 0.004, (height - 0.020).abs()) * smoothstep(p["mw"] + 0.016, p["mw"] - 0.004, ax)
    mask = torch.maximum(jaw, moustache * smoothstep(0.03, 0.08, z)) * smoothstep(0.004, 0.014, rim)
    return mask * p["bd"]


def skin_distance(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Skull, jaw, cheeks, nose, ears and neck, with brows, lips and a beard raised from them."""
    ax = x.abs()
    d = ellipsoid(x, y - 0.045, z + 0.015, 0.150 * p["hw"], 0.155 * p["hh"], 0.165)
    jaw = ellipsoid(x, y + 0.068 + 0.6 * p["jl"], z - 0.022, 0.102 * p["jw"], 0.092 + p["jl"], 0.115)
    d = blend(d, jaw, 0.07)
    d = blend(d, ellipsoid(ax - 0.070, y + 0.052, z - 0.085, p["ck"], p["ck"], p["ck"]), 0.05)
    front = smoothstep(0.02, 0.08, z)
    socket = (ax - p["ex"]) ** 2 + (y - p["ey"]) ** 2
    d = d + front * 0.009 * torch.exp(-socket / (1.6 * p["er"]) ** 2)
    brow = segment(ax, y, p["bx0"], p["by0"], p["bx1"], p["by1"])
    d = d - front * 0.009 * torch.exp(-((brow / p["bt"]) ** 2))
    line, rim, _ = mouth_distance(p, x, y)
    d = d - front * 0.007 * torch.exp(-(((rim - 0.3 * p["lt"]) / p["lt"]) ** 2))
    d = d + front * 0.006 * torch.exp(-((line / (0.45 * p["lt"])) ** 2))
    d = d - 0.011 * beard_mask(p, x, y, z)
    d = blend(d, ellipsoid(x, y - p["ny"], z - 0.148 - 0.35 * p["nl"], p["nw"], 0.024, p["nl"]), 0.022)
    ear_x = ax - 0.150 * p["hw"] - 0.010 - 0.012 * p["es"]
    ear = ellipsoid(
        ear_x, y - 0.002, z + 0.015 + 0.3 * ear_x, 0.020 * p["es"] + 0.003, 0.042 * p["es"], 0.028 * p["es"]
    )
    d = blend(d, ear, 0.018)
    neck = length(x, z + 0.02) - p["nk"] - 0.25 * (-0.19 - y).clamp(min=0)
    neck = carve(carve(neck, y + 0.06, 0.03), -0.25 - y, 0.01)
    return blend(d, neck, 0.03)


def shirt_distance(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A rounded bust with a rolled collar about the neck."""
    d = ellipsoid(x, y + 0.292, z + 0.02, p["sh"], 0.078, 0.108)
    d = carve(d, -0.290 - y, 0.03)
    collar = length(length(x, z + 0.018) - p["nk"] - 0.016, y + 0.222 + 0.12 * z) - 0.017
    return blend(d, collar, 0.016)


def locks(x: Tensor, z: Tensor) -> Tensor:
    """-1..1: across the hair's locks, which run down from the crown; the same on every head.

    They do not move with the part: modulation by w blends patterns, and a student never learned to slide one.
    """
    return torch.cos(15 * torch.atan2(x, z + 0.04))


def hair_distance(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A cap opened over the face, a fall behind for long hair, locks and curls as displacement, tucked under a hat."""
    v = p["hv"]
    d = ellipsoid(
        x, y - 0.052 - 0.4 * p["cr"], z + 0.028, 0.160 * p["hw"] + v, 0.163 * p["hh"] + v + p["cr"], 0.170 + v
    )
    face_y = p["fr"] - 0.17 + p["pt"] * (x / 0.1) - 0.0175 * (x / 0.1) ** 2
    d = carve(d, -ellipsoid(x, y - face_y, z - 0.16, 0.140 * p["hw"], 0.17, 0.155), 0.02)
    d = carve(d, p["hair_back"] - y + 0.6 * z, 0.03)
    fall = ellipsoid(
        x,
        y - 0.02 + 0.5 * p["drop"],
        z + 0.070,
        0.150 * p["hw"] + 0.6 * v,
        0.09 + 0.62 * p["drop"],
        0.085 + 0.5 * v,
    )
    d = blend(d, fall + 0.12 * (1 - p["long"]), 0.05)
    d = d + p["cl"] * torch.sin(48 * x) * torch.sin(48 * y + 1) * torch.sin(48 * z)
    d = d + 0.0035 * locks(x, z) * smoothstep(0.03, 0.09, length(x, z + 0.04))
    return d + 0.05 * smoothstep(0.06, 0.14, y - 0.12 * z) * p["hat_on"] + 0.14 * p["bald"]


def hat_distance(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A beanie with a rolled brim; it shrinks into the skull when it is off."""
    crown = ellipsoid(x, y - 0.06, z + 0.025, 0.163 * p["hw"] + 0.026, 0.165 * p["hh"] + 0.032, 0.204)
    crown = carve(crown, 0.100 + 0.12 * z - y, 0.012)
    ring = (length(x / (0.163 * p["hw"] + 0.030), (z + 0.025) / 0.206) - 0.95) * 0.17
    brim = length(ring, 0.62 * (y - 0.110 - 0.12 * z)) - 0.024
    return blend(crown, brim, 0.010) + 0.10 * (1 - p["hat_on"])


def glasses_distance(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Two round rims, a bridge and temples; rims are two pixels of 64 x 64 wide."""
    ax = x.abs()
    plane, radius = p["ez"] + 0.62 * p["er"] + 0.013, p["er"] + 0.013
    rim = length(ax - p["ex"] - 0.001, y - p["ey"]) - radius
    d = length(rim, z - plane + 0.25 * (ax - p["ex"]).clamp(min=0)) - 0.0100
    bridge = torch.maximum(length(y - p["ey"] - 0.010, z - plane) - 0.0085, ax - p["ex"] + radius)
    tip = p["ex"] + radius
    hinge = tip + (0.150 * p["hw"] + 0.016 - tip) * ((plane - z) / 0.12).clamp(0, 1)
    temple = torch.maximum(length(ax - hinge, y - p["ey"] - 0.006) - 0.0085, torch.maximum(z - plane, -0.02 - z))
    return torch.minimum(torch.minimum(d, bridge), temple) + 0.05 * (1 - p["gl"])


def material_distances(p: Head, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
    """Signed distances [B, N] of the six materials, in the order of :data:`MATERIALS`."""
    eye = ellipsoid(x.abs() - p["ex"], y - p["ey"], z - p["ez"], p["er"], 1.08 * p["er"], 0.62 * p["er"])
    return (
        skin_distance(p, x, y, z),
        shirt_distance(p, x, y, z),
        eye,
        hair_distance(p, x, y, z),
        hat_distance(p, x, y, z),
        glasses_distance(p, x, y, z),
    )


def distance(p: Head, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Signed distance [B, N] to the whole head (negative inside)."""
    skin, shirt, eye, hair, hat, glasses = material_distances(p, x, y, z)
    return torch.minimum(
        torch.minimum(torch.minimum(skin, shirt), torch.minimum(eye, hair)), torch.minimum(hat, glasses)
    )
