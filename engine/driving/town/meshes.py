"""`MeshBuilder`: triangles put together from quads, boxes, tubes, blobs and copies of what was built before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import cos, pi, sin
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .detail import LEVELS, NEAR
from .scene import VERTEX, Material, Mesh

Floats = NDArray[Any]


class Surface(NamedTuple):
    """What a triangle is made of and what it counts as."""

    material: Material
    tag: int
    instance: int = 0


class Prefab(NamedTuple):
    """Something built once and copied often; see `MeshBuilder.place`."""

    rows: NDArray[np.float32]
    """[V, 11]: the fields of VERTEX in order."""
    indices: NDArray[np.uint32]


# Corners are numbered x + 2 y + 4 z; each face is counter-clockwise seen from outside.
_FACES = np.array([[0, 1, 5, 4], [3, 2, 6, 7], [2, 0, 4, 6], [1, 3, 7, 5], [4, 5, 7, 6], [2, 3, 1, 0]])
_NORMALS = np.array([[0, -1, 0], [0, 1, 0], [-1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, -1]], np.float32)
_CORNERS = np.array([[k & 1, k >> 1 & 1, k >> 2] for k in range(8)], float)
_UNIT = _CORNERS[_FACES]
_QUAD = np.array([0, 1, 2, 0, 2, 3], np.uint32)
FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM = range(6)
"""Faces of a box: towards -y, +y, -x, +x, up and down."""
_STANDING = (FRONT, BACK, LEFT, RIGHT, TOP)


class MeshBuilder:
    """Collects triangles. Everything is given in the frame set by `stand`, of which z is always up."""

    def __init__(self) -> None:
        self._rows: list[Floats] = []
        self._indices: list[NDArray[np.uint32]] = []
        self._vertices = 0
        self._seen: list[tuple[int, ...]] = []
        self._levels: tuple[int, ...] = LEVELS
        self.stand(0.0, 0.0, 0.0)

    def stand(self, x: float, y: float, yaw: float) -> None:
        """Takes (x, y) as the origin from here on, with the x axis at `yaw` radians from east."""
        # Rounded so that quarter turns are exact and neighbouring pieces share their corners to the last bit.
        self._x, self._y, self.yaw = x, y, yaw
        self._cos, self._sin = round(cos(yaw), 12), round(sin(yaw), 12)

    def world(self, x: float, y: float) -> tuple[float, float]:
        """A point of the present frame, in the world."""
        return self._x + self._cos * x - self._sin * y, self._y + self._sin * x + self._cos * y

    def add(
        self,
        positions: Sequence[Any] | Floats,
        normals: Sequence[Any] | Floats,
        uv: Sequence[Any] | Floats,
        surface: Surface,
        indices: ArrayLike,
    ) -> None:
        """Adds `positions` [n, 3] with `normals` [n, 3] (or one for all) and `uv` [n, 2]; `indices` in threes."""
        points, directions = np.asarray(positions, float), np.asarray(normals, float)
        rows = np.empty((len(points), 11), np.float32)
        rows[:, 0] = self._x + self._cos * points[:, 0] - self._sin * points[:, 1]
        rows[:, 1] = self._y + self._sin * points[:, 0] + self._cos * points[:, 1]
        rows[:, 2] = points[:, 2]
        rows[:, 3] = self._cos * directions[..., 0] - self._sin * directions[..., 1]
        rows[:, 4] = self._sin * directions[..., 0] + self._cos * directions[..., 1]
        rows[:, 5] = directions[..., 2]
        rows[:, 6:8] = uv
        rows[:, 8:11] = surface
        self._append(rows, np.asarray(indices, np.uint32).ravel())

    def _append(self, rows: Floats, indices: NDArray[np.uint32]) -> None:
        self._rows.append(rows)
        self._indices.append(indices + np.uint32(self._vertices))
        self._vertices += len(rows)
        self._seen.append(self._levels)

    @contextmanager
    def seen(self, *levels: int) -> Iterator[None]:
        """What is added inside is drawn at these levels of `detail` only."""
        before, self._levels = self._levels, levels
        yield
        self._levels = before

    def quads(self, points: Sequence[Any] | Floats, surface: Surface, uv: Sequence[Any] | Floats | None = None) -> None:
        """Flat quads [n, 4, 3], counter-clockwise; `uv` [n, 4, 2], by default metres (see `_metres`)."""
        corners = np.asarray(points, float).reshape(-1, 4, 3)
        normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        coordinates = _metres(corners, normals) if uv is None else np.asarray(uv, float)
        self._faces(corners, normals, coordinates, surface)

    def quad(self, points: Sequence[Any] | Floats, surface: Surface, uv: Sequence[Any] | Floats | None = None) -> None:
        """One flat quad [4, 3] with `uv` [4, 2]."""
        self.quads([points], surface, None if uv is None else [uv])

    def _faces(self, corners: Floats, normals: Floats, uv: Floats, surface: Surface) -> None:
        count = len(corners)
        indices = _QUAD + 4 * np.arange(count, dtype=np.uint32)[:, None]
        self.add(corners.reshape(-1, 3), np.repeat(normals, 4, 0), uv.reshape(-1, 2), surface, indices)

    def polygon(
        self, points: Sequence[Any] | Floats, surface: Surface, uv: Sequence[Any] | Floats | None = None
    ) -> None:
        """A flat convex polygon [n, 3], counter-clockwise."""
        corners = np.asarray(points, float)
        ahead = np.roll(corners, -1, 0)
        normal = np.cross(corners, ahead).sum(0)
        normal /= max(float(np.linalg.norm(normal)), 1e-9)
        coordinates = _metres(corners[None], normal[None])[0] if uv is None else uv
        fan = [(0, k, k + 1) for k in range(1, len(corners) - 1)]
        self.add(corners, normal, coordinates, surface, fan)

    def box(
        self,
        low: Sequence[float],
        high: Sequence[float],
        surface: Surface,
        faces: Sequence[int] = _STANDING,
        top: Surface | None = None,
    ) -> None:
        """A box from corner to corner; `faces`: which of its six (without the bottom by default); `top`: its cover."""
        start, size = np.asarray(low, float), np.subtract(high, low)
        corners, normals = start + _UNIT * size, _NORMALS
        uv = np.empty((6, 4, 2))
        uv[:2, :, 0], uv[2:4, :, 0] = corners[:2, :, 0], corners[2:4, :, 1]
        uv[:4, :, 1] = corners[:4, :, 2]
        uv[4:] = corners[4:, :, :2]
        chosen = [face for face in faces if top is None or face != TOP]
        self._faces(corners[chosen], normals[chosen], uv[chosen], surface)
        if top is not None:
            self._faces(corners[TOP:BOTTOM], normals[TOP:BOTTOM], uv[TOP:BOTTOM], top)

    def tube(
        self,
        centre: tuple[float, float],
        heights: Sequence[float],
        radii: Sequence[float | tuple[float, float]],
        surface: Surface,
        sides: int = 7,
        cap: bool = False,
        uv: Callable[[Floats], Floats] | None = None,
    ) -> None:
        """An upright tube through rings at `heights` with `radii` (x and y, or one for both); `cap` closes its top.

        `uv` maps positions [n, 3] to coordinates; by default metres around and up.
        """
        turn = np.arange(sides + 1) * (2 * pi / sides)
        around = np.stack([np.cos(turn), np.sin(turn)], 1)
        wide = np.array([(r, r) if isinstance(r, (int, float)) else r for r in radii], float)
        rings = len(heights)
        points = np.empty((rings, sides + 1, 3))
        points[..., :2] = around * wide[:, None] + np.asarray(centre)
        points[..., 2] = np.asarray(heights, float)[:, None]
        slope = np.gradient(wide.mean(1), np.asarray(heights, float)) if rings > 1 else np.zeros(1)
        normals = np.empty_like(points)
        normals[..., :2] = around
        normals[..., 2] = -slope[:, None]
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        flat = points.reshape(-1, 3)
        if uv is None:
            coordinates = np.stack([np.tile(turn, rings) * float(wide.max()), flat[:, 2]], 1)
        else:
            coordinates = uv(flat)
        k = np.arange(sides, dtype=np.uint32)
        strip = np.stack([k, k + 1, k + sides + 2, k, k + sides + 2, k + sides + 1], 1)
        indices = strip + (np.arange(rings - 1, dtype=np.uint32) * (sides + 1))[:, None, None]
        self.add(flat, normals.reshape(-1, 3), coordinates, surface, indices)
        if cap:
            lid = points[-1, :-1]
            self.polygon(lid, surface, None if uv is None else uv(lid))

    def blob(
        self,
        centre: ArrayLike,
        radii: ArrayLike,
        surface: Surface,
        rng: np.random.Generator | None = None,
        coarse: bool = False,
        level: int = NEAR,
    ) -> None:
        """An ellipsoid of 80 triangles (`coarse`: 20) about `centre` [3], dented by `rng` if one is given.

        At a `level` of `detail` other than NEAR it has 20 triangles (`coarse`: 8) and about the same outline.
        """
        directions, triangles = _ICOSAHEDRON if coarse else _ICOSPHERE
        size = np.broadcast_to(np.asarray(radii, float), 3)
        dents = 1.0 if rng is None else 1 + 0.24 * (rng.random((len(directions), 1)) - 0.5)
        if level != NEAR:
            # A polyhedron within a sphere covers less than it: swollen, it covers as much.
            (directions, triangles), swell = (_OCTAHEDRON, 1.28) if coarse else (_ICOSAHEDRON, 1.10)
            dents = swell * np.broadcast_to(dents, (42, 1))[: len(directions)] if not coarse else swell
        offsets = directions * size * dents
        normals = directions / size
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        points = offsets + np.asarray(centre, float)
        self.add(points, normals, points[:, :2], surface, triangles)

    def place(
        self,
        prefab: Prefab,
        x: float,
        y: float,
        z: float,
        instance: int,
        yaw: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """A copy of `prefab`, `scale` times as wide and high, every triangle of which belongs to `instance`."""
        rows = prefab.rows.copy()
        turn = self.yaw + yaw
        c, s = cos(turn), sin(turn)
        east, north = self.world(x, y)
        local, normals = prefab.rows[:, :2] * scale[0], prefab.rows[:, 3:5]
        rows[:, 0], rows[:, 1] = east + c * local[:, 0] - s * local[:, 1], north + s * local[:, 0] + c * local[:, 1]
        rows[:, 2] = z + prefab.rows[:, 2] * scale[1]
        rows[:, 3], rows[:, 4] = c * normals[:, 0] - s * normals[:, 1], s * normals[:, 0] + c * normals[:, 1]
        rows[:, 10] = instance
        self._append(rows, prefab.indices)

    def prefab(self) -> Prefab:
        """Everything so far, to be copied."""
        return Prefab(np.concatenate(self._rows), np.concatenate(self._indices))

    def indices(self, first: int, last: int, level: int) -> NDArray[np.uint32]:
        """Of the pieces from the `first` to before the `last` one, those drawn at `level`."""
        chosen = [k for k, seen in zip(self._indices[first:last], self._seen[first:last], strict=True) if level in seen]
        return np.concatenate(chosen) if chosen else np.zeros(0, np.uint32)

    def reach(self, first: int, last: int, x: float, y: float) -> float:
        """How far from (x, y) of the world the pieces from the `first` to before the `last` reach, metres."""
        offsets = np.concatenate([rows[:, :2] for rows in self._rows[first:last]]) - (x, y)
        return float(np.hypot(offsets[:, 0], offsets[:, 1]).max(initial=0.0))

    @property
    def pieces(self) -> int:
        """How many pieces there are so far."""
        return len(self._rows)

    def mesh(self) -> Mesh:
        """Everything so far."""
        rows, indices = self.prefab()
        return Mesh(np.ascontiguousarray(rows).view(VERTEX).reshape(-1), indices)


def _metres(corners: Floats, normals: Floats) -> Floats:
    """Default `uv` of faces [n, k, 3]: (x, y) where they lie, otherwise (along the ground, height)."""
    uv = np.empty((*corners.shape[:2], 2))
    lying = np.abs(normals[:, 2]) > 0.8
    # Of a standing face the ground direction is square to its normal.
    along = np.stack([-normals[:, 1], normals[:, 0]], 1)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    uv[..., 0] = np.where(lying[:, None], corners[..., 0], (corners[..., :2] * along[:, None]).sum(-1))
    uv[..., 1] = np.where(lying[:, None], corners[..., 1], corners[..., 2])
    return uv


Sphere = tuple[Floats, NDArray[np.uint32]]


def _icosahedron() -> Sphere:
    """12 unit directions, 20 triangles."""
    t = (1 + 5**0.5) / 2
    near = [(-1, t, 0), (1, t, 0), (-1, -t, 0), (1, -t, 0)]
    corners = [np.array(p) for k in range(3) for p in (np.roll(q, k) for q in near)]
    points = [p / np.linalg.norm(p) for p in corners]
    # Three corners are a face exactly when they are neighbours of one another, at the edge's length.
    edge = 2 / np.linalg.norm((1, t))
    faces = []
    for a in range(12):
        for b in range(a + 1, 12):
            for c in range(b + 1, 12):
                sides = [np.linalg.norm(points[p] - points[q]) for p, q in ((a, b), (b, c), (c, a))]
                if max(sides) < 1.01 * edge:
                    outward = np.dot(np.cross(points[b] - points[a], points[c] - points[a]), points[a]) > 0
                    faces.append((a, b, c) if outward else (a, c, b))
    return np.array(points), np.array(faces, np.uint32)


def _icosphere() -> Sphere:
    """The icosahedron with its faces divided in four: 42 directions, 80 triangles."""
    points, faces = list(_ICOSAHEDRON[0]), _ICOSAHEDRON[1]
    middles: dict[tuple[int, int], int] = {}

    def middle(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in middles:
            point = points[a] + points[b]
            points.append(point / np.linalg.norm(point))
            middles[key] = len(points) - 1
        return middles[key]

    triangles = []
    for a, b, c in faces:
        x, y, z = middle(a, b), middle(b, c), middle(c, a)
        triangles += [(a, x, z), (b, y, x), (c, z, y), (x, y, z)]
    return np.array(points), np.array(triangles, np.uint32)


_ICOSAHEDRON = _icosahedron()
_ICOSPHERE = _icosphere()
_OCTAHEDRON = (
    np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float),
    np.array([[k, (k + 1) % 4, 4] for k in range(4)] + [[(k + 1) % 4, k, 5] for k in range(4)], np.uint32),
)
