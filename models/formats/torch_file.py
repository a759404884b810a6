"""Bare state dicts in `torch.save` files: recognised by the names in them, read as plain tensors, nothing executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from .state_dicts import checked_tensors

LARGEST_FILE = 4 << 30
"""Bytes; the largest published generator of this kind has 0.8 GB."""
_HEAD = 1 << 18  # bytes; the names stand before the numbers, and a thousand of them take 100 kB
_COUNTERS = "num_batches_tracked"


def names_in_head(path: Path) -> bytes:
    """The first bytes of a file that may be a `torch.save`, where its tensors' names stand; empty if it is none."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    # A zip archive whose first, uncompressed entry is the pickle; or, before torch 1.6, pickles of protocol 2.
    return head if head.startswith((b"PK\x03\x04", b"\x80\x02")) else b""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a file, as float32 on the CPU; without the counters that batch norms keep.

    Names that all begin with 'module.', as of a network saved inside a DataParallel, lose that.

    Raises:
        CheckpointError: it is too large, unreadable, holds anything but tensors, or numbers that are not finite.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise CheckpointError(f"{path.name} is {size} bytes long; at most {LARGEST_FILE} are read.")
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # torch raises whatever its pickle reader stumbled over
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CheckpointError(f"{path.name} is not a readable torch file of plain tensors: {reason}") from error
    if isinstance(contents, Mapping):
        contents = {name: tensor for name, tensor in contents.items() if not str(name).endswith(_COUNTERS)}
    tensors = checked_tensors(contents, path.name)
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors
