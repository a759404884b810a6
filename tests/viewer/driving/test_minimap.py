"""The map's geometry: what is near, where it lies, and that the world's end is not seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drive_fakes import TOWN
from neuroview.engine.driving.messages import Vehicle
from neuroview.viewer.driving.minimap import MOST, around, cut, on_map, wrapped


def test_a_road_is_cut_into_stretches_that_still_join():
    pieces = cut((((0, 0), (100, 0), (100, 30)),), 24)
    assert np.allclose(pieces[1:, :2], pieces[:-1, 2:])
    assert np.hypot(*(pieces[:, 2:] - pieces[:, :2]).T).max() <= 24
    assert pieces[0, :2].tolist() == [0, 0]
    assert pieces[-1, 2:].tolist() == [100, 30]


def test_a_world_without_roads_has_nothing_to_draw():
    assert cut((), 24).shape == (0, 4)
    assert cut((((1, 2),),), 24).shape == (0, 4)
    assert around(cut((), 24), Vehicle(), 448, 90).shape == (0, 4)


@pytest.mark.parametrize("laps", [0, 1, -7])
def test_the_same_place_looks_the_same_after_a_lap_of_the_world(laps):
    pieces = cut(TOWN.roads, 24)
    here = around(pieces, Vehicle(x=3, y=440), 448, 90)
    there = around(pieces, Vehicle(x=3 + 448 * laps, y=440 - 448 * laps), 448, 90)
    assert np.allclose(here, there)
    assert len(here) > 0


def test_the_street_goes_on_beyond_the_seam_of_the_world():
    near = around(cut(TOWN.roads, 24), Vehicle(x=0, y=447), 448, 60)
    along = near[np.abs(near[:, 0]) < 1e-9]
    assert along[:, [1, 3]].max() > 40
    assert along[:, [1, 3]].min() < -40


def test_a_world_that_does_not_repeat_is_left_as_it_is():
    offsets = np.array([[900.0, 0, 910, 0]])
    assert wrapped(offsets, 0) is offsets


def test_of_a_large_map_the_nearest_stretches_are_drawn():
    grid = tuple(((float(i), -50.0), (float(i), 50.0)) for i in range(-60, 60))
    near = around(cut(grid, 1), Vehicle(), 0, 90)
    assert len(near) == MOST
    assert np.abs(near).max() < 25


@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5, math.pi])
def test_what_lies_ahead_is_up_and_what_lies_right_is_right(yaw):
    car = Vehicle(x=5, y=7, yaw=yaw)
    ahead = np.array([math.cos(yaw), math.sin(yaw)]) * 10
    right = np.array([math.sin(yaw), -math.cos(yaw)]) * 10
    places = on_map(np.array([[*ahead, *right]]), car, (100, 200), 2.0)[0]
    assert places == pytest.approx([100, 180, 120, 200])
