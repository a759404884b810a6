"""What the heads' mapping network is trained on at first: latents, and what they mean to the teacher."""

from __future__ import annotations

import torch
from torch import Tensor

from .heads_parameters import APPEARANCE_NAMES, GEOMETRY_NAMES, SWITCHES, Z_DIM, Head, heads_from_latents
from .heads_student import W_APPEARANCE, W_GEOMETRY
from .mapping_probe import MappingProbe

NEAR_A_SWITCH = 0.5
"""Share of the latents that lie near one of the teacher's switches."""


def mapping_latents(count: int) -> Tensor:
    """Latents [count, 64] to train a mapping network on, from torch's generator.

    Half of them are drawn near a threshold: a network that sees few of them makes heads half with a hat.
    """
    z = torch.randn(count, Z_DIM)
    rms = z.square().mean(1).sqrt()
    chosen = torch.rand(count)
    for i, (name, (threshold, ramp)) in enumerate(SWITCHES.items()):
        share = NEAR_A_SWITCH / len(SWITCHES)
        u = (threshold + torch.rand(count) * (ramp + 0.1) - 0.05).clamp(0.01, 0.99)
        entry = GEOMETRY_NAMES.index(name)
        near = (chosen >= i * share) & (chosen < (i + 1) * share)
        z[:, entry] = torch.where(near, torch.special.ndtri(u) * rms, z[:, entry])
    return z


def _mapping_targets(z: Tensor) -> tuple[Tensor, Tensor]:
    """All of the teacher's parameters, measures and colours: geometry [B, G] and appearance [B, A]."""
    head: Head = heads_from_latents(z)
    geometry, appearance = [], []
    for name, value in head.items():
        group = appearance if name in APPEARANCE_NAMES or name.startswith("c_") else geometry
        group.append(value.reshape(len(z), -1))
    return torch.cat(geometry, 1), torch.cat(appearance, 1)


def heads_probe() -> MappingProbe:
    """The probe of the heads' w."""
    return MappingProbe(_mapping_targets, Z_DIM, W_GEOMETRY, W_APPEARANCE)
