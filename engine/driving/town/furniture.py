"""What stands along streets and in parks: lights, lamps, signs, shelters, benches, bins, fences."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import atan2, cos, hypot, pi, sin

from .detail import FAR, MIDDLE, NEAR
from .meshes import BACK, BOTTOM, FRONT, LEFT, RIGHT, TOP, MeshBuilder, Prefab, Surface
from .plan import KERB, ROAD_HALF
from .scene import Material
from .site import Site

MAST = ROAD_HALF + 1.0
"""From a junction's centre lines to the mast at each of its corners."""
LAMP_RADIUS = 0.17
LAMP_HEIGHTS = (3.90, 3.50, 3.10)
"""Of the red, the amber and the green lamp."""
_OCTAGON = [(cos(k * pi / 4 + pi / 8), sin(k * pi / 4 + pi / 8)) for k in range(8)]
SIGN_RADIUS = 0.42
SIGN_RIM = 0.75
"""Length of `uv` at a sign's rim: the shaders draw rings in these units."""


def traffic_light(site: Site, near_group: int, far_group: int) -> None:
    """A mast on the corner (-, -) of a junction with two heads.

    One faces who comes along +x, to whom the mast is the near right; the other who comes along -y, to whom it is the
    far right. So every approach sees its lamps twice.
    """
    pole, head = site.instance(), site.instance()
    x = y = -MAST
    metal = Surface(Material.METAL, 6, pole)
    with site.mesh.seen(NEAR):
        site.mesh.tube((x, y), (KERB, 4.35), (0.10, 0.08), metal, sides=6, cap=True)
    with site.mesh.seen(MIDDLE, FAR):
        site.mesh.tube((x, y), (KERB, 4.35), (0.10, 0.08), metal, sides=3)
    site.solid("a traffic light", x, y, (0.15, 0.15))
    _head(site, x, y, (-1.0, 0.0), near_group, head)
    _head(site, x, y, (0.0, 1.0), far_group, head)


def _head(site: Site, x: float, y: float, facing: tuple[float, float], group: int, instance: int) -> None:
    """Three lamps in a box 0.45 wide and 1.25 high, which face `facing` (a unit vector along an axis)."""
    mesh, (fx, fy) = site.mesh, facing
    box = Surface(Material.SIGNAL_BOX, 7, instance)
    # The box hangs before the mast, and sideways off it far enough that the two heads do not meet.
    cx, cy = x + 0.36 * fx, y + 0.36 * fy
    half_x, half_y = 0.14 + 0.085 * abs(fy), 0.14 + 0.085 * abs(fx)
    low, high = (cx - half_x, cy - half_y, 2.875), (cx + half_x, cy + half_y, 4.125)
    mesh.box(low, high, box, (FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM))
    # Seen by who looks at the lamps, `right` points to the right.
    right = (-fy, fx)
    front = 0.14 + 0.02

    def at(across: float, z: float, out: float) -> tuple[float, float, float]:
        return cx + fx * out + right[0] * across, cy + fy * out + right[1] * across, z

    for colour, z in enumerate(LAMP_HEIGHTS):
        lamp = Surface(Material.LAMP, 7, instance)
        with mesh.seen(NEAR):
            disc = [at(LAMP_RADIUS * c, z + LAMP_RADIUS * s, front) for c, s in _OCTAGON]
            mesh.polygon(disc, lamp, [(colour, group)] * 8)
            top = z + LAMP_RADIUS + 0.02
            edge = [at(-0.19, top, 0.14), at(0.19, top, 0.14), at(0.19, top - 0.03, 0.36), at(-0.19, top - 0.03, 0.36)]
            mesh.quad(edge, box)
        with mesh.seen(MIDDLE, FAR):
            half = 0.85 * LAMP_RADIUS  # as large as the octagon
            square = [at(a * half, z + b * half, front) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            mesh.quad(square, lamp, [(colour, group)] * 4)


def street_lamp(site: Site, x: float, y: float) -> None:
    """A post with an arm over the carriageway (towards +y)."""
    mesh, instance = site.mesh, site.instance()
    metal = Surface(Material.METAL, 6, instance)
    low, high = (x - 0.17, y + 1.35, 6.36), (x + 0.17, y + 2.15, 6.50)
    with mesh.seen(NEAR):
        mesh.tube((x, y), (KERB, 1.1, 6.5), (0.12, 0.085, 0.055), metal, sides=6)
        mesh.box((x - 0.04, y, 6.42), (x + 0.04, y + 1.9, 6.52), metal, (LEFT, RIGHT, TOP, BOTTOM))
        mesh.box(low, high, metal)
    with mesh.seen(MIDDLE, FAR):
        mesh.tube((x, y), (KERB, 6.5), (0.10, 0.065), metal, sides=3)
        mesh.box((x - 0.04, y, 6.42), (x + 0.04, y + 1.35, 6.52), metal, (LEFT, RIGHT, BOTTOM))
        mesh.box(low, high, metal, (FRONT, BACK, LEFT, RIGHT))
    mesh.box(low, high, Surface(Material.STREET_LAMP, 6, instance), (BOTTOM,))
    site.solid("a lamp post", x, y, (0.13, 0.13))


def sign(site: Site, x: float, y: float) -> None:
    """A round sign that faces who comes along +x; `uv` has length SIGN_RIM at its rim, v up."""
    mesh, pole, plate = site.mesh, site.instance(), site.instance()
    metal = Surface(Material.METAL, 6, pole)
    with mesh.seen(NEAR):
        mesh.tube((x, y), (KERB, 2.95), (0.045, 0.045), metal, sides=5)
    with mesh.seen(MIDDLE, FAR):
        mesh.tube((x, y), (KERB, 2.95), (0.045, 0.045), metal, sides=3)
    face = [(x - 0.06, y - SIGN_RADIUS * c, 2.55 + SIGN_RADIUS * s) for c, s in _OCTAGON]
    uv = [(SIGN_RIM * c, SIGN_RIM * s) for c, s in _OCTAGON]
    mesh.polygon(face, Surface(Material.SIGN, 8, plate), uv)
    back = [(x - 0.05, b, c) for _, b, c in face[::-1]]
    mesh.polygon(back, Surface(Material.METAL, 8, plate))
    site.solid("a sign", x, y, (0.08, 0.08))


def bin(site: Site, x: float, y: float) -> None:
    """A litter bin."""
    metal = Surface(Material.METAL, 6, site.instance())
    with site.mesh.seen(NEAR):
        site.mesh.tube((x, y), (KERB, 0.95, 1.05), (0.25, 0.29, 0.2), metal, sides=7, cap=True)
    with site.mesh.seen(MIDDLE):
        site.mesh.tube((x, y), (KERB, 1.05), (0.27, 0.27), metal, sides=4)
    site.solid("a bin", x, y, (0.27, 0.27))


@cache
def _bench() -> Prefab:
    wood, metal = Surface(Material.FENCE, 5), Surface(Material.METAL, 5)
    builder, around = MeshBuilder(), (FRONT, BACK, LEFT, RIGHT)
    builder.box((-0.9, -0.25, 0.40), (0.9, 0.25, 0.47), wood, (*around, TOP, BOTTOM))
    builder.box((-0.9, -0.30, 0.52), (0.9, -0.23, 0.92), wood, (*around, TOP))
    for x in (-0.7, 0.7):
        builder.box((x - 0.05, -0.2, 0.0), (x + 0.05, 0.2, 0.40), metal, around)
    return builder.prefab()


def bench(site: Site, x: float, y: float, yaw: float = 0.0) -> None:
    """A bench 1.8 m long on which one looks towards +y of its own frame."""
    with site.mesh.seen(NEAR, MIDDLE):
        site.mesh.place(_bench(), x, y, KERB, site.instance(), yaw)
    site.solid("a bench", x, y, (0.9, 0.3), yaw)


def bus_shelter(site: Site, x: float, y: float) -> None:
    """A glass shelter 4 m long, open towards the carriageway (+y)."""
    mesh, instance = site.mesh, site.instance()
    glass, metal = Surface(Material.GLASS, 3, instance), Surface(Material.METAL, 3, instance)
    x0, x1, y0, y1 = x - 2.0, x + 2.0, y - 0.6, y + 0.7
    mesh.box((x0, y0, 0.35), (x1, y0 + 0.05, 2.3), glass, (FRONT, BACK))
    for end in (x0, x1 - 0.05):
        mesh.box((end, y0, 0.35), (end + 0.05, y1 - 0.3, 2.3), glass, (LEFT, RIGHT))
    for end in (x0, x - 0.04, x1 - 0.08):
        mesh.box((end, y0 - 0.02, KERB), (end + 0.08, y0 + 0.06, 2.4), metal, (FRONT, BACK, LEFT, RIGHT))
    mesh.box((x0 - 0.1, y0 - 0.1, 2.4), (x1 + 0.1, y1, 2.55), metal, (FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM))
    mesh.box((x0 + 0.5, y0 + 0.1, 0.55), (x1 - 0.5, y0 + 0.5, 0.62), metal, (FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM))
    site.solid("a bus shelter", x, y, (2.0, 0.65))


def fence(site: Site, points: list[tuple[float, float]], high: float = 1.1, name: str = "a fence") -> None:
    """Pickets along a line through `points`; `uv` in metres, u along and v up."""
    mesh, instance = site.mesh, site.instance()
    wood = Surface(Material.FENCE, 5, instance)
    along = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        long, foot, top = hypot(x1 - x0, y1 - y0), KERB - 0.02, KERB + high
        uv = [(along, 0.0), (along + long, 0.0), (along + long, high), (along, high)]
        sheet = [(x0, y0, foot), (x1, y1, foot), (x1, y1, top), (x0, y0, top)]
        mesh.quad(sheet, wood, uv)
        with mesh.seen(MIDDLE, FAR):  # from there only what faces the eye is drawn
            mesh.quad(sheet[::-1], wood, uv[::-1])
        # A rail along the top, so that it is more than a sheet of paper from above.
        px, py = -(y1 - y0) / long * 0.04, (x1 - x0) / long * 0.04
        rail = [(x0 - px, y0 - py, top), (x1 - px, y1 - py, top), (x1 + px, y1 + py, top), (x0 + px, y0 + py, top)]
        mesh.quad(rail, wood, [(0.0, 0.0)] * 4)
        site.solid(name, (x0 + x1) / 2, (y0 + y1) / 2, (long / 2, 0.08), atan2(y1 - y0, x1 - x0))
        along += long


def bollard(site: Site, x: float, y: float) -> None:
    """A short post that keeps cars off a square."""
    metal = Surface(Material.METAL, 6, site.instance())
    with site.mesh.seen(NEAR):
        site.mesh.tube((x, y), (KERB, 0.95), (0.09, 0.09), metal, sides=5, cap=True)
    with site.mesh.seen(MIDDLE):
        site.mesh.tube((x, y), (KERB, 0.95), (0.09, 0.09), metal, sides=3)
    site.solid("a bollard", x, y, (0.1, 0.1))
