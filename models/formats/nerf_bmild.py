"""Reads checkpoints of bmild/nerf: `model_NNNNNN.npy` with `model_fine_NNNNNN.npy` beside it.

Each is a numpy array of objects, that is, a pickle: the Keras model's weights in the order of its layers, kernel and
bias by turns. Kernels are [in, out]. The pickle goes through `unpickle.py`; what it may name is numpy's arrays alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from ..base import Generator
from ..errors import CheckpointError
from ..nerf import NeRFNetwork
from ..pickle_builders import BASE, NumpyArray, NumpyType
from ..pickle_machine import Builder, PickleMachine
from ..unpickle import Limits, unpickle_bytes
from .nerf_paper import LayerNames, paper_network
from .nerf_yenchenlin import posed_nerf
from .state_dicts import checked_tensors

NAMES = LayerNames("points", "feature", "views", "rgb", "alpha", "output")
LARGEST_FILE = 256 << 20  # the paper's network takes 2.4 MB
MOST_ARRAYS = 256
_LONGEST_HEADER = 4096
_FILE_NAME = re.compile(r"model(_fine)?_(\d+)\.npy")


class _Objects:
    """An array as pickled: of numbers, or of objects (here: of arrays)."""

    def __init__(self) -> None:
        self.numbers = NumpyArray()
        self.items: list[Any] | None = None

    def set_state(self, machine: PickleMachine, state: Any) -> None:
        if isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _ObjectType):
            if not isinstance(state[4], list):
                raise machine.damaged("an array of objects comes without its list")
            self.items = state[4]
            return
        self.numbers.set_state(machine, state)


class _ObjectType:
    """numpy's dtype 'O'."""

    def set_state(self, machine: PickleMachine, state: Any) -> None:
        """Byte order and alignment, which mean nothing for objects."""


def _dtype(machine: PickleMachine, code: Any, *_: Any) -> _ObjectType | NumpyType:
    return _ObjectType() if code in ("O", "O8", "O4") else NumpyType(code)


def _array(machine: PickleMachine, *_: Any) -> _Objects:
    return _Objects()


ALLOWED: dict[str, Builder] = {
    "numpy.dtype": _dtype,
    "numpy.core.multiarray._reconstruct": _array,
    "numpy._core.multiarray._reconstruct": _array,
}
"""Beside `BASE`, whose builders of these names know no objects."""


def sniff(path: Path | str) -> bool:
    """Whether a file is an array of objects that begins with numpy's own pickled arrays; nothing is unpickled."""
    with open(path, "rb") as file:
        head = file.read(1024)
    return head.startswith(npy.MAGIC_PREFIX) and b"'|O'" in head and b"multiarray" in head


def load(path: Path | str) -> NeRFNetwork:
    """The network in one file.

    Raises:
        CheckpointError: no such file, damaged, tensors missing, of impossible shapes or not finite.
        UnsafePickle: it names anything but numpy's arrays; nothing was run.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CheckpointError(f"{path.name} has more than {LARGEST_FILE} bytes; a NeRF takes less.")
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    try:
        found = unpickle_bytes(data[_payload(data, path.name) :], {**BASE, **ALLOWED}, Limits(file_bytes=LARGEST_FILE))
    except CheckpointError as error:
        raise type(error)(f"{path.name}: {error}") from error
    arrays = found.items if isinstance(found, _Objects) else None
    if arrays is None or not 0 < len(arrays) <= MOST_ARRAYS:
        raise CheckpointError(f"{path.name} is no list of a Keras model's weights as bmild/nerf writes it.")
    return paper_network(checked_tensors(_named(arrays, path.name), path.name), NAMES, path.name)


def open_generator(path: Path | str) -> Generator:
    """Opens a pair of files by either of them, or one without its partner; named after its folder.

    Raises:
        CheckpointError: as `load`.
    """
    path = Path(path)
    match = _FILE_NAME.fullmatch(path.name)
    coarse, fine = path, None
    if match:
        coarse, fine = (path.with_name(f"model{kind}_{match[2]}.npy") for kind in ("", "_fine"))
    training: dict[str, object] = {"iterations": int(match[2])} if match else {}
    name = path.resolve().parent.name or path.stem
    if fine is None or not fine.is_file():
        return posed_nerf(coarse, load(coarse), None, name, training)
    if not coarse.is_file():  # a fine network is a scene by itself; it then places its own samples too
        return posed_nerf(fine, load(fine), None, name, training)
    return posed_nerf(fine, load(coarse), load(fine), name, training)


def _payload(data: bytes, name: str) -> int:
    """Where the pickle starts behind numpy's header, which is measured but not read."""
    if not data.startswith(npy.MAGIC_PREFIX) or len(data) < 12:
        raise CheckpointError(f"{name} does not begin as numpy's files do.")
    wide = data[6] > 1  # the header's length has four bytes from version 2 on
    length = int.from_bytes(data[8:12] if wide else data[8:10], "little")
    start = (12 if wide else 10) + length
    if length > _LONGEST_HEADER or start >= len(data):
        raise CheckpointError(f"{name} has a header of {length} bytes; the file is damaged or cut short.")
    return start


def _named(arrays: list[Any], name: str) -> dict[str, Tensor]:
    """Keras's order as names: trunk, feature, views, rgb, alpha; or trunk and output without directions.

    There is one views layer, as in the official model.
    """
    if len(arrays) % 2:
        raise CheckpointError(f"{name} has {len(arrays)} arrays; expected a kernel and a bias for every layer.")
    layers = len(arrays) // 2
    last = arrays[-1].numbers.array if isinstance(arrays[-1], _Objects) else None
    if last is not None and last.shape == (1,):
        names = [f"{NAMES.points}.{i}" for i in range(layers - 4)]
        names += [NAMES.feature, f"{NAMES.views}.0", NAMES.colour, NAMES.density]
    else:
        names = [*(f"{NAMES.points}.{i}" for i in range(layers - 1)), NAMES.output]
    if len(names) != layers:
        raise CheckpointError(f"{name} has {layers} layers; expected a trunk, feature, views, rgb and alpha.")
    state: dict[str, Tensor] = {}
    for index, item in enumerate(arrays):
        array = item.numbers.array if isinstance(item, _Objects) else None
        if array is None or array.ndim != 2 - index % 2:
            raise CheckpointError(f"{name}: array {index} is not a {'bias' if index % 2 else 'kernel'} of numbers.")
        kind = "bias" if index % 2 else "weight"
        state[f"{names[index // 2]}.{kind}"] = torch.from_numpy(np.ascontiguousarray(array.T, dtype=np.float32))
    return state
