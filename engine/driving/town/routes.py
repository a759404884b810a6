"""The lanes of the town as a graph of straight pieces and arcs, on which traffic and the autopilot find their way.

A *lane* leads to a junction from the one before; a *connector* leads across the junction, straight on, left or right.
All are straight lines or arcs that meet without a kink. Headings count counter-clockwise: 0 east, 1 north, 2 west, 3
south; turns: 0 straight on, 1 left, 2 right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .plan import BLOCKS, LANE, PERIOD, SIZE, STOP

REACH = 8.0
"""Connectors begin and end this far from a junction's centre, metres."""
LANE_LENGTH = PERIOD - 2 * REACH
LANES = BLOCKS * BLOCKS * 4
"""Pieces 0 .. LANES - 1 are lanes, the others connectors, three for each lane."""
PIECES = LANES * 4
LINE = LANE_LENGTH + REACH - STOP - 0.25
"""Where on a lane a car's nose stops: at the near edge of the stop line."""
STRAIGHT, LEFT, RIGHT = 0, 1, 2
TURN_SPEED = np.array([99.0, 5.5, 4.2])
"""Metres a second that are comfortable on a connector: about 3 m/s^2 sideways."""

EAST = np.array([1.0, 0.0, -1.0, 0.0])
NORTH = np.array([0.0, 1.0, 0.0, -1.0])
_D = EAST.astype(int), NORTH.astype(int)

Numbers = NDArray[np.float64]
Pieces = NDArray[np.int64]


def lane_of(column: int, row: int, heading: int) -> int:
    """The lane that leads to junction (column, row) with `heading`."""
    return ((column % BLOCKS) * BLOCKS + row % BLOCKS) * 4 + heading % 4


def connector_of(lane: Pieces | int, turn: Pieces | int) -> Pieces | int:
    """The connector that continues `lane` with `turn`."""
    return LANES + lane * 3 + turn


JUNCTION_OF: Pieces = np.arange(LANES) // 4
"""[LANES]: the junction, column * BLOCKS + row, to which a lane leads."""
HEADING_OF: Pieces = np.arange(LANES) % 4
GROUP_OF: Pieces = JUNCTION_OF * 2 + HEADING_OF % 2
"""[LANES]: the signal group that a lane obeys."""


def _graph() -> tuple[Pieces, Numbers, Numbers, Numbers, Numbers, Numbers]:
    exits = np.zeros((LANES, 3), np.int64)
    x, y, yaw, curvature, length = (np.zeros(PIECES) for _ in range(5))
    for lane in range(LANES):
        column, row, heading = JUNCTION_OF[lane] // BLOCKS, JUNCTION_OF[lane] % BLOCKS, HEADING_OF[lane]
        east, north = EAST[heading], NORTH[heading]
        side = column * PERIOD + LANE * north, row * PERIOD - LANE * east
        x[lane], y[lane] = side[0] - east * (PERIOD - REACH), side[1] - north * (PERIOD - REACH)
        yaw[lane], length[lane] = heading * np.pi / 2, LANE_LENGTH
        for turn in range(3):
            piece = int(connector_of(lane, turn))
            out = (heading + (0, 1, -1)[turn]) % 4
            exits[lane, turn] = lane_of(column + _D[0][out], row + _D[1][out], out)
            x[piece], y[piece] = side[0] - east * REACH, side[1] - north * REACH
            yaw[piece] = yaw[lane]
            radius = REACH + LANE if turn == LEFT else REACH - LANE
            curvature[piece] = (0.0, 1 / radius, -1 / radius)[turn]
            length[piece] = 2 * REACH if turn == STRAIGHT else radius * np.pi / 2
    return exits, x, y, yaw, curvature, length


EXIT_OF, _X, _Y, _YAW, CURVATURE, LENGTH = _graph()
"""`EXIT_OF` [LANES, 3]: the lane on which a turn ends. `CURVATURE`, `LENGTH` [PIECES]."""


def poses(pieces: Pieces, along: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """x, y and yaw of the points `along` metres on `pieces`, any shape; x and y are not wrapped."""
    start, bend = _YAW[pieces], CURVATURE[pieces]
    yaw = start + bend * along
    chord = along * np.sinc(0.5 * bend * along / np.pi)
    middle = start + 0.5 * bend * along
    return _X[pieces] + chord * np.cos(middle), _Y[pieces] + chord * np.sin(middle), yaw


def ahead(lanes: Pieces, turns: Pieces, on_lane: NDArray[np.bool_], along: Numbers, metres: Numbers):
    """x, y of the points `metres` [K] further on than `along` [N] of each route: its lane (or, where not `on_lane`, its
    connector), then the connector of `turns`, then the lane where that ends; [N, K] each."""
    connectors = np.asarray(connector_of(lanes, turns))
    place = (along + np.where(on_lane, 0.0, LANE_LENGTH))[:, None] + metres
    reach = (LANE_LENGTH + LENGTH[connectors])[:, None]
    first, last = place < LANE_LENGTH, place >= reach
    pieces = np.where(first, lanes[:, None], np.where(last, EXIT_OF[lanes, turns][:, None], connectors[:, None]))
    x, y, _ = poses(pieces, place - np.where(first, 0.0, np.where(last, reach, LANE_LENGTH)))
    return x, y


def wrapped(offset: Numbers) -> Numbers:
    """`plan.wrap` for arrays: offsets to their nearest copy on the torus."""
    return (offset + SIZE / 2) % SIZE - SIZE / 2


def nearest_lane(x: float, y: float, yaw: float | None = None) -> tuple[int, float, float]:
    """The lane nearest to (x, y), where on it, and how far off to its left; where `yaw` is given, of those that lead
    about there."""
    lanes = np.arange(LANES)
    dx, dy = wrapped(x - _X[:LANES]), wrapped(y - _Y[:LANES])
    east, north = EAST[HEADING_OF], NORTH[HEADING_OF]
    along, left = dx * east + dy * north, dy * east - dx * north
    distance = np.hypot(along - np.clip(along, 0.0, LANE_LENGTH), left)
    if yaw is not None:
        distance = distance + 12.0 * (1.0 - np.cos(yaw - _YAW[:LANES]))
    best = int(lanes[np.argmin(distance)])
    return best, float(np.clip(along[best], 0.0, LANE_LENGTH)), float(left[best])


def _conflicts() -> NDArray[np.bool_]:
    """[4, 3, 4, 3]: whether two cars on these connectors of one junction would touch: less than 2.6 m apart anywhere
    (two widths and what a turning car sweeps). Those from one lane follow each other and do not conflict."""
    steps = np.linspace(0.0, 1.0, 40)
    pieces = np.array([[int(connector_of(heading, turn)) for turn in range(3)] for heading in range(4)]).ravel()
    x, y, _ = poses(pieces[:, None], LENGTH[pieces][:, None] * steps)
    apart = np.hypot(x[:, None, :, None] - x[None, :, None, :], y[:, None, :, None] - y[None, :, None, :])
    table = (apart.min((2, 3)) < 2.6).reshape(4, 3, 4, 3)
    for heading in range(4):
        table[heading, :, heading, :] = False
    return table


CONFLICTS = _conflicts()
