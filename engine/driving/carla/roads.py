"""The centre lines of a CARLA map's lanes, for the map beside the picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .conversion import place

STEP = 3.0
"""Metres between the points that the map is asked for."""
STRAIGHT = 0.25
"""Metres by which a line may miss the points that it leaves out."""
MOST_LANES = 4000

Line = tuple[tuple[float, float], ...]


def lane_lines(carla_map: Any) -> tuple[tuple[Line, ...], float]:
    """The centre lines of a map's driving lanes, and their usual width in metres."""
    lines: list[Line] = []
    widths: list[float] = []
    for row in lane_rows(carla_map, STEP)[:MOST_LANES]:
        points = np.array([place(waypoint.transform.location)[:2] for waypoint in row])
        points = points[np.append(True, np.hypot(*np.diff(points, axis=0).T) > 1e-3)]
        if len(points) >= 2:
            lines.append(tuple((float(x), float(y)) for x, y in simplified(points, STRAIGHT)))
            widths.append(float(row[0].lane_width))
    return tuple(lines), float(np.median(widths)) if widths else 3.5


def lane_rows(carla_map: Any, step: float) -> list[list[Any]]:
    """The waypoints of every driving lane of a `carla.Map` in its direction of travel, `step` metres apart.

    Both ends are included. Asks for the grid of all waypoints: the topology leaves out lanes that lead nowhere, and
    `Waypoint.next_until_lane_end` and `previous_until_lane_start` raise or crash at a lane's very ends (0.9.16).
    """
    rows: dict[tuple[int, int, int], list[Any]] = {}
    for waypoint in carla_map.generate_waypoints(step):
        rows.setdefault(lane_key(waypoint), []).append(waypoint)
    return [_whole(row, carla_map, step) for row in rows.values()]


def lane_key(waypoint: Any) -> tuple[int, int, int]:
    """What tells a lane from all others of its map."""
    return int(waypoint.road_id), int(waypoint.section_id), int(waypoint.lane_id)


def _whole(row: list[Any], carla_map: Any, step: float) -> list[Any]:
    row = sorted(row, key=lambda waypoint: float(waypoint.s))
    last, end = row[-1], None
    # Where the lane ends is nowhere said: between here and the next step.
    low, high = 0.0, step
    for _ in range(10):
        middle = (low + high) / 2
        found = carla_map.get_waypoint_xodr(last.road_id, last.lane_id, last.s + middle)
        if found is not None and lane_key(found) == lane_key(last):
            low, end = middle, found
        else:
            high = middle
    if end is not None:
        row.append(end)
    here, following = row[0].transform.location, row[min(1, len(row) - 1)].transform.location
    yaw = math.radians(row[0].transform.rotation.yaw)
    # Lanes of the other direction run against s.
    if math.cos(yaw) * (following.x - here.x) + math.sin(yaw) * (following.y - here.y) < 0:
        row.reverse()
    return row


def simplified(points: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """[n, 2] without the points that a straight line replaces within `tolerance` (Douglas and Peucker, 1973)."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        a, b = points[first], points[last]
        inner = points[first + 1 : last]
        along = b - a
        part = np.clip(((inner - a) @ along) / max(float(along @ along), 1e-12), 0, 1)
        away = np.hypot(*(inner - a - part[:, None] * along).T)
        worst = int(np.argmax(away))
        if away[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return points[keep]
