"""What a student's mapping network is trained against at first: the teacher's parameters, read off its output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Targets = Callable[[Tensor], tuple[Tensor, Tensor]]
"""What latents z [B, Z] mean to a teacher: its parameters of the geometry [B, G] and of the appearance [B, A]."""


class MappingProbe(nn.Module):
    """Throw-away linear heads on the two blocks that a mapping network's output is made of.

    Args:
        targets: the teacher's parameters.
        z_dim: numbers in a latent.
        geometry: width of the first block.
        appearance: width of the second one.
    """

    geometry_mean: Tensor
    geometry_std: Tensor
    appearance_mean: Tensor
    appearance_std: Tensor

    def __init__(self, targets: Targets, z_dim: int, geometry: int, appearance: int) -> None:
        super().__init__()
        self._targets = targets
        found = targets(torch.randn(8192, z_dim, generator=torch.Generator().manual_seed(1)))
        for name, value in zip(("geometry", "appearance"), found, strict=True):
            self.register_buffer(f"{name}_mean", value.mean(0))
            self.register_buffer(f"{name}_std", value.std(0) + 1e-6)
        self.geometry = nn.Linear(geometry, found[0].shape[1])
        self.appearance = nn.Linear(appearance, found[1].shape[1])

    def forward(self, blocks: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared errors of the standardised parameters, geometry and appearance.

        Args:
            blocks: both blocks of the mapping network's output for z, side by side [B, geometry + appearance].
            z: latents [B, z_dim].
        """
        geometry, appearance = self._targets(z)
        first, second = blocks.split([self.geometry.in_features, self.appearance.in_features], dim=1)
        g = self.geometry(first) - (geometry - self.geometry_mean) / self.geometry_std
        a = self.appearance(second) - (appearance - self.appearance_mean) / self.appearance_std
        return g.square().mean(), a.square().mean()
