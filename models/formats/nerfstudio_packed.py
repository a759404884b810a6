"""From the tensors of nerfstudio's `nerfacto` as tiny-cuda-nn trained it: every network is one run of numbers.

Such a run says nothing of its sizes. They are nerfstudio's own unless the run's configuration names others, and must
account for every number. Layers have no biases; inputs and outputs are padded to multiples of 16, inputs of networks
that read no encoding with ones, so that the padding's columns act as a bias.

No checkpoint of this kind was at hand when this was made, and no GPU to make one with tiny-cuda-nn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..hashgrid import HashGrid, HashGridLayout
from ..hashgrid_field import ColourHead, Dense
from .instant_ngp_config import padded
from .nerfstudio_config import number
from .state_dicts import wanted

_JOINT = ("mlp_base.model.params", "mlp_base.params")  # network, then grid: since 1.0, and the first releases
_APART = (
    ("mlp_base.0.tcnn_encoding.params", "mlp_base.1.tcnn_encoding.params"),
    ("mlp_base_grid.tcnn_encoding.params", "mlp_base_mlp.tcnn_encoding.params"),
    ("encoding.tcnn_encoding.params", "mlp.tcnn_encoding.params"),
)
_HEADS = ("mlp_head.tcnn_encoding.params", "mlp_head.params")
_HARMONICS, _GEOMETRY = 16, 15
_ALIGNMENT = 16


def is_packed(state: Mapping[str, Tensor]) -> bool:
    """Whether tensors of a field are those of tiny-cuda-nn."""
    return any(key in state for key in (*_JOINT, *(grid for grid, _ in _APART)))


def packed_base(
    state: Mapping[str, Tensor],
    layout: HashGridLayout,
    width: int,
    outputs: int,
    where: str,
) -> tuple[HashGrid, tuple[Dense, ...]]:
    """Hash grid and density network with one hidden layer.

    Args:
        state: names and tensors of a field.
        layout: sizes of the grid.
        width: neurons of the hidden layer.
        outputs: what it ends in, before padding.
        where: what to call the field in errors.

    Raises:
        CheckpointError: numbers are missing or too many for these sizes.
    """
    shapes = _shapes(layout.width, width, 1, outputs)
    count = _count(shapes)
    joint = next((key for key in _JOINT if key in state), None)
    if joint is not None:
        numbers = _run(state, joint, count + layout.parameters, f"a network {shapes} and {layout}", where)
        network, grid = numbers[:count], numbers[count:]
    else:
        grid_key, network_key = next(pair for pair in _APART if pair[0] in state)
        grid = _run(state, grid_key, layout.parameters, str(layout), where)
        network = _run(state, network_key, count, f"a network {shapes}", where)
    first, last = _layers(network, shapes)
    # A joint network reads the grid's padding, which is 0; one apart reads ones.
    extra = None if joint is not None else first.weight[layout.width :].sum(0)
    first = Dense(first.weight[: layout.width].contiguous(), extra)
    return HashGrid.from_flat(layout, grid), (first, Dense(last.weight[:, :outputs].contiguous()))


def packed_head(
    state: Mapping[str, Tensor], settings: Mapping[str, Any], embedding: Tensor | None, where: str
) -> ColourHead:
    """The colour network with two hidden layers; it reads (harmonics, features, appearance, ones).

    Args:
        state: names and tensors of the field.
        settings: `pipeline.model` of the run's configuration.
        embedding: [A] appearance to fold into the first layer; zeros for none; None: the network knows none.
        where: what to call the field in errors.
    """
    width = int(number(settings, "hidden_dim_color", 64, 1, 1024))
    appearance = 0 if embedding is None else len(embedding)
    inputs = _HARMONICS + _GEOMETRY + appearance
    shapes = _shapes(inputs, width, 2, 3)
    key = next((key for key in _HEADS if key in state), _HEADS[0])
    first, second, last = _layers(_run(state, key, _count(shapes), f"a network {shapes}", where), shapes)
    harmonics, geometry, latent, ones = first.weight.split(
        [_HARMONICS, _GEOMETRY, appearance, len(first.weight) - inputs]
    )
    bias = ones.sum(0) if embedding is None else ones.sum(0) + embedding @ latent
    rest = (second, Dense(last.weight[:, :3].contiguous()))
    return ColourHead(Dense(geometry.contiguous(), bias), Dense(harmonics.contiguous()), rest)


def packed_width(settings: Mapping[str, Any], default: int) -> int:
    """Neurons of the density network's hidden layer."""
    return int(number(settings, "hidden_dim", default, 1, 1024))


def _shapes(inputs: int, width: int, hidden: int, outputs: int) -> list[tuple[int, int]]:
    """Matrices (out, in), with padding."""
    return [
        (width, padded(inputs, _ALIGNMENT)),
        *((width, width) for _ in range(hidden - 1)),
        (padded(outputs, _ALIGNMENT), width),
    ]


def _count(shapes: list[tuple[int, int]]) -> int:
    return sum(rows * columns for rows, columns in shapes)


def _run(state: Mapping[str, Tensor], key: str, count: int, sizes: str, where: str) -> Tensor:
    numbers = wanted(state, key, (None,), where)
    if len(numbers) != count:
        raise CheckpointError(
            f"{where}: '{key}' has shape [{len(numbers)}], expected [{count}] for {sizes}; "
            "if the run changed these sizes, put its config.yml beside the checkpoint."
        )
    return numbers


def _layers(numbers: Tensor, shapes: list[tuple[int, int]]) -> list[Dense]:
    parts = torch.split(numbers, [rows * columns for rows, columns in shapes])
    return [Dense(part.view(shape).T.contiguous()) for part, shape in zip(parts, shapes, strict=True)]
