"""The driver's seat: keys in, CONTROL out."""

from __future__ import annotations

import pytest
from drive_fakes import FakeLoop
from neuroview.viewer.driving.seat import STALL, TICK, Seat

THROTTLE = frozenset({"throttle"})
NOTHING = frozenset()


@pytest.fixture
def loop():
    return FakeLoop()


def hold(seat: Seat, held: frozenset[str], seconds: float, begin: float = 0.0) -> float:
    for i in range(round(seconds / TICK) + 1):
        seat.tick(held, begin + i * TICK)
    return begin + seconds


def test_a_held_throttle_grows_and_is_gone_at_release(loop):
    seat = Seat(loop)
    end = hold(seat, THROTTLE, 0.5)
    amounts = [control.throttle for control in loop.controls]
    assert amounts == sorted(amounts)
    assert amounts[-1] > 0.4
    seat.tick(NOTHING, end + TICK)
    assert loop.controls[-1].throttle == 0


def test_the_wheel_turns_to_the_held_side_and_back_by_itself(loop):
    seat = Seat(loop)
    end = hold(seat, frozenset({"left"}), 0.4)
    assert loop.controls[-1].steer < -0.2
    hold(seat, NOTHING, 1.0, end + TICK)
    assert loop.controls[-1].steer == 0


def test_a_busy_window_does_not_send_faster_than_the_tick(loop):
    seat = Seat(loop)
    for i in range(101):
        seat.tick(NOTHING, i * TICK / 10)
    assert len(loop.controls) == pytest.approx(11, abs=1)


def test_a_hiccup_is_not_a_leap_of_the_wheel(loop):
    patient, hasty = Seat(FakeLoop()), Seat(loop)
    hasty.tick(THROTTLE, 0.0)
    hasty.tick(THROTTLE, 30.0)
    hold(patient, THROTTLE, STALL)
    assert loop.controls[-1].throttle == pytest.approx(patient._wheel.throttle, abs=0.03)


def test_losing_the_window_takes_the_foot_off_at_once(loop):
    seat = Seat(loop)
    hold(seat, frozenset({"throttle", "hand brake"}), 0.5)
    seat.release()
    assert (loop.controls[-1].throttle, loop.controls[-1].hand_brake) == (0, False)


def test_toggles_reach_the_engine_with_the_next_tick(loop):
    seat = Seat(loop)
    assert seat.reverse() is True
    assert seat.toggle_autopilot() is True
    seat.tick(NOTHING, 0.0)
    assert loop.controls[-1].reverse
    assert loop.controls[-1].autopilot
    seat.reset()
    seat.tick(NOTHING, 1.0)
    assert loop.controls[-1].resets == 1
    assert not loop.controls[-1].reverse


def test_a_new_drive_begins_in_first_gear_and_asks_for_no_reset(loop):
    seat = Seat(loop)
    seat.reset()
    seat.reverse()
    seat.sit_down()
    seat.tick(NOTHING, 0.0)
    assert loop.controls[-1].resets == 1  # the engine acts when the number grows
    assert not loop.controls[-1].reverse
