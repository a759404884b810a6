"""Which model is open: shipped ones, recent files, a browser, and the card of the open one."""

from __future__ import annotations

from pathlib import Path

import dearpygui.dearpygui as dpg

from ..browser import FileBrowser
from ..kit import Kit, View
from ..style import Icon
from .options import OptionRows

FAMILIES = {"eg3d": "EG3D", "nerf": "NeRF", "pigan": "pi-GAN", "stylenerf": "StyleNeRF"}


class ModelSection:
    """Combo of models, Browse, who made what under which licence, and the model's own choices."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._references: dict[str, str] = {}
        self._shown: tuple[object, ...] = ()
        self.browser = FileBrowser(kit, "Open a model, a screenshot or a saved view", kit.context.actions.open_path)
        with kit.card("Model", tag="section.model"):
            with dpg.group(horizontal=True):
                self.combo = dpg.add_combo(
                    [], width=-kit.px(48), tag="model.combo", callback=lambda _, label, __: self._choose(label)
                )
                kit.tip(self.combo, "Shipped models, then the files you opened last.")
                browse = dpg.add_button(
                    label=Icon.FOLDER_OPEN, width=-1, tag="model.browse", callback=lambda *_: self._browse()
                )
                dpg.bind_item_theme(browse, kit.style.icon)
                kit.tip(browse, "Open a checkpoint, or a screenshot whose view to restore")
            self.summary = dpg.add_text("", wrap=0)
            self.facts = kit.hint("")
            kit.tip(self.facts, "Family, licence, and the first digits of the file's SHA-256.")
            self.options = OptionRows(kit)
            self.activity = dpg.add_progress_bar(height=kit.px(4), width=-1, show=False)

    def refresh(self, view: View) -> None:
        recent, shipped = tuple(self.kit.context.recent()), tuple(self.kit.context.models())
        key = (shipped, recent, view.info, view.status.activity)
        if key != self._shown:
            self._shown = key
            self._references = labelled(shipped, recent, view.info.reference if view.info else "")
            dpg.configure_item(self.combo, items=list(self._references))
            self._describe(view)
        # The open model, not the one asked for: a file that fails to load leaves the old one running.
        open_now = view.info.reference if view.info else view.state.model
        label = next((text for text, reference in self._references.items() if reference == open_now), "")
        if dpg.get_value(self.combo) != label:
            dpg.set_value(self.combo, label)
        self.options.refresh(view)
        progress = view.status.progress
        dpg.configure_item(self.activity, show=progress is not None)
        if progress is not None:
            dpg.set_value(self.activity, progress)

    def _describe(self, view: View) -> None:
        if view.info is None:
            dpg.set_value(self.summary, view.status.activity)
            dpg.set_value(self.facts, "No model is open yet.")
            return
        card = view.info.card
        dpg.set_value(self.summary, card.summary or card.title)
        family = FAMILIES.get(card.family, card.family)
        dpg.set_value(self.facts, "  ·  ".join(p for p in (family, card.licence, card.fingerprint[:8]) if p))

    def _choose(self, label: str) -> None:
        reference = self._references.get(label)
        if reference is not None and (self.kit.view.info is None or reference != self.kit.view.info.reference):
            self.kit.context.actions.open_path(reference)

    def _browse(self) -> None:
        info = self.kit.view.info
        near = Path(info.reference).parent if info and Path(info.reference).is_file() else None
        recent = [Path(p).parent for p in self.kit.context.recent()]
        self.browser.open(near or next((p for p in recent if p.is_dir()), Path.home()))


def labelled(shipped: tuple[tuple[str, str], ...], recent: tuple[str, ...], current: str) -> dict[str, str]:
    """What the list says -> reference: shipped titles, then files with their folder, which often says more."""
    references = {title or name: name for name, title in shipped}
    known = set(references.values())
    candidates: tuple[str, ...] = (*recent, current) if current else recent
    paths = [path for path in dict.fromkeys(candidates) if path not in known]
    names = [f"{Path(path).parent.name}/{Path(path).name}".lstrip("/") for path in paths]
    for path, name in zip(paths, names, strict=True):
        references[name if names.count(name) == 1 and name not in references else path] = path
    return references
