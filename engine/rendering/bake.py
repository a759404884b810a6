"""Any field as a grid that a plain loop can march through: sparse samples, compact storage, coarse to fine.

Density is stored raw and dense, so that interpolating it averages raw values as EG3D's marcher does. Features are
stored only for nodes that a ray can see, as bytes with one linear range a channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import RadianceField, VolumeSettings
from .backdrop import Backdrop, bake_backdrop
from .cancel import Checkpoint, never
from .density import opaque_raw, raw_at_density
from .occupancy import POINTS_PER_CHUNK, OccupancyGrid, build_occupancy, densities, field_device
from .rays import Bounds
from .spherical import basis, even_directions

BLOCK = 4
"""Cells along the edge of a block, the unit in which the march skips empty space."""

VISIBLE_THICKNESS = 1e-3
"""Optical thickness of a cell under which the march takes it for empty: a quarter of a grey level of 8-bit output."""

REACH, REACH_THIN = 3.0, 0.3
"""Raw densities are kept within this many times the value at which one cell is opaque. Where they are rough, mixing
their extremes would move surfaces: lego at 192 has 32.7 dB of opacity with 0.3, 30.7 with 3, 28.2 with 0.1."""

HIDDEN_WEIGHT = 0.02
"""Weight of a direction from which a node cannot be seen, where one seen head-on has 1."""

RIDGE = 0.01
"""Pull of the view-dependent harmonics towards 0, relative to the mean square of the harmonics."""

LEVELS = (64, 96, 128)
LEVELS_THIN = (64, 96, 128, 192)


@runtime_checkable
class SplitField(Protocol):
    """A field that can be asked for density and colour apart, so that one point's trunk serves many directions."""

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """points [N, 3] -> raw density [N] and what the colour layers read [N, H]."""
        ...

    def colour(self, hidden: Tensor, directions: Tensor | None) -> Tensor:
        """hidden [N, H] and unit directions [N, 3] -> features [N, C]."""
        ...


@dataclass(frozen=True)
class BakedGrid:
    """A field, sampled. Always on the CPU, where it is marched."""

    bounds: Bounds
    """Positions of the first and last node, world units; the spacing is the same along all axes."""
    spacing: float
    """Distance between neighbouring nodes, world units."""
    density: Tensor
    """[nx, ny, nz] float32 raw density."""
    index: Tensor
    """[nx, ny, nz] int32: the node's line in `rows`, or -1 where no ray sees it."""
    rows: Tensor
    """[M, K * C] uint8: K harmonics of C features; value = offset + scale * row."""
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

    @property
    def bytes(self) -> int:
        """Memory held."""
        return sum(t.numel() * t.element_size() for t in (self.density, self.index, self.rows, self.skip))


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
            when the features do not depend on the direction. Degree 2 costs twice the time and brings 0.3-0.6 dB.
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
    limit = opaque_raw(spacing, volume.activation)
    reach = limit * (REACH_THIN if occupancy.thin else REACH)
    visible = raw_at_density(VISIBLE_THICKNESS / spacing, volume.activation)
    live, solid = _worth_asking(occupancy, previous, shape, spacing, low, visible, min(limit, reach))
    nodes = live.view(-1).nonzero()[:, 0]
    points = node_positions(nodes, shape, spacing, low).to(field_device(field))
    # Far outside and deep inside the sign is all that matters; values near a surface stay linear.
    raw = torch.where(solid, reach, visible - reach)
    features: Tensor | None = None
    if field.view_dependent:
        answers = densities(field, points, checkpoint)
    else:
        answers, features = _ask(field, points, channels, checkpoint)
    raw.view(-1)[nodes] = answers.cpu().clamp_(visible - reach, reach)
    shell = (raw if occupancy.thin else _neighbourhood_max(raw, 1)) > visible
    shell &= -_neighbourhood_max(-raw, 1) < min(limit, reach)
    keep = (shell & live).view(-1)[nodes].nonzero()[:, 0]
    if features is not None:
        values = features[keep.to(features.device)].cpu()
    else:
        outward = _outward(raw).view(-1, 3)[nodes[keep]]
        values = _harmonics(field, points[keep.to(points.device)], outward, channels, degree, checkpoint).cpu()
    index = torch.full(shape, -1, dtype=torch.int32)
    index.view(-1)[nodes[keep]] = torch.arange(len(keep), dtype=torch.int32)
    rows, offset, scale = _to_bytes(values)
    x, y, z = (a + spacing * (n - 1) for a, n in zip(low, shape, strict=True))
    skip = _skip_distance(raw, visible)
    backdrop = None
    if volume.opaque_end:
        backdrop = bake_backdrop(field, channels, checkpoint) if previous is None else previous.backdrop
    return BakedGrid(
        bounds=(low, (x, y, z)),
        spacing=spacing,
        density=raw,
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
    ijk = torch.stack([nodes // (shape[1] * shape[2]), nodes // shape[2] % shape[1], nodes % shape[2]], -1)
    return ijk * spacing + torch.tensor(low, dtype=torch.float32)


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
    visible: float,
    deepest: float,
) -> tuple[Tensor, Tensor]:
    """Which nodes [nx, ny, nz] the field must be asked for, and which are known to be solid without asking."""
    corner, cell = occupancy.bounds[0], occupancy.cell
    occupied = _resample(occupancy.occupied.cpu(), corner, cell, shape, spacing, low)
    solid = _resample(occupancy.solid.cpu(), corner, cell, shape, spacing, low)
    if previous is not None:
        # A cell of the coarser grid speaks for itself and, by the ring around it, for what lies between its nodes.
        high, deep = _neighbourhood_max(previous.density, 1), -_neighbourhood_max(-previous.density, 1)
        same = ([p - previous.spacing / 2 for p in previous.bounds[0]], [previous.spacing] * 3, shape, spacing, low)
        occupied &= _resample(high > visible, *same)
        solid |= _resample(deep >= deepest, *same)
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


def _skip_distance(raw: Tensor, visible: float) -> Tensor:
    """Blocks to the nearest visible block, in the Chebyshev metric: [bx, by, bz] uint8, at most 255."""
    shape = raw.shape
    # A block owns BLOCK cells, whose corners are BLOCK + 1 nodes: the last is shared with the next block.
    pad = [v for n in reversed(shape) for v in (0, -(n - 1) % BLOCK)]
    x = F.pad(raw[None, None], pad, value=float("-inf"))
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


def _ask(field: RadianceField, points: Tensor, channels: int, checkpoint: Checkpoint) -> tuple[Tensor, Tensor]:
    raw, features = [points.new_zeros(0)], [points.new_zeros(0, channels)]
    for chunk in points.split(POINTS_PER_CHUNK):
        checkpoint()
        r, f = field(chunk, None)
        raw.append(r.float())
        features.append(f[:, :channels].float())
    return torch.cat(raw), torch.cat(features)


def _outward(raw: Tensor) -> Tensor:
    """Unit vectors [nx, ny, nz, 3] from dense to empty: where a node is seen from."""
    slopes = [torch.gradient(raw, dim=axis)[0] for axis in range(3)]
    return F.normalize(-torch.stack(slopes, -1), dim=-1)


def _harmonics(
    field: RadianceField, points: Tensor, outward: Tensor, channels: int, degree: int, checkpoint: Checkpoint
) -> Tensor:
    """Features as harmonics [N, K * C]: weighted least squares over evenly spread directions.

    Directions from which a node can be seen count most; what a network answers for others was never trained.
    """
    looks = even_directions(2 * (degree + 1) ** 2 if degree else 6).to(points.device)  # [D, 3]
    values = basis(looks, degree)  # [D, K]
    products = (values[:, :, None] * values[:, None]).flatten(1)  # [D, K * K]
    ridge = RIDGE * torch.eye(values.shape[1], device=points.device)
    ridge[0, 0] = 0.0
    parts = [points.new_zeros(0, values.shape[1] * channels)]
    at_once = POINTS_PER_CHUNK // 4
    for chunk, normal in zip(points.split(at_once), outward.to(points).split(at_once), strict=True):
        checkpoint()
        split = field if isinstance(field, SplitField) else None
        hidden = chunk if split is None else split.trunk(chunk)[1]
        weights = (-normal @ looks.T).clamp(min=0.0) + HIDDEN_WEIGHT  # [n, D]
        weights = weights / weights.sum(1, keepdim=True)
        sums = chunk.new_zeros(len(chunk), values.shape[1], channels)
        for look, harmonics, weight in zip(looks, values, weights.T, strict=True):
            directions = look.expand_as(chunk)
            seen = field(chunk, directions)[1] if split is None else split.colour(hidden, directions)
            sums += harmonics[:, None] * (weight[:, None] * seen[:, :channels])[:, None]
        normal_matrix = (weights @ products).view(-1, values.shape[1], values.shape[1]) + ridge
        parts.append(torch.linalg.solve(normal_matrix, sums).flatten(1))
    return torch.cat(parts)


def _to_bytes(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[M, D] -> bytes, and the offset [D] and scale [D] that undo it."""
    if not len(values):
        nothing = torch.zeros(values.shape[1])
        return torch.zeros(0, values.shape[1], dtype=torch.uint8), nothing, nothing
    low, high = values.aminmax(dim=0)
    scale = (high - low).clamp(min=1e-8) / 255
    return ((values - low) / scale).round_().clamp_(0, 255).to(torch.uint8), low, scale
