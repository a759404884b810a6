"""Fonts: how wide text is, where its lines break, what a glyph looks like. Lengths are device pixels; no GL here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from PIL import ImageFont

from .theme import ASSETS

Weight = Literal["regular", "semibold"]

PHASES = 4
"""Horizontal positions inside a pixel at which a glyph is rasterised."""
_FILES: dict[Weight, str] = {"regular": "Inter-Regular.ttf", "semibold": "Inter-SemiBold.ttf"}
_MEASURED = 512
"""Size at which widths are measured: FreeType rounds advances to whole pixels, which spaces small text unevenly."""
_FINER = 8
"""Glyphs are rasterised this much larger and averaged."""
_LIGHT_ON_DARK = 0.85
"""Exponent on coverage: blended as sRGB numbers, light text on a dark ground would look thinner than it is."""
_DIGITS = frozenset("0123456789")
_LONGEST = 4000
"""Characters of a message that are looked at; far more than fit on any card."""


@lru_cache(maxsize=2048)
def pen_positions(text: str, weight: Weight, pixels: int) -> tuple[tuple[float, ...], float]:
    """Where each character's pen stands, and the width of the whole line.

    All digits are as wide as a zero, so that a running number does not make its neighbours dance.
    """
    pens: list[float] = []
    pen, last = 0.0, ""
    zero = _advance("0", weight)
    for character in text:
        digit = character in _DIGITS
        if last and not digit and last not in _DIGITS:
            pen += _kerning(last, character, weight)
        width = _advance(character, weight)
        pens.append(pen + (zero - width) / 2 if digit else pen)
        pen += zero if digit else width
        last = character
    scale = pixels / _MEASURED
    return tuple(p * scale for p in pens), pen * scale


@lru_cache(maxsize=256)
def wrap(text: str, width: float, weight: Weight, pixels: int, most: int) -> tuple[str, ...]:
    """`text` in lines of at most `width`; a word that is longer is broken inside.

    Args:
        most: lines at most; where there are more, the last one ends in an ellipsis.
    """

    def fits(line: str) -> bool:
        return pen_positions(line, weight, pixels)[1] <= width

    lines: list[str] = []
    for paragraph in text[:_LONGEST].splitlines():
        line = ""
        for word in paragraph.split():
            if fits(joined := f"{line} {word}" if line else word):
                line = joined
                continue
            if line:
                lines.append(line)
            while not fits(word) and len(word) > 1 and len(lines) <= most:
                head = _fitting(word, fits)
                lines.append(word[:head])
                word = word[head:]
            line = word
        lines.append(line)
        if len(lines) > most:
            break
    if len(lines) > most:
        last = lines[most - 1]
        while last and not fits(last + "…"):
            last = last[:-1]
        lines = [*lines[: most - 1], last.rstrip() + "…"]
    return tuple(lines)


@lru_cache(maxsize=64)
def cap_height(weight: Weight, pixels: int) -> int:
    """Height of a capital H: what text is centred by."""
    return -round(_face(weight, pixels).getbbox("H", anchor="ls")[1])


def coverage(character: str, weight: Weight, pixels: int, phase: int) -> tuple[np.ndarray, int, int]:
    """(8-bit coverage `[h, w]`, left edge from the pen, top edge from the baseline) of one glyph.

    Averaged down from a larger bitmap: FreeType's hinting at small sizes moves stems to whole pixels, and the
    letters of a word drift apart.

    Args:
        phase: how far the pen stands inside its pixel, in `PHASES` of it.
    """
    fine = pixels * _FINER
    face = _spare_face(fine) if _lacks(character, weight) else _face(weight, fine)
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


def _fitting(word: str, fits: Any) -> int:
    """The number of characters of `word` that fit, at least one."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(word[:middle]) else (low, middle - 1)
    return low


@lru_cache(maxsize=64)
def _face(weight: Weight, pixels: int) -> ImageFont.FreeTypeFont:
    path = ASSETS / "fonts" / _FILES[weight]
    return ImageFont.truetype(str(path), pixels) if path.is_file() else _spare_face(pixels)


@lru_cache(maxsize=64)
def _spare_face(pixels: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(pixels)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's wheels all bring FreeType
    return font


@lru_cache(maxsize=4096)
def _advance(text: str, weight: Weight) -> float:
    """Width of `text` at size `_MEASURED`."""
    spare = len(text) == 1 and _lacks(text, weight)
    return (_spare_face(_MEASURED) if spare else _face(weight, _MEASURED)).getlength(text)


@lru_cache(maxsize=4096)
def _kerning(left: str, right: str, weight: Weight) -> float:
    if _lacks(left, weight) or _lacks(right, weight):
        return 0.0
    return _advance(left + right, weight) - _advance(left, weight) - _advance(right, weight)


@lru_cache(maxsize=1024)
def _lacks(character: str, weight: Weight) -> bool:
    """Whether the shipped subset has no such glyph; Pillow's own font may have it."""
    if character <= "\x7f":
        return False
    face = _face(weight, 32)
    return _bytes(face.getmask(character, mode="L")) == _bytes(face.getmask("\uffff", mode="L"))


def _bytes(mask: Any) -> bytes:
    """The pixels of Pillow's internal image, whose annotations forget that it is a sequence."""
    return bytes(mask)
