"""One instance of an EditNeRF, prepared for looking only: its codes become biases, weights are transposed once.

Both codes are the same for every point, so what their embeddings add to a layer is a constant; no point pays for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .editnerf import EditNeRFNetwork

# Points at once. On a CPU a chunk of activations (2 MiB at width 256) stays in the cache between layers.
_CHUNK_CPU, _CHUNK_GPU = 2048, 1 << 18

_Affine = tuple[Tensor, Tensor]
"""Weight [in, out] and bias [out]."""


class FoldedEditNeRF:
    """The same function as an `EditNeRFNetwork` (to rounding) under two codes, and a sigmoid; a copy of its weights.

    Args:
        network: the network.
        shape: [code]
        colour: [code]
    """

    @torch.no_grad()
    def __init__(self, network: EditNeRFNetwork, shape: Tensor, colour: Tensor) -> None:
        layout = network.layout
        self._points, self._directions, self._told = layout.points, layout.directions, layout.bottleneck
        first, second, third = (
            embed(code) for embed, code in zip(network.style_linears, (shape, shape, colour), strict=True)
        )
        point, embedding = layout.points.width, layout.embedding
        (weight, bias), *self._instance = [_affine(layer) for layer in _linears(network.instance_network)]
        self._first: _Affine = (weight[:point].contiguous(), torch.addmv(bias, weight[point:].T, first))
        weight, bias = _affine(network.instance_to_fusion)
        self._from_point = weight[:point].contiguous()
        self._from_instance = weight[point + embedding :].contiguous()
        self._sum = torch.addmv(bias, weight[point : point + embedding].T, second)
        self._shared: list[_Affine] = []
        self._from_shared: Tensor | None = None
        if layout.shared_depth:
            self._shared = [_affine(layer) for layer in _linears(network.mean_network)]
            self._from_shared, bias = _affine(_linears(network.mean_output)[0])
            self._sum = self._sum + bias
        self._fusion = [_affine(layer) for layer in _linears(network.fusion_network)]
        self._density = [_affine(layer) for layer in _linears(network.sigma_linear)]
        self._bottleneck = _affine(network.bottleneck_linear)
        (weight, bias), *self._colour = [
            _affine(layer) for layer in (*_linears(network.rgb_network), network.rgb_linear)
        ]
        told, seen = layout.bottleneck, layout.bottleneck + layout.directions.width
        self._from_told, self._from_direction = weight[:told].contiguous(), weight[told:seen].contiguous()
        self._seen = torch.addmv(bias, weight[seen:].T, third)

    def __call__(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3]."""
        raw, told = self.trunk(points)
        return raw, self.colour(told, directions)

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N]."""
        raw = points.new_empty(len(points))
        for part in _chunks(points):
            raw[part] = _chain(self._density, self._fused(points[part]))[:, 0]
        return raw

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and what colour is told [N, bottleneck]."""
        raw, told = points.new_empty(len(points)), points.new_empty(len(points), self._told)
        for part in _chunks(points):
            fused = self._fused(points[part])
            raw[part] = _chain(self._density, fused)[:, 0]
            told[part] = _chain([self._bottleneck], fused)
        return raw, told

    def colour(self, told: Tensor, directions: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3] of what `trunk` told [N, bottleneck], seen along unit directions [N, 3].

        Directions that are one row expanded are encoded once.
        """
        rgb, single = told.new_empty(len(told), 3), directions.stride(0) == 0
        for part in _chunks(told):
            turned = self._directions(directions[:1] if single else directions[part]) @ self._from_direction
            hidden = torch.addmm(self._seen, told[part], self._from_told).add_(turned).relu_()
            rgb[part] = _chain(self._colour, hidden).sigmoid_()
        return rgb

    def _fused(self, points: Tensor) -> Tensor:
        encoded = self._points(points)
        features = torch.addmm(self._sum, encoded, self._from_point)
        hidden = torch.addmm(self._first[1], encoded, self._first[0]).relu_()
        features.addmm_(_chain(self._instance, hidden, last=True), self._from_instance)
        if self._from_shared is not None:
            features.addmm_(_chain(self._shared, encoded, last=True), self._from_shared)
        return _chain(self._fusion, features.relu_(), last=True)


def _chain(layers: list[_Affine], hidden: Tensor, last: bool = False) -> Tensor:
    """[n, in] -> [n, out] with a ReLU between layers, and after the last one where `last` says so."""
    for index, (weight, bias) in enumerate(layers):
        hidden = torch.addmm(bias, hidden, weight)
        if last or index + 1 < len(layers):
            hidden.relu_()
    return hidden


def _linears(module: nn.Module) -> list[nn.Linear]:
    """The linear layers of a branch, in the order in which they are applied."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def _affine(layer: nn.Linear) -> _Affine:
    return layer.weight.T.float().clone(memory_format=torch.contiguous_format), layer.bias.float().clone()


def _chunks(rows: Tensor) -> list[slice]:
    size = _CHUNK_GPU if rows.device.type == "cuda" else _CHUNK_CPU
    return [slice(start, start + size) for start in range(0, len(rows), size)]
