"""Maps as bytes: each in the smallest numbers that keep what a painter can see of it, NaN and infinity included.

| code | used for | exact to |
|---|---|---|
| f16 | depths, heights, motion, phases of facades | 0.05 %: motion below 32 pixels to 0.008 |
| u16, wrapped | the ground of a world that repeats itself | half of period / 65535 (3.4 mm in the town) |
| i8 | normals | 0.004 |
| u8 | shadow | 0.002 |
| u8, u16 as they are | labels, photo, instances | all |
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from . import service_pb2 as pb
from .simulator import EngineError

_DTYPES: dict[int, np.dtype] = {
    pb.U8: np.dtype(np.uint8),
    pb.I8: np.dtype(np.int8),
    pb.U16: np.dtype("<u2"),
    pb.F16: np.dtype("<f2"),
    pb.F32: np.dtype("<f4"),
}


class ProtocolError(EngineError):
    """The other side sent what it may not: the message says what, and what was expected."""


def whole(array: NDArray[np.integer]) -> pb.Plane:
    """A map of uint8 or uint16 as it is."""
    kind = pb.U8 if array.dtype.itemsize == 1 else pb.U16
    return pb.Plane(data=array.astype(_DTYPES[kind], copy=False).tobytes(), type=kind)


def half(array: NDArray[np.float32]) -> pb.Plane:
    """In half precision: 11 bits of every number from 6e-5 to 65504; more becomes infinite."""
    with np.errstate(over="ignore"):
        return pb.Plane(data=array.astype("<f2").tobytes(), type=pb.F16)


def single(array: NDArray[np.float32]) -> pb.Plane:
    """As it is."""
    return pb.Plane(data=array.astype("<f4", copy=False).tobytes(), type=pb.F32)


def signed_unit(array: NDArray[np.float32]) -> pb.Plane:
    """Numbers of -1..1, or NaN, in eight bits; what lies outside is clipped."""
    codes = np.multiply(array, 127.0, dtype=np.float32)
    np.rint(codes, out=codes)
    np.clip(codes, -127, 127, out=codes)
    np.fmax(codes, -128, out=codes)  # of a number and NaN it takes the number
    return pb.Plane(data=codes.astype(np.int8).tobytes(), type=pb.I8, scale=1 / 127, nan_code=True)


def unit(array: NDArray[np.float32]) -> pb.Plane:
    """Numbers of 0..1, or NaN, in eight bits; what lies outside is clipped."""
    codes = np.multiply(array, 254.0, dtype=np.float32)
    np.rint(codes, out=codes)
    np.clip(codes, 0, 254, out=codes)
    np.fmin(codes, 255, out=codes)
    return pb.Plane(data=codes.astype(np.uint8).tobytes(), type=pb.U8, scale=1 / 254, nan_code=True)


def wrapped(array: NDArray[np.float32], period: float) -> pb.Plane:
    """Numbers modulo `period`, or NaN, in 16 bits: what comes out lies in 0..period."""
    turns = np.multiply(array, 1 / period, dtype=np.float32)
    turns -= np.floor(turns)
    turns *= 65535
    np.floor(turns, out=turns)
    np.minimum(turns, 65534, out=turns)  # a hair below a whole turn may round to one
    with np.errstate(invalid="ignore"):
        np.fmin(turns, 65535, out=turns)
    step = period / 65535
    data = turns.astype("<u2").tobytes()
    return pb.Plane(data=data, type=pb.U16, scale=step, offset=step / 2, nan_code=True)


def opened(plane: pb.Plane, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray:
    """The map of `shape` and `dtype` that a plane holds.

    Args:
        plane: as it came.
        name: what to call it in an error.
        shape: what it must have.
        dtype: np.uint8 and np.uint16 take codes as they are, np.float32 makes values of them.

    Raises:
        ProtocolError: other sizes or another kind of number.
    """
    kind = _DTYPES.get(plane.type)
    if kind is None:
        raise ProtocolError(f"{name} came as numbers of kind {plane.type}; expected one of 0..{len(_DTYPES) - 1}")
    count = int(np.prod(shape))
    if len(plane.data) != count * kind.itemsize:
        raise ProtocolError(
            f"{name} came as {len(plane.data):,} bytes; {' x '.join(map(str, shape))} of {kind.name} "
            f"take {count * kind.itemsize:,}. Engine and viewer disagree about the size of the picture"
        )
    codes = np.frombuffer(plane.data, kind).reshape(shape)
    if dtype is not np.float32:
        if kind != np.dtype(dtype) or plane.scale:
            raise ProtocolError(f"{name} came as {kind.name}; expected {np.dtype(dtype).name} as it is")
        return codes.astype(dtype)  # a copy: protobuf's bytes are read only, and torch warns of such
    if kind.kind == "f":
        return codes.astype(np.float32)
    if not np.isfinite(plane.scale) or not np.isfinite(plane.offset):
        raise ProtocolError(f"{name} has scale {plane.scale} and offset {plane.offset}; expected finite numbers")
    table = _values(plane.type, plane.scale, plane.offset, plane.nan_code)
    return np.take(table, codes.view(np.uint8) if kind.itemsize == 1 else codes)


@functools.lru_cache(maxsize=16)
def _values(kind: int, scale: float, offset: float, nan_code: bool) -> NDArray[np.float32]:
    """What each code stands for, by its bits: one look-up does what would be four passes over a map."""
    codes = np.arange(256 if _DTYPES[kind].itemsize == 1 else 65536)
    if kind == pb.I8:
        codes = codes.astype(np.uint8).view(np.int8)
    values = codes * (scale or 1.0) + offset
    if nan_code:
        values[128 if kind == pb.I8 else -1] = np.nan
    return values.astype(np.float32)
