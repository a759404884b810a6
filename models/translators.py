"""From a path to an open translator: recognised by what is in the file, never by its name or by running it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


def open_translator(path: Path | str) -> Translator:
    """Opens a checkpoint for painting, on the CPU; nothing in the file is executed.

    What a file does not say (its labels, first frames, up-sampling) is guessed from the published layouts; the
    families' own `open_translator` take it as arguments.

    Raises:
        CheckpointError: no such file, no family recognises it, or it is damaged; the message says what to do.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no file"
        raise CheckpointError(f"{path} is {kind}; expected a translator's checkpoint.")
    known = families()
    try:
        for family in known:
            if family.sniff(path):
                return family.open(path)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    titles = "; ".join(family.title for family in known)
    raise CheckpointError(f"{path.name} is none of the translators that neuroview reads ({titles}).")
