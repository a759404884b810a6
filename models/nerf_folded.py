"""A NeRF network prepared for looking only: neighbouring linear layers multiplied out, buffers written in place.

Two layers without an activation between them are one layer: W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2). Each
dialect has such a pair (krrish94's first two trunk layers, the paper's feature layer and what follows it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .nerf import Encoding, NeRFNetwork

# Points at once. On a CPU a chunk of activations (1 MiB at width 128) stays in the second-level cache between layers.
_CHUNK_CPU, _CHUNK_GPU = 2048, 1 << 18


# Weights of one affine map while they are multiplied out: (hidden part, encoded part, bias, followed by ReLU).
_Parts = tuple[Tensor | None, Tensor | None, Tensor, bool]


class _Layer:
    """One affine map of up to two inputs, with or without ReLU: weights transposed once, `[in, out]`."""

    def __init__(self, hidden: Tensor | None, encoded: Tensor | None, bias: Tensor, activated: bool) -> None:
        self.hidden = None if hidden is None else hidden.T.float().contiguous()
        self.encoded = None if encoded is None else encoded.T.float().contiguous()
        self.bias = bias.float()
        self.activated = activated

    def __call__(self, hidden: Tensor | None, encoded: Tensor | None) -> Tensor:
        """[n, H] and [n, E] -> [n, out]."""
        if self.hidden is None or hidden is None:
            assert encoded is not None
            assert self.encoded is not None
            out = torch.addmm(self.bias, encoded, self.encoded)
        else:
            out = torch.addmm(self.bias, hidden, self.hidden)
            if self.encoded is not None and encoded is not None:
                out.addmm_(encoded, self.encoded)
        return out.relu_() if self.activated else out


class FoldedNeRF:
    """The same function as a `NeRFNetwork` (to rounding) and a sigmoid, without gradients; a copy of its weights."""

    def __init__(self, network: NeRFNetwork) -> None:
        with torch.no_grad():
            self._fold(network)

    def __call__(self, points: Tensor, directions: Tensor | None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3]."""
        raw, rgb = points.new_empty(len(points)), points.new_empty(len(points), 3)
        for part in self._chunks(points):
            hidden = self._trunk(points[part])
            raw[part] = self._density(hidden, None)[:, 0]
            rgb[part] = self._colour(self._all_round(hidden), None if directions is None else directions[part])
        return raw, rgb

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N]."""
        raw = points.new_empty(len(points))
        for part in self._chunks(points):
            raw[part] = self._density(self._trunk(points[part]), None)[:, 0]
        return raw

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N], and all of the colour that no direction enters: sums [N, V] before the first view layer's
        ReLU but for the direction's share; without view dependence the colour's logits [N, 3].

        From there another direction costs a fifteenth of what a point costs.
        """
        raw, sums = points.new_empty(len(points)), points.new_empty(len(points), self._sums)
        for part in self._chunks(points):
            hidden = self._trunk(points[part])
            raw[part] = self._density(hidden, None)[:, 0]
            sums[part] = self._all_round(hidden)
        return raw, sums

    def colour(self, sums: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of sums [N, V] from `trunk`, which are not changed.

        Directions [N, 3] that are one row expanded are encoded once.
        """
        rgb = sums.new_empty(len(sums), 3)
        for part in self._chunks(sums):
            rgb[part] = self._colour(sums[part], None if directions is None else directions[part])
        return rgb

    def _trunk(self, points: Tensor) -> Tensor:
        encoded = _encode(points, self._points)
        hidden: Tensor | None = None
        for layer in self._trunk_layers:
            hidden = layer(hidden, encoded)
        assert hidden is not None
        return hidden

    def _all_round(self, hidden: Tensor) -> Tensor:
        """Trunk features [n, width] -> sums [n, V] as in `trunk`."""
        for layer in self._before_layers:
            hidden = layer(hidden, None)
        return hidden

    def _colour(self, sums: Tensor, directions: Tensor | None) -> Tensor:
        if self._directions is None or self._turn is None:
            return torch.sigmoid(sums)
        if directions is None:
            raise ValueError("directions are None, but this field's colour depends on them: pass unit vectors [N, 3]")
        if directions.stride(0) == 0:
            directions = directions[:1]
        hidden = torch.add(sums, _encode(directions, self._directions) @ self._turn).relu_()
        for layer in self._after_layers:
            hidden = layer(hidden, None)
        return hidden.sigmoid_()

    def _chunks(self, rows: Tensor) -> list[slice]:
        size = _CHUNK_GPU if rows.device.type == "cuda" else _CHUNK_CPU
        return [slice(start, start + size) for start in range(0, len(rows), size)]

    def _fold(self, network: NeRFNetwork) -> None:
        layout = network.layout
        self._points, self._directions = layout.points, layout.directions
        self._trunk_layers = [_Layer(*parts) for parts in _trunk_parts(network)]
        self._density = _Layer(network.density.weight, None, network.density.bias, False)
        before, turn, after = _colour_parts(network)
        self._before_layers = [_Layer(*parts) for parts in before]
        # [encoded direction, V]: the direction's share of the first view layer's sums.
        self._turn = None if turn is None else turn.T.float().contiguous()
        self._after_layers = [_Layer(*parts) for parts in after]
        self._sums = before[-1][2].shape[0]


def _trunk_parts(network: NeRFNetwork) -> list[_Parts]:
    layout, order = network.layout, _block_order(network.layout.points)
    parts: list[_Parts] = []
    for index, layer in enumerate(network.trunk):
        weight, bias = _double(layer)
        activated = index > 0 or layout.first_activated
        if index == 0:
            parts.append((None, weight[:, order], bias, activated))
        elif index in layout.skips:
            cut = layout.points.width if layout.point_first else layout.width
            first, second = weight[:, :cut], weight[:, cut:]
            encoded, hidden = (first, second) if layout.point_first else (second, first)
            parts.append((hidden, encoded[:, order], bias, activated))
        else:
            parts.append((weight, None, bias, activated))
    if len(parts) > 1 and not layout.first_activated:
        (_, point, bias0, _), (hidden, encoded, bias1, activated) = parts[:2]
        assert point is not None
        assert hidden is not None
        both = hidden @ point if encoded is None else hidden @ point + encoded
        parts[:2] = [(None, both, hidden @ bias0 + bias1, activated)]
    return parts


def _colour_parts(network: NeRFNetwork) -> tuple[list[_Parts], Tensor | None, list[_Parts]]:
    """Layers before the direction comes in, its own weights [V, encoded direction], and the layers after the ReLU."""
    layout = network.layout
    last: _Parts = (*_split(network.colour), False)
    if layout.directions is None or network.feature is None:
        return [last], None, []
    weight, bias = _double(network.view[0])
    hidden, encoded = weight[:, : layout.width], weight[:, layout.width :][:, _block_order(layout.directions)]
    feature_weight, feature_bias = _double(network.feature)
    if layout.feature_activated:
        before: list[_Parts] = [(feature_weight, None, feature_bias, True), (hidden, None, bias, False)]
    else:
        before = [(hidden @ feature_weight, None, hidden @ feature_bias + bias, False)]
    return before, encoded, [*((*_split(layer), True) for layer in network.view[1:]), last]


def _double(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias in double precision, in which products of weights lose nothing that single precision keeps."""
    assert isinstance(layer, nn.Linear)
    return layer.weight.double(), layer.bias.double()


def _split(layer: nn.Module) -> tuple[Tensor, None, Tensor]:
    weight, bias = _double(layer)
    return weight, None, bias


def _block_order(encoding: Encoding) -> list[int]:
    """Where the columns of `_encode` are in `Encoding.__call__`: all sines, then all cosines, each octave by octave."""
    start = 3 * encoding.include_input
    sines = [start + 6 * octave + axis for octave in range(encoding.octaves) for axis in range(3)]
    return [*range(start), *sines, *(index + 3 for index in sines)]


def _encode(values: Tensor, encoding: Encoding) -> Tensor:
    """[n, 3] -> [n, width], the transpose of rows that sine and cosine fill one after another, without gaps."""
    start, waves, rows = 3 * encoding.include_input, 3 * encoding.octaves, values.T
    out = values.new_empty(encoding.width, len(values))
    out[:start] = rows[:start]
    frequencies = 2.0 ** torch.arange(encoding.octaves, dtype=values.dtype, device=values.device)
    sines, cosines = out[start : start + waves], out[start + waves :]
    torch.mul(rows, frequencies[:, None, None], out=sines.view(encoding.octaves, 3, len(values)))
    torch.cos(sines, out=cosines)
    sines.sin_()
    return out.T
