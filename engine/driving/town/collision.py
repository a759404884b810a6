"""The driver's car against everything solid: oriented boxes on the ground, found by a grid of cells on the torus.

Two boxes overlap if no axis of either separates them (Gottschalk, Lin and Manocha, 'OBBTree', SIGGRAPH 1996, in 2-D);
the axis of least overlap is the contact's normal. The answer is an impulse at the contact point with restitution and
friction (Baraff, 'An introduction to physically based modeling: rigid body simulation II', eq. 8-18), and the overlap
is pushed out, so that the car is never inside anything when a step ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..vehicle import CarState
from .plan import SIZE
from .routes import Numbers, wrapped

RESTITUTION = 0.25
"""Part of the speed against a wall that comes back: sheet metal, not rubber."""
FRICTION = 0.25
"""Of metal along a wall."""
CELL = 8.0
"""Metres; SIZE is a whole number of cells."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Footprints [N] and how they move."""

    x: Numbers
    y: Numbers
    half_length: Numbers
    half_width: Numbers
    yaw: Numbers
    east: Numbers
    north: Numbers
    """Velocity, m/s."""

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Contact:
    """Where the car touches a box, and how."""

    index: int
    normal: tuple[float, float]
    """Unit vector out of the box towards the car."""
    depth: float
    """Metres of overlap along it."""
    point: tuple[float, float]
    """From the car's middle, metres."""


class SolidGrid:
    """Which footprints of `Town.solids` are near a point of the torus."""

    def __init__(self, solids: NDArray[np.float32]) -> None:
        """`solids` [n, 5]: x, y, half length, half width, yaw."""
        self.solids = np.asarray(solids, float).reshape(-1, 5)
        self._side = round(SIZE / CELL)
        cells: dict[int, list[int]] = {}
        for index, (x, y, a, b, yaw) in enumerate(self.solids):
            c, s = abs(math.cos(yaw)), abs(math.sin(yaw))
            for cell in self._cells(x, y, a * c + b * s, a * s + b * c):
                cells.setdefault(cell, []).append(index)
        self._found = {cell: np.array(found, np.int64) for cell, found in cells.items()}

    def near(self, x: float, y: float, reach: float) -> NDArray[np.int64]:
        """Indices, ascending, of the footprints that may touch the square of half side `reach` about (x, y)."""
        found = [self._found[cell] for cell in self._cells(x, y, reach, reach) if cell in self._found]
        if not found:
            return np.zeros(0, np.int64)
        return np.unique(np.concatenate(found))

    def boxes(self, index: NDArray[np.int64]) -> Boxes:
        x, y, a, b, yaw = self.solids[index].T
        still = np.zeros(len(index))
        return Boxes(x, y, a, b, yaw, still, still)

    def _cells(self, x: float, y: float, reach_x: float, reach_y: float) -> list[int]:
        columns = range(math.floor((x - reach_x) / CELL), math.floor((x + reach_x) / CELL) + 1)
        rows = range(math.floor((y - reach_y) / CELL), math.floor((y + reach_y) / CELL) + 1)
        return [(i % self._side) * self._side + j % self._side for i in columns for j in rows]


def overlaps(x: float, y: float, yaw: float, half: tuple[float, float], boxes: Boxes) -> tuple[Numbers, Numbers]:
    """Depth [N] (negative: apart) of a box at (x, y, yaw) of `half` length and width in each of `boxes`, and the
    normals [N, 2] along which it is least, out of them."""
    dx, dy = wrapped(x - boxes.x), wrapped(y - boxes.y)
    c, s = np.full(len(boxes), math.cos(yaw)), np.full(len(boxes), math.sin(yaw))
    bc, bs = np.cos(boxes.yaw), np.sin(boxes.yaw)
    axes = np.stack([np.stack([c, s], 1), np.stack([-s, c], 1), np.stack([bc, bs], 1), np.stack([-bs, bc], 1)])
    ax, ay = axes[..., 0], axes[..., 1]
    mine = half[0] * np.abs(ax * c + ay * s) + half[1] * np.abs(ay * c - ax * s)
    theirs = boxes.half_length * np.abs(ax * bc + ay * bs) + boxes.half_width * np.abs(ay * bc - ax * bs)
    between = ax * dx + ay * dy
    depth = mine + theirs - np.abs(between)
    least, rows = np.argmin(depth, 0), np.arange(len(boxes))
    sign = np.where(between[least, rows] >= 0, 1.0, -1.0)
    return depth[least, rows], axes[least, rows] * sign[:, None]


def deepest(car: CarState, half: tuple[float, float], boxes: Boxes) -> Contact | None:
    """The deepest contact of the car (of `half` length and width) with one of `boxes`; None: it is free."""
    if not len(boxes):
        return None
    depth, normals = overlaps(car.x, car.y, car.yaw, half, boxes)
    k = int(np.argmax(depth))
    if depth[k] <= 0:
        return None
    normal = (float(normals[k, 0]), float(normals[k, 1]))
    return Contact(k, normal, float(depth[k]), _point(car, half, boxes, k, normal))


def _corners(x: float, y: float, yaw: float, half: tuple[float, float]) -> list[tuple[float, float]]:
    c, s = math.cos(yaw), math.sin(yaw)
    signs = ((1, 1), (1, -1), (-1, -1), (-1, 1))
    return [(x + a * half[0] * c - b * half[1] * s, y + a * half[0] * s + b * half[1] * c) for a, b in signs]


def _point(car: CarState, half: tuple[float, float], boxes: Boxes, k: int, normal: tuple[float, float]):
    """Mean of the corners of either box that lie inside the other, from the car's middle."""
    dx, dy = float(wrapped(boxes.x[k] - car.x)), float(wrapped(boxes.y[k] - car.y))
    other = float(boxes.half_length[k]), float(boxes.half_width[k])
    yaw = float(boxes.yaw[k])

    def inside(px: float, py: float, cx: float, cy: float, angle: float, size: tuple[float, float]) -> bool:
        c, s = math.cos(angle), math.sin(angle)
        u, v = (px - cx) * c + (py - cy) * s, (py - cy) * c - (px - cx) * s
        return abs(u) <= size[0] + 1e-6 and abs(v) <= size[1] + 1e-6

    points = [p for p in _corners(0, 0, car.yaw, half) if inside(*p, dx, dy, yaw, other)]
    points += [p for p in _corners(dx, dy, yaw, other) if inside(*p, 0, 0, car.yaw, half)]
    if points:
        return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)
    return -normal[0] * half[1], -normal[1] * half[1]


def respond(car: CarState, half: tuple[float, float], contact: Contact, boxes: Boxes) -> tuple[CarState, float]:
    """The car pushed out of `contact` and thrown back by it, and the speed of the impact in m/s (0: it only leans).

    The other box does not give way."""
    nx, ny = contact.normal
    rx, ry = contact.point
    c, s = math.cos(car.yaw), math.sin(car.yaw)
    vx, vy = car.speed * c - car.slide * s, car.speed * s + car.slide * c
    k = contact.index
    px = vx - car.spin * ry - float(boxes.east[k])
    py = vy + car.spin * rx - float(boxes.north[k])
    approach = -(px * nx + py * ny)
    push = contact.depth + 1e-3
    car = replace(car, x=car.x + nx * push, y=car.y + ny * push)
    if approach <= 0:
        return car, 0.0
    inertia = ((2 * half[0]) ** 2 + (2 * half[1]) ** 2) / 12  # of a plate, by mass
    lever = rx * ny - ry * nx
    bounce = RESTITUTION if approach > 1.0 else 0.0
    impulse = (1 + bounce) * approach / (1 + lever * lever / inertia)
    tx, ty = -ny, nx
    along = px * tx + py * ty
    arm = rx * ty - ry * tx
    drag = -math.copysign(min(FRICTION * impulse, abs(along) / (1 + arm * arm / inertia)), along)
    vx, vy = vx + impulse * nx + drag * tx, vy + impulse * ny + drag * ty
    spin = car.spin + (lever * impulse + arm * drag) / inertia
    return (
        replace(car, speed=vx * c + vy * s, slide=vy * c - vx * s, spin=min(max(spin, -3.0), 3.0)),
        approach,
    )
