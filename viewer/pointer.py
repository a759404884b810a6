"""`Pointer`: drags, scrolls, double-clicks and held keys become updates of the store, one undo step a gesture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Literal

from ..engine.state import ViewState
from ..engine.store import Store
from ..models.base import CameraDefaults
from . import input as hand
from .letterbox import Rect
from .verbs import Edit, Modifiers

Button = Literal["left", "middle", "right"]
Mode = Literal["orbit", "pan", "roll"]

DOUBLE_CLICK = 0.35
"""Seconds between two presses that make a double-click."""
STILL = 3.0
"""Pixels that a hand may tremble between press and release of a click."""
PAUSE = 0.6
"""Seconds without a scroll notch or a key repeat after which the next one is an undo step of its own."""
FAST = 3.0
"""Shift multiplies the speed of held keys."""

_LABELS: dict[Mode, str] = {"orbit": "Orbit", "pan": "Pan", "roll": "Roll"}


def drag_mode(button: Button, modifiers: Modifiers) -> Mode:
    """What a drag does, decided when the button goes down."""
    if button != "left" or modifiers.shift:
        return "pan"
    return "roll" if modifiers.alt or modifiers.ctrl else "orbit"


class Pointer:
    """Turns what the hand does into `store.update` calls. Positions are in window coordinates, y down.

    Args:
        store: receives the changes.
        defaults: the open model's camera defaults, asked for at every change.
        on_reset: called by a double-click.
        clock: seconds; only differences count.
    """

    def __init__(
        self,
        store: Store,
        defaults: Callable[[], CameraDefaults],
        on_reset: Callable[[], object],
        clock: Callable[[], float],
    ) -> None:
        self._store, self._defaults, self._on_reset, self._clock = store, defaults, on_reset, clock
        self._tokens = (f"hand {i}" for i in itertools.count())
        self._button: Button | None = None
        self._mode: Mode = "orbit"
        self._at = (0.0, 0.0)
        self._moving = False
        self._gesture = ""
        self._last_press: tuple[float, float, float] | None = None
        self._steps: tuple[str, str, float] | None = None
        """(label, gesture, time) of the newest scroll notch or key step."""
        self._holding: str | None = None

    @property
    def dragging(self) -> bool:
        return self._button is not None

    def press(self, button: Button, modifiers: Modifiers, x: float, y: float, *, mode: Mode | None = None) -> None:
        """A button goes down on the picture; a second button during a drag is ignored.

        Args:
            mode: what the drag does, where the left button is taken by something else; None: see `drag_mode`.
        """
        if self._button is not None:
            return
        now = self._clock()
        self._settle()
        if button == "left" and self._is_second_click(now, x, y):
            self._last_press = None
            self._on_reset()
            return
        self._last_press = (now, x, y) if button == "left" else None
        self._button, self._mode, self._at, self._moving = button, mode or drag_mode(button, modifiers), (x, y), False
        self._gesture = next(self._tokens)

    def move(self, x: float, y: float, picture: Rect) -> None:
        """The cursor moved; `picture` is where the picture stands, in the same coordinates."""
        if self._button is None:
            return
        (x0, y0), mode = self._at, self._mode
        if not self._moving and math.hypot(x - x0, y - y0) < STILL:
            return
        self._moving, self._at, self._last_press = True, (x, y), None
        dx, dy = x - x0, y - y0
        defaults = self._defaults()

        def change(state: ViewState) -> ViewState:
            if mode == "orbit":
                return hand.orbit(state, defaults, dx / picture.width, dy / picture.width)
            if mode == "pan":
                return hand.pan(state, defaults, dx / picture.height, dy / picture.height)
            return hand.roll(state, defaults, _swept((x0, y0), (x, y), picture))

        self._store.update(change, label=_LABELS[mode], gesture=self._gesture)

    def release(self, button: Button) -> None:
        """The drag ends, and with it its undo step."""
        if button == self._button:
            self.cancel()

    def cancel(self) -> None:
        """The window lost the hand (focus gone, minimised): whatever is under way ends here."""
        if self._button is not None:
            self._button = None
            self._store.end_gesture()

    def scroll(self, notches: float, modifiers: Modifiers) -> None:
        """The wheel turned; positive is away from the hand, and shows more detail."""
        defaults = self._defaults()
        change = hand.dolly if modifiers.ctrl or modifiers.alt else hand.zoom
        label = "Distance" if change is hand.dolly else "Field of view"
        self._step(label, lambda state: change(state, defaults, notches))

    def edit(self, edit: Edit, layers: int) -> None:
        """A key was pressed or repeats itself; presses in quick succession are one undo step."""
        self._step(edit.label, lambda state: edit.apply(state, layers))

    def hold(self, motions: frozenset[str], seconds: float, *, fast: bool = False) -> None:
        """Keys for `motions` have been down for `seconds` more; an empty set ends the movement."""
        if not motions:
            if self._holding is not None:
                self._holding = None
                self._store.end_gesture()
            return
        self._holding = self._holding or next(self._tokens)
        defaults, seconds = self._defaults(), seconds * (FAST if fast else 1.0)
        self._store.update(
            lambda state: hand.move(state, defaults, motions, seconds), label="Move", gesture=self._holding
        )

    def _is_second_click(self, now: float, x: float, y: float) -> bool:
        if self._last_press is None:
            return False
        then, x0, y0 = self._last_press
        return now - then <= DOUBLE_CLICK and math.hypot(x - x0, y - y0) <= 2 * STILL

    def _step(self, label: str, change: Callable[[ViewState], ViewState]) -> None:
        now = self._clock()
        if self._steps is not None and self._steps[0] == label and now - self._steps[2] <= PAUSE:
            gesture = self._steps[1]
        else:
            gesture = next(self._tokens)
        self._steps = (label, gesture, now)
        self._store.update(change, label=label, gesture=gesture)

    def _settle(self) -> None:
        self._steps = None


def _swept(start: tuple[float, float], end: tuple[float, float], picture: Rect) -> float:
    """Clockwise angle about the picture's centre from one cursor position to the next, radians."""
    cx, cy = picture.x + picture.width / 2, picture.y + picture.height / 2
    angle = math.atan2(end[1] - cy, end[0] - cx) - math.atan2(start[1] - cy, start[0] - cx)
    return math.remainder(angle, 2 * math.pi)
