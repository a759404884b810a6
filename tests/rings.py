"""Training cameras that never took a picture; without torch, so that a test of the panel starts quickly."""

from __future__ import annotations

import math

from neuroview.models.base import Pose


def ring(count: int, radius: float = 4.0) -> tuple[Pose, ...]:
    """Cameras around the sphere, a quarter turn in all, as if pictures had been taken there."""
    poses = []
    for index in range(count):
        turn = 0.5 * math.pi * index / max(count - 1, 1)
        c, s = math.cos(turn), math.sin(turn)
        matrix = ((c, 0.0, -s, radius * s), (0.0, -1.0, 0.0, 0.0), (-s, 0.0, -c, radius * c), (0.0, 0.0, 0.0, 1.0))
        lens = ((1.4 + 0.1 * index, 0.0, 0.5), (0.0, 1.4 + 0.1 * index, 0.5), (0.0, 0.0, 1.0))
        poses.append(Pose(f"r_{index}", matrix, lens))
    return tuple(poses)
