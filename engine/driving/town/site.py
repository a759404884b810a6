"""`Site`: a town while it is being built: its triangles, who is who, and what a car can run into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from .detail import BEGINS, LEVELS, NEAR, worth_drawing
from .meshes import MeshBuilder
from .plan import SIZE
from .scene import ACTOR, Chunk, Mesh

FIRST_INSTANCE = 16
"""Ids below are kept for lit lamps (see `scene.LAMPS`)."""


class Site:
    """What the builders of streets, blocks and furniture work on. Lengths are metres in the frame of `mesh.stand`."""

    def __init__(self, seed: int, bodies: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.mesh = MeshBuilder()
        self._chunks: list[tuple[float, float, int, int]] = []
        self.next_instance = FIRST_INSTANCE
        self._solids: list[tuple[float, float, float, float, float]] = []
        self._names: list[str] = []
        self._parked: list[list[tuple[float, float, float, float, int, float, float]]] = [[] for _ in range(bodies)]

    def instance(self, suits: Callable[[int], bool] | None = None) -> int:
        """A new instance id; with `suits` the next one whose look does (see `styles`)."""
        while suits is not None and not suits(self.next_instance):
            self.next_instance += 1
        self.next_instance += 1
        return self.next_instance - 1

    def chance(self, probability: float) -> bool:
        """Whether something that happens with `probability` happens here."""
        return bool(self.rng.random() < probability)

    @contextmanager
    def chunk(self, x: float, y: float) -> Iterator[None]:
        """What is built inside becomes one chunk about (x, y) of the world."""
        first = self.mesh.pieces
        yield
        self._chunks.append((x, y, first, self.mesh.pieces))

    def built(self) -> tuple[Mesh, tuple[Chunk, ...]]:
        """Everything so far, by chunks: first all of them in full, then as they look from farther away."""
        mesh = self.mesh.mesh()
        rows = mesh.vertices.view(np.float32).reshape(len(mesh.vertices), -1)
        parts: list[NDArray[np.uint32]] = []
        ranges: list[list[tuple[float, int, int]]] = [[] for _ in self._chunks]
        begin = 0
        for level in LEVELS:
            for chosen, (_, _, first, last) in zip(ranges, self._chunks, strict=True):
                part = worth_drawing(rows, self.mesh.indices(first, last, level), level)
                chosen.append((BEGINS[level], begin, len(part)))
                parts.append(part)
                begin += len(part)
        chunks = []
        for (x, y, first, last), chosen in zip(self._chunks, ranges, strict=True):
            _, start, count = chosen[NEAR]
            reach = self.mesh.reach(first, last, x, y) + 0.01
            chunks.append(Chunk(x, y, reach, start, count, tuple(chosen[NEAR + 1 :])))
        return Mesh(mesh.vertices, np.concatenate(parts)), tuple(chunks)

    def solid(self, name: str, x: float, y: float, half: tuple[float, float], yaw: float = 0.0) -> None:
        """A footprint about (x, y), `half` as long and wide, that stops a car."""
        east, north = self.mesh.world(x, y)
        self._solids.append((east % SIZE, north % SIZE, *half, self.mesh.yaw + yaw))
        self._names.append(name)

    def park(self, body: int, x: float, y: float, yaw: float, half: tuple[float, float], z: float = 0.0) -> None:
        """A parked car of style `body` on ground of height `z`; `half` its length and width."""
        east, north = self.mesh.world(x, y)
        long, high = float(self.rng.uniform(0.97, 1.04)), float(self.rng.uniform(0.98, 1.03))
        row = (east % SIZE, north % SIZE, z, self.mesh.yaw + yaw, self.instance(), long, high)
        self._parked[body].append(row)
        self.solid("a parked car", x, y, (half[0] * long, half[1]), yaw)

    def solids(self) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """As `Town.solids` and `Town.solid_names`."""
        return np.array(self._solids, np.float32).reshape(-1, 5), tuple(self._names)

    def parked(self) -> tuple[NDArray[np.void], ...]:
        """As `Town.parked`."""
        styles = []
        for cars in self._parked:
            rows = np.zeros(len(cars), ACTOR)
            for row, (x, y, z, yaw, instance, long, high) in zip(rows, cars, strict=True):
                row["now"] = row["before"] = (x, y, z, yaw)
                row["instance"], row["length"], row["height"] = instance, long, high
            styles.append(rows)
        return tuple(styles)
