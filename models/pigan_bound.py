"""A pi-GAN bound to one identity, for looking only: chunks that stay in the cache, buffers written in place.

The trunk keeps the network's order of operations, sin(gamma (W x + b) + beta): its angles reach hundreds and its raw
densities hundreds too, so that folding gamma into W would move densities by 4e-4 of rounding to save 3 % of the time.
The colour layer is folded, and its direction's share kept apart, so that one point is cheaply seen from many sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .pigan import PiGANNetwork

# Points at once. On a CPU a chunk of activations (1 MiB at width 256) stays in the second-level cache between layers.
_CHUNK_CPU, _CHUNK_GPU = 1024, 1 << 18


class BoundPiGAN:
    """The same function as a `PiGANNetwork` with codes and a sigmoid, without gradients; a copy of its weights.

    Args:
        network: the network.
        codes: [layers, 2 width].
        locked: a direction under which everything is shown; None: the one that is asked for.
    """

    def __init__(self, network: PiGANNetwork, codes: Tensor, locked: tuple[float, float, float] | None) -> None:
        gamma, beta = network.waves(codes)
        self._scale, self._width, depth = network.layout.scale, network.layout.width, network.layout.depth
        self._trunk_layers = [
            (film.layer.weight.T.clone(memory_format=torch.contiguous_format), film.layer.bias.clone(), g, b)
            for film, g, b in zip(network.films[:depth], gamma, beta, strict=False)
        ]
        self._density = network.final_layer.weight[0, :, None].clone(), network.final_layer.bias.clone()
        shades = [
            (g[:, None] * film.layer.weight.double(), g * film.layer.bias.double() + b)
            for film, g, b in zip(network.films[depth:], gamma[depth:].double(), beta[depth:].double(), strict=True)
        ]
        weight, bias = shades[0]
        self._locked = locked is not None
        if locked is not None:
            bias = bias + weight[:, :3] @ weight.new_tensor(locked)
        self._directions = weight[:, :3].T.float().contiguous()  # [3, width]
        self._angles = weight[:, 3:].T.float().contiguous(), bias.float()
        self._more = [(weight.T.float().contiguous(), bias.float()) for weight, bias in shades[1:]]
        last = network.colour_head
        self._logits = last.weight.T.contiguous(), last.bias.clone()

    def __call__(self, points: Tensor, directions: Tensor | None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3]; directions [N, 3] are not read when locked."""
        raw, rgb = points.new_empty(len(points), 1), points.new_empty(len(points), 3)
        for part, one, two in self._chunks(points):
            hidden, angles = self._trunk(points[part], one, two)
            _affine(self._density, hidden, raw[part])
            _affine(self._angles, hidden, angles)
            self._shade(angles, None if directions is None else directions[part], rgb[part], hidden)
        return raw[:, 0], rgb.sigmoid_()

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N]."""
        raw = points.new_empty(len(points), 1)
        for part, one, two in self._chunks(points):
            _affine(self._density, self._trunk(points[part], one, two)[0], raw[part])
        return raw[:, 0]

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and the colour layer's angles without the direction's share [N, width]."""
        raw, angles = points.new_empty(len(points), 1), points.new_empty(len(points), self._width)
        for part, one, two in self._chunks(points):
            hidden, _ = self._trunk(points[part], one, two)
            _affine(self._density, hidden, raw[part])
            _affine(self._angles, hidden, angles[part])
        return raw[:, 0], angles

    def colour(self, angles: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of angles [N, width] from `trunk`, which are not changed."""
        rgb = angles.new_empty(len(angles), 3)
        for part, one, two in self._chunks(angles):
            self._shade(one.copy_(angles[part]), None if directions is None else directions[part], rgb[part], two)
        return rgb.sigmoid_()

    def _trunk(self, points: Tensor, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """Phi(x) [n, width], in one of the two buffers, and the other buffer."""
        hidden = points * self._scale
        for weight, bias, gamma, beta in self._trunk_layers:
            torch.addmm(bias, hidden, weight, out=one).mul_(gamma).add_(beta).sin_()
            hidden, one, two = one, two, one
        return hidden, one

    def _shade(self, angles: Tensor, directions: Tensor | None, out: Tensor, spare: Tensor) -> None:
        """Writes logits [n, 3]; overwrites the angles and a spare buffer, both [n, width]."""
        if directions is not None and not self._locked:
            angles.addmm_(directions, self._directions)
        for layer in self._more:
            _affine(layer, angles.sin_(), spare)
            angles, spare = spare, angles
        _affine(self._logits, angles.sin_(), out)

    def _chunks(self, rows: Tensor) -> list[tuple[slice, Tensor, Tensor]]:
        """Slices of the rows, each with two buffers [n, width] that all of them share."""
        size = _CHUNK_GPU if rows.device.type == "cuda" else _CHUNK_CPU
        most = min(size, len(rows))
        one, two = rows.new_empty(most, self._width), rows.new_empty(most, self._width)
        starts = range(0, len(rows), size)
        return [(slice(s, s + size), one[: len(rows) - s], two[: len(rows) - s]) for s in starts]


def _affine(layer: tuple[Tensor, Tensor], rows: Tensor, out: Tensor) -> None:
    """out [n, O] = rows [n, I] @ weight [I, O] + bias [O]."""
    torch.addmm(layer[1], rows, layer[0], out=out)
