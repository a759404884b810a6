"""What every section builds with: the newest view, publishing a change, gestures, tooltips and cards."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import dearpygui.dearpygui as dpg

from ...engine.state import ViewState
from ...engine.status import LoopStatus, ModelInfo
from ...engine.store import Change, History
from ..editing.photo import Photo
from ..editing.tools import Tools
from ..verbs import Mode
from .base import PanelContext
from .style import Icon, Item, Style

LABEL_WIDTH = 120
VALUE_WIDTH = 64
ROW_HEIGHT = 24
_DOUBLE_CLICK = 0.4
_serials = itertools.count(1)


@dataclass(frozen=True)
class View:
    """What the panel shows at one moment; immutable, so that every control sees the same state."""

    state: ViewState
    status: LoopStatus = field(default_factory=LoopStatus)
    can_undo: str | None = None
    can_redo: str | None = None
    animating: bool = False
    flying: bool = False
    history: History = field(default_factory=History)
    tools: Tools = field(default_factory=Tools)
    photo: Photo | None = None

    @property
    def info(self) -> ModelInfo | None:
        return self.status.model

    @property
    def mode(self) -> Mode:
        """What the window shows."""
        return "generator" if self.state.drive is None else "drive"


class Section(Protocol):
    """A group of controls."""

    def refresh(self, view: View) -> None:
        """Bring the widgets to `view`; called on the panel's thread whenever something may have changed."""
        ...


class Kit:
    """Shared by all controls of one panel; panel thread only."""

    def __init__(
        self, context: PanelContext, style: Style, view: View, wake: Callable[[], None] = lambda: None
    ) -> None:
        self.context = context
        self.style = style
        self.view = view
        self.wake = wake

    def px(self, size: float) -> int:
        return self.style.px(size)

    def publish(self, change: Change, label: str, gesture: str | None = None) -> None:
        """Hand the store a new state."""
        self.context.store.update(change, label=label, gesture=gesture)

    def tip(self, item: Item, text: str, delay: float = 0.45) -> Item:
        """A tooltip on `item` after `delay` seconds; returns the text item, for texts that change."""
        with dpg.tooltip(item, delay=delay, hide_on_activity=True) as tooltip:
            dpg.bind_item_theme(tooltip, self.style.tooltip)
            return dpg.add_text(text, wrap=self.px(280))

    def hint(self, text: str, **options: Any) -> Item:
        """Small muted text, wrapped to the card."""
        item = dpg.add_text(text, wrap=0, **options)
        dpg.bind_item_theme(item, self.style.hint)
        return item

    @contextmanager
    def card(self, title: str, *, tag: str) -> Iterator[Item]:
        """A rounded card with a title that folds it; yields the group below the title."""
        with dpg.child_window(
            auto_resize_y=True, border=False, no_scrollbar=True, always_use_window_padding=True
        ) as card:
            dpg.bind_item_theme(card, self.style.card)
            with self.fold(title, "Click to fold or unfold.", tag=tag, opened=True) as body:
                dpg.add_spacer(height=0)
                yield body
                dpg.add_spacer(height=0)
            dpg.bind_item_font(f"{tag}.fold", self.style.strong)
        dpg.add_spacer(height=0)

    @contextmanager
    def fold(self, title: str, help_text: str, *, tag: str, opened: bool = False) -> Iterator[Item]:
        """A title with a chevron; yields the group that it shows and hides."""
        button = dpg.add_button(width=-1, tag=f"{tag}.fold")
        dpg.bind_item_theme(button, self.style.fold)
        self.tip(button, help_text)
        with dpg.group(tag=tag) as body:
            yield body

        def show(visible: bool) -> None:
            dpg.configure_item(body, show=visible)
            dpg.configure_item(button, label=f"{Icon.OPENED if visible else Icon.FOLDED}  {title}")

        show(opened)
        dpg.set_item_callback(button, lambda *_: show(not dpg.is_item_shown(body)))

    @contextmanager
    def row(self, label: str, help_text: str) -> Iterator[tuple[Item, Item]]:
        """A label on the left in its column, the control on the right; yields the label and its tooltip's text."""
        with dpg.group(horizontal=True, xoffset=self.px(LABEL_WIDTH)):
            with dpg.group():  # the offset counts every child, tooltips too
                text = dpg.add_text(label)
                dpg.bind_item_theme(text, self.style.hint)
                tip = self.tip(text, help_text)
            with dpg.group(horizontal=True, horizontal_spacing=self.px(4)):
                yield text, tip


class Gesture:
    """The token under which a control's changes are one undo step: from the press to the release.

    A short press that is followed at once by another one (a double-click) goes on with the same step.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._serial = next(_serials)
        self._held = False
        self._changes = 0
        self._released: float | None = None

    @property
    def held(self) -> bool:
        return self._held

    def change(self) -> str:
        """The token for one more change."""
        self._changes += 1
        return f"panel {self._key} {self._serial}"

    def poll(self, active: bool) -> bool:
        """Tell it once a frame, after the callbacks, whether the control is held; True at the moment of release."""
        released = self._held and not active
        self._held = active
        if released and self._changes <= 1:
            self._released = time.monotonic()
        elif released or (
            not active and self._released is not None and time.monotonic() - self._released > _DOUBLE_CLICK
        ):
            self.finish()
        return released

    def finish(self) -> None:
        """The next change is a step of its own."""
        self._serial, self._changes, self._released = next(_serials), 0, None


def on_click(item: Item, *, right: Callable[[], None], double: Callable[[], None] | None = None) -> None:
    """Call `right` on a right click, `double` on a double click of the left button."""
    with dpg.item_handler_registry() as registry:
        dpg.add_item_clicked_handler(dpg.mvMouseButton_Right, callback=lambda *_: right())
        if double is not None:
            dpg.add_item_double_clicked_handler(dpg.mvMouseButton_Left, callback=lambda *_: double())
    dpg.bind_item_handler_registry(item, registry)
