"""What the window shows, above everything else: the generators or the drive."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ...verbs import Mode
from ..controls import Segments
from ..kit import Kit, View

CHOICES = (
    ("generator", "Generators", "Faces, objects and scenes to look around.\nKey in the view: F2"),
    ("drive", "Drive", "A town that exists only as labels, painted by a network while you drive.\nKey in the view: F2"),
)


class ModeSection:
    """Two segments."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.segments = Segments(kit, "mode", CHOICES, self._choose)
        dpg.add_spacer(height=0)

    def refresh(self, view: View) -> None:
        self.segments.show(view.mode)

    def _choose(self, mode: Mode) -> None:
        if mode != self.kit.view.mode:
            self.kit.context.actions.drive.toggle()
