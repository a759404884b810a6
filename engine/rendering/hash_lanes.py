"""A level of a hash grid for sixteen points at a time, said with vectors outright (`lanes.py` tells why).

Only the look-ups themselves are done one by one: processors' gathers are no faster. Two features of a vertex are read
at once, as halves of one 32-bit number: what is read at random decides the speed, and half as much of it stays in the
caches (showroom on one core, 16 points, 12 levels: 8 us as a loop over float32 features).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .lanes import LANES

_INT, _INDEX, _BIT = ir.IntType(32), ir.IntType(64), ir.IntType(1)
_FLOATS, _INTS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(_INT, LANES)
_HALVES, _SHORTS = ir.VectorType(ir.HalfType(), LANES), ir.VectorType(ir.IntType(16), LANES)

# Müller et al. 2022, eq. 4, as signed 32 bits; that of x is 1.
_Y, _Z = 2654435761 - (1 << 32), 805459861


@intrinsic
def encode_level(
    context: Any,  # pyright: ignore[reportUnusedParameter]
    table: Any,
    start: Any,
    pairs: Any,
    scale: Any,
    shift: Any,
    side: Any,
    size: Any,
    hashed: Any,
    smooth: Any,
    unit: Any,
    out: Any,
    first: Any,
) -> Any:
    """out[first : first + 2 pairs, :] = the level's features at sixteen points, from the corners of their cells.

    Args:
        table: [all levels' vertices * pairs] int32, two half precision features each.
        start: vertices of the levels before this one.
        pairs: half the number of features of a vertex.
        scale, shift: float32, see `models.hashgrid.Level`.
        side: vertices along an axis of a level that is stored densely.
        size: vertices stored, a power of two where they are hashed.
        hashed, smooth: bool.
        unit: [3, LANES] float32 in 0..1, contiguous.
        out: [rows, LANES] float32, contiguous.
        first: row of `out`.
    """
    arguments = (table, start, pairs, scale, shift, side, size, hashed, smooth, unit, out, first)

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        names = [
            *("table", "start", "pairs", "scale", "shift", "side", "size", "hashed", "smooth"),
            *("unit", "out", "first"),
        ]
        given = dict(zip(names, values, strict=True))
        source, points, target = (
            context.make_array(signature.args[names.index(name)])(context, builder, given[name]).data
            for name in ("table", "unit", "out")
        )

        def row(data: Any, index: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(data, [builder.mul(index, _INDEX(LANES))]), kind.as_pointer())

        def spread(scalar: Any, kind: Any) -> Any:
            first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, _INT(0))
            zeros = ir.Constant(_INTS, [0] * LANES)
            return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)

        def all_of(number: float, kind: Any) -> Any:
            return ir.Constant(kind, [number] * LANES)

        def whole(name: str) -> Any:
            return spread(builder.trunc(given[name], _INT), _INTS)

        is_smooth = builder.trunc(given["smooth"], _BIT) if given["smooth"].type != _BIT else given["smooth"]
        is_hashed = builder.trunc(given["hashed"], _BIT) if given["hashed"].type != _BIT else given["hashed"]
        low, parts = [], []
        for axis in range(3):
            x = builder.load(row(points, _INDEX(axis), _FLOATS), align=4)
            x = builder.fadd(builder.fmul(x, spread(given["scale"], _FLOATS)), spread(given["shift"], _FLOATS))
            vertex = builder.fptosi(x, _INTS)
            part = builder.fsub(x, builder.sitofp(vertex, _FLOATS))
            bent = builder.fsub(all_of(3.0, _FLOATS), builder.fmul(all_of(2.0, _FLOATS), part))
            bent = builder.fmul(builder.fmul(part, part), bent)
            low.append(vertex)
            parts.append(builder.select(is_smooth, bent, part))
        indices = cgutils.alloca_once(builder, _INT, 8 * LANES)
        with builder.if_else(is_hashed) as (scattered, dense):
            with scattered:
                mask = builder.sub(whole("size"), all_of(1, _INTS))
                factors = (all_of(1, _INTS), all_of(_Y, _INTS), all_of(_Z, _INTS))
                for corner, (x, y, z) in enumerate(_corners(builder, low, factors)):
                    index = builder.and_(builder.xor(builder.xor(x, y), z), mask)
                    builder.store(index, row(indices, _INDEX(corner), _INTS))
            with dense:
                size, across = whole("size"), whole("side")
                factors = (all_of(1, _INTS), across, builder.mul(across, across))
                for corner, (x, y, z) in enumerate(_corners(builder, low, factors)):
                    index = builder.add(builder.add(x, y), z)
                    # The outermost vertex of an axis wraps around, in the original too; never twice.
                    over = builder.icmp_unsigned(">=", index, size)
                    index = builder.select(over, builder.sub(index, size), index)
                    builder.store(index, row(indices, _INDEX(corner), _INTS))
        one = all_of(1.0, _FLOATS)
        shares = [(builder.fsub(one, part), part) for part in parts]
        pairs_ = given["pairs"]
        with cgutils.for_range(builder, pairs_, intp=_INDEX) as loop:
            sums = [all_of(0.0, _FLOATS), all_of(0.0, _FLOATS)]
            for corner in range(8):
                weight = builder.fmul(
                    builder.fmul(shares[0][corner & 1], shares[1][corner >> 1 & 1]), shares[2][corner >> 2]
                )
                vector = ir.Constant(_INTS, ir.Undefined)
                for lane in range(LANES):
                    index = builder.load(builder.gep(indices, [_INDEX(corner * LANES + lane)]))
                    index = builder.add(builder.zext(index, _INDEX), given["start"])
                    at = builder.add(builder.mul(index, pairs_), loop.index)
                    vector = builder.insert_element(vector, builder.load(builder.gep(source, [at])), _INT(lane))
                for k in range(2):
                    bits = builder.lshr(vector, all_of(16 * k, _INTS))
                    half = builder.bitcast(builder.trunc(bits, _SHORTS), _HALVES)
                    product = builder.fmul(weight, builder.fpext(half, _FLOATS), flags=["fast"])
                    sums[k] = builder.fadd(sums[k], product, flags=["fast"])
            for k in range(2):
                to = builder.add(builder.add(given["first"], _INDEX(k)), builder.mul(loop.index, _INDEX(2)))
                builder.store(sums[k], row(target, to, _FLOATS), align=4)
        return context.get_dummy_value()

    return types.void(*arguments), build


def _corners(builder: Any, low: Any, factors: Any) -> list[tuple[Any, Any, Any]]:
    """The three terms of each corner's index, x fastest: low and low + 1 along each axis, times its factor."""
    terms = []
    for vertex, factor in zip(low, factors, strict=True):
        term = builder.mul(vertex, factor)
        terms.append((term, builder.add(term, factor)))
    return [(terms[0][c & 1], terms[1][c >> 1 & 1], terms[2][c >> 2]) for c in range(8)]
