"""EG3D's field on CPUs, compiled: the numbers of `TriPlaneField`, `render_occupancy` and `render_exact`, many times
faster."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ...models.base import Scene, VolumeSettings
from ...models.eg3d import OSGDecoder, TriPlaneField
from .cancel import Checkpoint
from .image import Rendered
from .kernels.triplane import fits
from .lanes import LANES, ROWS
from .numba_setup import kernel_threads
from .occupancy import OccupancyGrid
from .occupancy_march import OPAQUE, lattice_of
from .quick_field import Gathered, QuickField
from .ray_bundle import RayBundle
from .rays import ray_basis
from .row_stride import row_stride
from .triplane_exact_loops import cast
from .triplane_loops import evaluate, march


class QuickTriPlane(QuickField):
    """A tri-plane field.

    Args:
        field: one that it `knows`.
    """

    view_dependent = False

    def __init__(self, field: TriPlaneField) -> None:
        self.field = field
        self.features, self.bounds, self.box_warp = field.features, field.bounds, field.box_warp
        with torch.no_grad():
            planes = field.planes[0].permute(0, 2, 3, 1).float()
            self.planes = pad(planes, (0, -planes.shape[-1] % LANES)).contiguous().numpy()
            self._decoder, self._transposed = _plain(field.decoder), _transposed(field.decoder)

    @staticmethod
    def knows(field: TriPlaneField) -> bool:
        """Whether it lies on the CPU and its planes are merged."""
        return field.planes.shape[1] == 2 and field.planes.device.type == "cpu"

    def fits(self, scene: Scene) -> bool:
        """See `QuickField`: by EG3D's own marcher."""
        return fits(scene)

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and features [N, F] at points [N, 3]."""
        return self._evaluate(points, self.features)

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""
        return self._evaluate(points, 0)[0]

    def _evaluate(self, points: Tensor, count: int) -> tuple[Tensor, Tensor]:
        raw, features = np.empty(len(points), np.float32), np.empty((len(points), count), np.float32)
        weights = self._decoder if count else self._decoder[:2] + tuple(w[:ROWS] for w in self._decoder[2:])
        with kernel_threads():
            evaluate(
                self.planes,
                *weights,
                count,
                np.float32(2.0 / self.box_warp),
                points.detach().float().contiguous().numpy(),
                raw,
                features,
            )
        return torch.from_numpy(raw), torch.from_numpy(features)

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
        volume = scene.volume
        pose, lens = (np.asarray(torch.as_tensor(m).detach().cpu(), np.float64) for m in (cam2world, intrinsics))
        basis = ray_basis(pose, lens, height, width, volume.pixels, volume.pixel_stretch)
        near, far, count = lattice_of(volume, self.bounds, grid, samples, fineness)
        low, high = (np.asarray(corner, np.float32) for corner in grid.bounds)
        shape = np.asarray(grid.occupied.shape, np.float32)
        features = np.empty((self.features, height, width), np.float32)
        depth, alpha = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
        with kernel_threads(threads):
            march(
                self.planes,
                *self._decoder,
                np.float32(2.0 / self.box_warp),
                grid.occupied.numpy(),
                low,
                shape / (high - low),
                np.asarray(grid.tight, np.float32).reshape(-1),
                np.asarray(self.bounds, np.float32).reshape(-1),
                pose[:3, 3].astype(np.float32),
                basis,
                np.float32(near),
                np.float32(far),
                count,
                np.float32(-math.log(1.0 - OPAQUE)),
                np.float32(volume.white_background),
                row_stride(height),
                features,
                depth,
                alpha,
            )
        return Rendered(torch.from_numpy(features), torch.from_numpy(depth), torch.from_numpy(alpha))

    def _gather(self, volume: VolumeSettings, rays: RayBundle, checkpoint: Checkpoint, threads: int | None) -> Gathered:
        count = len(rays.directions)
        features = np.empty((self.features, count), np.float32)
        depth, alpha = np.empty(count, np.float32), np.empty(count, np.float32)
        for begin, end in rays.chunks(volume, checkpoint):
            with kernel_threads(threads):
                cast(
                    self.planes,
                    *self._transposed,
                    np.float32(2.0 / self.box_warp),
                    rays.origin,
                    rays.directions,
                    rays.near,
                    rays.far,
                    rays.height,
                    volume.coarse,
                    volume.fine,
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
    field = TriPlaneField(torch.zeros(1, 2, 8, 4, 4), OSGDecoder(8, hidden=4, features=3), 2.0)
    volume = VolumeSettings(None, None, 8, 4, "softplus_shifted", "midpoint", "eg3d")
    cells = torch.ones(2, 2, 2, dtype=torch.bool)
    grid = OccupancyGrid(field.bounds, cells, cells, field.bounds)
    scene = Scene(field, volume, 4, 4)
    compiled = QuickTriPlane(field)
    compiled(torch.zeros(1, 3))
    compiled.render(scene, grid, np.eye(4), np.eye(3), 4, 4, threads=1)
    compiled.render_exact(scene, np.eye(4), np.eye(3), 4, 4, threads=1)


def _plain(decoder: OSGDecoder) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The decoder's weights and biases, outputs padded to multiples of `ROWS`, the mean over three planes folded in.

    Hidden units that weigh least for the density come first, so that its sum, of large terms of both signs, is rounded
    while it is small."""
    first, last = decoder.net[0], decoder.net[2]
    parts = []
    width = 0
    order = last.effective()[0][0].abs().argsort()  # pyright: ignore[reportCallIssue]
    for index, layer in enumerate((first, last)):
        weight, bias = layer.effective()  # pyright: ignore[reportCallIssue]
        weight, bias = (weight[:, order], bias) if index else (weight[order], bias[order])
        rows = -(-weight.shape[0] // ROWS) * ROWS
        padded = torch.zeros(rows, width if index else weight.shape[1])
        padded[: weight.shape[0], : weight.shape[1]] = weight / (1.0 if index else 3.0)
        ends = torch.zeros(rows)
        ends[: len(bias)] = bias
        parts += [padded.contiguous().numpy(), ends.numpy()]
        width = rows
    return tuple(parts)  # type: ignore[return-value]


def _transposed(decoder: OSGDecoder) -> tuple[Any, ...]:
    """As `_plain` for layers that take samples as rows: weight and bias of the hidden layer, then those of the density
    and those of the features; all counts but the density's padded to multiples of `LANES`."""
    first, last = decoder.net[0], decoder.net[2]
    (w1, b1), (w2, b2) = first.effective(), last.effective()  # pyright: ignore[reportCallIssue]
    hidden = -len(b1) % LANES
    w1, b1 = pad(w1.t() / 3.0, (0, hidden, 0, -w1.shape[1] % LANES)), pad(b1, (0, hidden))
    w2, features = pad(w2.t(), (0, 0, 0, hidden)), -(len(b2) - 1) % LANES
    colours = pad(w2[:, 1:], (0, features)), pad(b2[1:], (0, features))
    arrays = [each.float().contiguous().numpy() for each in (w1, b1, w2[:, 0], *colours)]
    return *arrays[:3], np.float32(b2[0]), *arrays[3:]
