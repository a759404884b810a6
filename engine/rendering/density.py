"""Raw density and optical thickness: the activations of `VolumeSettings` and their inverses, as plain numbers."""

from __future__ import annotations

import math

from ...models.base import Activation

OPAQUE_THICKNESS = 5.0
"""Optical thickness that lets through less than 1 % of the light: exp(-5) = .0067."""


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
