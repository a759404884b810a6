"""Which files of a folder are the label maps of one sequence, which instances belong to them, and what they say."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...models.base import LabelSet
from .simulator import EngineError
from .wire import MOST_PIXELS

LARGEST = 8 * MOST_PIXELS
"""Pixels of a recorded map: Cityscapes' are an eighth of that."""
_ENDINGS: dict[str, LabelSet] = {
    "_labelIds": "cityscapes_ids",
    "_labelTrainIds": "cityscapes_train_ids",
}
_SIBLINGS = {"labels": "instances", "_A": "_inst", "_label": "_inst", "": "_instances"}
"""Ending of a folder of label maps -> that of the folder with its instances: ours, vid2vid's, pix2pixHD's."""


class Recorded(NamedTuple):
    """The files of one moment."""

    labels: Path
    instances: Path | None


class Sequence(NamedTuple):
    """A folder, understood."""

    frames: tuple[Recorded, ...]
    label_set: LabelSet | None
    """What the file names say; None: nothing."""


def find_sequence(folder: str | Path) -> Sequence:
    """The label maps in a folder, in order, and the instance maps that belong to them.

    Understood are Cityscapes' names (`*_labelIds.png` with `*_instanceIds.png` beside them), folders `labels` and
    `instances`, vid2vid's `*_A` and `*_inst`, pix2pixHD's `*_label` and `*_inst`, and a bare folder of numbered PNGs.

    Raises:
        EngineError: no such folder, no PNG in it, a hole in the numbering, or an instance map that is missing.
    """
    root = Path(folder).expanduser()
    if not str(folder) or not root.is_dir():
        raise EngineError(f"there is no folder {str(folder)!r}; give the folder of a recording's label maps")
    if (root / "labels").is_dir():
        root = root / "labels"
    pictures = sorted(root.glob("*.png"))
    for ending, numbering in _ENDINGS.items():
        found = [path for path in pictures if path.stem.endswith(ending)]
        if found:
            beside = [path.with_name(path.stem.removesuffix(ending) + "_instanceIds.png") for path in found]
            return Sequence(_paired(_in_order(found), beside), numbering)
    if not pictures:
        raise EngineError(f"{root} holds no PNG; expected label maps, one a frame, such as 000001.png")
    ordered = _in_order(pictures)
    for ending, instances in _SIBLINGS.items():
        other = root.with_name(root.name.removesuffix(ending) + instances)
        if root.name.endswith(ending) and other != root and other.is_dir():
            return Sequence(_paired(ordered, [other / path.name for path in ordered]), None)
    return Sequence(tuple(Recorded(path, None) for path in ordered), None)


def read_map(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A map of 8 or 16 bits: [h, w], or [h, w, 3] where the file has colours (CARLA's raw cameras).

    Raises:
        EngineError: it cannot be read, is too large, or holds another kind of picture.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > LARGEST:
                raise EngineError(
                    f"{path} is {picture.width} x {picture.height}; at most {LARGEST:,} pixels are read. Shrink it"
                )
            if picture.mode in ("RGB", "RGBA"):
                return np.asarray(picture.convert("RGB"))
            found = np.asarray(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineError(f"{path} cannot be read as a PNG ({error}); record it again or take it away") from None
    if found.ndim != 2 or found.dtype.kind not in "iu" or found.max(initial=0) > 65535 or found.min(initial=0) < 0:
        raise EngineError(f"{path} is a picture of {found.dtype}; expected a map of 8 or 16 bits, one number a pixel")
    return found.astype(np.uint8) if found.dtype.itemsize == 1 else found.astype(np.uint16)


def _paired(labels: list[Path], instances: list[Path]) -> tuple[Recorded, ...]:
    there = [path.is_file() for path in instances]
    if not any(there):
        return tuple(Recorded(path, None) for path in labels)
    if not all(there):
        raise EngineError(
            f"{instances[there.index(False)]} is missing, while {there.count(True)} other instance maps are there; "
            "record it, or take them all away to do without"
        )
    return tuple(Recorded(*pair) for pair in zip(labels, instances, strict=True))


def _in_order(paths: list[Path]) -> list[Path]:
    """Sorted by the numbers in their names.

    Raises:
        EngineError: where one number counts frames, some are missing.
    """
    numbers = {path: tuple(int(digits) for digits in re.findall(r"\d+", path.stem)) for path in paths}
    ordered = sorted(paths, key=lambda path: (numbers[path], path.name))
    if len({len(found) for found in numbers.values()}) != 1:
        return ordered
    columns = list(zip(*(numbers[path] for path in ordered), strict=True))
    varying = [column for column in columns if len(set(column)) > 1]
    if len(varying) != 1 or len(set(varying[0])) < len(ordered):
        return ordered  # several sequences, one after the other, as Cityscapes' snippets
    counted = varying[0]
    gaps = [b - a for a, b in pairwise(counted)]
    # Every other frame, or every tenth, is a sequence too.
    stride = min(gaps)
    for at, gap in enumerate(gaps):
        if gap != stride:
            raise EngineError(
                f"the numbering in {paths[0].parent} has a hole: after {ordered[at].name} comes "
                f"{ordered[at + 1].name}. "
                "Supply what is missing, or put each half into a folder of its own"
            )
    return ordered
