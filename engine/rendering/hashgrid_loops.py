"""The compiled loops behind `hashgrid_quick`: a hash grid and its two perceptrons at points, and marched along rays.

Sixteen samples go through a perceptron together (`lanes.py`), whichever rays they belong to. Colours are computed only
where they are seen. `HashGridField` and `render_occupancy` are the readable twins.
"""

from __future__ import annotations

import numba
import numpy as np

from .hash_lanes import encode_level
from .lane_math import exp, sigmoid
from .lanes import LANES, affine, lane_loops
from .numba_setup import njit_parallel
from .ray_loops import THICKEST

FIRST = 8
"""Samples of a ray that are evaluated before it is asked whether it is opaque."""

SIP = np.float32(1e-2)
"""Opacity that a ray gathers before it asks for a colour again, which serves for what has waited."""

HARMONICS = 16


@lane_loops
def _placed(warp, axis, x, y, z):
    """A coordinate of a point in the grid's cube."""
    return warp[axis, 0] * x + warp[axis, 1] * y + warp[axis, 2] * z + warp[axis, 3]


@lane_loops
def located(warp, cells, side, to_cells, x, y, z, lane, unit):
    """Whether there may be something at a point; then its place in the grid's cube is column `lane` of unit [3, LANES].

    Args:
        warp: [3, 4] world into the unit cube.
        cells: [cascades, side, side, side] bool, flat; empty: anything may be anywhere.
        side: cells along an edge.
        to_cells: [3, 4] world into the unit cube of cascade 0.
    """
    zero, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    for axis in range(3):
        value = _placed(warp, axis, x, y, z)
        if value < zero or value > one:
            return False
        unit[axis, lane] = value
    if cells.size == 0:
        return True
    a = _placed(to_cells, 0, x, y, z) - half
    b = _placed(to_cells, 1, x, y, z) - half
    c = _placed(to_cells, 2, x, y, z) - half
    reach, last = max(abs(a), max(abs(b), abs(c))), cells.size // (side * side * side) - 1
    cascade, shrink = 0, np.float32(side)
    while cascade < last and reach >= half:
        cascade, reach, shrink = cascade + 1, reach * half, shrink * half
    middle = half * np.float32(side)
    a, b, c = a * shrink + middle, b * shrink + middle, c * shrink + middle
    edge = np.float32(side)
    if a < zero or b < zero or c < zero or a >= edge or b >= edge or c >= edge:
        return False
    return cells[((cascade * side + int(a)) * side + int(b)) * side + int(c)]


@lane_loops
def _rectify(values):
    """max(x, 0) in place."""
    flat = values.reshape(-1)
    for n in range(flat.size):
        flat[n] = max(flat[n], np.float32(0.0))


@lane_loops
def trunk(grid, layers, unit, inputs, hidden, out):
    """The density network on sixteen points of the unit cube: out [P, LANES], the first row of which is the raw
    density without the field's bias."""
    table, pairs, scales, shifts, sides, sizes, hashed, smooth = grid
    start = 0
    for n in range(len(scales)):
        scale, shift, side, size = scales[n], shifts[n], sides[n], sizes[n]
        at = 2 * pairs * n
        encode_level(table, start, pairs, scale, shift, side, size, hashed[n], smooth, unit, inputs, at)  # pyright: ignore[reportCallIssue]
        start += size
    w1, b1, w2, b2 = layers
    affine(w1, b1, inputs, hidden)  # pyright: ignore[reportCallIssue]
    _rectify(hidden)
    affine(w2, b2, hidden, out)  # pyright: ignore[reportCallIssue]


@lane_loops
def colours(head, inputs, first, second, out):
    """The colour network on sixteen samples: inputs [P + 16, LANES], what `trunk` said and the harmonics of the viewing
    directions; out [4, LANES], RGB in 0..1 and a row that means nothing."""
    w1, b1, w2, b2, w3, b3 = head
    affine(w1, b1, inputs, first)  # pyright: ignore[reportCallIssue]
    _rectify(first)
    affine(w2, b2, first, second)  # pyright: ignore[reportCallIssue]
    _rectify(second)
    affine(w3, b3, second, out)  # pyright: ignore[reportCallIssue]
    flat = out.reshape(-1)
    for n in range(flat.size):
        flat[n] = sigmoid(flat[n])


@njit_parallel
def evaluate(grid, layers, head, place, empty, bias, points, harmonics, raw, hidden_out, rgb):
    """Raw densities, and what more is wanted, at points.

    Args:
        grid: table [T F / 2] int32 of two half precision numbers each, F / 2, and by level scale, shift, side, size,
            hashed; whether interpolation is smooth.
        layers: weights and biases of the density network [H, L F], [H], [P, H], [P].
        head: those of the colour network [A, P + 16], [A], [B, A], [B], [4, B], [4].
        place: warp [3, 4], cells, their side, to_cells [3, 4]: see `located`.
        empty: raw density where nothing can be.
        bias: added to the raw density elsewhere.
        points: [N, 3] float32.
        harmonics: [N, 16] of the viewing directions; read where `rgb` is wanted.
        raw: [N], is written.
        hidden_out: [N, P] or [0, P], what the density network says, is written; 0 where nothing can be.
        rgb: [N, 3] or [0, 3], is written; black where nothing can be.
    """
    warp, cells, side, to_cells = place
    said = len(layers[3])
    wide = 2 * int(grid[1]) * len(grid[2])
    group = 64 * LANES
    for task in numba.prange((len(points) + group - 1) // group):
        unit, inputs = np.zeros((3, LANES), np.float32), np.zeros((wide, LANES), np.float32)
        hidden, out = np.zeros((len(layers[1]), LANES), np.float32), np.zeros((said, LANES), np.float32)
        joined = np.zeros((said + HARMONICS, LANES), np.float32)
        first, second = np.zeros((len(head[1]), LANES), np.float32), np.zeros((len(head[3]), LANES), np.float32)
        colour, whose = np.zeros((4, LANES), np.float32), np.empty(LANES, np.int64)
        n, end = task * group, min((task + 1) * group, len(points))
        while n < end:
            lanes = 0
            while n < end and lanes < LANES:
                if located(warp, cells, side, to_cells, points[n, 0], points[n, 1], points[n, 2], lanes, unit):
                    whose[lanes] = n
                    lanes += 1
                else:
                    raw[n] = empty
                    if len(hidden_out) > 0:
                        hidden_out[n] = np.float32(0.0)
                    if len(rgb) > 0:
                        rgb[n] = np.float32(0.0)
                n += 1
            if lanes == 0:
                continue
            trunk(grid, layers, unit, inputs, hidden, out)
            for lane in range(lanes):
                raw[whose[lane]] = out[0, lane] + bias
            if len(hidden_out) > 0:
                for lane in range(lanes):
                    for k in range(said):
                        hidden_out[whose[lane], k] = out[k, lane]
            if len(rgb) > 0:
                joined[:said] = out
                for lane in range(lanes):
                    for k in range(HARMONICS):
                        joined[said + k, lane] = harmonics[whose[lane], k]
                colours(head, joined, first, second, colour)
                for lane in range(lanes):
                    for k in range(3):
                        rgb[whose[lane], k] = colour[k, lane]


@njit_parallel
def march(
    grid,  # these four as `evaluate` has them
    layers,
    head,
    place,
    bias,
    bits,  # occupied cells, eight to a byte, the first highest
    shape,  # [3] cells along each axis
    low,  # [3] lowest corner of the occupied grid
    per_unit,  # [3] its cells per world unit
    origin,  # [3]
    rays,  # [h, w, 3]
    harmonics,  # [h, w, 16] of their directions
    starts,  # [h, w] where each ray's lattice starts
    steps,  # [h, w] between its positions
    lengths,  # [h, w] of the rays' directions
    firsts,  # [h, w] the first position in the box of occupied cells
    lasts,  # [h, w] the last
    opaque,  # optical thickness at which a ray ends
    background,
    stride,
    features,  # [3, h, w] float32, out
    depth,  # [h, w] float32, out; -1 where nothing was met
    alpha,  # [h, w] float32, out
):
    height, width = alpha.shape
    nx, ny, nz = shape[0], shape[1], shape[2]
    warp, cells, side, to_cells = place
    said, wide = len(layers[3]), 2 * int(grid[1]) * len(grid[2])
    ox, oy, oz = origin[0], origin[1], origin[2]
    zero, one = np.float32(0.0), np.float32(1.0)
    for task in numba.prange(height):
        row = (task * stride) % height
        unit, inputs = np.zeros((3, LANES), np.float32), np.zeros((wide, LANES), np.float32)
        hidden, out = np.zeros((len(layers[1]), LANES), np.float32), np.zeros((said, LANES), np.float32)
        joined = np.zeros((said + HARMONICS, LANES), np.float32)
        one_, two_ = np.zeros((len(head[1]), LANES), np.float32), np.zeros((len(head[3]), LANES), np.float32)
        colour = np.zeros((4, LANES), np.float32)
        at, total = np.empty(width, np.int64), np.zeros((width, 4), np.float32)  # thickness, weight, depth, waiting
        sums = np.zeros((width, 3), np.float32)
        whose, which = np.empty(width * FIRST, np.int64), np.empty(width * FIRST, np.int64)
        seen = np.empty((width * FIRST, said), np.float32)
        lit, light = np.empty(width * FIRST, np.int64), np.empty(width * FIRST, np.float32)
        alive, living = np.empty(width, np.int64), 0
        for column in range(width):
            at[column] = firsts[row, column]
            if at[column] <= lasts[row, column]:
                alive[living] = column
                living += 1
        while living > 0:
            found = 0
            for n in range(living):
                column = alive[n]
                dx, dy, dz = rays[row, column, 0], rays[row, column, 1], rays[row, column, 2]
                start, step = starts[row, column], steps[row, column]
                k, stop, limit = at[column], lasts[row, column], found + FIRST
                while k <= stop and found < limit:
                    t = start + np.float32(k) * step
                    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
                    i = min(max(int((x - low[0]) * per_unit[0]), 0), nx - 1)
                    j = min(max(int((y - low[1]) * per_unit[1]), 0), ny - 1)
                    m = min(max(int((z - low[2]) * per_unit[2]), 0), nz - 1)
                    here = np.uint64((i * ny + j) * nz + m)
                    if bits[here >> np.uint64(3)] >> (np.uint64(7) - here % np.uint64(8)) & np.uint64(1) and located(
                        warp, cells, side, to_cells, x, y, z, 0, unit
                    ):
                        whose[found], which[found] = column, k
                        found += 1
                    k += 1
                at[column] = k
            for packet in range(0, found, LANES):
                lanes = min(LANES, found - packet)
                for lane in range(lanes):
                    column = whose[packet + lane]
                    t = starts[row, column] + np.float32(which[packet + lane]) * steps[row, column]
                    x, y, z = (
                        ox + t * rays[row, column, 0],
                        oy + t * rays[row, column, 1],
                        oz + t * rays[row, column, 2],
                    )
                    for axis in range(3):
                        unit[axis, lane] = _placed(warp, axis, x, y, z)
                trunk(grid, layers, unit, inputs, hidden, out)
                for lane in range(lanes):
                    for k in range(said):
                        seen[packet + lane, k] = out[k, lane]
            bright = 0
            for n in range(found):
                column = whose[n]
                passed = total[column, 0]
                if passed >= opaque:
                    continue
                step = steps[row, column] * lengths[row, column]
                thickness = exp(min(seen[n, 0] + bias, THICKEST)) * step
                weight = exp(-passed) * (one - exp(-thickness))
                total[column, 0] = passed + thickness
                total[column, 1] += weight
                total[column, 2] += weight * (starts[row, column] + np.float32(which[n]) * steps[row, column])
                total[column, 3] += weight
                if total[column, 3] > SIP:
                    lit[bright], light[bright] = n, total[column, 3]
                    total[column, 3] = zero
                    bright += 1
            for packet in range(0, bright, LANES):
                lanes = min(LANES, bright - packet)
                for lane in range(lanes):
                    n = lit[packet + lane]
                    column = whose[n]
                    for k in range(said):
                        joined[k, lane] = seen[n, k]
                    for k in range(HARMONICS):
                        joined[said + k, lane] = harmonics[row, column, k]
                colours(head, joined, one_, two_, colour)
                for lane in range(lanes):
                    column, share = whose[lit[packet + lane]], light[packet + lane]
                    for k in range(3):
                        sums[column, k] += share * colour[k, lane]
            still = 0
            for n in range(living):
                column = alive[n]
                if at[column] <= lasts[row, column] and total[column, 0] < opaque:
                    alive[still] = column
                    still += 1
            living = still
        for column in range(width):
            weight, known = total[column, 1], total[column, 1] - total[column, 3]
            rescale = weight / known if known > zero else zero  # what still waits is of the colours that were seen
            for k in range(3):
                features[k, row, column] = sums[column, k] * rescale + background * (one - weight)
            depth[row, column] = total[column, 2] / weight if weight > zero else -one
            alpha[row, column] = weight
