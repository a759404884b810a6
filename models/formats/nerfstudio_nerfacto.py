"""From the tensors of nerfstudio's `nerfacto` to fields: its torch implementation, whose layers have names and biases.

Hash grid -> (density, 15 features); harmonics of the direction, these features and an appearance embedding -> colour.
Space is contracted into a cube unless the run said `disable_scene_contraction`. For evaluation the embedding is the
mean over all pictures, or zero. Sizes come from tensors; the growth of the grid's resolution, which no tensor of older
versions holds, from the configuration or nerfstudio's defaults.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError
from ..hashgrid import PHASE, HashGrid, HashGridLayout
from ..hashgrid_field import AffineWarp, ColourHead, ContractedWarp, Dense, HashGridField, Warp
from ..nerf import Bounds
from .nerfstudio_config import number
from .state_dicts import linear_layers, wanted

REACH = 4.0
"""Half the side of the box that is shown of contracted space, where cameras and subject lie within 1. What is farther
away is squeezed into the last eighth of the grid's cube, and is seen as a backdrop on the box's faces."""
_HARMONICS = 16
# Where versions of nerfstudio keep the grid and the layers behind it: since 1.0, and before.
_NEW, _OLD = ("mlp_base.model.0", "mlp_base.model.1"), ("mlp_base.0", "mlp_base.1")
_BASES = (_NEW, _OLD, ("mlp_base_grid", "mlp_base_mlp"))
_PROPOSAL_BASES = (("mlp_base.0", "mlp_base.1"), ("encoding", "mlp"))
_DEFAULT_DENSITY = 0.01  # `average_init_density` since it exists; before, densities were not scaled


def nerfacto_field(state: Mapping[str, Tensor], settings: Mapping[str, Any], where: str) -> HashGridField:
    """The scene, from tensors whose names have lost the prefix `_model.field.`.

    Args:
        state: names and tensors.
        settings: `pipeline.model` of the run's configuration; may be empty.
        where: what to call the checkpoint in errors.

    Raises:
        CheckpointError: tensors are missing or do not fit; it is of the tiny-cuda-nn implementation.
    """
    refuse_tiny_cuda_nn(state, where)
    base = _base(state, _BASES, where)
    grid = _grid(state, base, settings, 2048, where)
    layers = linear_layers(state, f"{base[1]}.layers", grid.layout.width, where)
    outputs = len(layers[-1][0])
    if outputs < 2:
        raise CheckpointError(f"{where}: '{base[1]}' ends in {outputs} output, expected a density and features.")
    warp, bounds = _space(state, settings, where)
    return HashGridField(
        grid,
        _dense(layers),
        _colour(state, outputs - 1, settings, where),
        warp,
        bounds,
        bias=_bias(settings, base == _NEW),
        first_feature=1,
    )


def proposal_field(
    state: Mapping[str, Tensor], settings: Mapping[str, Any], scene: HashGridField, where: str
) -> HashGridField | None:
    """The finest proposal network, from tensors with names `<index>.<...>`; None when there is none that can be used.

    It only places samples, so one of a kind that is not known here is left out.
    """
    numbers = sorted({int(key.split(".")[0]) for key in state if key.split(".")[0].isdigit()})
    if not numbers:
        return None
    last = {key.partition(".")[2]: tensor for key, tensor in state.items() if key.startswith(f"{numbers[-1]}.")}
    base = next((pair for pair in _PROPOSAL_BASES if f"{pair[0]}.hash_table" in last), None)
    if base is None or f"{base[1]}.layers.0.weight" not in last:
        return None
    listed = settings.get("proposal_net_args_list")
    own = listed[min(numbers[-1], len(listed) - 1)] if isinstance(listed, list) and listed else {}
    grid = _grid(last, base, own if isinstance(own, Mapping) else {}, 256, where)
    layers = linear_layers(last, f"{base[1]}.layers", grid.layout.width, where)
    return HashGridField(grid, _dense(layers), None, scene.warp, scene.bounds, bias=scene.bias)


def refuse_tiny_cuda_nn(state: Mapping[str, Tensor], where: str) -> None:
    """Raises CheckpointError when tensors are those of the other implementation, which packs each network into one."""
    packed = [key for key in state if key.endswith("params")]
    if packed:
        raise CheckpointError(
            f"{where} has '{packed[0]}': it was trained with nerfstudio's tiny-cuda-nn implementation. Only the torch "
            "implementation is read; train with --pipeline.model.implementation torch."
        )


def _base(state: Mapping[str, Tensor], known: tuple[tuple[str, str], ...], where: str) -> tuple[str, str]:
    for pair in known:
        if f"{pair[0]}.hash_table" in state:
            return pair
    raise CheckpointError(f"{where} lacks the tensor '{known[0][0]}.hash_table' of shape [any, any].")


def _grid(
    state: Mapping[str, Tensor], base: tuple[str, str], settings: Mapping[str, Any], finest: int, where: str
) -> HashGrid:
    table = wanted(state, f"{base[0]}.hash_table", (None, None), where)
    rows, features = table.shape
    inputs = wanted(state, f"{base[1]}.layers.0.weight", (None, None), where).shape[1]
    levels = inputs // features
    log2_size = (rows // max(levels, 1)).bit_length() - 1
    if levels * features != inputs or levels << log2_size != rows:
        raise CheckpointError(
            f"{where}: '{base[0]}.hash_table' has shape {[rows, features]}, expected [levels * 2^n, features] with "
            f"levels * features = {inputs} as '{base[1]}.layers.0.weight' reads them."
        )
    coarsest = number(settings, "base_res", 16, 1, 1 << 16)
    greatest = number(settings, "max_res", finest, 1, 1 << 24)
    if "max_res" in state and state["max_res"].numel() == 1:
        greatest = float(state["max_res"])
    if not coarsest <= greatest < 1 << 24:
        raise CheckpointError(f"{where}: the grid's resolutions run from {coarsest:g} to {greatest:g}.")
    growth = float(np.exp((np.log(greatest) - np.log(coarsest)) / (levels - 1))) if levels > 1 else 1.0
    try:
        layout = HashGridLayout(levels, features, log2_size, int(coarsest), growth, "nerfstudio")
    except ValueError as error:
        raise CheckpointError(f"{where}: '{base[0]}.hash_table' makes no hash grid: {error}") from error
    return HashGrid(layout, list(table.split(1 << log2_size)))


def _colour(state: Mapping[str, Tensor], features: int, settings: Mapping[str, Any], where: str) -> ColourHead:
    """`mlp_head`, whose first layer reads (harmonics, features, appearance); the last is folded into its bias."""
    embeddings = state.get("embedding_appearance.embedding.weight")
    appearance = (
        0
        if embeddings is None
        else wanted(state, "embedding_appearance.embedding.weight", (None, None), where).shape[1]
    )
    (weight, bias), *rest = linear_layers(state, "mlp_head.layers", _HARMONICS + features + appearance, where)
    if not rest or len(rest[-1][0]) != 3:
        shape = list((rest[-1][0] if rest else weight).shape)
        raise CheckpointError(
            f"{where}: the last layer of 'mlp_head' has shape {shape}, expected [3, any] after others."
        )
    harmonics, geometry, latent = weight.split([_HARMONICS, features, appearance], dim=1)
    if embeddings is not None and settings.get("use_average_appearance_embedding", True):
        bias = bias + latent @ embeddings.mean(0)
    phase = torch.tensor(PHASE, dtype=torch.float32)
    return ColourHead(
        Dense(geometry.T.contiguous(), bias), Dense((harmonics * phase).T.contiguous()), _dense(rest), halved=True
    )


def _space(state: Mapping[str, Tensor], settings: Mapping[str, Any], where: str) -> tuple[Warp, Bounds]:
    if not settings.get("disable_scene_contraction", False):
        return ContractedWarp(), ((-REACH,) * 3, (REACH,) * 3)  # type: ignore[return-value]
    low, high = wanted(state, "aabb", (2, 3), where).double()
    if not bool((low < high).all()):
        raise CheckpointError(
            f"{where}: 'aabb' runs from {low.tolist()} to {high.tolist()}; expected a box with volume."
        )
    matrix = torch.diag(1.0 / (high - low))
    offset = -low / (high - low)
    (a, b, c), (d, e, f) = low.tolist(), high.tolist()
    rows = tuple(tuple(row) for row in matrix.tolist())
    return AffineWarp(rows, tuple(offset.tolist())), ((a, b, c), (d, e, f))


def _bias(settings: Mapping[str, Any], new: bool) -> float:
    """Logarithm of `average_init_density`. A configuration without the key is from before it existed."""
    default = _DEFAULT_DENSITY if new and not settings else 1.0
    return math.log(number(settings, "average_init_density", default, 1e-12, 1e12))


def _dense(layers: list[tuple[Tensor, Tensor]]) -> tuple[Dense, ...]:
    return tuple(Dense(weight.T.contiguous(), bias) for weight, bias in layers)
