"""Who may enter a junction: a car is granted its way across when its light is green, nobody who is granted or inside
would touch it, its exit has room, nobody is on the crossing before it and, turning left, nobody comes towards it.

A car waits before the stop line until then, so that the middle of a junction is never blocked and no ring of cars can
wait for each other. Who turns left goes at the latest when the light has changed and the others stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import routes
from .routes import CONFLICTS, EXIT_OF, GROUP_OF, HEADING_OF, JUNCTION_OF, LANE_LENGTH, LANES, LEFT, LINE
from .signals import AMBER, GREEN

if TYPE_CHECKING:
    from .traffic import Obstacles, Traffic

ONCOMING = 4.5
"""Seconds of clear road that a left turn asks for."""
STOPPING = 3.0
"""Deceleration at amber that is still comfortable, m/s^2."""


@dataclass(frozen=True)
class Demand:
    """What the driver's car claims: where an autopilot drives it, its way across a junction; else nothing."""

    lane: int = -1
    turn: int = 0


def stopping_distance(speed: float) -> float:
    """Metres to a comfortable stop."""
    return speed * speed / (2 * STOPPING)


def grant(
    traffic: Traffic, signals: NDArray[np.int32], crossings: NDArray[np.bool_], others: Obstacles, demand: Demand
) -> None:
    """Update `traffic.granted`; arguments as in `Traffic.step`."""
    on_lane, lane = traffic.on_lane, traffic.lane
    colour = signals[GROUP_OF[lane]]
    to_line = LINE - traffic.along - traffic.length / 2
    braking = traffic.speed**2 / (2 * STOPPING)
    # At amber who can stop does; a car over the line clears the junction.
    late = on_lane & traffic.granted & (colour != GREEN) & (to_line > np.maximum(1.5, braking + 0.5))
    traffic.granted[late] = False
    first = _first_of_its_lane(traffic)
    waiting = first & on_lane & ~traffic.granted & (to_line < np.maximum(3.0, 2.5 * traffic.speed))
    open_ = (colour == GREEN) | ((colour == AMBER) & ((to_line < braking) | ((traffic.turn == LEFT) & (to_line < 2.0))))
    asking = np.flatnonzero(waiting & (open_ | (to_line < -0.5)))
    for k in asking[np.argsort(to_line[asking], kind="stable")]:
        free = may_enter(traffic, int(lane[k]), int(traffic.turn[k]), signals, crossings, float(traffic.length[k]))
        if free and not _claimed(int(lane[k]), int(traffic.turn[k]), demand) and not _blocked(traffic, int(k), others):
            traffic.granted[k] = True


def may_enter(
    traffic: Traffic,
    lane: int,
    turn: int,
    signals: NDArray[np.int32],
    crossings: NDArray[np.bool_],
    length: float,
) -> bool:
    """Whether a car of `length` metres from `lane` may begin its `turn` now, as far as other cars and people go; the
    light's own colour is not looked at."""
    junction, heading, exit_lane = JUNCTION_OF[lane], HEADING_OF[lane], EXIT_OF[lane, turn]
    if crossings[junction, (heading + 2) % 4]:
        return False
    lanes, on_lane = traffic.lane, traffic.on_lane
    here = JUNCTION_OF[lanes] == junction
    inside = here & (traffic.granted | ~on_lane)
    headings = HEADING_OF[lanes]
    if (CONFLICTS[heading, turn][headings, traffic.turn] & inside).any():
        return False
    behind = on_lane & (traffic.piece == exit_lane)
    room = (traffic.along - traffic.length / 2)[behind].min(initial=LANE_LENGTH)
    same_exit = inside & (EXIT_OF[lanes, traffic.turn] == exit_lane)
    if room < length + 3.0 + (traffic.length[same_exit] + 2.5).sum():
        return False
    if turn == LEFT and signals[GROUP_OF[lane]] == GREEN:
        facing = here & on_lane & (headings == (heading + 2) % 4) & (traffic.turn != LEFT)
        to_line = LINE - traffic.along - traffic.length / 2
        return not (facing & (to_line < ONCOMING * np.maximum(traffic.speed, 3.0))).any()
    return True


def _first_of_its_lane(traffic: Traffic) -> NDArray[np.bool_]:
    """[N]: on a lane, and nobody further on it is still waiting for a grant."""
    foremost = np.full(LANES, -1.0)
    waiting = traffic.on_lane & ~traffic.granted
    np.maximum.at(foremost, traffic.piece[waiting], traffic.along[waiting])
    return waiting & (traffic.along >= foremost[np.minimum(traffic.piece, LANES - 1)])


def _claimed(lane: int, turn: int, demand: Demand) -> bool:
    if demand.lane < 0 or JUNCTION_OF[demand.lane] != JUNCTION_OF[lane]:
        return False
    return bool(CONFLICTS[HEADING_OF[lane], turn, HEADING_OF[demand.lane], demand.turn])


def _blocked(traffic: Traffic, k: int, others: Obstacles) -> bool:
    """Whether one of `others`, now or within two seconds, is on the way of car `k` across its junction."""
    if not len(others.x):
        return False
    piece = np.array([routes.connector_of(int(traffic.piece[k]), int(traffic.turn[k]))])
    x, y, _ = routes.poses(piece, np.linspace(0.0, routes.LENGTH[piece[0]], 10))
    for seconds in (0.0, 0.7, 1.4, 2.0):
        far = np.hypot(
            routes.wrapped(x[:, None] - others.x - others.east * seconds),
            routes.wrapped(y[:, None] - others.y - others.north * seconds),
        )
        if (far < traffic.width[k] / 2 + others.radius + 0.4).any():
            return True
    return False
