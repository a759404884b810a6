"""Our stand-ins for the few functions that pickled checkpoints name: containers, numpy scalars and torch tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import CheckpointError
from .pickle_machine import Allowed, Builder, PickleMachine
from .pickle_values import Global, Stub, is_plain_key

STORAGE_TYPES: dict[str, torch.dtype] = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
    "torch.storage.UntypedStorage": torch.uint8,
}

# Single numbers only: no objects, no strings, no records.
NUMPY_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
MOST_DIMENSIONS = 8
MOST_REPEATED = 1 << 16  # numbers in a tensor that repeats its storage with strides of 0
BYTES_PER_ENTRY = 16  # of a dictionary, for the budget


class NumpyType:
    """A numpy dtype as pickled: a type code, then a state that tells the byte order."""

    def __init__(self, code: str) -> None:
        if code not in NUMPY_TYPES:
            raise CheckpointError(f"numpy type {code!r} is not a plain number; refused")
        self.code, self.order = code, "<"

    def set_state(self, machine: PickleMachine, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise CheckpointError(f"numpy byte order {order!r} is not known")
        self.order = "<" if order in ("|", "=") else order

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class NumpyArray:
    """A numpy array as pickled: made empty, then given shape, type and bytes by its state; read `array`."""

    def __init__(self) -> None:
        self.array: np.ndarray[Any, Any] | None = None

    def set_state(self, machine: PickleMachine, state: Any) -> None:
        _, shape, kind, fortran, raw = state
        if not isinstance(kind, NumpyType) or not isinstance(raw, bytes) or not _are_sizes(shape):
            raise CheckpointError("a numpy array in the file is malformed; fetch or export it again")
        if math.prod(shape) * kind.dtype.itemsize != len(raw):
            raise CheckpointError(f"a numpy array of shape {shape} comes with {len(raw)} bytes; the file is damaged")
        machine.charge(len(raw))
        self.array = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if fortran else "C").copy()


class Storage:
    """A flat run of one tensor's numbers, of which views are made."""

    def __init__(self, data: Tensor) -> None:
        self.data = data  # [numel]


def stub(name: str) -> Builder:
    """A builder that stands a `Stub` in for an object of class `name`."""

    def build(machine: PickleMachine, *args: Any) -> Stub:
        return Stub(name, args)

    return build


def stubs(*names: str) -> dict[str, Builder]:
    """Allow-list entries that turn objects of these classes into `Stub`s."""
    return {name: stub(name) for name in names}


def plain_dict(machine: PickleMachine, pairs: Any = ()) -> dict[Any, Any]:
    """OrderedDict, EasyDict and the like, as a plain dict."""
    items = list(pairs.items()) if isinstance(pairs, dict) else pairs
    if not isinstance(items, (list, tuple)):
        raise machine.damaged(f"a dictionary is made from a {type(pairs).__name__}")
    # Copies are charged: a pickle can name one large dictionary very often.
    machine.charge(BYTES_PER_ENTRY * len(items))
    made: dict[Any, Any] = {}
    for key, value in items:
        if not is_plain_key(key):
            raise machine.damaged(f"a {type(key).__name__} is used as a key")
        made[key] = value
    return made


def plain_set(machine: PickleMachine, members: Any = ()) -> set[Any]:
    """`set`, which protocol 2 spells as a call on a list."""
    if not isinstance(members, (list, tuple)) or not all(is_plain_key(member) for member in members):
        raise machine.damaged("a set is not made from a list of plain values")
    machine.charge(BYTES_PER_ENTRY * len(members))
    return set(members)


def encoded(machine: PickleMachine, text: str, encoding: str) -> bytes:
    """`_codecs.encode`: how protocol 2 spells byte strings."""
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise machine.damaged(f"text encoding {encoding!r}")
    machine.charge(len(text))
    return text.encode("latin-1")


def numpy_type(machine: PickleMachine, code: Any, *_: Any) -> NumpyType:
    return NumpyType(code)


def numpy_scalar(machine: PickleMachine, kind: Any, raw: Any) -> float | int | bool:
    if not isinstance(kind, NumpyType) or not isinstance(raw, bytes) or len(raw) != kind.dtype.itemsize:
        raise machine.damaged("a numpy number is malformed")
    return np.frombuffer(raw, kind.dtype)[0].item()


def numpy_array(machine: PickleMachine, *_: Any) -> NumpyArray:
    return NumpyArray()


def rebuilt_tensor(machine: PickleMachine, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """A view of a storage, after checking that it stays inside and does not blow a few numbers up to many."""
    if not isinstance(storage, Storage) or not _are_sizes(size) or not _are_sizes(stride) or not _are_sizes((offset,)):
        raise machine.damaged("a tensor is described by something else than a storage, offset, size and stride")
    if len(size) != len(stride) or len(size) > MOST_DIMENSIONS:
        raise machine.damaged(f"a tensor has size {size} but stride {stride}")
    numel, held = math.prod(size), storage.data.numel()
    last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True)) if numel else 0
    if last >= max(held, 1) or numel > max(held, MOST_REPEATED):
        raise CheckpointError(f"a tensor of size {size} needs {max(last + 1, numel)} numbers, its storage has {held}")
    return storage.data.as_strided(size, stride, offset)


def rebuilt_parameter(machine: PickleMachine, data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise machine.damaged(f"a parameter holds a {type(data).__name__}, expected a tensor")
    return data


def never_built(machine: PickleMachine, *_: Any) -> Any:
    """For names that only stand as arguments, such as torch's storage types."""
    raise machine.damaged("a type is called that only stands as an argument")


def storage_type(machine: PickleMachine, kind: Any) -> torch.dtype:
    """The number type of a storage class met in a persistent id."""
    if not isinstance(kind, Global) or kind.name not in STORAGE_TYPES:
        raise machine.damaged("a tensor's storage is of an unknown type")
    return STORAGE_TYPES[kind.name]


def storage_of(raw: memoryview, dtype: torch.dtype, numel: int) -> Storage:
    """Copies `numel` numbers out of the file: the copy is aligned, writable and outlives the file."""
    if numel == 0:
        return Storage(torch.empty(0, dtype=dtype))
    return Storage(torch.frombuffer(bytearray(raw), dtype=dtype, count=numel))


def _are_sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << 48 for v in values
    )


BASE: Allowed = {
    "collections.OrderedDict": plain_dict,
    "__builtin__.set": plain_set,  # Python 2's name, which protocol 2 keeps
    "builtins.set": plain_set,
    "_codecs.encode": encoded,
    "numpy.dtype": numpy_type,
    "numpy.ndarray": never_built,
    "numpy.core.multiarray.scalar": numpy_scalar,
    "numpy._core.multiarray.scalar": numpy_scalar,
    "numpy.core.multiarray._reconstruct": numpy_array,
    "numpy._core.multiarray._reconstruct": numpy_array,
    "torch._utils._rebuild_tensor_v2": rebuilt_tensor,
    "torch._utils._rebuild_parameter": rebuilt_parameter,
    **dict.fromkeys(STORAGE_TYPES, never_built),
}
