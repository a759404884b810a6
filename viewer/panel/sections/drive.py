"""The drive in the panel: engine and town, what paints, what is looked at, how large, and how it keeps up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from ....engine.state import Drive
from ...driving.banners import sentence
from ...driving.instruments import clock_face
from ..browser import FileBrowser
from ..controls import Segments, combo_row
from ..kit import Gesture, Kit, View
from ..plot import FrameTimePlot
from ..seed import parse_seed
from ..style import Icon
from .model import labelled

if TYPE_CHECKING:
    from ....engine.driving.status import DriveStatus

VIEWS = (
    ("painted", "Painted", "What the network makes of the labels."),
    ("semantic", "Labels", "What the network sees: one colour a class."),
    ("photo", "Photo", "The engine's own shaded picture, which the network learned from."),
    ("split", "Split", "Painted left, photo right; drag the divider in the picture."),
    ("motion", "Motion", "Where each pixel came from: hue is direction, strength is speed."),
    ("depth", "Depth", "How far away each pixel is."),
)
CAMERAS = (
    ("chase", "Chase", "From behind the car."),
    ("hood", "Hood", "From its hood."),
    ("top", "Top", "From above."),
)
LOOKS = (("photo", "Real", "The photo as a camera would take it."), ("drawn", "Drawn", "The photo as if drawn."))
SIZES = ((256, 128), (384, 192), (512, 256), (768, 384), (1024, 512))
ENGINES = {"Embedded town": "town", "CARLA server": "carla"}
ELSEWHERE = "Recorded labels…"


class DriveSection:
    """World and painter; the view; speed."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._painters: dict[str, str] = {}
        self._engines: list[str] = []
        self._sizes: list[str] = []
        do = kit.context.actions.drive
        self.painters = FileBrowser(kit, "Open a painter's checkpoint", do.set_translator, tag="browser.painter")
        self.gesture = Gesture("drive.seed")
        with kit.card("Drive", tag="section.drive"):
            self.engine = combo_row(
                kit, "Engine", "What moves the world and says what is where.", self._choose_engine, tag="drive.engine"
            )
            with (
                dpg.group() as self.town,
                kit.row("Town", "The number it grows from: same seed, same town."),
            ):
                self.seed = dpg.add_input_text(
                    width=-kit.px(88), tag="drive.seed", callback=lambda _, text, __: self._type_seed(text)
                )
                another = dpg.add_button(
                    label=f"{Icon.DICE}  Other", width=-1, tag="drive.new_town", callback=lambda *_: do.new_town()
                )
                dpg.bind_item_theme(another, kit.style.icon)
                kit.tip(another, "Any other town\nKey in the view: N")
            with kit.row("Painter", "The network that turns labels into pictures."):
                self.painter = dpg.add_combo(
                    [], width=-kit.px(36), tag="drive.painter", callback=lambda _, name, __: self._choose_painter(name)
                )
                browse = dpg.add_button(
                    label=Icon.FOLDER_OPEN, width=-1, tag="drive.browse", callback=lambda *_: self._browse()
                )
                dpg.bind_item_theme(browse, kit.style.icon)
                kit.tip(browse, "A checkpoint of SPADE, vid2vid, pix2pixHD or neuroview's own painter")
            self.facts = kit.hint("", tag="drive.facts")
        with kit.card("View", tag="section.drive_view"):
            self.views = (
                Segments(kit, "drive.view", VIEWS[:3], do.set_view),
                Segments(kit, "drive.view", VIEWS[3:], do.set_view),
            )
            with kit.row("Camera", "Where the camera stands."):
                self.cameras = Segments(kit, "drive.viewpoint", CAMERAS, do.set_viewpoint)
            with kit.row("Photo's look", "How the engine shades its own picture."):
                self.looks = Segments(kit, "drive.look", LOOKS, do.set_look)
            self.size = combo_row(
                kit,
                "Size",
                "Of maps and picture, pixels. Larger is slower.",
                self._choose_size,
                tag="drive.size",
            )
            self.plot = FrameTimePlot(kit, ruler="section.drive_view.fold", tag="drive.plot")

    def refresh(self, view: View) -> None:
        drive = view.state.drive
        if drive is None:
            return
        self._refresh_world(drive)
        self._refresh_painters(drive)
        dpg.set_value(self.facts, facts(view.status.drive))
        for segments in self.views:
            segments.show(drive.view)
        self.cameras.show(drive.viewpoint)
        self.looks.show(drive.photo_look)
        engine = view.status.drive.engine if view.status.drive else None
        why = "" if engine is None or engine.has_photo else "This engine draws no picture of its own."
        self.views[0].disable("photo", why)
        self.views[1].disable("split", why)
        no_motion = engine is not None and not engine.has_motion
        self.views[1].disable("motion", "This engine does not say how things move." if no_motion else "")
        sizes = [size_text(*size) for size in sorted({*SIZES, (drive.width, drive.height)})]
        if sizes != self._sizes:
            self._sizes = sizes
            dpg.configure_item(self.size, items=sizes)
        _show(self.size, size_text(drive.width, drive.height))
        self.plot.refresh(view)

    def _refresh_world(self, drive: Drive) -> None:
        names = [*ENGINES, ELSEWHERE]
        name = next((text for text, engine in ENGINES.items() if engine == drive.engine), drive.engine)
        if name not in names:
            names.append(name)
        if names != self._engines:
            self._engines = names
            dpg.configure_item(self.engine, items=names)
        _show(self.engine, name)
        dpg.configure_item(self.town, show=drive.engine == "town")
        self.gesture.poll(dpg.is_item_active(self.seed))
        if not self.gesture.held:
            _show(self.seed, str(drive.seed))

    def _refresh_painters(self, drive: Drive) -> None:
        references = labelled(tuple(self.kit.context.translators()), (), drive.translator)
        if references != self._painters:
            self._painters = references
            dpg.configure_item(self.painter, items=list(references))
        _show(self.painter, next((text for text, name in references.items() if name == drive.translator), ""))

    def _choose_engine(self, name: str) -> None:
        do = self.kit.context.actions.drive
        if name == ELSEWHERE:
            self.kit.context.loop.tell("Drop a folder of label maps (PNG) on the view: it is played in place of a town")
        elif name in ENGINES:
            do.set_engine(ENGINES[name])

    def _choose_painter(self, name: str) -> None:
        if name in self._painters:
            self.kit.context.actions.drive.set_translator(self._painters[name])

    def _choose_size(self, text: str) -> None:
        width, height = map(int, text.split(" px")[0].split(" × "))
        self.kit.context.actions.drive.set_size(width, height)

    def _type_seed(self, text: str) -> None:
        seed = parse_seed(text)
        drive = self.kit.view.state.drive
        if seed is not None and drive is not None and seed != drive.seed:
            self.kit.context.actions.drive.new_town(seed)

    def _browse(self) -> None:
        drive = self.kit.view.state.drive
        near = Path(drive.translator).parent if drive and Path(drive.translator).is_file() else Path.home()
        self.painters.open(near)


def size_text(width: int, height: int) -> str:
    return f"{width} × {height} px"


def facts(status: DriveStatus | None) -> str:
    """How the drive stands, one or two lines."""
    if status is None:
        return "Starting the engine."
    if status.connection in ("starting", "lost") and status.text:
        return sentence(status.text)
    rates = [f"engine {status.engine_fps:.0f} fps"] if status.engine_fps else []
    if status.painter_fps:
        rates.append(f"painter {status.painter_fps:.0f} fps ({status.painter_ms:.0f} ms)")
    if status.latency_ms:
        rates.append(f"delay {status.latency_ms:.0f} ms")
    far = f"{status.distance / 1000:.2f} km" if status.distance else ""
    clock = clock_face(status.frame.hour) if status.frame else ""
    return "   ·   ".join(part for part in (*rates, far, clock) if part)


def _show(item: int | str, value: str) -> None:
    if dpg.get_value(item) != value:
        dpg.set_value(item, value)
