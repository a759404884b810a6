"""The compiled loop behind `march.render_baked`: one ray a pixel through a `BrickGrid`.

Written for the compiler: flat indices, no allocation inside a ray, features summed in the grid's own bytes (the linear
ranges and harmonics are constant along a ray, so they are applied once, at its end).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .bake_features import LANES
from .bricks import BLOCK, BRICK, EDGE
from .numba_setup import njit_parallel

ACTIVATIONS = {"softplus_shifted": 0, "softplus": 1, "relu": 2, "exp": 3}
_BLOCK_BITS = BLOCK.bit_length() - 1


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _density(raw, kind):
    """Raw value -> density, as `integrate.activate`."""
    if kind == 2:
        return max(raw, np.float32(0.0))
    if kind == 3:
        return math.exp(min(raw, np.float32(60.0)))
    if kind == 0:
        raw -= np.float32(1.0)
    if raw > np.float32(15.0):  # log(1 + exp(x)) is x to 3e-7
        return raw
    return math.log1p(math.exp(raw))


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _harmonics(x, y, z, degree, out):
    """As `spherical.basis`, for one direction."""
    out[0] = np.float32(1.0)
    if degree >= 1:
        a = np.float32(1.7320508)
        out[1], out[2], out[3] = a * y, a * z, a * x
    if degree >= 2:
        b, c = np.float32(3.8729833), np.float32(1.1180340)
        out[4], out[5] = b * x * y, b * y * z
        out[6] = c * (np.float32(3.0) * z * z - np.float32(1.0))
        out[7], out[8] = b * x * z, np.float32(0.5) * b * (x * x - y * y)


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _at(line, values):
    """Where a line starts. Unsigned, here and below: numba tests signed indices for being negative, one by one."""
    return np.uint64(line) * np.uint64(values)


@njit_parallel
def march(
    table,  # [bx, by, bz] int32
    density,  # [N, BRICK] float32, raw or compressed
    line,  # [N, BRICK] int32
    rows,  # [M, V] uint8, V a multiple of LANES of which the first K * C count
    offset,  # [K * C] float32
    scale,  # [K * C] float32
    shape,  # nodes along x, y, z
    bounds,  # [2, 3] float32
    spacing,
    degree,
    kind,
    knee,  # density at which compressed storage bends; 0: raw storage, decoded by `kind`
    by_density,  # whether a node's say in the features grows with its density
    visible,  # stored density under which a sample adds nothing
    origin,  # [3] float32
    basis,  # [3, 3] float32: d0, du, dv
    unit_rays,
    near,
    far,
    step,  # world units
    transparent,  # transmittance at which a ray ends
    sip,  # opacity that is gathered before features are read again
    background,
    stride,
    features,  # [C, h, w] float32, out
    depth,  # [h, w] float32, out
    alpha,  # [h, w] float32, out
):
    one, zero = np.float32(1.0), np.float32(0.0)
    nx, ny, nz = shape
    by, bz = table.shape[1], table.shape[2]
    flat_table, flat_density, flat_line, flat_rows = table.ravel(), density.ravel(), line.ravel(), rows.ravel()
    nodes, next_, sy, sx = np.uint64(BRICK), np.uint64(1), np.uint64(EDGE), np.uint64(EDGE * EDGE)
    within = np.uint64(BLOCK - 1)
    channels, height, width = features.shape
    values = rows.shape[1]
    first, last, lanes = np.uint64(0), np.uint64(values), np.uint64(LANES)
    terms = (degree + 1) * (degree + 1)
    inverse = one / spacing
    ox, oy, oz = origin[0] - bounds[0, 0], origin[1] - bounds[0, 1], origin[2] - bounds[0, 2]
    hx, hy, hz = bounds[1, 0] - bounds[0, 0], bounds[1, 1] - bounds[0, 1], bounds[1, 2] - bounds[0, 2]
    edge = spacing * np.float32(BLOCK)
    for task in numba.prange(height):
        row = (task * stride) % height
        sums = np.empty(values, np.float32)
        harmonics = np.empty(9, np.float32)
        for column in range(width):
            dx = basis[0, 0] + np.float32(column) * basis[1, 0] + np.float32(row) * basis[2, 0]
            dy = basis[0, 1] + np.float32(column) * basis[1, 1] + np.float32(row) * basis[2, 1]
            dz = basis[0, 2] + np.float32(column) * basis[1, 2] + np.float32(row) * basis[2, 2]
            length = math.sqrt(dx * dx + dy * dy + dz * dz)
            if unit_rays:
                dx, dy, dz = dx / length, dy / length, dz / length
                length = one
            # A component of exactly 0 would divide by zero below; this one leaves the box after any other does.
            if abs(dx) < np.float32(1e-9):
                dx = np.float32(1e-9)
            if abs(dy) < np.float32(1e-9):
                dy = np.float32(1e-9)
            if abs(dz) < np.float32(1e-9):
                dz = np.float32(1e-9)
            ix, iy, iz = one / dx, one / dy, one / dz
            ax, bx_ = -ox * ix, (hx - ox) * ix
            ay, by_ = -oy * iy, (hy - oy) * iy
            az, bz_ = -oz * iz, (hz - oz) * iz
            enter = max(max(min(ax, bx_), min(ay, by_)), max(min(az, bz_), near))
            leave = min(min(max(ax, bx_), max(ay, by_)), min(max(az, bz_), far))
            through = one
            travelled = zero
            missing = zero
            waiting = zero
            started = False
            dt = step / length
            t = enter + np.float32(0.5) * dt
            while t < leave and through > transparent:
                x = min(max((ox + t * dx) * inverse, zero), np.float32(nx) - np.float32(1.001))
                y = min(max((oy + t * dy) * inverse, zero), np.float32(ny) - np.float32(1.001))
                z = min(max((oz + t * dz) * inverse, zero), np.float32(nz) - np.float32(1.001))
                i, j, k = int(x), int(y), int(z)
                bi, bj, bk = i >> _BLOCK_BITS, j >> _BLOCK_BITS, k >> _BLOCK_BITS
                brick = flat_table[np.uint64((bi * by + bj) * bz + bk)]
                if brick < 0:
                    # Leave the cube of blocks that are known to be empty, staying on the ray's own lattice.
                    reach = -np.int64(brick) - 1
                    ex = np.float32(bi + 1 + reach if dx > zero else bi - reach) * edge
                    ey = np.float32(bj + 1 + reach if dy > zero else bj - reach) * edge
                    ez = np.float32(bk + 1 + reach if dz > zero else bk - reach) * edge
                    exit_ = min(min((ex - ox) * ix, (ey - oy) * iy), (ez - oz) * iz)
                    t += dt * max(one, np.float32(math.ceil((exit_ - t) / dt)))
                    continue
                u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
                n0 = np.uint64(brick) * nodes + (np.uint64(i) & within) * sx
                n0 += (np.uint64(j) & within) * sy + (np.uint64(k) & within)
                n2, n4 = n0 + sy, n0 + sx
                n6 = n4 + sy
                n1, n3, n5, n7 = n0 + next_, n2 + next_, n4 + next_, n6 + next_
                d0, d1, d2, d3 = flat_density[n0], flat_density[n1], flat_density[n2], flat_density[n3]
                d4, d5, d6, d7 = flat_density[n4], flat_density[n5], flat_density[n6], flat_density[n7]
                c00, c01, c10, c11 = d0 + w * (d1 - d0), d2 + w * (d3 - d2), d4 + w * (d5 - d4), d6 + w * (d7 - d6)
                c0 = c00 + v * (c01 - c00)
                c1 = c10 + v * (c11 - c10)
                raw = c0 + u * (c1 - c0)
                if raw > visible:
                    if knee > zero:
                        grown = math.exp(raw)
                        sigma = knee * np.float32(0.5) * (grown - one / grown)
                    else:
                        sigma = _density(raw, kind)
                    left = through * math.exp(-sigma * step)
                    weight = through - left
                    through = left
                    travelled += weight * t
                    waiting += weight
                    if waiting > sip:
                        if not started:
                            started = True
                            for c in range(values):
                                sums[c] = zero
                        p0, p1 = (one - u) * (one - v) * waiting, (one - u) * v * waiting
                        p2, p3 = u * (one - v) * waiting, u * v * waiting
                        w0 = one - w
                        q0, q1, q2, q3 = p0 * w0, p0 * w, p1 * w0, p1 * w
                        q4, q5, q6, q7 = p2 * w0, p2 * w, p3 * w0, p3 * w
                        if by_density:
                            q0, q1 = q0 * max(d0 - visible, zero), q1 * max(d1 - visible, zero)
                            q2, q3 = q2 * max(d2 - visible, zero), q3 * max(d3 - visible, zero)
                            q4, q5 = q4 * max(d4 - visible, zero), q5 * max(d5 - visible, zero)
                            q6, q7 = q6 * max(d6 - visible, zero), q7 * max(d7 - visible, zero)
                            share = waiting / (q0 + q1 + q2 + q3 + q4 + q5 + q6 + q7)
                            q0, q1, q2, q3 = q0 * share, q1 * share, q2 * share, q3 * share
                            q4, q5, q6, q7 = q4 * share, q5 * share, q6 * share, q7 * share
                        waiting = zero
                        r0, r1, r2, r3 = flat_line[n0], flat_line[n1], flat_line[n2], flat_line[n3]
                        r4, r5, r6, r7 = flat_line[n4], flat_line[n5], flat_line[n6], flat_line[n7]
                        if min(min(min(r0, r1), min(r2, r3)), min(min(r4, r5), min(r6, r7))) < 0:
                            # Nodes out of sight have no features: the others speak for them, rescaled at the end.
                            if r0 < 0:
                                missing, r0, q0 = missing + q0, 0, zero
                            if r1 < 0:
                                missing, r1, q1 = missing + q1, 0, zero
                            if r2 < 0:
                                missing, r2, q2 = missing + q2, 0, zero
                            if r3 < 0:
                                missing, r3, q3 = missing + q3, 0, zero
                            if r4 < 0:
                                missing, r4, q4 = missing + q4, 0, zero
                            if r5 < 0:
                                missing, r5, q5 = missing + q5, 0, zero
                            if r6 < 0:
                                missing, r6, q6 = missing + q6, 0, zero
                            if r7 < 0:
                                missing, r7, q7 = missing + q7, 0, zero
                        b0, b1, b2, b3 = _at(r0, values), _at(r1, values), _at(r2, values), _at(r3, values)
                        b4, b5, b6, b7 = _at(r4, values), _at(r5, values), _at(r6, values), _at(r7, values)
                        for at in range(first, last, lanes):
                            # A constant number at a time: the compiler makes one or two vectors of them.
                            for c in range(LANES):
                                k0 = at + np.uint64(c)
                                sums[k0] += (
                                    q0 * np.float32(flat_rows[b0 + k0])
                                    + q1 * np.float32(flat_rows[b1 + k0])
                                    + q2 * np.float32(flat_rows[b2 + k0])
                                    + q3 * np.float32(flat_rows[b3 + k0])
                                    + q4 * np.float32(flat_rows[b4 + k0])
                                    + q5 * np.float32(flat_rows[b5 + k0])
                                    + q6 * np.float32(flat_rows[b6 + k0])
                                    + q7 * np.float32(flat_rows[b7 + k0])
                                )
                t += dt
            opacity = one - through
            missing += waiting
            alpha[row, column] = opacity
            if not started:
                depth[row, column] = far
                for c in range(channels):
                    features[c, row, column] = background
                continue
            depth[row, column] = travelled / opacity
            known = opacity - missing
            rescale = opacity / known if known > np.float32(1e-6) else zero
            if degree > 0:
                _harmonics(dx / length, dy / length, dz / length, degree, harmonics)
                for c in range(channels):
                    total = zero
                    for term in range(terms):
                        at = term * channels + c
                        total += harmonics[term] * (offset[at] * opacity + scale[at] * rescale * sums[at])
                    features[c, row, column] = total + background * through
            else:
                for c in range(channels):
                    features[c, row, column] = offset[c] * opacity + scale[c] * rescale * sums[c] + background * through
