"""The photo that a person has brought: its pixels, the square that counts, and how it stands beside the picture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...models.errors import NeuroviewError

if TYPE_CHECKING:
    import numpy as np

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
SHOWN_SIDE = 1024
"""Pixels; a larger photo is only shown smaller, what is inverted is the file."""
LEAST_SIDE, MOST_PIXELS = 32, 100_000_000
LEAST_BOX = 0.08
"""Of the photo's shorter side: a smaller square shows nothing."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as parts of the photo's width and height; square in pixels. One that the model has found may
reach over the photo's edge."""
Stage = Literal["framing", "compare"]
"""Whole and beside the picture, with its box; or cut to the box, left of a divider over the picture."""


class PhotoError(NeuroviewError):
    """A file that is no photo."""


@dataclass(frozen=True)
class Photo:
    """An immutable value that window and panel share."""

    path: Path
    pixels: np.ndarray = field(compare=False)
    """[H, W, 3] uint8, upright, at most `SHOWN_SIDE` across."""
    box: Box
    settled: bool = False
    """Whether the box was found by the model or drawn by the person; else it is the photo's middle, for now."""
    stage: Stage = "framing"
    shown: bool = True
    split: float = 0.5
    """Where the divider stands, 0 left .. 1 right: the photo left of it."""
    here: bool = False
    """Whether the camera that stands now is the photo's; else it is looked for."""

    @property
    def aspect(self) -> float:
        """Width / height."""
        return self.pixels.shape[1] / self.pixels.shape[0]

    def cut(self) -> np.ndarray:
        """[S, S, 3]: the square that counts."""
        import numpy as np

        height, width = self.pixels.shape[:2]
        left, top, right = self.box[:3]
        x0, y0 = round(left * width), round(top * height)
        side = max(round((right - left) * width), 1)
        # Over the edge, the photo's outermost pixels go on, as they do for the model.
        across = np.clip(np.arange(x0, x0 + side), 0, width - 1)
        down = np.clip(np.arange(y0, y0 + side), 0, height - 1)
        return np.ascontiguousarray(self.pixels[down[:, None], across])


class PhotoDesk:
    """Thread-safe holder of the open photo; None: there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: Photo | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def now(self) -> Photo | None:
        """The open photo."""
        return self._now

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change, on the thread that made it; returns the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def open(self, path: Path) -> Photo:
        """Read a photo and lay it beside the picture.

        Raises:
            PhotoError: it is no picture, or too small or too large.
        """
        photo = read_photo(path)
        self._put(photo)
        return photo

    def close(self) -> None:
        """Put the photo away."""
        self._put(None)

    def change(self, **changes: Any) -> None:
        """Change how it stands; nothing without a photo."""
        with self._lock:
            photo = self._now
        if photo is not None:
            self._put(replace(photo, **changes))

    def _put(self, photo: Photo | None) -> None:
        with self._lock:
            same = photo == self._now and (photo is None or self._now is None or photo.pixels is self._now.pixels)
            self._now = photo
        if not same:
            for listener in tuple(self._listeners):
                listener()


def read_photo(path: Path) -> Photo:
    """A picture file, upright, with the middle square as its box.

    Raises:
        PhotoError: it is no picture, or too small or too large.
    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            width, height = file.size
            if min(width, height) < LEAST_SIDE or width * height > MOST_PIXELS:
                raise PhotoError(
                    f"{path.name} has {width} × {height} pixels; expected at least {LEAST_SIDE} on each side and at "
                    f"most {MOST_PIXELS // 10**6} million in all."
                )
            file.draft("RGB", (SHOWN_SIDE, SHOWN_SIDE))  # a large JPEG need not be decoded whole
            picture = ImageOps.exif_transpose(file)
            if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
            picture = picture.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise PhotoError(f"{path.name} is no picture that can be read. Expected PNG, JPEG or WebP.") from error
    except OSError as error:
        raise PhotoError(f"{path.name} cannot be read as a picture ({error.strerror or error}).") from error
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    pixels = np.ascontiguousarray(np.asarray(picture, dtype=np.uint8))
    return Photo(path, pixels, middle_square(pixels.shape[1] / pixels.shape[0]))


def middle_square(aspect: float) -> Box:
    """The largest square in the middle of a photo of that width / height."""
    if aspect >= 1:
        half = 0.5 / aspect
        return (0.5 - half, 0.0, 0.5 + half, 1.0)
    half = 0.5 * aspect
    return (0.0, 0.5 - half, 1.0, 0.5 + half)


def moved(box: Box, dx: float, dy: float) -> Box:
    """The box pushed along, kept inside of the photo; what reaches over an edge reaches no farther."""
    left, top, right, bottom = box
    dx = min(max(dx, min(-left, 0.0)), max(1 - right, 0.0))
    dy = min(max(dy, min(-top, 0.0)), max(1 - bottom, 0.0))
    return (left + dx, top + dy, right + dx, bottom + dy)


def stretched(box: Box, corner: tuple[int, int], x: float, y: float, aspect: float) -> Box:
    """The box with one corner pulled to (x, y); it stays square in pixels and inside of the photo.

    Args:
        corner: 0 or 1 across (left, right) and down (top, bottom).
        x, y: parts of the photo's width and height.
        aspect: the photo's width / height.
    """
    across, down = corner
    fixed_x, fixed_y = (box[0], box[2])[1 - across], (box[1], box[3])[1 - down]
    sign_x, sign_y = (1 if across else -1), (1 if down else -1)
    # In photo heights, where a square has equal sides.
    side = max(sign_x * (x - fixed_x) * aspect, sign_y * (y - fixed_y))
    room = min((1 - fixed_x if across else fixed_x) * aspect, 1 - fixed_y if down else fixed_y)
    side = min(max(side, LEAST_BOX * min(1.0, aspect)), room)
    end_x, end_y = fixed_x + sign_x * side / aspect, fixed_y + sign_y * side
    return (min(fixed_x, end_x), min(fixed_y, end_y), max(fixed_x, end_x), max(fixed_y, end_y))


def is_photo(path: Path) -> bool:
    """Whether a file of a picture's name carries no view of ours: then it is a photo, and else a screenshot."""
    if path.suffix.lower() not in PICTURES:
        return False
    if path.suffix.lower() != ".png":
        return True
    from PIL import Image

    from ...engine.export.image import STATE_KEY

    try:
        with Image.open(path, formats=["PNG"]) as file:
            return STATE_KEY not in getattr(file, "text", {})
    except (OSError, SyntaxError, ValueError):
        return False  # whoever opens it next says what is wrong with it
