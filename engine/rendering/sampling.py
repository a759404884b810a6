"""Where along a ray the field is asked: stratified samples first, then more of them where they count.

The families' official placements are here without their randomness, so that a frame depends on its state alone.
Training may pass a `torch.Generator` and gets the official jitter back.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...models.base import Sampler

# Added to every weight before importance sampling, so that no bin is left without samples.
EG3D_FLOOR = 0.01
PDF_FLOOR = 1e-5
# pi-GAN adds its own before the one that every sampler adds.
PIGAN_FLOOR = 1e-5


def stratified(
    near: Tensor,
    far: Tensor,
    count: int,
    sampler: Sampler,
    *,
    disparity: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """`count` increasing depths a ray (NeRF, eq. 2).

    'eg3d' shifts all of linspace(near, far) by half a step, so the last sample lies half a step past `far`; with a
    generator each is shifted by its own random part of a step. 'nerf' and 'pigan' take linspace(near, far) itself; with
    a generator each sample moves at random within its own bin ('nerf') or by up to half a step to either side.

    Args:
        near: [N]
        far: [N]
        count: samples a ray, at least 1.
        sampler: whose placement.
        disparity: uniform in 1 / depth; needs `near` > 0.
        generator: source of jitter, for training; None: none.

    Returns:
        depths [N, count]
    """
    step = 1.0 / max(count - 1, 1)
    t = torch.linspace(0.0, 1.0, count, dtype=near.dtype, device=near.device).expand(near.shape[0], count)  # [N, count]
    if sampler == "eg3d":
        t = t + step * (0.5 if generator is None else _random_like(t, generator))
        return _between(near, far, t, disparity)
    if sampler == "nerf" and not disparity:
        # NeRF's own order of the sum: another one moves samples by a rounding, which octaves of sines make visible.
        depths = near[:, None] * (1.0 - t) + far[:, None] * t
    else:
        depths = _between(near, far, t, disparity)
    if generator is None:
        return depths
    if sampler == "pigan":
        return depths + (_random_like(depths, generator) - 0.5) * step * (far - near)[:, None]
    middle = 0.5 * (depths[:, 1:] + depths[:, :-1])
    upper = torch.cat([middle, depths[:, -1:]], dim=-1)
    lower = torch.cat([depths[:, :1], middle], dim=-1)
    return lower + (upper - lower) * _random_like(depths, generator)


def importance(
    depths: Tensor,
    weights: Tensor,
    count: int,
    sampler: Sampler,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """`count` more depths a ray, drawn in proportion to the compositing weights of the coarse ones (NeRF, section 5.2).

    The bins' edges are the S - 1 middles between samples. 'nerf' gives the S - 2 bins the weights of the inner samples;
    'pigan' does too, but leaves twice as much in an empty one.
    'eg3d' holds S - 1 weights, one for each *middle*, blurs them (maximum, then mean, of neighbours), adds 0.01, and
    passes S - 3 of them along with the S - 1 edges: its density is shifted by half a bin and the last bin gets nothing.

    Args:
        depths: [N, S], increasing; S >= 4 for 'eg3d', else >= 3.
        weights: [N, S - 1] for 'eg3d' (quadrature 'midpoint'), else [N, S]. Either count is taken by either
            sampler: S - 1 weights are read as those of middles, S as those of samples.
        count: how many.
        sampler: whose placement.
        generator: source of randomness, for training; None: evenly spaced quantiles, 0 and 1 included.

    Returns:
        depths [N, count], without gradients, increasing when deterministic.
    """
    with torch.no_grad():
        edges = 0.5 * (depths[:, 1:] + depths[:, :-1])  # [N, S - 1]
        if sampler == "eg3d":
            weights = _blur(weights) + EG3D_FLOOR
        elif sampler == "pigan":
            weights = weights + PIGAN_FLOOR
        inner = weights[:, 1:-1]
        if generator is None:
            u = torch.linspace(0.0, 1.0, count, dtype=depths.dtype, device=depths.device).expand(len(depths), count)
        else:
            u = torch.rand(len(depths), count, dtype=depths.dtype, device=depths.device, generator=generator)
        return inverse_transform(edges, inner, u.contiguous())


def inverse_transform(edges: Tensor, weights: Tensor, u: Tensor) -> Tensor:
    """Quantiles of the piecewise constant density that `weights` put on the bins between `edges`.

    Args:
        edges: [N, B + 1], increasing; further edges are never reached.
        weights: [N, B], at least 0, not normalised.
        u: [N, count] in 0..1.

    Returns:
        depths [N, count]
    """
    pdf = weights + PDF_FLOOR
    pdf = pdf / pdf.sum(dim=-1, keepdim=True)
    cdf = torch.cat([torch.zeros_like(pdf[:, :1]), pdf.cumsum(dim=-1)], dim=-1)  # [N, B + 1]
    above = torch.searchsorted(cdf.contiguous(), u, right=True)  # [N, count]
    below = (above - 1).clamp_min(0)
    above = above.clamp_max(weights.shape[-1])
    low, high = cdf.gather(-1, below), cdf.gather(-1, above)
    start, end = edges.gather(-1, below), edges.gather(-1, above)
    height = high - low
    # A bin next to nothing has no inside to speak of; dividing by its height would only amplify rounding.
    height = torch.where(height < PDF_FLOOR, torch.ones_like(height), height)
    return start + (u - low) / height * (end - start)


def _between(near: Tensor, far: Tensor, t: Tensor, disparity: bool) -> Tensor:
    near, far = near[:, None], far[:, None]
    if disparity:
        return 1.0 / (1.0 / near * (1.0 - t) + 1.0 / far * t)
    return near + t * (far - near)


def _blur(weights: Tensor) -> Tensor:
    """mip-NeRF's blur (Barron et al. 2021, eq. 18): means of neighbouring maxima; [N, W] -> [N, W]."""
    padded = torch.nn.functional.pad(weights, (1, 1), value=float("-inf"))
    maxima = torch.maximum(padded[:, 1:], padded[:, :-1])  # [N, W + 1]
    return 0.5 * (maxima[:, 1:] + maxima[:, :-1])


def _random_like(values: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(values.shape, dtype=values.dtype, device=values.device, generator=generator)
