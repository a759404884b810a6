"""Matrices between the world and what is drawn of it; positions are relative to the eye, so that they stay exact."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

NEAR = 0.15
"""Metres along the optical axis to the nearest thing that is drawn."""
FAR = 205.0
"""And to the farthest: fog has swallowed everything there. Less than half the torus."""


def camera_axes(forward: tuple[float, float, float]) -> NDArray[np.float64]:
    """[3, 3]: rows right, down, forward of a camera without roll, in world axes."""
    z = np.asarray(forward, float)
    z = z / np.linalg.norm(z)
    x = np.cross(z, (0.0, 0.0, 1.0))
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def projection(axes: NDArray[np.float64], fov: float, aspect: float) -> NDArray[np.float64]:
    """[4, 4] from world axes relative to the eye to clip space, whose y points down: row 0 of a picture is its top.

    Args:
        axes: as `camera_axes`.
        fov: across the picture's height, radians.
        aspect: width / height.
    """
    focal = 1 / math.tan(fov / 2)
    made = np.zeros((4, 4))
    made[0, 0], made[1, 1] = focal / aspect, focal
    made[2, 2], made[2, 3], made[3, 2] = (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR), 1
    world = np.eye(4)
    world[:3, :3] = axes
    return made @ world


def light_axes(light: tuple[float, float, float]) -> NDArray[np.float64]:
    """[3, 3]: rows right, up, towards the light, a right-handed frame that depends on the light alone."""
    z = np.asarray(light, float)
    x = np.cross((0.0, 1.0, 0.0) if abs(z[1]) < 0.9 else (1.0, 0.0, 0.0), z)
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
