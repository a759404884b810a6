"""Where the camera stands: the orbit's angles, lens, distance and pivot."""

from __future__ import annotations

from ..controls import PivotRow, SliderRow
from ..fields import CAMERA_FIELDS
from ..kit import Kit, View


class CameraSection:
    """Yaw, pitch, roll, field of view, distance, pivot."""

    def __init__(self, kit: Kit) -> None:
        with kit.card("Camera", tag="section.camera"):
            self.rows = [SliderRow(kit, field) for field in CAMERA_FIELDS]
            self.pivot = PivotRow(kit)

    def refresh(self, view: View) -> None:
        for row in self.rows:
            row.refresh(view)
        self.pivot.refresh(view)
