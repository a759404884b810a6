"""Samples of one ray in compiled loops: the exact renderer's opacities, importance samples and sorted union.

`integrate.py` and `sampling.py` are the readable twins; the constants are theirs.
"""

from __future__ import annotations

import numpy as np

from .integrate import TRANSMITTANCE_FLOOR
from .lane_math import exp, softplus
from .lanes import lane_loops
from .sampling import EG3D_FLOOR, PDF_FLOOR

THROUGH_FLOOR, _BLURRED, _PDF = np.float32(TRANSMITTANCE_FLOOR), np.float32(EG3D_FLOOR), np.float32(PDF_FLOOR)

THICKEST = np.float32(60.0)
"""Logarithm of the greatest density that is told from a greater one."""


@lane_loops
def opacities_between(depths, raw, count, alpha):
    """alpha [count - 1] of the intervals between samples, by EG3D's marcher: softplus of the mean raw value less 1."""
    for i in range(count - 1):
        density = softplus((raw[i] + raw[i + 1]) * np.float32(0.5) - np.float32(1.0))
        alpha[i] = np.float32(1.0) - exp(-density * (depths[i + 1] - depths[i]))


@lane_loops
def opacities_behind(depths, raw, count, length, last, alpha):
    """alpha [count] of the intervals behind samples, by NeRF (eq. 3) with the density exp(raw); `length` turns depths
    into distances, the last interval is `last` long."""
    for i in range(count):
        delta = depths[i + 1] - depths[i] if i < count - 1 else last
        alpha[i] = np.float32(1.0) - exp(-exp(min(raw[i], THICKEST)) * delta * length)


@lane_loops
def weigh(alpha, count):
    """Turns opacities [count] into compositing weights T alpha (NeRF, eq. 5) in place."""
    through = np.float32(1.0)
    for i in range(count):
        weight = through * alpha[i]
        through *= np.float32(1.0) - alpha[i] + THROUGH_FLOOR
        alpha[i] = weight


@lane_loops
def place(depths, weights, coarse, blurred, fine, cdf, out):
    """`fine` quantiles of the density that weights put on the bins between the middles of samples; as `importance`.

    Args:
        depths: [coarse] of the coarse samples.
        weights: [coarse - 1] of intervals where `blurred` (EG3D), else [coarse] of samples (NeRF).
        coarse: samples.
        blurred: whose placement.
        fine: how many.
        cdf: [coarse] scratch.
        out: [fine], is written; increasing.
    """
    bins = coarse - 3 if blurred else coarse - 2
    total = 0.0
    for b in range(bins):
        here = weights[b + 1]
        if blurred:
            here = np.float32(0.5) * (max(weights[b], here) + max(here, weights[b + 2])) + _BLURRED
        cdf[b + 1] = here + _PDF
        total += cdf[b + 1]
    scale, running = np.float32(total), 0.0
    cdf[0] = np.float32(0.0)
    for b in range(bins):
        running += cdf[b + 1] / scale
        cdf[b + 1] = np.float32(running)
    above, before = 1, depths[0]
    step = np.float32(1.0) / np.float32(max(fine - 1, 1))
    for n in range(fine):
        u = np.float32(n) * step if n < fine - 1 or fine == 1 else np.float32(1.0)
        while above <= bins and cdf[above] <= u:
            above += 1
        low, high = above - 1, min(above, bins)
        height = cdf[high] - cdf[low]
        # A bin next to nothing has no inside to speak of; dividing by its height would only amplify rounding.
        height = np.float32(1.0) if height < _PDF else height
        start = np.float32(0.5) * (depths[low] + depths[low + 1])
        end = np.float32(0.5) * (depths[high] + depths[high + 1])
        before = max(before, start + (u - cdf[low]) / height * (end - start))
        out[n] = before


@lane_loops
def merge(depths, coarse, fine, order, merged):
    """Sorts depths [coarse + fine], two increasing runs: merged [coarse + fine] and where each came from, order."""
    a, b, both = 0, coarse, coarse + fine
    for k in range(both):
        if b >= both or (a < coarse and depths[a] <= depths[b]):
            order[k], merged[k] = a, depths[a]
            a += 1
        else:
            order[k], merged[k] = b, depths[b]
            b += 1
