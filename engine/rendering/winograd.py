"""3 x 3 convolutions of one picture on CPUs by Winograd's minimal filtering F(4 x 4, 3 x 3): a quarter of the products.

    Y = A^T [(G g G^T) * (B^T d B)] A                        (Lavin and Gray 2016, eq. 8 and section 4.3)

A tile of 4 x 4 outputs takes 36 products for each pair of channels in place of 144. Between the transforms, which are
said with vectors of channels, stand 36 matrix products. In float32 it errs by 1e-5 of the values. On one core with
AVX-512, 256 channels at 256 x 256 take 168 ms in place of oneDNN's 355, 128 at 512 x 512 163 in place of 333.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .lanes import LANES, affine_by_eight
from .numba_setup import kernel_threads, njit_parallel

_FILTER = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
"""G"""
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
"""B^T"""
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
"""A^T"""

_VECTOR, _INDEX = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)


def transformed(weight: np.ndarray) -> np.ndarray:
    """Filters [O, I, 3, 3] as `convolve` takes them: [36, O / 16, I, 16]; O a multiple of `LANES`."""
    products = np.einsum("ai,oxij,bj->abxo", _FILTER, weight.astype(np.float64), _FILTER).astype(np.float32)
    inputs, outputs = products.shape[2:]
    return np.ascontiguousarray(products.reshape(36, inputs, outputs // LANES, LANES).transpose(0, 2, 1, 3))


def _line(builder: Any, data: Any, at: Any) -> Any:
    return builder.bitcast(builder.gep(data, [at]), _VECTOR.as_pointer())


def _product(builder: Any, matrix: Any, vectors: Any) -> list[Any]:
    """matrix [R, N] of small constants times N vectors: R vectors."""
    rows = []
    for row in matrix:
        total: Any = None
        for factor, vector in zip(row, vectors, strict=True):
            if factor:
                scaled = ir.Constant(_VECTOR, [float(factor)] * LANES)
                term = vector if factor == 1 else builder.fmul(scaled, vector, flags=["fast"])
                total = term if total is None else builder.fadd(total, term, flags=["fast"])
        rows.append(total)
    return rows


def _both_sides(builder: Any, matrix: Any, values: list[list[Any]]) -> list[list[Any]]:
    """matrix values matrix^T, of vectors."""
    columns = [_product(builder, matrix, column) for column in zip(*values, strict=True)]
    return [_product(builder, matrix, row) for row in zip(*columns, strict=True)]


@intrinsic
def _take(_: Any, source: Any, start: Any, row: Any, column: Any, target: Any, at: Any, step: Any) -> Any:
    """target[at + (6 i + j) step :] = (B^T d B)[i, j] of sixteen channels.

    d[i, j] is source[start + i row + j column :]; both arrays are flat, float32.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, write = (context.make_array(signature.args[n])(context, builder, arguments[n]).data for n in (0, 4))
        _, first, down, across, _, to, apart = arguments

        def position(i: int, j: int) -> Any:
            return builder.add(first, builder.add(builder.mul(down, _INDEX(i)), builder.mul(across, _INDEX(j))))

        tile = [[builder.load(_line(builder, read, position(i, j)), align=4) for j in range(6)] for i in range(6)]
        values = [value for line in _both_sides(builder, _INPUT, tile) for value in line]
        for k, value in enumerate(values):
            where = builder.add(to, builder.mul(apart, _INDEX(k)))
            builder.store(value, _line(builder, write, where), align=4)
        return context.get_dummy_value()

    return types.void(source, start, row, column, target, at, step), build


@intrinsic
def _give(
    _: Any,
    source: Any,
    start: Any,
    step: Any,
    bias: Any,
    group: Any,
    slope: Any,
    target: Any,
    at: Any,
    row: Any,
    column: Any,
) -> Any:
    """target[at + i row + j column :] = leaky(bias[group :] + (A^T m A)[i, j]), m[i, j] = source[start + (6 i + j) step
    :]; all arrays flat, float32, `slope` of what is negative between 0 and 1."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, added, write = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data for n in (0, 3, 6)
        )
        _, first, apart, _, channel, steep, _, to, down, across = arguments

        def product(k: int) -> Any:
            where = builder.add(first, builder.mul(apart, _INDEX(k)))
            return builder.load(_line(builder, read, where), align=4)

        one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), steep, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        leak = builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), zeros)
        shift = builder.load(_line(builder, added, channel), align=4)
        for i, line in enumerate(
            _both_sides(builder, _OUTPUT, [[product(6 * i + j) for j in range(6)] for i in range(6)])
        ):
            for j, value in enumerate(line):
                value = builder.fadd(value, shift)
                small = builder.fmul(value, leak)
                value = builder.select(builder.fcmp_ordered(">", value, small), value, small)
                where = builder.add(to, builder.add(builder.mul(down, _INDEX(i)), builder.mul(across, _INDEX(j))))
                builder.store(value, _line(builder, write, where), align=4)
        return context.get_dummy_value()

    return types.void(source, start, step, bias, group, slope, target, at, row, column), build


@njit_parallel
def convolve(x, filters, bias, slope, out):
    """out = leaky(bias + x * w), zeros around x.

    Args:
        x: [H, W, I] float32; H a multiple of 4, W of 32, I of `LANES`.
        filters: from `transformed`.
        bias: [O]
        slope: of what is negative.
        out: [H, W, O], is written.
    """
    height, width, count = x.shape
    groups, across = filters.shape[1], width // 4
    outputs = groups * LANES
    flat, zeros = out.ravel(), np.zeros(across, np.float32)
    for band in numba.prange(height // 4):
        rows = np.zeros((6, width + 2, count), np.float32)
        for i in range(6):
            row = 4 * band + i - 1
            if row >= 0 and row < height:
                rows[i, 1 : width + 1] = x[row]
        tiles = np.empty((36, across, count), np.float32)
        products = np.empty((groups, 36, across, LANES), np.float32)
        source, target, results = rows.ravel(), tiles.ravel(), products.ravel()
        for tile in range(across):
            for channel in range(0, count, LANES):
                start = 4 * tile * count + channel
                _take(source, start, (width + 2) * count, count, target, tile * count + channel, across * count)  # pyright: ignore[reportCallIssue]
        for k in range(36):
            for group in range(groups):
                affine_by_eight(tiles[k], zeros, filters[k, group], products[group, k])  # pyright: ignore[reportCallIssue]
        for group in range(groups):
            for tile in range(across):
                start, channel = (group * 36 * across + tile) * LANES, group * LANES
                at = (4 * band * width + 4 * tile) * outputs + channel
                _give(results, start, across * LANES, bias, channel, slope, flat, at, width * outputs, outputs)  # pyright: ignore[reportCallIssue]


def warm_up() -> None:
    """Compiles the loop, or loads it from the cache."""
    filters = transformed(np.zeros((LANES, LANES, 3, 3)))
    picture, bias = np.zeros((4, 32, LANES), np.float32), np.zeros(LANES, np.float32)
    with kernel_threads(1):
        convolve(picture, filters, bias, np.float32(0.2), np.empty_like(picture))
