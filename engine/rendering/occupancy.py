"""Where a field can be anything at all: a grid of cells, found once per identity, that keeps rays out of empty space.

A cell is kept when its raw density, extrapolated along its steepest slope, could make the cell thicker than
`thickness`, or when one of its 26 neighbours is kept for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import RadianceField, VolumeSettings
from .cancel import Checkpoint, never
from .density import opaque_raw, raw_at_density
from .rays import Bounds

POINTS_PER_CHUNK = 1 << 16
"""Points given to a field at once: about 30 MB of activations for a 128-wide network."""


@dataclass(frozen=True)
class OccupancyGrid:
    """Which cells of a box may hold something, and which are certainly solid."""

    bounds: Bounds
    """The box that the cells divide evenly, world units."""
    occupied: Tensor
    """[nx, ny, nz] bool: whether light can be stopped in the cell."""
    solid: Tensor
    """[nx, ny, nz] bool: whether the cell and its 26 neighbours are opaque each, so that no ray sees its inside."""
    tight: Bounds
    """Box around the occupied cells; of zero volume, at the centre of `bounds`, when nothing is occupied."""

    thin: bool = False
    """Whether the field was said to have thin parts and rough densities; `bake` treats them accordingly."""

    @property
    def cell(self) -> tuple[float, float, float]:
        """Edge lengths of a cell, world units."""
        low, high = self.bounds
        return tuple((b - a) / n for a, b, n in zip(low, high, self.occupied.shape, strict=True))  # type: ignore[return-value]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return self.tight[0] == self.tight[1]

    def contains(self, points: Tensor) -> Tensor:
        """Whether each point [..., 3] lies in an occupied cell; False outside of the box. Returns [...] bool."""
        return gather_cells(self.occupied, points, self.bounds)


def build_occupancy(
    field: RadianceField,
    volume: VolumeSettings,
    *,
    thin: bool = False,
    resolution: int | None = None,
    refinements: int | None = None,
    margin: float | None = None,
    thickness: float = 1e-2,
    checkpoint: Checkpoint = never,
) -> OccupancyGrid:
    """Finds where a field is not empty, coarse to fine.

    Args:
        field: any field; it is asked for up to resolution^3 densities, and 8 more per kept cell and refinement.
        volume: its activation turns raw values into densities.
        thin: sets the next three. False: 32, 0, 0.5, right for generated fields, whose raw density behaves like a
            distance near the surface. True: 64, 1, 0, right for reconstructions of photographs (a generator without
            latents), which have thin parts and a raw density so rough that its slope says nothing.
        resolution: cells along the longest side of the field's bounds, first pass.
        refinements: how often kept cells are split into 8.
        margin: how far a cell's raw density is extrapolated, in cells, along the steepest slope at it; 0.5 reaches
            the cell's faces.
        thickness: optical thickness (density times edge length) under which a cell counts as empty.
        checkpoint: called between chunks of points.

    Returns:
        The grid, on the device of the field's tensors.

    Raises:
        ValueError: a resolution under 2, or bounds without volume.
        Cancelled: from `checkpoint`.
    """
    resolution = (64 if thin else 32) if resolution is None else resolution
    refinements = int(thin) if refinements is None else refinements
    margin = (0.0 if thin else 0.5) if margin is None else margin
    low, high = field.bounds
    extent = [b - a for a, b in zip(low, high, strict=True)]
    if resolution < 2 or min(extent) <= 0:
        raise ValueError(f"resolution {resolution} in the box {field.bounds}: expected 2 or more and a box with volume")
    shape = tuple(max(2, round(resolution * e / max(extent))) for e in extent)
    device = field_device(field)
    live = occupied = solid = torch.ones(shape, dtype=torch.bool, device=device)
    raw = torch.zeros(shape, device=device)
    for level in range(refinements + 1):
        if level:
            live, raw = _split(occupied), _split(raw)
            shape = tuple(live.shape)
        index = live.view(-1).nonzero()[:, 0]
        raw.view(-1)[index] = densities(field, cell_centres(index, shape, field.bounds), checkpoint)
        length = max(e / n for e, n in zip(extent, shape, strict=True))
        threshold = raw_at_density(thickness / length, volume.activation)
        occupied, solid = _classify(raw, live, threshold, opaque_raw(length, volume.activation), margin)
    return OccupancyGrid(field.bounds, occupied, solid, _tight(occupied, field.bounds), thin)


def _classify(raw: Tensor, live: Tensor, threshold: float, opaque: float, margin: float) -> tuple[Tensor, Tensor]:
    """Splits cells [nx, ny, nz] into occupied and solid ones by the rule in the module's docstring."""
    x = raw[None, None]
    lowest = -F.max_pool3d(-x, 3, 1, 1)[0, 0]
    # Steepest slope among the differences with the six neighbours, raw units per cell.
    slope = torch.zeros_like(raw)
    for axis in range(3):
        n = raw.shape[axis]
        step = raw.diff(dim=axis).abs()
        slope.narrow(axis, 0, n - 1).copy_(torch.maximum(slope.narrow(axis, 0, n - 1), step))
        slope.narrow(axis, 1, n - 1).copy_(torch.maximum(slope.narrow(axis, 1, n - 1), step))
    reach = F.max_pool3d((raw + margin * slope)[None, None], 3, 1, 1)[0, 0]
    return (reach > threshold) & live, (lowest > opaque) & live


def _split(grid: Tensor) -> Tensor:
    """Doubles the resolution of [nx, ny, nz] by repetition."""
    for axis in range(3):
        grid = grid.repeat_interleave(2, axis)
    return grid.contiguous()


def _tight(occupied: Tensor, bounds: Bounds) -> Bounds:
    low, high = [], []
    for axis in range(3):
        a, b, n = bounds[0][axis], bounds[1][axis], occupied.shape[axis]
        others = tuple(i for i in range(3) if i != axis)
        index = occupied.any(dim=others[1]).any(dim=others[0]).nonzero()[:, 0]
        if not len(index):
            centre = tuple((p + q) / 2 for p, q in zip(*bounds, strict=True))
            return centre, centre  # type: ignore[return-value]
        low.append(a + (b - a) * int(index[0]) / n)
        high.append(a + (b - a) * (int(index[-1]) + 1) / n)
    return tuple(low), tuple(high)  # type: ignore[return-value]


def cell_centres(index: Tensor, shape: tuple[int, ...], bounds: Bounds) -> Tensor:
    """World positions [N, 3] of the centres of cells with flat indices [N] in a grid of `shape` over `bounds`."""
    ijk = torch.stack([index // (shape[1] * shape[2]), index // shape[2] % shape[1], index % shape[2]], -1)
    low = torch.tensor(bounds[0], device=index.device)
    size = (torch.tensor(bounds[1], device=index.device) - low) / torch.tensor(shape, device=index.device)
    return low + (ijk + 0.5) * size


def gather_cells(grid: Tensor, points: Tensor, bounds: Bounds) -> Tensor:
    """Values of a grid [nx, ny, nz] of bool in the cells that hold points [..., 3]; False outside."""
    low = torch.tensor(bounds[0], device=points.device)
    shape = torch.tensor(grid.shape, device=points.device)
    scale = shape / (torch.tensor(bounds[1], device=points.device) - low)
    cell = ((points - low) * scale).floor()
    inside = ((cell >= 0) & (cell < shape)).all(-1)
    i, j, k = (cell.long().clamp_(min=0).minimum(shape - 1)).unbind(-1)
    return grid.view(-1)[(i * grid.shape[1] + j) * grid.shape[2] + k] & inside


@torch.no_grad()
def densities(field: RadianceField, points: Tensor, checkpoint: Checkpoint = never) -> Tensor:
    """Raw densities [N] of a field at points [N, 3], in chunks; skips the colour where the field allows (`density`)."""
    density = getattr(field, "density", None)
    out = []
    for chunk in points.split(POINTS_PER_CHUNK):
        checkpoint()
        if density is not None:
            out.append(density(chunk))
        else:
            directions = torch.tensor([[0.0, 0.0, 1.0]], device=chunk.device).expand_as(chunk)
            out.append(field(chunk, directions if field.view_dependent else None)[0])
    return torch.cat(out).float() if out else torch.zeros(0, device=points.device)


@torch.no_grad()
def field_device(field: RadianceField) -> torch.device:
    """The device on which a field lives: its `device` attribute, else that of its tensors, else the CPU."""
    device = getattr(field, "device", None)
    if device is not None:
        return torch.device(device)
    for value in vars(field).values() if hasattr(field, "__dict__") else ():
        if isinstance(value, Tensor):
            return value.device
    return torch.device("cpu")
