"""The wheel: held keys become CONTROL as in CARLA's manual control, whatever the window's rate."""

from __future__ import annotations

import pytest
from neuroview.engine.driving.wheel import MOST_STEER, MOST_THROTTLE, Wheel

NOTHING = frozenset()


def after(seconds, held, rate, wheel=None):
    wheel = wheel or Wheel()
    control = wheel.step(frozenset(held), 0.0)
    for _ in range(round(seconds * rate)):
        control = wheel.step(frozenset(held), 1 / rate)
    return control


@pytest.mark.parametrize("held", [("throttle", "left"), ("brake", "right")])
def test_the_wheel_turns_as_far_at_20_as_at_200_frames_a_second(held):
    slow, fast = after(0.3, held, 20), after(0.3, held, 200)
    assert slow.steer == pytest.approx(fast.steer)
    assert slow.throttle == pytest.approx(fast.throttle)
    assert slow.brake == pytest.approx(fast.brake)


def test_one_long_step_across_the_middle_is_many_short_ones():
    coarse, fine = Wheel(steer=-0.5), Wheel(steer=-0.5)
    right = frozenset({"right"})
    coarse.step(right, 0.5)
    for _ in range(50):
        fine.step(right, 0.01)
    assert coarse.steer == pytest.approx(fine.steer)
    assert coarse.steer > 0


def test_throttle_grows_while_held_and_ends_at_once():
    wheel = Wheel()
    early = wheel.step(frozenset({"throttle"}), 0.1).throttle
    late = wheel.step(frozenset({"throttle"}), 0.1).throttle
    assert 0 < early < late
    assert wheel.step(frozenset({"throttle"}), 60.0).throttle == MOST_THROTTLE
    assert wheel.step(NOTHING, 0.001).throttle == 0


def test_the_wheel_centres_itself_and_stays_there():
    wheel = Wheel()
    wheel.step(frozenset({"left"}), 60.0)
    assert wheel.steer == -MOST_STEER
    first = wheel.step(NOTHING, 0.05).steer
    assert -MOST_STEER < first < 0
    assert wheel.step(NOTHING, 60.0).steer == 0


def test_left_is_negative_as_in_carla():
    assert after(0.2, ("left",), 60).steer < 0 < after(0.2, ("right",), 60).steer


def test_both_ways_at_once_is_none():
    wheel = Wheel(steer=0.4)
    assert wheel.step(frozenset({"left", "right"}), 60.0).steer == 0


def test_the_hand_brake_holds_while_it_is_held():
    wheel = Wheel()
    assert wheel.step(frozenset({"hand brake"}), 0.01).hand_brake
    assert not wheel.step(NOTHING, 0.01).hand_brake


def test_reverse_and_autopilot_are_toggles():
    wheel = Wheel()
    wheel.reverse()
    wheel.toggle_autopilot()
    control = wheel.step(NOTHING, 0.01)
    assert control.reverse
    assert control.autopilot
    wheel.reverse()
    wheel.toggle_autopilot()
    control = wheel.step(NOTHING, 0.01)
    assert not control.reverse
    assert not control.autopilot


def test_a_reset_is_counted_and_straightens_the_wheel():
    wheel = Wheel(steer=0.5, in_reverse=True)
    wheel.reset()
    control = wheel.step(NOTHING, 0.0)
    assert (control.resets, control.steer, control.reverse) == (1, 0.0, False)


def test_time_that_runs_backwards_changes_nothing():
    wheel = Wheel(steer=0.3)
    assert wheel.step(frozenset({"right", "throttle"}), -1.0).steer == 0.3
