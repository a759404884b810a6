"""A small file browser inside the panel: Dear PyGui's own needs more width than the panel has.

`listing` is the logic; `FileBrowser` shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dearpygui.dearpygui as dpg

from ..editing.photo import PICTURES
from .kit import Kit
from .style import Icon

MODELS = (".pkl", ".ckpt", ".safetensors", ".tar", ".pth", ".pt")
VIEWS = (".png", ".json", ".nvsession")
LIMIT = 1000
"""Entries shown at most; a folder of a data set would freeze the panel otherwise."""


@dataclass(frozen=True)
class Entry:
    """One line of the browser."""

    path: Path
    folder: bool

    @property
    def icon(self) -> str:
        return (
            Icon.FOLDER if self.folder else Icon.PICTURE if self.path.suffix.lower() in VIEWS + PICTURES else Icon.MODEL
        )


def listing(folder: Path, endings: tuple[str, ...] = MODELS + VIEWS) -> tuple[list[Entry], str]:
    """The folders and the files that can be opened in `folder`, and a sentence when there is something to say."""
    folders, files = [], []
    try:
        for path in folder.iterdir():
            if path.name.startswith("."):
                continue
            try:
                if path.is_dir():
                    folders.append(Entry(path, True))
                elif path.suffix.lower() in endings:
                    files.append(Entry(path, False))
            except OSError:  # a dangling link, a share that is gone
                continue
    except OSError as error:
        return [], f"This folder cannot be read: {error.strerror or error}."
    entries = [*sorted(folders, key=_name), *sorted(files, key=_name)]
    if len(entries) > LIMIT:
        return entries[:LIMIT], f"Only the first {LIMIT} of {len(entries)} entries are shown; type a path instead."
    return entries, "" if files else "There is nothing in this folder that can be opened here."


def _name(entry: Entry) -> str:
    return entry.path.name.lower()


class FileBrowser:
    """A sheet over the panel with the folder's entries; a click opens, and a path can be typed."""

    def __init__(
        self,
        kit: Kit,
        title: str,
        chosen: Callable[[str], object],
        *,
        tag: str = "browser",
        endings: tuple[str, ...] = MODELS + VIEWS,
    ) -> None:
        """`endings`: of the files that are listed."""
        self.kit, self._endings = kit, endings
        self._chosen = chosen
        self.folder = Path.home()
        with dpg.window(
            label=title, modal=True, show=False, no_move=True, no_resize=True, no_collapse=True, tag=tag
        ) as self.window:
            with dpg.group(horizontal=True):
                for label, tip, press in (
                    (Icon.UP, "To the folder above", lambda: self.enter(self.folder.parent)),
                    (Icon.HOME, "To your home folder", lambda: self.enter(Path.home())),
                ):
                    button = dpg.add_button(
                        label=label, width=kit.px(32), user_data=press, callback=lambda _, __, f: f()
                    )
                    kit.tip(button, tip)
                self.path = dpg.add_input_text(
                    width=-1, on_enter=True, tag=f"{tag}.path", callback=lambda _, text, __: self._typed(text)
                )
                kit.tip(self.path, "A folder or a file: type and press Enter.")
            self.list = dpg.add_child_window(
                height=-kit.px(32), border=False, always_use_window_padding=True, tag=f"{tag}.list"
            )
            dpg.bind_item_theme(self.list, kit.style.sheet_list)
            self.note = kit.hint("")
        dpg.bind_item_theme(self.window, kit.style.sheet)

    def open(self, folder: Path) -> None:
        """Show the browser at `folder`, as large as the panel allows."""
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        margin = self.kit.px(16)
        dpg.configure_item(
            self.window,
            show=True,
            pos=(margin, margin),
            width=width - 2 * margin,
            height=min(height - 2 * margin, self.kit.px(640)),
        )
        self.enter(folder)

    def enter(self, folder: Path) -> None:
        """Go to a folder."""
        self.folder = folder
        entries, note = listing(folder, self._endings)
        dpg.set_value(self.path, str(folder))
        dpg.set_value(self.note, note)
        dpg.delete_item(self.list, children_only=True)
        for entry in entries:
            dpg.add_selectable(
                label=f" {entry.icon}   {entry.path.name}",
                height=self.kit.px(20),
                parent=self.list,
                user_data=entry,
                callback=lambda _, __, entry: self._pick(entry),
            )
        dpg.set_y_scroll(self.list, 0)

    def _pick(self, entry: Entry) -> None:
        if entry.folder:
            self.enter(entry.path)
        else:
            dpg.configure_item(self.window, show=False)
            self._chosen(str(entry.path))

    def _typed(self, text: str) -> None:
        path = Path(text.strip()).expanduser()
        if path.is_dir():
            self.enter(path)
        elif path.is_file():
            self._pick(Entry(path, False))
        else:
            dpg.set_value(self.note, f"There is no {path}.")
