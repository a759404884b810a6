"""The line below the sections: what the loop is doing, on which rung, device and presenter."""

from __future__ import annotations

import time

import dearpygui.dearpygui as dpg

from ..kit import Kit, View
from ..style import Item

MESSAGE_SECONDS = 12.0


class StatusBar:
    """One muted line; a message of the loop takes its place in the message's colour."""

    def __init__(self, kit: Kit, above: Item) -> None:
        """`above`: the part of the window that gives the height away which a longer message needs."""
        self.kit, self.above = kit, above
        self._lines = 0
        self._shown: tuple[str, str] = ("", "")
        self._serial, self._until = 0, 0.0
        self.line = dpg.add_text("", tag="status.line", wrap=0)
        self._tip = kit.tip(self.line, "")

    def refresh(self, view: View) -> None:
        status = view.status
        message = status.message
        if message and message.serial != self._serial:
            self._serial, self._until = message.serial, time.monotonic() + MESSAGE_SECONDS
        if time.monotonic() > self._until:
            message = None
        level = message.level if message and message.level in ("error", "warning") else ""
        facts = "   ·   ".join(
            p for p in (status.activity, status.preparing, status.rung, status.device, status.presenter) if p
        )
        shown = (message.text if message and level else facts, level)
        if shown != self._shown:
            self._shown = shown
            self._fit(2 if level else 1)
            c = self.kit.style.colours
            dpg.set_value(self.line, first_line(shown[0]))
            dpg.configure_item(self.line, color={"error": c.danger, "warning": c.warning}.get(level, c.muted))
        dpg.set_value(
            self._tip, f"{shown[0]}\n\n{facts}" if shown[0] != facts else f"Doing, rung, device, presenter:\n{facts}"
        )

    def _fit(self, lines: int) -> None:
        if lines != self._lines:
            self._lines = lines
            dpg.configure_item(self.above, height=-self.kit.px(16 * lines + 8))


def first_line(text: str, limit: int = 110) -> str:
    """The beginning of a message, for two lines at the panel's foot; the tooltip has all of it."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
