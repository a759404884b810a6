"""A hash-grid scene in our own form: tables and layers as tensors, cells that may hold something as packed bits.

Ours and instant-ngp's: one field whose warp is affine. nerfacto's scenes have proposal networks and contracted space,
and stay in nerfstudio's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..base import CameraDefaults, Generator, ModelCard, Pose, VolumeSettings
from ..errors import CheckpointError
from ..hashgrid import HashGrid, HashGridLayout
from ..hashgrid_field import AffineWarp, ColourHead, Dense, DensityGrid, HashGridField
from ..nerf import Bounds
from ..scene_generator import SceneGenerator
from ..weights import filled
from .native_families import Native, PoseForm, checked_poses
from .plain_json import from_plain, to_plain

FAMILY = "hashgrid"
_HARMONICS = 16
_WIDEST, _DEEPEST, _MOST_VECTORS = 1024, 16, 1 << 28
_SIDES, _MOST_CASCADES = (8, 16, 32, 64, 128, 256), 8
_OCCUPIED = "occupied"


@dataclass(frozen=True)
class HashGridForm:
    """The configuration of such a scene."""

    layout: HashGridLayout
    density: tuple[int, ...]
    """Widths of the density network's layers, the last one its outputs."""
    colour: tuple[int, ...]
    """Widths of the colour network's layers, the last one 3."""
    density_bias: bool
    head_bias: bool
    rest_bias: bool
    first_feature: int
    bias: float
    warp: AffineWarp
    bounds: Bounds
    volume: VolumeSettings
    resolution: int
    halved: bool = False
    turn: tuple[tuple[float, ...], ...] | None = None
    occupancy: AffineWarp | None = None
    """World into the smallest cascade of the occupied cells; None: anything may be anywhere."""
    poses: tuple[PoseForm, ...] = ()

    def __post_init__(self) -> None:
        widths = (*self.density, *self.colour)
        if len(self.density) < 1 or len(self.colour) < 2 or len(widths) > _DEEPEST or self.colour[-1] != 3:
            raise ValueError(f"layers of {self.density} and {self.colour} neurons make no density and colour network")
        if not all(1 <= width <= _WIDEST for width in widths):
            raise ValueError(f"layers of {widths} neurons; expected 1 to {_WIDEST}")
        if not 0 <= self.first_feature < self.density[-1]:
            raise ValueError(f"first_feature is {self.first_feature}, but there are {self.density[-1]} outputs")
        if self.layout.parameters > _MOST_VECTORS:
            raise ValueError(f"a hash grid of {self.layout.parameters:,} numbers; up to {_MOST_VECTORS:,} are read")
        for warp in (self.warp, self.occupancy):
            if warp and ([len(row) for row in warp.matrix], len(warp.offset)) != ([3, 3, 3], 3):
                raise ValueError("a warp is no 3 x 3 matrix and 3 numbers")
        if self.turn is not None and [len(row) for row in self.turn] != [3, 3, 3]:
            raise ValueError("turn is no 3 x 3 matrix")


class _Layers(nn.Module):
    """All tensors by name, for their shapes."""

    def __init__(self, form: HashGridForm) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(form.layout.parameters // form.layout.features, form.layout.features))
        self.density = _chain(form.layout.width, form.density, form.density_bias)
        features = form.density[-1] - form.first_feature
        self.features = nn.Linear(features, form.colour[0], bias=form.head_bias)
        self.directions = nn.Linear(_HARMONICS, form.colour[0], bias=False)
        self.rest = _chain(form.colour[0], form.colour[1:], form.rest_bias)


def _chain(inputs: int, widths: tuple[int, ...], bias: bool) -> nn.ModuleList:
    pairs = zip((inputs, *widths[:-1]), widths, strict=True)
    return nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in pairs)


def take_apart(generator: SceneGenerator) -> Native:
    """What our form stores of a scene.

    Raises:
        CheckpointError: it is of another kind.
    """
    field = generator.field
    if (
        not isinstance(field, HashGridField)
        or not isinstance(field.warp, AffineWarp)
        or field.head is None
        or generator.proposal is not None
    ):
        raise CheckpointError(
            f"{generator.card.title} cannot be converted: of hash-grid scenes only those with an affine box and "
            "without proposal networks have a native form. Open the file as it is instead."
        )
    head, occupancy = field.head, field.occupancy
    chains = {"density": field.layers, "features": (head.features,), "rest": head.rest}
    form = HashGridForm(
        layout=field.grid.layout,
        density=tuple(layer.weight.shape[1] for layer in field.layers),
        colour=(head.features.weight.shape[1], *(layer.weight.shape[1] for layer in head.rest)),
        density_bias=field.layers[0].bias is not None,
        head_bias=head.features.bias is not None,
        rest_bias=head.rest[0].bias is not None,
        first_feature=field.first_feature,
        bias=field.bias,
        warp=field.warp,
        bounds=field.bounds,
        volume=generator.volume,
        resolution=generator.resolution,
        halved=head.halved,
        turn=head.turn,
        occupancy=None if occupancy is None else occupancy.to_grid,
        poses=tuple(PoseForm(*pose) for pose in generator.poses),
    )
    tensors = {"table": torch.cat(field.grid.tables), "directions.weight": head.directions.weight.T}
    for name, layers in chains.items():
        for index, layer in enumerate(layers):
            at = name if name == "features" else f"{name}.{index}"
            tensors[f"{at}.weight"] = layer.weight.T
            if layer.bias is not None:
                tensors[f"{at}.bias"] = layer.bias
    if occupancy is not None:
        bits = np.packbits(occupancy.occupied.cpu().numpy(), axis=-1)  # [cascades, S, S, S / 8]
        tensors[_OCCUPIED] = torch.from_numpy(bits)
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return Native(FAMILY, stored, to_plain(form), generator.camera)


def put_together(
    tensors: Mapping[str, Tensor], config: Any, camera: CameraDefaults | None, card: ModelCard
) -> Generator:
    """The scene that `take_apart` took apart.

    Raises:
        CheckpointError: tensors are missing or do not fit the configuration, or the configuration is impossible.
    """
    form = from_plain(HashGridForm, config, "config")
    if camera is None:
        raise CheckpointError("the description of this scene has no camera; convert it again")
    poses: tuple[Pose, ...] = checked_poses(form.poses)
    layers = filled(lambda: _Layers(form), {name: value for name, value in tensors.items() if name != _OCCUPIED})
    head = ColourHead(
        _dense(layers.features),
        _dense(layers.directions),
        tuple(_dense(layer) for layer in layers.rest),
        halved=form.halved,
        turn=form.turn,
    )
    field = HashGridField(
        HashGrid.from_flat(form.layout, layers.table.detach().reshape(-1)),
        tuple(_dense(layer) for layer in layers.density),
        head,
        form.warp,
        form.bounds,
        bias=form.bias,
        first_feature=form.first_feature,
        occupancy=None if form.occupancy is None else DensityGrid(_occupied(tensors), form.occupancy),
    )
    return SceneGenerator(field, None, form.volume, card, camera, poses, form.resolution)


def _dense(layer: nn.Module) -> Dense:
    assert isinstance(layer, nn.Linear)
    return Dense(layer.weight.detach().T.contiguous(), None if layer.bias is None else layer.bias.detach())


def _occupied(tensors: Mapping[str, Tensor]) -> Tensor:
    """[cascades, S, S, S] bool."""
    packed = tensors.get(_OCCUPIED)
    shape = [] if packed is None else list(packed.shape)
    fits = len(shape) == 4 and shape[1] == shape[2] == 8 * shape[3] and shape[1] in _SIDES
    if packed is None or packed.dtype != torch.uint8 or not fits or not 1 <= shape[0] <= _MOST_CASCADES:
        raise CheckpointError(f"tensor {_OCCUPIED!r} has shape {shape}, expected [cascades, S, S, S / 8] bytes")
    return torch.from_numpy(np.unpackbits(packed.numpy(), axis=-1).astype(bool))
