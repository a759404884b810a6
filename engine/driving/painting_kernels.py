"""Loops that finish a painter's frame and norm its layers, each in one pass over the pixels, compiled by numba.

They say again what `models.vid2vid_spade` says in torch, which is the readable twin and decides. bfloat16 is the upper
half of a float32; numba has no such number, so it is moved as bits. None of these loops is parallel: they may run on
any thread beside any other, and hold no lock.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..rendering.numba_setup import KEEPING_NAN, njit_serial

inlined = numba.njit(fastmath=KEEPING_NAN, error_model="numpy", nogil=True)


@intrinsic
def float_of(context: Any, bits: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    def bitcast(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), bitcast


@intrinsic
def bits_of(context: Any, number: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    def bitcast(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), bitcast


@inlined
def wide(half):
    """bfloat16's bits as a float32."""
    return float_of(np.uint32(half) << np.uint32(16))  # pyright: ignore[reportCallIssue]


@inlined
def half(number):
    """A finite float32 as bfloat16's bits, rounded to the nearest."""
    bits = bits_of(np.float32(number))  # pyright: ignore[reportCallIssue]
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@njit_serial
def modulate(x, affine, first, made):
    """As `models.painter_folded.modulated`: x and made [pixels, C], affine [pixels, N], all bfloat16's bits."""
    count = x.shape[1]
    one = np.float32(1.0)
    for pixel in range(x.shape[0]):
        here, there = x[pixel], made[pixel]
        scale, shift = affine[pixel, first : first + count], affine[pixel, first + count : first + 2 * count]
        total = np.float32(0.0)
        for c in range(count):
            value = wide(here[c])
            total += value * value
        norm = one / np.sqrt(total / np.float32(count) + np.float32(1e-4))
        for c in range(count):
            value = wide(here[c]) * norm * wide(scale[c]) + wide(shift[c])
            there[c] = half(max(value, value * np.float32(0.2)))


@njit_serial
def in_bytes(signed, unsigned, made):
    """As `models.byte_convolution.to_bytes`; returns scale and zero point.

    Args:
        signed: [N] bfloat16's bits as int16: of numbers above 0 the greatest has the greatest.
        unsigned: the same memory as uint16: the least number below 0 has the greatest of all.
        made: [N] uint8, is written.
    """
    most, least = np.int16(0), np.uint16(0)
    for n in range(signed.size):
        most = signed[n] if signed[n] > most else most
    for n in range(unsigned.size):
        least = unsigned[n] if unsigned[n] > least else least
    low = wide(least) if least > np.uint16(0x8000) else np.float32(0.0)
    scale = (wide(most) - low) / np.float32(255.0)
    if not scale > 0:
        scale = np.float32(1.0)
    zero, inverse = np.floor(np.float32(0.5) - low / scale), np.float32(1.0) / scale
    shift = zero + np.float32(0.5)
    for n in range(unsigned.size):
        value = min(max(wide(unsigned[n]) * inverse + shift, np.float32(0.0)), np.float32(255.0))
        made[n] = np.uint8(np.int32(value))
    return scale, zero


@inlined
def _tanh(x):
    """Eigen's rational approximation, exact to the last bits of a float32."""
    x = min(max(x, np.float32(-7.9)), np.float32(7.9))
    z = x * x
    p = np.float32(-2.76076847742355e-16)
    p = p * z + np.float32(2.00018790482477e-13)
    p = p * z + np.float32(-8.60467152213735e-11)
    p = p * z + np.float32(5.12229709037114e-08)
    p = p * z + np.float32(1.48572235717979e-05)
    p = p * z + np.float32(6.37261928875436e-04)
    p = p * z + np.float32(4.89352455891786e-03)
    q = np.float32(1.19825839466702e-06)
    q = q * z + np.float32(1.18534705686654e-04)
    q = q * z + np.float32(2.26843463243900e-03)
    q = q * z + np.float32(4.89352518554385e-03)
    return x * p / q


@njit_serial
def finish(plain, detail, past, trust, picture, colour):
    """From the network's last sums to the frame.

    Args:
        plain: [h, w, 2, 2, n], bits: of which the first four count.
        detail: [h, w, 2, 2, 4], bits: what is added.
        past: [h, w, 2, 2, 4] float32: the warped picture and where it is valid.
        trust: the greatest part of a pixel that the past may be.
        picture: [3, 2 h, 2 w], -1..1, is written.
        colour: [3, 2 h, 2 w], 0..1, is written.
    """
    height, width = plain.shape[:2]
    row = np.empty((width, 16), np.float32)
    half_of, one = np.float32(0.5), np.float32(1.0)
    for y in range(height):
        for x in range(width):
            for n in range(4):
                for c in range(4):
                    value = wide(plain[y, x, n >> 1, n & 1, c]) + wide(detail[y, x, n >> 1, n & 1, c])
                    row[x, 4 * n + c] = value * half_of if c == 3 else value
        flat = row.reshape(-1)
        for n in range(flat.size):
            flat[n] = _tanh(flat[n])
        for dy in range(2):
            for x in range(width):
                for dx in range(2):
                    at = 8 * dy + 4 * dx
                    mask = (row[x, at + 3] + one) * half_of * past[y, x, dy, dx, 3] * trust
                    for c in range(3):
                        raw = row[x, at + c]
                        value = raw + mask * (past[y, x, dy, dx, c] - raw)
                        value = min(max(value, -one), one)
                        picture[c, 2 * y + dy, 2 * x + dx] = value
                        colour[c, 2 * y + dy, 2 * x + dx] = value * half_of + half_of
