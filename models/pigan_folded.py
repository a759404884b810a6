"""A pi-GAN bound to one identity, for looking only: the latent multiplied into the weights, buffers written in place.

sin(gamma (W x + b) + beta) = sin((gamma W) x + (gamma b + beta)): one matrix product and one sine a layer. The products
are taken in double precision; the angles reach hundreds, where single precision has lost its last digits already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .pigan import PiGANNetwork

# Points at once. On a CPU two chunks of activations (0.5 MiB each at width 256) fit in the second-level cache.
_CHUNK_CPU, _CHUNK_GPU = 512, 1 << 18


class FoldedPiGAN:
    """The same function as a `PiGANNetwork` with codes and a sigmoid, without gradients; a copy of its weights.

    Args:
        network: the network.
        codes: [layers, 2 width].
        locked: a direction under which everything is shown; None: the one that is asked for.
    """

    def __init__(self, network: PiGANNetwork, codes: Tensor, locked: tuple[float, float, float] | None) -> None:
        gamma, beta = (part.double() for part in network.waves(codes))
        layers = [film.layer for film in (*network.network, network.color_layer_sine)]
        weights = [g[:, None] * layer.weight.double() for g, layer in zip(gamma, layers, strict=True)]
        biases = [g * layer.bias.double() + b for g, b, layer in zip(gamma, beta, layers, strict=True)]
        weights[0] = weights[0] * network.layout.scale
        directions, weights[-1] = weights[-1][:, :3], weights[-1][:, 3:]
        self._locked = locked is not None
        if locked is not None:
            biases[-1] = biases[-1] + directions @ directions.new_tensor(locked)
        self._weights = [weight.T.float().contiguous() for weight in weights]  # [in, width]; the last is the colour's
        self._biases = [bias.float() for bias in biases]  # [width]
        self._directions = directions.T.float().contiguous()  # [3, width]
        self._density = network.final_layer.weight.T.contiguous(), network.final_layer.bias
        last = network.color_layer_linear[0]
        self._logits = last.weight.T.contiguous(), last.bias
        self._width = network.layout.width

    def __call__(self, points: Tensor, directions: Tensor | None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3]."""
        raw, rgb = points.new_empty(len(points), 1), points.new_empty(len(points), 3)
        for part, one, two in self._chunks(points):
            hidden, angles = self._trunk(points[part], one, two)
            torch.addmm(self._density[1], hidden, self._density[0], out=raw[part])
            torch.addmm(self._biases[-1], hidden, self._weights[-1], out=angles)
            self._shade(angles, None if directions is None else directions[part], rgb[part])
        return raw[:, 0], rgb.sigmoid_()

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N]."""
        raw = points.new_empty(len(points), 1)
        for part, one, two in self._chunks(points):
            torch.addmm(self._density[1], self._trunk(points[part], one, two)[0], self._density[0], out=raw[part])
        return raw[:, 0]

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and the colour layer's angles without the direction's share [N, width]."""
        raw, angles = points.new_empty(len(points), 1), points.new_empty(len(points), self._width)
        for part, one, two in self._chunks(points):
            hidden, _ = self._trunk(points[part], one, two)
            torch.addmm(self._density[1], hidden, self._density[0], out=raw[part])
            torch.addmm(self._biases[-1], hidden, self._weights[-1], out=angles[part])
        return raw[:, 0], angles

    def colour(self, angles: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of angles [N, width] from `trunk`, which are not changed."""
        rgb = angles.new_empty(len(angles), 3)
        for part, one, _ in self._chunks(angles):
            self._shade(one.copy_(angles[part]), None if directions is None else directions[part], rgb[part])
        return rgb.sigmoid_()

    def _trunk(self, points: Tensor, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """Phi(x) [n, width] in one of the two buffers, which is named first, and the other."""
        for index in range(len(self._weights) - 1):
            torch.addmm(self._biases[index], two if index else points, self._weights[index], out=one).sin_()
            one, two = two, one
        return two, one

    def _shade(self, angles: Tensor, directions: Tensor | None, out: Tensor) -> None:
        """Writes logits [n, 3]; overwrites the angles [n, width]."""
        if directions is not None and not self._locked:
            angles.addmm_(directions, self._directions)
        torch.addmm(self._logits[1], angles.sin_(), self._logits[0], out=out)

    def _chunks(self, rows: Tensor) -> list[tuple[slice, Tensor, Tensor]]:
        """Slices of the rows, each with two buffers [n, width] that all share."""
        size = _CHUNK_GPU if rows.device.type == "cuda" else _CHUNK_CPU
        most = min(size, len(rows))
        one, two = rows.new_empty(most, self._width), rows.new_empty(most, self._width)
        starts = range(0, len(rows), size)
        return [(slice(s, s + size), one[: len(rows) - s], two[: len(rows) - s]) for s in starts]
