"""The compiled loops behind `QuickTriPlane.render_exact`: EG3D's official two passes, ray by ray.

The hidden layer of every sample is kept, so that the second pass, the sorted union and the colours ask the planes only
once. A colour that enters the pixel with less than `UNSEEN` is not computed; with 96 samples that is at most 1e-5.
"""

from __future__ import annotations

import numba
import numpy as np

from .lane_math import sigmoid, softplus
from .lanes import LANES, ROWS, affine, lane_loops
from .numba_setup import njit_parallel
from .ray_loops import merge, opacities_between, place, weigh
from .triplane_loops import look_up

RAYS = 32
"""Rays that share a task's scratch memory."""

UNSEEN = np.float32(1e-7)


@lane_loops
def _densities(
    flat, side, channels, scale, w1, b1, wd, bd, origin, ray, depths, first, last, line, inputs, out, hidden, raw
):
    """Raw densities of samples first..last of a ray, whose hidden layers go to hidden [packets, H, LANES]; `first` is
    a multiple of `LANES`."""
    for packet in range(first // LANES, (last + LANES - 1) // LANES):
        at = packet * LANES
        lanes = min(LANES, last - at)
        for lane in range(lanes):
            t = depths[at + lane]
            x, y, z = origin[0] + t * ray[0], origin[1] + t * ray[1], origin[2] + t * ray[2]
            look_up(flat, side, channels, scale, x, y, z, lane, line, inputs)
        layer = hidden[packet]
        affine(w1, b1, inputs, layer)  # pyright: ignore[reportCallIssue]
        values = layer.reshape(-1)
        for n in range(values.size):
            values[n] = softplus(values[n])
        affine(wd, bd, layer, out)  # pyright: ignore[reportCallIssue]
        for lane in range(lanes):
            raw[at + lane] = out[0, lane]


@njit_parallel
def cast(
    planes,  # [2, R, R, C] float32, C a multiple of LANES
    w1,  # [H, up to C]
    b1,  # [H]
    w2,  # [P, H]: raw density, features
    b2,  # [P]
    scale,  # world units to -1..1
    origin,  # [3]
    rays,  # [N, 3] unit directions
    near,  # [N]
    far,  # [N]
    coarse,
    fine,
    background,
    begin,
    end,  # rays begin..end of the N are cast
    features,  # [F, N] float32, out
    depth,  # [N] float32, out; -1 where nothing was met
    alpha,  # [N] float32, out
):
    count = len(features)
    side, channels = planes.shape[1], planes.shape[3]
    flat = planes.ravel()
    zero, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    inner = one / np.float32(max(coarse - 1, 1))
    # Fine samples start a packet of their own.
    whole = (coarse + LANES - 1) // LANES * LANES
    packets = whole // LANES + (fine + LANES - 1) // LANES
    both = coarse + fine
    wd, bd = w2[:ROWS], b2[:ROWS]
    for task in numba.prange((end - begin + RAYS - 1) // RAYS):
        line, inputs = np.empty(channels, np.float32), np.zeros((channels, LANES), np.float32)
        hidden, outputs = np.zeros((packets, len(b1), LANES), np.float32), np.empty((len(b2), LANES), np.float32)
        depths, raw = np.empty(packets * LANES, np.float32), np.empty(packets * LANES, np.float32)
        share, sums = np.empty(packets * LANES, np.float32), np.empty(count, np.float32)
        weights, cdf = np.empty(both, np.float32), np.empty(both, np.float32)
        joined, merged, order = np.empty(both, np.float32), np.empty(both, np.float32), np.empty(both, np.int64)
        union = np.empty(both, np.float32)
        for n in range(begin + task * RAYS, min(begin + (task + 1) * RAYS, end)):
            ray = rays[n]
            stretch = far[n] - near[n]
            for k in range(coarse):
                depths[k] = near[n] + (np.float32(k) * inner + half * inner) * stretch
            _densities(
                flat,
                side,
                channels,
                scale,
                w1,
                b1,
                wd,
                bd,
                origin,
                ray,
                depths,
                0,
                coarse,
                line,
                inputs,
                outputs,
                hidden,
                raw,
            )
            for k in range(coarse):
                union[k], joined[k] = depths[k], raw[k]
            if fine > 0:
                opacities_between(depths, raw, coarse, weights)
                weigh(weights, coarse - 1)
                place(depths, weights, coarse, True, fine, cdf, union[coarse:])
                for k in range(fine):
                    depths[whole + k] = union[coarse + k]
                _densities(
                    flat,
                    side,
                    channels,
                    scale,
                    w1,
                    b1,
                    wd,
                    bd,
                    origin,
                    ray,
                    depths,
                    whole,
                    whole + fine,
                    line,
                    inputs,
                    outputs,
                    hidden,
                    raw,
                )
            merge(union, coarse, fine, order, merged)
            for k in range(both):
                if order[k] >= coarse:
                    order[k] += whole - coarse
                joined[k] = raw[order[k]]
            opacities_between(merged, joined, both, weights)
            weigh(weights, both - 1)
            share[:] = zero
            total, travelled = zero, zero
            for k in range(both - 1):
                weight = weights[k]
                share[order[k]] += half * weight
                share[order[k + 1]] += half * weight
                total += weight
                travelled += weight * (merged[k] + merged[k + 1])
            sums[:] = zero
            for packet in range(packets):
                at = packet * LANES
                seen = False
                for lane in range(LANES):
                    seen |= share[at + lane] > UNSEEN
                if not seen:
                    continue
                affine(w2, b2, hidden[packet], outputs)  # pyright: ignore[reportCallIssue]
                values = outputs.reshape(-1)
                for k in range(LANES, LANES * (1 + count)):
                    values[k] = sigmoid(values[k])
                for f in range(count):
                    value = zero
                    for lane in range(LANES):
                        value += share[at + lane] * outputs[1 + f, lane]
                    sums[f] += value
            spread = np.float32(1e-3) * total  # sigmoids are widened to -.001..1.001
            for f in range(count):
                features[f, n] = sums[f] * np.float32(1.002) - spread + background * (one - total)
            depth[n] = half * travelled / total if total > zero else -one
            alpha[n] = total
