"""What is looked at: the picture, the raw volume, depth, normals or opacity, and at what size."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ..controls import Segments, combo_row, with_output
from ..kit import Kit, View

CHOICES = (
    ("rgb", "Colour", "The finished picture, after super-resolution."),
    ("raw", "Raw", "What volume rendering alone gives, before super-resolution sharpens it."),
    ("depth", "Depth", "How far away the surface is at each pixel."),
    ("normals", "Normals", "Which way the surface faces: shows the learned shape without its colours."),
    ("alpha", "Alpha", "Opacity: how much of each ray was stopped by matter."),
)
SIZES = (128, 256, 512, 1024)


class OutputSection:
    """Segmented choice of the output, and its size."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._sizes: list[str] = []
        with kit.card("Output", tag="section.output"):
            self.kinds = Segments(kit, "output.kind", CHOICES, kit.context.actions.set_output)
            self.size = combo_row(
                kit, "Size", "Side of the picture. Native: as the model makes it.", self._choose_size, tag="output.size"
            )

    def refresh(self, view: View) -> None:
        self.kinds.show(view.state.output.kind)
        same = view.info is not None and not view.info.has_upsampler
        self.kinds.disable(
            "raw", "This model has no super-resolution: Colour already is the raw volume." if same else ""
        )
        native = f"Native ({view.info.image_resolution} px)" if view.info else "Native"
        size = view.state.output.size
        sizes = [native, *(f"{s} px" for s in sorted({*SIZES, *([size] if size else [])}))]
        if sizes != self._sizes:
            self._sizes = sizes
            dpg.configure_item(self.size, items=sizes)
        shown = f"{size} px" if size else native
        if dpg.get_value(self.size) != shown:
            dpg.set_value(self.size, shown)

    def _choose_size(self, text: str) -> None:
        size = None if text.startswith("Native") else int(text.split()[0])
        self.kit.publish(lambda state: with_output(state, size=size), "Picture size")
