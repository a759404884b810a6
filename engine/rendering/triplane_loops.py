"""The compiled loops behind `triplane_quick`: EG3D's planes and decoder at points, and marched along rays.

Sixteen samples go through the decoder together (`lanes.py`), whichever rays they belong to. `render_occupancy` is the
readable twin of `march`, `TriPlaneField` that of `evaluate`; `kernels/triplane.cu` says the same for GPUs.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .lane_math import sigmoid, softplus
from .lanes import LANES, affine, blend, lane_loops
from .numba_setup import njit_parallel

FIRST = 8
"""Samples of a ray that are evaluated before it is asked whether it is opaque."""


@lane_loops
def _add_plane(flat, start, side, channels, column, row, into):
    """Adds a plane's bilinear value at (column, row) in -1..1, zero outside, to into [C]."""
    zero, one = np.float32(0.0), np.float32(1.0)
    u = ((column + one) * np.float32(side) - one) * np.float32(0.5)
    v = ((row + one) * np.float32(side) - one) * np.float32(0.5)
    u, v = min(max(u, -one), np.float32(side)), min(max(v, -one), np.float32(side))
    j, i = int(u + one) - 1, int(v + one) - 1  # floor of what is at least -1
    right, below = u - np.float32(j), v - np.float32(i)
    left, above = one - right, one - below
    # A neighbour outside of the plane is 0: it has no weight, and any address.
    left, right = left if j >= 0 and j < side else zero, right if j + 1 < side else zero
    above, below = above if i >= 0 and i < side else zero, below if i + 1 < side else zero
    j0, j1 = min(max(j, 0), side - 1) * channels, min(j + 1, side - 1) * channels
    i0, i1 = start + min(max(i, 0), side - 1) * side * channels, start + min(i + 1, side - 1) * side * channels
    corners = (i0 + j0, i0 + j1, i1 + j0, i1 + j1)
    blend(flat, corners, (above * left, above * right, below * left, below * right), into)  # pyright: ignore[reportCallIssue]


@lane_loops
def look_up_line(flat, side, channels, scale, x, y, z, line):
    """The sum of the planes at a point, line [C]."""
    for c in range(channels):
        line[c] = np.float32(0.0)
    _add_plane(flat, 0, side, channels, x * scale, y * scale, line)
    _add_plane(flat, side * side * channels, side, channels, x * scale, z * scale, line)


@lane_loops
def look_up(flat, side, channels, scale, x, y, z, lane, line, inputs):
    """The sum of the planes at a point, as column `lane` of inputs [C, LANES]; line [C] is scratch."""
    look_up_line(flat, side, channels, scale, x, y, z, line)
    for c in range(channels):
        inputs[c, lane] = line[c]


@lane_loops
def _decode(w1, b1, w2, b2, features, inputs, hidden, outputs):
    """The decoder on sixteen samples: outputs [P, LANES] hold the raw density, then the colour features."""
    affine(w1, b1, inputs, hidden)  # pyright: ignore[reportCallIssue]
    flat = hidden.reshape(-1)
    for n in range(flat.size):
        flat[n] = softplus(flat[n])
    affine(w2, b2, hidden, outputs)  # pyright: ignore[reportCallIssue]
    flat = outputs.reshape(-1)
    for n in range(LANES, LANES * (1 + features)):
        flat[n] = sigmoid(flat[n]) * np.float32(1.002) - np.float32(1e-3)


@njit_parallel
def evaluate(planes, w1, b1, w2, b2, count, scale, points, raw, features):
    """Raw densities and features at points.

    Args:
        planes: [2, R, R, C] float32, C a multiple of `LANES`.
        w1, b1, w2, b2: the decoder [H, up to C], [H], [P, H], [P]; H and P multiples of 4.
        count: features wanted, 0 for none.
        scale: world units to -1..1.
        points: [N, 3] float32.
        raw: [N], is written.
        features: [N, F], is written where `count` is not 0.
    """
    side, channels = planes.shape[1], planes.shape[3]
    flat = planes.ravel()
    groups = 64 * LANES
    for group in numba.prange((len(points) + groups - 1) // groups):
        line, inputs = np.empty(channels, np.float32), np.zeros((channels, LANES), np.float32)
        hidden, outputs = np.empty((len(b1), LANES), np.float32), np.empty((len(b2), LANES), np.float32)
        for packet in range(group * groups, min((group + 1) * groups, len(points)), LANES):
            lanes = min(LANES, len(points) - packet)
            for lane in range(lanes):
                p = points[packet + lane]
                look_up(flat, side, channels, scale, p[0], p[1], p[2], lane, line, inputs)
            _decode(w1, b1, w2, b2, count, inputs, hidden, outputs)
            for lane in range(lanes):
                raw[packet + lane] = outputs[0, lane]
                for f in range(count):
                    features[packet + lane, f] = outputs[1 + f, lane]


@lane_loops
def _box(box, ox, oy, oz, dx, dy, dz):
    """Where a ray enters and leaves a box [6]."""
    enter, leave = np.float32(-1e30), np.float32(1e30)
    tiny = np.float32(1e-12)
    for axis in range(3):
        o = ox if axis == 0 else (oy if axis == 1 else oz)
        d = dx if axis == 0 else (dy if axis == 1 else dz)
        d = tiny if abs(d) < tiny else d
        a, b = (box[axis] - o) / d, (box[3 + axis] - o) / d
        enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
    return max(enter, np.float32(0.0)), leave


@njit_parallel
def march(
    planes,  # [2, R, R, C] float32, C a multiple of LANES
    w1,  # [H, up to C]
    b1,  # [H]
    w2,  # [P, H]
    b2,  # [P]
    scale,  # world units to -1..1
    occupied,  # [nx, ny, nz] bool
    low,  # [3] lowest corner of the grid
    cells,  # [3] cells per world unit
    tight,  # [6] box of the occupied cells
    box,  # [6] box of the planes, for rays without limits
    origin,  # [3]
    basis,  # [3, 3] d0, du, dv
    near,
    far,  # far < near: where the ray meets `box`
    samples,
    opaque,  # optical thickness at which a ray ends
    background,
    stride,
    features,  # [F, h, w] float32, out
    depth,  # [h, w] float32, out
    alpha,  # [h, w] float32, out
):
    count, height, width = features.shape
    side, channels = planes.shape[1], planes.shape[3]
    flat, cell = planes.ravel(), occupied.ravel()
    nx, ny, nz = occupied.shape
    ox, oy, oz = origin[0], origin[1], origin[2]
    zero, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    for task in numba.prange(height):
        row = (task * stride) % height
        line, inputs = np.empty(channels, np.float32), np.zeros((channels, LANES), np.float32)
        hidden, outputs = np.empty((len(b1), LANES), np.float32), np.empty((len(b2), LANES), np.float32)
        ray = np.empty((width, 5), np.float32)  # direction, start, step
        at, end, last = np.empty(width, np.int64), np.empty(width, np.int64), np.full(width, -2, np.int64)
        total = np.zeros((width, 3), np.float32)  # optical thickness, weight, weight times distance
        sums, before = np.zeros((width, count), np.float32), np.empty((width, count + 1), np.float32)
        whose, which = np.empty(width * FIRST, np.int64), np.empty(width * FIRST, np.int64)
        seen = np.empty((width * FIRST, count + 1), np.float32)
        alive, living = np.empty(width, np.int64), 0
        for column in range(width):
            dx = basis[0, 0] + np.float32(column) * basis[1, 0] + np.float32(row) * basis[2, 0]
            dy = basis[0, 1] + np.float32(column) * basis[1, 1] + np.float32(row) * basis[2, 1]
            dz = basis[0, 2] + np.float32(column) * basis[1, 2] + np.float32(row) * basis[2, 2]
            length = one / math.sqrt(dx * dx + dy * dy + dz * dz)
            dx, dy, dz = dx * length, dy * length, dz * length
            first, final = near, far
            if far < near:
                first, final = _box(box, ox, oy, oz, dx, dy, dz)
                final = max(final, first)
            step = (final - first) / np.float32(samples - 1)
            start = first + half * step
            ray[column, 0], ray[column, 1], ray[column, 2] = dx, dy, dz
            ray[column, 3], ray[column, 4] = start, step
            enter, leave = _box(tight, ox, oy, oz, dx, dy, dz)
            if leave > enter and step > zero:
                at[column] = max(math.ceil((enter - start) / step), 0)
                end[column] = min(math.floor((leave - start) / step), samples - 1)
                alive[living] = column
                living += 1
        while living > 0:
            found = 0
            for n in range(living):
                column = alive[n]
                dx, dy, dz = ray[column, 0], ray[column, 1], ray[column, 2]
                start, step = ray[column, 3], ray[column, 4]
                k, stop, limit = at[column], end[column], found + FIRST
                while k <= stop and found < limit:
                    t = start + np.float32(k) * step
                    i = min(max(int((ox + t * dx - low[0]) * cells[0]), 0), nx - 1)
                    j = min(max(int((oy + t * dy - low[1]) * cells[1]), 0), ny - 1)
                    m = min(max(int((oz + t * dz - low[2]) * cells[2]), 0), nz - 1)
                    if cell[np.uint64((i * ny + j) * nz + m)]:
                        whose[found], which[found] = column, k
                        found += 1
                    k += 1
                at[column] = k
            for packet in range(0, found, LANES):
                lanes = min(LANES, found - packet)
                for lane in range(lanes):
                    column = whose[packet + lane]
                    t = ray[column, 3] + np.float32(which[packet + lane]) * ray[column, 4]
                    x, y, z = ox + t * ray[column, 0], oy + t * ray[column, 1], oz + t * ray[column, 2]
                    look_up(flat, side, channels, scale, x, y, z, lane, line, inputs)
                _decode(w1, b1, w2, b2, count, inputs, hidden, outputs)
                for lane in range(lanes):
                    for f in range(count + 1):
                        seen[packet + lane, f] = outputs[f, lane]
            for n in range(found):
                column, k = whose[n], which[n]
                if total[column, 0] >= opaque:
                    continue
                here, previous = seen[n], before[column]
                if last[column] == k - 1:  # an interval joins neighbours on the lattice, so that gaps stay gaps
                    step = ray[column, 4]
                    value = (here[0] + previous[0]) * half - one
                    passed = step * (max(value, zero) + math.log1p(math.exp(-abs(value))))
                    weight = math.exp(-total[column, 0]) * (one - math.exp(-passed))
                    share, into = half * weight, sums[column]
                    for f in range(count):
                        into[f] += share * (here[1 + f] + previous[1 + f])
                    total[column, 0] += passed
                    total[column, 1] += weight
                    total[column, 2] += weight * (ray[column, 3] + (np.float32(k) - half) * step)
                for f in range(count + 1):
                    previous[f] = here[f]
                last[column] = k
            still = 0
            for n in range(living):
                column = alive[n]
                if at[column] <= end[column] and total[column, 0] < opaque:
                    alive[still] = column
                    still += 1
            living = still
        for column in range(width):
            weight = total[column, 1]
            for f in range(count):
                features[f, row, column] = sums[column, f] + background * (one - weight)
            stop = ray[column, 3] + np.float32(samples - 1) * ray[column, 4]
            depth[row, column] = min(total[column, 2] / weight, stop) if weight > zero else stop
            alpha[row, column] = weight
