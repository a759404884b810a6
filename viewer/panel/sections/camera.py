"""Where the camera stands: the orbit's angles, lens, distance and pivot, and the training cameras."""

from __future__ import annotations

from ..controls import SliderRow
from ..fields import CAMERA_FIELDS
from ..kit import Kit, View
from ..pivot import PivotRow
from .poses import PoseRow


class CameraSection:
    """Training camera where there is one, yaw, pitch, roll, field of view, distance, pivot."""

    def __init__(self, kit: Kit) -> None:
        with kit.card("Camera", tag="section.camera"):
            self.rows = (PoseRow(kit), *(SliderRow(kit, field) for field in CAMERA_FIELDS), PivotRow(kit))

    def refresh(self, view: View) -> None:
        for row in self.rows:
            row.refresh(view)
