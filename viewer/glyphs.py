"""`GlyphAtlas`: every glyph that was needed so far, rasterised once and kept in one texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from OpenGL import GL

from .typeset import Weight, coverage

_SIDE = 1024
"""Texels across; the atlas grows downwards by the same amount when it is full."""
_LARGEST = 8 * _SIDE


@dataclass(frozen=True)
class Glyph:
    """Where a glyph lies in the atlas and where it goes, pixels."""

    x: int
    y: int
    width: int
    height: int
    left: int
    """From the pen to the bitmap's left edge."""
    top: int
    """From the baseline to the bitmap's top edge, negative upwards."""


class GlyphAtlas:
    """One R8 texture of coverage. Needs a current GL context."""

    def __init__(self) -> None:
        self._image = np.zeros((_SIDE, _SIDE), np.uint8)
        self._glyphs: dict[tuple[Weight, int, str, int], Glyph] = {}
        self._pen_x = self._shelf_y = self._shelf_height = 0
        self._changed: tuple[int, int] | None = None
        """Rows that the texture does not hold yet."""
        self.texture = int(GL.glGenTextures(1))
        self._rows = 0
        GL.glBindTexture(GL.GL_TEXTURE_2D, self.texture)
        # Glyphs are drawn at their own size on whole pixels: nearest keeps them as sharp as FreeType made them.
        for key in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, key, GL.GL_NEAREST)

    def glyph(self, character: str, weight: Weight, pixels: int, phase: int = 0) -> Glyph:
        """The glyph, shifted right by `phase` / `typeset.PHASES` of a pixel; rasterised when first asked for."""
        key = (weight, pixels, character, phase)
        found = self._glyphs.get(key)
        if found is None:
            found = self._glyphs[key] = self._rasterise(character, weight, pixels, phase)
        return found

    def upload(self) -> None:
        """Bind the texture with everything rasterised since the last time."""
        GL.glBindTexture(GL.GL_TEXTURE_2D, self.texture)
        if self._changed is None and self._rows:
            return
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        height = self._image.shape[0]
        if self._rows != height:
            GL.glTexImage2D(
                GL.GL_TEXTURE_2D, 0, GL.GL_R8, _SIDE, height, 0, GL.GL_RED, GL.GL_UNSIGNED_BYTE, self._image
            )
            self._rows = height
        elif self._changed is not None:
            first, last = self._changed
            GL.glTexSubImage2D(
                GL.GL_TEXTURE_2D, 0, 0, first, _SIDE, last - first, GL.GL_RED, GL.GL_UNSIGNED_BYTE,
                self._image[first:last],
            )  # fmt: skip
        self._changed = None

    def close(self) -> None:
        GL.glDeleteTextures([self.texture])

    def _rasterise(self, character: str, weight: Weight, pixels: int, phase: int) -> Glyph:
        bitmap, left, top = coverage(character, weight, pixels, phase)
        height, width = bitmap.shape
        place = self._place(width, height) if width and height else None
        if place is None:
            return Glyph(0, 0, 0, 0, 0, 0)
        x, y = place
        self._image[y : y + height, x : x + width] = bitmap
        first, last = self._changed or (y, y)
        self._changed = (min(first, y), max(last, y + height))
        return Glyph(x, y, width, height, left, top)

    def _place(self, width: int, height: int) -> tuple[int, int] | None:
        """A free spot on the current shelf or a new one; None when the atlas may not grow any more."""
        if self._pen_x + width + 1 > _SIDE:
            self._shelf_y += self._shelf_height + 1
            self._pen_x = self._shelf_height = 0
        while self._shelf_y + height + 1 > self._image.shape[0]:
            if self._image.shape[0] >= _LARGEST:
                return None
            self._image = np.vstack([self._image, np.zeros((_SIDE, _SIDE), np.uint8)])
        place = (self._pen_x, self._shelf_y)
        self._pen_x += width + 1
        self._shelf_height = max(self._shelf_height, height)
        return place
