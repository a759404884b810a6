"""`PhotoLayer`: the photo's pixels in the window, whole beside the picture or cut and left of a divider over it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from OpenGL import GL

from ..letterbox import Rect, letterbox
from ..picture import Picture
from ..theme import Theme

if TYPE_CHECKING:
    from .photo import Photo


def panes(pixels: tuple[int, int]) -> tuple[Rect, Rect]:
    """The window's halves for photo and picture: side by side, or one above the other in a tall window."""
    width, height = pixels
    if width >= 0.9 * height:
        return Rect(0, 0, width // 2, height), Rect(width // 2, 0, width - width // 2, height)
    return Rect(0, 0, width, height // 2), Rect(0, height // 2, width, height - height // 2)


def placed(picture: tuple[int, int], pane: Rect, margin: int) -> Rect:
    """Where a picture stands in a part of the window."""
    inner = letterbox(picture, (round(pane.width), round(pane.height)), margin)
    return Rect(inner.x + pane.x, inner.y + pane.y, inner.width, inner.height)


class PhotoLayer:
    """Two textures, renewed when the photo or its box changes. Needs a current GL context."""

    def __init__(self) -> None:
        self._whole, self._cut = _Texture(), _Texture()

    def draw_whole(self, photo: Photo, place: Rect, window: tuple[int, int], theme: Theme, radius: float) -> None:
        """The whole photo in `place`, framebuffer pixels."""
        self._whole.hold(photo.pixels, lambda: photo.pixels, ())
        self._whole.draw(place, window, theme, radius)

    def draw_cut(self, photo: Photo, picture: Rect, window: tuple[int, int], theme: Theme, radius: float) -> None:
        """What is in the photo's box, over the part of `picture` that lies left of the divider."""
        self._cut.hold(photo.pixels, photo.cut, photo.box)
        GL.glEnable(GL.GL_SCISSOR_TEST)
        across = math.floor(picture.width * photo.split)
        GL.glScissor(round(picture.x), window[1] - round(picture.bottom), max(across, 0), round(picture.height))
        self._cut.draw(picture, window, theme, radius)
        GL.glDisable(GL.GL_SCISSOR_TEST)

    def close(self) -> None:
        """Give back everything that lives in the GL context."""
        self._whole.close()
        self._cut.close()


class _Texture:
    def __init__(self) -> None:
        self._name, self._picture = int(GL.glGenTextures(1)), Picture()
        self._source: np.ndarray | None = None
        self._key: object = None
        self._size = (1, 1)

    def hold(self, source: np.ndarray, pixels: Callable[[], np.ndarray], key: object) -> None:
        """Upload `pixels()` ([H, W, 3] uint8) unless that of the same `source` and `key` is held already."""
        if source is self._source and key == self._key:
            return
        self._source, self._key = source, key
        data = np.ascontiguousarray(pixels())
        self._size = (data.shape[1], data.shape[0])
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._name)
        for name in (GL.GL_TEXTURE_WRAP_S, GL.GL_TEXTURE_WRAP_T):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, GL.GL_CLAMP_TO_EDGE)
        GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR)
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        form, kind = GL.GL_RGB, GL.GL_UNSIGNED_BYTE
        GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_RGB8, *self._size, 0, form, kind, data)
        self._picture.renew()

    def draw(self, place: Rect, window: tuple[int, int], theme: Theme, radius: float) -> None:
        self._picture.draw(self._name, self._size, place, window, theme.surface, radius=radius)

    def close(self) -> None:
        self._picture.close()
        GL.glDeleteTextures([self._name])
