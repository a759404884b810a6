"""Roofs: flat with a parapet, gabled, hipped, mansard; with chimneys, dormers and stairheads."""

from __future__ import annotations

from typing import Protocol

from .meshes import BACK, BOTTOM, FRONT, LEFT, RIGHT, TOP, Surface
from .scene import Material
from .site import Site

PARAPET = 0.75
CORNICE = 0.32
"""How far a cornice stands out over a street."""
EAVES = 0.45


class Outline(Protocol):
    """What a roof has to know of a house (see `buildings.Plot`)."""

    @property
    def x0(self) -> float: ...
    @property
    def y0(self) -> float: ...
    @property
    def x1(self) -> float: ...
    @property
    def y1(self) -> float: ...
    @property
    def exposed(self) -> frozenset[int]: ...


def _surfaces(instance: int) -> tuple[Surface, Surface]:
    return Surface(Material.ROOF, 3, instance), Surface(Material.TRIM, 3, instance)


def _overhang(plot: Outline, out: float) -> tuple[float, float, float, float]:
    """The outline widened by `out` where nobody builds against it."""
    return (
        plot.x0 - (out if LEFT in plot.exposed else 0.0),
        plot.y0 - out,
        plot.x1 + (out if RIGHT in plot.exposed else 0.0),
        plot.y1 + (out if BACK in plot.exposed else 0.0),
    )


def terrace(site: Site, plot: Outline, z: float, instance: int, low: bool = False) -> None:
    """A flat roof behind a parapet whose cornice stands out; `low`: a storey stands on it, so nothing else does."""
    roof, trim = _surfaces(instance)
    mesh, (x0, y0, x1, y1) = site.mesh, _overhang(plot, CORNICE)
    top, foot = z + (0.35 if low else PARAPET), z - 0.3
    mesh.box((x0, y0, foot), (x1, y1, top), trim, (FRONT, BACK, LEFT, RIGHT, BOTTOM))
    inner = (x0 + 0.55, y0 + 0.55, x1 - 0.55, y1 - 0.55)
    outer_ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    inner_ring = [(inner[0], inner[1]), (inner[2], inner[1]), (inner[2], inner[3]), (inner[0], inner[3])]
    floor = z + 0.05
    rim = []
    for k in range(4):
        a, b, c, d = outer_ring[k], outer_ring[(k + 1) % 4], inner_ring[(k + 1) % 4], inner_ring[k]
        rim.append([(*a, top), (*b, top), (*c, top), (*d, top)])
        rim.append([(*d, top), (*c, top), (*c, floor), (*d, floor)])
    mesh.quads(rim, trim)
    mesh.quad([(*p, floor) for p in inner_ring], roof)
    if low or min(x1 - x0, y1 - y0) < 7.5:
        return
    if site.chance(0.6):
        x, y = site.rng.uniform(x0 + 1.5, x1 - 4), site.rng.uniform(y0 + 3, y1 - 4)
        mesh.box((x, y, floor), (x + 2.4, y + 2.6, floor + 2.4), trim, top=roof)
    if site.chance(0.4):
        metal = Surface(Material.METAL, 3, instance)
        x, y = site.rng.uniform(x0 + 1.5, x1 - 3), site.rng.uniform(y0 + 2, y1 - 3)
        mesh.box((x, y, floor), (x + 1.3, y + 1.0, floor + 1.0), metal)


def gable(site: Site, plot: Outline, z: float, instance: int, bare: bool = False) -> None:
    """Two slopes with the ridge along the street; `bare`: nothing on them."""
    roof, trim = _surfaces(instance)
    mesh, (x0, y0, x1, y1) = site.mesh, _overhang(plot, EAVES)
    middle, pitch = (plot.y0 + plot.y1) / 2, site.rng.uniform(0.6, 0.9)
    ridge = z + pitch * (middle - plot.y0)
    front, back = z - pitch * (plot.y0 - y0), z - pitch * (y1 - plot.y1)
    mesh.quads(
        [
            [(x0, y0, front), (x1, y0, front), (x1, middle, ridge), (x0, middle, ridge)],
            [(x1, y1, back), (x0, y1, back), (x0, middle, ridge), (x1, middle, ridge)],
            # The eaves' board.
            [(x0, y0, front - 0.22), (x1, y0, front - 0.22), (x1, y0, front), (x0, y0, front)],
            [(x1, y1, back - 0.22), (x0, y1, back - 0.22), (x0, y1, back), (x1, y1, back)],
        ],
        roof,
    )
    for x, turn in ((plot.x0, 1), (plot.x1, -1)):
        mesh.polygon([(x, plot.y1, z), (x, plot.y0, z), (x, middle, ridge)][::turn], trim)
    if bare:
        return
    _chimney(site, plot, middle, ridge, trim)
    if site.chance(0.5):
        _dormers(site, plot, z, pitch, roof, trim, Surface(Material.GLASS, 3, instance))


def hip(site: Site, plot: Outline, z: float, instance: int) -> None:
    """Four slopes, for a house on a corner or alone."""
    roof, trim = _surfaces(instance)
    x0, y0, x1, y1 = _overhang(plot, EAVES)
    run = min(x1 - x0, y1 - y0) / 2
    ridge, foot = z + 0.7 * run, z - 0.1
    a, b = (x0 + run, y0 + run), (x1 - run, y1 - run)
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    # Which end of the ridge each corner's hip runs to; on a square both are one point.
    tops = [a, b, b, a] if x1 - x0 >= y1 - y0 else [a, a, b, b]
    tops = [(tx, ty) for tx, ty in tops]
    site.mesh.box((x0, y0, foot - 0.2), (x1, y1, foot), trim, (FRONT, BACK, LEFT, RIGHT, BOTTOM))
    faces = []
    for k in range(4):
        n = (k + 1) % 4
        faces.append([(*corners[k], foot), (*corners[n], foot), (*tops[n], ridge), (*tops[k], ridge)])
    site.mesh.quads(faces, roof)
    _chimney(site, plot, (y0 + y1) / 2, ridge, trim)


def mansard(site: Site, plot: Outline, z: float, instance: int) -> None:
    """A steep slope with dormers above a cornice, then a nearly flat top."""
    roof, trim = _surfaces(instance)
    mesh, (x0, y0, x1, y1) = site.mesh, _overhang(plot, CORNICE)
    mesh.box((x0, y0, z - 0.3), (x1, y1, z + 0.12), trim, (FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM))
    high, lean = 2.7, 0.9
    left, right = (lean if LEFT in plot.exposed else 0.0), (lean if RIGHT in plot.exposed else 0.0)
    low_ring = [(plot.x0, plot.y0), (plot.x1, plot.y0), (plot.x1, plot.y1), (plot.x0, plot.y1)]
    top_ring = [
        (plot.x0 + left, plot.y0 + lean),
        (plot.x1 - right, plot.y0 + lean),
        (plot.x1 - right, plot.y1 - lean),
        (plot.x0 + left, plot.y1 - lean),
    ]
    foot, top = z + 0.12, z + high
    faces = []
    for k in range(4):
        n = (k + 1) % 4
        faces.append([(*low_ring[k], foot), (*low_ring[n], foot), (*top_ring[n], top), (*top_ring[k], top)])
    faces.append([(*p, top) for p in top_ring])
    mesh.quads(faces, roof)
    glass = Surface(Material.GLASS, 3, instance)
    count = max(1, round((plot.x1 - plot.x0) / 3.0))
    bay = (plot.x1 - plot.x0) / count
    for k in range(count):
        x = plot.x0 + (k + 0.5) * bay
        _dormer(site, x, plot.y0 + 0.25, z + 0.45, 1.5, roof, trim, glass)
    _chimney(site, plot, (plot.y0 + plot.y1) / 2, top, trim)


def _dormers(site: Site, plot: Outline, z: float, pitch: float, roof: Surface, trim: Surface, glass: Surface) -> None:
    """Two or three dormers in a gabled roof's front slope."""
    count = max(1, round((plot.x1 - plot.x0) / 4.0))
    for k in range(count):
        x = plot.x0 + (k + 0.5) * (plot.x1 - plot.x0) / count
        _dormer(site, x, plot.y0 + 1.0, z + pitch * 1.0 - 0.1, 1.25, roof, trim, glass)


def _dormer(
    site: Site, x: float, y: float, z: float, high: float, roof: Surface, trim: Surface, glass: Surface
) -> None:
    """A window box 1.3 m wide whose front stands at `y`."""
    mesh, half, deep = site.mesh, 0.65, 2.4
    mesh.box((x - half, y, z), (x + half, y + deep, z + high), trim, (FRONT, LEFT, RIGHT))
    mesh.box((x - half - 0.1, y - 0.12, z + high), (x + half + 0.1, y + deep, z + high + 0.16), roof)
    front = y - 0.03
    pane = [(x - 0.45, front, z + 0.25), (x + 0.45, front, z + 0.25)]
    pane += [(x + 0.45, front, z + high - 0.12), (x - 0.45, front, z + high - 0.12)]
    mesh.quad(pane, glass)


def _chimney(site: Site, plot: Outline, y: float, ridge: float, surface: Surface) -> None:
    """Sometimes one, sometimes two stacks near the ends of the ridge."""
    for x in (plot.x0 + 1.0, plot.x1 - 1.0):
        if site.chance(0.55):
            off = y + float(site.rng.uniform(-1.2, 1.2))
            low, high = (x - 0.45, off - 0.3, ridge - 2.6), (x + 0.45, off + 0.3, ridge + 1.1)
            site.mesh.box(low, high, surface)
            site.mesh.box((x - 0.52, off - 0.37, ridge + 0.8), (x + 0.52, off + 0.37, ridge + 0.95), surface)
