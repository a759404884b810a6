"""The town's ground plan: a grid of streets on a torus, so that nobody ever comes to its end.

Streets run along x = i PERIOD and y = j PERIOD for whole i and j. BLOCKS x BLOCKS blocks lie between them and then
repeat: a point and the same point moved by SIZE in x or y are the same place. Positions of the driver are not wrapped;
what is drawn is the copy nearest to the camera. Traffic keeps to the right.
"""

from __future__ import annotations

PERIOD = 64.0
"""Metres from street to street."""
BLOCKS = 7
"""Blocks a side before the town repeats itself."""
SIZE = BLOCKS * PERIOD
"""Metres after which the town repeats itself."""
ROAD_HALF = 5.5
"""From a street's centre line to its kerb."""
PARKED = 3.3
"""From the centre line to where the parking strip begins."""
LANE = 1.65
"""From the centre line to the middle of a lane."""
WALK = 3.2
"""Width of a sidewalk."""
KERB = 0.15
"""Height of a sidewalk."""
JUNCTION = ROAD_HALF + 1.0
"""Half the side of a junction's square, which no marking enters."""
STOP = JUNCTION + 3.65
"""From a junction's centre to the stop line's middle; the crossing lies between the two."""
BLOCK_HALF = PERIOD / 2 - ROAD_HALF - WALK
"""From a block's centre to the sidewalk's inner edge."""


def wrap(offset: float) -> float:
    """`offset` metres to its nearest copy, -SIZE / 2 .. SIZE / 2."""
    return (offset + SIZE / 2) % SIZE - SIZE / 2


GROUPS = 2 * BLOCKS * BLOCKS
"""Signal groups: every junction has two."""


def signal_group(column: int, row: int, axis: int) -> int:
    """The signal group at junction (column, row) for traffic along x (`axis` 0) or along y (1)."""
    return 2 * ((column % BLOCKS) * BLOCKS + row % BLOCKS) + axis
