"""People on foot."""

from __future__ import annotations

import json

import numpy as np
import pytest
from neuroview.engine.driving.town.pedestrians import Pedestrians
from neuroview.engine.driving.town.plan import BLOCK_HALF, KERB, PERIOD, ROAD_HALF
from neuroview.engine.driving.town.routes import wrapped
from neuroview.engine.driving.town.signals import GREEN, signals

NO_CARS = (np.zeros(0),) * 5
RATE = 15.0


def walk(people: Pedestrians, seconds: float, start: float = 0.0):
    for k in range(round(seconds * RATE)):
        people.step(1 / RATE, start + k / RATE, NO_CARS)
        yield start + (k + 1) / RATE


def test_people_are_on_sidewalks_and_crossings_and_nowhere_else():
    people = Pedestrians(200, 3, 1)
    for _ in walk(people, 60):
        dx = np.abs(people.x - np.round(people.x / PERIOD) * PERIOD)
        dy = np.abs(people.y - np.round(people.y / PERIOD) * PERIOD)
        on_land = np.minimum(dx, dy) > ROAD_HALF
        inside = np.minimum(dx, dy) > PERIOD / 2 - BLOCK_HALF
        on_crossing = (np.maximum(dx, dy) > 6.5) & (np.maximum(dx, dy) < 9.0)
        assert (on_land | on_crossing).all()
        assert not inside.any()


def test_nobody_is_on_the_carriageway_while_the_cars_there_have_green():
    people = Pedestrians(300, 3, 2)
    crossed = 0
    for time in walk(people, 90, start=0.0):
        there = people.crossings()
        crossed += int(there.any())
        if time < 15:  # who began beyond the kerb's waiting place has left by then
            continue
        shown = signals(time - 1 / RATE).reshape(-1, 2)
        # Cars of axis 0 cross the arms east and west (0 and 2), those of axis 1 the others.
        for axis in (0, 1):
            assert not (there[:, axis::2].any(1) & (shown[:, axis] == GREEN)).any()
    assert crossed > 100


def test_everybody_gets_on():
    people = Pedestrians(100, 3, 3)
    for _ in walk(people, 120):
        pass
    assert people.walked.min() > 40


def test_the_phase_follows_the_way_and_is_zero_when_standing():
    people = Pedestrians(50, 3, 4)
    for _ in walk(people, 20):
        moved = people.going
        assert ((people.phase >= 0) & (people.phase < 1)).all()
        assert (people.phase[~moved] == 0).all()
    before = people.walked.copy()
    for _ in walk(people, 1.0, 20.0):
        pass
    assert (people.walked - before).max() == pytest.approx(1.55, abs=0.1)


def test_people_stand_on_the_kerb_and_walk_on_the_road():
    people = Pedestrians(200, 3, 5)
    for _ in walk(people, 30):
        middle = people.on_road & (np.abs(people.left - people.line) < ROAD_HALF - 0.5)
        assert (people.z[middle] == 0).all()
        assert people.z[~people.crossing] == pytest.approx(KERB)


def test_a_car_that_comes_along_the_sidewalk_touches_nobody():
    people = Pedestrians(1, 1, 0)
    for _ in walk(people, 0.1):
        pass
    x, y = float(people.x[0]) - 12.0, float(people.y[0])
    closest = np.inf
    for _ in range(60):
        x += 10.0 / 30
        people.dodge(1 / 30, x, y, 0.0, 10.0, (2.2, 0.9))
        dx, dy = abs(wrapped(people.x[0] - x)), abs(wrapped(people.y[0] - y))
        if dx < 2.2:
            closest = min(closest, dy)
    assert closest >= 0.9


def test_who_had_to_jump_walks_back_to_the_line():
    people = Pedestrians(1, 1, 0)
    people.dodge(0.1, float(people.x[0]), float(people.y[0]) - 0.5, 0.0, 5.0, (2.2, 0.9))
    assert np.hypot(*people.aside[0]) > 0.5
    for _ in walk(people, 5):
        pass
    assert np.hypot(*people.aside[0]) == 0


def test_people_wait_for_a_car_that_stands_in_their_way():
    people = Pedestrians(1, 1, 0)
    people.heading[:], people.sx[:], people.sy[:] = 0, 1, 1
    people.column[:], people.row[:], people.line[:], people.left[:] = 1, 1, 7.5, 7.0
    people.step(0.0, 5.0, NO_CARS)
    car = tuple(np.array([n]) for n in (float(people.x[0]) + 3.0, float(people.y[0]), np.pi / 2, 4.4, 1.8))
    for _ in range(100):
        people.step(0.1, 5.0, car)
    assert not people.going[0]
    assert people.x[0] < car[0][0] - 0.9


def test_people_go_on_from_their_state_bit_by_bit():
    first, second = Pedestrians(40, 3, 1), Pedestrians(40, 3, 2)
    for _ in walk(first, 5):
        pass
    second.restore(json.loads(json.dumps(first.state())))
    for people in (first, second):
        for _ in walk(people, 20, 5.0):
            pass
    assert (first.x == second.x).all()
    assert (first.heading == second.heading).all()
