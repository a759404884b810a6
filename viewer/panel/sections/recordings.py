"""Recordings of drives: make one, and drive one again exactly."""

from __future__ import annotations

import time
from pathlib import Path

import dearpygui.dearpygui as dpg

from ..controls import IconButton
from ..kit import Kit, View
from ..style import Icon
from .toolbar import with_key

LOOK_AGAIN = 2.0
"""Seconds between two looks into the folder."""


class RecordingSection:
    """Record, a list of what was recorded, Replay."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._paths: dict[str, Path] = {}
        self._looked = -LOOK_AGAIN
        self._recording = False
        do = kit.context.actions.drive
        row = dpg.group(horizontal=True, horizontal_spacing=kit.px(4))
        with kit.card("Recording", tag="section.recording"), row:
            self.record = IconButton(
                kit,
                "Record",
                with_key("Write what you do to a file", "drive.toggle_record"),
                lambda: do.toggle_record(),
                tag="drive.record",
                width=72,
                height=24,
            )
            self.list = dpg.add_combo([], width=-kit.px(96), tag="drive.recordings")
            kit.tip(self.list, "Recordings beside the screenshots, newest first.")
            self.replay = IconButton(
                kit,
                f"{Icon.PLAY}  Replay",
                with_key("Drive the chosen recording once more, exactly", "drive.replay_last"),
                self._replay,
                tag="drive.replay",
                width=-1,
                height=24,
            )

    def refresh(self, view: View) -> None:
        status, now = view.status.drive, time.monotonic()
        recording = status is not None and bool(status.recording)
        if now - self._looked > LOOK_AGAIN or recording != self._recording:
            self._looked, self._recording = now, recording
            paths = {path.stem: path for path in self.kit.context.actions.drive.recordings()}
            if paths != self._paths:
                self._paths = paths
                dpg.configure_item(self.list, items=list(paths))
                if dpg.get_value(self.list) not in paths:
                    dpg.set_value(self.list, next(iter(paths), ""))
        self.record.show(label="Stop" if recording else "Record", lit=recording, enabled=status is not None)
        self.replay.show(enabled=bool(self._paths))

    def _replay(self) -> None:
        path = self._paths.get(dpg.get_value(self.list))
        if path is not None:
            self.kit.context.actions.drive.replay(path)
