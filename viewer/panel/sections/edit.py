"""Editing: brushes, the strokes that were made, what they shall do, and how far that is."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ...editing.brushes import BRUSHES, LARGEST, PALETTE, SMALLEST, BrushName, hex_of
from ...editing.cards import how_far
from ..controls import IconButton, Segments
from ..kit import VALUE_WIDTH, Kit, View
from ..plot import LossPlot
from .stroke_list import StrokeList
from .toolbar import with_key
from .transfer import TransferFold

NEEDS = {
    "recolour": ("colour",),
    "reshape": ("remove", "add"),
}


class EditSection:
    """Brushes above, strokes below them, the edits at the foot."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        do = kit.context.actions.edit
        self._running: bool | None = None
        self._has_result: bool | None = None
        self._colour: tuple[float, float, float] | None = None
        brushes = [(b.name, b.title, with_key(b.help, "edit.next_brush")) for b in BRUSHES]
        with kit.card("Edit", tag="section.edit"):
            self.brushes = (
                Segments(kit, "edit.brush", brushes[:3], self._choose),
                Segments(kit, "edit.brush", brushes[3:], self._choose),
            )
            with kit.row("Brush size", "Diameter, in percent of the picture's height."):
                self.width = dpg.add_slider_float(
                    format="",
                    width=-kit.px(VALUE_WIDTH + 4),
                    min_value=100 * SMALLEST,
                    max_value=100 * LARGEST,
                    tag="edit.width",
                    callback=lambda _, value, __: do.tools.take(width=round(value / 100, 4)),
                )
                kit.tip(self.width, "Diameter of the brush\nIn the view: scroll, or Ctrl [ and ]", delay=1.0)
                self.percent = dpg.add_button(width=kit.px(VALUE_WIDTH), tag="edit.width.value")
                dpg.bind_item_theme(self.percent, kit.style.quiet)
            with kit.row("Colour", "Of what is painted, and of what is added."):
                self.colour = dpg.add_color_edit(
                    (255, 255, 255),
                    no_alpha=True,
                    no_inputs=True,
                    no_label=True,
                    no_options=True,
                    tag="edit.colour",
                    callback=lambda _, value, __: do.set_colour(tuple(float(c) for c in value[:3])),  # type: ignore[arg-type]
                )
                kit.tip(self.colour, "Any colour")
                with dpg.group(horizontal=True, horizontal_spacing=kit.px(1)):
                    for colour in PALETTE:
                        dpg.add_color_button(
                            [255 * part for part in colour],
                            width=kit.px(14),
                            height=kit.px(22),
                            no_alpha=True,
                            no_border=True,
                            no_drag_drop=True,
                            user_data=colour,
                            tag=f"edit.palette.{hex_of(colour)}",
                            callback=lambda _, __, colour: do.set_colour(colour),
                        )
            self.strokes = StrokeList(kit)
            with dpg.group(tag="edit.apply") as self.apply, dpg.table(header_row=False, pad_outerX=False) as table:
                dpg.bind_item_theme(table, kit.style.cells)
                dpg.add_table_column()
                dpg.add_table_column()
                with dpg.table_row():
                    self.recolour = IconButton(kit, "Recolour", "", do.recolour, tag="edit.recolour", width=-1)
                    self.reshape = IconButton(kit, "Reshape", "", do.reshape, tag="edit.reshape", width=-1)
            self.progress = Progress(kit, "edit")
            self.transfer = TransferFold(kit)
            self.remove = dpg.add_button(
                label="Remove all edits",
                width=-1,
                show=False,
                tag="edit.remove",
                callback=lambda *_: do.remove_result(),
            )
            dpg.bind_item_theme(self.remove, kit.style.segment)
            kit.tip(self.remove, "The scene without what strokes have made of it. One step, which can be undone.")

    def refresh(self, view: View) -> None:
        tools, edit = view.tools, view.status.edit
        for segments in self.brushes:
            segments.show(tools.brush if tools.on else None)
        if not dpg.is_item_active(self.width):
            dpg.set_value(self.width, 100 * tools.width)
        dpg.configure_item(self.percent, label=f"{100 * tools.width:.1f} %")
        if tools.colour != self._colour:
            self._colour = tools.colour
            if not dpg.is_item_active(self.colour):
                dpg.set_value(self.colour, [255 * part for part in tools.colour])
        self.strokes.refresh(view)
        running = edit is not None and edit.what != "Photo"
        if running != self._running:
            self._running = running
            dpg.configure_item(self.apply, show=not running)
            self.progress.show(running)
        if running:
            self.progress.refresh(view)
        kinds = {stroke.kind for stroke in view.state.edits.strokes if stroke.on}
        for button, verb, tip in (
            (self.recolour, "recolour", "Give the scene the colours that were painted, seen from every side."),
            (self.reshape, "reshape", "Let go away what was marked, and grow what was added."),
        ):
            can = edit is None and bool(kinds.intersection(NEEDS[verb]))
            why = "" if can else "\nPaint with the " + " or ".join(NEEDS[verb]) + " brush first."
            button.show(enabled=can, lit=can, tip=f"{tip}\nKey in the view: Enter{why}")
        self.transfer.refresh(view)
        has_result = bool(view.state.edits.result)
        if has_result != self._has_result:
            self._has_result = has_result
            dpg.configure_item(self.remove, show=has_result)

    def _choose(self, brush: BrushName) -> None:
        do, now = self.kit.context.actions.edit, self.kit.view.tools
        if now.on and now.brush == brush:
            do.toggle_brushes()
        else:
            do.choose(brush)


class Progress:
    """How far an edit or an inversion is: bar, loss, time left, stop and keep, stop and drop."""

    def __init__(self, kit: Kit, key: str) -> None:
        self.kit = kit
        do = kit.context.actions.edit
        with dpg.group(show=False, tag=f"{key}.progress") as self.group:
            self.words = kit.hint("", tag=f"{key}.progress.words")
            self.bar = dpg.add_progress_bar(width=-1, height=kit.px(4), tag=f"{key}.progress.bar")
            self.plot = LossPlot(kit, ruler=f"section.{key}.fold", tag=f"{key}.progress.plot")
            with dpg.table(header_row=False, pad_outerX=False) as table:
                dpg.bind_item_theme(table, kit.style.cells)
                dpg.add_table_column()
                dpg.add_table_column()
                with dpg.table_row():
                    keep = IconButton(kit, "Stop and keep", "", do.keep, tag=f"{key}.keep", width=-1)
                    drop = IconButton(kit, "Stop and drop", "", do.drop, tag=f"{key}.drop", width=-1)
            keep.show(lit=True, tip=with_key("Take what there is by now", "edit.keep"))
            drop.show(tip="The scene as it was before\nKey in the view: Esc")

    def show(self, visible: bool) -> None:
        dpg.configure_item(self.group, show=visible)

    def refresh(self, view: View) -> None:
        edit = view.status.edit
        if edit is None:
            return
        dpg.set_value(self.words, how_far(edit) or edit.what)
        dpg.set_value(self.bar, min(edit.step / edit.steps, 1.0) if edit.steps else 0.0)
        self.plot.refresh(edit.losses)
