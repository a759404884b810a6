"""`EditHand`: what the mouse does while editing: paints, picks, presses the strip, pulls the photo's box or divider.

It is asked before the pointer that moves the camera; what it does not take, that one gets. Positions are points.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from ...engine.state import Camera
from ...engine.store import Store
from ..letterbox import Rect
from ..verbs import Modifiers
from .cards import HANDLE, box_place
from .overlay import EditOverlay
from .photo import Box, moved, stretched
from .strokes import MOST_POINTS
from .verbs import EditActions

Cursor = Literal["", "hidden", "sideways", "move"]
SampleColour = Callable[[float, float], tuple[float, float, float] | None]
"""Colour of the shown picture at (across, down), 0..1."""
FINEST = 0.0015
"""Picture heights between two points of a path."""
GRIP = 10.0
"""Points beside the divider that still take hold of it."""


class EditHand:
    """Turns the mouse into strokes and presses; one stroke is one step, made when the button goes up."""

    def __init__(self, store: Store, actions: EditActions, overlay: EditOverlay, sample: SampleColour) -> None:
        self._store, self._do, self._overlay, self._sample = store, actions, overlay, sample
        self._camera: Camera | None = None
        """Of the stroke under way."""
        self._box: tuple[Box, tuple[int, int] | None, float, float] | None = None
        """The photo's box, the corner that is held (None: all of it), and where it was grasped."""
        self._divider: float | None = None

    @property
    def painting(self) -> bool:
        """Whether a brush is in the hand."""
        return self._overlay.painting

    @property
    def busy(self) -> bool:
        """Whether a button is down that this hand has taken."""
        return self._camera is not None or self._box is not None or self._divider is not None

    def press(self, x: float, y: float, modifiers: Modifiers, picture: Rect | None, photo: Rect | None) -> bool:
        """The left button goes down; True when it is not meant for the camera."""
        overlay = self._overlay
        overlay.cursor = (x, y)
        target = overlay.target()
        if target is not None:
            target.press()
            return True
        if overlay.photo is not None and self._grasp_photo(x, y, picture, photo):
            return True
        if not overlay.painting or picture is None or not picture.contains(x, y):
            return False
        at = _within(x, y, picture)
        if overlay.tools.picking or modifiers.alt:
            colour = self._sample(*at)
            if colour is not None:
                self._do.set_colour(colour)
            return True
        self._camera = self._store.state.camera
        overlay.path = [at]
        return True

    def move(self, x: float, y: float, picture: Rect | None, photo: Rect | None) -> bool:
        """The hand moves; True when something looks different now."""
        overlay = self._overlay
        before, hovered = overlay.cursor, overlay.target()
        overlay.cursor = (x, y)
        if self._camera is not None and picture is not None:
            return self._extend(_within(x, y, picture), picture)
        if self._box is not None and photo is not None:
            self._pull_box(x, y, photo)
        elif self._divider is not None and picture is not None:
            split = (x - self._divider - picture.x) / picture.width
            self._do.photo.change(split=min(max(split, 0.0), 1.0))
        if overlay.painting and picture is not None:
            if overlay.tools.picking and picture.contains(x, y):
                overlay.sample = self._sample(*_within(x, y, picture))
            return before != overlay.cursor
        return hovered is not overlay.target()

    def release(self) -> None:
        """The button is up: a stroke becomes a step."""
        camera, path = self._camera, tuple(self._overlay.path)
        self.cancel()
        if camera is not None and path:
            self._do.draw(path, camera)

    def cancel(self) -> bool:
        """What is under way is given up; False when there is nothing."""
        had = self.busy
        self._camera = self._box = self._divider = None
        self._overlay.path = []
        return had

    def leave(self) -> None:
        """The hand has left the window."""
        self._overlay.cursor = None

    def scroll(self, notches: float, modifiers: Modifiers) -> bool:
        """The wheel turned; True when it was about the brush."""
        if not self._overlay.painting or modifiers.ctrl or modifiers.shift or modifiers.alt:
            return False
        self._do.resize(notches)
        return True

    def escape(self) -> bool:
        """The topmost thing of editing goes; False when there is none."""
        if self.cancel():
            return True
        if self._overlay.status is not None:
            self._do.drop()
        elif self._overlay.tools.picking:
            self._do.tools.take(picking=False)
        elif self._overlay.painting:
            self._do.tools.take(on=False)
        elif self._overlay.photo is not None:
            self._do.close_photo()
        else:
            return False
        return True

    def cursor(self, x: float, y: float, picture: Rect | None, photo: Rect | None) -> Cursor:
        """How the system's pointer shall look here."""
        overlay = self._overlay
        if overlay.target() is not None:
            return ""
        if self._divider is not None or (picture is not None and self._over_divider(x, y, picture)):
            return "sideways"
        if photo is not None and overlay.photo is not None and self._box_part(x, y, photo) is not None:
            return "move"
        if overlay.painting and picture is not None and picture.contains(x, y):
            return "hidden"
        return ""

    # ----

    def _extend(self, at: tuple[float, float], picture: Rect) -> bool:
        path = self._overlay.path
        aspect = picture.width / picture.height
        if math.hypot((at[0] - path[-1][0]) * aspect, at[1] - path[-1][1]) < FINEST:
            return True
        path.append(at)
        if len(path) > 4 * MOST_POINTS:
            del path[1::2]
        return True

    def _grasp_photo(self, x: float, y: float, picture: Rect | None, photo: Rect | None) -> bool:
        shown = self._overlay.photo
        assert shown is not None
        if photo is not None:
            if self._overlay.status is not None:
                return photo.contains(x, y)
            part = self._box_part(x, y, photo)
            if part is not None:
                corner = part if isinstance(part, tuple) else None
                self._box = (shown.box, corner, (x - photo.x) / photo.width, (y - photo.y) / photo.height)
            return part is not None or photo.contains(x, y)
        if picture is not None and self._over_divider(x, y, picture):
            self._divider = x - (picture.x + picture.width * shown.split)
            return True
        return False

    def _box_part(self, x: float, y: float, place: Rect) -> tuple[int, int] | Literal["all"] | None:
        """What of the photo's box is under the hand: a corner, or all of it."""
        shown = self._overlay.photo
        if shown is None or shown.stage != "framing":
            return None
        box = box_place(shown, place)
        for across, corner_x in enumerate((box.x, box.right)):
            for down, corner_y in enumerate((box.y, box.bottom)):
                if max(abs(x - corner_x), abs(y - corner_y)) <= 2 * HANDLE:
                    return across, down
        return "all" if box.contains(x, y) else None

    def _pull_box(self, x: float, y: float, place: Rect) -> None:
        shown = self._overlay.photo
        if shown is None or self._box is None:
            return
        box, corner, from_x, from_y = self._box
        to_x, to_y = (x - place.x) / place.width, (y - place.y) / place.height
        if corner is None:
            self._do.photo.change(box=moved(box, to_x - from_x, to_y - from_y), settled=True)
        else:
            self._do.photo.change(box=stretched(box, corner, to_x, to_y, shown.aspect), settled=True)

    def _over_divider(self, x: float, y: float, picture: Rect) -> bool:
        shown = self._overlay.photo
        if shown is None or shown.stage != "compare" or not picture.y <= y < picture.bottom:
            return False
        return abs(x - (picture.x + picture.width * shown.split)) <= GRIP


def _within(x: float, y: float, picture: Rect) -> tuple[float, float]:
    """A point of the window as parts of the picture; a stroke may run a little beyond its edge."""
    across, down = (x - picture.x) / picture.width, (y - picture.y) / picture.height
    return min(max(across, -0.1), 1.1), min(max(down, -0.1), 1.1)
