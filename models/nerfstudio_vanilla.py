"""nerfstudio's `vanilla-nerf`: the paper's perceptron but for its encoding, its colour head and its activation.

Frequencies are 2 pi 2^f with f spread evenly over 0..8 for points and 0..4 for directions (whatever their number), all
sines stand before all cosines, axis by axis, and the input itself comes last. The colour head has no feature layer and
reads (direction, trunk). Density is softplus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .hashgrid_field import Dense
from .nerf import Bounds

POINT_OCTAVES, DIRECTION_OCTAVES = 8.0, 4.0
"""The greatest exponents f; fixed in nerfstudio's code."""


class VanillaField:
    """Such a network as a radiance field (`RadianceField`, and the trunk and colour that baking asks for).

    Args:
        trunk: base layers; one that is wider than the one before it reads (encoded point, hidden). ReLU follows each.
        density: [width, 1]
        head: colour layers, ReLU after each.
        colour: [head width, 3], followed by a sigmoid.
        bounds: box outside of which nothing is worth sampling.
    """

    features = 3
    view_dependent = True

    def __init__(
        self, trunk: Sequence[Dense], density: Dense, head: Sequence[Dense], colour: Dense, bounds: Bounds
    ) -> None:
        self.layers, self.density_layer = tuple(trunk), density
        self.head, self.colour_layer = tuple(head), colour
        self.bounds = bounds
        self._point_width = trunk[0].weight.shape[0]
        self._direction_width = head[0].weight.shape[0] - trunk[-1].weight.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.density_layer.weight.device

    def to(self, device: str | torch.device) -> VanillaField:
        """Moves every tensor; returns self."""
        self.layers = tuple(layer.to(device) for layer in self.layers)
        self.head = tuple(layer.to(device) for layer in self.head)
        self.density_layer, self.colour_layer = self.density_layer.to(device), self.colour_layer.to(device)
        return self

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3]."""
        raw, hidden = self.trunk(points)
        return raw, self.colour(hidden, directions)

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""
        return self.trunk(points)[0]

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and trunk features [N, width]."""
        encoded = encode(points, self._point_width, POINT_OCTAVES)
        hidden = encoded
        for layer in self.layers:
            if layer.weight.shape[0] > hidden.shape[1]:
                hidden = torch.cat([encoded, hidden], dim=-1)
            hidden = torch.relu(layer(hidden))
        return self.density_layer(hidden)[:, 0], hidden

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of trunk features [N, width] seen along unit directions [N, 3]."""
        if directions is None:
            raise ValueError("directions are None, but this field's colour depends on them: pass unit vectors [N, 3]")
        hidden = torch.cat([encode(directions, self._direction_width, DIRECTION_OCTAVES), trunk], dim=-1)
        for layer in self.head:
            hidden = torch.relu(layer(hidden))
        return torch.sigmoid(self.colour_layer(hidden))


def encode(values: Tensor, width: int, octaves: float) -> Tensor:
    """[N, 3] -> [N, width], where width is 3 + 6 for each frequency."""
    exponents = torch.linspace(0.0, octaves, (width - 3) // 6, device=values.device)
    angles = (2 * math.pi * values[:, :, None] * torch.exp2(exponents)).flatten(1)  # [N, 3 F]: x's, then y's, then z's
    # The original takes the cosine as a shifted sine; the difference is rounding.
    return torch.cat([angles.sin(), (angles + math.pi / 2).sin(), values], dim=-1)
