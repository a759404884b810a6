"""Where the picture stands in the window: as large as it fits, its aspect kept, on whole pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rect:
    """A rectangle in pixels; y points down."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def contains(self, x: float, y: float) -> bool:
        return self.x <= x < self.right and self.y <= y < self.bottom

    def grown(self, by: float) -> Rect:
        """The rectangle with every edge moved outwards by `by`."""
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def scaled(self, factor: float) -> Rect:
        return Rect(self.x * factor, self.y * factor, self.width * factor, self.height * factor)


def letterbox(picture: tuple[int, int], window: tuple[int, int], margin: int = 0) -> Rect:
    """The picture's place in the window.

    Args:
        picture, window: (width, height) in pixels.
        margin: free space kept on every side; given up where the window is too small for it.
    """
    width, height = picture
    if 4 * margin > min(window):
        margin = 0
    room_x, room_y = max(window[0] - 2 * margin, 1), max(window[1] - 2 * margin, 1)
    scale = min(room_x / width, room_y / height)
    shown_x, shown_y = max(round(width * scale), 1), max(round(height * scale), 1)
    return Rect((window[0] - shown_x) // 2, (window[1] - shown_y) // 2, shown_x, shown_y)
