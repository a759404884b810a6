"""The smallest scene that makes numba compile the march: its types are those of every other."""

from __future__ import annotations

import torch

from ...models.base import VolumeSettings
from .bake import BakedGrid
from .bake_features import LANES


def tiny_grid() -> BakedGrid:
    """A cube of 4 x 4 x 4 solid grey nodes."""
    return BakedGrid(
        bounds=((-1.0, -1.0, 1.0), (1.0, 1.0, 3.0)),
        spacing=2.0 / 3.0,
        density=torch.full((4, 4, 4), 10.0),
        index=torch.arange(64, dtype=torch.int32).view(4, 4, 4),
        rows=torch.full((64, LANES), 128, dtype=torch.uint8),
        offset=torch.zeros(3),
        scale=torch.full((3,), 1 / 255),
        skip=torch.zeros(1, 1, 1, dtype=torch.uint8),
        channels=3,
        degree=0,
        thin=False,
        resolution=4,
    )


def tiny_volume() -> VolumeSettings:
    """Settings without surprises."""
    return VolumeSettings(
        near=None, far=None, coarse=8, fine=0, activation="softplus", quadrature="midpoint", sampler="eg3d"
    )
