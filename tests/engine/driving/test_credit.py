"""When the painter lets the engine draw its next frame."""

from __future__ import annotations

from neuroview.engine.driving.credit import LONGEST, Credit

PERIOD = 1 / 30


def paint(credit: Credit, painting: float, turn: float, frames: int = 60) -> tuple[float, float]:
    """A painter of `painting` seconds and an engine that answers in `turn`: (last interval, last age of a frame)."""
    taken, age, interval = 0.0, 0.0, 0.0
    for number in range(1, frames):
        credit.taken(number, taken)
        due = credit.due_in(taken)
        assert due is not None
        given = taken + due
        assert credit.give(given) == number
        arrived = given + turn
        credit.arrived(arrived)
        following = max(taken + painting, arrived)
        interval, age, taken = following - taken, following - arrived, following
    return interval, age


def test_a_slow_painter_gets_frames_that_are_fresh_and_loses_no_time() -> None:
    interval, age = paint(Credit(PERIOD), painting=0.2, turn=0.03)
    assert interval < 0.201
    assert age < 0.02, "drawn at once it would have been 0.17 s old"


def test_a_fast_painter_waits_for_nothing_but_the_engine() -> None:
    interval, _ = paint(Credit(PERIOD), painting=0.005, turn=0.03)
    assert interval < 0.0301


def test_a_painter_that_was_away_for_a_minute_is_served_soon() -> None:
    credit = Credit(PERIOD)
    paint(credit, painting=60.0, turn=0.03)
    credit.taken(100, 10_000.0)
    due = credit.due_in(10_000.0)
    assert due is not None
    assert due <= LONGEST


def test_one_frame_is_one_credit() -> None:
    credit = Credit(PERIOD)
    credit.taken(1, 0.0)
    credit.give(0.0)
    assert credit.due_in(1.0) is None


def test_a_painter_that_would_wait_lets_one_more_be_drawn_and_a_slow_one_does_not():
    def drive(busy: float) -> int:
        credit, now = Credit(1 / 30), 0.0
        for frame in range(1, 30):
            credit.arrived(now)
            credit.taken(frame, now)
            given = credit.give(now)
            credit.waiting(now + busy)
            credit.waiting(now + 10)  # asking once more says nothing about the painting
            now += max(busy, 0.03)
        return given - frame

    assert drive(busy=0.015) == 1
    assert drive(busy=0.06) == 0


def test_an_engine_that_steps_more_often_than_it_draws_is_kept_drawing_by_a_quick_painter():
    """Sixty steps a second, of which a drawn one takes 20 ms and begins when one is due: alone 33 ms apart."""
    credit, now, ahead = Credit(1 / 60), 0.0, 0
    for frame in range(1, 40):
        credit.taken(frame, now)
        ahead = credit.give(now) - frame
        credit.waiting(now + 0.016)
        now += 0.033
        credit.arrived(now)
    assert ahead == 1
