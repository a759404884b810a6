"""Raw density and optical thickness: the inverses of `VolumeSettings`' activations, and how a grid stores densities.

A grid is read by linear interpolation. Generated fields have a raw density that is all but linear near a surface, and
are stored raw. Reconstructions of photographs jump from nothing to many times opaque within a cell, and a straight line
between the two puts the surface next to the empty node; they are stored as arsinh(density / knee), which is linear
where a cell is nearly clear and logarithmic where it is not (lego at 256 nodes, with exact colours: 37.7 dB in place of
36.4).
"""

from __future__ import annotations

import math

from torch import Tensor

from ...models.base import Activation
from .integrate import activate

OPAQUE_THICKNESS = 5.0
"""Optical thickness that lets through less than 1 % of the light: exp(-5) = .0067."""

KNEE_THICKNESS = 0.2
"""Optical thickness of a cell at which compressed storage bends; on lego .1 to .25 are alike, .01 and 1 lose 1 dB."""


def raw_at_density(density: float, activation: Activation) -> float:
    """The raw value that an activation turns into `density` > 0 (1 / world unit); the inverse of `VolumeSettings`'."""
    if density <= 0:
        raise ValueError(f"density {density}: expected a positive number")
    if activation == "relu":
        return density
    if activation == "exp":
        return math.log(density)
    # softplus^-1(y) = log(exp(y) - 1) = y + log(1 - exp(-y))
    raw = density + math.log(-math.expm1(-density))
    if activation == "softplus":
        return raw
    if activation == "softplus_shifted":
        return raw + 1.0
    raise ValueError(f"activation {activation!r}: expected softplus_shifted, softplus, relu or exp")


def opaque_raw(length: float, activation: Activation) -> float:
    """The raw value from which `length` world units of a field are opaque (see `OPAQUE_THICKNESS`)."""
    return raw_at_density(OPAQUE_THICKNESS / length, activation)


def knee_density(spacing: float, thin: bool) -> float:
    """The density (1 / world unit) at which a grid of that spacing bends, 0 where it stores raw values."""
    return KNEE_THICKNESS / spacing if thin else 0.0


def stored(raw: Tensor, activation: Activation, knee: float) -> Tensor:
    """Raw density of any shape -> what a grid keeps of it.

    relu's raw values go in with their sign, so that a surface stays where they cross zero (1 dB on lego).
    """
    if not knee:
        return raw
    return ((raw if activation == "relu" else activate(raw, activation)) / knee).asinh()


def stored_density(density: float, activation: Activation, knee: float) -> float:
    """The value that stands for a density > 0 in a grid with that knee."""
    return math.asinh(density / knee) if knee else raw_at_density(density, activation)
