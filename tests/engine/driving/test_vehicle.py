"""The driver's car."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from neuroview.engine.driving.messages import Control
from neuroview.engine.driving.vehicle import GRIP, CarState, drive, yaw_rate

SLALOM = [Control(throttle=0.7, steer=s) for s in (0.0, 0.4, -0.4, 0.9, -0.2, 0.0)]


def drive_at(rate: float, controls: list[Control], seconds_each: float = 1.0) -> CarState:
    car = CarState()
    for control in controls:
        for _ in range(round(rate * seconds_each)):
            car = drive(car, control, 1 / rate)
    return car


def test_a_stopped_car_stays_where_it_is():
    assert drive(CarState(3.0, 4.0, 1.0), Control(), 5.0) == CarState(3.0, 4.0, 1.0)


def test_a_slalom_ends_at_the_same_place_at_20_and_at_60_hz():
    slow, fast = drive_at(20, SLALOM), drive_at(60, SLALOM)
    assert math.hypot(slow.x - fast.x, slow.y - fast.y) < 0.1
    assert slow.yaw == pytest.approx(fast.yaw, abs=0.01)
    assert slow.speed == pytest.approx(fast.speed, abs=0.02)


def test_steering_right_turns_clockwise():
    car = drive(CarState(speed=8.0), Control(steer=0.5, throttle=0.2), 1.0)
    assert car.yaw < -0.1
    assert car.y < 0


def test_reversing_with_the_wheel_to_the_right_turns_counter_clockwise():
    car = drive(CarState(), Control(steer=0.5, throttle=0.5, reverse=True), 2.0)
    assert car.x < 0
    assert car.yaw > 0.05
    assert car.gear == -1


@pytest.mark.parametrize("speed", [3.0, 10.0, 20.0, 40.0])
def test_tyres_pass_on_no_more_than_their_grip(speed):
    assert abs(yaw_rate(speed, 1.0) * speed) <= GRIP


def test_gentle_curves_follow_the_kinematic_bicycle():
    wheel = 0.1
    from neuroview.engine.driving.vehicle import WHEELBASE, steering_limit

    expected = -10.0 * math.tan(wheel * steering_limit(10.0)) / WHEELBASE
    assert yaw_rate(10.0, wheel) == pytest.approx(expected, rel=1e-3)


def test_full_lock_at_speed_understeers():
    half, full = abs(yaw_rate(25.0, 0.75)), abs(yaw_rate(25.0, 1.0))
    assert full < 1.3 * half  # the wheels have turned by a third more


def test_the_wheels_need_time_from_lock_to_lock():
    car = drive(CarState(steer=-1.0), Control(steer=1.0), 0.1)
    assert car.steer < 0
    assert drive(car, Control(steer=1.0), 1.0).steer == pytest.approx(1.0, abs=0.01)


def test_fifty_km_h_take_between_three_and_seven_seconds():
    car, seconds = CarState(), 0.0
    while car.speed < 50 / 3.6:
        car, seconds = drive(car, Control(throttle=1.0), 0.1), seconds + 0.1
    assert 3.0 < seconds < 7.0


def test_the_engine_has_a_top_speed():
    car = drive(CarState(speed=30.0), Control(throttle=1.0), 120.0)
    assert 35.0 < car.speed < 50.0
    assert drive(car, Control(throttle=1.0), 10.0).speed == pytest.approx(car.speed, abs=0.1)


def test_brakes_stop_within_what_the_grip_allows_and_never_reverse():
    car = drive(CarState(speed=14.0), Control(brake=1.0), 10.0)
    assert car.speed == 0.0
    assert 14.0**2 / (2 * (GRIP + 1.0)) < car.x < 14.0**2 / (2 * GRIP) * 1.2


def test_the_hand_brake_holds_against_the_throttle():
    assert drive(CarState(), Control(throttle=0.5, hand_brake=True), 2.0).speed == 0.0


def test_without_throttle_the_car_rolls_to_a_stop():
    car = drive(CarState(speed=5.0), Control(), 3.0)
    assert 0.0 < car.speed < 5.0
    assert drive(car, Control(), 20.0).speed == 0.0


def test_reverse_asked_at_speed_slows_first():
    car = drive(CarState(speed=6.0), Control(throttle=1.0, reverse=True), 0.5)
    assert 0.0 < car.speed < 6.0


def test_gears_do_not_hunt_at_a_shifting_point():
    car = drive(CarState(), Control(throttle=1.0), 1.5)
    assert car.gear == 2
    gears = {drive(replace(car, speed=v), Control(throttle=0.1), 0.01).gear for v in (4.4, 4.6, 4.2, 4.0)}
    assert gears == {2}


def test_a_slide_and_a_spin_die_away():
    car = drive(CarState(slide=3.0, spin=2.0), Control(brake=1.0), 1.5)
    assert (car.slide, car.spin) == (0.0, 0.0)
    assert car.y > 0.3


def test_controls_beyond_their_range_are_clipped():
    assert drive(CarState(), Control(throttle=9.0, steer=5.0), 1.0) == drive(
        CarState(), Control(throttle=1.0, steer=1.0), 1.0
    )
