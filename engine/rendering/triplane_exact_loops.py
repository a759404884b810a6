"""The compiled loops behind `QuickTriPlane.render_exact`: EG3D's official two passes, ray by ray.

The hidden layer of every sample is kept, so that the second pass, the sorted union and the colours ask the planes only
once. Sixteen samples are evaluated together, and only where more than `UNSEEN` of a ray's light still arrives. A colour
that enters the pixel with less is not computed either. With 96 samples that is at most 1e-5.
"""

from __future__ import annotations

import numba
import numpy as np

from .lane_math import sigmoid, softplus
from .lanes import LANES, affine_of_rows, lane_loops
from .numba_setup import njit_parallel
from .ray_loops import THROUGH_FLOOR, merge, opacities_between, place
from .triplane_loops import look_up_line

RAYS = 32
"""Rays that share a task's scratch memory."""

UNSEEN = np.float32(1e-7)


@lane_loops
def _evaluate(flat, side, scale, w1, b1, density, shift, origin, ray, depths, inputs, hidden, raw):
    """Raw densities of sixteen samples of a ray, at depths [LANES]; their hidden layers go to hidden [LANES, H]."""
    for lane in range(LANES):
        t = depths[lane]
        x, y, z = origin[0] + t * ray[0], origin[1] + t * ray[1], origin[2] + t * ray[2]
        look_up_line(flat, side, len(w1), scale, x, y, z, inputs[lane])
    affine_of_rows(inputs, w1, b1, hidden)  # pyright: ignore[reportCallIssue]
    values = hidden.reshape(-1)
    for n in range(values.size):
        values[n] = softplus(values[n])
    for lane in range(LANES):
        total = shift
        for n in range(len(b1)):
            total += density[n] * hidden[lane, n]
        raw[lane] = total


@lane_loops
def _weigh(
    flat,
    side,
    scale,
    w1,
    b1,
    density,
    shift,
    origin,
    ray,
    depths,
    inputs,
    hidden,
    raw,
    known,
    slots,
    at,
    found,
    weights,
):
    """Compositing weights [count - 1] of the intervals between `count` samples in the order of their depth.

    Args:
        flat, side, scale, w1, b1, density, shift: see `cast`.
        origin, ray: [3] each.
        depths: of all samples, [packets LANES].
        inputs: scratch [LANES, C].
        hidden: [packets, LANES, H], is written for packets that are evaluated.
        raw: [packets LANES], likewise.
        known: [packets], which are; is written.
        slots: [count], where in `depths` each sample is.
        at: [count], its depth.
        found: [count], scratch for its density.
        weights: is written.

    Returns:
        How many intervals were looked at; the others' weights are 0.
    """
    one, through, done, intervals = np.float32(1.0), np.float32(1.0), 0, len(slots) - 1
    while done < intervals and through > UNSEEN:
        stop = min(done + LANES, intervals)
        for k in range(done, stop + 1):
            packet = slots[k] // LANES
            if not known[packet]:
                known[packet] = True
                first, end = packet * LANES, (packet + 1) * LANES
                _evaluate(
                    flat,
                    side,
                    scale,
                    w1,
                    b1,
                    density,
                    shift,
                    origin,
                    ray,
                    depths[first:end],
                    inputs,
                    hidden[packet],
                    raw[first:end],
                )
            found[k] = raw[slots[k]]
        opacities_between(at[done:], found[done:], stop + 1 - done, weights[done:])
        for k in range(done, stop):
            alpha = weights[k]
            weights[k] = through * alpha
            through *= one - alpha + THROUGH_FLOOR
        done = stop
    weights[done:intervals] = np.float32(0.0)
    return done


@njit_parallel
def cast(
    planes,  # [2, R, R, C] float32, C a multiple of LANES
    w1,  # [C, H], H a multiple of LANES
    b1,  # [H]
    density,  # [H], the output that is the raw density
    shift,  # its bias
    w2,  # [H, P], P a multiple of LANES: the features
    b2,  # [P]
    scale,  # world units to -1..1
    origin,  # [3]
    rays,  # [N, 3] unit directions, row by row of the picture
    near,  # [N]
    far,  # [N]
    height,  # rows of the picture
    coarse,
    fine,
    background,
    begin,
    end,  # rays begin..end of the N are cast, counted column by column
    features,  # [F, N] float32, out
    depth,  # [N] float32, out; -1 where nothing was met
    alpha,  # [N] float32, out
):
    count, width = len(features), len(rays) // height
    side, flat = planes.shape[1], planes.ravel()
    zero, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    inner = one / np.float32(max(coarse - 1, 1))
    # Fine samples start a packet of their own.
    whole = (coarse + LANES - 1) // LANES * LANES
    packets = whole // LANES + (fine + LANES - 1) // LANES
    both = coarse + fine
    for task in numba.prange((end - begin + RAYS - 1) // RAYS):
        inputs, outputs = np.empty((LANES, len(w1)), np.float32), np.empty((LANES, len(b2)), np.float32)
        hidden, known = np.empty((packets, LANES, len(b1)), np.float32), np.empty(packets, np.bool_)
        depths, raw = np.zeros(packets * LANES, np.float32), np.empty(packets * LANES, np.float32)
        share, sums = np.empty(packets * LANES, np.float32), np.empty(len(b2), np.float32)
        weights, cdf, found = np.empty(both, np.float32), np.empty(both, np.float32), np.empty(both, np.float32)
        union, merged, slots = np.empty(both, np.float32), np.empty(both, np.float32), np.empty(both, np.int64)
        for ordered in range(begin + task * RAYS, min(begin + (task + 1) * RAYS, end)):
            # Rays below each other meet the same places of the second plane, which are then in the cache.
            n = ordered % height * width + ordered // height
            ray = rays[n]
            stretch = far[n] - near[n]
            known[:] = False
            for k in range(coarse):
                depths[k] = near[n] + (np.float32(k) * inner + half * inner) * stretch
                union[k], slots[k] = depths[k], k
            if fine > 0:
                _weigh(
                    flat,
                    side,
                    scale,
                    w1,
                    b1,
                    density,
                    shift,
                    origin,
                    ray,
                    depths,
                    inputs,
                    hidden,
                    raw,
                    known,
                    slots[:coarse],
                    union[:coarse],
                    found,
                    weights,
                )
                place(depths, weights, coarse, True, fine, cdf, union[coarse:])
                for k in range(fine):
                    depths[whole + k] = union[coarse + k]
            merge(union, coarse, fine, slots, merged)
            for k in range(both):
                if slots[k] >= coarse:
                    slots[k] += whole - coarse
            seen = _weigh(
                flat,
                side,
                scale,
                w1,
                b1,
                density,
                shift,
                origin,
                ray,
                depths,
                inputs,
                hidden,
                raw,
                known,
                slots,
                merged,
                found,
                weights,
            )
            share[:] = zero
            total, travelled = zero, zero
            for k in range(seen):
                weight = weights[k]
                share[slots[k]] += half * weight
                share[slots[k + 1]] += half * weight
                total += weight
                travelled += weight * (merged[k] + merged[k + 1])
            sums[:] = zero
            for packet in range(packets):
                at = packet * LANES
                visible = False
                for lane in range(LANES):
                    visible |= share[at + lane] > UNSEEN
                if not visible:
                    continue
                affine_of_rows(hidden[packet], w2, b2, outputs)  # pyright: ignore[reportCallIssue]
                values = outputs.reshape(-1)
                for k in range(values.size):
                    values[k] = sigmoid(values[k])
                for lane in range(LANES):
                    part = share[at + lane]
                    for f in range(len(b2)):
                        sums[f] += part * outputs[lane, f]
            spread = np.float32(1e-3) * total  # sigmoids are widened to -.001..1.001
            for f in range(count):
                features[f, n] = sums[f] * np.float32(1.002) - spread + background * (one - total)
            depth[n] = half * travelled / total if total > zero else -one
            alpha[n] = total
