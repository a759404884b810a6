"""From samples along a ray to one pixel: the volume rendering integral as NeRF and EG3D evaluate it, differentiably.

    C(r) = integral of T(t) sigma(r(t)) c(r(t), d) dt,  T(t) = exp(-integral of sigma up to t)       (NeRF, eq. 1)
    C^(r) = sum_i T_i (1 - exp(-sigma_i delta_i)) c_i,  T_i = product over j < i of exp(-sigma_j delta_j)  (NeRF, eq. 3)

With alpha_i = 1 - exp(-sigma_i delta_i) the weights are w_i = alpha_i product_{j < i} (1 - alpha_j) (NeRF, eq. 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Activation, VolumeSettings

# Keeps the running product from becoming 0, whose gradient would be lost; part of both official integrators.
TRANSMITTANCE_FLOOR = 1e-10


@dataclass(frozen=True)
class Composite:
    """What a bundle of rays gathered."""

    features: Tensor
    """[N, C] over the background."""
    depth: Tensor
    """[N] expected depth sum_i w_i t_i / sum_i w_i; nan where a ray met nothing at all."""
    alpha: Tensor
    """[N] sum_i w_i."""


def activate(raw: Tensor, activation: Activation) -> Tensor:
    """Raw density -> density >= 0, of any shape, in 1 / world units."""
    match activation:
        case "softplus_shifted":
            # The shift makes a fresh network start out nearly empty (mip-NeRF, section 3.3).
            return F.softplus(raw - 1.0)
        case "softplus":
            return F.softplus(raw)
        case "relu":
            return F.relu(raw)
        case "exp":
            return raw.exp()
    raise ValueError(f"density activation is {activation!r}; expected softplus_shifted, softplus, relu or exp")


def opacities(volume: VolumeSettings, depths: Tensor, raw: Tensor, lengths: Tensor) -> Tensor:
    """alpha_i = 1 - exp(-sigma_i delta_i) of each interval.

    'midpoint': the S - 1 intervals between samples, each with the activated *mean* of its two ends' raw densities
    (EG3D's marcher). 'left': S intervals, each with the density at its start; the last is `last_interval` long.

    Args:
        volume: quadrature, activation, last_interval.
        depths: [N, S], increasing.
        raw: [N, S]
        lengths: [N] norms of the rays' directions, which turn differences of depth into lengths.

    Returns:
        alpha [N, S - 1] or [N, S], in 0..1.
    """
    deltas = depths[:, 1:] - depths[:, :-1]  # [N, S - 1]
    if volume.quadrature == "midpoint":
        raw = 0.5 * (raw[:, 1:] + raw[:, :-1])
    else:
        deltas = torch.cat([deltas, torch.full_like(depths[:, :1], volume.last_interval)], dim=-1)  # [N, S]
    return 1.0 - torch.exp(-activate(raw, volume.activation) * deltas * lengths[:, None])


def transmittance(alpha: Tensor) -> Tensor:
    """T_i, the part of the light that reaches interval i: [N, S] -> [N, S], 1 at first and never rising."""
    through = torch.cumprod(1.0 - alpha + TRANSMITTANCE_FLOOR, dim=-1)
    return torch.cat([torch.ones_like(alpha[:, :1]), through[:, :-1]], dim=-1)


def compositing_weights(volume: VolumeSettings, depths: Tensor, raw: Tensor, lengths: Tensor) -> Tensor:
    """w_i = T_i alpha_i (NeRF, eq. 5), arguments and shapes as in `opacities`.

    With `opaque_end` the last weight also takes what light is left, so that they sum to 1.
    """
    alpha = opacities(volume, depths, raw, lengths)
    weights = transmittance(alpha) * alpha
    if volume.opaque_end:
        rest = 1.0 - weights.sum(dim=-1, keepdim=True)
        weights = torch.cat([weights[:, :-1], weights[:, -1:] + rest], dim=-1)
    return weights


def composite(volume: VolumeSettings, depths: Tensor, raw: Tensor, features: Tensor, lengths: Tensor) -> Composite:
    """C^ = sum_i w_i c_i and its companions, over black or white.

    Args:
        volume: how.
        depths: [N, S], increasing.
        raw: [N, S] raw density.
        features: [N, S, C] in 0..1.
        lengths: [N] norms of the rays' directions.
    """
    weights = compositing_weights(volume, depths, raw, lengths)
    if volume.quadrature == "midpoint":
        depths = 0.5 * (depths[:, 1:] + depths[:, :-1])
        features = 0.5 * (features[:, 1:] + features[:, :-1])
    alpha = weights.sum(dim=-1)
    gathered = (weights[:, None] @ features)[:, 0]  # [N, C]
    depth = (weights * depths).sum(dim=-1) / alpha
    if volume.white_background:
        gathered = gathered + (1.0 - alpha)[:, None]
    return Composite(gathered, depth, alpha)
