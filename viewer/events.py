"""`Events`: GLFW's callbacks, sorted to whom they concern: the pointer, the overlay, the program's actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..engine.state import ViewState
from ..models.base import CameraDefaults
from ..models.errors import NeuroviewError
from .display import load_glfw
from .driving.divider import Divider
from .editing.hand import Cursor, EditHand
from .keymap import find_verb
from .keys import held_modifiers, key_names, modifiers
from .letterbox import Rect
from .pointer import Button, Pointer
from .verbs import Call, Edit, Hold, Mode, Modifiers, Own, Pedal

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
        self._divider: Divider | None = None
        self._held: dict[int, str] = {}
        self._pedals: dict[int, str] = {}
        self._held_since = 0.0
        self._fast = False
        self._cursor: tuple[float, float] | None = None
        self._edit: EditHand | None = None
        self._shown_cursor: Cursor = ""
        self._cursors: dict[Cursor, Any] = {}
        glfw, handle = self._glfw, window.handle
        glfw.set_window_focus_callback(handle, self._on_focus)
        glfw.set_drop_callback(handle, self._on_drop)
        glfw.set_key_callback(handle, self._on_key)
        glfw.set_mouse_button_callback(handle, self._on_button)
        glfw.set_cursor_pos_callback(handle, self._on_cursor)
        glfw.set_cursor_enter_callback(handle, self._on_enter)
        glfw.set_scroll_callback(handle, self._on_scroll)

    def attach(self, store: Store, actions: Actions) -> None:
        """From now on the hand moves `store`, and keys and dropped files call `actions`."""
        self._store, self._actions = store, actions
        self._divider = Divider(store)
        self._edit = EditHand(store, actions.edit, self._window.overlay.edit, self._window.colour_at)
        self._pointer = Pointer(store, self._camera_defaults, lambda: self._call("reset_camera"), self._clock)

    @property
    def holding(self) -> bool:
        """Whether a key that moves the camera is down."""
        return bool(self._held)

    @property
    def mode(self) -> Mode:
        """What keys and mouse are about now."""
        return "drive" if self._store is not None and self._store.state.drive is not None else "generator"

    @property
    def driving(self) -> bool:
        """Whether the car has to be told regularly what the driver does."""
        status = self._window.status.drive
        return self.mode == "drive" and status is not None and status.connection == "running"

    def step(self) -> None:
        """Go on with the movements and pedals whose keys are down."""
        if self._pointer is None or self._actions is None:
            return
        now = self._clock()
        if self.mode == "drive":
            self._held.clear()
            if self._window.status.drive is not None:
                self._actions.drive.seat.tick(frozenset(self._pedals.values()), now)
        else:
            self._pedals.clear()
        self._pointer.hold(frozenset(self._held.values()), min(now - self._held_since, STALL), fast=self._fast)
        self._held_since = now

    # ---- keys

    def _on_key(self, _: Any, key: int, scancode: int, action: int, mods: int) -> None:
        glfw = self._glfw
        self._fast = bool(mods & glfw.MOD_SHIFT)
        if action == glfw.RELEASE:
            self._held.pop(key, None)
            self._pedals.pop(key, None)
            return
        verb = find_verb(key_names(key, scancode), modifiers(mods), self.mode)
        if isinstance(verb, Hold):
            if action == glfw.PRESS and self._pointer is not None:
                self._held[key] = verb.motion
                self._held_since = self._clock()
                self._pointer.hold(frozenset([verb.motion]), NUDGE, fast=self._fast)
        elif isinstance(verb, Pedal):
            if action == glfw.PRESS:
                self._pedals[key] = verb.name
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
        elif name == "minimap":
            overlay.hud.map = not overlay.hud.map
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
        elif self.mode == "generator" and self._edit is not None and self._edit.escape():
            pass
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
            if self._divider is not None and name == "left":
                self._divider.release()
            if self._edit is not None and name == "left":
                self._edit.release()
                self._window.redraw()
            return
        window, overlay = self._window, self._window.overlay
        # Where it was pressed: a busy window hears of it when the hand is somewhere else already.
        x, y = self._cursor or self._glfw.get_cursor_pos(window.handle)
        points = window.pixels_a_unit / window.scale
        if name == "left" and overlay.notices.click(x * points, y * points):
            window.redraw()
        elif overlay.help:
            overlay.help = False
            window.redraw()
        elif self.mode == "drive":
            if self._divider is not None and name == "left":
                self._divider.press(x * points, y * points, self._picture_in_points())
        elif self._pointer is not None and window.picture is not None:
            self._press(name, modifiers(mods), x, y)

    def _press(self, name: Button, held: Modifiers, x: float, y: float) -> None:
        """A button goes down over a generator's picture: editing takes it, or the camera."""
        edit, pointer = self._edit, self._pointer
        assert edit is not None
        assert pointer is not None
        if edit.busy:
            return
        points = self._window.pixels_a_unit / self._window.scale
        places = self._picture_in_points(), self._photo_in_points()
        if name == "left" and not pointer.dragging and edit.press(x * points, y * points, held, *places):
            if edit.busy and self._actions is not None and self._actions.animating:
                self._actions.toggle_animation()  # nobody can paint on what moves away
            self._window.redraw()
            return
        # With the left button taken by the brush, the right one turns and the middle one carries on.
        turns = edit.painting and name == "right" and not held.shift
        pointer.press(name, held, x, y, mode="orbit" if turns else None)

    def _on_cursor(self, _: Any, x: float, y: float) -> None:
        self._cursor = (x, y)
        picture = self._window.picture
        if self.mode == "drive" and self._divider is not None:
            points = self._window.pixels_a_unit / self._window.scale
            within = self._picture_in_points()
            self._divider.move(x * points, within)
            over = self._divider.dragging or self._divider.under(x * points, y * points, within)
            self._show_cursor("sideways" if over else "")
        elif self._pointer is not None and picture is not None:
            if self._pointer.dragging:
                self._pointer.move(x, y, picture.scaled(1 / self._window.pixels_a_unit))
            if self._edit is not None:
                points = self._window.pixels_a_unit / self._window.scale
                places = self._picture_in_points(), self._photo_in_points()
                if self._edit.move(x * points, y * points, *places):
                    self._window.redraw()
                self._show_cursor(self._edit.cursor(x * points, y * points, *places))

    def _on_enter(self, _: Any, entered: int) -> None:
        if not entered and self._edit is not None:
            self._edit.leave()
            self._window.redraw()

    def _on_scroll(self, _: Any, dx: float, dy: float) -> None:
        if self._pointer is not None and self._window.picture is not None and self.mode == "generator":
            # Shift turns the wheel sideways on macOS, and some devices have only that axis.
            notches, held = dy if dy else dx, held_modifiers(self._window.handle)
            if self._edit is None or not self._edit.scroll(notches, held):
                self._pointer.scroll(notches, held)

    def _picture_in_points(self) -> Rect | None:
        picture = self._window.picture
        return picture.scaled(1 / self._window.scale) if picture is not None else None

    def _photo_in_points(self) -> Rect | None:
        photo = self._window.photo_place
        return photo.scaled(1 / self._window.scale) if photo is not None else None

    def _show_cursor(self, look: Cursor) -> None:
        """The pointer as a double arrow over what can be dragged sideways, hidden under a brush's ring."""
        if look == self._shown_cursor:
            return
        self._shown_cursor, glfw, handle = look, self._glfw, self._window.handle
        glfw.set_input_mode(handle, glfw.CURSOR, glfw.CURSOR_HIDDEN if look == "hidden" else glfw.CURSOR_NORMAL)
        if look in ("sideways", "move") and look not in self._cursors:
            shape = glfw.HRESIZE_CURSOR if look == "sideways" else glfw.HAND_CURSOR
            self._cursors[look] = glfw.create_standard_cursor(shape)
        glfw.set_cursor(handle, self._cursors.get(look))

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
            if self._divider is not None:
                self._divider.release()
            if self._edit is not None:
                self._edit.release()
            if self._pedals and self._actions is not None:  # nobody's foot may stay on the throttle
                self._pedals.clear()
                self._actions.drive.seat.release()

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
            attrgetter(name)(self._actions)(*arguments)
        except (NeuroviewError, OSError) as error:
            self._window.tell(str(error), "error")
