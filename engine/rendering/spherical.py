"""Colour that turns with the view, as a few spherical harmonics: their values."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MAX_DEGREE = 2


def basis(directions: Tensor, degree: int) -> Tensor:
    """Real spherical harmonics of unit directions [N, 3] up to `degree` 0..2: [N, (degree + 1)^2].

    Scaled so that the first is 1 everywhere; constants relative to it as in Sloan, "Efficient Spherical Harmonic
    Evaluation" (2013).
    """
    x, y, z = directions.unbind(-1)
    terms = [torch.ones_like(x)]
    if degree >= 1:
        a = math.sqrt(3.0)
        terms += [a * y, a * z, a * x]
    if degree >= 2:
        b, c = math.sqrt(15.0), math.sqrt(5.0) / 2
        terms += [b * x * y, b * y * z, c * (3 * z * z - 1), b * x * z, b / 2 * (x * x - y * y)]
    if not 0 <= degree <= MAX_DEGREE:
        raise ValueError(f"degree {degree}: expected 0..{MAX_DEGREE}")
    return torch.stack(terms, -1)


def even_directions(count: int) -> Tensor:
    """`count` unit directions [count, 3] spread evenly over the sphere: a Fibonacci lattice."""
    i = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * i + 1) / count
    angle = i * math.pi * (3 - math.sqrt(5.0))
    r = (1 - z * z).sqrt()
    return torch.stack([r * angle.cos(), r * angle.sin(), z], -1).float()
