"""A person's own photo: brought in, cut, inverted, compared with what came out."""

from __future__ import annotations

from pathlib import Path

import dearpygui.dearpygui as dpg

from ...editing.cards import photo_caption
from ...editing.photo import PICTURES
from ..browser import FileBrowser
from ..controls import IconButton, Segments
from ..kit import Kit, View
from ..style import Icon
from .edit import Progress
from .toolbar import with_key

CAMERAS = (
    (False, "Fit it", "The camera is looked for in the photo."),
    (True, "This one", "The photo was taken from where the camera stands now."),
)


class PhotoSection:
    """Choose, frame, invert, compare."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._stage: object = object()
        do = kit.context.actions.edit
        self.browser = FileBrowser(
            kit, "Open a photo", kit.context.actions.open_path, tag="browser.photo", endings=PICTURES
        )
        with kit.card("Photo", tag="section.photo"):
            self.reason = kit.hint("", tag="photo.reason")
            with dpg.group() as self.choose:
                choose = dpg.add_button(
                    label=f"{Icon.FOLDER_OPEN}   Choose a photo",
                    width=-1,
                    tag="photo.open",
                    callback=lambda *_: self._browse(),
                )
                dpg.bind_item_theme(choose, kit.style.segment)
                kit.tip(choose, "Or drop one on the view. Its person becomes an identity like any other.")
            with dpg.group(show=False) as self.framing:
                with kit.row("Camera", "From where the photo was taken."):
                    self.cameras = Segments(kit, "photo.camera", CAMERAS, lambda here: do.photo.change(here=here))
                with dpg.group(horizontal=True, horizontal_spacing=kit.px(4)):
                    self.invert = IconButton(
                        kit,
                        "Rebuild in 3D",
                        with_key("Find the identity in the photo", "edit.apply"),
                        do.invert,
                        tag="photo.invert",
                        width=220,
                    )
                    self.away = IconButton(
                        kit,
                        "Put away",
                        "Close the photo\nKey in the view: Esc",
                        do.close_photo,
                        tag="photo.close",
                        width=-1,
                    )
            with dpg.group(show=False, horizontal=True, horizontal_spacing=kit.px(4)) as self.comparing:
                self.compare = IconButton(
                    kit,
                    "Compare",
                    with_key("The photo left of a divider over the picture", "edit.toggle_compare"),
                    do.toggle_compare,
                    tag="photo.compare",
                    width=110,
                )
                IconButton(kit, "Again", "Back to the photo's box", do.frame_photo, tag="photo.again", width=106)
                IconButton(kit, "Put away", "Close the photo", do.close_photo, tag="photo.away", width=-1)
            self.progress = Progress(kit, "photo")
            self.identity = dpg.add_button(
                label="Back to seed A", width=-1, show=False, tag="photo.seed", callback=lambda *_: do.drop_identity()
            )
            dpg.bind_item_theme(self.identity, kit.style.segment)
            kit.tip(self.identity, "Seed A in place of the photo's identity. One step, which can be undone.")

    def refresh(self, view: View) -> None:
        photo, edit = view.photo, view.status.edit
        running = edit is not None and edit.what == "Photo"
        possible = view.info is None or bool(view.info.layer_names)
        stage = (possible, running, photo.stage if photo else None)
        if stage != self._stage:
            self._stage = stage
            dpg.configure_item(self.choose, show=possible and photo is None and not running)
            dpg.configure_item(self.framing, show=photo is not None and photo.stage == "framing" and not running)
            dpg.configure_item(self.comparing, show=photo is not None and photo.stage == "compare" and not running)
            self.progress.show(running)
        dpg.set_value(self.reason, self._words(view, possible))
        if photo is not None:
            self.cameras.show(photo.here)
            self.compare.show(lit=photo.shown)
        self.invert.show(enabled=edit is None, lit=edit is None)
        if running:
            self.progress.refresh(view)
        dpg.configure_item(self.identity, show=bool(view.state.latents.identity) and not running)

    @staticmethod
    def _words(view: View, possible: bool) -> str:
        if not possible:
            return "This model is one scene without seeds: no photo can become one of its identities."
        if view.photo is not None:
            return (
                f"{photo_caption(view.photo)}: drag its square in the view."
                if view.photo.stage == "framing"
                else (f"{photo_caption(view.photo)} beside what the model makes of it.")
            )
        if view.state.latents.identity:
            return "A photo's identity stands in for seed A."
        return "Drop a photo on the view, or choose one: its person becomes an identity that can be turned and mixed."

    def _browse(self) -> None:
        photo = self.kit.view.photo
        self.browser.open(Path(photo.path).parent if photo is not None else _pictures())


def _pictures() -> Path:
    import platformdirs

    folder = Path(platformdirs.user_pictures_dir())
    return folder if folder.is_dir() else Path.home()
