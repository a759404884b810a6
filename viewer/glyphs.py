"""`GlyphAtlas`: every glyph that was needed so far, rasterised once by FreeType into one texture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from OpenGL import GL
from PIL import ImageFont

from .theme import ASSETS

Weight = Literal["regular", "semibold"]

_FILES: dict[Weight, str] = {"regular": "Inter-Regular.ttf", "semibold": "Inter-SemiBold.ttf"}
_SIDE = 1024
"""Texels across; the atlas grows downwards by the same amount when it is full."""
_LARGEST = 8 * _SIDE
_MEASURED = 512
"""Size at which widths are measured."""
_FINER = 8
"""Glyphs are rasterised this much larger and averaged."""
_LIGHT_ON_DARK = 0.85
"""Exponent on coverage: blended as sRGB numbers, light text on a dark ground would look thinner than it is."""
PHASES = 4
"""Horizontal positions inside a pixel at which a glyph is rasterised."""
_DIGITS = frozenset("0123456789")


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


@lru_cache(maxsize=64)
def _face(weight: Weight, pixels: int) -> ImageFont.FreeTypeFont:
    path = ASSETS / "fonts" / _FILES[weight]
    if path.is_file():
        return ImageFont.truetype(str(path), pixels)
    return _spare_face(pixels)


@lru_cache(maxsize=64)
def _spare_face(pixels: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(pixels)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow is required with FreeType, as its wheels are
    return font


@lru_cache(maxsize=64)
def cap_height(weight: Weight, pixels: int) -> int:
    """Height of a capital H in pixels: what text is centred by."""
    return -round(_face(weight, pixels).getbbox("H", anchor="ls")[1])


@lru_cache(maxsize=4096)
def _advance(weight: Weight, pixels: int, text: str) -> float:
    # Measured large: FreeType rounds advances to whole pixels, which spaces small text unevenly.
    face = _spare_face(_MEASURED) if len(text) == 1 and _lacks(weight, text) else _face(weight, _MEASURED)
    return face.getlength(text) * pixels / _MEASURED


@lru_cache(maxsize=1024)
def _lacks(weight: Weight, character: str) -> bool:
    """Whether the shipped subset has no such glyph; Pillow's own font may have it."""
    if character <= "\x7f":
        return False
    face = _face(weight, 32)
    return _bytes(face.getmask(character, mode="L")) == _bytes(face.getmask("\uffff", mode="L"))


def _bytes(mask: Any) -> bytes:
    """The pixels of Pillow's internal image, whose annotations forget that it is a sequence."""
    return bytes(mask)


def _kerning(weight: Weight, pixels: int, left: str, right: str) -> float:
    one, other = _advance(weight, pixels, left), _advance(weight, pixels, right)
    return _advance(weight, pixels, left + right) - one - other


def _coverage(character: str, weight: Weight, pixels: int, phase: int) -> tuple[np.ndarray, int, int]:
    """(8-bit coverage `[h, w]`, left edge from the pen, top edge from the baseline) of one glyph.

    Averaged down from a larger bitmap: FreeType's hinting at small sizes moves stems to whole pixels, and the
    letters of a word drift apart.
    """
    fine = pixels * _FINER
    face = _spare_face(fine) if _lacks(weight, character) else _face(weight, fine)
    mask, (left, top) = face.getmask2(character, mode="L", anchor="ls")
    width, height = mask.size
    if not width or not height:
        return np.zeros((0, 0), np.uint8), 0, 0
    left += phase * _FINER // PHASES
    x, y = left // _FINER, top // _FINER  # floors: the pixels that hold the corner
    across, down = -(-(left + width) // _FINER) - x, -(-(top + height) // _FINER) - y
    canvas = np.zeros((down * _FINER, across * _FINER), np.float32)
    into_x, into_y = left - x * _FINER, top - y * _FINER
    bitmap = np.frombuffer(_bytes(mask), np.uint8).reshape(height, width)
    canvas[into_y : into_y + height, into_x : into_x + width] = bitmap
    average = canvas.reshape(down, _FINER, across, _FINER).mean((1, 3)) / 255
    return np.round(255 * average**_LIGHT_ON_DARK).astype(np.uint8), x, y


def pen_positions(text: str, weight: Weight, pixels: int) -> tuple[list[float], float]:
    """Where each character's pen stands and the width of the whole, pixels.

    All digits are as wide as a zero, so that a running number does not make its neighbours dance.
    """
    pens: list[float] = []
    pen, last = 0.0, ""
    zero = _advance(weight, pixels, "0")
    for character in text:
        digit = character in _DIGITS
        if last and not digit and last not in _DIGITS:
            pen += _kerning(weight, pixels, last, character)
        width = _advance(weight, pixels, character)
        pens.append(pen + (zero - width) / 2 if digit else pen)
        pen += zero if digit else width
        last = character
    return pens, pen


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
        """The glyph shifted right by `phase` / `PHASES` of a pixel; rasterised when it is asked for the first time."""
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
        coverage, left, top = _coverage(character, weight, pixels, phase)
        height, width = coverage.shape
        place = self._place(width, height) if width and height else None
        if place is None:
            return Glyph(0, 0, 0, 0, 0, 0)
        x, y = place
        self._image[y : y + height, x : x + width] = coverage
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
