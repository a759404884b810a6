"""A recorded drive is repeated step by step, at its rate, and never ahead of what the engine has drawn."""

from __future__ import annotations

import pytest
from neuroview.engine.driving.messages import Control
from neuroview.engine.driving.replay import Replay

RATE = 10.0


class Recorded:
    steps = 3

    def controls(self):
        return iter([Control(steer=0.1 * n) for n in range(self.steps)])


@pytest.fixture
def replay():
    return Replay(Recorded())


def test_without_a_recording_the_driver_drives():
    assert not Replay(None).running


def test_a_step_waits_for_the_frame_of_the_one_before(replay):
    assert replay.next(1.0, RATE, False) == Control()
    assert replay.next(5.0, RATE, False) is None
    replay.came_back()
    assert replay.next(5.0, RATE, False) == Control(steer=0.1)


def test_a_step_that_comes_back_early_waits_for_its_time(replay):
    for now in (1.0, 1.01):  # the first may be late by a step's time, which is made up
        assert isinstance(replay.next(now, RATE, False), Control)
        replay.came_back()
    assert replay.next(1.04, RATE, False) == pytest.approx(0.06)


def test_paused_it_goes_on_only_where_single_steps_are_asked_for(replay):
    assert replay.next(1.0, RATE, True) is None
    replay.step_once()
    assert replay.next(1.0, RATE, True) == Control()
    replay.came_back()
    assert replay.next(9.0, RATE, True) is None


def test_after_its_last_step_the_driver_goes_on(replay):
    for now in (1.0, 2.0, 3.0):
        assert isinstance(replay.next(now, RATE, False), Control)
        replay.go_on()
        assert replay.running is (now < 3.0)
        replay.came_back()
    assert replay.over
    assert replay.next(4.0, RATE, False) is None
