"""The hash encoding agrees with a slow one written point by point from its definition, in both dialects."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
import torch
from neuroview.models.hashgrid import PHASE, HashGrid, HashGridLayout, spherical_harmonics
from neuroview.models.hashgrid_field import EMPTY, AffineWarp, ColourHead, ContractedWarp, Dense, HashGridField

SMALL = HashGridLayout(levels=6, features=2, log2_size=9, base_resolution=4, growth=1.5)
TORCH = HashGridLayout(levels=5, features=3, log2_size=8, base_resolution=4, growth=1.7, dialect="nerfstudio")


def single(value: float) -> float:
    """A number rounded to single precision."""
    return struct.unpack("f", struct.pack("f", value))[0]


def tables(layout: HashGridLayout, seed: int = 0) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(level.size, layout.features, generator=random) for level in layout.build()]


def points(count: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed))


def scalar_tiny_cuda_nn(point: list[float], layout: HashGridLayout, numbers: list[float]) -> list[float]:
    """One point through tiny-cuda-nn's encoding, in plain Python: sizes, indices and weights worked out on the way."""
    out, start = [], 0
    for level in range(layout.levels):
        scale = single(2.0 ** (level * math.log2(layout.growth)) * layout.base_resolution - 1.0)
        resolution = math.ceil(scale) + 1
        stored = min((resolution**3 + 7) // 8 * 8, 2**layout.log2_size)
        position = [x * scale + 0.5 for x in point]
        cell = [math.floor(p) for p in position]
        sums = [0.0] * layout.features
        for corner in range(8):
            weight, vertex = 1.0, []
            for axis in range(3):
                part = position[axis] - cell[axis]
                part = part * part * (3 - 2 * part) if layout.smooth else part
                upper = corner >> axis & 1
                weight *= part if upper else 1 - part
                vertex.append(cell[axis] + upper)
            x, y, z = vertex
            index = x + y * resolution + z * resolution**2
            if resolution**3 > stored:
                index = (x ^ (y * 2654435761 & 0xFFFFFFFF) ^ (z * 805459861 & 0xFFFFFFFF)) & 0xFFFFFFFF
            index %= stored
            for feature in range(layout.features):
                sums[feature] += weight * numbers[(start + index) * layout.features + feature]
        out += sums
        start += stored
    return out


def scalar_nerfstudio(point: list[float], layout: HashGridLayout, numbers: list[float]) -> list[float]:
    """One point through nerfstudio's torch encoding: ceil and floor as corners, every level hashed."""
    out, size = [], 2**layout.log2_size
    for level in range(layout.levels):
        scale = math.floor(layout.base_resolution * layout.growth**level)
        scaled = [x * scale for x in point]
        part = [s - math.floor(s) for s in scaled]
        sums = [0.0] * layout.features
        for corner in range(8):
            weight, vertex = 1.0, []
            for axis in range(3):
                upper = corner >> axis & 1
                weight *= part[axis] if upper else 1 - part[axis]
                vertex.append(math.ceil(scaled[axis]) if upper else math.floor(scaled[axis]))
            x, y, z = vertex
            index = (x ^ (y * 2654435761) ^ (z * 805459861)) % size + level * size
            for feature in range(layout.features):
                sums[feature] += weight * numbers[index * layout.features + feature]
        out += sums
    return out


@pytest.mark.parametrize("smooth", [False, True])
def test_the_encoding_is_tiny_cuda_nns_with_dense_and_with_hashed_levels(smooth):
    layout = HashGridLayout(6, 2, 9, 4, 1.5, smooth=smooth)
    assert {level.hashed for level in layout.build()} == {True, False}
    grid = HashGrid(layout, tables(layout))
    numbers = torch.cat([table.flatten() for table in grid.tables]).tolist()
    where = torch.cat([points(40), torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 1.0, 0.0]])])
    expected = [scalar_tiny_cuda_nn(point, layout, numbers) for point in where.tolist()]
    torch.testing.assert_close(grid(where), torch.tensor(expected), atol=2e-5, rtol=1e-5)


def test_the_encoding_is_nerfstudios_torch_code():
    grid = HashGrid(TORCH, tables(TORCH))
    numbers = torch.cat([table.flatten() for table in grid.tables]).tolist()
    where = torch.cat([points(40), torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.25, 0.5, 0.75]])])
    expected = [scalar_nerfstudio(point, TORCH, numbers) for point in where.tolist()]
    torch.testing.assert_close(grid(where), torch.tensor(expected), atol=2e-5, rtol=1e-5)


def test_the_published_configuration_has_the_published_number_of_parameters():
    # instant-ngp's base.json: 16 levels of 2 features, T = 2^19, 16 to 2048; known from its snapshots.
    layout = HashGridLayout(16, 2, 19, 16, math.exp(math.log(2048 / 16) / 15))
    assert layout.parameters == 12_196_240
    assert layout.width == 32


def test_tables_come_from_one_run_of_numbers_level_by_level():
    parts = tables(SMALL)
    grid = HashGrid.from_flat(SMALL, torch.cat([part.flatten() for part in parts]))
    for given, made in zip(parts, grid.tables, strict=True):
        assert torch.equal(given, made)


def test_many_points_are_the_same_as_few():
    grid = HashGrid(SMALL, tables(SMALL))
    where = points(40_000)
    assert torch.equal(grid(where)[17_000:17_005], grid(where[17_000:17_005]))


@pytest.mark.parametrize(
    "sizes", [{"levels": 0}, {"features": 99}, {"log2_size": 60}, {"growth": -1.0}, {"base_resolution": 0}]
)
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="no hash grid has such sizes"):
        HashGridLayout(**sizes)


def test_tables_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="tables have shapes"):
        HashGrid(SMALL, tables(TORCH))


def test_harmonics_are_orthonormal_and_their_phase_is_the_sign_of_odd_orders():
    # Fibonacci's even spread integrates polynomials of degree 6 to better than a thousandth.
    n = 4096
    z = 1 - (2 * np.arange(n) + 1) / n
    angle = np.pi * (1 + 5**0.5) * np.arange(n)
    radius = np.sqrt(1 - z * z)
    directions = torch.from_numpy(np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1)).double()
    values = spherical_harmonics(directions)
    torch.testing.assert_close(4 * math.pi / n * values.T @ values, torch.eye(16).double(), atol=2e-3, rtol=0)
    orders = [m for degree in range(4) for m in range(-degree, degree + 1)]
    assert tuple(-1 if m % 2 else 1 for m in orders) == PHASE


def field(**more) -> HashGridField:
    random = torch.Generator().manual_seed(5)

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(torch.randn(inputs, outputs, generator=random) / inputs**0.5)

    head = ColourHead(dense(16, 8), dense(16, 8), (dense(8, 8), dense(8, 3)))
    low_high = ((-1.0,) * 3, (1.0,) * 3)
    warp = AffineWarp(((0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)), (0.5, 0.5, 0.5))
    grid = HashGrid(SMALL, tables(SMALL))
    return HashGridField(grid, (dense(12, 8), dense(8, 16)), head, warp, low_high, **more)


def test_trunk_and_colour_together_are_the_field():
    scene, where = field(bias=0.3), 2.4 * points(50) - 1.2
    directions = torch.nn.functional.normalize(points(50, seed=2) - 0.5, dim=-1)
    raw, rgb = scene(where, directions)
    again, hidden = scene.trunk(where)
    inside = (where.abs() <= 1).all(-1)
    assert bool(inside.any())
    assert not bool(inside.all())
    assert torch.equal(raw, again)
    assert torch.equal(raw, scene.density(where))
    torch.testing.assert_close(rgb[inside], scene.colour(hidden, directions)[inside])
    assert bool((raw[~inside] == EMPTY).all())
    assert float(rgb.min()) >= 0
    assert float(rgb.max()) <= 1


def test_directions_are_asked_for():
    with pytest.raises(ValueError, match="directions are None"):
        field()(points(2))


def test_contraction_keeps_the_inner_cube_and_folds_the_rest_around_it():
    where = torch.tensor([[0.0, 0.0, 0.0], [0.5, -1.0, 1.0], [4.0, 0.0, 2.0], [-1e9, 0.0, 0.0]])
    unit, inside = ContractedWarp()(where)
    expected = torch.tensor([[0.0, 0.0, 0.0], [0.5, -1.0, 1.0], [1.75, 0.0, 0.875], [-2.0, 0.0, 0.0]])
    torch.testing.assert_close(unit, (expected + 2) / 4)
    assert inside.tolist() == [True, True, True, False]


def test_gradients_reach_the_tables_and_the_points():
    scene, where = field(), (points(6) - 0.5).requires_grad_()
    for table in scene.grid.tables:
        table.requires_grad_()
    raw, rgb = scene(where, torch.nn.functional.normalize(points(6, 3), dim=-1))
    (raw.sum() + rgb.sum()).backward()
    assert float(where.grad.abs().sum()) > 0
    assert all(float(table.grad.abs().sum()) > 0 for table in scene.grid.tables)
