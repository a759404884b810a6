"""One table between the label sets of CARLA and Cityscapes: numbers, names, colours, and look-ups made of it.

Four numberings of the same things: CARLA's tags since 0.9.14 (whose 1..19 are Cityscapes' train ids + 1), CARLA's tags
before, Cityscapes' ids (what SPADE, pix2pixHD and vid2vid read) and Cityscapes' train ids (what segmenters are judged
in). Translators paint strange pictures of maps in another numbering, and say nothing; so a map goes through `convert`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .base import LabelSet
from .frames import FrameError

LABEL_SETS: dict[LabelSet, str] = {
    "carla": "CARLA tags (0.9.14 and later)",
    "carla_before_0_9_14": "CARLA tags (before 0.9.14)",
    "cityscapes_ids": "Cityscapes ids",
    "cityscapes_train_ids": "Cityscapes train ids",
}
"""The numberings, and what to call them where a person reads it."""

IGNORED = 255
"""Train id of everything that Cityscapes neither trains on nor judges."""

Unknown = Literal["error", "unlabeled"]
Map = TypeVar("Map", NDArray[np.integer], Tensor)


class LabelError(FrameError):
    """A label map holds numbers that its numbering does not have."""


class Label(NamedTuple):
    """One thing in every numbering; where one has nothing like it, what comes nearest, or unlabeled."""

    name: str
    carla: int
    carla_old: int
    cityscapes: int
    train: int
    colour: tuple[int, int, int]
    """sRGB, 0..255: Cityscapes' palette, and CARLA's for what Cityscapes lacks or, as "static", paints black."""


# A number that stands in two rows is written by the first of them: Cityscapes' caravan becomes CARLA's truck, but
# CARLA's truck becomes Cityscapes' truck. The rows after the gap are one numbering's own and say what comes nearest.
TABLE: tuple[Label, ...] = (
    Label("unlabeled", 0, 0, 0, IGNORED, (0, 0, 0)),
    Label("road", 1, 7, 7, 0, (128, 64, 128)),
    Label("sidewalk", 2, 8, 8, 1, (244, 35, 232)),
    Label("building", 3, 1, 11, 2, (70, 70, 70)),
    Label("wall", 4, 11, 12, 3, (102, 102, 156)),
    Label("fence", 5, 2, 13, 4, (190, 153, 153)),
    Label("pole", 6, 5, 17, 5, (153, 153, 153)),
    Label("traffic light", 7, 18, 19, 6, (250, 170, 30)),
    Label("traffic sign", 8, 12, 20, 7, (220, 220, 0)),
    Label("vegetation", 9, 9, 21, 8, (107, 142, 35)),
    Label("terrain", 10, 22, 22, 9, (152, 251, 152)),
    Label("sky", 11, 13, 23, 10, (70, 130, 180)),
    Label("person", 12, 4, 24, 11, (220, 20, 60)),
    Label("rider", 13, 4, 25, 12, (255, 0, 0)),
    Label("car", 14, 10, 26, 13, (0, 0, 142)),
    Label("truck", 15, 10, 27, 14, (0, 0, 70)),
    Label("bus", 16, 10, 28, 15, (0, 60, 100)),
    Label("train", 17, 10, 31, 16, (0, 80, 100)),
    Label("motorcycle", 18, 10, 32, 17, (0, 0, 230)),
    Label("bicycle", 19, 10, 33, 18, (119, 11, 32)),
    Label("static", 20, 19, 4, IGNORED, (110, 190, 160)),
    Label("dynamic", 21, 20, 5, IGNORED, (111, 74, 0)),
    Label("ground", 25, 14, 6, IGNORED, (81, 0, 81)),
    Label("bridge", 26, 15, 15, IGNORED, (150, 100, 100)),
    Label("rail track", 27, 16, 10, IGNORED, (230, 150, 140)),
    Label("guard rail", 28, 17, 14, IGNORED, (180, 165, 180)),
    # CARLA's own. Weights trained on Cityscapes saw markings as part of the road.
    Label("road line", 24, 6, 7, 0, (157, 234, 50)),
    Label("other", 22, 3, 0, IGNORED, (55, 90, 80)),
    Label("water", 23, 21, 0, IGNORED, (45, 60, 150)),
    # Cityscapes' own.
    Label("ego vehicle", 0, 0, 1, IGNORED, (0, 0, 0)),
    Label("rectification border", 0, 0, 2, IGNORED, (0, 0, 0)),
    Label("out of roi", 0, 0, 3, IGNORED, (0, 0, 0)),
    Label("parking", 25, 14, 9, IGNORED, (250, 170, 160)),
    Label("tunnel", 4, 11, 16, IGNORED, (150, 120, 90)),
    Label("polegroup", 6, 5, 18, IGNORED, (153, 153, 153)),
    Label("caravan", 15, 10, 29, IGNORED, (0, 0, 90)),
    Label("trailer", 15, 10, 30, IGNORED, (0, 0, 110)),
)

CITYSCAPES_IDS = 35
"""Channels of one-hot Cityscapes ids in the official networks: 0..33, and 34 for the licence plate, whose id is -1."""


def number(label: Label, numbering: LabelSet) -> int:
    """A label's number in one numbering."""
    return {
        "carla": label.carla,
        "carla_before_0_9_14": label.carla_old,
        "cityscapes_ids": label.cityscapes,
        "cityscapes_train_ids": label.train,
    }[numbering]


def label_named(name: str) -> Label:
    """The row of TABLE with that name, such as 'car'."""
    return next(label for label in TABLE if label.name == name)


@functools.cache
def look_up(source: LabelSet, target: LabelSet) -> NDArray[np.int16]:
    """`target`'s number for each of `source`'s: [256], -1 where `source` has no such number. Read only."""
    found = np.full(256, -1, np.int16)
    unlabeled = number(TABLE[0], target)
    for label in TABLE:
        given, wanted = number(label, source), number(label, target)
        if found[given] < 0:
            found[given] = wanted
    if source == "cityscapes_ids":
        # A licence plate is part of a car, but nobody is judged by it.
        plate = IGNORED if target == "cityscapes_train_ids" else number(label_named("car"), target)
        found[CITYSCAPES_IDS - 1] = plate
        found[IGNORED] = unlabeled  # -1 in eight bits
    if source == target:
        known = found >= 0
        found[known] = np.flatnonzero(known)
    found.flags.writeable = False
    return found


@functools.cache
def known(source: LabelSet) -> tuple[int, ...]:
    """All numbers of a numbering, ascending."""
    return tuple(int(n) for n in np.flatnonzero(look_up(source, source) >= 0))


def convert(labels: Map, source: LabelSet, target: LabelSet, *, unknown: Unknown = "error") -> Map:
    """A label map in another numbering.

    Args:
        labels: integers of any shape; a numpy array or a tensor, on any device.
        source: the numbering they are in.
        target: the numbering to give them.
        unknown: what becomes of numbers that `source` does not have: an error, or unlabeled.

    Returns:
        The same kind and shape, of 8 bits, newly made.

    Raises:
        LabelError: `labels` are no integers; or unknown numbers, and `unknown` is 'error'.
    """
    if isinstance(labels, Tensor):
        if labels.is_floating_point() or labels.is_complex():
            raise LabelError(f"a label map of {labels.dtype}; expected integers")
        table = torch.from_numpy(look_up(source, target).copy()).to(labels.device)
        indices = labels.long()
        inside = (indices >= 0) & (indices < 256)
        mapped = table[indices.where(inside, _unused(source))]
        missing = mapped < 0
        if bool(missing.any()):
            _refuse(labels[missing].unique().tolist(), source, unknown)
            mapped[missing] = _unlabeled(target)
        return mapped.to(torch.uint8)
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise LabelError(f"a label map of {array.dtype}; expected integers")
    if array.dtype != np.uint8:
        array = np.where((array >= 0) & (array < 256), array, _unused(source)).astype(np.uint8)
    result = look_up(source, target)[array]
    absent = result < 0
    if absent.any():
        _refuse(np.unique(np.asarray(labels)[absent]).tolist(), source, unknown)
        result[absent] = _unlabeled(target)
    return result.astype(np.uint8)


@functools.cache
def palette(numbering: LabelSet) -> NDArray[np.uint8]:
    """Colours [256, 3], sRGB, by number; magenta where there is no such number. Read only."""
    colours = np.full((256, 3), (255, 0, 255), np.uint8)
    for label in reversed(TABLE):  # the first row of a number is its own
        colours[number(label, numbering)] = label.colour
    colours.flags.writeable = False
    return colours


def paint(labels: NDArray[np.integer], numbering: LabelSet) -> NDArray[np.uint8]:
    """A label map [H, W] as a picture [H, W, 3] for eyes; numbers outside 0..255 wrap."""
    return palette(numbering)[np.asarray(labels).astype(np.uint8)]


def name_of(index: int, numbering: LabelSet) -> str:
    """What a number means.

    Raises:
        LabelError: the numbering has no such number.
    """
    for label in TABLE:
        if number(label, numbering) == index:
            return label.name
    raise LabelError(f"{LABEL_SETS[numbering]} have no number {index}; they have {_ranges(known(numbering))}")


def _unlabeled(target: LabelSet) -> int:
    return number(TABLE[0], target)


@functools.cache
def _unused(source: LabelSet) -> int:
    return int(np.flatnonzero(look_up(source, source) < 0)[0])


def _refuse(numbers: Iterable[int], source: LabelSet, unknown: Unknown) -> None:
    if unknown == "unlabeled":
        return
    found = sorted(int(n) for n in numbers)
    listed = ", ".join(str(n) for n in found[:8]) + (", ..." if len(found) > 8 else "")
    raise LabelError(
        f"the label map holds {listed}, which {LABEL_SETS[source]} do not have (they have {_ranges(known(source))}); "
        "choose the numbering that the map was made in, or let unknown numbers become unlabeled"
    )


def _ranges(numbers: Iterable[int]) -> str:
    """'0..28, 255' for numbers in ascending order."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}..{b}" for a, b in runs)
