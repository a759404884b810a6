"""Shadow maps: one of everything that stands still, kept until the camera or the sun has moved, one of what moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .plan import SIZE
from .projection import light_axes
from .scene import Mesh

if TYPE_CHECKING:
    import moderngl


@dataclass(frozen=True)
class Coverage:
    """What a shadow map covers."""

    side: int
    """Texels."""
    reach: float
    """From its middle to an edge, metres."""
    ahead: float
    """From the camera to its middle, metres."""


STILL = Coverage(2048, 95.0, 58.0)
MOVING = Coverage(1024, 45.0, 34.0)
_DEPTH = 200.0
_KEEP = 8.0
"""Metres that the camera may move before the still map is drawn again."""
_SAME_SUN = 0.003
"""Radians, likewise."""
_HALF = np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0, 1.0]])


class ShadowMap:
    """A depth texture as the sun sees it."""

    def __init__(self, context: moderngl.Context, covers: Coverage) -> None:
        self.texture = context.depth_texture((covers.side, covers.side))
        self.texture.compare_func = "<="
        self.texture.repeat_x = self.texture.repeat_y = False
        self.target = context.framebuffer(depth_attachment=self.texture)
        self.texel = 2 * covers.reach / covers.side
        """Metres."""
        self._reach, self._ahead = covers.reach, covers.ahead
        self.origin: NDArray[np.float64] | None = None
        """[3], the middle, wrapped into the torus."""
        self._axes = np.eye(3)

    def outdated(self, eye: NDArray[np.float64], forward: NDArray[np.float64], light: NDArray[np.float64]) -> bool:
        """Whether what was drawn is no longer good for this camera."""
        if self.origin is None:
            return True
        off = (self._middle(eye, forward) - self.origin)[:2]
        off = (off + SIZE / 2) % SIZE - SIZE / 2
        return float(np.abs(off).max()) > _KEEP or float(np.abs(self._axes[2] - light).max()) > _SAME_SUN

    def place(
        self, eye: NDArray[np.float64], forward: NDArray[np.float64], light: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Put the map before a camera; its middle falls on whole texels, so that edges do not crawl.

        Returns:
            [4, 4] to clip space, from world axes relative to `origin`.
        """
        self._axes = light_axes((float(light[0]), float(light[1]), float(light[2])))
        seen = self._axes @ self._middle(eye, forward)
        seen[:2] = np.round(seen[:2] / self.texel) * self.texel
        origin = self._axes.T @ seen
        self.origin = np.array([origin[0] % SIZE, origin[1] % SIZE, origin[2]])
        return self._matrix()

    def clip(self, eye: NDArray[np.float64]) -> NDArray[np.float64]:
        """[4, 4] to clip space, from world axes relative to `eye`."""
        assert self.origin is not None
        off = eye - self.origin
        off[:2] = (off[:2] + SIZE / 2) % SIZE - SIZE / 2
        shift = np.eye(4)
        shift[:3, 3] = off
        return self._matrix() @ shift

    def lookup(self, eye: NDArray[np.float64]) -> NDArray[np.float64]:
        """[4, 4] to texture coordinates and depth, 0..1, from world axes relative to `eye`."""
        return _HALF @ self.clip(eye)

    def _middle(self, eye: NDArray[np.float64], forward: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([eye[0] + forward[0] * self._ahead, eye[1] + forward[1] * self._ahead, 0.0])

    def _matrix(self) -> NDArray[np.float64]:
        made = np.eye(4)
        made[:3, :3] = self._axes * np.array([[1 / self._reach], [1 / self._reach], [-1 / _DEPTH]])
        return made


def caster(mesh: Mesh) -> NDArray[np.float32]:
    """[36 n, 3] triangles of the boxes that cast a mover's shadow: one around its lower part, one around the upper."""
    points = mesh.vertices["position"].astype(np.float64)
    low, high = points.min(0), points.max(0)
    middle = low[2] + 0.62 * (high[2] - low[2])
    upper = points[points[:, 2] > middle]
    shell = np.array([0.96, 0.92, 1.0])
    boxes = [(low * shell, np.array([high[0], high[1], middle / shell[2]]) * shell)]
    boxes[0][0][2] = 0.12 * high[2]
    if len(upper):
        foot = upper.min(0) * shell
        boxes.append((np.array([foot[0], foot[1], middle * 0.95]), upper.max(0) * shell))
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float)
    faces = ((0, 1, 2, 3), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
    order = [face[n] for face in faces for n in (0, 1, 2, 0, 2, 3)]
    return np.concatenate([(a + corners * (b - a))[order] for a, b in boxes]).astype(np.float32)
