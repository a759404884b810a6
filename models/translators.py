"""From a name or a path to an open translator: recognised by what is in the file, never by running it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CheckpointError

if TYPE_CHECKING:
    from .base import Translator


@dataclass(frozen=True)
class TranslatorFamily:
    """One kind of checkpoint: how it is recognised, by content, and how it is opened."""

    title: str
    sniff: Callable[[Path], bool]
    open: Callable[[Path], Translator]


def families() -> tuple[TranslatorFamily, ...]:
    """Every family of translators; the first whose `sniff` says yes wins. Loads torch."""
    from .formats import painter_native, pix2pixhd_checkpoint, spade_checkpoint, vid2vid_checkpoint

    return (
        TranslatorFamily("neuroview painter", painter_native.sniff, painter_native.open_translator),
        TranslatorFamily("SPADE generator", spade_checkpoint.sniff, spade_checkpoint.open_translator),
        TranslatorFamily("vid2vid generator", vid2vid_checkpoint.sniff, vid2vid_checkpoint.open_translator),
        TranslatorFamily("pix2pixHD generator", pix2pixhd_checkpoint.sniff, pix2pixhd_checkpoint.open_translator),
    )


@dataclass(frozen=True)
class ShippedTranslator:
    """One file of weights that comes with the program."""

    name: str
    """What a person chooses, such as 'town'; several files of one name are for several sizes."""
    path: Path
    title: str
    resolution: tuple[int, int] | None
    """(height, width) that it was trained for."""


def shipped_translators() -> tuple[ShippedTranslator, ...]:
    """Every translator in `assets/translators`, by name and then by size, without loading any.

    'town_512.safetensors' is the 'town' for pictures 512 wide; the size that counts stands in its .json.
    """
    found = []
    for path in sorted((Path(str(resources.files("neuroview.assets"))) / "translators").glob("*.safetensors")):
        try:
            description = json.loads(path.with_suffix(".json").read_text("utf-8"))
            title = description.get("card", {}).get("title")
            size = description.get("resolution")
        except (OSError, ValueError, AttributeError):
            continue
        known = isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
        resolution = (size[0], size[1]) if known else None
        name = re.sub(r"_\d+$", "", path.stem)
        found.append(ShippedTranslator(name, path, title if isinstance(title, str) else path.stem, resolution))
    return tuple(sorted(found, key=lambda each: (each.name, each.resolution or (0, 0))))


def resolve(reference: str, size: tuple[int, int] | None = None) -> Path:
    """The file behind the name of a shipped translator (or of one of its files), or behind a path.

    Args:
        reference: such as 'town', 'town_512' or 'latest_net_G.pth'.
        size: (height, width) to be painted; of several files of one name, the one that was trained nearest to it is
            taken. None: the smallest.

    Raises:
        CheckpointError: it names neither; the message lists what there is.
    """
    shipped = shipped_translators()
    same = [each for each in shipped if each.name == reference]
    if size is not None:
        wanted = size[0] * size[1]
        same.sort(key=lambda each: abs(math.log(math.prod(each.resolution or (1, 1)) / wanted)))
    exact = [each for each in shipped if each.path.stem == reference]
    for each in (*same, *exact):
        return each.path
    path = Path(reference).expanduser()
    if path.is_file():
        return path
    names = ", ".join(dict.fromkeys(each.name for each in shipped)) or "none"
    kind = f"{reference} is a folder" if path.is_dir() else f"There is no translator {reference!r}"
    raise CheckpointError(f"{kind}; expected a translator's checkpoint or a shipped one ({names}).")


def open_translator(reference: Path | str, size: tuple[int, int] | None = None) -> Translator:
    """Opens a checkpoint for painting, on the CPU; nothing in the file is executed.

    What a file does not say (its labels, first frames, up-sampling) is guessed from the published layouts; the
    families' own `open_translator` take it as arguments.

    Args:
        reference: the path of a checkpoint, or the name of a shipped translator, such as 'town'.
        size: (height, width) to be painted; see `resolve`.

    Raises:
        CheckpointError: no such file, no family recognises it, or it is damaged; the message says what to do.
    """
    path = resolve(str(reference), size)
    known = families()
    try:
        for family in known:
            if family.sniff(path):
                return family.open(path)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    titles = "; ".join(family.title for family in known)
    raise CheckpointError(f"{path.name} is none of the translators that neuroview reads ({titles}).")
