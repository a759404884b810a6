"""Loops that tell a painter what its last picture says of this frame, where that can be believed, folded 2 x 2.

They say again what `models.warp` says in torch, which is the readable twin and decides.
"""

from __future__ import annotations

import numpy as np

from ..rendering.numba_setup import njit_serial
from .painting_kernels import half, inlined

_UNMIXED = np.float32(1 / 64)
_1, _3, _4, _16 = np.uint64(1), np.uint64(3), np.uint64(4), np.uint64(16)


@njit_serial
def extremes(depth, nearest, farthest):
    """Writes the least and greatest depth of each pixel and its neighbours; the least is -inf beside an unknown one.

    All are [H, W].
    """
    height, width = depth.shape
    endless = np.float32(np.inf)
    low, high = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(height):
        above, here, below = depth[max(row - 1, 0)], depth[row], depth[min(row + 1, height - 1)]
        for n in range(width):
            known = (above[n] == above[n]) & (here[n] == here[n]) & (below[n] == below[n])
            low[n] = min(min(above[n], here[n]), below[n]) if known else -endless
            high[n] = max(max(above[n], here[n]), below[n]) if known else endless
        near, far = nearest[row], farthest[row]
        for n in range(1, width - 1):
            near[n] = min(min(low[n - 1], low[n]), low[n + 1])
            far[n] = max(max(high[n - 1], high[n]), high[n + 1])
        for n, other in ((0, min(1, width - 1)), (width - 1, max(width - 2, 0))):
            near[n], far[n] = min(low[n], low[other]), max(high[n], high[other])


@njit_serial
def recall(motion, key, before, expected, depth, nearest, farthest, picture, past, made):
    """Writes the last picture as seen from here where it can be believed, else zeros, and where that is.

    Args:
        motion: [H, W, 2].
        key: [H, W] int64.
        before: [H, W] int64: the last frame's.
        expected: [H, W]; of no pixels: depths are not compared.
        depth: [H, W], the last frame's.
        nearest, farthest: [H, W] each, what `extremes` says of it.
        picture: [3, H, W], the last frame's, -1..1.
        past: [H/2, W/2, 2, 2, 4] float32, is written.
        made: the same as bfloat16's bits, is written.
    """
    height, width = key.shape
    endless, zero, one = np.float32(np.inf), np.float32(0.0), np.float32(1.0)
    # Flat and in one piece: arrays handed on to functions, and a branch for each thing that may be wrong, take thrice
    # as long.
    keys, depths, near_of, far_of = before.reshape(-1), depth.reshape(-1), nearest.reshape(-1), farthest.reshape(-1)
    red, green, blue = picture[0].reshape(-1), picture[1].reshape(-1), picture[2].reshape(-1)
    out, bits = past.reshape(-1), made.reshape(-1)
    xs, ys, inside = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.bool_)
    # Of the pixels that have to show the same surface, and of the nearest: columns, and first numbers of their rows.
    right, left, near_x = np.empty(width, np.uint32), np.empty(width, np.uint32), np.empty(width, np.uint32)
    bottom, top, near_y = np.empty(width, np.uint32), np.empty(width, np.uint32), np.empty(width, np.uint32)
    # The pixel to the left of it and above, the next one, and how far it lies between them.
    column_of, next_x, u = np.empty(width, np.uint32), np.empty(width, np.uint32), np.empty(width, np.float32)
    row_of, next_y, v = np.empty(width, np.uint32), np.empty(width, np.uint32), np.empty(width, np.float32)
    for row in range(height):
        _places(motion[row], row, height, xs, ys, inside)
        _around(xs, width, np.uint32(1), right, left, near_x)
        _around(ys, height, np.uint32(width), bottom, top, near_y)
        _between(xs, width, np.uint32(1), column_of, next_x, u)
        _between(ys, height, np.uint32(width), row_of, next_y, v)
        first = np.uint64(8 * ((row >> 1) * width + (row & 1)))
        for column in range(np.uint64(width)):  # an index that may be negative is looked at before it is used
            to = first + (column >> _1) * _16 + (column & _1) * _4
            here, valid = key[row, column], inside[column]
            # As `warp.same_surface`.
            valid &= (keys[bottom[column] + right[column]] == here) & (keys[bottom[column] + left[column]] == here)
            valid &= (keys[top[column] + right[column]] == here) & (keys[top[column] + left[column]] == here)
            if expected.shape[0]:  # as `warp.same_depth`
                metres, at = expected[row, column], near_y[column] + near_x[column]
                near, far, slack = near_of[at], far_of[at], np.float32(0.05)
                valid &= (metres > zero) & (near > -endless)
                valid &= abs(depths[at] - metres) < np.float32(0.08) * metres + np.float32(0.3)
                valid &= (metres > near * np.float32(0.97) - slack) & (metres < far * np.float32(1.03) + slack)
            if not valid:
                for c in range(_4):
                    out[to + c], bits[to + c] = zero, np.uint16(0)
                continue
            at, beside = row_of[column] + column_of[column], row_of[column] + next_x[column]
            under, across = next_y[column] + column_of[column], next_y[column] + next_x[column]
            for c in range(_3):
                plane = red if c == 0 else green if c == 1 else blue
                upper = plane[at] + u[column] * (plane[beside] - plane[at])
                lower = plane[under] + u[column] * (plane[across] - plane[under])
                value = upper + v[column] * (lower - upper)
                out[to + c], bits[to + c] = value, half(value)
            out[to + _3], bits[to + _3] = one, np.uint16(0x3F80)


# In loops of few arrays each: of many, the compiler does not see that none lies in another, and makes no vectors.
@inlined
def _places(motion, row, height, xs, ys, inside):
    """Writes where the points of a row [W, 2] were, and whether that is within the picture (else 0, 0)."""
    zero, edge = np.float32(0.0), np.float32(0.5)
    last_column, last_row = np.float32(motion.shape[0] - 0.5), np.float32(height - 0.5)
    for n in range(motion.shape[0]):
        x, y = motion[n, 0] + np.float32(n), motion[n, 1] + np.float32(row)
        found = (x >= -edge) & (x <= last_column) & (y >= -edge) & (y <= last_row)
        xs[n], ys[n] = x if found else zero, y if found else zero  # also of NaN
        inside[n] = found


@inlined
def _around(places, size, step, after, before, nearest):
    """Writes `step` times the pixel after each place, the one before it, and the nearest, along an axis of `size`."""
    zero, last = np.float32(0.0), np.float32(size - 1)
    for n in range(places.size):
        after[n] = np.uint32(min(max(np.floor(places[n] + _UNMIXED), zero), last)) * step
    for n in range(places.size):
        before[n] = np.uint32(min(max(np.ceil(places[n] - _UNMIXED), zero), last)) * step
    for n in range(places.size):
        nearest[n] = np.uint32(np.rint(min(max(places[n], zero), last))) * step


@inlined
def _between(places, size, step, first, second, part):
    """Writes `step` times the two pixels that each place lies between, and how far from the first, 0..1."""
    zero, one, last = np.float32(0.0), np.float32(1.0), np.float32(size - 1)
    for n in range(places.size):
        place = min(max(places[n], zero), last)
        part[n] = place - np.floor(place)
        first[n] = np.uint32(np.floor(place)) * step
    for n in range(places.size):
        second[n] = np.uint32(min(np.floor(min(max(places[n], zero), last)) + one, last)) * step
