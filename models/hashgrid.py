"""The multiresolution hash encoding, as tiny-cuda-nn and as nerfstudio's torch code compute it.

Follows Müller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash Encoding" (2022), section 3. Both
implementations interpolate feature vectors at the corners of the cell that holds a point, level by level; they differ
in where the cells lie, in which levels are stored without collisions, and in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Dialect = Literal["tiny-cuda-nn", "nerfstudio"]

# Section 3, eq. 4. The first is no prime: neighbours along x then stay neighbours in the table.
_PRIMES = (1, 2654435761 - (1 << 32), 805459861)  # as signed 32 bits
# Points at once on a CPU: corners and weights of one level (about 2 MB) stay in the second-level cache.
_CHUNK_CPU, _CHUNK_GPU = 1 << 14, 1 << 20


@dataclass(frozen=True)
class Level:
    """One grid of the hierarchy."""

    scale: float
    """Cells across the unit cube: a coordinate is multiplied by this."""
    shift: float
    """Added afterwards; 0.5 staggers the grids of tiny-cuda-nn against each other."""
    resolution: int
    """Stride of a level that is stored densely: vertices along an axis."""
    size: int
    """Feature vectors stored."""
    hashed: bool


@dataclass(frozen=True)
class HashGridLayout:
    """Sizes of an encoding, from which its levels follow."""

    levels: int = 16
    """L"""
    features: int = 2
    """F, numbers stored at a vertex."""
    log2_size: int = 19
    """log2 T, of the number of vectors that a level stores at most."""
    base_resolution: int = 16
    """N_min"""
    growth: float = 2.0
    """b, by which the resolution grows from level to level (eq. 2 and 3)."""
    dialect: Dialect = "tiny-cuda-nn"
    smooth: bool = False
    """Whether interpolation weights go through smoothstep (appendix A)."""

    def __post_init__(self) -> None:
        fine = 1 <= self.levels <= 64 and 1 <= self.features <= 16 and 4 <= self.log2_size <= 26
        if not fine or not 1 <= self.base_resolution <= 1 << 16 or not 0.5 <= self.growth <= 64:
            raise ValueError(f"no hash grid has such sizes: {self}")

    @property
    def width(self) -> int:
        """Numbers that a point becomes, L F."""
        return self.levels * self.features

    def build(self) -> tuple[Level, ...]:
        """Every level, coarse to fine."""
        if self.dialect == "tiny-cuda-nn":
            return tuple(self._tiny_cuda_nn(index) for index in range(self.levels))
        # Single precision and torch's power, as in the original: an exact 2048 may come out as 2047.
        scales = torch.floor(self.base_resolution * torch.pow(self.growth, torch.arange(self.levels)))
        return tuple(Level(s, 0.0, int(s) + 1, 1 << self.log2_size, hashed=True) for s in scales.tolist())

    @property
    def parameters(self) -> int:
        """Numbers stored in all levels."""
        return self.features * sum(level.size for level in self.build())

    def _tiny_cuda_nn(self, index: int) -> Level:
        # In single precision, since rounding can move a resolution over an integer. The base resolution counts
        # vertices, so cells are one less.
        factor = np.exp2(np.float32(index) * np.log2(np.float32(self.growth)), dtype=np.float32)
        scale = np.float32(factor * np.float32(self.base_resolution) - np.float32(1.0))
        resolution = int(np.ceil(scale)) + 1
        dense = -(-(resolution**3) // 8) * 8  # rounded up to a multiple of 8, for aligned access
        size = min(dense, 1 << self.log2_size)
        return Level(float(scale), 0.5, resolution, size, hashed=size < resolution**3)


class HashGrid:
    """Trained feature tables: a point of the unit cube -> L F numbers, level by level.

    Args:
        layout: sizes.
        tables: one [T_l, F] for each level.

    Raises:
        ValueError: the tables are not those of the layout.
    """

    def __init__(self, layout: HashGridLayout, tables: list[Tensor]) -> None:
        self.layout = layout
        self.levels = layout.build()
        shapes = [tuple(table.shape) for table in tables]
        if shapes != [(level.size, layout.features) for level in self.levels]:
            raise ValueError(f"tables have shapes {shapes[:3]}..., expected those of {layout}")
        self.tables = tables

    @classmethod
    def from_flat(cls, layout: HashGridLayout, parameters: Tensor) -> HashGrid:
        """From all levels' numbers one after another, [parameters]; vector by vector within a level."""
        sizes = [level.size * layout.features for level in layout.build()]
        return cls(layout, [part.view(-1, layout.features) for part in parameters.split(sizes)])

    @property
    def device(self) -> torch.device:
        """Where the tables are."""
        return self.tables[0].device

    def to(self, device: str | torch.device) -> HashGrid:
        """Moves the tables; returns self."""
        self.tables = [table.to(device) for table in self.tables]
        return self

    def __call__(self, points: Tensor) -> Tensor:
        """Points [N, 3] in 0..1 -> [N, L F]; what lies outside is moved to the nearest face first."""
        size = _CHUNK_GPU if points.device.type == "cuda" else _CHUNK_CPU
        if len(points) <= size:
            return self._encode(points)
        return torch.cat([self._encode(part) for part in points.split(size)])

    def _encode(self, points: Tensor) -> Tensor:
        axes = points.clamp(0.0, 1.0).T.contiguous()  # [3, n]
        return torch.cat([self._level(axes, *pair) for pair in zip(self.levels, self.tables, strict=True)], dim=-1)

    def _level(self, axes: Tensor, level: Level, table: Tensor) -> Tensor:
        """One level's features [n, F] (section 3, figure 3)."""
        position = axes * level.scale + level.shift  # [3, n]
        low = position.floor()
        part = position - low
        if self.layout.smooth:
            part = part * part * (3.0 - 2.0 * part)
        # Each axis has two vertices and their shares of index and weight; the eight corners are their combinations.
        # 32 bits suffice: products wrap around, and what is left of them are the bits that the original keeps.
        vertices = torch.stack([low, low + 1.0], dim=1).to(torch.int32)  # [3, 2, n]
        shares = torch.stack([1.0 - part, part], dim=1)  # [3, 2, n]
        weights = shares[2][:, None, None] * shares[1][:, None] * shares[0]  # [2, 2, 2, n] by z, y, x
        if level.hashed:
            x, y, z = vertices * vertices.new_tensor(_PRIMES)[:, None, None]
            index = (x ^ y[:, None] ^ z[:, None, None]) & (level.size - 1)  # the size is a power of two
        else:
            x, y, z = vertices * vertices.new_tensor((1, level.resolution, level.resolution**2))[:, None, None]
            index = x + y[:, None] + z[:, None, None]
            # The outermost vertex of an axis wraps around, in the original too; never twice.
            index = torch.where(index >= level.size, index - level.size, index)
        index, weights = (values.reshape(8, -1).T.contiguous() for values in (index, weights))
        return torch.nn.functional.embedding_bag(index, table, per_sample_weights=weights, mode="sum")


def spherical_harmonics(directions: Tensor) -> Tensor:
    """The real spherical harmonics of degree 0 to 3 as polynomials: [N, 3] -> [N, 16].

    tiny-cuda-nn's signs: those with odd m carry the Condon-Shortley phase. nerfstudio's torch code leaves it out; see
    `PHASE`. Directions need not have length 1 (nerfstudio's have not), hence the written-out form.
    """
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),  # 1 / (2 sqrt(pi))
            -0.48860251190291987 * y,  # sqrt(3 / (4 pi))
            0.48860251190291987 * z,
            -0.48860251190291987 * x,
            1.0925484305920792 * x * y,  # sqrt(15 / (4 pi))
            -1.0925484305920792 * y * z,
            0.94617469575755997 * zz - 0.31539156525251999,  # sqrt(5 / (16 pi)) (3 z^2 - 1)
            -1.0925484305920792 * x * z,
            0.54627421529603959 * (xx - yy),
            -0.59004358992664352 * y * (3.0 * xx - yy),  # sqrt(35 / (32 pi))
            2.8906114426405538 * x * y * z,  # sqrt(105 / (4 pi))
            -0.45704579946446572 * y * (5.0 * zz - 1.0),  # sqrt(21 / (32 pi))
            0.3731763325901154 * z * (5.0 * zz - 3.0),  # sqrt(7 / (16 pi))
            -0.45704579946446572 * x * (5.0 * zz - 1.0),
            1.4453057213202769 * z * (xx - yy),
            -0.59004358992664352 * x * (xx - 3.0 * yy),
        ],
        dim=-1,
    )


PHASE = (1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1)
"""Signs that take `spherical_harmonics` to those without the Condon-Shortley phase."""
