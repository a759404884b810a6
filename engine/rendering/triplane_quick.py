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
from .cancel import Checkpoint, never
from .exact import with_samples
from .image import Rendered
from .kernels.triplane import fits
from .lanes import LANES, ROWS
from .numba_setup import kernel_threads
from .occupancy import OccupancyGrid
from .occupancy_march import OPAQUE, lattice_of
from .ray_bundle import RayBundle
from .rays import ray_basis
from .row_stride import row_stride
from .triplane_exact_loops import cast
from .triplane_loops import evaluate, march


class QuickTriPlane:
    """A tri-plane field bound to its weights as they are now; a `RadianceField` without gradients.

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
            self._decoder = _plain(field.decoder)

    @staticmethod
    def knows(field: TriPlaneField) -> bool:
        """Whether it lies on the CPU and its planes are merged."""
        return field.planes.shape[1] == 2 and field.planes.device.type == "cpu"

    def fits(self, scene: Scene) -> bool:
        """Whether the loops render a scene of this field: by EG3D's own marcher."""
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
        """As `render_occupancy` of the scene that this field belongs to, which `fits`, without its background.

        Args:
            threads: CPU threads; None: all.
        """
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

    def render_exact(
        self,
        scene: Scene,
        cam2world: Any,
        intrinsics: Any,
        height: int,
        width: int,
        *,
        samples: float = 1.0,
        checkpoint: Checkpoint = never,
        threads: int | None = None,
    ) -> Rendered:
        """As `exact.render_exact` of the scene that this field belongs to, which `fits`.

        Args:
            samples: factor on the scene's coarse and fine samples a ray.
            checkpoint: called before each chunk of rays; raises `Cancelled` to give up.
            threads: CPU threads; None: all.
        """
        volume = with_samples(scene.volume, samples)
        rays = RayBundle.of_picture(scene, volume, cam2world, intrinsics, height, width)
        features = np.empty((self.features, height * width), np.float32)
        depth, alpha = np.empty(height * width, np.float32), np.empty(height * width, np.float32)
        for begin, end in rays.chunks(volume, checkpoint):
            with kernel_threads(threads):
                cast(
                    self.planes,
                    *self._decoder,
                    np.float32(2.0 / self.box_warp),
                    rays.origin,
                    rays.directions,
                    rays.near,
                    rays.far,
                    volume.coarse,
                    volume.fine,
                    np.float32(volume.white_background),
                    begin,
                    end,
                    features,
                    depth,
                    alpha,
                )
        return rays.picture(scene, volume, features, depth, alpha)


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
    """The decoder's weights and biases, outputs padded to multiples of `ROWS`, the mean over three planes folded in."""
    first, last = decoder.net[0], decoder.net[2]
    parts = []
    width = 0
    for index, layer in enumerate((first, last)):
        weight, bias = layer.effective()  # pyright: ignore[reportCallIssue]
        rows = -(-weight.shape[0] // ROWS) * ROWS
        padded = torch.zeros(rows, width if index else weight.shape[1])
        padded[: weight.shape[0], : weight.shape[1]] = weight / (1.0 if index else 3.0)
        ends = torch.zeros(rows)
        ends[: len(bias)] = bias
        parts += [padded.contiguous().numpy(), ends.numpy()]
        width = rows
    return tuple(parts)  # type: ignore[return-value]
