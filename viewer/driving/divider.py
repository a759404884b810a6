"""The divider of the split view: drawn over the picture, and dragged in it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ...engine.state import Drive, ViewState
from ...engine.store import Store
from ..letterbox import Rect
from ..theme import Theme, faded
from .edits import split_at

if TYPE_CHECKING:
    from ..painter import Painter

GRIP = 10.0
"""Points beside the line that still take hold of it."""
LABEL = "Split"
"""What undo calls it."""


def line_at(picture: Rect, drive: Drive) -> float:
    """Where the line stands, in the units of `picture`: between two of the picture's own columns."""
    return picture.x + picture.width * round(drive.width * drive.split) / drive.width


class Divider:
    """Turns a drag into updates of the store, one undo step a drag. Positions are points of the window."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gestures = (f"divider {i}" for i in itertools.count())
        self._gesture: str | None = None
        self._offset = 0.0

    @property
    def dragging(self) -> bool:
        return self._gesture is not None

    def under(self, x: float, y: float, picture: Rect | None) -> bool:
        """Whether a hand at (x, y) would take hold of the divider."""
        drive = self._store.state.drive
        if drive is None or drive.view != "split" or picture is None or not picture.y <= y < picture.bottom:
            return False
        return abs(x - line_at(picture, drive)) <= GRIP

    def press(self, x: float, y: float, picture: Rect | None) -> bool:
        """The button goes down; True when it takes hold."""
        drive = self._store.state.drive
        if not self.under(x, y, picture) or drive is None or picture is None:
            return False
        # Held where it was grasped: the line does not jump under the hand.
        self._gesture, self._offset = next(self._gestures), x - (picture.x + picture.width * drive.split)
        return True

    def move(self, x: float, picture: Rect | None) -> None:
        """The hand moves on while it holds the divider."""
        if self._gesture is None or picture is None:
            return
        part = (x - self._offset - picture.x) / picture.width

        def change(state: ViewState) -> ViewState:
            return split_at(state, part)

        self._store.update(change, label=LABEL, gesture=self._gesture)

    def release(self) -> None:
        """The button is up, or the window has lost the hand: the undo step ends."""
        if self._gesture is not None:
            self._gesture = None
            self._store.end_gesture()


def draw_divider(painter: Painter, theme: Theme, picture: Rect, drive: Drive, *, labels: bool = True) -> None:
    """The line, its handle, and what stands on either side."""
    x = line_at(picture, drive)
    middle = picture.y + picture.height / 2
    painter.box(Rect(x - 2, picture.y, 4, picture.height), (0, 0, 0, 0.28))
    painter.box(Rect(x - 1, picture.y, 2, picture.height), faded(theme.text, 0.95))
    painter.disc(x, middle, 15, (0, 0, 0, 0.3))
    painter.disc(x, middle, 14, theme.text)
    for side in (-1, 1):
        tip = (x + 8 * side, middle)
        painter.strokes([(*tip, x + 4 * side, middle - 4), (*tip, x + 4 * side, middle + 4)], 1.8, theme.background)
    if not labels:
        return
    y = picture.y + picture.height * 0.41
    for text, side in (("Painted", -1), ("Photo", 1)):
        width = painter.measure(text, size=12) + 20
        left = x + 12 if side > 0 else x - 12 - width
        if not (picture.x + 4 <= left and left + width <= picture.right - 4):
            continue  # no room on this side any more
        plate = Rect(left, y - 12, width, 24)
        painter.box(plate, faded(theme.background, 0.66), radius=12)
        painter.box(plate, faded(theme.text, 0.10), radius=12, border=1)
        painter.text(plate.x + 10, y, text, theme.text, size=12)
