"""Houses: walls in whole bays and storeys, roofs, and what hangs on a front.

A house is built in the frame of its street: its front at the smaller y, facing -y. Of its four walls only the exposed
ones get windows; the others are party walls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .meshes import BACK, BOTTOM, FRONT, LEFT, RIGHT, TOP, Surface
from .plan import KERB
from .roofs import gable, hip, mansard, terrace
from .scene import Material
from .site import Site
from .styles import has_shop, is_dwelling, is_traditional

GROUND_FLOOR = 4.0
STOREY = 3.2
BAY = 3.0
"""About; a wall has whole bays."""


def floor_height(storey: int) -> float:
    """Height of the floor of `storey`: 0 is the ground floor's, 1 that of the first above it.

    Vertices count from the latter: v is `storey` - 1, and the ground floor lies between -1 and 0.
    """
    return KERB if storey < 1 else KERB + GROUND_FLOOR + STOREY * (storey - 1)


@dataclass(frozen=True)
class Plot:
    """Where a house stands and what is seen of it."""

    x0: float
    y0: float
    x1: float
    y1: float
    exposed: frozenset[int]
    """Faces with windows: FRONT, BACK, LEFT, RIGHT."""

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Counter-clockwise, so that walls run FRONT, RIGHT, BACK, LEFT."""
        return (self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1)


_WALLS = (FRONT, RIGHT, BACK, LEFT)


def bays(length: float) -> int:
    """How many bays a wall of `length` metres has."""
    return max(1, round(length / BAY))


def walls(site: Site, plot: Plot, first: int, last: int, facade: Surface, plain: Surface) -> None:
    """The four walls from the floor of storey `first` (0: the ground) to that of `last`."""
    # The ground floor is higher than the others, so that its part of a wall is a quad of its own.
    levels = [first, last] if first or last == 1 else [0, 1, last]
    points, uv, blank = [], [], []
    u = 0
    corners = plot.corners
    for face, (xa, ya), (xb, yb) in zip(_WALLS, corners, (*corners[1:], corners[0]), strict=True):
        low, high = floor_height(first), floor_height(last)
        if face not in plot.exposed:
            blank.append([(xa, ya, low), (xb, yb, low), (xb, yb, high), (xa, ya, high)])
            continue
        end = u + bays(abs(xb - xa) + abs(yb - ya))
        for v0, v1 in pairwise(levels):
            z0, z1 = floor_height(v0), floor_height(v1)
            points.append([(xa, ya, z0), (xb, yb, z0), (xb, yb, z1), (xa, ya, z1)])
            uv.append([(u, v0 - 1), (end, v0 - 1), (end, v1 - 1), (u, v1 - 1)])
        u = end
    if points:
        site.mesh.quads(points, facade, uv)
    if blank:
        site.mesh.quads(blank, plain)


def house(site: Site, plot: Plot, storeys: int, roof: str, dwelling: bool = False) -> None:
    """A house of `storeys`, ground floor included; `roof`: flat, gable, hip or mansard; `dwelling`: without shops."""
    rng = site.rng
    instance = site.instance(is_dwelling if dwelling else is_traditional if roof != "flat" else None)
    facade, trim = Surface(Material.FACADE, 3, instance), Surface(Material.TRIM, 3, instance)
    site.solid(
        "a house",
        (plot.x0 + plot.x1) / 2,
        (plot.y0 + plot.y1) / 2,
        ((plot.x1 - plot.x0) / 2, (plot.y1 - plot.y0) / 2),
    )
    body = storeys
    room = min(plot.x1 - plot.x0, plot.y1 - plot.y0)
    back = 1.6 if roof == "flat" and storeys >= 6 and room > 8.5 and site.chance(0.5) else 0.0
    if back:
        body = storeys - int(rng.integers(1, 3))
    walls(site, plot, 0, body, facade, trim)
    if back:
        terrace(site, plot, floor_height(body), instance, low=True)
        shy = Plot(plot.x0 + back, plot.y0 + back, plot.x1 - back, plot.y1 - back, frozenset(_WALLS))
        walls(site, shy, body, storeys, facade, trim)
        terrace(site, shy, floor_height(storeys), instance)
    else:
        {"flat": terrace, "gable": gable, "hip": hip, "mansard": mansard}[roof](
            site, plot, floor_height(storeys), instance
        )
    _plinth(site, plot, trim)
    if site.chance(0.65):
        _band(site, plot, floor_height(1) - 0.16, 0.26, 0.14, trim)
    if FRONT not in plot.exposed:
        return
    if has_shop(instance) and site.chance(0.6):
        _awnings(site, plot, instance)
    style = rng.random()
    if style < 0.28 and body >= 3:
        _balconies(site, plot, body, instance)
    elif style < 0.45 and body >= 3:
        _oriel(site, plot, body, facade, trim)
    elif style < 0.62 and body >= 4:
        _pilasters(site, plot, body, trim)


def _band(site: Site, plot: Plot, z: float, high: float, out: float, surface: Surface) -> None:
    """A strip of stone along the exposed walls that look at a street."""
    faces = plot.exposed - {BACK}
    left, right = (out if LEFT in faces else 0.0), (out if RIGHT in faces else 0.0)
    low, high_corner = (plot.x0 - left, plot.y0 - out, z), (plot.x1 + right, plot.y1, z + high)
    drawn = [face for face in (FRONT, LEFT, RIGHT) if face in faces]
    site.mesh.box(low, high_corner, surface, [*drawn, TOP, BOTTOM])


def _plinth(site: Site, plot: Plot, surface: Surface) -> None:
    """Stone at the foot, which also covers the seam between wall and ground."""
    faces = plot.exposed - {BACK}
    left, right = (0.05 if LEFT in faces else 0.0), (0.05 if RIGHT in faces else 0.0)
    low, high = (plot.x0 - left, plot.y0 - 0.05, KERB - 0.02), (plot.x1 + right, plot.y0 + 0.3, KERB + 0.45)
    site.mesh.box(low, high, surface, (FRONT, LEFT, RIGHT, TOP))


def _awnings(site: Site, plot: Plot, instance: int) -> None:
    """Cloth over shop windows, two bays each; `uv` in metres along the front."""
    surface = Surface(Material.AWNING, 3, instance)
    count = bays(plot.x1 - plot.x0)
    bay = (plot.x1 - plot.x0) / count
    out, top, foot = 1.35, KERB + 3.15, KERB + 2.65
    starts = range(0, count - 1, 2) if count > 1 else range(1)
    for start in starts:
        if not site.chance(0.8):
            continue
        x0, x1 = plot.x0 + start * bay + 0.2, plot.x0 + min(start + 2, count) * bay - 0.2
        y0, y1 = plot.y0, plot.y0 - out
        cloth = [(x0, y1, foot), (x1, y1, foot), (x1, y0, top), (x0, y0, top)]
        valance = [(x0, y1, foot - 0.25), (x1, y1, foot - 0.25), (x1, y1, foot), (x0, y1, foot)]
        wide = x1 - x0
        site.mesh.quads(
            [cloth, valance],
            surface,
            [[(0, 0.25), (wide, 0.25), (wide, 1.7), (0, 1.7)], [(0, 0), (wide, 0), (wide, 0.25), (0, 0.25)]],
        )
        for x in (x0, x1):
            site.mesh.polygon([(x, y1, foot), (x, y0, foot), (x, y0, top)], surface)


def _balconies(site: Site, plot: Plot, storeys: int, instance: int) -> None:
    """Slabs with railings before some bays of the storeys above the first."""
    trim = Surface(Material.TRIM, 3, instance)
    rail = Surface(Material.GLASS if site.chance(0.4) else Material.METAL, 3, instance)
    count = bays(plot.x1 - plot.x0)
    bay = (plot.x1 - plot.x0) / count
    first, step = int(site.rng.integers(0, 2)), int(site.rng.integers(2, 4))
    out, y = 1.0, plot.y0
    for storey in range(2, storeys):
        z = floor_height(storey)
        for k in range(first, count, step):
            x0, x1 = plot.x0 + k * bay + 0.2, plot.x0 + (k + 1) * bay - 0.2
            site.mesh.box((x0, y - out, z - 0.12), (x1, y, z + 0.04), trim, (FRONT, LEFT, RIGHT, TOP, BOTTOM))
            site.mesh.box((x0, y - out, z + 0.14), (x1, y, z + 0.95), rail, (FRONT, LEFT, RIGHT))


def _oriel(site: Site, plot: Plot, storeys: int, facade: Surface, trim: Surface) -> None:
    """A bay that stands out from the front, from the first storey to below the last."""
    count = bays(plot.x1 - plot.x0)
    bay = (plot.x1 - plot.x0) / count
    top = max(2, storeys - int(site.rng.integers(0, 2)))
    z0, z1, out = floor_height(1), floor_height(top), 0.8
    columns = {count // 2} if count < 4 else {1, count - 2}
    for k in columns:
        x0, x1, y = plot.x0 + k * bay + 0.12, plot.x0 + (k + 1) * bay - 0.12, plot.y0 - out
        front = [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]
        site.mesh.quad(front, facade, [(k, 0), (k + 1, 0), (k + 1, top - 1), (k, top - 1)])
        site.mesh.box((x0, y, z0), (x1, plot.y0, z1), trim, (LEFT, RIGHT))
        site.mesh.box((x0 - 0.1, y - 0.1, z0 - 0.3), (x1 + 0.1, plot.y0, z0), trim, (FRONT, LEFT, RIGHT, TOP, BOTTOM))
        site.mesh.box((x0 - 0.1, y - 0.1, z1), (x1 + 0.1, plot.y0, z1 + 0.3), trim, (FRONT, LEFT, RIGHT, TOP, BOTTOM))


def _pilasters(site: Site, plot: Plot, storeys: int, trim: Surface) -> None:
    """Upright strips of stone between groups of bays."""
    count = bays(plot.x1 - plot.x0)
    bay = (plot.x1 - plot.x0) / count
    step = 1 if count <= 3 else 2
    for k in range(0, count + 1, step):
        x = float(np.clip(plot.x0 + k * bay, plot.x0 + 0.16, plot.x1 - 0.16))
        low, high = (x - 0.16, plot.y0 - 0.14, floor_height(1)), (x + 0.16, plot.y0, floor_height(storeys))
        site.mesh.box(low, high, trim, (FRONT, LEFT, RIGHT))
