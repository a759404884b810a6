"""From the tensors of nerfstudio's `nerfacto` to fields: the torch implementation, whose layers have names and biases.

Hash grid -> (density, 15 features); harmonics of the direction, these features and an appearance embedding -> colour.
Space is contracted into a cube unless the run said `disable_scene_contraction`. For evaluation the embedding is the
mean over all pictures, or zero. Sizes come from tensors; the growth of the grid's resolution, which no tensor of older
versions holds, from the configuration or nerfstudio's defaults. Networks of tiny-cuda-nn are taken apart in
`nerfstudio_packed.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError
from ..hashgrid import PHASE, Dialect, HashGrid, HashGridLayout
from ..hashgrid_field import AffineWarp, ColourHead, ContractedWarp, Dense, HashGridField, Warp
from ..nerf import Bounds
from .nerfstudio_config import number
from .nerfstudio_packed import is_packed, packed_base, packed_head, packed_width
from .state_dicts import linear_layers, wanted

REACH = 4.0
"""Half the side of the box that is shown of contracted space, where cameras and subject lie within 1. What is farther
away is squeezed into the last eighth of the grid's cube, and is seen as a backdrop on the box's faces."""
_HARMONICS = 16
_APPEARANCE = "embedding_appearance.embedding.weight"
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
        CheckpointError: tensors are missing or do not fit.
    """
    warp, bounds = _space(state, settings, where)
    if is_packed(state):
        layout = _packed_layout(state, settings, {"num_levels": 16, "log2_hashmap_size": 19, "max_res": 2048}, where)
        grid, dense = packed_base(state, layout, packed_width(settings, 64), 16, where)
        head = packed_head(state, settings, _appearance(state, settings, where), where)
        bias = _bias(settings, "mlp_base.model.params" in state)
        return HashGridField(grid, dense, head, warp, bounds, bias=bias, first_feature=1)
    base = _base(state, _BASES, where)
    grid = _grid(state, base, settings, 2048, where)
    layers = linear_layers(state, f"{base[1]}.layers", grid.layout.width, where)
    outputs = len(layers[-1][0])
    if outputs < 2:
        raise CheckpointError(f"{where}: '{base[1]}' ends in {outputs} output, expected a density and features.")
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
    listed = settings.get("proposal_net_args_list")
    own = listed[min(numbers[-1], len(listed) - 1)] if isinstance(listed, list) and listed else {}
    own = own if isinstance(own, Mapping) else {}
    if is_packed(last):
        layout = _packed_layout(last, own, {"num_levels": 5, "log2_hashmap_size": 17, "max_res": 256}, where)
        grid, dense = packed_base(last, layout, packed_width(own, 16), 1, where)
        return HashGridField(grid, dense, None, scene.warp, scene.bounds, bias=scene.bias)
    base = next((pair for pair in _PROPOSAL_BASES if f"{pair[0]}.hash_table" in last), None)
    if base is None or f"{base[1]}.layers.0.weight" not in last:
        return None
    grid = _grid(last, base, own, 256, where)
    layers = linear_layers(last, f"{base[1]}.layers", grid.layout.width, where)
    return HashGridField(grid, _dense(layers), None, scene.warp, scene.bounds, bias=scene.bias)


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
    layout = _layout(state, settings, levels, features, log2_size, finest, "nerfstudio", where)
    return HashGrid(layout, list(table.split(1 << log2_size)))


def _packed_layout(
    state: Mapping[str, Tensor], settings: Mapping[str, Any], default: Mapping[str, int], where: str
) -> HashGridLayout:
    """The layout of a grid without a table, from buffers, else the configuration, else the defaults."""
    sizes = [
        int(_buffer(state, settings, key, default[key], 1, 1 << 10)) for key in ("num_levels", "log2_hashmap_size")
    ]
    features = int(number(settings, "features_per_level", 2, 1, 16))
    return _layout(state, settings, sizes[0], features, sizes[1], default["max_res"], "tiny-cuda-nn", where)


def _layout(
    state: Mapping[str, Tensor],
    settings: Mapping[str, Any],
    levels: int,
    features: int,
    log2_size: int,
    finest: int,
    dialect: Dialect,
    where: str,
) -> HashGridLayout:
    coarsest = number(settings, "base_res", 16, 1, 1 << 16)
    greatest = _buffer(state, settings, "max_res", finest, 1, 1 << 24)
    if not coarsest <= greatest < 1 << 24:
        raise CheckpointError(f"{where}: the grid's resolutions run from {coarsest:g} to {greatest:g}.")
    growth = float(np.exp((np.log(greatest) - np.log(coarsest)) / (levels - 1))) if levels > 1 else 1.0
    try:
        return HashGridLayout(levels, features, log2_size, int(coarsest), growth, dialect)
    except ValueError as error:
        raise CheckpointError(f"{where}: its tensors make no hash grid: {error}") from error


def _buffer(
    state: Mapping[str, Tensor], settings: Mapping[str, Any], key: str, default: float, low: float, high: float
) -> float:
    """A size that newer versions keep as a buffer, and older ones only in the configuration."""
    if key in state and state[key].numel() == 1:
        return float(state[key])
    return number(settings, key, default, low, high)


def _colour(state: Mapping[str, Tensor], features: int, settings: Mapping[str, Any], where: str) -> ColourHead:
    """`mlp_head`, whose first layer reads (harmonics, features, appearance); the last is folded into its bias."""
    embedding = _appearance(state, settings, where)
    appearance = 0 if embedding is None else len(embedding)
    (weight, bias), *rest = linear_layers(state, "mlp_head.layers", _HARMONICS + features + appearance, where)
    if not rest or len(rest[-1][0]) != 3:
        shape = list((rest[-1][0] if rest else weight).shape)
        raise CheckpointError(
            f"{where}: the last layer of 'mlp_head' has shape {shape}, expected [3, any] after others."
        )
    harmonics, geometry, latent = weight.split([_HARMONICS, features, appearance], dim=1)
    if embedding is not None:
        bias = bias + latent @ embedding
    phase = torch.tensor(PHASE, dtype=torch.float32)
    return ColourHead(
        Dense(geometry.T.contiguous(), bias), Dense((harmonics * phase).T.contiguous()), _dense(rest), halved=True
    )


def _appearance(state: Mapping[str, Tensor], settings: Mapping[str, Any], where: str) -> Tensor | None:
    """The appearance [A] that a picture of no camera has: the mean of all, or zeros; None when none was trained."""
    if _APPEARANCE not in state:
        return None
    embeddings = wanted(state, _APPEARANCE, (None, None), where)
    average = bool(settings.get("use_average_appearance_embedding", True))
    return embeddings.mean(0) if average else torch.zeros(embeddings.shape[1])


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
