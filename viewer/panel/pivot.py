"""The point that the camera orbits."""

from __future__ import annotations

from collections.abc import Sequence

import dearpygui.dearpygui as dpg

from .fields import orbit, with_camera
from .kit import Gesture, Kit, View, on_click


class PivotRow:
    """The point that the camera orbits, three numbers to drag sideways."""

    def __init__(self, kit: Kit) -> None:
        self.kit, self.gesture = kit, Gesture("camera.pivot")
        self._enabled = True
        help_text = "The point that the camera turns about and looks at: x, y, z. Drag sideways; right-click: default."
        with kit.row("Pivot", help_text):
            self.drag = dpg.add_drag_floatx(
                tag="camera.pivot",
                size=3,
                speed=0.002,
                format="%.2f",
                width=-1,
                min_value=-1e4,
                max_value=1e4,
                clamped=True,
                callback=lambda _, value, __: self._moved(value),
            )
        kit.tip(self.drag, help_text)
        on_click(self.drag, right=self.reset)

    def refresh(self, view: View) -> None:
        self.gesture.poll(dpg.is_item_active(self.drag))
        if (view.info is not None) != self._enabled:
            self._enabled = view.info is not None
            dpg.configure_item(self.drag, enabled=self._enabled)
        pivot = orbit(view.state, view.info).pivot
        shown = dpg.get_value(self.drag)[:3]
        if not self.gesture.held and any(abs(a - b) > 1e-6 * max(1, abs(b)) for a, b in zip(shown, pivot, strict=True)):
            dpg.set_value(self.drag, [*pivot, 0.0])

    def reset(self) -> None:
        info = self.kit.view.info
        if info is not None:
            self.gesture.finish()
            self._moved(info.camera.pivot)
            self.gesture.finish()

    def _moved(self, value: Sequence[float]) -> None:
        info = self.kit.view.info
        x, y, z = (round(float(v), 5) for v in value[:3])
        self.kit.publish(lambda s: with_camera(s, info, pivot=(x, y, z)), "Pivot", self.gesture.change())
