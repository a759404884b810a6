"""Any field as a grid that a plain loop can march through: sparse samples, compact storage, coarse to fine.

Density is stored dense; raw for generated fields, so that interpolating it averages raw values as EG3D's marcher does,
else compressed (`density.stored`). Features are stored only for nodes that a ray can see (`bake_features`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import RadianceField, VolumeSettings
from .backdrop import Backdrop, bake_backdrop
from .bake_features import ask, harmonic_features, outward_normals, to_bytes
from .bricks import BLOCK, BrickGrid, cut_into_bricks
from .cancel import Checkpoint, never
from .density import KNEE_THICKNESS, OPAQUE_THICKNESS, knee_density, stored, stored_density
from .occupancy import OccupancyGrid, build_occupancy, densities, field_device
from .rays import Bounds

VISIBLE_THICKNESS = 1e-3
"""Optical thickness of a cell under which the march takes it for empty: a quarter of a grey level of 8-bit output."""

REACH = 3.0
"""Densities are kept up to this many times the one at which a cell is opaque: beyond, only the sign matters."""

CLEAR_THICKNESS = -0.2
"""Thickness of a cell under which compressed densities are cut off: far from a surface only the sign matters."""

LEVELS = (64, 96, 128)
LEVELS_THIN = (64, 128, 256)
"""For reconstructions of photographs. On lego 23, 29 and 34 dB in 0.1, 0.6 and 4.7 s of one core; 320 would bring
1.1 dB more for 9 s, twice the memory and half as much again for every frame."""


@dataclass(frozen=True, eq=False)
class BakedGrid:
    """A field, sampled: dense, as finer grids and CUDA read it. On the CPU, where `bricks` is what is marched."""

    bounds: Bounds
    """Positions of the first and last node, world units; the spacing is the same along all axes."""
    spacing: float
    """Distance between neighbouring nodes, world units."""
    density: Tensor
    """[nx, ny, nz] float32 raw density, or arsinh(density / knee) where `knee` is not 0."""
    index: Tensor
    """[nx, ny, nz] int32: the node's line in `rows`, or -1 where no ray sees it."""
    rows: Tensor
    """[M, V] uint8: K harmonics of C features, padded to a multiple of LANES; value = offset + scale * row."""
    offset: Tensor
    """[K * C] float32"""
    scale: Tensor
    """[K * C] float32"""
    skip: Tensor
    """[bx, by, bz] uint8: blocks to go, in the largest coordinate, to the nearest block with something in it."""
    channels: int
    """C"""
    degree: int
    """Degree of the harmonics, K = (degree + 1)^2; 0: the features do not depend on the direction."""
    thin: bool
    """Whether a node's say in interpolated features grows with its density. Right for reconstructions of photographs,
    where the colour of empty space is arbitrary (0.5 dB on NeRF's lego); generated fields lose 1 dB by it."""
    resolution: int
    """Nodes along the longest side, as asked for."""
    backdrop: Backdrop | None = None
    """What rays end at, where the scene's last sample takes all light that is left."""
    knee: float = 0.0
    """1 / world unit; 0: the density is stored raw."""

    @property
    def bytes(self) -> int:
        """Memory held."""
        return sum(t.numel() * t.element_size() for t in (self.density, self.index, self.rows, self.skip))

    @cached_property
    def bricks(self) -> BrickGrid:
        """Without the empty space; needs nothing of this grid but its `rows`, so it may be kept alone."""
        return cut_into_bricks(self)

    def features(self, lines: Tensor) -> Tensor:
        """Harmonics [N, K * C] in the given lines [N] of `rows`."""
        return self.offset + self.scale * self.rows[lines.long(), : len(self.offset)]


@torch.no_grad()
def bake(
    field: RadianceField,
    volume: VolumeSettings,
    resolution: int,
    *,
    occupancy: OccupancyGrid | None = None,
    previous: BakedGrid | None = None,
    channels: int | None = None,
    degree: int | None = None,
    checkpoint: Checkpoint = never,
) -> BakedGrid:
    """Samples a field on a lattice over its occupied box.

    Args:
        field: any field; one that is a `SplitField` too pays its trunk once for all directions, and one that has a
            `preview` is baked by that.
        volume: its activation says what is empty and what is opaque.
        resolution: nodes along the longest side of the occupied box.
        occupancy: of the same field; None: built here.
        previous: a coarser grid of the same field; saves the nodes that it shows to be out of sight.
        channels: how many features to keep. None: all, for an upsampler; 3: only the colour.
        degree: of the spherical harmonics in which a view-dependent field's features are kept, 0..2; None: 1, or 0
            when the features do not depend on the direction. Degree 2 costs a quarter more a frame and brings 0.45 dB.
        checkpoint: called between chunks of points.

    Raises:
        ValueError: a resolution under 4, or a degree out of range.
        Cancelled: from `checkpoint`.
    """
    if resolution < 4:
        raise ValueError(f"resolution {resolution}: expected at least 4 nodes along the longest side")
    occupancy = build_occupancy(field, volume, checkpoint=checkpoint) if occupancy is None else occupancy
    field = getattr(field, "preview", field)
    channels = field.features if channels is None else min(channels, field.features)
    degree = 0 if not field.view_dependent else (1 if degree is None else degree)
    shape, spacing, low = _lattice(occupancy.tight, resolution, occupancy.cell)
    activation, knee = volume.activation, knee_density(spacing, occupancy.thin)
    visible = VISIBLE_THICKNESS / spacing  # 1 / world unit, as all densities here
    opaque = OPAQUE_THICKNESS / spacing
    live, solid = _worth_asking(occupancy, previous, shape, spacing, low, volume, visible, opaque)
    nodes = live.view(-1).nonzero()[:, 0]
    points = node_positions(nodes, shape, spacing, low).to(field_device(field))
    seen, hidden = stored_density(visible, activation, knee), stored_density(opaque, activation, knee)
    if knee:
        lowest, highest = math.asinh(CLEAR_THICKNESS / KNEE_THICKNESS), stored_density(REACH * opaque, activation, knee)
    else:
        lowest, highest = seen - REACH * hidden, REACH * hidden
    values = torch.where(solid, highest, lowest)  # [nx, ny, nz]
    features: Tensor | None = None
    if field.view_dependent:
        answers = densities(field, points, checkpoint)
    else:
        answers, features = ask(field, points, channels, checkpoint)
    values.view(-1)[nodes] = stored(answers, activation, knee).cpu().clamp_(lowest, highest)
    shell = (values if occupancy.thin else _neighbourhood_max(values, 1)) > seen
    shell &= -_neighbourhood_max(-values, 1) < hidden
    keep = (shell & live).view(-1)[nodes].nonzero()[:, 0]
    if features is not None:
        features = features[keep.to(features.device)].cpu()
    else:
        normals = outward_normals(values, nodes[keep])
        features = harmonic_features(field, points[keep.to(points.device)], normals, channels, degree, checkpoint)
    index = torch.full(shape, -1, dtype=torch.int32)
    index.view(-1)[nodes[keep]] = torch.arange(len(keep), dtype=torch.int32)
    rows, offset, scale = to_bytes(features)
    x, y, z = (a + spacing * (n - 1) for a, n in zip(low, shape, strict=True))
    skip = _skip_distance(values, seen)
    backdrop = None
    if volume.opaque_end:
        backdrop = bake_backdrop(field, channels, checkpoint) if previous is None else previous.backdrop
    return BakedGrid(
        bounds=(low, (x, y, z)),
        spacing=spacing,
        density=values,
        index=index,
        rows=rows,
        offset=offset,
        scale=scale,
        skip=skip,
        channels=channels,
        degree=degree,
        thin=occupancy.thin,
        resolution=resolution,
        backdrop=backdrop,
        knee=knee,
    )


def bake_levels(
    field: RadianceField,
    volume: VolumeSettings,
    resolutions: Sequence[int] = LEVELS,
    *,
    occupancy: OccupancyGrid | None = None,
    channels: int | None = None,
    degree: int | None = None,
    checkpoint: Checkpoint = never,
) -> Iterator[BakedGrid]:
    """Bakes finer and finer grids, each guided by the one before; arguments as in `bake`.

    The first is ready soonest: show it, and replace it as the others arrive.
    """
    occupancy = build_occupancy(field, volume, checkpoint=checkpoint) if occupancy is None else occupancy
    previous = None
    for resolution in resolutions:
        previous = bake(
            field,
            volume,
            resolution,
            occupancy=occupancy,
            previous=previous,
            channels=channels,
            degree=degree,
            checkpoint=checkpoint,
        )
        yield previous


def node_positions(nodes: Tensor, shape: Sequence[int], spacing: float, low: Sequence[float]) -> Tensor:
    """World positions [N, 3] of the nodes with flat indices [N] of a lattice."""
    points = torch.empty(len(nodes), 3, device=nodes.device)
    for axis, stride in enumerate((shape[1] * shape[2], shape[2], 1)):
        points[:, axis] = nodes // stride % shape[axis] * spacing + low[axis]
    return points


def _lattice(
    tight: Bounds, resolution: int, cell: Sequence[float]
) -> tuple[tuple[int, int, int], float, tuple[float, float, float]]:
    """Shape, spacing and first node of a cubic lattice that covers a box, centred on it."""
    extent = [max(b - a, c) for a, b, c in zip(*tight, cell, strict=True)]
    spacing = max(extent) / (resolution - 1)
    shape = tuple(int(e / spacing - 1e-4) + 2 for e in extent)
    low = tuple((a + b) / 2 - spacing * (n - 1) / 2 for a, b, n in zip(*tight, shape, strict=True))
    return shape, spacing, low  # type: ignore[return-value]


def _worth_asking(
    occupancy: OccupancyGrid,
    previous: BakedGrid | None,
    shape: tuple[int, int, int],
    spacing: float,
    low: Sequence[float],
    volume: VolumeSettings,
    visible: float,
    opaque: float,
) -> tuple[Tensor, Tensor]:
    """Which nodes [nx, ny, nz] the field must be asked for, and which are known to be solid without asking.

    `visible` and `opaque` are densities.
    """
    corner, cell = occupancy.bounds[0], occupancy.cell
    occupied = _resample(occupancy.occupied.cpu(), corner, cell, shape, spacing, low)
    solid = _resample(occupancy.solid.cpu(), corner, cell, shape, spacing, low)
    if previous is not None:
        # A cell of the coarser grid speaks for itself and, by the ring around it, for what lies between its nodes.
        high, deep = _neighbourhood_max(previous.density, 1), -_neighbourhood_max(-previous.density, 1)
        same = ([p - previous.spacing / 2 for p in previous.bounds[0]], [previous.spacing] * 3, shape, spacing, low)
        occupied &= _resample(high > stored_density(visible, volume.activation, previous.knee), *same)
        solid |= _resample(deep >= stored_density(opaque, volume.activation, previous.knee), *same)
    return occupied & ~solid, solid


def _resample(
    mask: Tensor,
    corner: Sequence[float],
    cell: Sequence[float],
    shape: Sequence[int],
    spacing: float,
    low: Sequence[float],
) -> Tensor:
    """The values of a mask's cells at the nodes of a lattice; nodes outside take the nearest cell's."""
    for axis in range(3):
        position = torch.arange(shape[axis]) * spacing + low[axis]
        index = ((position - corner[axis]) / cell[axis]).floor().long().clamp_(0, mask.shape[axis] - 1)
        mask = mask.index_select(axis, index)
    return mask


def _neighbourhood_max(grid: Tensor, reach: int) -> Tensor:
    """Largest value within `reach` nodes, [nx, ny, nz]; one axis at a time, which is 9 comparisons in place of 27."""
    x = grid[None, None]
    for axis in range(3):
        kernel, padding = [1, 1, 1], [0, 0, 0]
        kernel[axis], padding[axis] = 2 * reach + 1, reach
        x = F.max_pool3d(x, kernel, 1, padding)
    return x[0, 0]


def _skip_distance(values: Tensor, visible: float) -> Tensor:
    """Blocks to the nearest visible block, in the Chebyshev metric: [bx, by, bz] uint8, at most 255."""
    shape = values.shape
    # A block owns BLOCK cells, whose corners are BLOCK + 1 nodes: the last is shared with the next block.
    pad = [v for n in reversed(shape) for v in (0, -(n - 1) % BLOCK)]
    x = F.pad(values[None, None], pad, value=float("-inf"))
    full = F.max_pool3d(x, BLOCK + 1, BLOCK)[0, 0] > visible
    distance = torch.full(full.shape, 255, dtype=torch.uint8)
    distance[full] = 0
    reached = full.float()
    for step in range(1, max(full.shape)):
        if bool(reached.min() > 0):
            break
        grown = _neighbourhood_max(reached, 1)
        distance[(grown > 0) & (reached == 0)] = min(step, 255)
        reached = grown
        if not bool(full.any()):
            break
    return distance
