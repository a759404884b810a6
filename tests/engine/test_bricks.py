"""A baked grid without its empty space."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from balls import Balls, look, volume
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.bricks import BLOCK, BRICK, EDGE
from neuroview.engine.rendering.march import render_baked


@pytest.fixture(scope="module")
def baked():
    return bake(Balls(), volume(), 61)  # no multiple of a block


def test_every_node_of_a_block_that_can_be_seen_stands_in_its_brick(baked):
    bricks = baked.bricks
    density, index = baked.density.numpy(), baked.index.numpy()
    full = np.argwhere(bricks.table >= 0)
    assert len(full) > 100
    for block in full:
        low = block * BLOCK
        place = tuple(slice(a, a + EDGE) for a in low)
        within = tuple(slice(0, n) for n in density[place].shape)  # the last blocks stick out of the grid
        number = bricks.table[tuple(block)]
        np.testing.assert_array_equal(bricks.density[number].reshape(EDGE, EDGE, EDGE)[within], density[place])
        np.testing.assert_array_equal(bricks.line[number].reshape(EDGE, EDGE, EDGE)[within], index[place])


def test_blocks_without_a_brick_tell_how_far_the_next_one_is(baked):
    table = baked.bricks.table
    full, empty = np.argwhere(table >= 0), np.argwhere(table < 0)
    for block in empty[:: max(1, len(empty) // 40)]:
        assert -table[tuple(block)] == np.abs(full - block).max(1).min()


def test_the_solid_inside_shares_one_brick():
    bricks = bake(Balls(((0.0, 0.0, 0.0, 0.8),), sharpness=2000.0), volume(), 64).bricks
    numbers, counts = np.unique(bricks.table[bricks.table >= 0], return_counts=True)
    assert len(numbers) == len(bricks.density)
    assert counts.max() > 20
    shared = numbers[counts.argmax()]
    assert (bricks.line[shared] == -1).all()
    assert np.ptp(bricks.density[shared]) == 0


def test_they_take_less_memory_than_the_grid():
    baked = bake(Balls(sharpness=2000.0), volume(), 96)
    assert baked.bricks.bytes < 0.7 * baked.bytes


def test_a_grid_of_nothing_has_none():
    bricks = bake(Balls(((0.0, 0.0, 0.0, -9.0),)), volume(), 32).bricks
    assert bricks.density.shape == (0, BRICK)
    assert (bricks.table < 0).all()


def test_they_are_all_that_is_marched(baked):
    whole = render_baked(baked, volume(), *look(), 24, 24)
    alone = render_baked(baked.bricks, volume(), *look(), 24, 24)
    assert torch.equal(whole.features, alone.features)
    assert baked.bricks is baked.bricks, "they are cut once"
