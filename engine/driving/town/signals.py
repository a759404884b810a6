"""Traffic signals with a fixed cycle: what every signal group shows is a function of time alone.

Each junction gives green to traffic along x, then to traffic along y. From junction to junction the cycle is shifted by
what a car needs for one block at 9.3 m/s, eastward and northward, so that these two directions ride a green wave and
the town as a whole never stands still. Seven shifts are two cycles: the wave closes around the torus.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .plan import BLOCKS, GROUPS

RED, AMBER, GREEN = 0, 1, 2
CYCLE = 24.0
"""Seconds of a whole round."""
GREEN_TIME = 9.0
AMBER_TIME = 2.0
CLEARANCE = CYCLE / 2 - GREEN_TIME - AMBER_TIME
"""Seconds in which everybody has red, so that the junction empties."""
WAVE = 2 * CYCLE / BLOCKS
"""Shift from junction to junction, seconds."""


def _offsets() -> NDArray[np.float64]:
    column, row, axis = np.meshgrid(np.arange(BLOCKS), np.arange(BLOCKS), np.arange(2), indexing="ij")
    return (WAVE * (column + row) + CYCLE / 2 * axis).ravel() % CYCLE


OFFSETS = _offsets()
"""[GROUPS]: when the group's green begins, seconds."""


def phases(time: float) -> NDArray[np.float64]:
    """[GROUPS]: seconds since each group's green began, 0..CYCLE; numbered by `plan.signal_group`."""
    assert OFFSETS.shape == (GROUPS,)
    return (time - OFFSETS) % CYCLE


def signals(time: float) -> NDArray[np.int32]:
    """[GROUPS]: what each group shows at `time` seconds: 0 red, 1 amber, 2 green."""
    phase = phases(time)
    return np.where(phase < GREEN_TIME, GREEN, np.where(phase < GREEN_TIME + AMBER_TIME, AMBER, RED)).astype(np.int32)
