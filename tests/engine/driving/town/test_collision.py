"""The driver's car against what is solid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from neuroview.engine.driving.town.collision import Boxes, SolidGrid, deepest, overlaps, respond
from neuroview.engine.driving.town.plan import SIZE
from neuroview.engine.driving.vehicle import CarState

HALF = (2.2, 0.9)


def box(x: float, y: float, a: float = 1.0, b: float = 1.0, yaw: float = 0.0, east: float = 0.0) -> Boxes:
    return Boxes(*(np.array([float(n)]) for n in (x, y, a, b, yaw, east, 0.0)))


def test_depth_and_normal_of_two_boxes_in_line():
    depth, normal = overlaps(0.0, 0.0, 0.0, HALF, box(3.0, 0.0))
    assert depth[0] == pytest.approx(0.2)
    assert normal[0] == pytest.approx((-1.0, 0.0))


def test_boxes_across_the_seam_of_the_torus_meet():
    assert overlaps(SIZE - 1.0, 5.0, 0.0, HALF, box(1.0, 5.0))[0][0] > 0
    assert overlaps(-3 * SIZE - 1.0, 5.0, 0.0, HALF, box(1.0, 5.0))[0][0] > 0


def test_a_turned_box_is_missed_at_its_cut_corner():
    # Both axis-aligned hulls overlap; the boxes do not.
    assert overlaps(0.0, 0.0, 0.0, HALF, box(3.2, 1.9, 1.0, 1.0, math.pi / 4))[0][0] < 0
    assert overlaps(0.0, 0.0, 0.0, HALF, box(3.2, 0.0, 1.0, 1.0, math.pi / 4))[0][0] > 0


def test_the_grid_finds_what_a_search_of_everything_finds():
    random = np.random.default_rng(0)
    solids = np.stack(
        [
            random.uniform(0, SIZE, 400),
            random.uniform(0, SIZE, 400),
            *random.uniform(0.1, 12, (2, 400)),
            random.uniform(0, 6, 400),
        ],
        1,
    )
    grid = SolidGrid(solids.astype(np.float32))
    everything = grid.boxes(np.arange(400))
    for _ in range(50):
        x, y, yaw = random.uniform(-SIZE, 2 * SIZE), random.uniform(-SIZE, 2 * SIZE), random.uniform(0, 6)
        touched = set(np.flatnonzero(overlaps(x, y, yaw, HALF, everything)[0] > 0).tolist())
        assert touched <= set(grid.near(x, y, math.hypot(*HALF)).tolist())


def test_the_grid_leaves_out_what_is_far():
    grid = SolidGrid(np.array([[10, 10, 1, 1, 0], [200, 200, 1, 1, 0]], np.float32))
    assert grid.near(12.0, 12.0, 3.0).tolist() == [0]
    assert grid.near(100.0, 100.0, 3.0).tolist() == []


def test_a_head_on_hit_throws_back_and_leaves_the_car_outside():
    wall, car = box(5.0, 0.0, 1.0, 10.0), CarState(x=1.9, speed=10.0)
    contact = deepest(car, HALF, wall)
    assert contact is not None
    after, impact = respond(car, HALF, contact, wall)
    assert impact == pytest.approx(10.0)
    assert -4.0 < after.speed < 0.0
    assert deepest(after, HALF, wall) is None


def test_a_slow_lean_against_a_wall_does_not_bounce():
    wall, car = box(5.0, 0.0, 1.0, 10.0), CarState(x=1.85, speed=0.4)
    contact = deepest(car, HALF, wall)
    assert contact is not None
    assert respond(car, HALF, contact, wall)[0].speed == pytest.approx(0.0, abs=1e-9)


def test_a_graze_keeps_most_of_the_speed_and_turns_along_the_wall():
    wall = box(0.0, 3.0, 50.0, 1.0)
    car = CarState(y=0.8, yaw=0.15, speed=12.0)
    contact = deepest(car, HALF, wall)
    assert contact is not None
    after, impact = respond(car, HALF, contact, wall)
    assert impact == pytest.approx(12.0 * math.sin(0.15), rel=0.01)
    assert after.speed > 10.0
    assert after.spin < 0.0  # clockwise: away from the wall on the left


def test_a_car_driving_away_is_no_impact():
    wall, car = box(5.0, 0.0, 1.0, 10.0), CarState(x=1.9, speed=-3.0)
    contact = deepest(car, HALF, wall)
    assert contact is not None
    after, impact = respond(car, HALF, contact, wall)
    assert (impact, after.speed) == (0.0, -3.0)


def test_a_car_that_is_hit_from_behind_is_pushed_on():
    pusher = box(-4.2, 0.0, 2.2, 0.9, east=6.0)
    car = CarState()
    contact = deepest(car, HALF, pusher)
    assert contact is not None
    after, impact = respond(car, HALF, contact, pusher)
    assert impact == pytest.approx(6.0)
    assert after.speed >= 6.0
