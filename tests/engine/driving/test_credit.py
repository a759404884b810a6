"""When the painter lets the engine draw its next frame."""

from __future__ import annotations

from neuroview.engine.driving.credit import LONGEST, Credit

PERIOD = 1 / 30


def paint(credit: Credit, painting: float, turn: float, frames: int = 60) -> tuple[float, float]:
    """A painter of `painting` seconds and an engine that answers in `turn`: (last interval, last age of a frame)."""
    taken, age, interval = 0.0, 0.0, 0.0
    credit.arrived(1, 0.0)
    for number in range(1, frames):
        credit.taken(number, taken)
        due = credit.due_in(taken)
        assert due is not None
        given = taken + due
        assert credit.give(given) == number
        arrived = given + turn
        credit.arrived(number + 1, arrived)
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
            credit.arrived(frame, now)
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
        credit.arrived(frame + 1, now)
    assert ahead == 1


class Drive:
    """A painter and an engine on a core each; a step of the engine begins every `period` seconds, or when it is free.

    After `run`: seconds between pictures, and from a frame's arrival to the painter's taking it up.
    """

    def __init__(self, painting: float, drawing: float, period: float = 1 / 60) -> None:
        self.painting, self.drawing, self.period = painting, drawing, period
        self.credit = Credit(period)
        self.interval = self.age = 0.0
        self._now, self._free, self._frame = 0.0, 0.0, 0
        self._credits: list[tuple[float, int]] = [(0.0, 0)]
        self._arrivals: list[float] = []

    def _draw(self, until: float) -> None:
        """Draws what there is credit for, and tells of what came before `until`."""
        while True:
            drawn = len(self._arrivals)
            given = next((at for at, last in self._credits if last >= drawn), None)
            if given is None:
                return
            begin = -(-max(given, self._free) // self.period) * self.period
            if begin + self.drawing > until:
                return
            self._free = begin + self.drawing
            self._arrivals.append(self._free)
            self.credit.arrived(drawn + 1, self._free)

    def run(self, frames: int) -> None:
        for _ in range(frames):
            asked = self._now
            if self._frame:
                self.credit.waiting(asked)
            self._draw(asked)
            if len(self._arrivals) == self._frame:
                self._draw(asked + 1.0)
            came = self._arrivals[self._frame]
            taken = max(asked, came)
            self._frame += 1
            self.credit.taken(self._frame, taken)
            due = self.credit.due_in(taken)
            assert due is not None
            self._draw(taken + due)
            self._credits.append((taken + due, self.credit.give(taken + due)))
            self.interval, self.age = taken + self.painting - asked, taken - came
            self._now = taken + self.painting


def test_an_engine_that_needs_as_long_as_the_painter_draws_while_it_paints():
    drive = Drive(painting=0.042, drawing=0.045)
    drive.run(200)
    assert drive.interval < 0.055, "one after the other they would take 0.09 s, and waiting for credit 0.067 s"
    assert drive.age < 0.02


def test_a_frame_is_not_drawn_ahead_for_a_painter_that_is_slower_than_it_was():
    drive = Drive(painting=0.02, drawing=0.03)
    drive.run(60)
    drive.painting = 0.2
    drive.run(60)
    assert drive.interval < 0.201
    assert drive.age < 0.05


def test_an_engine_that_has_become_quick_is_not_kept_a_frame_ahead():
    drive = Drive(painting=0.05, drawing=0.06)
    drive.run(60)
    assert drive.credit.ahead == 1
    drive.drawing = 0.005
    drive.run(60)
    assert drive.credit.ahead == 0
    assert drive.age < 0.03
