"""3 x 3 convolutions of one picture on CPUs by Winograd's minimal filtering F(4 x 4, 3 x 3): a quarter of the products.

    Y = A^T [(G g G^T) * (B^T d B)] A                        (Lavin and Gray 2016, eq. 8 and section 4.3)

A tile of 4 x 4 outputs takes 36 products for each pair of channels in place of 144. Between the transforms, which are
said with vectors of channels, stand 36 matrix products. In float32 it errs by 1e-5 of the values.

StyleGAN2's up-sampling layers, a transposed convolution and a low-pass, are convolutions as well: one with its own
3 x 3 filters for each of the four pixels that a pixel becomes (`phases`). Composed they would multiply four times as
much; by minimal filtering they multiply as often as before, and the low-pass is free.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .lanes import LANES
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
_NOTHING, _FIRST = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

PAIR = 2 * LANES
"""Outputs of a matrix product that are computed together, for `_TILES` tiles: sixteen registers of sums, which are fed
by ten reads a step (`siren_lanes.py`)."""
_TILES = 8

UNLIMITED = np.float32(3e38)
"""The limit of what has none."""


def transformed(weight: np.ndarray) -> np.ndarray:
    """Filters [O, I, 3, 3] as `convolve` takes them: [36, O / 32, I, 32], zeros where O has ended."""
    outputs, inputs = weight.shape[:2]
    rows = _FILTER @ weight.astype(np.float64) @ _FILTER.T  # [O, I, 6, 6]
    products = np.zeros((36, -(-outputs // PAIR) * PAIR, inputs), np.float32)
    products[:, :outputs] = rows.transpose(2, 3, 0, 1).reshape(36, outputs, inputs)
    return np.ascontiguousarray(products.reshape(36, -1, PAIR, inputs).transpose(0, 1, 3, 2))


def phases(weight: np.ndarray, low_pass: np.ndarray) -> np.ndarray:
    """Filters [4 O, I, 3, 3] of a transposed convolution of stride 2 and the low-pass behind it, one set a phase.

    The pixel in row 2 i + a and column 2 j + b is that in row i and column j of the convolution with set 2 a + b, zeros
    around: filter[u, v] = sum over k, l of low_pass[k, l] weight[2 (1 - u) + a - 1 + k, 2 (1 - v) + b - 1 + l].

    Args:
        weight: [I, O, 3, 3], as `conv_transpose2d` takes it.
        low_pass: [4, 4], which `conv2d` applies with one zero around.
    """
    spread = np.zeros((2, 3, 3, 4))  # phase, tap, weight's, low-pass's
    for phase in range(2):
        for tap in range(3):
            for k in range(4):
                row = 2 * (1 - tap) + phase - 1 + k
                if 0 <= row < 3:
                    spread[phase, tap, row, k] = 1.0
    sets = np.einsum("aurk,bvsl,kl,iors->aboiuv", spread, spread, low_pass, weight.astype(np.float64), optimize=True)
    return sets.reshape(-1, *sets.shape[3:])


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
    limit: Any,
    target: Any,
    at: Any,
    row: Any,
    column: Any,
) -> Any:
    """target[at + i row + j column :] = clamp(leaky(bias[group :] + (A^T m A)[i, j])), m[i, j] = source[start +
    (6 i + j) step :]; all arrays flat, float32, `slope` of what is negative between 0 and 1, within +-`limit`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, added, write = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data for n in (0, 3, 7)
        )
        _, first, apart, _, channel, steep, most, _, to, down, across = arguments

        def product(k: int) -> Any:
            where = builder.add(first, builder.mul(apart, _INDEX(k)))
            return builder.load(_line(builder, read, where), align=4)

        leak, top = (
            builder.shuffle_vector(builder.insert_element(_NOTHING, n, ir.IntType(32)(0)), _NOTHING, _FIRST)
            for n in (steep, most)
        )
        bottom = builder.fsub(ir.Constant(_VECTOR, [0.0] * LANES), top)
        shift = builder.load(_line(builder, added, channel), align=4)
        for i, line in enumerate(
            _both_sides(builder, _OUTPUT, [[product(6 * i + j) for j in range(6)] for i in range(6)])
        ):
            for j, value in enumerate(line):
                value = builder.fadd(value, shift)
                small = builder.fmul(value, leak)
                value = builder.select(builder.fcmp_ordered(">", value, small), value, small)
                value = builder.select(builder.fcmp_ordered("<", value, top), value, top)
                value = builder.select(builder.fcmp_ordered(">", value, bottom), value, bottom)
                where = builder.add(to, builder.add(builder.mul(down, _INDEX(i)), builder.mul(across, _INDEX(j))))
                builder.store(value, _line(builder, write, where), align=4)
        return context.get_dummy_value()

    return types.void(source, start, step, bias, group, slope, limit, target, at, row, column), build


@intrinsic
def _multiply(_: Any, tiles: Any, filters: Any, out: Any) -> Any:
    """out = tiles filters: [T, I] by [I, PAIR], T a multiple of 8; float32, contiguous."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [context.make_array(t)(context, builder, a) for t, a in zip(signature.args, arguments, strict=True)]
        read, factors, write = (array.data for array in arrays)
        count, inputs = cgutils.unpack_tuple(builder, arrays[0].shape)

        def at(row: Any, half: int) -> Any:
            return builder.add(builder.mul(row, _INDEX(PAIR)), _INDEX(half * LANES))

        def spread(where: Any) -> Any:
            one = builder.insert_element(_NOTHING, builder.load(builder.gep(read, [where])), ir.IntType(32)(0))
            return builder.shuffle_vector(one, _NOTHING, _FIRST)

        with cgutils.for_range_slice(builder, _INDEX(0), count, _INDEX(_TILES), intp=_INDEX) as (first, _):
            rows = [builder.add(first, _INDEX(k)) for k in range(_TILES)]
            starts = [builder.mul(row, inputs) for row in rows]
            sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(2)] for _ in rows]
            for halves in sums:
                for total in halves:
                    builder.store(ir.Constant(_VECTOR, [0.0] * LANES), total)
            with cgutils.for_range(builder, inputs, intp=_INDEX) as loop:
                values = [builder.load(_line(builder, factors, at(loop.index, half)), align=4) for half in range(2)]
                for start, halves in zip(starts, sums, strict=True):
                    tile = spread(builder.add(start, loop.index))
                    for value, total in zip(values, halves, strict=True):
                        product = builder.fmul(tile, value, flags=["fast"])
                        builder.store(builder.fadd(builder.load(total), product, flags=["fast"]), total)
            for row, halves in zip(rows, sums, strict=True):
                for half, total in enumerate(halves):
                    builder.store(builder.load(total), _line(builder, write, at(row, half)), align=4)
        return context.get_dummy_value()

    return types.void(tiles, filters, out), build


@njit_parallel
def convolve(x, filters, bias, slope, limit, tasks, out):
    """out = clamp(leaky(bias + x * w)), zeros around x.

    Args:
        x: [H, W, I] float32; H a multiple of 4, W of 32, I of `LANES`.
        filters: from `transformed`; of `phases` where `out` is twice as large.
        bias: [O], O a multiple of `LANES`.
        slope: of what is negative.
        limit: largest absolute value.
        tasks: parts of the picture; enough for the threads to end together, and few, as each takes fresh memory.
        out: [H, W, O] or [2 H, 2 W, O], is written.
    """
    height, width, count = x.shape
    outputs, across = len(bias), width // 4
    up, row = out.shape[0] // height, out.shape[1] * outputs
    each, bands, pairs = outputs // LANES, height // 4, filters.shape[1]
    flat = out.ravel()
    for task in numba.prange(tasks):
        rows = np.zeros((6, width + 2, count), np.float32)
        tiles = np.empty((36, across, count), np.float32)
        products = np.empty((pairs, 36, across, PAIR), np.float32)
        source, target, results = rows.ravel(), tiles.ravel(), products.ravel()
        for band in range(task * bands // tasks, (task + 1) * bands // tasks):
            for i in range(6):
                line = 4 * band + i - 1
                if line >= 0 and line < height:
                    rows[i, 1 : width + 1] = x[line]
                else:
                    rows[i] = np.float32(0.0)
            for tile in range(across):
                for channel in range(0, count, LANES):
                    start = 4 * tile * count + channel
                    _take(source, start, (width + 2) * count, count, target, tile * count + channel, across * count)  # pyright: ignore[reportCallIssue]
            for k in range(36):
                for pair in range(pairs):
                    _multiply(tiles[k], filters[k, pair], products[pair, k])  # pyright: ignore[reportCallIssue]
            for group in range(up * up * each):
                phase, channel = group // each, group % each * LANES
                corner = (4 * up * band + phase // up) * row + phase % up * outputs + channel
                for tile in range(across):
                    start = ((group // 2 * 36) * across + tile) * PAIR + group % 2 * LANES
                    at = corner + 4 * up * tile * outputs
                    _give(results, start, across * PAIR, bias, channel, slope, limit, flat, at, up * row, up * outputs)  # pyright: ignore[reportCallIssue]


def warm_up() -> None:
    """Compiles the loop, or loads it from the cache."""
    filters = transformed(np.zeros((LANES, LANES, 3, 3)))
    picture, bias = np.zeros((4, 32, LANES), np.float32), np.zeros(LANES, np.float32)
    with kernel_threads(1):
        convolve(picture, filters, bias, np.float32(0.2), UNLIMITED, 1, np.empty_like(picture))
