"""What lies between the streets: terraces round a court, cottages, parks, squares, car parks, a church."""

from __future__ import annotations

from math import cos, hypot, pi, sin

from . import furniture, plants
from .buildings import Plot, house
from .cars import BODIES
from .church import church
from .meshes import BACK, FRONT, LEFT, RIGHT, Surface
from .plan import BLOCK_HALF, BLOCKS, KERB
from .scene import Material
from .site import Site

GRASS = Surface(Material.GRASS, 10)
PAVING = Surface(Material.SIDEWALK, 2)
ASPHALT = Surface(Material.ROAD, 1)
WATER = Surface(Material.WATER, 10)
LIFT = 0.03
"""Metres that a path lies above its lawn, so that the two never flicker."""
CORNER = 12.0
"""Depth of the houses on corners."""
_ALL = frozenset((FRONT, BACK, LEFT, RIGHT))


def kinds(site: Site) -> list[str]:
    """What each of the town's blocks is, in the order of their chunks."""
    special = ["park"] * 5 + ["square"] * 2 + ["church"] + ["car park"] * 2 + ["cottages"] * 7
    rest = ["low", "middle", "middle", "high"]
    filled = special + [rest[k % 4] for k in range(BLOCKS * BLOCKS - len(special))]
    return [filled[k] for k in site.rng.permutation(len(filled))]


def block(site: Site, x: float, y: float, kind: str) -> None:
    """The block about (x, y), from sidewalk to sidewalk."""
    site.mesh.stand(x, y, 0.0)
    if kind in _TERRACES:
        _terraces(site, x, y, kind)
    else:
        {"park": _park, "square": _square, "church": _church, "car park": _car_park, "cottages": _cottages}[kind](
            site, x, y
        )


def _ground(site: Site, surface: Surface, half: float = BLOCK_HALF, lift: float = 0.0) -> None:
    z = KERB + lift
    site.mesh.quad([(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)], surface)


def _strip(site: Site, x0: float, y0: float, x1: float, y1: float, surface: Surface, lift: float = LIFT) -> None:
    z = KERB + lift
    site.mesh.quad([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], surface)


# For each kind of terraces: fewest and most storeys, and its roofs.
_TERRACES: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "low": (2, 4, ("gable", "gable", "mansard", "flat")),
    "middle": (3, 6, ("flat", "flat", "mansard", "gable")),
    "high": (5, 9, ("flat",)),
}


def _terraces(site: Site, x: float, y: float, kind: str) -> None:
    """Houses wall to wall round a green court. Each side owns the corner where it begins."""
    fewest, most, roofs = _TERRACES[kind]
    rng = site.rng
    _ground(site, PAVING)
    _ground(site, GRASS, BLOCK_HALF - CORNER - 1.0, LIFT)
    for _ in range(int(rng.integers(1, 5))):
        plants.tree(site, rng.uniform(-7, 7), rng.uniform(-7, 7), plants.ROUND, rng.uniform(0.8, 1.1))
    for side in range(4):
        site.mesh.stand(x, y, side * pi / 2)
        start, end, front = -BLOCK_HALF, BLOCK_HALF - CORNER, -BLOCK_HALF
        first = True
        while end - start > 0.5:
            wide = float(rng.uniform(11.5, 15.0) if first else rng.uniform(6.0, 13.0))
            if end - start - wide < 6.0:
                wide = end - start
            storeys = int(rng.integers(fewest, most + 1))
            roof = str(rng.choice(roofs)) if storeys <= 5 else "flat"
            if first:
                storeys = min(storeys + 1, 9)
                roof = "hip" if roof == "gable" else roof
                plot = Plot(start, front, start + wide, front + CORNER, frozenset((FRONT, LEFT, BACK)))
                house(site, plot, storeys, roof)
            elif site.chance(0.07):
                _gap(site, start, start + wide)
            else:
                setback = float(rng.choice([0.0, 0.0, 0.0, 0.5, 1.1]))
                deep = float(rng.uniform(10.0, CORNER))
                plot = Plot(start, front + setback, start + wide, front + deep, frozenset((FRONT, BACK)))
                house(site, plot, storeys, roof)
            start, first = start + wide, False


def _gap(site: Site, x0: float, x1: float) -> None:
    """A yard between two houses, behind a fence."""
    front = -BLOCK_HALF
    furniture.fence(site, [(x0, front + 0.3), (x1, front + 0.3)], 1.8)
    _strip(site, x0, front + 0.3, x1, front + CORNER + 1.0, GRASS)
    plants.tree(site, (x0 + x1) / 2, front + 5.0, plants.WIDE, 0.9)


def _cottages(site: Site, x: float, y: float) -> None:
    """Small houses in their gardens, behind hedges and fences."""
    rng = site.rng
    _ground(site, GRASS)
    front = -BLOCK_HALF
    for side in range(4):
        site.mesh.stand(x, y, side * pi / 2)
        hedged = site.chance(0.5)
        start = front
        for lot in range(2):
            wide = BLOCK_HALF - 7.0 + (1.0 if lot == 0 else -1.0)
            x0 = start + 2.2 + rng.uniform(0, 1.2)
            x1 = x0 + rng.uniform(9.0, 10.5)
            y0 = front + 4.2 + rng.uniform(0, 1.5)
            plot = Plot(x0, y0, x1, y0 + rng.uniform(7.5, 8.5), _ALL)
            house(site, plot, 2, str(rng.choice(["gable", "hip", "gable"])), dwelling=True)
            door = x0 + 1.5 * (x1 - x0) / 3
            _strip(site, door - 0.7, front, door + 0.7, y0, PAVING)
            _boundary(site, start + 0.1, door - 0.8, hedged)
            _boundary(site, door + 0.8, start + wide, hedged)
            if site.chance(0.8):
                plants.tree(site, x1 + 2.4, front + 2.6, int(rng.choice(plants.PARK_TREES)), rng.uniform(0.65, 0.85))
            for _ in range(2):
                plants.bush(site, rng.uniform(x0, door - 1.6), y0 - 1.0, rng.uniform(0.6, 0.9))
            start += wide
        _boundary(site, start, BLOCK_HALF - 0.1, hedged)
    site.mesh.stand(x, y, 0.0)
    for _ in range(4):
        kind = int(rng.choice(plants.PARK_TREES))
        plants.tree(site, rng.uniform(-6, 6), rng.uniform(-6, 6), kind, rng.uniform(0.8, 1.1))


def _boundary(site: Site, x0: float, x1: float, hedged: bool) -> None:
    if x1 - x0 < 0.4:
        return
    if hedged:
        plants.hedge(site, (x0, -BLOCK_HALF + 0.1), (x1, -BLOCK_HALF + 0.8), float(site.rng.uniform(0.9, 1.3)))
    else:
        furniture.fence(site, [(x0, -BLOCK_HALF + 0.2), (x1, -BLOCK_HALF + 0.2)], 0.95)


def _circle(radius: float, count: int = 16) -> list[tuple[float, float]]:
    return [(radius * cos(2 * pi * k / count), radius * sin(2 * pi * k / count)) for k in range(count)]


def _ring(site: Site, inner: float, outer: float, z: float, surface: Surface) -> None:
    a, b = _circle(inner), _circle(outer)
    n = len(a)
    site.mesh.quads(
        [[(*b[k], z), (*b[(k + 1) % n], z), (*a[(k + 1) % n], z), (*a[k], z)] for k in range(n)],
        surface,
    )


def _pond(site: Site, radius: float) -> None:
    """Water in a low stone rim."""
    site.mesh.polygon([(*p, KERB + 0.06) for p in _circle(radius)], WATER)
    _basin(site, radius, 0.12, Surface(Material.KERB, 2))


def _basin(site: Site, radius: float, high: float, stone: Surface) -> None:
    """A round wall 0.4 m thick."""
    top = KERB + high
    site.mesh.tube((0, 0), (KERB - 0.02, top), (radius + 0.4,) * 2, stone, sides=16)
    site.mesh.tube((0, 0), (KERB, top), (radius,) * 2, stone, sides=16)
    _ring(site, radius, radius + 0.4, top, stone)


def _park(site: Site, x: float, y: float) -> None:
    """Lawns, trees, paths to a pond in the middle, benches, a hedge or a fence round it."""
    rng = site.rng
    _ground(site, GRASS)
    radius = float(rng.uniform(5.5, 8.0))
    walk = radius + 0.4
    _pond(site, radius)
    _ring(site, walk - 0.05, walk + 2.2, KERB + LIFT, PAVING)
    site.solid("a pond", 0.0, 0.0, (0.8 * radius, 0.8 * radius))
    hedged = site.chance(0.5)
    for side in range(4):
        site.mesh.stand(x, y, side * pi / 2)
        _strip(site, -1.4, -BLOCK_HALF, 1.4, -walk - 1.8, PAVING, LIFT + 0.012)
        for x0, x1 in ((-BLOCK_HALF + 0.1, -1.8), (1.8, BLOCK_HALF - 0.8)):
            _boundary(site, x0, x1, hedged)
        for sign in (-1, 1):
            furniture.bench(site, 2.1 * sign, -walk - 4.5, sign * pi / 2)
        furniture.street_lamp(site, 2.2, -BLOCK_HALF + 4.0)
        for _ in range(6):
            tx, ty = rng.uniform(3.6, BLOCK_HALF - 2.5) * rng.choice([-1, 1]), rng.uniform(-BLOCK_HALF + 2.5, -3.6)
            if hypot(tx, ty) > walk + 4.0:
                plants.tree(site, tx, ty, int(rng.choice(plants.PARK_TREES)), rng.uniform(0.85, 1.25))
        for _ in range(3):
            bx, by = rng.uniform(-20, 20), rng.uniform(-BLOCK_HALF + 2.0, -3.0)
            if hypot(bx, by) > walk + 3.4 and abs(bx) > 3.2:
                plants.bush(site, bx, by, rng.uniform(0.8, 1.5))


def _square(site: Site, x: float, y: float) -> None:
    """A paved square: a fountain, rows of trees, benches, bollards and a kiosk."""
    _ground(site, PAVING)
    instance = site.instance()
    stone = Surface(Material.TRIM, 3, instance)
    _basin(site, 4.2, 0.55, stone)
    site.mesh.polygon([(*p, KERB + 0.42) for p in _circle(4.2)], WATER)
    site.mesh.tube((0, 0), (KERB, 1.0, 1.2, 3.6, 3.9), (0.9, 0.75, 0.4, 0.28, 0.6), stone, sides=8, cap=True)
    site.mesh.tube((0, 0), (1.5, 1.75), (0.4, 1.7), stone, sides=10)
    site.mesh.polygon([(*p, 1.74) for p in _circle(1.6, 10)], WATER)
    site.solid("a fountain", 0.0, 0.0, (4.2, 4.2))
    kind = int(site.rng.choice([plants.ROUND, plants.LIME]))
    for side in range(4):
        site.mesh.stand(x, y, side * pi / 2)
        for tx in (-16.0, -9.5, 9.5):
            plants.tree(site, tx, -16.0, kind, site.rng.uniform(0.9, 1.05))
        for bx in (-4.0, 4.0):
            furniture.bench(site, bx, -9.0)
        for k in range(7):
            furniture.bollard(site, -18.0 + 6.0 * k, -BLOCK_HALF + 0.5)
        furniture.street_lamp(site, 0.0, -19.0)
    site.mesh.stand(x, y, 0.0)
    house(site, Plot(8.0, 8.0, 14.0, 14.0, _ALL), 1, "hip", dwelling=True)


def _church(site: Site, x: float, y: float) -> None:
    """A church with its tower on a green, seen from far away."""
    _ground(site, GRASS)
    _strip(site, -BLOCK_HALF, -1.6, -12.5, 1.6, PAVING)
    church(site)
    for side in range(4):
        site.mesh.stand(x, y, side * pi / 2)
        for x0, x1 in ((-BLOCK_HALF + 0.1, -2.4), (2.4, BLOCK_HALF - 0.8)):
            plants.hedge(site, (x0, -BLOCK_HALF + 0.1), (x1, -BLOCK_HALF + 0.7), 0.7)
        for tx in (-19.0, -13.0, 13.0):
            plants.tree(site, tx, -18.5, int(site.rng.choice(plants.PARK_TREES)), site.rng.uniform(0.9, 1.2))


def _car_park(site: Site, x: float, y: float) -> None:
    """Asphalt with rows of cars behind a low hedge, and a way in on two sides."""
    rng = site.rng
    _ground(site, ASPHALT)
    for side in range(4):
        site.mesh.stand(x, y, side * pi / 2)
        ways = ((-BLOCK_HALF + 0.1, -4.0), (4.0, BLOCK_HALF - 0.9)) if side % 2 else ((-BLOCK_HALF, BLOCK_HALF - 0.9),)
        for x0, x1 in ways:
            plants.hedge(site, (x0, -BLOCK_HALF + 0.1), (x1, -BLOCK_HALF + 0.9), 0.8)
        plants.tree(site, -20.5, -20.5, plants.ROUND, 1.0)
    site.mesh.stand(x, y, 0.0)
    for row, y0 in enumerate((-17.5, -6.5, 6.5, 17.5)):
        for k in range(12):
            x0 = -15.4 + 2.8 * k
            if site.chance(0.6):
                body = int(rng.choice(len(BODIES), p=[0.34, 0.3, 0.12, 0.24]))
                half = (BODIES[body].length / 2, BODIES[body].width / 2)
                heading = pi / 2 if (row % 2) ^ site.chance(0.3) else -pi / 2
                site.park(body, x0, y0 + rng.uniform(-0.2, 0.2), heading + rng.normal() * 0.02, half, KERB)
    for lx in (-17.6, 17.6):
        furniture.street_lamp(site, lx, -1.0)
