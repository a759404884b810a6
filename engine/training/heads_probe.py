"""What the student's mapping network is trained against at first: the teacher's parameters, read off w."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .heads_parameters import APPEARANCE_NAMES, Z_DIM, Head, heads_from_latents
from .heads_student import W_APPEARANCE, W_GEOMETRY


def _mapping_targets(z: Tensor) -> tuple[Tensor, Tensor]:
    """All of the teacher's parameters, measures and colours: geometry [B, G] and appearance [B, A]."""
    head: Head = heads_from_latents(z)
    geometry, appearance = [], []
    for name, value in head.items():
        group = appearance if name in APPEARANCE_NAMES or name.startswith("c_") else geometry
        group.append(value.reshape(len(z), -1))
    return torch.cat(geometry, 1), torch.cat(appearance, 1)


class MappingProbe(nn.Module):
    """Throw-away linear heads that read the teacher's parameters off w: what the first stage trains against."""

    geometry_mean: Tensor
    geometry_std: Tensor
    appearance_mean: Tensor
    appearance_std: Tensor

    def __init__(self) -> None:
        super().__init__()
        z = torch.randn(8192, Z_DIM, generator=torch.Generator().manual_seed(1))
        geometry, appearance = _mapping_targets(z)
        for name, value in (("geometry", geometry), ("appearance", appearance)):
            self.register_buffer(f"{name}_mean", value.mean(0))
            self.register_buffer(f"{name}_std", value.std(0) + 1e-6)
        self.geometry = nn.Linear(W_GEOMETRY, geometry.shape[1])
        self.appearance = nn.Linear(W_APPEARANCE, appearance.shape[1])

    def forward(self, w: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared errors of the standardised parameters, geometry and appearance."""
        geometry, appearance = _mapping_targets(z)
        g = self.geometry(w[:, :W_GEOMETRY]) - (geometry - self.geometry_mean) / self.geometry_std
        a = self.appearance(w[:, W_GEOMETRY:]) - (appearance - self.appearance_mean) / self.appearance_std
        return g.square().mean(), a.square().mean()
