"""Lanes as a scene that the town's renderer draws: asphalt, markings, sidewalks, and grass around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..town.cars import car_meshes
from ..town.scene import VERTEX, Chunk, Material, Mesh, TownScene
from .reader import Floats, Lane

ROAD, SIDEWALK, TERRAIN, LINE = 1, 2, 10, 24
TILE = 64.0
"""Metres: side of a tile of grass, and the reach of a chunk of road."""
MARGIN = 220.0
"""Metres of grass around the roads: farther than anybody sees."""
MOST_TILES = 40_000
WALK_HEIGHT, LINE_HEIGHT, GRASS_HEIGHT = 0.12, 0.03, -0.08
"""Metres; the carriageway is at 0. Markings are high enough to stay before the asphalt at 200 m."""
LINE_WIDTH = 0.15
DASH = 3
"""Stations that a dash and the gap after it are long."""
_MARKED = {"Solid", "SolidSolid", "Broken", "BrokenBroken", "SolidBroken", "BrokenSolid", "BottsDots", "Other"}
_BROKEN = {"Broken", "BrokenBroken", "BottsDots"}
# The town paints its own markings and seams on ROAD and SIDEWALK, by its own grid of streets; these stay plain.
_LOOKS = {ROAD: Material.METAL, SIDEWALK: Material.KERB, TERRAIN: Material.GRASS, LINE: Material.SIGN}
_WHITE = (0.5, 0.0)
"""Where the material of signs is white."""


def build_scene(lanes: Sequence[Lane]) -> TownScene:
    """The scene of `reader.read_lanes`; positions as there."""
    quads: list[tuple[Floats, int]] = []
    for lane in lanes:
        left, right = lane.border(1.0), lane.border(-1.0)
        walk = lane.kind == "Sidewalk"
        tag, height = (SIDEWALK, WALK_HEIGHT) if walk else (ROAD, 0.0)
        quads.append((_ribbon(left, right, height), tag))
        if walk:
            quads.append((_curb(left), tag))
        if lane.kind == "Driving" and not lane.junction:
            for border, marking in ((left, lane.left), (right, lane.right)):
                if marking in _MARKED:
                    quads.append((_line(border, lane.yaw, marking in _BROKEN), LINE))
    every = np.concatenate([lane.centre for lane in lanes])
    quads.append((_grass(every.min(0) - MARGIN, every.max(0) + MARGIN), TERRAIN))
    corners = np.concatenate([q for q, _ in quads])
    tags = np.concatenate([np.full(len(q), tag) for q, tag in quads])
    still, chunks = _chunked(corners, tags)
    return TownScene(still, chunks, car_meshes(), ())


def _ribbon(left: Floats, right: Floats, height: float) -> Floats:
    """[n - 1, 4, 3]: quads between two borders of [n, 2]."""
    a, b = np.insert(left, 2, height, 1), np.insert(right, 2, height, 1)
    return np.stack([b[:-1], b[1:], a[1:], a[:-1]], 1)


def _curb(border: Floats) -> Floats:
    low, high = np.insert(border, 2, 0.0, 1), np.insert(border, 2, WALK_HEIGHT, 1)
    return np.stack([low[:-1], low[1:], high[1:], high[:-1]], 1)


def _line(border: Floats, yaw: Floats, broken: bool) -> Floats:
    across = 0.5 * LINE_WIDTH * np.stack([-np.sin(yaw), np.cos(yaw)], 1)
    quads = _ribbon(border + across, border - across, LINE_HEIGHT)
    return quads[np.arange(len(quads)) % DASH == 0] if broken else quads


def _grass(low: Floats, high: Floats) -> Floats:
    """[n, 4, 3]: tiles from `low` to `high`; larger ones where the map is vast."""
    size = TILE
    while np.prod(np.ceil((high - low) / size)) > MOST_TILES:
        size *= 2
    x = np.arange(low[0], high[0], size)
    y = np.arange(low[1], high[1], size)
    a, b = (grid.ravel() for grid in np.meshgrid(x, y))
    flat = np.full(len(a), GRASS_HEIGHT)
    around = ((0, 0), (size, 0), (size, size), (0, size))
    return np.stack([np.stack([a + dx, b + dy, flat], 1) for dx, dy in around], 1)


def _chunked(corners: Floats, tags: NDArray[np.int64]) -> tuple[Mesh, tuple[Chunk, ...]]:
    """All quads as a mesh, sorted into chunks by where they are."""
    middle = corners[:, :, :2].mean(1)
    cell = np.floor(middle / TILE).astype(np.int64)
    order = np.lexsort((cell[:, 1], cell[:, 0]))
    corners, tags, cell = corners[order], tags[order], cell[order]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    rows = np.zeros(4 * len(corners), VERTEX)
    rows["position"] = corners.reshape(-1, 3)
    rows["normal"] = np.repeat(np.where(normal[:, 2:] < -0.5, -normal, normal), 4, 0)
    rows["uv"] = _WHITE
    rows["tag"] = np.repeat(tags, 4)
    rows["material"] = np.repeat([_LOOKS[tag] for tag in tags.tolist()], 4)
    quad = np.array([0, 1, 2, 0, 2, 3], np.uint32)
    indices = (4 * np.arange(len(corners), dtype=np.uint32)[:, None] + quad).ravel()
    starts = np.flatnonzero(np.append(True, (np.diff(cell, axis=0) != 0).any(1)))
    ends = np.append(starts[1:], len(corners))
    chunks = []
    for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
        points = corners[first:last, :, :2].reshape(-1, 2)
        x, y = (float(n) for n in (points.min(0) + points.max(0)) / 2)
        reach = float(np.hypot(*(points - (x, y)).T).max())
        chunks.append(Chunk(x, y, reach, 6 * first, 6 * (last - first)))
    return Mesh(rows, indices), tuple(chunks)
