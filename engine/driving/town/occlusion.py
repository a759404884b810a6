"""What houses hide: in a street most of the town stands behind walls and need not be drawn.

Seen from the eye, a wall covers a range of columns and, in them, everything behind it up to an elevation. The highest
such elevation of all walls nearer than a thing is its horizon; what does not rise above it is hidden. Everything is
rounded towards being seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .plan import SIZE
from .scene import Material, Mesh

COLUMNS = 96
_REACH = 130.0
"""Metres; walls farther away hide little."""
_SHORTEST = 5.0
"""Metres of wall that are worth asking."""


class Walls:
    """Facades that stand on the ground, as seen from above: [n, 2] starts and ends, [n] heights."""

    def __init__(self, still: Mesh) -> None:
        corners = still.vertices[still.indices.reshape(-1, 3)]
        corners = corners[(corners["material"] == Material.FACADE).all(1)]
        place = corners["position"].astype(np.float64).reshape(-1, 3, 3)
        low, high = place[:, :, 2].min(1), place[:, :, 2].max(1)
        # Of a rectangle's two triangles the one with two corners on the ground tells its length and height; the other
        # one has to be there too.
        on_ground = place[:, :, 2] < low[:, None] + 0.01
        on_top = place[:, :, 2] > high[:, None] - 0.01
        right_angled = (on_ground.sum(1) == 2) & (on_top.sum(1) == 1) & (low < 0.6)
        starts, ends, heights = [], [], []
        whole = {_edge(p[up]) for p, up in zip(place, on_top, strict=True) if up.sum() == 2}
        for p, down, top in zip(place[right_angled], on_ground[right_angled], high[right_angled], strict=True):
            a, b = p[down, :2]
            raised = np.column_stack([p[down, :2], (top, top)])
            if np.hypot(*(b - a)) >= _SHORTEST and _edge(raised) in whole:
                starts.append(a)
                ends.append(b)
                heights.append(top)
        self.start = np.array(starts).reshape(-1, 2)
        self.end = np.array(ends).reshape(-1, 2)
        self.height = np.array(heights)


def _edge(points: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(sorted(tuple(float(n) for n in np.round(point, 2)) for point in points))


class Horizon:
    """What the walls hide from one camera."""

    def __init__(self, walls: Walls, eye: NDArray[np.float64], forward: NDArray[np.float64], slope: float) -> None:
        """Sort the walls before a camera.

        Args:
            walls: of the town.
            eye: [3].
            forward: [3], unit.
            slope: tangent of half the angle across the picture's width.
        """
        ahead = forward[:2] / max(float(np.hypot(forward[0], forward[1])), 1e-9)
        self._eye, self._ahead = eye, ahead
        # A camera that looks down sees a wider part of the ground plan than one that looks ahead.
        self._slope = slope / max(float(np.hypot(forward[0], forward[1])), 0.2) * 1.3
        middle = (walls.start + walls.end) / 2
        shift = np.round((middle - eye[:2]) / SIZE) * SIZE + eye[:2]
        a, b = walls.start - shift, walls.end - shift
        za, zb = a @ ahead, b @ ahead
        near, far = np.minimum(za, zb), np.maximum(za, zb)
        chosen = (near > 0.5) & (far < _REACH)
        a, b, za, zb, near, far = a[chosen], b[chosen], za[chosen], zb[chosen], near[chosen], far[chosen]
        rise = walls.height[chosen] - eye[2]
        rise = np.minimum(rise / near, rise / far)
        ta, tb = self._column(self._side(a) / za), self._column(self._side(b) / zb)
        first, last = np.ceil(np.minimum(ta, tb)), np.floor(np.maximum(ta, tb))
        keep = np.argsort(far)
        keep = keep[last[keep] > first[keep]]
        columns = np.arange(COLUMNS)
        covers = (columns >= first[keep, None]) & (columns < last[keep, None])
        horizon = np.where(covers, rise[keep, None], -np.inf)
        # Row n: what the n nearest walls hide.
        self._rows = np.maximum.accumulate(np.vstack([np.full(COLUMNS, -np.inf), horizon]), 0)
        self._far = far[keep]

    def hides(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[n], for boxes from `low` to `high` [n, 3] relative to the eye: whether a wall covers each of them wholly."""
        x, y = self._ahead
        # The four corners' distance ahead and to the side.
        cx = np.stack([low[:, 0], high[:, 0], low[:, 0], high[:, 0]])
        cy = np.stack([low[:, 1], low[:, 1], high[:, 1], high[:, 1]])
        z, side = cx * x + cy * y, cx * y - cy * x
        near, far = z.min(0), z.max(0)
        before = near > 1.0
        column = self._column(side / np.maximum(z, 1.0))
        first = np.clip(np.floor(column.min(0)), 0, COLUMNS - 1)
        last = np.clip(np.floor(column.max(0)), 0, COLUMNS - 1)
        safe = np.maximum(near, 1.0)
        rise = np.maximum(high[:, 2] / safe, high[:, 2] / np.maximum(far, 1.0))
        horizon = self._rows[np.searchsorted(self._far, near)]
        columns = np.arange(COLUMNS)
        outside = (columns < first[:, None]) | (columns > last[:, None])
        return before & (outside | (horizon > rise[:, None])).all(1)

    def _side(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points[:, 0] * self._ahead[1] - points[:, 1] * self._ahead[0]

    def _column(self, tangent: NDArray[np.float64]) -> NDArray[np.float64]:
        return (tangent / self._slope * 0.5 + 0.5) * COLUMNS
