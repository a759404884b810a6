"""The compiled loop behind `QuickHashGrid.render_exact`: NeRF's two passes, both by the same network, ray by ray.

What the density network says of a sample is kept, so that its colour needs only the colour network; and that is asked
only for samples that enter the pixel with more than `UNSEEN`.
"""

from __future__ import annotations

import numba
import numpy as np

from .hashgrid_loops import HARMONICS, colours, located, trunk
from .lanes import LANES, lane_loops
from .numba_setup import njit_parallel
from .ray_loops import merge, opacities_behind, place, weigh

RAYS = 32
"""Rays that share a task's scratch memory."""

UNSEEN = np.float32(1e-6)


@lane_loops
def _ask(grid, layers, where, empty, bias, origin, ray, depths, first, last, scratch, whose, raw, said):
    """Raw densities of samples first..last of a ray and what else the density network says of them [., P]."""
    warp, cells, side, to_cells = where
    unit, inputs, hidden, out = scratch
    k = first
    while k < last:
        lanes = 0
        while k < last and lanes < LANES:
            t = depths[k]
            x, y, z = origin[0] + t * ray[0], origin[1] + t * ray[1], origin[2] + t * ray[2]
            if located(warp, cells, side, to_cells, x, y, z, lanes, unit):
                whose[lanes] = k
                lanes += 1
            else:
                raw[k] = empty
            k += 1
        if lanes == 0:
            return
        trunk(grid, layers, unit, inputs, hidden, out)
        for lane in range(lanes):
            raw[whose[lane]] = out[0, lane] + bias
            for p in range(said.shape[1]):
                said[whose[lane], p] = out[p, lane]


@njit_parallel
def cast(
    grid,  # these four as `hashgrid_loops.evaluate` has them
    layers,
    head,
    where,
    empty,  # raw density where nothing can be
    bias,
    origin,  # [3]
    rays,  # [N, 3]
    lengths,  # [N] of the rays' directions
    harmonics,  # [N, 16] of them
    near,  # [N]
    far,  # [N]
    coarse,
    fine,
    last,  # length of the interval behind the last sample
    background,
    begin,
    end,  # rays begin..end of the N are cast
    features,  # [3, N] float32, out
    depth,  # [N] float32, out; -1 where nothing was met
    alpha,  # [N] float32, out
):
    both, wide, outputs = coarse + fine, 2 * int(grid[1]) * len(grid[2]), len(layers[3])
    zero, one = np.float32(0.0), np.float32(1.0)
    inner = one / np.float32(max(coarse - 1, 1))
    for task in numba.prange((end - begin + RAYS - 1) // RAYS):
        scratch = (
            np.zeros((3, LANES), np.float32),
            np.zeros((wide, LANES), np.float32),
            np.zeros((len(layers[1]), LANES), np.float32),
            np.zeros((outputs, LANES), np.float32),
        )
        first, second = np.zeros((len(head[1]), LANES), np.float32), np.zeros((len(head[3]), LANES), np.float32)
        joined, colour = np.zeros((outputs + HARMONICS, LANES), np.float32), np.zeros((4, LANES), np.float32)
        whose, said = np.empty(LANES, np.int64), np.zeros((both, outputs), np.float32)
        depths, raw, weights = np.empty(both, np.float32), np.empty(both, np.float32), np.empty(both, np.float32)
        cdf, merged, sorted_raw = np.empty(both, np.float32), np.empty(both, np.float32), np.empty(both, np.float32)
        order, shares = np.empty(both, np.int64), np.empty(LANES, np.float32)
        for n in range(begin + task * RAYS, min(begin + (task + 1) * RAYS, end)):
            ray = rays[n]
            for k in range(coarse):
                t = np.float32(k) * inner
                depths[k] = near[n] * (one - t) + far[n] * t
            _ask(grid, layers, where, empty, bias, origin, ray, depths, 0, coarse, scratch, whose, raw, said)
            if fine > 0:
                opacities_behind(depths, raw, coarse, lengths[n], last, weights)
                weigh(weights, coarse)
                place(depths, weights, coarse, False, fine, cdf, depths[coarse:])
                _ask(grid, layers, where, empty, bias, origin, ray, depths, coarse, both, scratch, whose, raw, said)
            merge(depths, coarse, fine, order, merged)
            for k in range(both):
                sorted_raw[k] = raw[order[k]]
            opacities_behind(merged, sorted_raw, both, lengths[n], last, weights)
            weigh(weights, both)
            total, travelled, red, green, blue = zero, zero, zero, zero, zero
            lanes = 0
            for k in range(both):
                weight = weights[k]
                total += weight
                travelled += weight * merged[k]
                if weight > UNSEEN and sorted_raw[k] > empty:
                    for p in range(outputs):
                        joined[p, lanes] = said[order[k], p]
                    for p in range(HARMONICS):
                        joined[outputs + p, lanes] = harmonics[n, p]
                    shares[lanes] = weight
                    lanes += 1
                if lanes == LANES or (lanes > 0 and k == both - 1):
                    colours(head, joined, first, second, colour)
                    for lane in range(lanes):
                        red += shares[lane] * colour[0, lane]
                        green += shares[lane] * colour[1, lane]
                        blue += shares[lane] * colour[2, lane]
                    lanes = 0
            rest = background * (one - total)
            features[0, n], features[1, n], features[2, n] = red + rest, green + rest, blue + rest
            depth[n] = travelled / total if total > zero else -one
            alpha[n] = total
