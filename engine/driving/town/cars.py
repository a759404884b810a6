"""Cars as meshes: saloon, hatchback, van and estate, lofted through cross-sections; x forward, wheels on the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, pi, sin

import numpy as np

from .meshes import BACK, BOTTOM, FRONT, LEFT, RIGHT, TOP, Floats, MeshBuilder, Surface
from .scene import Material, Mesh
from .town import Body

PAINT = Surface(Material.PAINT, 14)
GLASS = Surface(Material.GLASS, 14)
BLACK = Surface(Material.TYRE, 14)
HUB = Surface(Material.HUB, 14)
PLATE = Surface(Material.TRIM, 14)
HEADLIGHT = Surface(Material.HEADLIGHT, 14)
TAILLIGHT = Surface(Material.TAILLIGHT, 14)
_SIDES = (1.0, -1.0)


@dataclass(frozen=True)
class Design:
    """The measures of one body style, metres; heights from the ground, lengths from the car's middle."""

    body: Body
    stations: tuple[tuple[float, float, float, float], ...]
    """Cross-sections from tail to nose: x, height of the deck, half width, height of the sill."""
    cabin: tuple[float, float, float, float]
    """Where the rear window starts below, where above, where the windscreen ends above, where below."""
    belt: float
    """Height where the windows begin."""
    roof: float
    glazing: tuple[tuple[float, float], ...]
    """Side windows, as parts of the cabin's length from the rear (0) to the front (1)."""
    axles: tuple[float, float]
    wheel: float
    """Radius."""
    lights: tuple[float, float, float, float]
    """Lower and upper edge of the head lights, then of the tail lights."""
    lean: float = 0.17
    """How far the side windows lean in."""
    rails: bool = False


_SALOON = Design(
    Body("saloon", 4.5, 1.82),
    (
        (-2.25, 0.72, 0.74, 0.40),
        (-2.20, 0.94, 0.82, 0.32),
        (-1.95, 0.99, 0.89, 0.24),
        (-1.35, 0.97, 0.91, 0.20),
        (0.85, 0.93, 0.91, 0.20),
        (1.45, 0.88, 0.91, 0.20),
        (1.90, 0.80, 0.88, 0.22),
        (2.15, 0.71, 0.80, 0.28),
        (2.25, 0.58, 0.70, 0.34),
    ),
    cabin=(-1.75, -1.05, 0.20, 1.02),
    belt=0.92,
    roof=1.42,
    glazing=((0.17, 0.49), (0.53, 0.90)),
    axles=(-1.34, 1.40),
    wheel=0.32,
    lights=(0.55, 0.70, 0.70, 0.88),
)
_HATCHBACK = Design(
    Body("hatchback", 3.95, 1.76),
    (
        (-1.97, 0.70, 0.76, 0.40),
        (-1.93, 0.94, 0.82, 0.32),
        (-1.72, 0.98, 0.87, 0.24),
        (-1.22, 0.96, 0.88, 0.20),
        (0.85, 0.95, 0.88, 0.20),
        (1.25, 0.91, 0.88, 0.20),
        (1.65, 0.83, 0.85, 0.22),
        (1.88, 0.73, 0.77, 0.28),
        (1.97, 0.58, 0.68, 0.34),
    ),
    cabin=(-1.86, -1.50, 0.16, 0.98),
    belt=0.94,
    roof=1.49,
    glazing=((0.13, 0.44), (0.48, 0.89)),
    axles=(-1.20, 1.24),
    wheel=0.31,
    lights=(0.56, 0.74, 0.68, 0.90),
)
_VAN = Design(
    Body("van", 4.9, 1.96),
    (
        (-2.45, 0.90, 0.92, 0.40),
        (-2.43, 1.16, 0.95, 0.32),
        (-2.20, 1.16, 0.97, 0.24),
        (-1.50, 1.15, 0.98, 0.22),
        (1.35, 1.10, 0.98, 0.22),
        (1.70, 1.06, 0.97, 0.22),
        (2.10, 0.96, 0.94, 0.24),
        (2.36, 0.82, 0.86, 0.28),
        (2.45, 0.62, 0.78, 0.34),
    ),
    cabin=(-2.42, -2.34, 0.80, 1.78),
    belt=1.10,
    roof=2.02,
    glazing=((0.62, 0.91),),
    axles=(-1.52, 1.58),
    wheel=0.34,
    lights=(0.66, 0.86, 0.80, 1.12),
    lean=0.13,
)
_ESTATE = Design(
    Body("estate", 4.6, 1.90),
    (
        (-2.30, 0.80, 0.80, 0.46),
        (-2.26, 1.05, 0.88, 0.38),
        (-2.05, 1.07, 0.93, 0.30),
        (-1.42, 1.05, 0.95, 0.27),
        (0.85, 1.03, 0.95, 0.27),
        (1.45, 0.99, 0.95, 0.27),
        (1.92, 0.93, 0.92, 0.29),
        (2.20, 0.83, 0.84, 0.34),
        (2.30, 0.66, 0.74, 0.40),
    ),
    cabin=(-2.20, -1.82, 0.22, 1.04),
    belt=1.02,
    roof=1.66,
    glazing=((0.10, 0.29), (0.32, 0.57), (0.60, 0.91)),
    axles=(-1.40, 1.44),
    wheel=0.37,
    lights=(0.66, 0.82, 0.78, 1.01),
    rails=True,
)
_DESIGNS = (_SALOON, _HATCHBACK, _VAN, _ESTATE)
BODIES = tuple(design.body for design in _DESIGNS)
"""The styles, in the order of `car_meshes`; the first is the driver's."""


def car_meshes(far: bool = False) -> tuple[Mesh, ...]:
    """One mesh for each of BODIES; `far`: as simple as one sees them from 50 metres."""
    return tuple(_far_car(design) if far else _car(design) for design in _DESIGNS)


def _car(design: Design) -> Mesh:
    car = MeshBuilder()
    _hull(car, design)
    _cabin(car, design)
    for x in design.axles:
        for side in _SIDES:
            _wheel(car, design, x, side)
    _ends(car, design)
    return car.mesh()


def _far_car(design: Design) -> Mesh:
    """Without plates and bumpers, on wheels of six corners."""
    car = MeshBuilder()
    simple = replace(design, stations=tuple(design.stations[k] for k in (0, 2, 4, 6, 8)), rails=False)
    _hull(car, simple)
    _cabin(car, simple)
    nose, tail = design.stations[-1], design.stations[0]
    low, high, tail_low, tail_high = design.lights
    for side in _SIDES:
        for x in design.axles:
            rim = [(design.wheel * cos(k * pi / 3), design.wheel * (1 + sin(k * pi / 3))) for k in range(6)]
            disc = [(x + along, side * (design.body.width / 2 + 0.012), up) for along, up in rim]
            car.polygon(disc if side < 0 else disc[::-1], BLACK)
        y0, y1 = sorted((side * 0.58 * nose[2], side * 1.04 * nose[2]))
        car.box((nose[0] - 0.30, y0, low), (nose[0] - 0.03, y1, high), HEADLIGHT, (RIGHT, BACK if side > 0 else FRONT))
        y0, y1 = sorted((side * 0.62 * tail[2], side * 1.05 * tail[2]))
        lamp = (tail[0] - 0.012, y0, tail_low), (tail[0] + 0.16, y1, tail_high)
        car.box(*lamp, TAILLIGHT, (LEFT, BACK if side > 0 else FRONT))
    return car.mesh()


def _hull(car: MeshBuilder, design: Design) -> None:
    """The body below the windows, through the cross-sections."""
    rings = []
    for x, deck, half, sill in design.stations:
        side = [(0.93 * half, sill), (half, sill + 0.16), (half, deck - 0.20), (0.955 * half, deck - 0.05)]
        side.append((0.80 * half, deck))
        rings.append([(x, -y, z) for y, z in side] + [(x, y, z) for y, z in side[::-1]])
    points = np.array(rings)
    here, ahead = points[:-1], points[1:]
    # Seen from the right flank (-y), x runs to the right: lower edge forward, then up.
    faces = np.stack([here[:, :-1], ahead[:, :-1], ahead[:, 1:], here[:, 1:]], 2)
    lower = faces[:, [0, -1]].reshape(-1, 4, 3)
    car.quads(faces[:, 1:-1].reshape(-1, 4, 3), PAINT)
    car.quads(lower, BLACK)
    car.polygon(points[0][::-1], PAINT)
    car.polygon(points[-1], PAINT)
    x0, x1 = design.stations[2][0], design.stations[-3][0]
    half = design.body.width / 2 * 0.86
    car.box((x0, -half, 0.17), (x1, half, 0.45), BLACK, (BOTTOM,))


def _patch(corners: Floats, s: Floats, t: Floats) -> Floats:
    """Points of the bilinear patch [4, 3] (from, to, to above, from above) at `s` along and `t` up: [s, t, 3]."""
    a, b, c, d = corners
    u, v = s[:, None, None], t[None, :, None]
    return (1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d


def _cells(car: MeshBuilder, grid: Floats, glazed: set[tuple[int, int]]) -> None:
    """The cells of a grid of points [s, t, 3], some of them of glass."""
    quads = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], 2)
    glass = np.zeros(quads.shape[:2], bool)
    for cell in glazed:
        glass[cell] = True
    for chosen, surface in ((glass, GLASS), (~glass, PAINT)):
        if chosen.any():
            car.quads(quads[chosen], surface)


def _cabin(car: MeshBuilder, design: Design) -> None:
    """Windows between pillars, and the roof, a little domed."""
    rear_low, rear_high, front_high, front_low = design.cabin
    wide = design.body.width / 2 * 0.93
    narrow, crown = wide - design.lean, 0.05
    low, high = design.belt, design.roof - crown
    edges = np.array(sorted({0.0, 1.0, *(s for window in design.glazing for s in window)}))
    panes = {(int(np.searchsorted(edges, start)), 0) for start, _ in design.glazing}
    rows = np.array([0.0, 0.86, 1.0])
    for side in _SIDES:
        corners = np.array(
            [
                (rear_low, -side * wide, low),
                (front_low, -side * wide, low),
                (front_high, -side * narrow, high),
                (rear_high, -side * narrow, high),
            ]
        )
        grid = _patch(corners, edges, rows)
        # On the left flank the patch is seen from behind.
        _cells(car, grid if side > 0 else grid[::-1], panes if side > 0 else _mirrored(panes, len(edges) - 1))
    across = np.array([-1.0, -0.9, 0.9, 1.0])
    dome = np.array([0.0, crown, crown, 0.0])

    def edge(x: float, half: float, z: float, domed: bool) -> Floats:
        return np.stack([np.full(4, x), across * half, z + (dome if domed else 0 * dome)], 1)

    roof_rear, roof_front = edge(rear_high, narrow, high, True), edge(front_high, narrow, high, True)
    sill_rear, sill_front = edge(rear_low, wide, low, False), edge(front_low, wide, low, False)
    tail_glass = {(1, 0)}
    _cells(car, _between(sill_rear[::-1], roof_rear[::-1], (0.0, 0.12, 0.88, 1.0)), {(1, 1)})
    _cells(car, _between(sill_front, roof_front, (0.0, 0.93, 1.0)), tail_glass)
    _cells(car, _between(roof_front, roof_rear, (0.0, 0.5, 1.0)), set())
    if design.rails:
        for side in _SIDES:
            y = side * narrow * 0.93
            start, end = (
                (rear_high + 0.1, y - 0.025, design.roof - 0.02),
                (front_high - 0.15, y + 0.025, design.roof + 0.05),
            )
            car.box(start, end, BLACK)
    x = front_low - 0.24
    for side in _SIDES:
        y0, y1 = sorted((side * (wide - 0.02), side * (wide + 0.19)))
        start, end = (x - 0.07, y0, low + 0.03), (x + 0.07, y1, low + 0.18)
        car.box(start, end, PAINT, (FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM))


def _mirrored(panes: set[tuple[int, int]], count: int) -> set[tuple[int, int]]:
    return {(count - 1 - s, t) for s, t in panes}


def _between(low: Floats, high: Floats, at: tuple[float, ...]) -> Floats:
    """Points between two edges [n, 3], `at` parts of the way: [n, len(at), 3]."""
    t = np.array(at)[None, :, None]
    return low[:, None] * (1 - t) + high[:, None] * t


def _wheel(car: MeshBuilder, design: Design, x: float, side: float) -> None:
    """A wheel in its dark arch; `side` 1: left."""
    radius, flank = design.wheel, design.body.width / 2
    turn = np.arange(13) * (2 * pi / 12)

    def circle(r: float, y: float) -> Floats:
        return np.stack([x + r * np.cos(turn), np.full(13, side * y), radius + r * np.sin(turn)], 1)

    def ring(outer: Floats, inner: Floats) -> Floats:
        faces = np.stack([outer[:-1], outer[1:], inner[1:], inner[:-1]], 1)
        return faces if side < 0 else faces[:, ::-1]

    arch = [(x + 1.22 * radius * cos(a), side * (flank + 0.004), radius + 1.22 * radius * sin(a)) for a in _arch()]
    car.polygon(arch if side < 0 else arch[::-1], BLACK)
    tread, wall, hub = circle(radius, flank - 0.2), circle(radius, flank + 0.012), circle(0.56 * radius, flank + 0.016)
    car.quads(ring(tread, wall), BLACK)
    car.quads(ring(wall, hub), BLACK)
    rim = hub[:-1] if side < 0 else hub[:-1][::-1]
    car.polygon(rim, HUB, uv=np.stack([rim[:, 0] - x, rim[:, 2] - radius], 1))


def _arch() -> list[float]:
    """Angles of a wheel arch, from a little below the axle on one side to the other."""
    return [-0.45 + k * (pi + 0.9) / 12 for k in range(13)]


def _ends(car: MeshBuilder, design: Design) -> None:
    """Lamps, plates, bumpers and the grille."""
    nose, tail = design.stations[-1], design.stations[0]
    low, high, tail_low, tail_high = design.lights
    around = (FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM)
    for side in _SIDES:
        y0, y1 = sorted((side * 0.58 * nose[2], side * 1.04 * nose[2]))
        car.box((nose[0] - 0.30, y0, low), (nose[0] - 0.03, y1, high), HEADLIGHT, around)
        y0, y1 = sorted((side * 0.62 * tail[2], side * 1.05 * tail[2]))
        car.box((tail[0] - 0.012, y0, tail_low), (tail[0] + 0.16, y1, tail_high), TAILLIGHT, around)
    car.box((nose[0] - 0.1, -0.5, nose[3] + 0.02), (nose[0] + 0.012, 0.5, nose[3] + 0.13), BLACK, around)
    car.box((tail[0] - 0.012, -0.62, tail[3] - 0.02), (tail[0] + 0.1, 0.62, tail[3] + 0.10), BLACK, around)
    middle = tail_low - 0.06
    car.box((tail[0] - 0.02, -0.26, middle - 0.06), (tail[0] + 0.05, 0.26, middle + 0.06), PLATE, around)
    car.box((nose[0] - 0.05, -0.26, nose[3] + 0.03), (nose[0] + 0.02, 0.26, nose[3] + 0.14), PLATE, around)
