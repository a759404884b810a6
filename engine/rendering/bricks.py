"""`BrickGrid`: a baked grid without its empty space, as the marches read it: bricks of nodes, found through a table.

A block of BLOCK cells along each edge owns a brick of (BLOCK + 1)^3 nodes: the last ones are shared with its
neighbours and kept by each of them, so that all eight corners of a cell lie within one brick. Blocks in which nothing
can be seen have none. Next to the dense grid a march reads the same numbers in the same order, from half the memory
and 1.05 to 1.3 times as fast on a CPU (showroom at 256 nodes: 59 MB in place of 116, 1.17 times).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

if TYPE_CHECKING:
    from .backdrop import Backdrop
    from .bake import BakedGrid
    from .rays import Bounds

BLOCK = 4
"""Cells along the edge of a block, the unit in which the march skips empty space; a power of two, as the marches find
a cell's place in its block by its lowest bits."""
EDGE = BLOCK + 1
"""Nodes along the edge of a brick."""
BRICK = EDGE**3
"""Nodes of a brick."""


@dataclass(frozen=True, eq=False)
class BrickGrid:
    """A field, sampled where it can be seen. Arrays on the CPU that nobody writes to; any thread may read them."""

    bounds: Bounds
    """Positions of the first and last node, world units; the spacing is the same along all axes."""
    spacing: float
    """Distance between neighbouring nodes, world units."""
    shape: tuple[int, int, int]
    """Nodes along each axis."""
    table: np.ndarray
    """[bx, by, bz] int32: the number of a block's brick; below 0, minus the blocks to go, in the largest coordinate, to
    the nearest block that has one."""
    density: np.ndarray
    """[N, BRICK] float32, z fastest: raw density, or arsinh(density / knee) where `knee` is not 0."""
    line: np.ndarray
    """[N, BRICK] int32: the node's line in `rows`, or -1 where no ray sees it."""
    rows: np.ndarray
    """[M, V] uint8, as `BakedGrid.rows`."""
    offset: np.ndarray
    """[K * C] float32"""
    scale: np.ndarray
    """[K * C] float32"""
    channels: int
    degree: int
    thin: bool
    resolution: int
    backdrop: Backdrop | None = None
    knee: float = 0.0

    @property
    def bytes(self) -> int:
        """Memory held."""
        return sum(array.nbytes for array in (self.table, self.density, self.line, self.rows))


def cut_into_bricks(baked: BakedGrid) -> BrickGrid:
    """The same grid without its empty space. Blocks that are the same throughout, as the solid inside of a generated
    thing, share one brick."""
    skip, nodes = baked.skip.numpy(), baked.density.numpy()
    full = skip == 0
    bricks = _bricks(nodes, full, float(nodes.min(initial=0.0)))
    lines = _bricks(baked.index.numpy(), full, -1)
    same = (bricks == bricks[:, :1]).all(1) & (lines < 0).all(1)
    values, shared = np.unique(bricks[same, 0], return_inverse=True)
    own = len(bricks) - int(same.sum())
    number = np.empty(len(bricks), np.int32)
    number[~same], number[same] = np.arange(own), own + shared
    table = -skip.astype(np.int32)
    table[full] = number
    common = np.repeat(values[:, None], BRICK, 1)
    return BrickGrid(
        bounds=baked.bounds,
        spacing=baked.spacing,
        shape=nodes.shape,
        table=table,
        density=np.concatenate([bricks[~same], common]),
        line=np.concatenate([lines[~same], np.full(common.shape, -1, np.int32)]),
        rows=baked.rows.numpy(),
        offset=baked.offset.numpy(),
        scale=baked.scale.numpy(),
        channels=baked.channels,
        degree=baked.degree,
        thin=baked.thin,
        resolution=baked.resolution,
        backdrop=baked.backdrop,
        knee=baked.knee,
    )


def _bricks(nodes: np.ndarray, full: np.ndarray, beyond: float) -> np.ndarray:
    """The bricks [N, BRICK] of the blocks that are `full` [bx, by, bz]; `beyond` fills what sticks out of the grid."""
    rest = [(0, BLOCK * blocks + 1 - count) for blocks, count in zip(full.shape, nodes.shape, strict=True)]
    padded = np.pad(nodes, rest, constant_values=beyond)
    steps = (*(BLOCK * step for step in padded.strides), *padded.strides)
    return as_strided(padded, (*full.shape, EDGE, EDGE, EDGE), steps, writeable=False)[full].reshape(-1, BRICK)
