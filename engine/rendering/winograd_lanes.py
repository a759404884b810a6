"""Sixteen channels at a time: what stands around the matrix products of `winograd.py`, said with vectors.

Arrays are flat, float32, but for those of the matrix product.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .lanes import LANES
from .toom_cook import Filtering, Matrix

PAIR = 2 * LANES
"""Outputs of a matrix product that are computed together, for `_TILES` tiles: sixteen registers of sums, which are fed
by ten reads a step (`siren_lanes.py`)."""
_TILES = 8

_VECTOR, _INDEX = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
_NOTHING, _FIRST = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
_ZEROS = ir.Constant(_VECTOR, [0.0] * LANES)


def _array(context: Any, builder: Any, signature: Any, arguments: Any, n: int) -> Any:
    return context.make_array(signature.args[n])(context, builder, arguments[n])


def _line(builder: Any, data: Any, at: Any) -> Any:
    return builder.bitcast(builder.gep(data, [at]), _VECTOR.as_pointer())


def _read(builder: Any, data: Any, at: Any) -> Any:
    return builder.load(_line(builder, data, at), align=4)


def _fetch(builder: Any, data: Any, at: Any, near: int) -> None:
    """Asks for what will be read soon, where that may be no address of ours either; `near`: 3 into the first cache, 2
    into the second."""
    pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    where = builder.bitcast(builder.gep(data, [at]), pointer)
    builder.call(prefetch, [where, number(0), number(near), number(1)])


def _write(builder: Any, value: Any, data: Any, at: Any) -> None:
    builder.store(value, _line(builder, data, at), align=4)


def _spread(builder: Any, number: Any) -> Any:
    one = builder.insert_element(_NOTHING, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, _NOTHING, _FIRST)


def _steps(builder: Any, start: Any, step: Any, count: int) -> list[Any]:
    return [builder.add(start, builder.mul(step, _INDEX(k))) for k in range(count)]


def _product(builder: Any, matrix: Matrix, vectors: Any) -> list[Any]:
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


def _both_sides(builder: Any, matrix: Matrix, values: list[list[Any]]) -> list[list[Any]]:
    """matrix values matrix^T, of vectors."""
    columns = [_product(builder, matrix, column) for column in zip(*values, strict=True)]
    return [_product(builder, matrix, row) for row in zip(*columns, strict=True)]


def _activated(builder: Any, value: Any, shift: Any, slope: Any, limit: Any) -> Any:
    """clamp(leaky(value + shift)); the numbers `slope` and `limit` are said once for many values."""
    value = builder.fadd(value, shift)
    small = builder.fmul(value, slope)
    value = builder.select(builder.fcmp_ordered(">", value, small), value, small)
    value = builder.select(builder.fcmp_ordered("<", value, limit), value, limit)
    bottom = builder.fsub(_ZEROS, limit)
    return builder.select(builder.fcmp_ordered(">", value, bottom), value, bottom)


def taking(algorithm: Filtering, advance: int) -> Any:
    """An intrinsic (source, start, row, column, target, at, step): target[at + (p i + j) step :] = (B^T d B)[i, j] of
    sixteen channels, p the products; d[i, j] is source[start + i row + j column :]. The next tile comes `advance`
    columns later."""

    @intrinsic
    def take(_: Any, source: Any, start: Any, row: Any, column: Any, target: Any, at: Any, step: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            read, write = (_array(context, builder, signature, arguments, n).data for n in (0, 4))
            _, first, down, across, _, to, apart = arguments
            rows = _steps(builder, first, down, algorithm.inputs)
            tile = [[_read(builder, read, p) for p in _steps(builder, r, across, algorithm.inputs)] for r in rows]
            # The next tile's: a processor does not guess reads that come from so many places, and waits for each.
            ahead = [builder.add(r, builder.mul(across, _INDEX(algorithm.inputs))) for r in rows]
            for where in [p for r in ahead for p in _steps(builder, r, across, advance)]:
                _fetch(builder, read, where, 3)
            values = [value for line in _both_sides(builder, algorithm.data, tile) for value in line]
            for value, where in zip(values, _steps(builder, to, apart, len(values)), strict=True):
                _write(builder, value, write, where)
            return context.get_dummy_value()

        return types.void(source, start, row, column, target, at, step), build

    return take


def _outputs(builder: Any, algorithm: Filtering, read: Any, start: Any, step: Any) -> list[list[Any]]:
    """A^T m A, m[i, j] = read[start + (p i + j) step :]."""
    many = algorithm.products
    places = _steps(builder, start, step, many**2)
    values = [[_read(builder, read, places[many * i + j]) for j in range(many)] for i in range(many)]
    return _both_sides(builder, algorithm.output, values)


def _lay(builder: Any, values: list[list[Any]], write: Any, at: Any, row: Any, column: Any) -> None:
    """write[at + i row + j column :] = values[i][j]"""
    for line, first in zip(values, _steps(builder, at, row, len(values)), strict=True):
        for value, where in zip(line, _steps(builder, first, column, len(line)), strict=True):
            _write(builder, value, write, where)


def giving(algorithm: Filtering) -> Any:
    """An intrinsic (source, start, step, target, at, row, column): target[at + i row + j column :] = (A^T m A)[i, j] of
    sixteen channels, m[i, j] = source[start + (p i + j) step :]."""

    @intrinsic
    def give(_: Any, source: Any, start: Any, step: Any, target: Any, at: Any, row: Any, column: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            read, write = (_array(context, builder, signature, arguments, n).data for n in (0, 3))
            _, first, apart, _, to, down, across = arguments
            _lay(builder, _outputs(builder, algorithm, read, first, apart), write, to, down, across)
            return context.get_dummy_value()

        return types.void(source, start, step, target, at, row, column), build

    return give


def giving_activated(algorithm: Filtering) -> Any:
    """As `giving`, (source, start, step, bias, group, slope, limit, target, at, row, column): of clamp(leaky(bias[group
    :] + A^T m A)), `slope` of what is negative between 0 and 1, within +-`limit`."""

    @intrinsic
    def give(
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
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            read, added, write = (_array(context, builder, signature, arguments, n).data for n in (0, 3, 7))
            _, first, apart, _, channel, steep, most, _, to, down, across = arguments
            shift, leak, top = _read(builder, added, channel), _spread(builder, steep), _spread(builder, most)
            values = _outputs(builder, algorithm, read, first, apart)
            values = [[_activated(builder, value, shift, leak, top) for value in line] for line in values]
            _lay(builder, values, write, to, down, across)
            return context.get_dummy_value()

        return types.void(source, start, step, bias, group, slope, limit, target, at, row, column), build

    return give


@intrinsic
def smooth(
    _: Any,
    source: Any,
    start: Any,
    row: Any,
    column: Any,
    low_pass: Any,
    bias: Any,
    group: Any,
    slope: Any,
    limit: Any,
    target: Any,
    at: Any,
) -> Any:
    """target[at :] = clamp(leaky(bias[group :] + s)) of sixteen channels, s = sum over i, j of low_pass[4 i + j]
    source[start + i row + j column :]."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, taps, added, write = (_array(context, builder, signature, arguments, n).data for n in (0, 4, 5, 9))
        _, first, down, across, _, _, channel, steep, most, _, to = arguments
        total = _read(builder, added, channel)
        for i, begin in enumerate(_steps(builder, first, down, 4)):
            part = _ZEROS
            for j, where in enumerate(_steps(builder, begin, across, 4)):
                tap = _spread(builder, builder.load(builder.gep(taps, [_INDEX(4 * i + j)])))
                product = builder.fmul(tap, _read(builder, read, where), flags=["fast"])
                part = builder.fadd(part, product, flags=["contract"])
            total = builder.fadd(total, part)
        leak, top = _spread(builder, steep), _spread(builder, most)
        _write(builder, _activated(builder, total, _ZEROS, leak, top), write, to)
        return context.get_dummy_value()

    return types.void(source, start, row, column, low_pass, bias, group, slope, limit, target, at), build


@intrinsic
def multiply(_: Any, tiles: Any, filters: Any, out: Any) -> Any:
    """out = tiles filters: [T, I] by [I, PAIR], quickest where 8 divides T; contiguous."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [_array(context, builder, signature, arguments, n) for n in range(3)]
        read, factors, write = (array.data for array in arrays)
        count, inputs = cgutils.unpack_tuple(builder, arrays[0].shape)

        def at(row: Any, half: int) -> Any:
            return builder.add(builder.mul(row, _INDEX(PAIR)), _INDEX(half * LANES))

        def block(begin: Any, end: Any, together: int) -> None:
            with cgutils.for_range_slice(builder, begin, end, _INDEX(together), intp=_INDEX) as (first, _):
                rows = [builder.add(first, _INDEX(k)) for k in range(together)]
                starts = [builder.mul(row, inputs) for row in rows]
                sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(2)] for _ in rows]
                for halves in sums:
                    for total in halves:
                        builder.store(_ZEROS, total)
                with cgutils.for_range(builder, inputs, intp=_INDEX) as loop:
                    values = [_read(builder, factors, at(loop.index, half)) for half in range(2)]
                    if together > 1:  # what stands behind these filters is wanted next
                        blocks = builder.add(builder.sdiv(first, _INDEX(together)), _INDEX(2))
                        ahead = builder.add(loop.index, builder.mul(inputs, blocks))
                        _fetch(builder, factors, builder.mul(ahead, _INDEX(LANES)), 2)
                    for start, halves in zip(starts, sums, strict=True):
                        tile = _spread(builder, builder.load(builder.gep(read, [builder.add(start, loop.index)])))
                        for value, total in zip(values, halves, strict=True):
                            product = builder.fmul(tile, value, flags=["fast"])
                            builder.store(builder.fadd(builder.load(total), product, flags=["fast"]), total)
                for row, halves in zip(rows, sums, strict=True):
                    for half, total in enumerate(halves):
                        _write(builder, builder.load(total), write, at(row, half))

        whole = builder.mul(builder.sdiv(count, _INDEX(_TILES)), _INDEX(_TILES))
        block(_INDEX(0), whole, _TILES)
        block(whole, count, 1)
        return context.get_dummy_value()

    return types.void(tiles, filters, out), build
