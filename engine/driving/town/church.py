"""A church with its tower: a landmark to find one's way by."""

from __future__ import annotations

from .buildings import Plot
from .meshes import BACK, BOTTOM, FRONT, LEFT, RIGHT, TOP, Surface
from .plan import KERB
from .roofs import gable
from .scene import Material
from .site import Site

_NAVE_HEIGHT = 8.0
_TOWER_HEIGHT = 21.0
_SPIRE = 14.0


def church(site: Site) -> None:
    """A nave 24 m long with the tower at its end towards -x, about the origin of the present frame."""
    instance = site.instance()
    stone, roof = Surface(Material.TRIM, 3, instance), Surface(Material.ROOF, 3, instance)
    glass, wood = Surface(Material.GLASS, 3, instance), Surface(Material.TRUNK, 3, instance)
    mesh, around = site.mesh, (FRONT, BACK, LEFT, RIGHT)
    nave = Plot(-7.0, -5.5, 17.0, 5.5, frozenset((FRONT, BACK, RIGHT)))
    mesh.box((nave.x0, nave.y0, KERB - 0.02), (nave.x1, nave.y1, KERB + _NAVE_HEIGHT), stone, around)
    gable(site, nave, KERB + _NAVE_HEIGHT, instance, bare=True)
    site.solid("a church", 5.0, 0.0, (12.0, 5.5))
    for side in (-1, 1):
        for k in range(5):
            x, wall = -4.2 + 4.6 * k, 5.5 * side
            _window(site, x, wall, side, 2.2, 6.6, glass)
            # A buttress beside each window.
            y0, y1 = sorted((wall, wall + 0.8 * side))
            mesh.box((x + 1.9, y0, KERB - 0.02), (x + 2.7, y1, KERB + 5.8), stone)
    x, half = -10.0, 3.0
    top = KERB + _TOWER_HEIGHT
    mesh.box((x - half, -half, KERB - 0.02), (x + half, half, top), stone, around)
    for z in (8.0, 15.0, _TOWER_HEIGHT - 0.3):
        low, high = (x - half - 0.2, -half - 0.2, KERB + z), (x + half + 0.2, half + 0.2, KERB + z + 0.45)
        mesh.box(low, high, stone, (*around, TOP, BOTTOM))
    for side in (-1, 1):
        for across in (-1.1, 1.1):
            _window(site, x + across, half * side, side, 16.2, 19.6, wood)
            _opening(site, across, x + half * side, side, 16.2, 19.6, wood)
    _opening(site, 0.0, x - half, -1, 0.0, 3.4, wood, 1.1)
    foot = top + 0.15
    ring = [(x - half - 0.2, -half - 0.2), (x + half + 0.2, -half - 0.2), (x + half + 0.2, half + 0.2)]
    ring.append((x - half - 0.2, half + 0.2))
    for k in range(4):
        mesh.polygon([(*ring[k], foot), (*ring[(k + 1) % 4], foot), (x, 0.0, foot + _SPIRE)], roof)
    site.solid("a church", x, 0.0, (half, half))


def _window(site: Site, x: float, wall: float, side: int, low: float, high: float, surface: Surface) -> None:
    """A pointed window in a wall that faces +y (`side` 1) or -y."""
    y, half = wall + 0.04 * side, 0.65
    shape = [(x - half, low), (x + half, low), (x + half, high - 0.9), (x, high), (x - half, high - 0.9)]
    points = [(a, y, KERB + z) for a, z in shape]
    site.mesh.polygon(points if side < 0 else points[::-1], surface)


def _opening(
    site: Site, y: float, wall: float, side: int, low: float, high: float, surface: Surface, half: float = 0.65
) -> None:
    """The same in a wall that faces +x (`side` 1) or -x."""
    x = wall + 0.04 * side
    shape = [(y - half, low), (y + half, low), (y + half, high - 0.9), (y, high), (y - half, high - 0.9)]
    points = [(x, a, KERB + z) for a, z in shape]
    site.mesh.polygon(points if side > 0 else points[::-1], surface)
