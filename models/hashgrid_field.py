"""A radiance field whose trunk is a hash grid and a small perceptron: instant-ngp's and nerfacto's.

    unit = warp(x);  h = density MLP(grid(unit));  sigma = exp(h_0 + bias);  c = sigmoid(colour MLP(h, SH(d)))

(Müller et al. 2022, section 5.4.) What differs between families is data: the warp, the layers, how harmonics are taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from .hashgrid import HashGrid, spherical_harmonics
from .nerf import Bounds

EMPTY = -60.0
"""Raw density where there is nothing: exp(-60) is 1e-26, and still a number that can be interpolated."""


class Warp(Protocol):
    """World coordinates into the grid's unit cube."""

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World [N, 3] -> unit [N, 3], and whether each lies inside [N]."""
        ...


@dataclass(frozen=True)
class AffineWarp:
    """unit = A x + b."""

    matrix: tuple[tuple[float, ...], ...]
    """A, [3][3]"""
    offset: tuple[float, ...]
    """b, [3]"""

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        unit = points @ points.new_tensor(self.matrix).T + points.new_tensor(self.offset)
        return unit, ((unit >= 0.0) & (unit <= 1.0)).all(-1)


@dataclass(frozen=True)
class ContractedWarp:
    """All of space into the cube: mip-NeRF 360's contraction (Barron et al. 2022, eq. 10) in the maximum norm.

    What has norm below 1 stays; a point farther out goes to (2 - 1 / |x|) x / |x|. The cube [-2, 2]^3 becomes the unit
    cube.
    """

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        size = points.abs().amax(-1, keepdim=True)
        safe = size.clamp_min(1e-12)
        contracted = torch.where(size < 1.0, points, (2.0 - 1.0 / safe) * (points / safe))
        unit = (contracted + 2.0) / 4.0
        return unit, ((unit > 0.0) & (unit < 1.0)).all(-1)


@dataclass(frozen=True)
class DensityGrid:
    """instant-ngp's occupancy (appendix C): cells that training found empty are not sampled, so neither are they here.

    Cascade k covers a cube of side 2^k around the centre of the unit cube; a point belongs to the smallest that
    holds it.
    """

    occupied: Tensor
    """[cascades, S, S, S] bool, by x, y, z of the network's space."""
    to_grid: AffineWarp
    """World into the unit cube of cascade 0."""

    def __call__(self, points: Tensor) -> Tensor:
        """Whether something may be at points [N, 3]: [N] bool; False outside of the largest cascade."""
        centred = self.to_grid(points)[0] - 0.5
        reach = centred.abs().amax(-1)
        # frexp's exponent is the least e with reach < 2^e, so cascade 0 ends at one half, 1 at one, 2 at two.
        cascade = (torch.frexp(reach).exponent + 1).clamp(0, len(self.occupied) - 1).long()
        side = self.occupied.shape[1]
        cell = ((centred * torch.exp2(-cascade.float())[:, None] + 0.5) * side).floor().long()
        inside = ((cell >= 0) & (cell < side)).all(-1)
        x, y, z = cell.clamp(0, side - 1).unbind(-1)
        return self.occupied[cascade, x, y, z] & inside


@dataclass(frozen=True)
class Dense:
    """One affine layer, by its transposed weight."""

    weight: Tensor
    """[in, out]"""
    bias: Tensor | None = None
    """[out]; tiny-cuda-nn's layers have none."""

    def __call__(self, rows: Tensor) -> Tensor:
        return rows @ self.weight if self.bias is None else torch.addmm(self.bias, rows, self.weight)

    def to(self, device: str | torch.device) -> Dense:
        """The same layer elsewhere."""
        return Dense(self.weight.to(device), None if self.bias is None else self.bias.to(device))


def perceptron(layers: Sequence[Dense], rows: Tensor) -> Tensor:
    """Layers with ReLU between them: [N, in] -> [N, out]."""
    for layer in layers[:-1]:
        rows = torch.relu(layer(rows))
    return layers[-1](rows)


@dataclass(frozen=True)
class ColourHead:
    """The colour network, its first layer split by what it reads."""

    features: Dense
    """[G, out]: what the density network says beside the density; has the first layer's bias (in nerfacto also what
    the appearance embedding adds, which is the same everywhere)."""
    directions: Dense
    """[16, out]"""
    rest: tuple[Dense, ...]
    """Later layers, at least one."""
    halved: bool = False
    """nerfstudio's torch code takes the harmonics of (d + 1) / 2: tiny-cuda-nn undoes that itself, torch does not."""
    turn: tuple[tuple[float, ...], ...] | None = None
    """[3][3] from world directions to the network's; None: the same."""

    def __call__(self, features: Tensor, directions: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3]."""
        if self.turn is not None:
            directions = directions @ directions.new_tensor(self.turn).T
        harmonics = spherical_harmonics((directions + 1.0) / 2.0 if self.halved else directions)
        hidden = torch.relu(self.features(features) + self.directions(harmonics))
        return torch.sigmoid(perceptron(self.rest, hidden))

    def to(self, device: str | torch.device) -> ColourHead:
        """The same head elsewhere."""
        rest = tuple(layer.to(device) for layer in self.rest)
        return replace(self, features=self.features.to(device), directions=self.directions.to(device), rest=rest)


class HashGridField:
    """Such a field (the `RadianceField` contract, and the trunk and colour that baking asks for); activation 'exp'.

    Args:
        grid: feature tables.
        density: density network; its first output is the raw density.
        colour: None: density only, for a proposal network.
        warp: world into the grid's cube.
        bounds: box in world coordinates outside of which nothing is worth sampling.
        bias: added to the raw density: the logarithm of whatever multiplies exp (a change of length unit, nerfacto's
            `average_init_density`).
        first_feature: index of the first density output that the colour network reads: 0 in instant-ngp, 1 in nerfacto.
        occupancy: where something may be; the network is not asked elsewhere. None: everywhere.
    """

    features = 3
    view_dependent = True

    def __init__(
        self,
        grid: HashGrid,
        density: Sequence[Dense],
        colour: ColourHead | None,
        warp: Warp,
        bounds: Bounds,
        *,
        bias: float = 0.0,
        first_feature: int = 0,
        occupancy: DensityGrid | None = None,
    ) -> None:
        if not math.isfinite(bias):
            raise ValueError(f"the raw density's bias is {bias}; expected a finite number")
        self.grid, self.layers, self.head = grid, tuple(density), colour
        self.warp, self.bounds, self.bias = warp, bounds, bias
        self.first_feature = first_feature
        self.occupancy = occupancy

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.grid.device

    def to(self, device: str | torch.device) -> HashGridField:
        """Moves every tensor; returns self."""
        self.grid.to(device)
        self.layers = tuple(layer.to(device) for layer in self.layers)
        self.head = None if self.head is None else self.head.to(device)
        if self.occupancy is not None:
            self.occupancy = replace(self.occupancy, occupied=self.occupancy.occupied.to(device))
        return self

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3].

        Where the field is known to be empty, RGB is black.

        Raises:
            ValueError: no directions, or a field without colour.
        """
        if directions is None or self.head is None:
            raise ValueError("directions are None or the field has no colour: pass unit vectors [N, 3]")
        index, unit = self._inside(points)
        outputs = perceptron(self.layers, self.grid(unit))
        rgb = self.head(outputs[:, self.first_feature :], directions[index])
        return self._raw(outputs, index, points), points.new_zeros(len(points), 3).index_copy(0, index, rgb)

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""
        index, unit = self._inside(points)
        return self._raw(perceptron(self.layers, self.grid(unit)), index, points)

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and what `colour` reads [N, G]; 0 where the field is known to be empty."""
        index, unit = self._inside(points)
        outputs = perceptron(self.layers, self.grid(unit))
        hidden = outputs[:, self.first_feature :]
        return self._raw(outputs, index, points), points.new_zeros(len(points), hidden.shape[1]).index_copy(
            0, index, hidden
        )

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of what `trunk` said [N, G], seen along unit directions [N, 3]."""
        if directions is None or self.head is None:
            raise ValueError("directions are None or the field has no colour: pass unit vectors [N, 3]")
        return self.head(trunk, directions)

    def _inside(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Indices [M] of the points at which something may be, and where they lie in the grid's cube [M, 3]."""
        unit, inside = self.warp(points)
        if self.occupancy is not None:
            inside = inside & self.occupancy(points)
        index = inside.nonzero()[:, 0]
        return index, unit[index]

    def _raw(self, outputs: Tensor, index: Tensor, points: Tensor) -> Tensor:
        return points.new_full((len(points),), EMPTY).index_copy(0, index, outputs[:, 0] + self.bias)
