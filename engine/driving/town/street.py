"""Junctions and street segments: road, kerbs and sidewalks. Their markings are the shaders' (they follow the plan)."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from . import furniture, plants
from .cars import BODIES
from .meshes import MeshBuilder, Surface
from .plan import KERB, PARKED, PERIOD, ROAD_HALF, WALK, signal_group
from .scene import Material
from .site import Site

EDGE = ROAD_HALF + WALK
"""From a street's centre line to the outer edge of its sidewalk."""
HALF_SEGMENT = PERIOD / 2 - EDGE
"""Half the length of a street between two junctions' squares."""
CORNER_RADIUS = 2.0
"""Of the kerb where two streets meet."""
KERB_WIDTH = 0.18
NO_PARKING = 13.5
"""From a junction's centre; a car of any length then stays clear of the 12 m of its approach."""
PARKING = (PARKED + ROAD_HALF) / 2 + 0.05
"""From the centre line to a parked car's middle."""

ROAD = Surface(Material.ROAD, 1)
SIDEWALK = Surface(Material.SIDEWALK, 2)
CURB = Surface(Material.KERB, 2)


def junction(site: Site, column: int, row: int) -> None:
    """The square where two streets cross, with its rounded corners and a mast of lights at each."""
    x, y = column * PERIOD, row * PERIOD
    for quarter in range(4):
        site.mesh.stand(x, y, quarter * pi / 2)
        # The carriageway is cut like the segments' so that both share whole edges.
        if quarter == 0:
            _flat(site.mesh, -EDGE, -EDGE, EDGE, EDGE, 0.0, ROAD)
        _corner(site.mesh)
        near, far = quarter % 2, (quarter + 1) % 2
        furniture.traffic_light(site, signal_group(column, row, near), signal_group(column, row, far))


def _corner(mesh: MeshBuilder) -> None:
    """The corner at (-, -): the first on the right hand of who comes along +x."""
    centre = ROAD_HALF + CORNER_RADIUS
    arc = [k * pi / 12 for k in range(7)]

    def path(radius: float, edge: float) -> list[tuple[float, float]]:
        bend = [(-centre + radius * cos(a), -centre + radius * sin(a)) for a in arc]
        return [(-edge, -EDGE), *bend, (-EDGE, -edge)]

    outer = path(CORNER_RADIUS, ROAD_HALF)
    inner = path(CORNER_RADIUS - KERB_WIDTH, ROAD_HALF + KERB_WIDTH)
    _kerb(mesh, outer, inner)
    mesh.polygon([(-EDGE, -EDGE, KERB), *((x, y, KERB) for x, y in inner)], SIDEWALK)


def _kerb(mesh: MeshBuilder, outer: list[tuple[float, float]], inner: list[tuple[float, float]]) -> None:
    """A kerb along `outer`, with the road on its right hand; `inner` is where the sidewalk begins."""
    foot, edge = np.array(outer), np.array(inner)
    steps = np.hypot(*np.diff(foot, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = len(foot) - 1
    points, uv = np.zeros((count, 2, 4, 3)), np.zeros((count, 2, 4, 2))
    a, b = foot[:-1], foot[1:]
    points[:, 0, :, :2] = np.stack([a, b, b, a], 1)
    points[:, 0, 2:, 2] = KERB
    points[:, 1, :, :2] = np.stack([a, b, edge[1:], edge[:-1]], 1)
    points[:, 1, :, 2] = KERB
    uv[..., 0] = np.stack([along[:-1], along[1:], along[1:], along[:-1]], 1)[:, None]
    uv[:, 0, 2:, 1] = KERB
    uv[:, 1, :2, 1], uv[:, 1, 2:, 1] = KERB, KERB + KERB_WIDTH
    mesh.quads(points.reshape(-1, 4, 3), CURB, uv.reshape(-1, 4, 2))


def _flat(mesh: MeshBuilder, x0: float, y0: float, x1: float, y1: float, z: float, surface: Surface) -> None:
    mesh.quad([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], surface)


def segment(site: Site, x: float, y: float, axis: int) -> None:
    """The street between two junctions, about (x, y) and along x (`axis` 0) or y (1), with what stands along it."""
    site.mesh.stand(x, y, axis * pi / 2)
    _flat(site.mesh, -HALF_SEGMENT, -EDGE, HALF_SEGMENT, EDGE, 0.0, ROAD)
    character = site.rng.choice(["avenue", "shops", "plain"], p=[0.45, 0.3, 0.25])
    full = site.rng.uniform(0.25, 0.8)
    grown = plants.STREET_TREES[int(site.rng.integers(len(plants.STREET_TREES)))]
    for side in range(2):
        site.mesh.stand(x, y, axis * pi / 2 + side * pi)
        _sidewalk(site.mesh)
        _furnish(site, str(character), grown)
        _park(site, full)


def _sidewalk(mesh: MeshBuilder) -> None:
    """The right-hand sidewalk of who drives along +x."""
    ends = (HALF_SEGMENT, -HALF_SEGMENT)
    _kerb(mesh, [(end, -ROAD_HALF) for end in ends], [(end, -ROAD_HALF - KERB_WIDTH) for end in ends])
    _flat(mesh, -HALF_SEGMENT, -EDGE, HALF_SEGMENT, -ROAD_HALF - KERB_WIDTH, KERB, SIDEWALK)


def _furnish(site: Site, character: str, kind: int) -> None:
    """Lamps at even distances, and between them trees, signs, bins, benches."""
    y, rng = -ROAD_HALF - 0.75, site.rng
    for x in (-15.0, 9.0):
        furniture.street_lamp(site, x, y)
    green = {"avenue": 0.92, "shops": 0.35, "plain": 0.45}[character]
    for x in (-20.0, -10.0, -4.0, 3.5, 14.5, 20.0):
        if site.chance(green) and abs(x) < 19:
            plants.tree(site, x + rng.uniform(-0.6, 0.6), y, kind, rng.uniform(0.8, 1.05))
        elif abs(x) > 19:
            # Near the junctions nothing may hide the lights.
            if site.chance(0.45):
                furniture.sign(site, x, y - 0.1)
        elif character == "shops" and site.chance(0.5):
            furniture.bench(site, x, y - 0.2)
        elif site.chance(0.4):
            furniture.bin(site, x + 1.2, y)
    if site.chance(0.12):
        furniture.bus_shelter(site, -6.9, -EDGE + 0.85)


def _park(site: Site, full: float) -> None:
    """Cars along the right-hand kerb, facing the way that this side drives; `full`: how much of the room is taken."""
    limit, rng = PERIOD / 2 - NO_PARKING, site.rng
    x = -limit + rng.uniform(0.0, 2.0)
    while True:
        body = int(rng.choice(len(BODIES), p=[0.34, 0.3, 0.12, 0.24]))
        half = BODIES[body].length / 2
        if x + 2 * half > limit:
            return
        if site.chance(full):
            yaw = rng.normal() * 0.012
            wide = BODIES[body].width / 2
            site.park(body, x + half, -PARKING + rng.uniform(-0.05, 0.05), yaw, (half, wide))
        x += 2 * half + rng.uniform(0.8, 1.8)
