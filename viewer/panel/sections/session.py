"""Sessions: everything that was done, in one file; and what a run that did not end well has left behind."""

from __future__ import annotations

import time
from pathlib import Path

import dearpygui.dearpygui as dpg

from ..controls import IconButton
from ..kit import Kit, View
from .toolbar import with_key

LOOK_AGAIN = 2.0
"""Seconds between two looks into the folder."""


class SessionSection:
    """Save, a list of what was saved, Open."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._paths: dict[str, Path] = {}
        self._looked = -LOOK_AGAIN
        self._recoverable: bool | None = None
        do = kit.context.actions
        with kit.card("Session", tag="section.session"):
            with dpg.group(show=False, tag="session.crash") as self.crash:
                kit.hint("The last run did not end well. What it showed can be brought back, edits included.")
                with dpg.group(horizontal=True, horizontal_spacing=kit.px(4)):
                    restore = IconButton(
                        kit,
                        "Restore the last session",
                        with_key("Bring it back, with its history", "sessions.open_newest"),
                        lambda: do.sessions.recover(),
                        tag="session.restore",
                        width=230,
                    )
                    restore.show(lit=True)
                    IconButton(
                        kit,
                        "Forget it",
                        "Nobody needs it",
                        lambda: do.sessions.forget_crash(),
                        tag="session.forget",
                        width=-1,
                    )
            with dpg.group(horizontal=True, horizontal_spacing=kit.px(4)):
                IconButton(
                    kit,
                    "Save",
                    with_key("View, seeds, strokes and edits into one file", "sessions.save"),
                    lambda: do.sessions.save(),
                    tag="session.save",
                    width=72,
                    height=24,
                ).show(lit=True)
                self.list = dpg.add_combo([], width=-kit.px(80), tag="session.list")
                kit.tip(
                    self.list, "Sessions beside the screenshots, newest first. One from elsewhere: drop it on the view."
                )
                self.open = IconButton(
                    kit,
                    "Open",
                    with_key("Bring the chosen session back", "sessions.open_newest"),
                    self._open,
                    tag="session.open",
                    width=-1,
                    height=24,
                )

    def refresh(self, view: View) -> None:
        sessions, now = self.kit.context.actions.sessions, time.monotonic()
        if sessions.recoverable != self._recoverable:
            self._recoverable = sessions.recoverable
            dpg.configure_item(self.crash, show=self._recoverable)
        if now - self._looked > LOOK_AGAIN:
            self._looked = now
            paths = {path.stem: path for path in sessions.saved()}
            if paths != self._paths:
                self._paths = paths
                dpg.configure_item(self.list, items=list(paths))
                dpg.set_value(self.list, next(iter(paths), ""))
        self.open.show(enabled=bool(self._paths))

    def _open(self) -> None:
        path = self._paths.get(dpg.get_value(self.list))
        if path is not None:
            self.kit.context.actions.open_path(str(path))
