"""The hash grid with gradients, compiled for CPUs; its readable torch twin is `models.hashgrid.HashGrid`.

    forward   y_lf = sum over corners c of w_c(x) table_l[h(c)]_f                       (Mueller et al. 2022, section 3)
    backward  d table_l[h(c)]_f += w_c dy_lf,   dx_a = sum over l, f, c of dy_lf table_l[h(c)]_f dw_c / dx_a

Gathering runs parallel over points, scattering over levels: each level has a table of its own, so no two threads write
to one vector and the sums have one order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from ...models.hashgrid import HashGrid, HashGridLayout
from ..rendering.numba_setup import kernel_threads, njit_parallel

_BLOCK = 1024
"""Points that a thread takes through all levels at a time."""
_PAIR = 2
"""Features of a vertex that the kernels handle; the paper's F."""


def encode(layout: HashGridLayout, table: Tensor, points: Tensor) -> Tensor:
    """Features of points, differentiable in both.

    Args:
        layout: sizes. The kernels are for two features a vertex and linear interpolation; else the twin answers.
        table: [sum of T_l, F], all levels one after another.
        points: [N, 3] in 0..1; what lies outside is moved to the nearest face.

    Returns:
        [N, L F]
    """
    if table.device.type != "cpu" or table.dtype != torch.float32 or layout.smooth or layout.features != _PAIR:
        return HashGrid.from_flat(layout, table.reshape(-1))(points)
    return _Encode.apply(layout, table, points.clamp(0.0, 1.0).contiguous())  # type: ignore[no-any-return]


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layout: HashGridLayout, table: Tensor, points: Tensor) -> Tensor:
        ctx.layout = layout
        ctx.save_for_backward(table, points)
        out = torch.empty(len(points), layout.width)
        with kernel_threads(torch.get_num_threads()):
            _gather(points.detach().numpy(), table.detach().numpy(), *_levels(layout), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        table, points = ctx.saved_tensors
        upstream = grads[0].contiguous().numpy()
        of_table = of_points = None
        with kernel_threads(torch.get_num_threads()):
            if ctx.needs_input_grad[1]:
                of_table = torch.zeros_like(table)
                _scatter(points.detach().numpy(), upstream, *_levels(ctx.layout), of_table.numpy())
            if ctx.needs_input_grad[2]:
                of_points = torch.empty_like(points)
                arguments = (points.detach().numpy(), upstream, table.detach().numpy(), *_levels(ctx.layout))
                _slopes(*arguments, of_points.numpy())
        return None, of_table, of_points


@lru_cache(maxsize=16)
def _levels(layout: HashGridLayout) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift [L, 2] float32; resolution, size, hashed and first vector [L, 4] int64."""
    levels = layout.build()
    starts = np.cumsum([0, *(level.size for level in levels)])
    reals = np.array([(level.scale, level.shift) for level in levels], np.float32)
    whole = [
        (level.resolution, level.size, level.hashed, start) for level, start in zip(levels, starts[:-1], strict=True)
    ]
    return reals, np.array(whole, np.int64)


@numba.njit(inline="always", error_model="numpy")
def _wrapped(at, size):
    return at - size if at >= size else at


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _cell(x, y, z, reals, whole, level):
    """Vectors of a cell's eight corners (x fastest), as unsigned indices, and where in the cell the point lies."""
    scale, shift = reals[level, 0], reals[level, 1]
    x, y, z = x * scale + shift, y * scale + shift, z * scale + shift
    ix, iy, iz = np.int32(x), np.int32(y), np.int32(z)
    u, v, w = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
    start, size = np.uint32(whole[level, 3]), np.uint32(whole[level, 1])
    if whole[level, 2]:
        mask = size - np.uint32(1)
        x0, x1 = np.uint32(ix), np.uint32(ix + 1)
        y0, y1 = np.uint32(iy) * np.uint32(2654435761), np.uint32(iy + 1) * np.uint32(2654435761)
        z0, z1 = np.uint32(iz) * np.uint32(805459861), np.uint32(iz + 1) * np.uint32(805459861)
        a, b, c, d = y0 ^ z0, y1 ^ z0, y0 ^ z1, y1 ^ z1
        k0, k1, k2, k3 = (x0 ^ a) & mask, (x1 ^ a) & mask, (x0 ^ b) & mask, (x1 ^ b) & mask
        k4, k5, k6, k7 = (x0 ^ c) & mask, (x1 ^ c) & mask, (x0 ^ d) & mask, (x1 ^ d) & mask
    else:
        row = np.uint32(whole[level, 0])
        plane = row * row
        k0 = np.uint32(ix) + row * np.uint32(iy) + plane * np.uint32(iz)
        k1, k2, k3 = k0 + np.uint32(1), k0 + row, k0 + row + np.uint32(1)
        k4, k5, k6, k7 = k0 + plane, k1 + plane, k2 + plane, k3 + plane
        # Only the outermost vertices wrap around, and never twice; see `HashGrid._level`.
        k1, k2, k3 = _wrapped(k1, size), _wrapped(k2, size), _wrapped(k3, size)
        k4, k5, k6, k7 = _wrapped(k4, size), _wrapped(k5, size), _wrapped(k6, size), _wrapped(k7, size)
    k0, k1, k2, k3 = np.uint64(k0 + start), np.uint64(k1 + start), np.uint64(k2 + start), np.uint64(k3 + start)
    k4, k5, k6, k7 = np.uint64(k4 + start), np.uint64(k5 + start), np.uint64(k6 + start), np.uint64(k7 + start)
    return k0, k1, k2, k3, k4, k5, k6, k7, u, v, w


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _weights(u, v, w):
    """Shares of the eight corners, x fastest."""
    one = np.float32(1.0)
    a, b, c, d = (one - v) * (one - w), v * (one - w), (one - v) * w, v * w
    e = one - u
    return e * a, u * a, e * b, u * b, e * c, u * c, e * d, u * d


@njit_parallel
def _gather(points, table, reals, whole, out):
    count = len(points)
    for block in numba.prange((count + _BLOCK - 1) // _BLOCK):
        for level in range(np.uint64(len(reals))):
            for i in range(np.uint64(block * _BLOCK), np.uint64(min((block + 1) * _BLOCK, count))):
                x, y, z = points[i, 0], points[i, 1], points[i, 2]
                k0, k1, k2, k3, k4, k5, k6, k7, u, v, w = _cell(x, y, z, reals, whole, level)
                w0, w1, w2, w3, w4, w5, w6, w7 = _weights(u, v, w)
                for f in range(np.uint64(_PAIR)):
                    out[i, np.uint64(_PAIR) * level + f] = (
                        w0 * table[k0, f]
                        + w1 * table[k1, f]
                        + w2 * table[k2, f]
                        + w3 * table[k3, f]
                        + w4 * table[k4, f]
                        + w5 * table[k5, f]
                        + w6 * table[k6, f]
                        + w7 * table[k7, f]
                    )


@njit_parallel
def _scatter(points, upstream, reals, whole, of_table):
    for task in numba.prange(len(reals)):
        level = np.uint64(task)
        for i in range(np.uint64(len(points))):
            x, y, z = points[i, 0], points[i, 1], points[i, 2]
            k0, k1, k2, k3, k4, k5, k6, k7, u, v, w = _cell(x, y, z, reals, whole, level)
            w0, w1, w2, w3, w4, w5, w6, w7 = _weights(u, v, w)
            for f in range(np.uint64(_PAIR)):
                g = upstream[i, np.uint64(_PAIR) * level + f]
                of_table[k0, f] += w0 * g
                of_table[k1, f] += w1 * g
                of_table[k2, f] += w2 * g
                of_table[k3, f] += w3 * g
                of_table[k4, f] += w4 * g
                of_table[k5, f] += w5 * g
                of_table[k6, f] += w6 * g
                of_table[k7, f] += w7 * g


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _dot(table, at, g0, g1):
    return table[at, np.uint64(0)] * g0 + table[at, np.uint64(1)] * g1


@njit_parallel
def _slopes(points, upstream, table, reals, whole, of_points):
    one = np.float32(1.0)
    for task in numba.prange(len(points)):
        i = np.uint64(task)
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        gx, gy, gz = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for level in range(np.uint64(len(reals))):
            k0, k1, k2, k3, k4, k5, k6, k7, u, v, w = _cell(x, y, z, reals, whole, level)
            at = np.uint64(_PAIR) * level
            scale = reals[level, 0]
            g0, g1 = upstream[i, at] * scale, upstream[i, at + np.uint64(1)] * scale
            s0, s1, s2, s3 = (
                _dot(table, k0, g0, g1),
                _dot(table, k1, g0, g1),
                _dot(table, k2, g0, g1),
                _dot(table, k3, g0, g1),
            )
            s4, s5, s6, s7 = (
                _dot(table, k4, g0, g1),
                _dot(table, k5, g0, g1),
                _dot(table, k6, g0, g1),
                _dot(table, k7, g0, g1),
            )
            p, q, r = one - u, one - v, one - w
            gx += q * r * (s1 - s0) + v * r * (s3 - s2) + q * w * (s5 - s4) + v * w * (s7 - s6)
            gy += p * r * (s2 - s0) + u * r * (s3 - s1) + p * w * (s6 - s4) + u * w * (s7 - s5)
            gz += p * q * (s4 - s0) + u * q * (s5 - s1) + p * v * (s6 - s2) + u * v * (s7 - s3)
        of_points[i, 0], of_points[i, 1], of_points[i, 2] = gx, gy, gz
