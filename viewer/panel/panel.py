"""The panel's contents: the bars, the sections, and the one function that brings them all to the newest state.

Needs a Dear PyGui context but no window, so that tests can press its buttons without a display.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import dearpygui.dearpygui as dpg

from ..verbs import Mode
from .base import PanelContext
from .kit import Kit, Section, View
from .sections.camera import CameraSection
from .sections.directions import DirectionsSection
from .sections.drive import DriveSection
from .sections.edit import EditSection
from .sections.history import HistorySection
from .sections.latents import LatentsSection
from .sections.mode import ModeSection
from .sections.model import ModelSection
from .sections.output import OutputSection
from .sections.photo import PhotoSection
from .sections.quality import QualitySection
from .sections.recordings import RecordingSection
from .sections.session import SessionSection
from .sections.statusbar import StatusBar
from .sections.toolbar import Toolbar
from .sections.weather import WeatherSection
from .style import Style

log = logging.getLogger(__name__)

_OF_MODE: dict[Mode, tuple[Callable[[Kit], Section], ...]] = {
    "generator": (
        ModelSection,
        LatentsSection,
        CameraSection,
        DirectionsSection,
        EditSection,
        PhotoSection,
        OutputSection,
        QualitySection,
    ),
    "drive": (DriveSection, WeatherSection, RecordingSection),
}
WINDOW = "panel"
TOOLBAR_HEIGHT = 28


class Panel:
    """Every control, bound both ways to the store."""

    def __init__(self, context: PanelContext, style: Style, wake: Callable[[], None] = lambda: None) -> None:
        self.context = context
        self.kit = Kit(context, style, self.look(), wake)
        self.sections: list[Section] = []
        self._elsewhere: dict[Mode, list[Section]] = {mode: [] for mode in _OF_MODE}
        """Sections that are hidden in a mode."""
        self._mode: Mode = self.kit.view.mode
        self._failing: set[str] = set()
        self._held: set[str] = set()
        self._released: set[str] = set()
        dpg.bind_theme(style.base)
        dpg.bind_font(style.regular)
        with dpg.window(tag=WINDOW, no_scrollbar=True):
            with dpg.child_window(height=style.px(TOOLBAR_HEIGHT + 4), border=False, no_scrollbar=True) as bar:
                dpg.bind_item_theme(bar, style.bar)
                self.sections.append(Toolbar(self.kit))
            with dpg.child_window(border=False) as scroll:
                dpg.bind_item_theme(scroll, style.bar)
                self.sections.append(ModeSection(self.kit))
                for mode, kinds in _OF_MODE.items():
                    with dpg.group(tag=f"mode.{mode}.sections", show=mode == self.kit.view.mode):
                        for section in kinds:
                            self.sections.append(section(self.kit))
                            self._elsewhere["generator" if mode == "drive" else "drive"].append(self.sections[-1])
                self.sections += [HistorySection(self.kit), SessionSection(self.kit)]
            with dpg.child_window(border=False, no_scrollbar=True) as foot:
                dpg.bind_item_theme(foot, style.bar)
                self.sections.append(StatusBar(self.kit, scroll))
        self._bind_keys()

    def look(self) -> View:
        """What there is to show now."""
        store, actions = self.context.store, self.context.actions
        return View(
            store.state,
            self.context.loop.status,
            store.can_undo,
            store.can_redo,
            bool(actions.animating),
            bool(actions.flying),
            store.history,
            actions.edit.tools.now,
            actions.edit.photo.now,
        )

    def refresh(self) -> bool:
        """Bring every control to the newest state; True when something has changed since the last time.

        A section that fails is logged once and does not take the others with it.
        """
        self._held -= self._released
        self._released.clear()
        view = self.look()
        changed = view != self.kit.view
        self.kit.view = view
        if view.mode != self._mode:
            self._mode = view.mode
            for mode in _OF_MODE:
                dpg.configure_item(f"mode.{mode}.sections", show=mode == view.mode)
        for section in self.sections:
            if section in self._elsewhere[view.mode]:
                continue
            name = type(section).__name__
            try:
                section.refresh(view)
                self._failing.discard(name)
            except Exception:
                if name not in self._failing:
                    self._failing.add(name)
                    log.exception("The panel's %s could not be brought up to date.", name)
        return changed

    @staticmethod
    def touch() -> tuple[object, ...]:
        """Where the mouse is and what it holds: differs from the last one when the person did something."""
        return (*dpg.get_mouse_pos(local=False), *(dpg.is_mouse_button_down(button) for button in range(3)))

    def _bind_keys(self) -> None:
        """Ctrl+Z and Ctrl+Y also where the panel has the keyboard; text entries keep them for themselves.

        The modifiers are followed by their own presses and releases, and count until the next frame: of a quick
        Ctrl+Z, the press of Z and the release of Ctrl often arrive in the same frame, in either order.
        """
        with dpg.handler_registry():
            for name, keys in (
                ("control", (dpg.mvKey_LControl, dpg.mvKey_RControl)),
                ("shift", (dpg.mvKey_LShift, dpg.mvKey_RShift)),
            ):
                for key in keys:
                    dpg.add_key_press_handler(key, callback=lambda *_, name=name: self._held.add(name))
                    dpg.add_key_release_handler(key, callback=lambda *_, name=name: self._released.add(name))
            dpg.add_key_press_handler(dpg.mvKey_Z, callback=lambda *_: self._step(back="shift" not in self._held))
            dpg.add_key_press_handler(dpg.mvKey_Y, callback=lambda *_: self._step(back=False))

    def _step(self, *, back: bool) -> None:
        focused = dpg.get_focused_item()
        typing = bool(focused) and "InputText" in dpg.get_item_type(focused) and dpg.is_item_active(focused)
        if "control" in self._held and not typing:
            if back:
                self.context.actions.undo()
            else:
                self.context.actions.redo()
