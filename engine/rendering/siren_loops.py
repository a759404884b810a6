"""The compiled loops behind `siren_quick`: a pi-GAN at points, and its official two passes along rays.

Rays are followed many at a time, front to back, a few samples of each before it is asked whether it is opaque; their
samples go through the layers 32 together (`siren_lanes.py`), whichever rays they belong to. The trunk of a sample that
holds something is kept, so that a colour, asked only where it is seen, costs the colour's layers alone. A sample where
nothing can be is not asked. `exact.render_rays` is the readable twin.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .lane_math import exp, sigmoid
from .lanes import lane_loops
from .numba_setup import njit_parallel
from .ray_loops import merge, place
from .sampling import PIGAN_FLOOR
from .siren_lanes import OUTPUTS, PACKET, outputs, waves

RAYS = 64
"""Rays that are followed together: enough for whole packets as long as an eighth of them goes on."""
FIRST = 4
"""Samples of a ray that are asked before it is asked whether it is opaque."""
ROOM = max(RAYS * FIRST, PACKET)
"""Samples asked together, at most."""

EMPTY = np.float32(-1.0)
"""Raw density where nothing is; any number below zero means that."""
_UNKNOWN, _NOTHING = np.int32(-2), np.int32(-1)


@lane_loops
def _phi(trunk, one, two) -> Any:
    """Points in the first three rows of `one` [W + 3, PACKET] through all layers of the trunk; the buffer with the
    result, of which the first W rows are written, and the other one."""
    first, shift, weights, biases, _, _ = trunk
    waves(first, shift, one, two)  # pyright: ignore[reportCallIssue]
    for n in range(len(weights)):
        one, two = two, one
        waves(weights[n], biases[n], one, two)  # pyright: ignore[reportCallIssue]
    return two, one


@lane_loops
def _colours(head, hidden, spare, out):
    """Colours, rows 0 to 2 of out [OUTPUTS, PACKET] in 0..1, of trunks with directions in their last three rows."""
    first, shift, weights, biases, last, offset = head
    waves(first, shift, hidden, spare)  # pyright: ignore[reportCallIssue]
    for n in range(len(weights)):
        hidden, spare = spare, hidden
        waves(weights[n], biases[n], hidden, spare)  # pyright: ignore[reportCallIssue]
    outputs(last, offset, spare, out)  # pyright: ignore[reportCallIssue]
    flat = out.reshape(-1)
    for n in range(3 * PACKET):
        flat[n] = sigmoid(flat[n])


@njit_parallel
def evaluate(trunk, head, points, directions, raw, rgb):
    """Raw densities, and colours where they are wanted, at points.

    Args:
        trunk, head: of the density and of the colour, weights `packed` and biases of the first layer [G, 3, 8] or
            [G, W + 3, 8], [W], of the others [L, G, W, 8], [L, W], and of the outputs [1, W, 4], [4].
        points: [N, 3] float32.
        directions: [N, 3] unit vectors, or [0, 3] where none matter.
        raw: [N], is written.
        rgb: [N, 3] in 0..1, or [0, 3], is written.
    """
    width = trunk[4].shape[1]
    group = 32 * PACKET
    for task in numba.prange((len(points) + group - 1) // group):
        one, two = np.zeros((width + 3, PACKET), np.float32), np.zeros((width + 3, PACKET), np.float32)
        out = np.zeros((OUTPUTS, PACKET), np.float32)
        for packet in range(task * group, min((task + 1) * group, len(points)), PACKET):
            lanes = min(PACKET, len(points) - packet)
            for lane in range(lanes):
                for axis in range(3):
                    one[axis, lane] = points[packet + lane, axis]
            hidden, spare = _phi(trunk, one, two)
            outputs(trunk[4], trunk[5], hidden, out)  # pyright: ignore[reportCallIssue]
            for lane in range(lanes):
                raw[packet + lane] = out[0, lane]
            if len(rgb) > 0:
                if len(directions) > 0:
                    for lane in range(lanes):
                        for axis in range(3):
                            hidden[width + axis, lane] = directions[packet + lane, axis]
                _colours(head, hidden, spare, out)
                for lane in range(lanes):
                    for channel in range(3):
                        rgb[packet + lane, channel] = out[channel, lane]


@lane_loops
def _may_hold(where, x, y, z):
    """Whether there may be something at a point."""
    box, cells, shape, per_unit = where
    if x < box[0] or y < box[1] or z < box[2] or x > box[3] or y > box[4] or z > box[5]:
        return False
    if cells.size == 0:
        return True
    i = min(int((x - box[0]) * per_unit[0]), shape[0] - 1)
    j = min(int((y - box[1]) * per_unit[1]), shape[1] - 1)
    k = min(int((z - box[2]) * per_unit[2]), shape[2] - 1)
    return cells[(i * shape[1] + j) * shape[2] + k]


@lane_loops
def _follow(
    trunk, where, origin, rays, lengths, mine, counts, last, closed, clear, state, samples, trunks, kept, scratch
):
    """Follows rays through their first counts [n] samples in order: their weights, asking for what is not known yet.

    Args:
        where: see `cast`.
        mine: [n] which of the `rays` these are.
        last: length of the interval behind the last sample.
        closed: whether the last sample takes what light is left; then it is asked wherever it is.
        clear: transmittance under which a ray is not followed further.
        state: at [n], through [n], alive [n].
        samples: by ray: depths [n, S] in the order in which they were made, order [n, S], sorted depths [n, S],
            raw [n, S] and slot [n, S] as made, weights [n, S] as sorted; the last is written, raw and slot as far as
            they are found out.
        trunks: [n S, W] kept trunks.
        kept: how many there are.
        scratch: one, two, out, whose, which.

    Returns:
        How many trunks are kept now.
    """
    at, through, alive = state
    depths, order, merged, raw, slot, weights = samples
    one, two, out, whose, which = scratch
    width = trunks.shape[1]
    zero, unit = np.float32(0.0), np.float32(1.0)
    living = len(mine)
    for n in range(living):
        at[n], through[n], alive[n] = 0, unit, n
    while living > 0:
        found, ahead = 0, max(FIRST, PACKET // living)
        for m in range(living):
            n = alive[m]
            ray, k, count, limit = rays[mine[n]], at[n], counts[n], found + ahead
            while k < count and found < limit:
                s = order[n, k]
                if slot[n, s] == _UNKNOWN:
                    t = depths[n, s]
                    x, y, z = origin[0] + t * ray[0], origin[1] + t * ray[1], origin[2] + t * ray[2]
                    if _may_hold(where, x, y, z) or (closed and k == count - 1):
                        whose[found], which[found] = n, s
                        found += 1
                    else:
                        raw[n, s], slot[n, s] = EMPTY, _NOTHING
                k += 1
        for packet in range(0, found, PACKET):
            lanes = min(PACKET, found - packet)
            for lane in range(lanes):
                n, s = whose[packet + lane], which[packet + lane]
                for axis in range(3):
                    one[axis, lane] = origin[axis] + depths[n, s] * rays[mine[n], axis]
            hidden, _ = _phi(trunk, one, two)
            outputs(trunk[4], trunk[5], hidden, out)  # pyright: ignore[reportCallIssue]
            for lane in range(lanes):
                n, s = whose[packet + lane], which[packet + lane]
                raw[n, s], slot[n, s] = out[0, lane], _NOTHING
                if out[0, lane] > zero or (closed and s == order[n, counts[n] - 1]):
                    for i in range(width):
                        trunks[kept, i] = hidden[i, lane]
                    slot[n, s] = kept
                    kept += 1
        still = 0
        for m in range(living):
            n = alive[m]
            k, count, left, length = at[n], counts[n], through[n], lengths[mine[n]]
            while k < count and left > clear and slot[n, order[n, k]] != _UNKNOWN:
                delta = merged[n, k + 1] - merged[n, k] if k < count - 1 else last
                passed = exp(-max(raw[n, order[n, k]], zero) * delta * length)
                weights[n, k] = left * (unit - passed)
                left *= passed
                k += 1
            at[n], through[n] = k, left
            if k < count and left > clear:
                alive[still] = n
                still += 1
        living = still
    for n in range(len(mine)):
        count = counts[n]
        for k in range(at[n], count):
            weights[n, k] = zero
        if closed and slot[n, order[n, count - 1]] != _UNKNOWN:
            weights[n, count - 1] += through[n]
    return kept


@njit_parallel
def cast(
    trunk,  # these two as `evaluate` has them
    head,
    where,  # box [6] outside of which nothing is, cells [nx ny nz] bool or none, their shape [3], cells per unit [3]
    origin,  # [3]
    rays,  # [N, 3]
    lengths,  # [N] of the rays' directions
    near,  # [N]
    far,  # [N]
    coarse,  # [N] evenly spaced samples
    fine,  # importance samples
    last,  # length of the interval behind the last sample
    closed,  # whether the last sample takes what light is left
    clear,  # transmittance under which a ray is not followed further
    unseen,  # weight under which a colour is not computed
    background,
    wanted,  # [M] which rays are cast
    begin,
    end,  # of those
    features,  # [3, N] float32, out
    depth,  # [N] float32, out; -1 where nothing was met
    alpha,  # [N] float32, out
):
    both, width = coarse.max() + fine, trunk[4].shape[1]
    zero, unit = np.float32(0.0), np.float32(1.0)
    tasks = (end - begin + RAYS - 1) // RAYS
    for task in numba.prange(tasks):
        # Rays from all over the picture, so that every task has its share of empty ones.
        mine = wanted[begin + task : end : tasks]
        many = len(mine)
        one, two = np.zeros((width + 3, PACKET), np.float32), np.zeros((width + 3, PACKET), np.float32)
        out = np.zeros((OUTPUTS, PACKET), np.float32)
        whose, which = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64)
        scratch = (one, two, out, whose, which)
        state = (np.empty(many, np.int64), np.empty(many, np.float32), np.empty(many, np.int64))
        depths, merged = np.empty((many, both), np.float32), np.empty((many, both), np.float32)
        raw, weights = np.empty((many, both), np.float32), np.empty((many, both), np.float32)
        order, slot = np.empty((many, both), np.int64), np.full((many, both), _UNKNOWN)
        samples = (depths, order, merged, raw, slot, weights)
        trunks, cdf, sums = np.empty((many * both, width), np.float32), np.empty(both, np.float32), np.zeros((many, 3))
        counts = np.empty(many, np.int64)
        for n in range(many):
            counts[n] = coarse[mine[n]]
            start, stretch = near[mine[n]], far[mine[n]] - near[mine[n]]
            inner = unit / np.float32(max(counts[n] - 1, 1))
            for k in range(counts[n]):
                depths[n, k] = start + np.float32(k) * inner * stretch
                merged[n, k], order[n, k] = depths[n, k], k
        kept = _follow(
            trunk, where, origin, rays, lengths, mine, counts, last, closed, clear, state, samples, trunks, 0, scratch
        )
        if fine > 0:
            for n in range(many):
                count = counts[n]
                for k in range(count):
                    weights[n, k] += PIGAN_FLOOR
                place(depths[n], weights[n], count, False, fine, cdf, depths[n, count:])
                merge(depths[n], count, fine, order[n], merged[n])
                counts[n] = count + fine
            kept = _follow(
                trunk,
                where,
                origin,
                rays,
                lengths,
                mine,
                counts,
                last,
                closed,
                clear,
                state,
                samples,
                trunks,
                kept,
                scratch,
            )
        lanes = 0
        for n in range(many):
            for k in range(counts[n]):
                s = order[n, k]
                if weights[n, k] > unseen and slot[n, s] >= 0:
                    for i in range(width):
                        one[i, lanes] = trunks[slot[n, s], i]
                    for axis in range(3):
                        one[width + axis, lanes] = rays[mine[n], axis] / lengths[mine[n]]
                    whose[lanes], which[lanes] = n, k
                    lanes += 1
                if lanes == PACKET or (lanes > 0 and n == many - 1 and k == counts[n] - 1):
                    _colours(head, one, two, out)
                    for lane in range(lanes):
                        weight = weights[whose[lane], which[lane]]
                        for channel in range(3):
                            sums[whose[lane], channel] += weight * out[channel, lane]
                    lanes = 0
        for n in range(many):
            total, travelled = zero, zero
            for k in range(counts[n]):
                total += weights[n, k]
                travelled += weights[n, k] * merged[n, k]
            for channel in range(3):
                features[channel, mine[n]] = np.float32(sums[n, channel]) + background * (unit - total)
            depth[mine[n]] = travelled / total if total > zero else -unit
            alpha[mine[n]] = total
