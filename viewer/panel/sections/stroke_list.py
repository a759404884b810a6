"""The strokes that were made: switched on and off, looked at in their own view, taken away."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ....engine.state import Stroke
from ...editing.brushes import BY_NAME, tint_of
from ...editing.strokes import view_name
from ..kit import Kit, View
from ..style import Icon

MOST = 60
"""Rows shown; later strokes are the ones that matter."""
ROWS = 6
"""Rows that are seen at once."""


class StrokeList:
    """One row a stroke, newest last; built anew when strokes come and go."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._shown: tuple[Stroke, ...] | None = None
        self.empty = kit.hint(
            "Take a brush and paint on the picture. With a brush in hand, the right button turns the camera.",
            tag="edit.strokes.empty",
        )
        with dpg.group(show=False, tag="edit.strokes.some") as self.group:
            self.list = dpg.add_child_window(border=False, height=10, tag="edit.strokes")
            dpg.bind_item_theme(self.list, kit.style.list)
            clear = dpg.add_button(
                label="Delete all strokes",
                width=-1,
                tag="edit.clear",
                callback=lambda *_: kit.context.actions.edit.clear(),
            )
            dpg.bind_item_theme(clear, kit.style.segment)
            kit.tip(clear, "One step, which can be undone\nKey in the view: Del")

    def refresh(self, view: View) -> None:
        strokes = view.state.edits.strokes
        if strokes == self._shown:
            return
        grown = self._shown is not None and len(strokes) > len(self._shown)
        self._shown = strokes
        dpg.configure_item(self.empty, show=not strokes)
        dpg.configure_item(self.group, show=bool(strokes))
        dpg.delete_item(self.list, children_only=True)
        first = max(0, len(strokes) - MOST)
        row = self.kit.px(26)
        dpg.configure_item(self.list, height=min(len(strokes) - first, ROWS) * row + self.kit.px(8))
        dpg.push_container_stack(self.list)
        try:
            for number in range(first, len(strokes)):
                self._row(number, strokes[number])
        finally:
            dpg.pop_container_stack()
        if grown:
            dpg.set_y_scroll(self.list, 1e6)

    def _row(self, number: int, stroke: Stroke) -> None:
        kit, do = self.kit, self.kit.context.actions.edit
        tint = tint_of(stroke.kind, stroke.colour)[:3]
        with dpg.group(horizontal=True, horizontal_spacing=kit.px(6)):
            on = dpg.add_checkbox(
                default_value=stroke.on,
                user_data=number,
                tag=f"edit.stroke.{number}.on",
                callback=lambda _, value, number: do.switch(number, value),
            )
            kit.tip(on, "Whether it counts")
            dpg.add_color_button(
                [255 * part for part in tint], width=kit.px(10), height=kit.px(24), no_border=True, no_drag_drop=True
            )
            words = dpg.add_button(
                label=f"{number + 1}   {BY_NAME[stroke.kind].title}   ·   {view_name(stroke.camera)}",
                width=-kit.px(32),
                user_data=number,
                tag=f"edit.stroke.{number}",
                callback=lambda _, __, number: do.look_at(number),
            )
            dpg.bind_item_theme(words, kit.style.row if stroke.on else kit.style.row_muted)
            kit.tip(words, "Look from where it was drawn")
            gone = dpg.add_button(
                label=Icon.CLOSE,
                width=-1,
                user_data=number,
                tag=f"edit.stroke.{number}.delete",
                callback=lambda _, __, number: do.delete(number),
            )
            dpg.bind_item_theme(gone, kit.style.icon)
            kit.tip(gone, "Delete it")
