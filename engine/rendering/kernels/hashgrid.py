"""A hash-grid field's volume rendering as one CUDA launch: packs a scene for `hashgrid.cu` and runs it.

`render_occupancy` is its readable twin: the same lattice, occupied cells and quadrature. They differ by half precision
of the tables (in which instant-ngp and our own files store them anyway), by where a ray that is almost opaque is given
up, and by colours being asked for once some opacity has gathered.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....models.base import Scene, VolumeSettings
from ....models.hashgrid_field import AffineWarp, ColourHead, HashGridField
from ..image import Rendered
from ..occupancy import OccupancyGrid
from ..occupancy_march import OPAQUE, lattice_of
from ..rays import ray_basis
from .triplane import Runner, packed_bits

NAME = "hashgrid.cu"
HARMONICS = 16
MOST_SHARED = 46 << 10
"""Bytes of weights that a kernel can hold in shared memory without asking for more; the rest of 48 KiB is for what
else stands there."""
SIP = 1e-2
"""Opacity that a ray gathers before it asks for a colour, which serves for what has waited."""
_LEVEL = struct.Struct("<2f4I")
_LAUNCH = struct.Struct("<69f11i")
"""`struct Level` and `struct Launch` of the kernel."""


@dataclass(frozen=True, eq=False)
class PackedHashGrid:
    """One scene as the kernel reads it."""

    bits: Tensor
    """Occupied cells, 32 to an int32."""
    trained: Tensor
    """The cells that training kept, likewise; one word where there are none."""
    levels: Tensor
    """`struct Level` of each level, bytes."""
    table: Tensor
    """All levels' features, two halves to an int32."""
    networks: Tensor
    """Weights and biases [W] float32; see `speak` and `shine` in the kernel."""
    sizes: dict[str, int]
    """The kernel's compile-time sizes."""
    field: HashGridField
    grid: OccupancyGrid


def fits(scene: Scene) -> bool:
    """Whether the kernel can render a scene: instant-ngp's networks in a box, with NeRF's quadrature on a lattice."""
    field, volume = scene.field, scene.volume
    return (
        isinstance(field, HashGridField)
        and isinstance(field.warp, AffineWarp)
        and field.head is not None
        and len(field.layers) == 2
        and len(field.head.rest) == 2
        and field.grid.layout.features in (2, 4, 8)
        and _floats(_sizes(field)) * 4 <= MOST_SHARED
        and scene.proposal is None
        and volume.activation == "exp"
        and volume.quadrature == "left"
        and volume.sampler == "nerf"
        and not volume.disparity
        and not volume.opaque_end
    )


@torch.no_grad()
def pack(field: HashGridField, grid: OccupancyGrid) -> PackedHashGrid:
    """Brings tables, networks and occupied cells into the kernel's layout, on the device where they are."""
    device, layout = field.grid.device, field.grid.layout
    start, levels = 0, bytearray()
    for level in field.grid.levels:
        levels += _LEVEL.pack(level.scale, level.shift, level.resolution, level.size, level.hashed, start)
        start += level.size
    table = torch.cat([table.to(torch.float16).reshape(-1) for table in field.grid.tables])
    trained = torch.zeros(32, dtype=torch.bool, device=device)
    if field.occupancy is not None:
        trained = field.occupancy.occupied.to(device)
    return PackedHashGrid(
        bits=packed_bits(grid.occupied),
        trained=packed_bits(trained),
        levels=torch.frombuffer(levels, dtype=torch.uint8).to(device),
        table=table.view(torch.int32),
        networks=_networks(field).to(device),
        sizes={**_sizes(field), "LEVELS": layout.levels, "SMOOTH": int(layout.smooth)},
        field=field,
        grid=grid,
    )


@torch.no_grad()
def render_hashgrid(
    packed: PackedHashGrid,
    volume: VolumeSettings,
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
    height: int,
    width: int,
    run: Runner,
    *,
    samples: int | None = None,
    fineness: float = 1.0,
) -> Rendered:
    """One view of a packed scene; arguments as `render_occupancy`'s.

    Args:
        packed: from `pack`.
        volume: of the scene, which `fits`.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        height: rows of the picture.
        width: columns of the picture.
        run: launches the kernel, given launch, bits, trained, levels, table, networks, and what it writes: features
            [3, h, w], depth [h, w], alpha [h, w].
        samples: lattice positions from near to far; None: three a cell.
        fineness: factor on that number.
    """
    launch = _launch(packed, volume, cam2world, intrinsics, height, width, samples, fineness)
    device = packed.table.device
    features = torch.empty(3, height, width, device=device)
    depth, alpha = torch.empty(height, width, device=device), torch.empty(height, width, device=device)
    arrays = (packed.bits, packed.trained, packed.levels, packed.table, packed.networks)
    run(launch.to(device, non_blocking=True), *arrays, features, depth, alpha)
    return Rendered(features, depth, alpha)


def _launch(
    packed: PackedHashGrid,
    volume: VolumeSettings,
    cam2world: Any,
    intrinsics: Any,
    height: int,
    width: int,
    samples: int | None,
    fineness: float,
) -> Tensor:
    """`struct Launch` as bytes [320] uint8."""
    field, grid = packed.field, packed.grid
    pose, lens = (np.asarray(torch.as_tensor(m).detach().cpu(), np.float64) for m in (cam2world, intrinsics))
    basis = ray_basis(pose, lens, height, width, volume.pixels, volume.pixel_stretch)
    near, far, count = lattice_of(volume, field.bounds, grid, samples, fineness)
    cells = tuple(grid.occupied.shape)
    low, high = grid.bounds
    scale = [n / (b - a) for n, a, b in zip(cells, low, high, strict=True)]
    kept = field.occupancy
    assert isinstance(field.warp, AffineWarp)
    assert field.head is not None
    turn = np.eye(3) if field.head.turn is None else np.asarray(field.head.turn)
    values = (
        *pose[:3, 3].tolist(),
        *basis.reshape(-1).tolist(),
        near,
        far,
        *field.bounds[0],
        *field.bounds[1],
        *grid.tight[0],
        *grid.tight[1],
        *low,
        *scale,
        *_rows(field.warp),
        *([0.0] * 12 if kept is None else _rows(kept.to_grid)),
        *turn.reshape(-1).tolist(),
        field.bias,
        -math.log(1.0 - OPAQUE),
        SIP,
        float(volume.white_background),
        height,
        width,
        count,
        *cells,
        int(grid.empty),
        int(volume.unit_rays),
        int(field.head.halved),
        0 if kept is None else kept.occupied.shape[0],
        0 if kept is None else kept.occupied.shape[1],
    )
    return torch.frombuffer(bytearray(_LAUNCH.pack(*values)), dtype=torch.uint8)


def _rows(warp: AffineWarp) -> list[float]:
    """[3][4], row by row."""
    return [number for row, last in zip(warp.matrix, warp.offset, strict=True) for number in (*row, last)]


def _sizes(field: HashGridField) -> dict[str, int]:
    """The networks' compile-time sizes."""
    head: ColourHead | None = field.head
    assert head is not None
    first, second = field.layers
    return {
        "PAIRS": field.grid.layout.features // 2,
        "HIDDEN": first.weight.shape[1],
        "SAID": second.weight.shape[1],
        "FIRST": field.first_feature,
        "READ": head.features.weight.shape[0],
        "WIDE_A": head.features.weight.shape[1],
        "WIDE_B": head.rest[0].weight.shape[1],
    } | {"LEVELS": field.grid.layout.levels}


def _floats(sizes: dict[str, int]) -> int:
    inputs, joined = 2 * sizes["PAIRS"] * sizes["LEVELS"], sizes["READ"] + HARMONICS
    hidden, said, a, b = (sizes[name] for name in ("HIDDEN", "SAID", "WIDE_A", "WIDE_B"))
    return hidden * (inputs + 1) + (hidden + 1) * said + a * (joined + 1) + (a + 1) * b + (b + 1) * 4


def _networks(field: HashGridField) -> Tensor:
    head = field.head
    assert head is not None
    (first, second), (third, fourth) = field.layers, head.rest
    joined = torch.cat([head.features.weight, head.directions.weight])  # [READ + 16, A]
    last = torch.nn.functional.pad(fourth.weight, (0, 1))  # [B, 4]
    parts: list[Tensor] = []
    for weight, bias, count in (
        (first.weight.T, first.bias, len(first.weight.T)),
        (second.weight, second.bias, second.weight.shape[1]),
        (joined.T, head.features.bias, joined.shape[1]),
        (third.weight, third.bias, third.weight.shape[1]),
        (last, fourth.bias, 4),
    ):
        values = weight.new_zeros(count)
        if bias is not None:
            values[: len(bias)] = bias
        parts += [weight.reshape(-1), values]
    return torch.cat([part.float() for part in parts]).contiguous()
