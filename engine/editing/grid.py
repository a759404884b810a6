"""`Grid`: numbers on a regular lattice in the scene, read by linear interpolation and zero outside."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..rendering.rays import Bounds


@dataclass(frozen=True)
class Grid:
    """A function of space: an edit's mask, or what it adds to the density."""

    values: Tensor
    """[C, nx, ny, nz], float32."""
    bounds: Bounds
    """Positions of the first and of the last node, world units."""

    def sample(self, points: Tensor) -> Tensor:
        """Values [N, C] at points [N, 3], trilinear; falls to zero within a cell outside of `bounds`."""
        low, high = (points.new_tensor(corner) for corner in self.bounds)
        place = (points - low) * (2 / (high - low)) - 1
        # grid_sample counts from the last axis: its x is our z.
        looked = F.grid_sample(self.values[None], place.flip(-1)[None, None, None], align_corners=True)
        return looked[0, :, 0, 0].T

    @property
    def nodes(self) -> Tensor:
        """Positions [nx * ny * nz, 3] of the nodes, the last axis fastest."""
        return lattice(self.bounds, tuple(self.values.shape[1:]), self.values.device)

    def cropped(self, least: float = 0.0) -> Grid:
        """The smallest grid that holds every value above `least` in size, with a margin of one node of zeros."""
        live = (self.values.abs() > least).any(0)
        if not bool(live.any()):
            low = self.bounds[0]
            spacing = self.spacing
            high = tuple(a + s for a, s in zip(low, spacing, strict=True))
            return Grid(self.values[:, :2, :2, :2] * 0, (low, high))  # type: ignore[arg-type]
        first, last = [], []
        for axis in range(3):
            others = tuple(i for i in range(3) if i != axis)
            index = live.any(dim=others[1]).any(dim=others[0]).nonzero()[:, 0]
            first.append(max(int(index[0]) - 1, 0))
            last.append(min(int(index[-1]) + 1, live.shape[axis] - 1))
        cut = self.values[:, first[0] : last[0] + 1, first[1] : last[1] + 1, first[2] : last[2] + 1]
        low = tuple(a + s * i for a, s, i in zip(self.bounds[0], self.spacing, first, strict=True))
        high = tuple(a + s * i for a, s, i in zip(self.bounds[0], self.spacing, last, strict=True))
        return Grid(cut.contiguous(), (low, high))  # type: ignore[arg-type]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring nodes along each axis, world units."""
        shape = self.values.shape[1:]
        return tuple((b - a) / (n - 1) for a, b, n in zip(*self.bounds, shape, strict=True))  # type: ignore[return-value]

    def to(self, device: torch.device | str) -> Grid:
        """The same grid elsewhere."""
        return Grid(self.values.to(device), self.bounds)


def lattice(bounds: Bounds, shape: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
    """Positions [nx * ny * nz, 3] of the nodes of a lattice of `shape`, whose outermost nodes lie on `bounds`."""
    axes = [torch.linspace(a, b, n, device=device) for a, b, n in zip(*bounds, shape, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def dilated(values: Tensor, size: int) -> Tensor:
    """The largest of a cube of `size` nodes (odd) around each, of [N, C, nx, ny, nz]; axis by axis, which is as good
    as `max_pool3d` over the whole cube and many times as fast."""
    for axis in range(3):
        window, pad = [1, 1, 1], [0, 0, 0]
        window[axis], pad[axis] = size, size // 2
        values = F.max_pool3d(values, window, 1, pad)
    return values
