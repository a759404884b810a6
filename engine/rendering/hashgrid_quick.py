"""A hash-grid scene on CPUs, compiled: the numbers of `HashGridField`, `render_occupancy` and `render_exact`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ...models.base import Scene, VolumeSettings
from ...models.hashgrid import HashGrid, HashGridLayout, spherical_harmonics
from ...models.hashgrid_field import EMPTY, AffineWarp, ColourHead, Dense, HashGridField
from .cancel import Checkpoint
from .hashgrid_exact_loops import cast
from .hashgrid_loops import HARMONICS, evaluate, march
from .image import Rendered
from .lanes import ROWS
from .numba_setup import kernel_threads
from .occupancy import OccupancyGrid
from .occupancy_march import OPAQUE, lattice_samples
from .quick_field import Gathered, QuickField
from .ray_bundle import RayBundle
from .rays import box_limits
from .row_stride import row_stride

_Layer = tuple[np.ndarray, np.ndarray]


class QuickHashGrid(QuickField):
    """A hash-grid field; a `SplitField` too.

    Args:
        field: one that it `knows`.
    """

    features = 3
    view_dependent = True

    def __init__(self, field: HashGridField) -> None:
        head = field.head
        assert head is not None
        assert isinstance(field.warp, AffineWarp)
        self.field, self.bounds, self._head = field, field.bounds, head
        with torch.no_grad():
            self._grid = _plain_grid(field.grid)
            layers = [_plain(layer) for layer in field.layers]
            said = len(layers[-1][1])
            read = slice(field.first_feature, field.first_feature + len(head.features.weight))
            joined = torch.zeros(said + HARMONICS, head.features.weight.shape[1])
            joined[read], joined[said:] = head.features.weight, head.directions.weight
            colour = [_plain(Dense(joined, head.features.bias))] + [_plain(layer) for layer in head.rest]
        self._layers, self._colour = _chained(layers), _chained(colour)
        self._read, self._said = read, said
        cells, to_cells = np.zeros(0, np.bool_), np.zeros((3, 4), np.float32)
        side = 1
        if field.occupancy is not None:
            cells, side = field.occupancy.occupied.reshape(-1).numpy(), field.occupancy.occupied.shape[1]
            to_cells = _affine(field.occupancy.to_grid)
        self._place = (_affine(field.warp), np.ascontiguousarray(cells), side, to_cells)
        self._bias = np.float32(field.bias)
        self._bits: tuple[OccupancyGrid, np.ndarray] | None = None

    @staticmethod
    def knows(field: HashGridField) -> bool:
        """Whether it lies on the CPU, in a box, has one and two hidden layers as in instant-ngp, and features that are
        half precision numbers, an even number to a vertex, as instant-ngp stores them and we do."""
        if field.device.type != "cpu" or not isinstance(field.warp, AffineWarp) or field.head is None:
            return False
        if len(field.layers) != 2 or len(field.head.rest) != 2 or field.grid.layout.features % 2:
            return False
        return all(torch.equal(table, table.half().to(table.dtype)) for table in field.grid.tables)

    def fits(self, scene: Scene) -> bool:
        """See `QuickField`: by NeRF's quadrature, one network for both passes."""
        volume = scene.volume
        return (
            scene.proposal is None
            and volume.activation == "exp"
            and volume.quadrature == "left"
            and volume.sampler == "nerf"
            and not volume.disparity
            and not volume.opaque_end
        )

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3].

        Raises:
            ValueError: no directions.
        """
        if directions is None:
            raise ValueError("directions are None: pass unit vectors [N, 3]")
        raw, _, rgb = self._evaluate(points, False, _harmonics(self._head, directions))
        return raw, rgb

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""
        return self._evaluate(points, False, None)[0]

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and what `colour` reads [N, G]."""
        raw, said, _ = self._evaluate(points, True, None)
        return raw, said[:, self._read]

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of what `trunk` said [N, G], seen along unit directions [N, 3]."""
        return self.field.colour(trunk, directions)

    def _evaluate(self, points: Tensor, trunk: bool, harmonics: np.ndarray | None) -> tuple[Tensor, Tensor, Tensor]:
        count = len(points)
        raw = np.empty(count, np.float32)
        said = np.empty((count if trunk else 0, self._said), np.float32)
        rgb = np.empty((0 if harmonics is None else count, 3), np.float32)
        with kernel_threads():
            evaluate(
                self._grid,
                self._layers,
                self._colour,
                self._place,
                np.float32(EMPTY),
                self._bias,
                points.detach().float().contiguous().numpy(),
                np.zeros((0, HARMONICS), np.float32) if harmonics is None else harmonics,
                raw,
                said,
                rgb,
            )
        return torch.from_numpy(raw), torch.from_numpy(said), torch.from_numpy(rgb)

    def render(
        self,
        scene: Scene,
        grid: OccupancyGrid,
        cam2world: Any,
        intrinsics: Any,
        height: int,
        width: int,
        *,
        samples: int | None = None,
        fineness: float = 1.0,
        threads: int | None = None,
    ) -> Rendered:
        """See `QuickField`."""
        rays = RayBundle.of_picture(scene, scene.volume, cam2world, intrinsics, height, width)
        directions, near, far = (torch.from_numpy(a) for a in (rays.directions, rays.near, rays.far))
        if samples is None:
            samples = round(fineness * lattice_samples(grid, float((far - near).max())))
        count = max(2, samples)
        steps = (far - near) / (count - 1)
        entry, leave, hit = box_limits(torch.from_numpy(rays.origin).expand(len(near), 3), directions, grid.tight)
        first = ((entry - near) / steps).ceil().clamp(min=0)
        last = ((leave - near) / steps).floor().clamp(max=count - 1)
        cast_ = hit & (steps > 0) & (not grid.empty)
        first, last = torch.where(cast_, first, 1).long(), torch.where(cast_, last, 0).long()
        lengths = directions.norm(dim=-1)
        low, high = (np.asarray(corner, np.float32) for corner in grid.bounds)
        features = np.empty((3, height, width), np.float32)
        depth, alpha = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
        size = (height, width)
        with kernel_threads(threads):
            march(
                self._grid,
                self._layers,
                self._colour,
                self._place,
                self._bias,
                self._bits_of(grid),
                np.asarray(grid.occupied.shape, np.int64),
                low,
                np.asarray(grid.occupied.shape, np.float32) / (high - low),
                rays.origin,
                rays.directions.reshape(*size, 3),
                _harmonics(self._head, directions / lengths[:, None]).reshape(*size, HARMONICS),
                *(a.reshape(size).numpy() for a in (near, steps, lengths, first, last)),
                np.float32(-math.log(1.0 - OPAQUE)),
                np.float32(scene.volume.white_background),
                row_stride(height),
                features,
                depth,
                alpha,
            )
        end = float((near + (count - 1) * steps).max())
        distance = torch.from_numpy(np.where(depth < 0, np.float32(end), depth)).clamp(max=end)
        return Rendered(torch.from_numpy(features), distance, torch.from_numpy(alpha))

    def _bits_of(self, grid: OccupancyGrid) -> np.ndarray:
        """Occupied cells as bits: a byte for each of some 2 million would not stay in a core's cache."""
        if self._bits is None or self._bits[0] is not grid:
            self._bits = grid, np.packbits(grid.occupied.numpy())
        return self._bits[1]

    def _gather(self, volume: VolumeSettings, rays: RayBundle, checkpoint: Checkpoint, threads: int | None) -> Gathered:
        count = len(rays.directions)
        lengths = np.linalg.norm(rays.directions, axis=1)
        harmonics = _harmonics(self._head, torch.from_numpy(rays.directions / lengths[:, None]))
        features = np.empty((3, count), np.float32)
        depth, alpha = np.empty(count, np.float32), np.empty(count, np.float32)
        for begin, end in rays.chunks(volume, checkpoint):
            with kernel_threads(threads):
                cast(
                    self._grid,
                    self._layers,
                    self._colour,
                    self._place,
                    np.float32(EMPTY),
                    self._bias,
                    rays.origin,
                    rays.directions,
                    lengths,
                    harmonics,
                    rays.near,
                    rays.far,
                    volume.coarse,
                    volume.fine,
                    np.float32(volume.last_interval),
                    np.float32(volume.white_background),
                    begin,
                    end,
                    features,
                    depth,
                    alpha,
                )
        return features, depth, alpha


def warm_up() -> None:
    """Compiles the loops, or loads them from the cache."""
    layout = HashGridLayout(levels=2, log2_size=6, base_resolution=4)
    grid = HashGrid.from_flat(layout, torch.zeros(layout.parameters))
    head = ColourHead(_dense(4, 4), _dense(HARMONICS, 4), (_dense(4, 4), _dense(4, 3)))
    unit = AffineWarp(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), (0.5, 0.5, 0.5))
    box = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    field = HashGridField(grid, (_dense(4, 4), _dense(4, 4)), head, unit, box)
    volume = VolumeSettings(None, None, 8, 4, "exp", "left", "nerf")
    cells = torch.ones(2, 2, 2, dtype=torch.bool)
    scene = Scene(field, volume, 4, 4)
    compiled = QuickHashGrid(field)
    compiled.density(torch.zeros(1, 3))
    compiled.render(scene, OccupancyGrid(box, cells, cells, box), np.eye(4), np.eye(3), 4, 4, threads=1)
    compiled.render_exact(scene, np.eye(4), np.eye(3), 4, 4, threads=1)


def _dense(inputs: int, outputs: int) -> Dense:
    return Dense(torch.zeros(inputs, outputs))


def _plain_grid(grid: HashGrid) -> tuple[Any, ...]:
    """The tables one after another, and what says where a level lies and how it is read."""
    levels = grid.levels
    table = torch.cat([table.to(torch.float16).reshape(-1) for table in grid.tables]).numpy()
    return (
        table.view(np.int32),
        grid.layout.features // 2,
        np.array([level.scale for level in levels], np.float32),
        np.array([level.shift for level in levels], np.float32),
        np.array([level.resolution for level in levels], np.int64),
        np.array([level.size for level in levels], np.int64),
        np.array([level.hashed for level in levels], np.bool_),
        grid.layout.smooth,
    )


def _plain(layer: Dense) -> _Layer:
    """Weight [out, in] and bias [out], outputs padded to a multiple of `ROWS`."""
    weight = layer.weight.float().T
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.float()
    more = -len(weight) % ROWS
    return pad(weight, (0, 0, 0, more)).contiguous().numpy(), pad(bias, (0, more)).contiguous().numpy()


def _chained(layers: Sequence[_Layer]) -> tuple[np.ndarray, ...]:
    """Weights and biases in their order, each layer reading all outputs of the one before, padding included."""
    arrays: list[np.ndarray] = []
    width = layers[0][0].shape[1]
    for weight, bias in layers:
        arrays += [np.pad(weight, ((0, 0), (0, width - weight.shape[1]))), bias]
        width = len(bias)
    return tuple(arrays)


def _affine(warp: AffineWarp) -> np.ndarray:
    return np.concatenate([np.asarray(warp.matrix, np.float32), np.asarray(warp.offset, np.float32)[:, None]], 1)


def _harmonics(head: ColourHead, directions: Tensor) -> np.ndarray:
    """What the colour network reads of unit directions [N, 3]: [N, 16]."""
    if head.turn is not None:
        directions = directions @ directions.new_tensor(head.turn).T
    values = spherical_harmonics((directions + 1.0) / 2.0 if head.halved else directions)
    return values.detach().float().contiguous().numpy()
