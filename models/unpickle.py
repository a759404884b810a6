"""Reads pickled checkpoints of every family without importing or calling anything that a file names.

Three containers are told apart by content: a plain pickle (NVIDIA's `persistence`, with torch streams nested in it),
torch's legacy stream and torch's zip. All run on `PickleMachine`, with the allow-list that the family hands in.

>>> checkpoint = unpickle(path, {**PERSISTENCE, **stubs("training.triplane.OSGDecoder")})
"""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import CheckpointError, UnsafePickle
from .pickle_builders import BASE, Storage, plain_dict, storage_of, storage_type, stubs
from .pickle_machine import Allowed, Builder, PickleMachine
from .pickle_opcodes import run
from .pickle_values import Budget, Global, Limits, Stub

__all__ = ["BASE", "PERSISTENCE", "Limits", "Stub", "UnsafePickle", "module_tensors", "stubs", "unpickle"]

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of torch's legacy stream
LEGACY_PROTOCOL = 1001
DEFAULT_LIMITS = Limits()
ZIP_MAGIC = b"PK\x03\x04"
MOST_MODULES = 20_000
DEEPEST_MODULE = 40


def is_pickle_with(path: Path, *names: bytes) -> bool:
    """Whether a file is a pickle (protocol 2 or newer) in which every one of `names` stands somewhere. Reads no more
    than bytes: what sniffing needs of a file that nobody has checked yet."""
    with open(path, "rb") as file:
        if file.read(1) != b"\x80":  # every pickle since protocol 2 starts so
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return all(data.find(name) >= 0 for name in names)


def unpickle(path: str | Path, allowed: Allowed, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Reads the object in a pickled checkpoint; modules come back as `Stub`s, tensors on the CPU.

    Args:
        path: the file.
        allowed: what the family needs beyond `BASE`: builders by global name, see `stubs` and `PERSISTENCE`.
        limits: refuse anything larger.

    Raises:
        UnsafePickle: it names something that is not allowed; nothing was run.
        CheckpointError: missing, damaged, cut short, or too large.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise CheckpointError(f"{path.name} has {size} bytes; more than {limits.file_bytes} are refused")
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return unpickle_bytes(data, allowed, limits)
    except UnsafePickle as error:
        raise UnsafePickle(f"{path.name}: {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


def unpickle_bytes(data: bytes, allowed: Allowed, limits: Limits = DEFAULT_LIMITS) -> Any:
    """`unpickle` for bytes in memory."""
    if not data:
        raise CheckpointError("the file is empty; fetch it again")
    merged = {**BASE, **allowed}
    if data[:4] == ZIP_MAGIC:
        return _read_zip(data, merged, limits)
    machine = PickleMachine(memoryview(data), merged, limits)
    found = run(machine)
    if isinstance(found, int) and found == LEGACY_MAGIC:
        return _read_legacy(machine)
    return found


def module_tensors(module: Stub) -> Iterator[tuple[str, Tensor]]:
    """All parameters and buffers of a module's stub and its children, with dotted names, as `state_dict` names them.

    Raises:
        CheckpointError: the stub is no module, or its tree is unreasonably deep or wide.
    """
    pending: list[tuple[str, Any, int]] = [("", module, 0)]
    seen = 0
    while pending:
        prefix, node, depth = pending.pop()
        seen += 1
        if depth > DEEPEST_MODULE or seen > MOST_MODULES:
            raise CheckpointError("the module tree in the file is deeper or wider than any real network's; refused")
        if node is None:
            continue
        if not isinstance(node, Stub):
            found = type(node).__name__
            raise CheckpointError(f"{prefix.rstrip('.') or 'the network'} is a {found}, expected a module")
        # Buffers that were registered as not persistent would be missing from a state dict; nothing here minds them.
        for group in ("_parameters", "_buffers"):
            for name, value in _children(node, group):
                if isinstance(value, Tensor):
                    yield prefix + name, value
        pending.extend((f"{prefix}{name}.", child, depth + 1) for name, child in _children(node, "_modules"))


def _children(node: Stub, group: str) -> list[tuple[str, Any]]:
    held = node.state.get(group, {})
    if not isinstance(held, dict) or not all(isinstance(name, str) for name in held):
        raise CheckpointError(f"{group} of {node.name} is not a dictionary of names; the file is damaged")
    return list(held.items())


def _persistent_object(machine: PickleMachine, meta: Any) -> Stub:
    """NVIDIA's persistent classes carry their source text in `module_src`; it is dropped unread."""
    if not isinstance(meta, dict) or meta.get("type") != "class" or not isinstance(meta.get("class_name"), str):
        raise machine.damaged("a persistent object lacks its type or class name")
    made = Stub(meta["class_name"])
    made.set_state(machine, meta.get("state"))
    return made


def _nested_stream(machine: PickleMachine, raw: Any) -> Any:
    """`torch.storage._load_from_bytes`: a legacy stream inside a byte string, commonly one storage."""
    if not isinstance(raw, bytes):
        raise machine.damaged("a nested torch stream is not a byte string")
    if machine.depth >= machine.limits.streams:
        raise machine.damaged(f"streams nested deeper than {machine.limits.streams}")
    inner = PickleMachine(
        memoryview(raw), machine.allowed, machine.limits, budget=machine.budget, depth=machine.depth + 1
    )
    if run(inner) != LEGACY_MAGIC:
        raise machine.damaged("a nested torch stream has no torch header")
    return _read_legacy(inner)


PERSISTENCE: dict[str, Builder] = {
    "dnnlib.util.EasyDict": plain_dict,
    "torch.storage._load_from_bytes": _nested_stream,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent_object,
}
"""What every pickle of NVIDIA's StyleGAN line needs."""


def _storage_id(machine: PickleMachine, identifier: Any) -> tuple[Global, str, int]:
    """('storage', class, key, device, count[, view]) -> class, key, count."""
    if not isinstance(identifier, tuple) or len(identifier) < 5 or identifier[0] != "storage":
        raise machine.damaged("a reference is not to a tensor's storage")
    _, kind, key, _, numel, *rest = identifier
    if not isinstance(key, str) or not isinstance(numel, int) or not 0 <= numel < 1 << 48:
        raise machine.damaged("a storage's key or count is malformed")
    if rest and rest[0] is not None:
        raise machine.damaged("a view of a storage, as torch wrote before 0.4")
    return kind, key, numel


def _read_legacy(machine: PickleMachine) -> Any:
    """The rest of a legacy stream: version, system, object, storage keys, then count and numbers of each storage."""
    storages: dict[str, Storage] = {}

    def persistent_load(identifier: Any) -> Any:
        if isinstance(identifier, tuple) and len(identifier) == 4 and identifier[0] == "module":
            return identifier[1]  # a class with its source text, which is dropped unread
        kind, key, numel = _storage_id(machine, identifier)
        dtype = storage_type(machine, kind)
        held = storages.get(key)
        if held is None:
            nbytes = numel * dtype.itemsize
            # The numbers follow later in this very stream, so they must fit in what is left of it.
            if nbytes > len(machine.data) - machine.position:
                raise machine.damaged(f"a tensor of {nbytes} bytes is announced but the file ends before")
            machine.charge(nbytes)
            held = storages[key] = Storage(torch.empty(numel, dtype=dtype))  # filled below, or the file is refused
        elif held.data.dtype != dtype or held.data.numel() != numel:
            raise machine.damaged(f"storage {key!r} is described in two ways")
        return held

    if run(machine) != LEGACY_PROTOCOL:
        raise machine.damaged("the torch stream has another version than 1001")
    system = run(machine)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise machine.damaged("the torch stream was not written on a little-endian machine")
    machine.persistent_load = persistent_load
    found = run(machine)
    machine.persistent_load = None
    keys = run(machine)
    if not isinstance(keys, list) or not set(storages) <= {key for key in keys if isinstance(key, str)}:
        raise machine.damaged("numbers of some tensors are missing from the torch stream")
    for key in keys:
        (numel,) = struct.unpack("<q", machine.take(8))
        held = storages.get(key) if isinstance(key, str) else None
        if held is None or held.data.numel() != numel:
            raise machine.damaged(f"storage {key!r} has another length than announced")
        raw = machine.take(numel * held.data.dtype.itemsize)
        if numel:
            held.data.view(torch.uint8).numpy()[:] = np.frombuffer(raw, np.uint8)
    return found


def _read_zip(data: bytes, allowed: Mapping[str, Builder], limits: Limits) -> Any:
    """torch's zip: `<name>/data.pkl` and one member a storage, all stored uncompressed."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, struct.error, NotImplementedError) as error:
        raise CheckpointError(f"damaged zip container ({error}); fetch the file again") from error
    with archive:
        members = {info.filename: info for info in archive.infolist()}
        for info in members.values():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise CheckpointError(
                    f"zip member {info.filename[:80]!r} is compressed ({info.compress_size} bytes for "
                    f"{info.file_size}); torch never writes that, and it may unpack to anything. "
                    "Save it again with torch.save"
                )
        if sum(info.file_size for info in members.values()) > len(data):
            raise CheckpointError("zip members overlap: together they are larger than the file; refused")
        pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CheckpointError(f"a zip with {len(pickles)} members named data.pkl; torch.save writes one")
        root = pickles[0].removesuffix("data.pkl")

        def member(name: str) -> bytes:
            try:
                return archive.read(members[root + name])
            except KeyError as error:
                raise CheckpointError(f"member {root + name!r} is missing from the zip; fetch it again") from error
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, OSError) as error:
                raise CheckpointError(f"member {root + name!r} of the zip is damaged ({error})") from error

        if root + "byteorder" in members and member("byteorder") != b"little":
            raise CheckpointError("the file was not written on a little-endian machine; save it again on one")
        storages: dict[str, Storage] = {}
        machine = PickleMachine(
            memoryview(member("data.pkl")), allowed, limits, budget=Budget(len(data), limits.opcodes)
        )

        def persistent_load(identifier: Any) -> Any:
            kind, key, numel = _storage_id(machine, identifier)
            dtype = storage_type(machine, kind)
            if key not in storages:
                raw = member(f"data/{key}")
                if len(raw) != numel * dtype.itemsize:
                    raise machine.damaged(f"storage {key!r} has {len(raw)} bytes, {numel} numbers of {dtype} announced")
                machine.charge(len(raw))
                storages[key] = storage_of(memoryview(raw), dtype, numel)
            held = storages[key]
            if held.data.dtype != dtype or held.data.numel() != numel:
                raise machine.damaged(f"storage {key!r} is described in two ways")
            return held

        machine.persistent_load = persistent_load
        return run(machine)
