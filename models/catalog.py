"""From a name or a path to an open generator: shipped models by name, checkpoints by what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CheckpointError

if TYPE_CHECKING:
    from .base import Generator

MAX_BYTES = 16 << 30
"""Files above this are refused before a byte of them is read."""


@dataclass(frozen=True)
class Family:
    """One kind of checkpoint: how it is recognised, by content, and how it is opened."""

    title: str
    sniff: Callable[[Path], bool]
    open: Callable[[Path], Generator]


def families() -> tuple[Family, ...]:
    """Every family that can be opened; the first whose `sniff` says yes wins. Loads torch."""
    from .formats import (
        editnerf_checkpoint,
        eg3d_pickle,
        graf_checkpoint,
        instant_ngp,
        native,
        nerf_bmild,
        nerf_checkpoint,
        nerf_yenchenlin,
        nerfstudio_checkpoint,
        pigan_pickle,
        stylenerf_pickle,
    )

    return (
        Family("neuroview safetensors", native.sniff, native.open_generator),
        Family("EG3D pickle", eg3d_pickle.sniff, eg3d_pickle.open_generator),
        Family("StyleNeRF pickle", stylenerf_pickle.sniff, stylenerf_pickle.open_generator),
        Family("pi-GAN checkpoint", pigan_pickle.sniff, pigan_pickle.open_generator),
        Family("GRAF checkpoint", graf_checkpoint.sniff, graf_checkpoint.open_generator),
        Family("EditNeRF checkpoint", editnerf_checkpoint.sniff, editnerf_checkpoint.open_generator),
        Family("NeRF checkpoint (krrish94)", nerf_checkpoint.sniff, nerf_checkpoint.open_generator),
        Family("NeRF checkpoint (yenchenlin)", nerf_yenchenlin.sniff, nerf_yenchenlin.open_generator),
        Family("NeRF weights (bmild)", nerf_bmild.sniff, nerf_bmild.open_generator),
        Family("instant-ngp snapshot", instant_ngp.sniff, instant_ngp.open_generator),
        Family("nerfstudio checkpoint", nerfstudio_checkpoint.sniff, nerfstudio_checkpoint.open_generator),
    )


def shipped() -> dict[str, str]:
    """Name and title of every model in `assets`, without loading any."""
    found = {}
    for path in sorted(_assets().glob("*.safetensors")):
        try:
            description = json.loads(path.with_suffix(".json").read_text("utf-8"))
            title = description.get("card", {}).get("title")
        except (OSError, ValueError, AttributeError):
            continue
        found[path.stem] = title if isinstance(title, str) else path.stem
    return found


def resolve(reference: str) -> Path:
    """The file behind a shipped name or a path.

    Raises:
        CheckpointError: it names neither.
    """
    if reference in shipped():
        return _assets() / f"{reference}.safetensors"
    path = Path(reference).expanduser()
    if path.is_file():
        return path
    names = ", ".join(shipped()) or "none"
    if path.is_dir():
        raise CheckpointError(f"{reference} is a folder; expected a checkpoint file or a shipped model ({names}).")
    raise CheckpointError(
        f"There is no model {reference!r}: expected the path of a checkpoint or a shipped model ({names})."
    )


def open_generator(reference: str) -> Generator:
    """Open a shipped model by name or a checkpoint by path, on the CPU; nothing in the file is executed.

    Raises:
        CheckpointError: no such file, no family recognises it, or it is damaged; the message says what to do.
    """
    path = resolve(reference)
    try:
        size = path.stat().st_size
        if size == 0:
            raise CheckpointError(f"{path.name} is empty. Copy or download it again.")
        if size > MAX_BYTES:
            raise CheckpointError(f"{path.name} has {size / 2**30:.0f} GiB; at most {MAX_BYTES >> 30} GiB are read.")
        for family in families():
            if family.sniff(path):
                return family.open(path)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    known = "; ".join(family.title for family in families())
    raise CheckpointError(f"{path.name} is none of the checkpoints that neuroview reads ({known}).")


def _assets() -> Path:
    return Path(str(resources.files("neuroview.assets")))
