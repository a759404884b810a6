"""Where the scene is known to be empty, learned beside a field while it trains (Mueller et al. 2022, appendix C)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .nerf_march import Cube

EVERY = 16
"""Updates of the field between two of the occupancy."""
_FADE = 0.95
_LEAST = 0.01
"""Light that a cell must stop over one step of a ray to be worth asking."""
_AT_ONCE = 1 << 15


class LiveOccupancy(nn.Module):
    """Cells of the cube that may hold something.

    Every update lets what is known fade and asks the field again at random points in a part of the cells. A cell is
    empty while it stops less than 1 % of the light, or less than the average cell where all is still thin.

    Args:
        side: cells along each side.
        cube: what they divide.
        possible: [S, S, S] bool: where something can be at all; None: anywhere.
    """

    occupied: Tensor
    """[S, S, S] bool"""
    density: Tensor
    """[S^3], 1 / world unit"""
    possible: Tensor
    """[S, S, S] bool: where something can be at all"""

    def __init__(self, side: int, cube: Cube, possible: Tensor | None = None) -> None:
        super().__init__()
        self.side, self.cube = side, cube
        self.register_buffer("density", torch.zeros(side**3))
        known = torch.ones(side, side, side, dtype=torch.bool) if possible is None else possible
        self.register_buffer("possible", known.clone())
        self.register_buffer("occupied", known.clone())

    @torch.no_grad()
    def update(self, density: Callable[[Tensor], Tensor], share: float, step: float) -> None:
        """Asks a field in `share` of all cells and in as many of those that are occupied; in all of them from 1 on.

        Args:
            density: world points [N, 3] -> densities [N], 1 / world unit.
            share: part of the cells.
            step: length of a ray's step, world units; with the density it says how much light a cell stops.
        """
        index = self.possible.view(-1).nonzero()[:, 0]
        if share < 1:
            count = int(share * len(index))
            index = torch.cat([_some(index, count), _some(self.occupied.view(-1).nonzero()[:, 0], count)])
        points = self._within(index)
        found = torch.cat([density(part) for part in points.split(_AT_ONCE)])
        self.density *= _FADE
        self.density.scatter_reduce_(0, index, found, "amax")
        threshold = min(_LEAST / step, float(self.density.mean()))
        self.occupied.copy_((self.density > threshold).view_as(self.occupied) & self.possible)

    def impossible(self, count: int) -> Tensor:
        """`count` random points [count, 3] where nothing can be; none if something can be anywhere."""
        return self._within(_some((~self.possible).view(-1).nonzero()[:, 0], count))

    def _within(self, index: Tensor) -> Tensor:
        """Random world points [N, 3], one in each of the cells [N]."""
        place = torch.stack([index // self.side**2, index // self.side % self.side, index % self.side], -1)
        unit = (place + torch.rand(len(index), 3, device=index.device)) / self.side
        return unit * self.cube.side + unit.new_tensor(self.cube.low)

    def contains(self, points: Tensor) -> Tensor:
        """Whether something may be at world points [..., 3]: [...] bool; False outside of the cube."""
        cell = (self.cube.unit(points) * self.side).floor().long()
        inside = ((cell >= 0) & (cell < self.side)).all(-1)
        x, y, z = cell.clamp(0, self.side - 1).unbind(-1)
        return self.occupied[x, y, z] & inside

    def grown(self) -> Tensor:
        """Occupied cells and their neighbours [S, S, S]: for viewers, lest a random point missed a cell."""
        return F.max_pool3d(self.occupied[None, None].float(), 3, 1, 1)[0, 0] > 0.5


def _some(index: Tensor, count: int) -> Tensor:
    """`count` of the entries at random, with repetition; none of none."""
    return index[torch.randint(max(len(index), 1), (min(count, count * len(index)),), device=index.device)]


def occupied_bounds(occupied: Tensor, cube: Cube) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Box of the occupied cells [S, S, S], world units; the whole cube where there are none."""
    index = occupied.nonzero()
    if not len(index):
        return cube.bounds
    cell = cube.side / len(occupied)
    low = [a + cell * int(i) for a, i in zip(cube.low, index.amin(0), strict=True)]
    high = [a + cell * (int(i) + 1) for a, i in zip(cube.low, index.amax(0), strict=True)]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])
