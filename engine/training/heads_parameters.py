"""What a procedural head is made of: latent z -> named parameters -> measures (scene units) and colours.

A latent ``z ~ N(0, I)`` of 64 numbers is normalised by its second moment, exactly as StyleGAN2's mapping network does
before its first layer, and pushed through the normal CDF: ``u = Phi(z / rms(z))`` in (0, 1). The first 40 entries give
the geometry and the other 24 the appearance, so the teacher can mix two latents exactly and a student can learn to.
Every map from u is smooth, because a student network cannot follow a kink it sees only a few times.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Z_DIM = 64
GEOMETRY_DIMS = 40
"""The first 40 entries of z belong to the geometry; the last 24 to the appearance."""

GEOMETRY_NAMES = (
    "head_width",
    "head_height",
    "jaw_width",
    "jaw_length",
    "cheek",
    "nose_length",
    "nose_width",
    "nose_height",
    "ear_size",
    "eye_size",
    "eye_gap",
    "eye_height",
    "lid",
    "brow_height",
    "brow_tilt",
    "brow_thickness",
    "mouth_width",
    "smile",
    "mouth_open",
    "lip",
    "mouth_height",
    "neck",
    "shoulder",
    "hair_volume",
    "hair_length",
    "fringe",
    "part",
    "curl",
    "crown",
    "glasses",
    "hat",
    "beard",
)
APPEARANCE_NAMES = (
    "skin",
    "undertone",
    "hair",
    "hair_warmth",
    "vivid",
    "vivid_hue",
    "iris",
    "lip_tint",
    "blush",
    "cloth_hue",
    "cloth_light",
    "cloth_chroma",
    "accent",
    "freckles",
    "shadow",
    "streak",
    "glass_tint",
)

SWITCHES = {
    "mouth_open": (0.40, 0.45),
    "hair_length": (0.45, 0.30),
    "curl": (0.55, 0.35),
    "glasses": (0.68, 0.03),
    "hat": (0.80, 0.03),
    "beard": (0.78, 0.10),
    "hair_volume": (0.06, 0.02),
}
"""What comes and goes with an entry of u: where it begins to, and over how much of u."""

Head = dict[str, Tensor]
"""Named parameters of a batch of heads: numbers are [B, 1], colours (``c_*``) are [B, 1, 3] in [0, 1]."""


def uniform_from_latent(z: Tensor) -> Tensor:
    """Normalise z by its second moment and push it through the normal CDF.

    Args:
        z: [B, 64], standard normal.

    Returns:
        [B, 64] in (0, 1).
    """
    z = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def smoothstep(low: float | Tensor, high: float | Tensor, x: Tensor) -> Tensor:
    """Cubic step from 0 at ``low`` to 1 at ``high``; falls when ``low > high``."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def between(u: Tensor, low: float, high: float) -> Tensor:
    """Linear map of u in (0, 1) to (low, high)."""
    return low + (high - low) * u


def switch(u: Tensor, threshold: float, ramp: float = 0.08) -> Tensor:
    """An optional feature: 0 below ``threshold``, 1 above ``threshold + ramp``, smooth between."""
    return smoothstep(threshold, threshold + ramp, u)


def switched(p: Head, name: str) -> Tensor:
    """`switch` of a parameter as `SWITCHES` has it."""
    return switch(p[name], *SWITCHES[name])


def bezier(u: Tensor, colours: tuple[tuple[int, int, int], ...]) -> Tensor:
    """Smooth colour path: the Bezier curve over 8-bit control colours.

    Args:
        u: [B, 1] in (0, 1).
        colours: control points, 0..255.

    Returns:
        [B, 1, 3] in [0, 1].
    """
    points = torch.tensor(colours, dtype=torch.float32, device=u.device) / 255
    n = len(colours) - 1
    basis = torch.cat([math.comb(n, i) * u**i * (1 - u) ** (n - i) for i in range(n + 1)], 1)  # [B, n+1]
    return (basis @ points)[:, None]


def hue_circle(hue: Tensor, light: Tensor, chroma: Tensor) -> Tensor:
    """Colour from hue (turns), lightness and chroma [B, 1] by three shifted cosines -> [B, 1, 3] in [0, 1]."""
    phase = torch.tensor([0.0, 1 / 3, 2 / 3], device=hue.device)
    wave = torch.cos(2 * math.pi * (hue[..., None] - phase))
    return (light[..., None] + chroma[..., None] * wave).clamp(0.03, 0.98)


SKIN = ((62, 36, 28), (128, 70, 44), (214, 140, 98), (240, 186, 148), (255, 230, 212))
HAIR_COOL = ((24, 20, 26), (40, 30, 30), (132, 84, 44), (238, 206, 128), (244, 234, 220))
HAIR_WARM = ((40, 20, 18), (92, 34, 20), (200, 84, 30), (250, 150, 60), (252, 206, 130))
HAIR_VIVID = ((236, 86, 128), (200, 80, 210), (60, 80, 235), (20, 165, 200), (40, 190, 130))
IRIS = ((66, 40, 22), (132, 84, 30), (70, 130, 70), (60, 140, 205), (110, 110, 205))
GLASS = ((28, 26, 32), (60, 34, 26), (190, 60, 40), (200, 60, 70), (50, 70, 150))


def describe(u: Tensor, u_appearance: Tensor | None = None) -> Head:
    """All measures and colours of a batch of heads.

    Args:
        u: [B, 64] in (0, 1); its first 40 entries are the geometry.
        u_appearance: [B, 64] whose last 24 entries are the appearance; ``u`` when omitted.

    Returns:
        Named parameters: the raw ones under their names, derived measures in scene units (a head is about .33 deep).
    """
    ua = u if u_appearance is None else u_appearance
    p: Head = {name: u[:, i : i + 1] for i, name in enumerate(GEOMETRY_NAMES)}
    p |= {name: ua[:, GEOMETRY_DIMS + i : GEOMETRY_DIMS + i + 1] for i, name in enumerate(APPEARANCE_NAMES)}
    _measure(p)
    _colour(p)
    return p


def heads_from_latents(z_geometry: Tensor, z_appearance: Tensor | None = None) -> Head:
    """Heads of latents z [B, 64], the appearance taken from a second latent when given."""
    return describe(
        uniform_from_latent(z_geometry), None if z_appearance is None else uniform_from_latent(z_appearance)
    )


def wearing(z: Tensor, share: float) -> Tensor:
    """Latents [B, 64] of which a share [0, 1], chosen at random, is given glasses; all else stays."""
    begins, ramp = SWITCHES["glasses"]
    u = torch.empty(len(z), device=z.device).uniform_(begins + ramp, 0.999)
    worn, entry = z.clone(), GEOMETRY_NAMES.index("glasses")
    chosen = torch.rand(len(z), device=z.device) < share
    worn[:, entry] = torch.where(chosen, torch.special.ndtri(u) * z.square().mean(1).sqrt(), z[:, entry])
    return worn


def _measure(p: Head) -> None:
    """Geometry in scene units, into ``p``."""
    p["hw"], p["hh"] = between(p["head_width"], 0.90, 1.12), between(p["head_height"], 0.92, 1.08)
    p["jw"], p["jl"] = between(p["jaw_width"], 0.80, 1.20), between(p["jaw_length"], -0.010, 0.024)
    p["ck"] = between(p["cheek"], 0.032, 0.062)
    p["er"] = between(p["eye_size"], 0.038, 0.051)
    p["ex"] = p["er"] + between(p["eye_gap"], 0.015, 0.024)
    p["ey"] = between(p["eye_height"], 0.002, 0.030)
    # The eyes sit on the skull's ellipsoid, sunk by a third of their radius.
    skull = 1 - (p["ex"] / (0.150 * p["hw"])) ** 2 - ((p["ey"] - 0.045) / (0.155 * p["hh"])) ** 2
    p["ez"] = -0.011 + 0.165 * skull.clamp(min=0.1).sqrt() - 0.30 * p["er"]
    p["lid_open"] = between(p["lid"], 0.50, 1.0)
    p["bx0"], p["bx1"] = p["ex"] - 0.028, p["ex"] + 0.034
    middle = p["ey"] + 1.05 * p["er"] + between(p["brow_height"], 0.012, 0.026)
    tilt = between(p["brow_tilt"], -0.013, 0.013)
    p["by0"], p["by1"] = middle - tilt, middle + tilt - 0.005
    p["bt"] = between(p["brow_thickness"], 0.0085, 0.0150)
    p["mw"], p["sm"] = between(p["mouth_width"], 0.032, 0.060), between(p["smile"], -0.006, 0.030)
    p["mo"] = 0.021 * switched(p, "mouth_open")
    p["lt"] = between(p["lip"], 0.0075, 0.0130)
    p["my"] = between(p["mouth_height"], -0.100, -0.086) - 0.4 * p["jl"]
    p["nl"], p["nw"] = between(p["nose_length"], 0.018, 0.044), between(p["nose_width"], 0.018, 0.033)
    p["ny"] = between(p["nose_height"], -0.046, -0.024)
    p["es"] = between(p["ear_size"], 0.75, 1.30)
    p["nk"], p["sh"] = between(p["neck"], 0.050, 0.068), between(p["shoulder"], 0.140, 0.195)
    p["hv"], p["bald"] = between(p["hair_volume"], 0.006, 0.036), 1 - switched(p, "hair_volume")
    p["hair_back"] = between(p["hair_length"], 0.05, -0.06)
    p["long"] = switched(p, "hair_length")
    p["drop"] = between(switch(p["hair_length"], 0.45, 0.55), 0.08, 0.22)
    p["fr"], p["pt"] = between(p["fringe"], 0.165, 0.095), between(p["part"], -0.05, 0.05)
    p["cl"] = 0.012 * switched(p, "curl")
    p["cr"] = between(p["crown"], 0.0, 0.030)
    p["gl"], p["hat_on"], p["bd"] = switched(p, "glasses"), switched(p, "hat"), switched(p, "beard")


def _colour(p: Head) -> None:
    """Colours in [0, 1], into ``p``."""
    device = p["skin"].device
    undertone = torch.tensor([0.05, -0.01, -0.12], device=device)
    p["c_skin"] = bezier(p["skin"], SKIN) * (1 + (p["undertone"][..., None] - 0.5) * undertone)
    warmth = smoothstep(0.15, 0.95, p["hair_warmth"])[..., None]
    natural = bezier(p["hair"], HAIR_COOL) * (1 - warmth) + bezier(p["hair"], HAIR_WARM) * warmth
    vivid = switch(p["vivid"], 0.72, 0.12)[..., None]
    p["c_hair"] = natural * (1 - vivid) + bezier(p["vivid_hue"], HAIR_VIVID) * vivid
    # Brows and beards take the natural colour, darker and browner: dyed or as light as the skin they read as a mask.
    p["c_brow"] = (0.85 * natural + 0.15 * p["c_hair"]) * torch.tensor([0.56, 0.46, 0.40], device=device)
    p["c_beard"] = natural * torch.tensor([0.52, 0.42, 0.36], device=device) + 0.06 * p["c_skin"]
    p["c_iris"] = bezier(p["iris"], IRIS)
    hue = between(p["cloth_hue"], -0.02, 0.86)
    light, chroma = between(p["cloth_light"], 0.36, 0.66), between(p["cloth_chroma"], 0.15, 0.34)
    p["c_shirt"] = hue_circle(hue, light, chroma)
    # One accent for the hat, a third of the circle about the shirt's complement, keeps an outfit together.
    accent = hue + 0.5 + between(p["accent"], -0.18, 0.18)
    p["c_hat"] = hue_circle(accent, 0.30 + 0.40 * p["accent"] + 0.2 * (light - 0.5), 0.06 + 0.8 * chroma)
    p["c_glass"] = bezier(p["glass_tint"], GLASS)
