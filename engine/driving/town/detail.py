"""How finely still things are drawn from how far: whole when near, simpler from the middle distance and from afar."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scene import Material

NEAR, MIDDLE, FAR = LEVELS = (0, 1, 2)
BEGINS = (0.0, 42.0, 75.0)
"""Metres from the camera to a chunk's nearest point from which each level is drawn, in pictures of up to 128 rows."""
MOVERS_BEGIN = 45.0
"""Likewise from which cars and people are drawn by their simpler meshes."""
FOCAL = 118.0
"""Pixels: a longer focal length shows more, and all these distances grow with it."""
_THINNEST = (0.0, 0.17, 0.40)
"""Metres: of what trims a house, narrower triangles are left out; they would be less than half a pixel wide."""
_TRIMMINGS = (Material.TRIM, Material.METAL, Material.GLASS)
_HOUSE_TAG = 3


def worth_drawing(rows: NDArray[np.float32], indices: NDArray[np.uint32], level: int) -> NDArray[np.uint32]:
    """`indices` [3 T] without the triangles of a house's trimmings that are too thin to be seen at `level`.

    Args:
        rows: [V, 11], the fields of VERTEX in order.
        indices: into `rows`, in threes.
        level: one of LEVELS.
    """
    if level == NEAR or not len(indices):
        return indices
    corners: NDArray[Any] = rows[indices.reshape(-1, 3)]
    a, b, c = (corners[:, k, :3].astype(np.float64) for k in range(3))
    longest = np.sqrt(np.maximum.reduce([((p - q) ** 2).sum(1) for p, q in ((a, b), (b, c), (c, a))]))
    breadth = np.linalg.norm(np.cross(b - a, c - a), axis=1) / np.maximum(longest, 1e-9)
    trimming = np.isin(corners[:, 0, 8], _TRIMMINGS) & (corners[:, 0, 9] == _HOUSE_TAG)
    keep = ~trimming | (breadth >= _THINNEST[level])
    return indices.reshape(-1, 3)[keep].ravel()
