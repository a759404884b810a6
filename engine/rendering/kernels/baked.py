"""A baked grid's march as one CUDA launch: packs bricks for `baked.cu` and runs it.

`march.render_baked` is its twin on the CPU: the same samples, features and limits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....models.base import VolumeSettings
from ..bake import VISIBLE_THICKNESS
from ..bricks import BLOCK, BrickGrid
from ..density import stored_density
from ..image import Rendered
from ..march import OPAQUE, SIP, march_limits, step_length
from ..march_kernel import ACTIVATIONS
from ..rays import ray_basis
from .triplane import Runner

NAME = "baked.cu"
MOST_VALUES = 64
"""Bytes of a node's features above which their sums do not fit into a thread's registers."""
_LAUNCH = struct.Struct("<27f10i")
"""`struct Launch` of the kernel."""


@dataclass(frozen=True, eq=False)
class PackedBricks:
    """One grid as the kernel reads it."""

    arrays: tuple[Tensor, ...]
    """table, density, line, rows, offset and scale of the grid, on one device."""
    sizes: dict[str, int]
    """The kernel's compile-time sizes."""
    grid: BrickGrid


def fits(grid: BrickGrid, volume: VolumeSettings) -> bool:
    """Whether the kernel can march a grid: features that fit into registers, and rays that end at no backdrop."""
    return grid.rows.shape[1] <= MOST_VALUES and (grid.backdrop is None or not volume.opaque_end)


def pack(grid: BrickGrid, device: str | torch.device) -> PackedBricks:
    """Brings a grid to a device."""
    rows = grid.rows if len(grid.rows) else np.zeros((1, grid.rows.shape[1]), np.uint8)
    arrays = (grid.table, grid.density, grid.line, rows, grid.offset, grid.scale)
    sizes = {"CHANNELS": grid.channels, "DEGREE": grid.degree, "VALUES": rows.shape[1], "BLOCK": BLOCK}
    made = tuple(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
    return PackedBricks(made, sizes, grid)


@torch.no_grad()
def march_bricks(
    packed: PackedBricks,
    volume: VolumeSettings,
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
    height: int,
    width: int,
    run: Runner,
) -> Rendered:
    """One view; arguments as `march.render_baked`'s.

    Args:
        packed: from `pack`.
        volume: of the same scene, which `fits`.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        height: rows of the picture.
        width: columns of the picture.
        run: launches the kernel, given launch, the grid's arrays, and what it writes: features [C, h, w], depth [h, w],
            alpha [h, w].
    """
    device = packed.arrays[0].device
    launch = _launch(packed.grid, volume, cam2world, intrinsics, height, width)
    features = torch.empty(packed.grid.channels, height, width, device=device)
    depth, alpha = torch.empty(height, width, device=device), torch.empty(height, width, device=device)
    run(launch.to(device, non_blocking=True), *packed.arrays, features, depth, alpha)
    return Rendered(features, depth, alpha)


def _launch(
    grid: BrickGrid, volume: VolumeSettings, cam2world: Any, intrinsics: Any, height: int, width: int
) -> Tensor:
    """`struct Launch` as bytes [148] uint8."""
    pose, lens = (np.asarray(torch.as_tensor(m).detach().cpu(), np.float64) for m in (cam2world, intrinsics))
    basis = ray_basis(pose, lens, height, width, volume.pixels, volume.pixel_stretch)
    near, far = march_limits(grid, volume, pose)
    low, high = np.asarray(grid.bounds, np.float32)
    values = (
        *pose[:3, 3].tolist(),
        *basis.reshape(-1).tolist(),
        *low.tolist(),
        *(high - low).tolist(),
        grid.spacing,
        near,
        far,
        step_length(grid, volume),
        grid.knee,
        stored_density(VISIBLE_THICKNESS / grid.spacing, volume.activation, grid.knee),
        1.0 - OPAQUE,
        SIP,
        float(volume.white_background),
        height,
        width,
        *grid.shape,
        *grid.table.shape[1:],
        ACTIVATIONS[volume.activation],
        int(grid.thin),
        int(volume.unit_rays),
    )
    return torch.frombuffer(bytearray(_LAUNCH.pack(*values)), dtype=torch.uint8)
