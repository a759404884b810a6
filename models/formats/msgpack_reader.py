"""Reads the wanted parts of a MessagePack document without building the rest, and never more than was allowed for.

Python objects are up to sixty times as large as what they are packed in, so a document is walked first: parts that
nobody asked for (an optimiser's state) are skipped, metadata must be short, and only byte strings may be long.
Extension types, which would be decoded by code, are refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

from ..errors import CheckpointError

LARGEST_FILE = 4 << 30
LARGEST_DOCUMENT = 8 << 30
LONGEST_METADATA = 16 << 20
MOST_KEYS = 4096
# What a compressed file may grow to: its numbers hardly shrink, an empty density grid (34 MB at the most) nearly to 0.
_GROWTH, _SLACK = 16, 256 << 20
_STEP = 1 << 24
_GZIP, _ZLIB = b"\x1f\x8b", b"\x78"


def beginning(path: Path | str, size: int) -> bytes:
    """The first `size` bytes of a document, decompressed when the file is zlib's or gzip's; fewer when it is short."""
    with open(path, "rb") as file:
        head = file.read(size)
    if not _compressed(head):
        return head
    try:
        return zlib.decompressobj(wbits=47).decompress(head, size)  # 47: zlib or gzip, whichever it is
    except zlib.error:
        return b""


def document(path: Path) -> bytes:
    """A whole document, decompressed.

    Raises:
        CheckpointError: it cannot be read, is damaged, or is larger than such files are.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CheckpointError(f"{path.name} has more than {LARGEST_FILE} bytes; refused.")
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if not _compressed(data):
        return data
    limit = min(_GROWTH * len(data) + _SLACK, LARGEST_DOCUMENT)
    machine, parts, total = zlib.decompressobj(wbits=47), [], 0
    try:
        while not machine.eof:
            part = machine.decompress(data, _STEP)
            data = machine.unconsumed_tail
            total += len(part)
            if total > limit:
                raise CheckpointError(f"{path.name} unpacks to more than {limit} bytes; no snapshot does. Refused.")
            if not part and not data:
                raise CheckpointError(f"{path.name} is cut short; copy or download it again.")
            parts.append(part)
    except zlib.error as error:
        raise CheckpointError(f"{path.name} is damaged ({error}); copy or download it again.") from error
    return b"".join(parts)


def sections(data: bytes | memoryview, where: str) -> Iterator[tuple[str, memoryview]]:
    """Keys of a map and their still packed values, one after another.

    Args:
        data: a packed map.
        where: what to call it in errors.

    Raises:
        CheckpointError: it is no map with text keys, is damaged, or has far too many keys.
    """
    view = memoryview(data)
    try:
        unpacker = _unpacker(len(view))
        unpacker.feed(view)
        count = unpacker.read_map_header()
        if count > MOST_KEYS:
            raise CheckpointError(f"{where} has {count} keys; expected at most {MOST_KEYS}.")
        for _ in range(count):
            start = unpacker.tell()
            unpacker.skip()
            middle = unpacker.tell()
            unpacker.skip()
            key = value(view[start:middle], where)
            if not isinstance(key, str):
                raise CheckpointError(f"{where} has a key that is no text; it is no snapshot.")
            yield key, view[middle : unpacker.tell()]
    except CheckpointError:
        raise
    except (ValueError, TypeError, RecursionError, OverflowError, MemoryError, msgpack.UnpackException) as error:
        raise CheckpointError(f"{where} is damaged or no MessagePack ({str(error)[:80]}); copy it again.") from error


def value(packed: memoryview, where: str) -> Any:
    """What is packed: metadata of bounded length, or a byte string of any.

    Raises:
        CheckpointError: it is too long, damaged, or holds an extension type.
    """
    if len(packed) > LONGEST_METADATA and packed[0] not in (0xC4, 0xC5, 0xC6):  # bin 8, 16, 32
        raise CheckpointError(f"{where} is {len(packed)} bytes long; at most {LONGEST_METADATA} are read.")
    try:
        unpacker = _unpacker(len(packed))
        unpacker.feed(packed)
        return unpacker.unpack()
    except CheckpointError:
        raise
    except (ValueError, TypeError, RecursionError, OverflowError, MemoryError, msgpack.UnpackException) as error:
        raise CheckpointError(f"{where} is damaged or no MessagePack ({str(error)[:80]}); copy it again.") from error


def _unpacker(size: int) -> Any:
    return msgpack.Unpacker(raw=False, strict_map_key=True, ext_hook=_refuse, max_buffer_size=max(size, 1))


def _refuse(code: int, data: bytes) -> Any:
    raise CheckpointError(f"the file holds MessagePack's extension type {code}, which no snapshot does; refused.")


def _compressed(head: bytes) -> bool:
    return head.startswith((_GZIP, _ZLIB))
