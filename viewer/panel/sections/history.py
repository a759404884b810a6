"""The history: every step that can be undone or redone, as a list that can be clicked."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ....engine.store import History
from ..kit import Kit, View

MOST = 80
"""Steps listed: those around the present."""
ROWS = 7
START = "Beginning"


class HistorySection:
    """One line a step, oldest above; the present one is lit, undone ones are pale."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._shown: History | None = None
        self._rows: list[tuple[int | str, int | str]] = []
        self._scroll = 0
        with kit.card("History", tag="section.history"):
            self.list = dpg.add_child_window(border=False, height=kit.px(30), tag="history")
            dpg.bind_item_theme(self.list, kit.style.list)

    def refresh(self, view: View) -> None:
        if self._scroll:  # where the list ends is known some frames after it has grown
            self._scroll -= 1
            self._show_present()
        if view.history == self._shown or not dpg.is_item_shown("section.history"):
            return
        self._shown = view.history
        first, lines = listed(view.history)
        while len(self._rows) < len(lines):
            self._rows.append((self._add_row(len(self._rows)), 0))
        for index, (row, theme) in enumerate(self._rows):
            shown = index < len(lines)
            dpg.configure_item(row, show=shown)
            if not shown:
                continue
            step = first + index
            dpg.configure_item(row, label=lines[index], user_data=step)
            now = view.history.position
            style = self.kit.style
            wanted = style.row_lit if step == now else style.row if step < now else style.row_muted
            if wanted != theme:
                dpg.bind_item_theme(row, wanted)
                self._rows[index] = (row, wanted)
        dpg.configure_item(self.list, height=self.kit.px(26) * min(len(lines), ROWS) + self.kit.px(8))
        self._scroll = 3
        self.kit.wake()

    def _add_row(self, index: int) -> int | str:
        return dpg.add_button(
            width=-1,
            parent=self.list,
            tag=f"history.{index}",
            callback=lambda _, __, step: self.kit.context.store.go_to(step),
        )

    def _show_present(self) -> None:
        if self._shown is not None:
            first, _ = listed(self._shown)
            dpg.set_y_scroll(self.list, max(0, (self._shown.position - first - ROWS // 2) * self.kit.px(26)))


def listed(history: History) -> tuple[int, list[str]]:
    """(number of the first line, the lines): line n stands for n steps in effect, 0 for the beginning."""
    total = len(history.labels)
    first = min(max(history.position - MOST // 2, 0), max(total - MOST, 0))
    lines = [START if step == 0 else history.labels[step - 1] for step in range(first, min(first + MOST, total) + 1)]
    return first, lines
