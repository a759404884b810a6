"""Sixteen numbers at a time: a linear layer as CPU vectors, for numba loops that evaluate small networks.

Numba leaves a loop over lanes inside a loop over inputs to LLVM's vectoriser, which keeps the sums in memory; said
with vectors outright they stay in registers. Measured for 32 -> 64 -> 20 on one core with AVX-512: 65,536 samples in
2.6 ms, 23 ms as loops. Where vectors are shorter LLVM splits these; the code is the same everywhere.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import numba_setup as numba_setup  # chooses the cache's folder before the first kernel is declared

LANES = 16
ROWS = 4
"""Outputs computed at once: their sums, and the inputs they share, fill registers without spilling them."""

lane_loops = numba.njit(nogil=True, fastmath=True, error_model="numpy")
"""For functions that are called by kernels: compiled into them."""

_FLOAT, _INDEX = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_NOTHING = ir.Constant(_VECTOR, ir.Undefined)
_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)


def _affine(together: int) -> Any:
    """How `affine` is said, with so many outputs computed at once."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [context.make_array(t)(context, builder, a) for t, a in zip(signature.args, arguments, strict=True)]
        w, b, inputs, outputs = (array.data for array in arrays)
        count, depth = cgutils.unpack_tuple(builder, arrays[0].shape)

        def line(start: Any, row: Any) -> Any:
            return builder.bitcast(builder.gep(start, [builder.mul(row, _INDEX(LANES))]), _VECTOR.as_pointer())

        def spread(address: Any) -> Any:
            one = builder.insert_element(_NOTHING, builder.load(address), ir.IntType(32)(0))
            return builder.shuffle_vector(one, _NOTHING, _FIRST)

        with cgutils.for_range_slice(builder, _INDEX(0), count, _INDEX(together), intp=_INDEX) as (first, _):
            rows = [builder.add(first, _INDEX(k)) for k in range(together)]
            sums = [cgutils.alloca_once(builder, _VECTOR) for _ in rows]
            for row, total in zip(rows, sums, strict=True):
                builder.store(spread(builder.gep(b, [row])), total)
            with cgutils.for_range(builder, depth, intp=_INDEX) as loop:
                value = builder.load(line(inputs, loop.index), align=4)
                for row, total in zip(rows, sums, strict=True):
                    weight = spread(builder.gep(w, [builder.add(builder.mul(row, depth), loop.index)]))
                    product = builder.fmul(weight, value, flags=["fast"])
                    builder.store(builder.fadd(builder.load(total), product, flags=["fast"]), total)
            for row, total in zip(rows, sums, strict=True):
                builder.store(builder.load(total), line(outputs, row), align=4)
        return context.get_dummy_value()

    return build


@intrinsic
def affine(_: Any, weights: Any, bias: Any, x: Any, out: Any) -> Any:
    """out[o, :] = bias[o] + sum over i of weights[o, i] x[i, :].

    Args:
        weights: [O, I] float32, contiguous, O a multiple of `ROWS`.
        bias: [O] float32, contiguous.
        x: [at least I, LANES] float32, contiguous.
        out: [at least O, LANES] float32, contiguous, shares no memory with x.
    """
    return types.void(weights, bias, x, out), _affine(ROWS)


@intrinsic
def affine_by_eight(_: Any, weights: Any, bias: Any, x: Any, out: Any) -> Any:
    """As `affine`, O a multiple of 8: half as quick again where registers hold 16 numbers and O is large."""
    return types.void(weights, bias, x, out), _affine(8)


@intrinsic
def affine_of_rows(_: Any, x: Any, weights: Any, bias: Any, out: Any) -> Any:
    """out[n, :] = bias + x[n] weights, of `LANES` rows; the quicker of the two, for layers of more than a few outputs.

    Eight rows of 32 outputs fill sixteen registers with sums, which are fed by ten reads a step. Measured for 32 -> 64:
    260 GFLOP/s on one core with AVX-512, where `affine` has 150.

    Args:
        x: [LANES, I] float32, contiguous.
        weights: [I, O] float32, contiguous, O a multiple of `LANES`.
        bias: [O] float32, contiguous.
        out: [LANES, O] float32, contiguous, shares no memory with x.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [context.make_array(t)(context, builder, a) for t, a in zip(signature.args, arguments, strict=True)]
        read, factors, added, write = (array.data for array in arrays)
        inputs, outputs = cgutils.unpack_tuple(builder, arrays[1].shape)

        def line(start: Any, at: Any) -> Any:
            return builder.bitcast(builder.gep(start, [at]), _VECTOR.as_pointer())

        def block(first: int, rows: int, column: Any, vectors: int) -> None:
            """Rows from `first` on, outputs from `column` on."""
            columns = [builder.add(column, _INDEX(LANES * k)) for k in range(vectors)]
            sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in columns] for _ in range(rows)]
            for k, where in enumerate(columns):
                start = builder.load(line(added, where), align=4)
                for parts in sums:
                    builder.store(start, parts[k])
            with cgutils.for_range(builder, inputs, intp=_INDEX) as loop:
                begin = builder.mul(loop.index, outputs)
                values = [builder.load(line(factors, builder.add(begin, where)), align=4) for where in columns]
                for row, parts in enumerate(sums):
                    at = builder.add(builder.mul(inputs, _INDEX(first + row)), loop.index)
                    one = builder.insert_element(_NOTHING, builder.load(builder.gep(read, [at])), ir.IntType(32)(0))
                    factor = builder.shuffle_vector(one, _NOTHING, _FIRST)
                    for value, total in zip(values, parts, strict=True):
                        product = builder.fmul(factor, value, flags=["fast"])
                        builder.store(builder.fadd(builder.load(total), product, flags=["fast"]), total)
            for row, parts in enumerate(sums):
                begin = builder.mul(outputs, _INDEX(first + row))
                for where, total in zip(columns, parts, strict=True):
                    builder.store(builder.load(total), line(write, builder.add(begin, where)), align=4)

        pair = _INDEX(2 * LANES)
        whole = builder.mul(builder.sdiv(outputs, pair), pair)
        with cgutils.for_range_slice(builder, _INDEX(0), whole, pair, intp=_INDEX) as (column, _):
            for first in range(0, LANES, 8):
                block(first, 8, column, 2)
        with cgutils.for_range_slice(builder, whole, outputs, _INDEX(LANES), intp=_INDEX) as (column, _):
            block(0, LANES, column, 1)
        return context.get_dummy_value()

    return types.void(x, weights, bias, out), build


@intrinsic
def blend(context: Any, flat: Any, corners: Any, shares: Any, into: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """into[:] += sum over k of shares[k] flat[corners[k] : corners[k] + len(into)], numbers by `LANES`.

    A loop over channels, whose number the compiler does not know, it unrolls for hundreds and runs one by one for 32.

    Args:
        flat: float32, contiguous, 1-D.
        corners: tuple of integers, where neighbours' channels start.
        shares: tuple of float32, as many.
        into: [C] float32, contiguous, C a multiple of `LANES`; shares no memory with `flat`.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        target = context.make_array(signature.args[3])(context, builder, arguments[3])
        starts = [
            context.cast(builder, index, kind, types.intp)
            for index, kind in zip(cgutils.unpack_tuple(builder, arguments[1]), list(signature.args[1]), strict=True)
        ]
        weights = []
        for share in cgutils.unpack_tuple(builder, arguments[2]):
            one = builder.insert_element(_NOTHING, share, ir.IntType(32)(0))
            weights.append(builder.shuffle_vector(one, _NOTHING, _FIRST))
        (size,) = cgutils.unpack_tuple(builder, target.shape)

        def line(start: Any, at: Any) -> Any:
            return builder.bitcast(builder.gep(start, [at]), _VECTOR.as_pointer())

        with cgutils.for_range_slice(builder, _INDEX(0), size, _INDEX(LANES), intp=_INDEX) as (first, _):
            total = ir.Constant(_VECTOR, [0.0] * LANES)
            for start, weight in zip(starts, weights, strict=True):
                value = builder.load(line(source.data, builder.add(start, first)), align=4)
                total = builder.fadd(total, builder.fmul(weight, value, flags=["fast"]), flags=["fast"])
            total = builder.fadd(builder.load(line(target.data, first), align=4), total)
            builder.store(total, line(target.data, first), align=4)
        return context.get_dummy_value()

    return types.void(flat, corners, shares, into), build


@intrinsic
def float_of(context: Any, bits: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The float32 that has these bits (int32)."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _FLOAT)

    return types.float32(types.int32), build
