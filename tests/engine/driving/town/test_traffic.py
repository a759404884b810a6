"""Moving cars, on their own and around the driver."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bare_town import bare_town
from neuroview.engine.driving.town import routes
from neuroview.engine.driving.town.collision import Boxes, overlaps
from neuroview.engine.driving.town.plan import BLOCKS, ROAD_HALF
from neuroview.engine.driving.town.right_of_way import Demand
from neuroview.engine.driving.town.signals import AMBER, GREEN, RED, signals
from neuroview.engine.driving.town.traffic import Obstacles, Traffic, follow

BODIES = bare_town().bodies
NOBODY = np.zeros((BLOCKS * BLOCKS, 4), bool)
RATE = 15.0


def alone(lane: int, along: float, turn: int, speed: float) -> Traffic:
    traffic = Traffic(1, BODIES, 0)
    traffic.piece[:], traffic.along[:], traffic.turn[:], traffic.speed[:] = lane, along, turn, speed
    traffic.cruise[:], traffic.length[:], traffic.width[:] = 9.0, 4.4, 1.8
    traffic.x, traffic.y, traffic.yaw = routes.poses(traffic.piece, traffic.along)
    return traffic


def run(traffic, seconds, colour=None, crossings=NOBODY, others=None):
    """Yields after every step; `colour`: what all signals show, None: the town's own."""
    for k in range(round(seconds * RATE)):
        shown = signals(k / RATE) if colour is None else np.full(2 * BLOCKS * BLOCKS, colour, np.int32)
        traffic.step(1 / RATE, shown, crossings, others or Obstacles.none(), Demand())
        yield k / RATE


def deepest_overlap(traffic: Traffic) -> float:
    worst = -np.inf
    far = np.hypot(routes.wrapped(traffic.x - traffic.x[:, None]), routes.wrapped(traffic.y - traffic.y[:, None]))
    np.fill_diagonal(far, np.inf)
    for k in np.flatnonzero((far < 7).any(1)):
        o = np.flatnonzero(far[k] < 7)
        still = np.zeros(len(o))
        boxes = Boxes(
            traffic.x[o], traffic.y[o], traffic.length[o] / 2, traffic.width[o] / 2, traffic.yaw[o], still, still
        )
        half = traffic.length[k] / 2, traffic.width[k] / 2
        worst = max(worst, overlaps(traffic.x[k], traffic.y[k], traffic.yaw[k], half, boxes)[0].max())
    return worst


def test_for_two_minutes_no_car_touches_another_and_none_is_stuck():
    traffic = Traffic(60, BODIES, 5)
    still = np.zeros(len(traffic))
    longest, covered = 0.0, np.zeros(len(traffic))
    for k, _ in enumerate(run(traffic, 120)):
        still = np.where(traffic.speed < 0.1, still + 1 / RATE, 0.0)
        longest, covered = max(longest, still.max()), covered + traffic.speed / RATE
        if k % 5 == 0:
            assert deepest_overlap(traffic) < -0.2
    assert longest < 75  # three rounds of the signals
    assert covered.min() > 120


def test_a_car_stops_at_a_red_light_with_its_nose_before_the_line():
    traffic = alone(routes.lane_of(2, 2, 0), 5.0, routes.STRAIGHT, 8.0)
    for _ in run(traffic, 15, RED):
        pass
    nose = traffic.along[0] + 2.2
    assert traffic.speed[0] == pytest.approx(0.0, abs=0.05)
    assert routes.LINE - 1.5 < nose <= routes.LINE + 0.3


def test_a_car_too_close_to_stop_goes_on_at_amber():
    traffic = alone(routes.lane_of(2, 2, 0), routes.LINE - 5.0, routes.STRAIGHT, 9.0)
    for _ in run(traffic, 3, AMBER):
        pass
    assert traffic.piece[0] != routes.lane_of(2, 2, 0)


def test_a_car_drives_on_at_green_and_slows_down_for_a_turn():
    traffic = alone(routes.lane_of(2, 2, 0), 5.0, routes.RIGHT, 8.0)
    fastest = 0.0
    for _ in run(traffic, 12, GREEN):
        if not traffic.on_lane[0]:
            fastest = max(fastest, float(traffic.speed[0]))
        if traffic.piece[0] == routes.EXIT_OF[routes.lane_of(2, 2, 0), routes.RIGHT]:
            break
    assert 2.0 < fastest < 6.0
    assert traffic.piece[0] == routes.EXIT_OF[routes.lane_of(2, 2, 0), routes.RIGHT]


def test_a_left_turn_waits_for_who_comes_towards_it():
    traffic = Traffic(2, BODIES, 0)
    traffic.piece[:] = routes.lane_of(2, 2, 0), routes.lane_of(2, 2, 2)
    traffic.along[:] = 35.0, 20.0
    traffic.turn[:], traffic.speed[:], traffic.cruise[:] = (routes.LEFT, routes.STRAIGHT), 7.0, 9.0
    passed = []
    for _ in run(traffic, 20, GREEN):
        passed += [k for k in (0, 1) if not traffic.on_lane[k] and k not in passed]
        assert deepest_overlap(traffic) < 0
    assert passed == [1, 0]


def test_a_car_waits_for_people_on_the_crossing_it_turns_into():
    lane = routes.lane_of(2, 2, 0)
    busy = NOBODY.copy()
    busy[routes.JUNCTION_OF[lane], 3] = True  # on the southern arm
    traffic = alone(lane, 30.0, routes.RIGHT, 6.0)
    for _ in run(traffic, 15, GREEN, busy):
        pass
    assert traffic.speed[0] == pytest.approx(0.0, abs=0.05)
    nose = traffic.y[0] - 2.2  # it looks south by now
    assert not traffic.on_lane[0]
    assert nose > 2 * 64 - ROAD_HALF - 1.0
    for _ in run(traffic, 5, GREEN):
        pass
    assert traffic.piece[0] == routes.EXIT_OF[lane, routes.RIGHT]


def test_a_car_stops_behind_the_driver_and_brakes_visibly():
    lane = routes.lane_of(2, 2, 0)
    traffic = alone(lane, 5.0, routes.STRAIGHT, 9.0)
    x, y, _ = routes.poses(np.array([lane]), np.array([30.0]))
    zero = np.zeros(1)
    lit = False
    for _ in run(traffic, 12, GREEN, others=Obstacles(x, y, np.array([1.0]), zero, zero)):
        lit = lit or bool(traffic.braking[0])
    assert lit
    assert 30.0 - 6.5 < traffic.along[0] + 2.2 < 30.0 - 1.0


def test_the_model_keeps_its_gap_and_wants_its_speed():
    one = np.ones(1)
    assert follow(10 * one, 10 * one, 1e9 * one, 10 * one) == pytest.approx(0.0, abs=1e-6)
    assert follow(5 * one, 10 * one, 1e9 * one, 5 * one)[0] > 1.0
    assert follow(10 * one, 10 * one, 5 * one, 0 * one)[0] < -5.0


def test_nobody_starts_where_it_shall_be_clear():
    traffic = Traffic(400, BODIES, 0, (100.0, 62.0, 14.0))
    assert np.hypot(traffic.x - 100.0, traffic.y - 62.0).min() > 12.0


def test_traffic_goes_on_from_its_state_bit_by_bit():
    first, second = Traffic(30, BODIES, 1), Traffic(30, BODIES, 2)
    for _ in run(first, 5):
        pass
    second.restore(json.loads(json.dumps(first.state())))
    for _ in run(first, 10):
        pass
    for _ in run(second, 10):
        pass
    assert (first.x == second.x).all()
    assert (first.turn == second.turn).all()
