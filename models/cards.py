"""What is known of foreign checkpoints beyond their numbers: licences and the training camera."""

from __future__ import annotations

import math
from typing import Any

from .base import CameraDefaults

# As stated by the repositories that published the weights; a file of one's own training may be under other terms.
EG3D_LICENCE = "NVIDIA Source Code License (non-commercial), for NVIDIA's released models"
STYLENERF_LICENCE = "CC BY-NC 4.0 (non-commercial), for Meta's released models"
PIGAN_LICENCE = "none stated by the authors' repository"
GRAF_LICENCE = "MIT (code); the weights' terms are not stated"
KRRISH94_LICENCE = "MIT (code); the weights' terms are not stated"


def camera_facts(camera: CameraDefaults) -> dict[str, Any]:
    """The training camera in words and round numbers, for `ModelCard.training`; angles in degrees."""

    def degrees(low: float, high: float) -> str:
        return f"{math.degrees(low):.4g} to {math.degrees(high):.4g}"

    return {
        "camera distance": round(camera.radius, 4),
        "camera field of view, degrees across the height": round(math.degrees(camera.fov), 3),
        "camera yaw, degrees": degrees(*camera.yaw_range),
        "camera pitch, degrees": degrees(*camera.pitch_range),
        "camera up": camera.up,
    }
