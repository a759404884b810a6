"""Trees, bushes and hedges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import cos, pi, sin

import numpy as np

from .detail import FAR, LEVELS, MIDDLE, NEAR
from .meshes import BACK, FRONT, LEFT, RIGHT, TOP, MeshBuilder, Prefab, Surface
from .plan import KERB
from .scene import Material
from .site import Site

ROUND, LIME, POPLAR, WIDE = range(4)
"""Kinds of trees: an orchard's ball, a street's oval, a tall column, a park's spreading crown."""
STREET_TREES = (ROUND, LIME, LIME, ROUND, POPLAR)
PARK_TREES = (ROUND, LIME, WIDE, WIDE, POPLAR)
_VARIANTS = 4
"""How many different trees there are of each kind."""
TRUNK = 0.25
"""Half the side of the footprint that stops a car."""

# For each kind: height of the trunk, its radius, and the blobs: distance off the axis, height, radius, flattening.
_CROWNS: dict[int, tuple[float, float, tuple[tuple[float, float, float, float], ...]]] = {
    ROUND: (2.7, 0.15, ((0.0, 3.9, 1.65, 0.92), (0.8, 3.5, 1.25, 0.9), (0.75, 4.4, 1.15, 0.9), (0.8, 3.8, 1.2, 0.9))),
    LIME: (3.0, 0.17, ((0.0, 4.3, 1.55, 1.15), (0.4, 5.7, 1.3, 1.1), (0.8, 3.9, 1.2, 0.9), (0.75, 4.7, 1.2, 0.9))),
    POPLAR: (2.2, 0.15, ((0.0, 4.3, 1.15, 1.85), (0.08, 5.8, 0.95, 1.75))),
    WIDE: (
        2.9,
        0.24,
        (
            (0.0, 4.9, 2.1, 0.95),
            (1.5, 4.3, 1.6, 0.8),
            (1.4, 4.7, 1.6, 0.85),
            (1.1, 5.7, 1.4, 0.8),
            (1.3, 4.9, 1.5, 0.8),
        ),
    ),
}


@cache
def _grown(kind: int, variant: int, level: int = NEAR) -> Prefab:
    """One of the town's trees, as it looks at a level of `detail`; the same in every town."""
    rng = np.random.default_rng(1000 + 10 * kind + variant)
    builder = MeshBuilder()
    leaves, bark = Surface(Material.LEAVES, 9), Surface(Material.TRUNK, 9)
    trunk, thick, blobs = _CROWNS[kind]
    if level == NEAR:
        builder.tube((0, 0), (0, 0.35, trunk + 0.9), (thick * 1.5, thick, thick * 0.6), bark, sides=5)
    else:
        builder.tube((0, 0), (0, trunk + 0.9), (thick * 1.15, thick * 0.8), bark, sides=4 if level == MIDDLE else 3)
    if level == FAR:
        # One crown in the place of all its blobs.
        near = _grown(kind, variant).rows
        crown = near[near[:, 8] == Material.LEAVES, :3]
        low, high = crown.min(0), crown.max(0)
        builder.blob((low + high) / 2, 0.46 * (high - low), leaves, level=level)
        return builder.prefab()
    turn = rng.uniform(0, 2 * pi)
    for number, (off, height, radius, flat) in enumerate(blobs):
        turn += rng.uniform(1.7, 2.5)
        radius *= rng.uniform(0.9, 1.08)
        centre = (off * cos(turn), off * sin(turn), height + rng.uniform(-0.2, 0.2))
        # The first makes the outline; the others are lumps on it.
        coarse = number > 1 or (number == 1 and kind != POPLAR)
        builder.blob(centre, (radius, radius, radius * flat), leaves, rng, coarse, level)
    return builder.prefab()


def tree(site: Site, x: float, y: float, kind: int, scale: float) -> None:
    """A tree of `kind`, `scale` times its usual size (5 to 8 m high)."""
    variant = int(site.rng.integers(_VARIANTS))
    high = scale * float(site.rng.uniform(0.92, 1.1))
    yaw = float(site.rng.uniform(0, 2 * pi))
    instance = site.instance()
    for level in LEVELS:
        with site.mesh.seen(level):
            site.mesh.place(_grown(kind, variant, level), x, y, KERB - 0.03, instance, yaw, (scale, high))
    site.solid("a tree", x, y, (TRUNK, TRUNK))


@cache
def _bush(variant: int, level: int) -> Prefab:
    rng = np.random.default_rng(2000 + variant)
    builder = MeshBuilder()
    green = Surface(Material.HEDGE, 9)
    if level == FAR:
        builder.blob((0, 0, 0.45), (0.8, 0.8, 0.65), green, coarse=True, level=level)
    else:
        builder.blob((0, 0, 0.45), (0.8, 0.8, 0.65), green, rng, level=level)
    return builder.prefab()


def bush(site: Site, x: float, y: float, scale: float) -> None:
    """A bush about 1.1 m high."""
    variant = int(site.rng.integers(_VARIANTS))
    instance, yaw = site.instance(), float(site.rng.uniform(0, 6))
    for level in LEVELS:
        with site.mesh.seen(level):
            site.mesh.place(_bush(variant, level), x, y, KERB, instance, yaw, (scale, scale))
    site.solid("a bush", x, y, (0.5 * scale, 0.5 * scale))


def hedge(site: Site, low: Sequence[float], high: Sequence[float], tall: float = 1.0) -> None:
    """A clipped hedge over the rectangle from `low` to `high` (x, y)."""
    green = Surface(Material.HEDGE, 9, site.instance())
    bottom, top = (*low, KERB - 0.02), (*high, KERB + tall)
    site.mesh.box(bottom, top, green, (FRONT, BACK, LEFT, RIGHT, TOP))
    x, y = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
    site.solid("a hedge", x, y, ((high[0] - low[0]) / 2, (high[1] - low[1]) / 2))
