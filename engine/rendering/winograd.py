"""3 x 3 convolutions of one picture on CPUs by Winograd's minimal filtering: a quarter of the products.

    Y = A^T [(G g G^T) * (B^T d B)] A                        (Lavin and Gray 2016, eq. 8 and section 4.3)

A tile of 4 x 4 outputs takes 36 products for each pair of channels in place of 144, F(4 x 4, 3 x 3). Between the
transforms, which are said with vectors of channels (`winograd_lanes.py`), stand 36 matrix products. In float32 it errs
by 1e-5 of the values.

StyleGAN2's up-sampling layers are transposed convolutions and a low-pass. Of the former a tile of 8 x 8 outputs takes
81 products in place of 144 (`toom_cook.doubling`). The low-pass follows while the rows are still in the cache.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .lanes import LANES, lane_loops
from .numba_setup import kernel_threads, njit_parallel
from .toom_cook import Filtering, doubling, filtering
from .winograd_lanes import PAIR, giving, giving_activated, multiply, smooth, taking

TILE = 4
"""Pixels that the input of a tile advances; sizes of pictures are multiples of it."""
SAME = filtering(3, (0, 1, -1, 2, -2))
DOUBLE = doubling(filtering(2, (0, 1, -1, 2)))

PIECE = 64
"""Tiles that are multiplied together: as many as keep the filters' way from memory short, and the tiles' from the
cache."""
GAP = LANES
"""Between matrices, whose sizes are powers of two: else all of a tile's numbers would fall into the same few lines of
the cache."""
BAND = 2 * TILE
ABOVE = 3
"""Rows of a transposed convolution from a band of tiles, and those before them that the low-pass needs again."""

UNLIMITED = np.float32(3e38)
"""The limit of what has none."""

_give, _lay = giving_activated(SAME), giving(DOUBLE)


def transformed(weight: np.ndarray, algorithm: Filtering) -> np.ndarray:
    """Filters [O, I, 3, 3] as `convolve` (of `SAME`) and `convolve_double` (of `DOUBLE`) take them: [products, O / 32,
    I, 32] float32, zeros where O has ended. The weight of a transposed convolution is exchanged to [O, I] before."""
    outputs, inputs = weight.shape[:2]
    count, factors = algorithm.products**2, algorithm.filter
    rows = np.einsum("pu,oiuv,qv->pqoi", factors, weight.astype(np.float64), factors, optimize=True)
    products = np.zeros((count, -(-outputs // PAIR) * PAIR, inputs), np.float32)
    products[:, :outputs] = rows.reshape(count, outputs, inputs)
    return np.ascontiguousarray(products.reshape(count, -1, PAIR, inputs).transpose(0, 1, 3, 2))


def room(inputs: int, outputs: int, width: int, algorithm: Filtering) -> int:
    """Numbers of scratch memory that a thread needs, for a picture that is `width` wide."""
    double, pairs = algorithm is DOUBLE, -(-outputs // PAIR)
    tiles = width // TILE + 1 if double else PIECE
    matrices = algorithm.products**2 * (tiles * inputs + GAP + pairs * (tiles * PAIR + GAP))
    rows = pairs * (ABOVE + BAND) * (2 * width + BAND + 1) * PAIR if double else 0
    return matrices + algorithm.inputs**2 * inputs + rows


def _gathering(algorithm: Filtering) -> Any:
    take, side = taking(algorithm, TILE), algorithm.inputs

    @lane_loops
    def gather(picture, height, width, count, top, left, patch, tiles, tile, apart):
        """B^T d B of the square with this corner, zeros around the picture, as row `tile` of each matrix of tiles."""
        if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
            start = (top * width + left) * count
            for channel in range(0, count, LANES):
                take(picture, start + channel, width * count, count, tiles, tile * count + channel, apart)
            return
        patch[:] = np.float32(0.0)
        for i in range(max(-top, 0), min(side, height - top)):
            for j in range(max(-left, 0), min(side, width - left)):
                at, start = (side * i + j) * count, ((top + i) * width + left + j) * count
                patch[at : at + count] = picture[start : start + count]
        for channel in range(0, count, LANES):
            take(patch, channel, side * count, count, tiles, tile * count + channel, apart)

    return gather


_gather_same, _gather_double = _gathering(SAME), _gathering(DOUBLE)


@lane_loops
def _multiply(tiles, size, apart, filters, products, wide):
    """Matrix k of pair p, `wide` numbers each: tiles[k] filters[k, p]. Filters are read in the order of memory."""
    matrices, pairs, count = filters.shape[:3]
    for k in range(matrices):
        square = tiles[k * apart : k * apart + size * count].reshape(size, count)
        for pair in range(pairs):
            start = (pair * matrices + k) * wide
            multiply(square, filters[k, pair], products[start : start + size * PAIR].reshape(size, PAIR))  # pyright: ignore[reportCallIssue]


@njit_parallel
def convolve(x, filters, bias, slope, limit, scratch, out):
    """out = clamp(leaky(bias + x * w)), zeros around x.

    Args:
        x: [H, W, I] float32; H and W multiples of `TILE`, I of `LANES`.
        filters: from `transformed`.
        bias: [O], O a multiple of `LANES`.
        slope: of what is negative.
        limit: largest absolute value.
        scratch: [threads, `room`] float32; aligned to 64 bytes it is quickest.
        out: [H, W, O], is written.
    """
    height, width, count = x.shape
    outputs, across = len(bias), width // TILE
    source, target, row = x.ravel(), out.ravel(), width * outputs
    matrices, pairs = filters.shape[:2]
    total, tasks = height // TILE * across, len(scratch)
    pieces = (total + PIECE - 1) // PIECE
    apart, wide = PIECE * count + GAP, PIECE * PAIR + GAP
    for task in numba.prange(tasks):
        tiles, rest = scratch[task, : matrices * apart], scratch[task, matrices * apart :]
        products, rest = rest[: pairs * matrices * wide], rest[pairs * matrices * wide :]
        patch = rest[: (TILE + 2) ** 2 * count]
        for piece in range(task * pieces // tasks, (task + 1) * pieces // tasks):
            first = piece * PIECE
            size = min(PIECE, total - first)
            for n in range(size):
                top, left = (first + n) // across * TILE, (first + n) % across * TILE
                _gather_same(source, height, width, count, top - 1, left - 1, patch, tiles, n, apart)
            _multiply(tiles, size, apart, filters, products, wide)
            for group in range(outputs // LANES):
                start = group // 2 * matrices * wide + group % 2 * LANES
                for n in range(size):
                    top, left = (first + n) // across * TILE, (first + n) % across * TILE
                    channel = group * LANES
                    at = (top * width + left) * outputs + channel
                    _give(products, start + n * PAIR, wide, bias, channel, slope, limit, target, at, row, outputs)


@njit_parallel
def convolve_double(x, filters, low_pass, bias, slope, limit, scratch, out):
    """out = clamp(leaky(bias + low_pass * u)), u the transposed convolution of x with stride 2, one zero around u.

    Args:
        x: as in `convolve`.
        filters: from `transformed`.
        low_pass: [16] float32, four rows of four.
        bias: as in `convolve`.
        slope: as in `convolve`.
        limit: as in `convolve`.
        scratch: as in `convolve`.
        out: [2 H, 2 W, O], is written.
    """
    height, width, count = x.shape
    matrices, pairs = filters.shape[:2]
    outputs, source, target = len(bias), x.ravel(), out.ravel()
    # One tile more than the picture has: u is a row and a column larger than it.
    bands, across, tasks = height // TILE + 1, width // TILE + 1, len(scratch)
    apart, wide = across * count + GAP, across * PAIR + GAP
    line = (BAND * across + 1) * PAIR  # a column of zeros, then u
    for task in numba.prange(tasks):
        tiles, rest = scratch[task, : matrices * apart], scratch[task, matrices * apart :]
        products, rest = rest[: pairs * matrices * wide], rest[pairs * matrices * wide :]
        patch, rest = rest[: (TILE + 1) ** 2 * count], rest[(TILE + 1) ** 2 * count :]
        kept = rest[: pairs * (ABOVE + BAND) * line]
        kept[:] = np.float32(0.0)
        begin, end = task * bands // tasks, (task + 1) * bands // tasks
        for band in range(max(begin - 1, 0), end):  # from the band before its own a task takes the rows above
            for tile in range(across):
                top, left = TILE * band - 1, TILE * tile - 1
                _gather_double(source, height, width, count, top, left, patch, tiles, tile, apart)
            _multiply(tiles, across, apart, filters, products, wide)
            for group in range(outputs // LANES):
                half, channel = group % 2 * LANES, group * LANES
                rows = kept[group // 2 * (ABOVE + BAND) * line : (group // 2 + 1) * (ABOVE + BAND) * line]
                if half == 0:
                    rows[: ABOVE * line] = rows[BAND * line :]
                for tile in range(across):
                    start = group // 2 * matrices * wide + tile * PAIR + half
                    _lay(products, start, wide, rows, ABOVE * line + (BAND * tile + 1) * PAIR + half, line, PAIR)
                if band < begin:
                    continue
                for i in range(BAND):
                    y = BAND * band - ABOVE + 1 + i
                    if y < 0 or y >= 2 * height:
                        continue
                    for j in range(2 * width):
                        at = (y * 2 * width + j) * outputs + channel
                        place = i * line + j * PAIR + half
                        smooth(rows, place, line, PAIR, low_pass, bias, channel, slope, limit, target, at)  # pyright: ignore[reportCallIssue]


def warm_up() -> None:
    """Compiles the loops, or loads them from the cache."""
    picture, bias = np.zeros((TILE, TILE, LANES), np.float32), np.zeros(LANES, np.float32)
    weight, slope = np.zeros((LANES, LANES, 3, 3), np.float32), np.float32(0.2)
    with kernel_threads(1):
        scratch = np.empty((1, room(LANES, LANES, TILE, SAME)), np.float32)
        convolve(picture, transformed(weight, SAME), bias, slope, UNLIMITED, scratch, np.empty_like(picture))
        scratch = np.empty((1, room(LANES, LANES, TILE, DOUBLE)), np.float32)
        low_pass, out = np.zeros(16, np.float32), np.empty((2 * TILE, 2 * TILE, LANES), np.float32)
        convolve_double(picture, transformed(weight, DOUBLE), low_pass, bias, slope, UNLIMITED, scratch, out)
