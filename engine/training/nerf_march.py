"""Where rays are sampled while a hash grid trains: on a lattice of even steps, in cells that may hold something.

Samples of all rays stand one after another ("packed"), front to back, so that nothing is padded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch
from torch import Tensor

from ..rendering.numba_setup import kernel_threads, njit_parallel
from ..rendering.rays import box_limits


@dataclass(frozen=True)
class Cube:
    """The part of space that is learned."""

    low: tuple[float, float, float]
    """Lowest corner, world units."""
    side: float
    """World units."""

    @property
    def bounds(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Lowest and highest corner."""
        x, y, z = self.low
        return self.low, (x + self.side, y + self.side, z + self.side)

    def unit(self, points: Tensor) -> Tensor:
        """World [N, 3] -> the cube as 0..1."""
        return (points - points.new_tensor(self.low)) / self.side


@dataclass(frozen=True)
class Samples:
    """M samples of N rays."""

    ray: Tensor
    """[M] int64, never falling."""
    depth: Tensor
    """[M] distance along the ray, rising within a ray."""
    step: float
    """Length that a sample stands for, world units."""


def march(
    origins: Tensor, directions: Tensor, occupied: Tensor, cube: Cube, step: float, offsets: Tensor, near: float = 0.0
) -> Samples:
    """Lattice positions in occupied cells.

    Args:
        origins: [N, 3]
        directions: [N, 3], of length 1.
        occupied: [S, S, S] bool, cells of the cube by x, y, z.
        cube: what is learned; outside there are no samples.
        step: world units between lattice positions.
        offsets: [N] in 0..1: where in a step each ray's lattice begins.
        near: distance from the camera before which there are no samples.
    """
    enter, leave, hit = box_limits(origins, directions, cube.bounds)
    enter = enter.clamp_min(near)
    count = torch.where(hit, (leave - enter) / step - offsets + 1.0, torch.zeros_like(enter)).clamp_min(0).int()
    first = enter + offsets * step
    if origins.device.type != "cpu":
        return _march_torch(origins, directions, occupied, cube, step, first, count)
    scale = len(occupied) / cube.side
    start, slope = (cube.unit(origins) * len(occupied)).contiguous(), (directions * scale).contiguous()
    arguments = (start.numpy(), slope.numpy(), first.numpy(), count.numpy(), np.float32(step), occupied.numpy())
    totals = np.zeros(len(origins) + 1, np.int64)
    with kernel_threads(torch.get_num_threads()):
        _count(*arguments, totals)
        np.cumsum(totals, out=totals)
        ray, depth = np.empty(totals[-1], np.int64), np.empty(totals[-1], np.float32)
        _fill(*arguments, totals, ray, depth)
    return Samples(torch.from_numpy(ray), torch.from_numpy(depth), step)


def _march_torch(
    origins: Tensor, directions: Tensor, occupied: Tensor, cube: Cube, step: float, first: Tensor, count: Tensor
) -> Samples:
    """The kernel's readable twin, and what runs on a GPU."""
    side = len(occupied)
    index = torch.arange(max(int(count.max()), 1) if len(count) else 1, device=origins.device)
    depth = first[:, None] + index * step  # [N, K]
    points = cube.unit(origins)[:, None] * side + depth[..., None] * (directions * (side / cube.side))[:, None]
    x, y, z = points.long().clamp(0, side - 1).unbind(-1)
    inside = occupied[x, y, z] & (index < count[:, None])
    ray, column = inside.nonzero(as_tuple=True)
    return Samples(ray, depth[ray, column], step)


@numba.njit(inline="always", error_model="numpy")
def _holds(start, slope, i, t, occupied):
    side = np.int32(occupied.shape[0])
    x = min(max(np.int32(start[i, 0] + t * slope[i, 0]), np.int32(0)), side - np.int32(1))
    y = min(max(np.int32(start[i, 1] + t * slope[i, 1]), np.int32(0)), side - np.int32(1))
    z = min(max(np.int32(start[i, 2] + t * slope[i, 2]), np.int32(0)), side - np.int32(1))
    return occupied[np.uint32(x), np.uint32(y), np.uint32(z)]


@njit_parallel
def _count(start, slope, first, count, step, occupied, totals):
    for i in numba.prange(len(start)):
        found = 0
        for k in range(count[i]):
            found += _holds(start, slope, i, first[i] + np.float32(k) * step, occupied)
        totals[i + 1] = found


@njit_parallel
def _fill(start, slope, first, count, step, occupied, totals, ray, depth):
    for i in numba.prange(len(start)):
        at = totals[i]
        for k in range(count[i]):
            t = first[i] + np.float32(k) * step
            if _holds(start, slope, i, t, occupied):
                ray[at], depth[at] = i, t
                at += 1


def packed_weights(thickness: Tensor, ray: Tensor) -> Tensor:
    """w_i = T_i (1 - exp(-sigma_i delta_i)) of packed samples (NeRF, eq. 3), differentiable.

    Args:
        thickness: [M] sigma_i delta_i.
        ray: [M], never falling.

    Returns:
        [M]
    """
    if not len(thickness):
        return thickness
    # Over all rays and in double precision, since a ray's own sum is a difference of two.
    before = thickness.double().cumsum(0) - thickness
    is_first = torch.ones_like(ray, dtype=torch.bool)
    is_first[1:] = ray[1:] != ray[:-1]
    start = is_first.nonzero()[:, 0][is_first.long().cumsum(0) - 1]  # [M] first sample of each sample's ray
    return torch.exp(-(before - before[start]).float()) * -torch.expm1(-thickness)
