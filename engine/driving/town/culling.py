"""Which parts of the torus a camera or a light can see: each chunk at each copy, each actor at its nearest."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .detail import FOCAL
from .occlusion import Horizon
from .plan import SIZE
from .scene import Chunk, Mesh

ACTOR_RADIUS = 5.0
"""Metres from an actor's place to what may still be seen of it or of its shadow."""
_ACTOR_BOX = np.array([2.5, 2.5, 3.5])
COPIES = np.array(list(itertools.product((-1, 0, 1), repeat=2)), np.float64) * SIZE


@dataclass(frozen=True)
class Draw:
    """A run of indices of the still mesh and by how far its copy is shifted, metres."""

    shift: tuple[float, float]
    first: int
    count: int
    closed: bool = False
    """Whether what faces away from the eye may be left out."""


class ChunkCulling:
    """Boxes around the chunks of a still mesh, at nine copies."""

    def __init__(self, still: Mesh, chunks: tuple[Chunk, ...]) -> None:
        lows, highs = [], []
        for chunk in chunks:
            ranges = [(chunk.first, chunk.count), *(part[1:] for part in chunk.far)]
            indices = np.concatenate([still.indices[first : first + count] for first, count in ranges])
            used = still.vertices["position"][indices]
            lows.append(used.min(0) if len(used) else np.zeros(3))
            highs.append(used.max(0) if len(used) else np.zeros(3))
        low, high = np.array(lows, float).reshape(-1, 3), np.array(highs, float).reshape(-1, 3)
        self._chunks = chunks
        self._shift = np.repeat(COPIES, len(chunks), 0)
        shift = np.pad(self._shift, ((0, 0), (0, 1)))
        self._centre = np.tile((low + high) / 2, (len(COPIES), 1)) + shift
        self._half = np.tile((high - low) / 2, (len(COPIES), 1))

    def visible(
        self,
        matrix: NDArray[np.float64],
        eye: NDArray[np.float64],
        horizon: Horizon | None = None,
        focal: float = np.inf,
    ) -> list[Draw]:
        """What lies within a frustum and not below a horizon, nearest first.

        Args:
            matrix: [4, 4] to clip space, from world axes relative to `eye`.
            eye: [3], wrapped into 0..SIZE.
            horizon: of the same eye.
            focal: of the picture, pixels: how finely far chunks are drawn. Infinite: wholly.
        """
        planes = np.concatenate([matrix[3] + matrix[:3], matrix[3] - matrix[:3]])  # [6, 4]
        centre = self._centre - eye
        distance = centre @ planes[:, :3].T + planes[:, 3] + self._half @ np.abs(planes[:, :3]).T
        seen = np.flatnonzero((distance > 0).all(1))
        if horizon is not None:
            hidden = horizon.hides(centre[seen] - self._half[seen], centre[seen] + self._half[seen])
            seen = seen[~hidden]
        gap = np.maximum(np.abs(centre[seen]) - self._half[seen], 0)
        order = np.argsort(gap[:, :2].max(1), kind="stable")
        # As far away as from here it would be seen at the usual focal length.
        away = np.linalg.norm(gap, axis=1) / max(focal / FOCAL, 1.0)
        return [self._draw(int(seen[n]), float(away[n])) for n in order]

    def _draw(self, number: int, away: float) -> Draw:
        x, y = self._shift[number]
        chunk = self._chunks[number % len(self._chunks)]
        first, count, closed = chunk.first, chunk.count, False
        for begins, far_first, far_count in chunk.far:
            if away >= begins:
                first, count, closed = far_first, far_count, True
        return Draw((float(x), float(y)), first, count, closed)


def relative_rows(
    rows: NDArray[np.void],
    eye: NDArray[np.float64],
    eye_step: NDArray[np.float64],
    matrix: NDArray[np.float64],
    reach: float,
    horizon: Horizon | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """[n, 12] of what an actor's shader needs, for those within `reach` metres that may be in the picture or shade it.

    Args:
        rows: [m] of ACTOR.
        eye: [3] of the camera now.
        eye_step: [3] from the previous camera to this one.
        matrix: [4, 4] to clip space, from world axes relative to `eye`.
        reach: metres.
        horizon: what houses hide from the same eye.

    Returns:
        now (x, y, z, yaw relative to the eye), before (relative to the previous eye), instance, length, height, state;
        and [n], which of `rows` each is.
    """
    now = rows["now"].astype(np.float64)
    place = now[:, :3] - eye
    place[:, :2] = (place[:, :2] + SIZE / 2) % SIZE - SIZE / 2
    planes = np.stack([matrix[3], matrix[3] + matrix[0], matrix[3] - matrix[0]])
    planes = planes / np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    distance = place @ planes[:, :3].T + planes[:, 3]
    seen = ((place[:, :2] ** 2).sum(1) < reach * reach) & (distance > -ACTOR_RADIUS).all(1)
    seen = np.flatnonzero(seen)
    if horizon is not None:
        hidden = horizon.hides(place[seen] - _ACTOR_BOX, place[seen] + _ACTOR_BOX)
        # Its shadow may be seen although it is not: keep what is near.
        seen = seen[~hidden | ((place[seen, :2] ** 2).sum(1) < 30**2)]
    # Sorted, so that what is near hides what is far before it is shaded.
    seen = seen[np.argsort((place[seen, :2] ** 2).sum(1), kind="stable")]
    place, now, rows = place[seen], now[seen], rows[seen]
    moved = rows["before"] - now
    moved[:, :2] = (moved[:, :2] + SIZE / 2) % SIZE - SIZE / 2
    # Who has moved by more than this in one frame was put there: it has no past.
    moved[np.abs(moved[:, :2]).max(1, initial=0) > 8] = 0
    made = np.empty((len(place), 12), np.float32)
    made[:, 0:3], made[:, 3] = place, now[:, 3]
    made[:, 4:7], made[:, 7] = place + moved[:, :3] + eye_step, now[:, 3] + moved[:, 3]
    for column, name in enumerate(("instance", "length", "height", "state"), 8):
        made[:, column] = rows[name]
    return made, seen
