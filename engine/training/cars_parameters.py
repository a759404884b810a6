"""What a procedural car is made of: latent z -> named parameters -> measures (scene units) and colours.

A latent ``z ~ N(0, I)`` of 44 numbers goes through the normal CDF, ``u = Phi(z)`` in (0, 1). The first 26 entries give
the geometry and the other 18 the appearance, so the teacher can mix two latents exactly and a student can learn to.
Every map from u is smooth, and parts that not every car has (rack, luggage, spoiler, mirrors' size) grow out of the
body, because a student network cannot follow a jump that it sees only a few times.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .heads_parameters import between, hue_circle, smoothstep, switch
from .heads_sdf import blend

GEOMETRY_NAMES = (
    "length",
    "width",
    "height",
    "wheelbase",
    "hood",
    "tail",
    "rake_front",
    "rake_rear",
    "clearance",
    "wheel",
    "shoulder",
    "hood_drop",
    "tall",
    "bumper",
    "spoiler",
    "rack",
    "luggage",
    "flare",
    "tumblehome",
    "nose",
    "tyre",
    "roundness",
    "roof_curve",
    "lamp",
    "grille",
    "taper",
)
APPEARANCE_NAMES = (
    "hue",
    "lightness",
    "saturation",
    "two_tone",
    "roof_shade",
    "stripe",
    "stripe_hue",
    "stripe_width",
    "glass",
    "glass_light",
    "rim",
    "rim_warmth",
    "spoke",
    "whitewall",
    "lamp_warmth",
    "trim",
    "luggage_hue",
    "sill",
)
GEOMETRY_DIMS, APPEARANCE_DIMS = len(GEOMETRY_NAMES), len(APPEARANCE_NAMES)
Z_DIM = GEOMETRY_DIMS + APPEARANCE_DIMS

Car = dict[str, Tensor]
"""Named parameters of a batch of cars: numbers are [B, 1], colours (``c_*``) are [B, 1, 3] in [0, 1]."""


def uniform_from_latent(z: Tensor) -> Tensor:
    """The normal CDF of every entry: [B, 44] standard normal -> [B, 44] in (0, 1)."""
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def cars_from_latents(z_geometry: Tensor, z_appearance: Tensor | None = None) -> Car:
    """Cars of latents z [B, 44], the appearance taken from a second latent when given.

    Returns:
        Named parameters: the raw ones in (0, 1) under their names, derived measures in scene units (a car is about
        .45 long), switches in 0..1, colours under names that begin with ``c_``.
    """
    geometry = uniform_from_latent(z_geometry)[:, :GEOMETRY_DIMS]
    appearance = uniform_from_latent(z_geometry if z_appearance is None else z_appearance)[:, GEOMETRY_DIMS:]
    p: Car = {name: geometry[:, i : i + 1] for i, name in enumerate(GEOMETRY_NAMES)}
    _measure(p)
    p |= {name: appearance[:, i : i + 1] for i, name in enumerate(APPEARANCE_NAMES)}
    _colour(p)
    return p


def is_appearance(name: str) -> bool:
    """Whether a parameter's name belongs to the appearance half."""
    return name in APPEARANCE_NAMES or name.startswith("c_") or name.endswith("_on")


def one(car: Car, i: int) -> Car:
    """The i-th car of a batch, as a batch of one."""
    return {name: value[i : i + 1] for name, value in car.items()}


def _measure(p: Car) -> None:
    """Geometry in scene units, into ``p``. Kinds of car are soft switches, so that one becomes another gradually."""
    tall = p["tall"]
    pickup = switch(p["tail"], 0.74, 0.14)
    sedan = switch(p["tail"], 0.30, 0.16) * (1 - pickup)
    van = switch(tall, 0.58, 0.20) * (1 - pickup)
    sport = switch(1 - tall, 0.62, 0.20)
    p["pickup"], p["sedan"], p["van"], p["sport"] = pickup, sedan, van, sport
    p["L"] = between(p["length"], 0.202, 0.236) + 0.008 * pickup  # half the length
    p["W"] = between(p["width"], 0.084, 0.100) + 0.003 * sport  # half the width
    p["wr"] = between(p["wheel"], 0.029, 0.037) + 0.003 * pickup + 0.001 * sport  # wheel's radius
    p["gc"] = between(p["clearance"], 0.014, 0.026) + 0.008 * pickup - 0.004 * sport  # ground clearance
    p["hd"] = between(p["hood_drop"], 0.002, 0.012) + 0.002 * sport
    # The shoulder clears the tyres, however low the car: wheels never come through hood or deck.
    p["belt"] = 2 * p["wr"] + between(p["shoulder"], 0.023, 0.033) + 0.004 * van + 0.4 * p["hd"] + 0.010 * pickup
    p["roof"] = p["belt"] + between(p["height"], 0.046, 0.058) + 0.024 * van - 0.008 * sport
    p["zw"] = p["L"] * (between(p["hood"], 0.30, 0.50) + 0.24 * van - 0.08 * sport)  # foot of the windscreen
    back = -p["L"] * (0.93 - 0.40 * sedan - 0.90 * pickup)  # foot of the rear window: hatch, sedan, pickup
    p["zr"] = blend(back, p["zw"] - 0.135, 0.03)
    p["rf"] = between(p["rake_front"], 0.55, 1.00) + 0.35 * sport - 0.12 * van
    p["rr"] = between(p["rake_rear"], 0.15, 0.65) * (1 - 0.7 * pickup) + sedan * 0.45 + 0.35 * sport * (1 - pickup)
    p["tm"] = between(p["tumblehome"], 0.14, 0.34) * (1 - 0.45 * van)
    p["dd"] = 0.008 * sedan * p["taper"]  # how far a deck falls towards the tail
    p["ns"], p["tp"] = between(p["nose"], 0.012, 0.036), between(p["taper"], 0.002, 0.010)
    p["rd"], p["fl"] = between(p["roundness"], 0.016, 0.032), between(p["flare"], 0.000, 0.008)
    p["zx"] = p["L"] * between(p["wheelbase"], 0.55, 0.61)
    p["ww"], p["bp"] = between(p["tyre"], 0.014, 0.020), between(p["bumper"], 0.004, 0.010)
    p["rc"] = between(p["roof_curve"], 0.15, 0.60)
    p["rack_in"] = switch(p["rack"], 0.54, 0.14)
    p["luggage_in"] = switch(p["luggage"], 0.48, 0.14) * p["rack_in"]
    spoiler = switch(p["spoiler"], 0.54, 0.14) * (1 - pickup)
    p["wing_in"], p["lip_in"] = spoiler * sedan, spoiler * (1 - sedan)
    p["ls"] = between(p["lamp"], 0.0115, 0.0155)
    p["lw"] = between(p["lamp"], 1.30, 1.00) + 0.35 * sport  # lamps of sports cars are wide
    p["gw"] = between(p["grille"], 0.26, 0.42)
    rise = p["roof"] - p["belt"]
    p["roof_front"], p["roof_back"] = p["zw"] - rise * p["rf"], p["zr"] + rise * p["rr"]
    p["rail_x"] = 0.94 * p["W"] - rise * p["tm"] - 0.018
    # Lamps sit between bumper and edge of the hood, whatever those are.
    p["nose_top"], p["tail_top"] = p["belt"] - p["hd"], p["belt"] - p["dd"]
    p["lamp_y"] = 0.45 * (p["gc"] + 0.030) + 0.55 * (p["nose_top"] - 0.006)


def paint_wheel(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """A hue circle without knots: hue in turns, saturation and value 0..1, all [B, 1] -> [B, 1, 3]."""
    phase = torch.tensor([0.0, 0.34, 0.64], device=hue.device)
    wave = (0.5 + 0.5 * torch.cos(2 * math.pi * (hue - phase))).clamp(min=1e-4) ** 1.25
    return (((1 - saturation) + saturation * wave) * value).clamp(0, 1)[:, None]


def _colour(p: Car) -> None:
    """Colours in [0, 1] and strengths of patterns (``*_on``), into ``p``."""
    p["c_paint"] = paint_wheel(
        0.92 * p["hue"], between(p["saturation"], 0.10, 0.95), between(p["lightness"], 0.46, 1.0)
    )
    device = p["hue"].device
    roof = between(p["roof_shade"], 0.12, 0.97)[..., None] * torch.tensor([1.0, 0.98, 0.94], device=device)
    two_tone = switch(p["two_tone"], 0.54, 0.16)[..., None]
    p["c_roof"] = p["c_paint"] * (1 - two_tone) + roof * two_tone
    hue = p["stripe_hue"]
    p["c_stripe"] = paint_wheel(0.9 * hue + 0.05, between(hue, 0.10, 0.80), between(hue, 1.0, 0.85))
    p["stripe_on"] = switch(p["stripe"], 0.60, 0.14)
    tint = torch.cat([between(p["glass"], a, b) for a, b in ((0.10, 0.24), (0.20, 0.24), (0.30, 0.24))], 1)
    p["c_glass"] = (tint * between(p["glass_light"], 0.8, 1.6))[:, None]
    warmth = p["rim_warmth"]
    rim = torch.cat([between(warmth, 0.80, 0.98), 0.84 + 0 * warmth, between(warmth, 0.92, 0.58)], 1)
    p["c_rim"] = (rim * between(p["rim"], 0.60, 1.0))[:, None]
    p["spoke_on"], p["whitewall_on"] = between(p["spoke"], 0.45, 0.95), switch(p["whitewall"], 0.70, 0.14)
    warmth = p["lamp_warmth"]
    p["c_lamp"] = torch.cat([1 + 0 * warmth, between(warmth, 0.98, 0.88), between(warmth, 0.95, 0.58)], 1)[:, None]
    p["c_trim"] = between(p["trim"], 0.14, 0.84)[..., None] * torch.tensor([0.97, 0.98, 1.01], device=device)
    p["c_luggage"] = hue_circle(p["luggage_hue"], 0.50 + 0 * p["luggage_hue"], 0.26 + 0 * p["luggage_hue"])
    p["sill_on"] = smoothstep(0.15, 0.85, p["sill"])
