"""What a checkpoint is and what it holds, told without building its model: container, settings, and every tensor."""

from __future__ import annotations

import math
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .catalog import families, resolve
from .errors import CheckpointError
from .unpickle import Stub, module_tensors, unpickle

MOST_SETTINGS = 400
MOST_VALUES = 200_000
DEEPEST = 12
_LONGEST_TEXT = 200
_MOST_IN_A_ROW = 16  # numbers in a list that is shown as one setting

_CONTAINERS = (
    (b"PK\x03\x04", "zip archive"),
    (b"\x93NUMPY", "NumPy array"),
    (b"\x1f\x8b", "gzip stream"),
    (b"\x78", "zlib stream"),
)


@dataclass(frozen=True)
class TensorEntry:
    """One array of a file."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float | None = None
    """Smallest number, where it was asked for; nan if there is one."""
    high: float | None = None


@dataclass(frozen=True)
class Contents:
    """What a file was found to be."""

    file: str
    size: int
    """bytes"""
    fingerprint: str
    """sha256, hexadecimal"""
    container: str
    family: str | None
    """Which kind of checkpoint; None: none that neuroview opens."""
    configuration: dict[str, Any]
    """Settings by dotted name."""
    tensors: tuple[TensorEntry, ...]

    @property
    def numbers(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(entry.shape) for entry in self.tensors)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "numbers": self.numbers}


def inspect(reference: str, *, values: bool = False) -> Contents:
    """Reads what a checkpoint says of itself; nothing in it is executed and no network is built.

    Args:
        reference: a path, or a shipped model's name.
        values: also find the smallest and largest number of each tensor, which reads them all.

    Raises:
        UnsafePickle: it is a pickle that names code which its family does not need.
        CheckpointError: no such file, empty, damaged, or nothing that can be read inertly.
    """
    from .eg3d_generator import fingerprint

    path = resolve(reference)
    try:
        size = path.stat().st_size
        if size == 0:
            raise CheckpointError(f"{path.name} is empty. Copy or download it again.")
        with open(path, "rb") as file:
            head = file.read(16)
        family = next((family for family in families() if family.sniff(path)), None)
        module = None if family is None else sys.modules[family.open.__module__]
        settings, found = _read(path, head, getattr(module, "ALLOWED", {}), module, values)
        digest = fingerprint(path)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    entries = tuple(_entry(name, value, values) for name, value in found)
    container = _container(head)
    return Contents(path.name, size, digest, container, family.title if family else None, settings, entries)


def _read(
    path: Path, head: bytes, allowed: Any, module: Any, values: bool
) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Settings and named arrays."""
    if len(head) > 8 and head[8:9] == b"{":
        return _safetensors(path)
    name = getattr(module, "__name__", "").rpartition(".")[2]
    if name == "instant_ngp":
        return _snapshot(path)
    if name == "nerf_bmild":
        return {}, list(module.load(path).state_dict().items())
    packed = head.startswith(b"PK\x03\x04") and _is_npz(path)
    if packed or head.startswith(b"\x93NUMPY"):
        return {}, _numpy(path, packed, values)
    if name in ("eg3d_pickle", "stylenerf_pickle"):
        config, named = module.read(path)
        return _settings(config), sorted(named.items())
    if not head.startswith((b"PK\x03\x04", b"\x80")):
        known = "; ".join(family.title for family in families())
        raise CheckpointError(f"{path.name} is no checkpoint that can be looked into; known are {known}.")
    content = unpickle(path, allowed)
    found: dict[str, Any] = {}
    tensors: list[tuple[str, Any]] = []
    for key, value in _walk(content):
        if isinstance(value, Tensor):
            tensors.append((key, value))
        elif len(found) < MOST_SETTINGS:
            found[key] = value
    return found, tensors


def _walk(value: Any, name: str = "", depth: int = 0, seen: list[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Tensors and plain values below `value`, by dotted name; what is neither is passed over.

    A pickle can hold one list a thousand times in another, and that a thousand times in a third: what is visited is
    counted.
    """
    seen = [0] if seen is None else seen
    seen[0] += 1
    if seen[0] > MOST_VALUES:
        raise CheckpointError(f"the file nests more than {MOST_VALUES} values; no real checkpoint does")
    if isinstance(value, Tensor) or _is_plain(value):
        yield name or "value", value
    elif isinstance(value, str):
        yield name or "value", value[:_LONGEST_TEXT]
    elif depth < DEEPEST and isinstance(value, Stub):
        # A child that was left out at saving time is None, hence the two ways in.
        if "_parameters" in value.state:
            yield from ((_join(name, inner), tensor) for inner, tensor in module_tensors(value))
        for key, part in value.state.items():
            if isinstance(key, str) and not key.startswith("_"):
                yield from _walk(part, _join(name, key), depth + 1, seen)
        children = value.state.get("_modules")
        if isinstance(children, dict) and "_parameters" not in value.state:
            yield from _walk(children, name, depth + 1, seen)
    elif depth < DEEPEST and isinstance(value, Mapping):
        for key, part in value.items():
            yield from _walk(part, _join(name, str(key)[:_LONGEST_TEXT]), depth + 1, seen)
    elif isinstance(value, (list, tuple)) and len(value) <= _MOST_IN_A_ROW and all(map(_is_plain, value)):
        yield name or "value", list(value)
    elif depth < DEEPEST and isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from _walk(part, _join(name, str(index)), depth + 1, seen)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float))


def _safetensors(path: Path) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            tensors = [(name, file.get_tensor(name)) for name in sorted(file.keys())]
            settings: dict[str, Any] = dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} is no readable safetensors file ({str(error)[:200]}).") from error
    from .formats.native import describe, sniff

    return (_settings(describe(path)) if sniff(path) else settings), tensors


def _is_npz(path: Path) -> bool:
    """Whether a zip archive holds arrays and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _numpy(path: Path, packed: bool, values: bool) -> list[tuple[str, Any]]:
    """The arrays of a .npy, or of an .npz when `packed`; only their headers unless `values` are wanted.

    Compressed arrays can unfold to anything, and arrays of objects are pickles: neither is read unasked, the latter not
    at all.
    """
    try:
        if not packed:
            found = np.load(path, allow_pickle=False, mmap_mode="r")
            return [(path.stem, found)]
        if values:
            with np.load(path, allow_pickle=False) as arrays:
                return [(name, arrays[name]) for name in arrays.files]
        with zipfile.ZipFile(path) as archive:
            return [(name.removesuffix(".npy"), _header(archive, name)) for name in archive.namelist()]
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(f"{path.name} is no readable NumPy file of numbers ({str(error)[:200]}).") from error


def _header(archive: zipfile.ZipFile, name: str) -> SimpleNamespace:
    with archive.open(name) as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    return SimpleNamespace(shape=shape, dtype=dtype)


def _snapshot(path: Path) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """instant-ngp's MessagePack: settings, and its binary strings as arrays of bytes."""
    from .formats.msgpack_reader import document, sections, value

    settings: dict[str, Any] = {}
    arrays: list[tuple[str, Any]] = []
    for key, packed in sections(document(path), path.name):
        parts = sections(packed, f"{path.name}: {key}") if key == "snapshot" else [("", packed)]
        for inner, part in parts:
            where = _join(key, inner) if inner else key
            try:
                found = value(part, f"{path.name}: {where}")
            except CheckpointError:
                continue  # an optimiser's state, larger than settings are
            if isinstance(found, (bytes, bytearray)):
                arrays.append((where, np.frombuffer(found, np.uint8)))
            elif len(settings) < MOST_SETTINGS:
                settings.update(item for item in _walk(found, where) if not isinstance(item[1], Tensor))
    return settings, arrays


def _entry(name: str, value: Any, values: bool) -> TensorEntry:
    dtype = str(value.dtype).removeprefix("torch.")
    low = high = None
    if values and math.prod(value.shape):
        tensor = value if isinstance(value, Tensor) else torch.from_numpy(np.array(value))
        if not tensor.is_complex():
            low, high = (float(part) for part in tensor.to(torch.float64).aminmax())
    return TensorEntry(name, tuple(int(side) for side in value.shape), dtype, low, high)


def _settings(value: Any) -> dict[str, Any]:
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return dict(list(_walk(plain))[:MOST_SETTINGS])


def _container(head: bytes) -> str:
    if len(head) > 8 and head[8:9] == b"{":
        return "safetensors"
    for magic, name in _CONTAINERS:
        if head.startswith(magic):
            return name
    if head.startswith(b"\x80"):
        # torch's old streams begin with a long integer, its magic number.
        return "torch stream (before 1.6)" if head[2:3] == b"\x8a" else f"pickle, protocol {head[1]}"
    return "MessagePack" if head[:1] >= b"\x80" else "unknown"


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
