"""Traffic signals."""

from __future__ import annotations

import numpy as np
from neuroview.engine.driving.town.plan import BLOCKS, GROUPS, signal_group
from neuroview.engine.driving.town.signals import AMBER, CYCLE, GREEN, RED, WAVE, signals

TIMES = np.arange(0.0, CYCLE, 0.25)


def test_the_two_directions_of_a_junction_never_go_together():
    for time in TIMES:
        shown = signals(time).reshape(-1, 2)
        assert ((shown == RED).any(1)).all()


def test_every_group_shows_green_then_amber_then_red():
    shown = np.array([signals(t) for t in TIMES])
    for group in shown.T:
        start = next(k for k in range(len(group)) if group[k] == GREEN and group[k - 1] != GREEN)
        seen = [int(c) for c in np.roll(group, -start)]
        changes = [c for k, c in enumerate(seen) if k == 0 or c != seen[k - 1]]
        assert changes == [GREEN, AMBER, RED]


def test_signals_repeat_and_are_whole_numbers_of_the_contract():
    assert signals(3.0).dtype == np.int32
    assert signals(3.0).shape == (GROUPS,)
    assert (signals(3.0) == signals(3.0 + 5 * CYCLE)).all()


def test_eastbound_cars_ride_a_green_wave_around_the_torus():
    for column in range(2 * BLOCKS):
        for start in (1.0, 5.0):
            assert signals(start + WAVE * column)[signal_group(column, 0, 0)] == GREEN


def test_at_no_time_is_all_of_the_town_standing():
    for time in TIMES:
        assert 0.2 < (signals(time) == GREEN).mean() < 0.8
