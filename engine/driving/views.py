"""What a driver may look at in place of the painted picture: labels, the engine's photo, motion, depth, or both halves.

Each is one look-up in a table of 32-bit colours, since the processor is needed for painting: together well under a
millisecond at 256 x 128. All pictures are RGBA uint8 [H, W, 4], row 0 on top.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from ...models.base import LabelSet
from ...models.labels import palette
from ..pixels import BACKDROP, colour_map
from ..state import DriveView
from .messages import DriveFrame

Picture = NDArray[np.uint8]

NEAREST, FARTHEST = 2.0, 300.0
"""Metres at which the depth's colours end."""
HALF_SATURATED = 1.5
"""Pixels of motion that have half the full colour."""
_CELLS = 256


def compose(
    view: DriveView, at: float, frame: DriveFrame, label_set: LabelSet, picture: NDArray[np.float32] | None
) -> Picture:
    """What a view shows of a frame. Labels stand in for a picture that there is none of.

    Args:
        view: what is asked for.
        at: where the split is, 0..1.
        frame: the engine's maps.
        label_set: numbering of its labels.
        picture: the painter's, [3, H, W] in 0..1; None: not painted.
    """
    if view == "motion":
        return motion(frame.motion) if frame.motion is not None else nothing(*frame.labels.shape)
    if view == "depth":
        return depth(frame.depth) if frame.depth is not None else nothing(*frame.labels.shape)
    if view == "semantic":
        return semantic(frame.labels, label_set)
    left = right = None
    if view in ("painted", "split"):
        left = semantic(frame.labels, label_set) if picture is None else painted(picture)
    if view in ("photo", "split"):
        right = semantic(frame.labels, label_set) if frame.photo is None else photo(frame.photo)
    if left is not None and right is not None:
        return split(left, right, at)
    shown = left if left is not None else right
    assert shown is not None
    return shown


def semantic(labels: NDArray[np.uint8], label_set: LabelSet) -> Picture:
    """Labels [H, W] in their palette's colours; magenta where the numbering has no such number."""
    return _look_up(_label_colours(label_set), labels)


def photo(shaded: NDArray[np.uint8]) -> Picture:
    """The engine's own picture [H, W, 3]."""
    made = np.empty((*shaded.shape[:2], 4), np.uint8)
    made[..., :3] = shaded
    made[..., 3] = 255
    return made


def painted(picture: NDArray[np.float32]) -> Picture:
    """A painter's picture [3, H, W] in 0..1; what lies outside is clipped."""
    made = np.empty((*picture.shape[1:], 4), np.uint8)
    made[..., :3] = (np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).transpose(1, 2, 0)
    made[..., 3] = 255
    return made


def split(left: Picture, right: Picture, at: float) -> Picture:
    """`left` up to the part `at` (0..1) of the width, `right` beyond it; both [H, W, 4]."""
    column = round(left.shape[1] * min(max(at, 0.0), 1.0))
    made = right.copy()
    made[:, :column] = left[:, :column]
    return made


def depth(metres: NDArray[np.float32]) -> Picture:
    """Depth [H, W]: bright is near, one step of colour is one factor of distance; the window's colour beyond."""
    level = np.log(np.maximum(metres, NEAREST) * np.float32(1 / NEAREST))
    level = np.minimum(level * np.float32(_CELLS / np.log(FARTHEST / NEAREST)), _CELLS - 1)
    # The sky's infinity, and NaN, have a cell of their own behind the last.
    return _look_up(_depth_colours(), np.where(np.isfinite(metres), level, _CELLS).astype(np.intp))


def motion(pixels: NDArray[np.float32]) -> Picture:
    """Motion [H, W, 2], pixels: its direction as hue (red to the right, a quarter on: down), its length as colour
    out of black; grey where it is unknown (NaN)."""
    # Each axis is squeezed into -1..1 by v / (|v| + half), and the table undoes that: no arc tangent for each pixel.
    squeezed = pixels / (np.abs(pixels) + np.float32(HALF_SATURATED))
    known = np.isfinite(pixels).all(-1)
    cells = (np.nan_to_num(squeezed) * np.float32(_CELLS / 2 - 1) + np.float32(_CELLS / 2)).astype(np.intp)
    index = cells[..., 1] * _CELLS + cells[..., 0]
    return _look_up(_motion_colours(), np.where(known, index, 0))


def nothing(height: int, width: int) -> Picture:
    """The window's own colour: there is nothing to show."""
    return np.full((height, width), _packed(np.array([BACKDROP]))[0]).view(np.uint8).reshape(height, width, 4)


def _look_up(table: NDArray[np.uint32], index: NDArray[np.integer]) -> Picture:
    return np.take(table, index).view(np.uint8).reshape(*index.shape, 4)


def _packed(colours: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Colours [n, 3] in 0..1 as RGBA in one number each, in this machine's order of bytes."""
    made = np.full((len(colours), 4), 255, np.uint8)
    made[:, :3] = np.clip(colours, 0, 1) * 255 + 0.5
    return made.view(np.uint32)[:, 0]


@functools.cache
def _label_colours(label_set: LabelSet) -> NDArray[np.uint32]:
    return _packed(palette(label_set) / 255.0)


@functools.cache
def _depth_colours() -> NDArray[np.uint32]:
    """[257]: near to far, then the backdrop. The far end stays above the backdrop."""
    ramp = colour_map().numpy()[::-1]
    levels = np.linspace(0, 0.88 * (len(ramp) - 1), _CELLS).round().astype(int)
    return _packed(np.concatenate([ramp[levels], [BACKDROP]]))


@functools.cache
def _motion_colours() -> NDArray[np.uint32]:
    """[256 * 256]: the colour of each squeezed motion, rows down, columns right; cell 0 is the unknown's."""
    squeezed = (np.arange(_CELLS) - _CELLS / 2) / (_CELLS / 2 - 1)
    squeezed = squeezed.clip(-0.995, 0.995)
    real = HALF_SATURATED * squeezed / (1 - np.abs(squeezed))
    right, down = np.meshgrid(real, real)
    length = np.hypot(right, down)
    hue = (np.arctan2(down, right) / (2 * np.pi)) % 1.0
    # The colour wheel: each primary is a cosine of the hue's distance from it.
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue[..., None] - np.array([0.0, 1 / 3, 2 / 3])))
    colours = wheel * (length / (length + HALF_SATURATED))[..., None]
    colours.reshape(-1, 3)[0] = 0.35
    return _packed(colours.reshape(-1, 3))
