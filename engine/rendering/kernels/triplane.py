"""EG3D's volume rendering as one CUDA launch: packs a scene for `triplane.cu` and runs it.

`render_occupancy` is its readable twin; the quadrature, the lattice and the occupied cells are the same, so the two
differ by half precision of the planes and by where a ray that is almost opaque is given up.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....models.base import Scene, VolumeSettings
from ....models.eg3d import OSGDecoder, TriPlaneField
from ..image import Rendered
from ..occupancy import OccupancyGrid
from ..occupancy_march import OPAQUE, lattice_of
from ..rays import Bounds, ray_basis

NAME = "triplane.cu"
TILE = (8, 16)
"""Rows and columns of pixels a block."""
_LAUNCH = struct.Struct("<36f8i")
"""`struct Launch` of the kernel."""


Runner = Callable[..., None]
"""Runs the compiled kernel on a GPU (or, in tests, its lines on the CPU), given its arguments in their order: launch,
bits, planes, decoder; and what it writes to: features [F, h, w], depth [h, w], alpha [h, w]."""


@dataclass(frozen=True)
class PackedTriPlane:
    """One identity as the kernel reads it."""

    planes: Tensor
    """[2, R, R, C] half precision: (x, y), and (x, z) with (z, x) merged into it."""
    decoder: Tensor
    """[H C + H + H P + P] float32: see `decode` in the kernel; P is 1 + F rounded up to a multiple of 4."""
    bits: Tensor
    """Occupied cells, 32 to an int32."""
    sizes: dict[str, int]
    """The kernel's compile-time sizes."""
    cells: tuple[int, int, int]
    grid: Bounds
    tight: Bounds
    empty: bool
    box_warp: float
    finest: OccupancyGrid
    """The grid itself, for the number of samples."""


def fits(scene: Scene) -> bool:
    """Whether the kernel can render a scene: tri-planes with EG3D's own marcher."""
    field, volume = scene.field, scene.volume
    return (
        isinstance(field, TriPlaneField)
        and field.planes.shape[1] == 2
        and field.planes.shape[2] % 8 == 0
        and scene.proposal is None
        and volume.sampler == "eg3d"
        and volume.quadrature == "midpoint"
        and volume.activation == "softplus_shifted"
        and volume.unit_rays
        and not volume.disparity
        and not volume.opaque_end
    )


@torch.no_grad()
def pack(field: TriPlaneField, grid: OccupancyGrid) -> PackedTriPlane:
    """Brings planes, decoder and occupied cells into the kernel's layout, on the device where they are."""
    planes = field.planes[0].permute(0, 2, 3, 1).to(torch.float16).contiguous()
    channels = planes.shape[-1]
    return PackedTriPlane(
        planes=planes,
        decoder=_decoder(field.decoder).to(planes.device),
        bits=packed_bits(grid.occupied),
        sizes={"CHANNELS": channels, "HIDDEN": _layers(field.decoder)[0].weight.shape[0], "FEATURES": field.features},
        cells=tuple(grid.occupied.shape),  # type: ignore[arg-type]
        grid=grid.bounds,
        tight=grid.tight,
        empty=grid.empty,
        box_warp=field.box_warp,
        finest=grid,
    )


@torch.no_grad()
def render_triplane(
    packed: PackedTriPlane,
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
        run: launches the kernel.
        samples: lattice positions from near to far; None: three a cell.
        fineness: factor on that number.
    """
    launch = _launch(packed, volume, cam2world, intrinsics, height, width, samples, fineness)
    device = packed.planes.device
    features = torch.empty(packed.sizes["FEATURES"], height, width, device=device)
    depth, alpha = torch.empty(height, width, device=device), torch.empty(height, width, device=device)
    run(launch.to(device, non_blocking=True), packed.bits, packed.planes, packed.decoder, features, depth, alpha)
    return Rendered(features, depth, alpha)


def _launch(
    packed: PackedTriPlane,
    volume: VolumeSettings,
    cam2world: Any,
    intrinsics: Any,
    height: int,
    width: int,
    samples: int | None,
    fineness: float,
) -> Tensor:
    """`struct Launch` as bytes [176] uint8."""
    pose, lens = (np.asarray(torch.as_tensor(m).detach().cpu(), np.float64) for m in (cam2world, intrinsics))
    basis = ray_basis(pose, lens, height, width, volume.pixels, volume.pixel_stretch)
    half = packed.box_warp / 2
    box: Bounds = (-half, -half, -half), (half, half, half)
    near, far, count = lattice_of(volume, box, packed.finest, samples, fineness)
    low, high = packed.grid
    scale = [n / (b - a) for n, a, b in zip(packed.cells, low, high, strict=True)]
    values = (
        *pose[:3, 3].tolist(),
        *basis.reshape(-1).tolist(),
        near,
        far,
        *box[0],
        *box[1],
        *packed.tight[0],
        *packed.tight[1],
        *low,
        *scale,
        2.0 / packed.box_warp,
        0.5,
        -math.log(1.0 - OPAQUE),
        float(volume.white_background),
        height,
        width,
        count,
        *packed.cells,
        packed.planes.shape[1],
        int(packed.empty),
    )
    return torch.frombuffer(bytearray(_LAUNCH.pack(*values)), dtype=torch.uint8)


def _layers(decoder: OSGDecoder) -> tuple[Any, Any]:
    return decoder.net[0], decoder.net[2]


def _decoder(decoder: OSGDecoder) -> Tensor:
    first, last = _layers(decoder)
    weight, bias = first.effective()
    out, out_bias = last.effective()
    padded = (out.shape[0] + 3) // 4 * 4
    columns = torch.zeros(out.shape[1], padded, device=out.device)
    columns[:, : out.shape[0]] = out.T
    ends = torch.zeros(padded, device=out.device)
    ends[: out.shape[0]] = out_bias
    # The mean over the three planes (two look-ups, one of them merged) goes into the first layer.
    return torch.cat([(weight / 3.0).reshape(-1), bias, columns.reshape(-1), ends]).float().contiguous()


def packed_bits(occupied: Tensor) -> Tensor:
    """Cells [...] bool as bits, 32 to an int32, the first lowest."""
    flat = occupied.reshape(-1).to(torch.int64)
    flat = torch.nn.functional.pad(flat, (0, -len(flat) % 32)).view(-1, 32)
    words = (flat << torch.arange(32, device=flat.device)).sum(1)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)
