"""What a dropped path means to a drive: a recording, a folder of label maps, a painter's checkpoint, or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

RECORDING = ".jsonl"
"""How recordings of a drive end: one CONTROL a line."""
CHECKPOINTS = (".pth", ".pt", ".pkl", ".tar", ".safetensors", ".ckpt")
_LOOKED_AT = 200
"""Entries of a folder that are looked at before it counts as holding no pictures."""
MOST_LISTED = 50

Kind = Literal["recording", "labels", "translator"]


def kind_of(path: Path) -> Kind | None:
    """What `path` is to a drive; None: it is nothing of the kind. Recognises checkpoints by content, which loads torch.

    A file that cannot be read is none of these: whoever opens it next says why.
    """
    try:
        if path.is_dir():
            return "labels" if _holds_pictures(path) else None
        if not path.is_file():
            return None
        if path.suffix.lower() == RECORDING:
            return "recording"
        if path.suffix.lower() in CHECKPOINTS and is_translator(path):
            return "translator"
    except OSError:
        pass
    return None


def is_translator(path: Path) -> bool:
    """Whether a checkpoint paints semantic maps; nothing in it is executed.

    Raises:
        OSError: it cannot be read.
    """
    from ...models.translators import families

    return any(family.sniff(path) for family in families())


def recordings(folder: Path) -> tuple[Path, ...]:
    """The recordings in `folder`, newest first, at most `MOST_LISTED`; none where there is no such folder."""
    found: list[tuple[float, Path]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(RECORDING) and entry.is_file():
                    found.append((entry.stat().st_mtime, Path(entry.path)))
    except OSError:
        return ()
    return tuple(path for _, path in sorted(found, reverse=True)[:MOST_LISTED])


def _holds_pictures(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if entry.name.lower().endswith(".png"):
                return True
            if count >= _LOOKED_AT:
                break
    return False
