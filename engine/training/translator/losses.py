"""What a painted frame is judged by: pyramids, structure, critics and its past. Pictures are [N, 3, H, W], -1..1."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .discriminator import Judgement

_LEVELS = (1.0, 1.0, 0.7, 0.5, 1.0)
"""Weights of a Laplacian pyramid's levels, fine to coarse."""
_OWN = 0.35
"""Share of the two finest levels when a frame continues a past that was painted: the past decides where grain lies."""
_C1, _C2 = 0.01**2, 0.03**2  # of SSIM, for a range of 1
_LUMA = (0.299, 0.587, 0.114)


def laplacian_loss(painted: Tensor, photo: Tensor, own_past: bool = False) -> Tensor:
    """Mean absolute differences of both pictures' Laplacian pyramids (5 levels), weighted and summed.

    The pyramid is linear: it is that of the difference.
    """
    rest = painted.float() - photo.float()
    total = rest.new_zeros(())
    for level, weight in enumerate(_LEVELS):
        if level == len(_LEVELS) - 1 or min(rest.shape[-2:]) < 2:
            return total + weight * rest.abs().mean()
        below = F.avg_pool2d(rest, 2)
        fine = rest - F.interpolate(below, rest.shape[-2:], mode="bilinear")
        total = total + weight * (_OWN if own_past and level < 2 else 1.0) * fine.abs().mean()
        rest = below
    return total


def structure_loss(painted: Tensor, photo: Tensor) -> Tensor:
    """1 - SSIM of lumas (Wang et al. 2004, equation 13, Gaussian of sigma 1.5), 0..2."""
    weights = torch.tensor(_LUMA, device=painted.device).view(1, 3, 1, 1)
    # 0..1: the measure depends on where black is.
    x, y = (((p.float() * 0.5 + 0.5) * weights).sum(1, keepdim=True) for p in (painted, photo))
    mean_x, mean_y, xx, yy, xy = _blurred(torch.cat([x, y, x * x, y * y, x * y], 1)).unbind(1)
    variances, covariance = xx - mean_x**2 + yy - mean_y**2, xy - mean_x * mean_y
    score = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return 1 - (score / ((mean_x**2 + mean_y**2 + _C1) * (variances.clamp(min=0) + _C2))).mean()


def warp_loss(painted: Tensor, warped: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute change since the past picture, where that is to be believed (vid2vid, section 3.3)."""
    return ((painted - warped).abs() * valid).mean()


def critic_loss(real: Sequence[Judgement], painted: Sequence[Judgement]) -> Tensor:
    """Hinge loss of critics, mean over scales."""
    both = zip(real, painted, strict=True)
    terms = [F.relu(1 - r.score.float()).mean() + F.relu(1 + p.score.float()).mean() for r, p in both]
    return torch.stack(terms).mean()


def adversarial_loss(painted: Sequence[Judgement]) -> Tensor:
    """What the painter loses by not being believed, mean over scales."""
    return -torch.stack([p.score.float().mean() for p in painted]).mean()


def feature_loss(real: Sequence[Judgement], painted: Sequence[Judgement]) -> Tensor:
    """Mean absolute difference of critics' features (Wang et al. 2018, feature matching), mean over layers, scales."""
    pairs = [pair for r, p in zip(real, painted, strict=True) for pair in zip(r.features, p.features, strict=True)]
    return torch.stack([(p.float() - r.detach().float()).abs().mean() for r, p in pairs]).mean()


def _blurred(x: Tensor) -> Tensor:
    """[N, C, H, W] blurred by a Gaussian of sigma 1.5, 11 wide, its border mirrored where it is large enough."""
    channels, radius = x.shape[1], 5
    mode = "reflect" if min(x.shape[-2:]) > radius else "replicate"
    row = _gaussian(x.device).expand(channels, 1, 1, -1)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode=mode), row, groups=channels)
    return F.conv2d(F.pad(x, (0, 0, radius, radius), mode=mode), row.transpose(2, 3), groups=channels)


@functools.lru_cache(maxsize=4)
def _gaussian(device: torch.device) -> Tensor:
    x = torch.arange(-5, 6, dtype=torch.float32, device=device)
    weights = torch.exp(-x.square() / (2 * 1.5**2))
    return weights / weights.sum()
