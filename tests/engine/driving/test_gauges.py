"""What is counted of a drive."""

from __future__ import annotations

import numpy as np
import pytest
from neuroview.engine.driving.gauges import Gauges
from neuroview.engine.driving.messages import DriveFrame, Vehicle
from neuroview.engine.driving.pace import Pace


def frame(number, speed=0.0, serial=0, cut=False):
    empty = np.zeros((1, 1))
    car = Vehicle(speed=speed)
    return DriveFrame(number, number / 10, empty, empty, vehicle=car, control_serial=serial, cut=cut)


def test_the_engines_rate_counts_steps_that_were_not_drawn():
    gauges = Gauges()
    for n in range(6):
        gauges.arrived(frame(3 * n), n / 10, free_running=True)
    assert gauges.rate(0.5) == pytest.approx(30)
    assert gauges.dropped == 10
    assert gauges.rate(9.0) == 0


def test_distance_counts_both_ways_but_not_a_jump():
    gauges = Gauges()
    for n, (speed, cut) in enumerate([(10, False), (10, False), (-10, False), (10, True)]):
        gauges.arrived(frame(n, speed, cut=cut), n / 10, free_running=True)
    assert gauges.distance == pytest.approx(2.0)


def test_latency_is_that_of_the_first_picture_that_obeys():
    gauges = Gauges()
    for serial in (1, 2, 3):
        gauges.sent(serial, serial / 100)
    gauges.shown(frame(0, serial=2), 0.10)
    gauges.shown(frame(1, serial=2), 0.50)
    assert gauges.latency == pytest.approx(80)


def test_a_pace_is_of_the_last_second():
    pace = Pace()
    for n in range(30):
        pace.note(n / 10, 0.02)
    assert pace.rate(2.9) == pytest.approx(10)
    assert pace.milliseconds == pytest.approx(20)
    assert pace.rate(60.0) == 0
