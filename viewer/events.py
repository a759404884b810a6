"""`Events`: GLFW's callbacks, sorted to whom they concern: the pointer, the overlay, the program's actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..engine.state import ViewState
from ..models.base import CameraDefaults
from ..models.errors import NeuroviewError
from .display import load_glfw
from .keymap import Call, Edit, Hold, Own, find_verb
from .keys import held_modifiers, key_names, modifiers
from .pointer import Button, Pointer

if TYPE_CHECKING:
    from ..engine.store import Store
    from .actions import Actions
    from .window import ViewWindow

NUDGE = 0.04
"""Seconds of movement that even the shortest tap of a held key is worth."""
STALL = 0.1
"""Seconds of movement that one step is worth at most: a suspended laptop may not become a leap."""
_UNKNOWN_CAMERA = CameraDefaults(radius=2.7, fov=0.2333)


class Events:
    """Receives the input of one window. Until `attach` only what concerns the window itself does anything."""

    def __init__(self, window: ViewWindow, clock: Callable[[], float]) -> None:
        self._window, self._clock = window, clock
        self._glfw = load_glfw()
        self._store: Store | None = None
        self._actions: Actions | None = None
        self._pointer: Pointer | None = None
        self._held: dict[int, str] = {}
        self._held_since = 0.0
        self._fast = False
        glfw, handle = self._glfw, window.handle
        glfw.set_window_focus_callback(handle, self._on_focus)
        glfw.set_drop_callback(handle, self._on_drop)
        glfw.set_key_callback(handle, self._on_key)
        glfw.set_mouse_button_callback(handle, self._on_button)
        glfw.set_cursor_pos_callback(handle, self._on_cursor)
        glfw.set_scroll_callback(handle, self._on_scroll)

    def attach(self, store: Store, actions: Actions) -> None:
        """From now on the hand moves `store`, and keys and dropped files call `actions`."""
        self._store, self._actions = store, actions
        self._pointer = Pointer(store, self._camera_defaults, lambda: self._call("reset_camera"), self._clock)

    @property
    def holding(self) -> bool:
        """Whether a key that moves the camera is down."""
        return bool(self._held)

    def step(self) -> None:
        """Go on with the movements whose keys are down."""
        if self._pointer is None:
            return
        now = self._clock()
        self._pointer.hold(frozenset(self._held.values()), min(now - self._held_since, STALL), fast=self._fast)
        self._held_since = now

    # ---- keys

    def _on_key(self, _: Any, key: int, scancode: int, action: int, mods: int) -> None:
        glfw = self._glfw
        self._fast = bool(mods & glfw.MOD_SHIFT)
        if action == glfw.RELEASE:
            self._held.pop(key, None)
            return
        verb = find_verb(key_names(key, scancode), modifiers(mods))
        if isinstance(verb, Hold):
            if action == glfw.PRESS and self._pointer is not None:
                self._held[key] = verb.motion
                self._held_since = self._clock()
                self._pointer.hold(frozenset([verb.motion]), NUDGE, fast=self._fast)
        elif isinstance(verb, Edit):
            if self._pointer is not None:
                model = self._window.status.model
                self._pointer.edit(verb, len(model.layer_names) if model is not None else 0)
        elif isinstance(verb, Call):
            if action == glfw.PRESS or verb.name in ("undo", "redo"):
                self._call(verb.name, *verb.arguments)
        elif isinstance(verb, Own) and action == glfw.PRESS:
            self._do(verb.name)

    def _do(self, name: str) -> None:
        window, overlay = self._window, self._window.overlay
        if name == "help":
            overlay.help = not overlay.help
        elif name == "overlay":
            overlay.visible = not overlay.visible
        elif name == "full screen":
            window.toggle_full_screen()
        elif name == "copy":
            self._copy()
        elif name == "paste":
            self._paste()
        elif name == "screenshot as shown":
            picture = window.picture
            self._call("screenshot", None, round(picture.height) if picture is not None else None)
        elif overlay.help:  # 'dismiss': the topmost thing goes
            overlay.help = False
        elif not overlay.notices.dismiss() and window.full_screen:
            window.toggle_full_screen()
        window.redraw()

    def _copy(self) -> None:
        if self._store is not None:
            self._glfw.set_clipboard_string(None, self._store.state.to_json())
            self._window.tell("The state is on the clipboard; Ctrl+V brings it back.", "info")

    def _paste(self) -> None:
        text = (self._glfw.get_clipboard_string(None) or b"").decode(errors="replace").strip()
        if not text or self._store is None:
            return
        if not text.startswith("{"):
            self._call("open_path", text.splitlines()[0].removeprefix("file://"))
            return
        try:
            state = ViewState.from_json(text)
        except NeuroviewError as error:
            self._window.tell(f"The clipboard holds no state. {error}", "warning")
        else:
            self._store.update(lambda _: state, label="Paste state")

    # ---- mouse

    def _on_button(self, _: Any, button: int, action: int, mods: int) -> None:
        name = self._button_name(button)
        if name is None:
            return
        if action == self._glfw.RELEASE:
            if self._pointer is not None:
                self._pointer.release(name)
            return
        window, overlay = self._window, self._window.overlay
        x, y = self._glfw.get_cursor_pos(window.handle)
        points = window.pixels_a_unit / window.scale
        if name == "left" and overlay.notices.click(x * points, y * points):
            window.redraw()
        elif overlay.help:
            overlay.help = False
            window.redraw()
        elif self._pointer is not None and window.picture is not None:
            self._pointer.press(name, modifiers(mods), x, y)

    def _on_cursor(self, _: Any, x: float, y: float) -> None:
        picture = self._window.picture
        if self._pointer is not None and self._pointer.dragging and picture is not None:
            self._pointer.move(x, y, picture.scaled(1 / self._window.pixels_a_unit))

    def _on_scroll(self, _: Any, dx: float, dy: float) -> None:
        if self._pointer is not None and self._window.picture is not None:
            # Shift turns the wheel sideways on macOS, and some devices have only that axis.
            self._pointer.scroll(dy if dy else dx, held_modifiers(self._window.handle))

    def _button_name(self, button: int) -> Button | None:
        glfw = self._glfw
        names: dict[int, Button] = {
            glfw.MOUSE_BUTTON_LEFT: "left",
            glfw.MOUSE_BUTTON_MIDDLE: "middle",
            glfw.MOUSE_BUTTON_RIGHT: "right",
        }
        return names.get(button)

    # ---- the rest

    def _on_focus(self, _: Any, focused: int) -> None:
        if not focused:  # the release of what is down now goes to somebody else
            self._held.clear()
            if self._pointer is not None:
                self._pointer.cancel()

    def _on_drop(self, _: Any, paths: Sequence[str]) -> None:
        if len(paths) > 1:
            self._window.tell(f"{len(paths)} files were dropped; the first one is opened.", "info")
        if paths:
            self._call("open_path", str(paths[0]))

    def _camera_defaults(self) -> CameraDefaults:
        model = self._window.status.model
        return model.camera if model is not None else _UNKNOWN_CAMERA

    def _call(self, name: str, *arguments: object) -> None:
        """Call a verb of `Actions`; what it raises on purpose is shown, not thrown through GLFW."""
        if self._actions is None:
            return
        try:
            getattr(self._actions, name)(*arguments)
        except (NeuroviewError, OSError) as error:
            self._window.tell(str(error), "error")
