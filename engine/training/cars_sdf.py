"""The shape of a procedural car: signed distances of its materials.

Scene units, y up, the nose points towards +z, the wheels stand at y = -GROUND, everything lies inside `BOX`.
Coordinates are [B, N]; parameters are [B, 1] and broadcast.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...models.pigan_presets import PRESETS
from .cars_parameters import Car
from .heads_parameters import smoothstep
from .heads_sdf import blend, carve, length

MATERIALS = ("shell", "wheel", "trim", "luggage")
GROUND = 0.095
"""How far below the origin the road lies."""
BOX = PRESETS["cars"].bounds
"""Holds every car: its lowest and highest corner."""
BOUND = 0.300
"""Radius of a ball about the origin that holds every car."""


def box(x: Tensor, y: Tensor, z: Tensor, a, b, c, r: float) -> Tensor:
    """Distance to a box at the origin of half sizes a, b, c, its edges rounded by r (Quilez)."""
    x, y, z = x.abs() - a + r, y.abs() - b + r, z.abs() - c + r
    inside = torch.maximum(torch.maximum(x, y), z).clamp(max=0)
    return length(x.clamp(min=0), y.clamp(min=0), z.clamp(min=0)) + inside - r


def cabin_planes(p: Car, ax: Tensor, h: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distances to the cabin's windscreen, rear window, side windows and roof; ``ax`` is |x|, ``h`` the height."""
    v = h - p["belt"]
    front = (z - p["zw"] + v * p["rf"]) * (1 + p["rf"] ** 2).rsqrt() + 0.35 * ax**2
    rear = (p["zr"] + v * p["rr"] - z) * (1 + p["rr"] ** 2).rsqrt() + 0.30 * ax**2
    side = (ax - 0.94 * p["W"] + v * p["tm"]) * (1 + p["tm"] ** 2).rsqrt()
    return front, rear, side, (h - roof_line(p, z) + 0.5 * ax * ax) * 0.95


def roof_line(p: Car, z: Tensor) -> Tensor:
    """Height of the roof along the car."""
    return p["roof"] - p["rc"] * (z - 0.5 * (p["zw"] + p["zr"])) ** 2


def deck_line(p: Car, z: Tensor) -> Tensor:
    """Height of hood and rear deck along the car: both fall from the shoulder towards the ends."""
    hood = p["hd"] * smoothstep(0.0, 1.0, (z - p["zw"] + 0.02) / (p["L"] - p["zw"] + 0.02))
    return p["belt"] - hood - p["dd"] * smoothstep(0.0, 1.0, (p["zr"] - z) / 0.08)


def wheel_radius(p: Car, h: Tensor, z: Tensor) -> Tensor:
    """Distance from the nearer axle, seen from the side."""
    return length(h - p["wr"], z.abs() - p["zx"])


def end_face(p: Car, ax: Tensor, h: Tensor, z: Tensor) -> Tensor:
    """Signed distance (roughly) from the rounded faces at nose and tail, positive outside."""
    return z.abs() - p["L"] + 0.6 * p["ns"] * (ax / p["W"]) ** 2 + 7 * (h - 0.055).clamp(min=0) ** 2


def shell_distance(p: Car, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Painted body and cabin, with bed, wheel arches, wing, lip and mirrors."""
    ax, h = x.abs(), y + GROUND
    ends = end_face(p, ax, h, z) + 0.25 * (0.03 - h).clamp(min=0)
    bulge = p["fl"] * torch.exp(-(((z.abs() - p["zx"]) / 0.05) ** 2)) * smoothstep(0.11, 0.06, h)
    side = ax - (p["W"] - p["tp"] * (z.abs() / p["L"]) ** 4 + bulge) + 1.8 * (h - 0.055) ** 2
    top = h - deck_line(p, z) + 0.35 * ax * ax
    d = carve(carve(carve(ends, side, 0.026), top, 0.018), p["gc"] - h, 0.012)
    front, rear, window, roof = cabin_planes(p, ax, h, z)
    cabin = carve(carve(carve(front, rear, 0.02), window, 0.022), roof, 0.024)
    d = blend(d, carve(cabin, p["belt"] - 0.03 - h, 0.01), 0.010)
    d = carve(d, -_bed(p, x, h, z), 0.006)
    arch = torch.maximum(wheel_radius(p, h, z) - p["wr"] - 0.006, p["W"] - 0.036 - ax)
    d = carve(d, -arch, 0.006)
    d = blend(d, _wing(p, x, ax, h, z), 0.006)
    mirror = length((ax - p["W"] + 0.002) / 1.3, h - p["belt"] - 0.008, (z - p["zw"] + 0.036) / 0.8) - 0.0105
    return blend(d, 0.85 * mirror, 0.006) * 0.92


def _bed(p: Car, x: Tensor, h: Tensor, z: Tensor) -> Tensor:
    """What a pickup's bed leaves out of the body: it sinks in from above, between walls, and ends above the wheels."""
    back, front = -p["L"] + 0.030, p["zr"] - 0.014
    floor = 2 * p["wr"] + 0.011 + 0.070 * (1 - p["pickup"])
    half = (0.5 * (front - back)).clamp(min=0.006)
    return box(x, h - floor - 0.05, z - 0.5 * (back + front), p["W"] - 0.020, 0.05, half, 0.006)


def _wing(p: Car, x: Tensor, ax: Tensor, h: Tensor, z: Tensor) -> Tensor:
    """A sedan's wing rises from the deck, a hatchback's lip slides out of the roof."""
    away = 0.045 * (1 - p["wing_in"])
    deck = p["tail_top"] + 0.016 - away
    wing = box(x, h - deck, z + p["L"] - 0.026, 0.84 * p["W"], 0.0058, 0.018, 0.005)
    post = box(ax - 0.52 * p["W"], h - deck + 0.014, z + p["L"] - 0.030, 0.0065, 0.018, 0.009, 0.003)
    away = 1 - p["lip_in"]
    edge = p["roof_back"] - 0.012 + 0.045 * away
    lip = box(x, h - roof_line(p, edge) + 0.003 + 0.022 * away, z - edge, p["rail_x"] + 0.004, 0.0058, 0.022, 0.005)
    return torch.minimum(torch.minimum(wing, post), lip)


def wheel_distance(p: Car, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Four wheels: rounded cylinders."""
    across = (x.abs() - p["W"] + 0.002 + 0.5 * p["ww"] - p["fl"]).abs() - 0.5 * p["ww"] + 0.004
    around = wheel_radius(p, y + GROUND, z) - p["wr"] + 0.006
    outside = length(around.clamp(min=0), across.clamp(min=0))
    return outside + torch.maximum(around, across).clamp(max=0) - 0.006


def trim_distance(p: Car, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Bumpers, and the rack's rails and bars, which rise from the roof."""
    ax, h = x.abs(), y + GROUND
    reach = z.abs() - p["L"] + 0.6 * p["ns"] * (ax / p["W"]) ** 2 + 0.25 * (0.03 - h).clamp(min=0)
    bumper = box(x, h - p["gc"] - 0.016, reach, 0.88 * p["W"], 0.0105, p["bp"] + 0.001, 0.005)
    v = h - _rack_height(p, z)
    middle, half = _rack_span(p)
    rail = box(ax - p["rail_x"], v, z - middle, 0.0055, 0.0060, half, 0.004)
    bar = box(x, v, (z - middle).abs() - 0.62 * half, p["rail_x"], 0.0050, 0.0058, 0.004)
    return torch.minimum(0.9 * bumper, torch.minimum(rail, bar))


def luggage_distance(p: Car, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A trunk on the rack."""
    middle, half = _rack_span(p)
    v = y + GROUND - _rack_height(p, middle) - 0.019 + 0.042 * (1 - p["luggage_in"])
    return box(x, v, z - middle, 0.84 * p["rail_x"], 0.0150, 0.66 * half, 0.008)


def _rack_height(p: Car, z: Tensor) -> Tensor:
    return roof_line(p, z) + 0.008 - 0.022 * (1 - p["rack_in"])


def _rack_span(p: Car) -> tuple[Tensor, Tensor]:
    """The rack's middle along the car and half its length."""
    half = 0.5 * (p["roof_front"] - p["roof_back"])
    return 0.5 * (p["roof_front"] + p["roof_back"]), 0.03 + 0.82 * (half - 0.03).clamp(min=0)


def material_distances(p: Car, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Signed distances [B, N] of all `MATERIALS`, negative inside."""
    return (
        shell_distance(p, x, y, z),
        wheel_distance(p, x, y, z),
        trim_distance(p, x, y, z),
        luggage_distance(p, x, y, z),
    )


def distance(p: Car, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Signed distance [B, N] of the whole car."""
    shell, wheel, trim, luggage = material_distances(p, x, y, z)
    return torch.minimum(torch.minimum(shell, wheel), torch.minimum(trim, luggage))
