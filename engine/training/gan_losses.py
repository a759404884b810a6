"""The losses of adversarial training: non-saturating, R1, and EG3D's smooth density."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def generator_loss(fake: Tensor) -> Tensor:
    """-log sigmoid(D(G(z))): the non-saturating loss (Goodfellow et al. 2014, section 3) of scores [N]."""
    return F.softplus(-fake).mean()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(D(x)) - log(1 - sigmoid(D(G(z)))) of scores [N] each."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def gradient_penalty(scores: Tensor, pictures: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): E |grad_x D(x)|^2 over real pictures.

    Args:
        scores: [N] of those pictures.
        pictures: [N, C, H, W], what the discriminator saw, with gradients wanted.

    Returns:
        A scalar that carries gradients to the discriminator's weights. The loss is gamma / 2 times this.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def density_variation(density: Callable[[Tensor], Tensor], points: Tensor, distance: float) -> Tensor:
    """EG3D's density regularisation: E |sigma(x) - sigma(x + e)|, e ~ N(0, distance^2), of raw densities.

    Args:
        density: [N, M, 3] -> [N, M].
        points: [N, M, 3] in scene units.
        distance: in scene units.
    """
    near = points + distance * torch.randn(points.shape).to(points)
    here, there = density(torch.cat([points, near], 1)).chunk(2, 1)
    return F.l1_loss(here, there)
