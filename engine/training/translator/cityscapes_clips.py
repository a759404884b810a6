"""`neuroview train cityscapes`: makes clips of a Cityscapes-style folder.

Label maps are `*_labelIds.png` (ids, as `cityscapesscripts` writes them), pictures `*_leftImg8bit.png` of the same
name, in Cityscapes' own folders (`gtFine`, `leftImg8bit`) or side by side. Frames with consecutive numbers in one
folder are one clip. Nobody knows their motion, so a painter learns single frames from them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....models.labels import convert
from .clips import ClipError, ClipWriter

_LABELS = re.compile(r"(?P<name>.*?)(?:_gt(?:Fine|Coarse))?_labelIds\.png$")
_NUMBER = re.compile(r"\d+(?=\D*$)")
_MOST = 4096
"""Pixels along a side of the clips."""


class Pair(NamedTuple):
    """A label map and its picture."""

    labels: Path
    photo: Path
    instances: Path | None


def pairs(folder: Path) -> list[Pair]:
    """All pairs below a folder, in the order of their names.

    Raises:
        ClipError: there are none, or a label map has no picture.
    """
    found = []
    for labels in sorted(folder.rglob("*_labelIds.png")):
        match = _LABELS.match(labels.name)
        assert match is not None
        name = f"{match['name']}_leftImg8bit.png"
        places = [labels.with_name(name)]
        parts = labels.relative_to(folder).parent.parts
        for index, part in enumerate(parts):
            if part.startswith("gt"):
                places.append(folder.joinpath(*parts[:index], "leftImg8bit", *parts[index + 1 :], name))
        photo = next((place for place in places if place.is_file()), None)
        if photo is None:
            raise ClipError(f"{labels} has no picture; expected {places[-1]}")
        instances = labels.with_name(labels.name.replace("_labelIds", "_instanceIds"))
        found.append(Pair(labels, photo, instances if instances.is_file() else None))
    if not found:
        raise ClipError(
            f"{folder} holds no *_labelIds.png; expected Cityscapes' gtFine and leftImg8bit folders in it, or both "
            "kinds of files side by side"
        )
    return found


def sequences(found: list[Pair]) -> Iterator[list[Pair]]:
    """Runs of consecutively numbered frames."""
    run: list[Pair] = []
    before: tuple[Any, ...] = ()
    for pair in found:
        here = _place(pair.labels)
        if run and here != (*before[:2], before[2] + 1):
            yield run
            run = []
        run.append(pair)
        before = here
    if run:
        yield run


def read_pair(pair: Pair, height: int, width: int) -> dict[str, NDArray[Any]]:
    """A frame's planes at the size given: CARLA tags, instances and the picture.

    Raises:
        ClipError: a file cannot be read, or a label is none of Cityscapes'.
    """
    size = (width, height)
    try:
        ids = np.asarray(Image.open(pair.labels).resize(size, Image.Resampling.NEAREST))
        photo = np.asarray(Image.open(pair.photo).convert("RGB").resize(size, Image.Resampling.BOX))
        instances = np.zeros((height, width), np.uint16)
        if pair.instances is not None:
            told = np.asarray(Image.open(pair.instances).resize(size, Image.Resampling.NEAREST)).astype(np.int64)
            # Smaller numbers are labels: nobody told one thing from another there.
            instances = np.where(told >= 1000, told, 0).astype(np.uint16)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ClipError(f"{pair.labels} or its picture cannot be read ({str(error)[:120]})") from error
    if ids.ndim != 2:
        raise ClipError(f"{pair.labels} has {ids.shape[2]} channels; expected one, of label ids (not *_color.png)")
    labels = convert(np.where(ids == 255, 0, ids).astype(np.uint8), "cityscapes_ids", "carla")
    return {"labels": labels.astype(np.uint8), "instances": instances, "photo": photo}


def make_clips(folder: Path, out: Path, height: int, width: int) -> int:
    """Writes all pairs of a folder as clips; how many frames there are.

    Raises:
        ClipError: nothing to read, something broken, or clips are there already.
    """
    if not (0 < height <= _MOST and 0 < width <= _MOST):
        raise ClipError(f"clips of {width} x {height}: expected 1..{_MOST} pixels along each side")
    found = pairs(folder)
    writer = ClipWriter(out, height, width, len(found), planes=(), notes={"source": folder.name, "look": "photo"})
    for run in sequences(found):
        writer.add([read_pair(pair, height, width) for pair in run])
    writer.close()
    return len(found)


def _place(path: Path) -> tuple[Any, ...]:
    """Folder, name without its last number, and that number (-1: it has none, and never follows another)."""
    name = path.name.split("_gt")[0].removesuffix("_labelIds.png")
    number = _NUMBER.search(name)
    if number is None:
        return path.parent, name, -1
    return path.parent, name[: number.start()], int(number[0])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `neuroview train cityscapes`."""
    parser.add_argument("folder", type=Path, help="with pairs below it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), metavar=("WIDTH", "HEIGHT"))


def main(options: argparse.Namespace) -> None:
    """Does what the options say.

    Raises:
        ClipError: no pairs, or one that does not fit; the message names the file.
    """
    print(f"{make_clips(options.folder, options.out, options.size[1], options.size[0])} frames")
