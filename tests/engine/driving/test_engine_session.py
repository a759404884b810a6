"""What is due when, by a clock that the test holds."""

from __future__ import annotations

import pytest
from boxes import Boxes
from neuroview.engine.driving import service_pb2 as pb
from neuroview.engine.driving.messages import PROTOCOL, Control
from neuroview.engine.driving.session import LATE, Due, Session
from neuroview.engine.driving.wire import control_message


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def session(clock: Clock, rate: float = 10.0) -> Session:
    first = pb.Request(start=pb.Start(protocol=PROTOCOL), control=control_message(Control(serial=1)))
    return Session(first, rate, clock)


def steps_due(running: Session) -> int:
    count = 0
    while isinstance(running.now_due(), Due):
        count += 1
    return count


def test_steps_come_at_the_rate_without_drift() -> None:
    clock = Clock()
    running = session(clock)
    count = steps_due(running)
    for tick in range(1, 1001):
        clock.now = 100.0 + 0.013 * tick  # never when a step is due
        count += steps_due(running)
    assert count == pytest.approx(130, abs=LATE + 1)


def test_after_a_long_moment_the_world_is_slower_and_not_in_a_hurry() -> None:
    clock = Clock()
    running = session(clock)
    steps_due(running)
    clock.now += 60.0
    assert steps_due(running) == LATE + 1


def test_it_may_be_slept_until_the_next_step() -> None:
    clock = Clock()
    running = session(clock)
    steps_due(running)
    assert running.now_due() == pytest.approx(0.1)


def test_nothing_is_drawn_until_the_last_frame_was_taken_up() -> None:
    clock = Clock()
    running = session(clock)
    drawn = []
    for tick in range(6):
        clock.now = 100.0 + 0.1 * tick + LATE * 0.1
        due = running.now_due()
        assert isinstance(due, Due)
        drawn.append(due.draw)
        if due.draw:
            running.deliver(Boxes().step(due.control), tick, [], b"")
        if tick == 3:
            running.receive(pb.Request(taken=1))
    assert drawn == [True, False, False, False, True, False]


def test_credit_counts_for_one_frame_that_is_not_drawn_yet_and_no_more() -> None:
    clock = Clock()
    running = session(clock)
    running.receive(pb.Request(taken=1_000_000))
    drawn = []
    for number in range(1, 4):
        due = running.now_due()
        assert isinstance(due, Due)
        drawn.append(due.draw)
        if due.draw:
            running.deliver(Boxes().step(due.control), number, [], b"")
        clock.now += 0.1
    assert drawn == [True, True, False]


def test_a_world_that_is_drawn_as_often_as_it_can_be_keeps_its_rate() -> None:
    clock = Clock()
    running = session(clock, rate=60.0)
    steps = frames = 0
    while clock.now < 102.0:
        due = running.now_due()
        if isinstance(due, Due):
            steps, frames = steps + 1, frames + due.draw
            clock.now += 0.040 if due.draw else 0.001
            if due.draw:
                running.deliver(Boxes().step(due.control), steps, [], b"")
                running.receive(pb.Request(taken=frames))
        else:
            assert due is not None
            clock.now += due
    assert steps == pytest.approx(120, abs=4)
    assert frames > 35


def test_a_world_whose_steps_take_too_long_is_drawn_nevertheless() -> None:
    clock = Clock()
    running = session(clock)
    drawn = 0
    for _ in range(20):
        due = running.now_due()
        assert isinstance(due, Due)
        drawn += due.draw
        clock.now += 0.15
        if due.draw:
            running.deliver(Boxes().step(due.control), 1, [], b"")
            running.receive(pb.Request(taken=drawn))
    assert drawn >= 6
