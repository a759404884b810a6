"""Lanes and how they join."""

from __future__ import annotations

import numpy as np
import pytest
from neuroview.engine.driving.town import routes
from neuroview.engine.driving.town.plan import LANE, PERIOD, SIZE, STOP


@pytest.mark.parametrize("turn", [routes.STRAIGHT, routes.LEFT, routes.RIGHT])
def test_lanes_and_connectors_meet_without_a_kink(turn):
    lanes = np.arange(routes.LANES)
    connectors = routes.connector_of(lanes, turn)
    for before, after in ((lanes, connectors), (connectors, routes.EXIT_OF[:, turn])):
        x, y, yaw = routes.poses(before, routes.LENGTH[before])
        x2, y2, yaw2 = routes.poses(after, np.zeros(routes.LANES))
        assert np.abs(routes.wrapped(x - x2)).max() < 1e-9
        assert np.abs(routes.wrapped(y - y2)).max() < 1e-9
        assert np.cos(yaw - yaw2).min() > 1 - 1e-12


def test_traffic_keeps_to_the_right():
    x, y, _ = routes.poses(np.array([routes.lane_of(1, 1, 0), routes.lane_of(1, 1, 1)]), np.array([20.0, 20.0]))
    assert y[0] == pytest.approx(PERIOD - LANE)  # eastbound: south of the centre line
    assert x[1] == pytest.approx(PERIOD + LANE)  # northbound: east of it


def test_noses_stop_before_the_stop_line():
    x, _, _ = routes.poses(np.array([routes.lane_of(1, 1, 0)]), np.array([routes.LINE]))
    assert PERIOD - STOP - 1.0 < x[0] < PERIOD - STOP


def test_the_nearest_lane_leads_where_the_car_looks():
    lane, along, left = routes.nearest_lane(32.0 + SIZE, -1.0, 0.0)
    assert (lane, along) == (routes.lane_of(1, 0, 0), 24.0)
    assert left == pytest.approx(LANE - 1.0)
    assert routes.nearest_lane(32.0, -1.0, np.pi)[0] == routes.lane_of(0, 0, 2)


def test_opposite_left_turns_pass_each_other_but_cross_those_who_go_straight_on():
    assert not routes.CONFLICTS[0, routes.LEFT, 2, routes.LEFT]
    assert routes.CONFLICTS[0, routes.LEFT, 2, routes.STRAIGHT]
    assert routes.CONFLICTS[0, routes.STRAIGHT, 1, routes.STRAIGHT]
    assert not routes.CONFLICTS[0, routes.STRAIGHT, 2, routes.STRAIGHT]


def test_points_ahead_follow_the_turn():
    lane = np.array([routes.lane_of(1, 1, 0)])
    x, y = routes.ahead(lane, np.array([routes.LEFT]), np.ones(1, bool), np.array([40.0]), np.array([0.0, 40.0]))
    assert y[0, 0] == pytest.approx(PERIOD - LANE)
    assert x[0, 1] == pytest.approx(PERIOD + LANE)
    assert y[0, 1] > PERIOD + 15
