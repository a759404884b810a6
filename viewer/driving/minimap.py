"""The map beside the picture: the streets around the car, its heading up, and who else moves there."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..theme import Colour, Theme, faded

if TYPE_CHECKING:
    from ...engine.driving.messages import DriveFrame, EngineInfo, Vehicle
    from ..painter import Painter

RADIUS = 66.0
"""Of the map, points."""
REACH = 78.0
"""Metres from the map's centre to its rim."""
AHEAD = 0.28
"""The car stands so far below the centre, in radii: what comes matters more than what was."""
PIECE = 24.0
"""Metres; longer stretches of road are cut, so that each can lie where the repeating world is nearest."""
MOST = 400
"""Stretches of road that are drawn at most."""


class Minimap:
    """Draws the map; what does not change from frame to frame is computed once an engine."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._engine: EngineInfo | None = None
        self._pieces = np.zeros((0, 4))

    def draw(self, painter: Painter, x: float, y: float, engine: EngineInfo, frame: DriveFrame) -> None:
        """Draw the map about (x, y), points."""
        theme, car = self._theme, frame.vehicle
        if engine is not self._engine:
            self._engine, self._pieces = engine, cut(engine.roads, PIECE)
        scale = RADIUS / REACH
        there = (x, y + AHEAD * RADIUS)
        painter.disc(x, y, RADIUS + 2, (0, 0, 0, 0.28))
        painter.disc(x, y, RADIUS, faded(theme.background, 0.84))
        with painter.clipped(x, y, RADIUS - 1):
            near = around(self._pieces, car, engine.period, REACH * (1 + AHEAD) + PIECE)
            seen = on_map(near, car, there, scale)
            lines = [tuple(line) for line in seen.tolist()]
            width = engine.road_width * scale
            painter.strokes(lines, width + 2, _mixed(theme.background, theme.text, 0.42))
            painter.strokes(lines, width, _mixed(theme.background, theme.text, 0.2))
            self._draw_actors(painter, frame, engine.period, there, scale)
        painter.disc(x, y, RADIUS, faded(theme.text, 0.16), border=1)
        painter.arrow(there[0], there[1], 0, -8.5, (0, 0, 0, 0.5))
        painter.arrow(there[0], there[1], 0, -7.5, theme.accent)
        north_x, north_y = x - math.cos(car.yaw) * RADIUS, y - math.sin(car.yaw) * RADIUS
        painter.disc(north_x, north_y, 8, theme.raised)
        painter.disc(north_x, north_y, 8, faded(theme.text, 0.16), border=1)
        width = painter.measure("N", size=9, weight="semibold")
        painter.text(north_x - width / 2, north_y, "N", theme.text, size=9, weight="semibold")

    def _draw_actors(
        self, painter: Painter, frame: DriveFrame, period: float, there: tuple[float, float], scale: float
    ) -> None:
        theme, car = self._theme, frame.vehicle
        if not frame.actors:
            return
        stands = np.array([(actor.x, actor.y, actor.x, actor.y) for actor in frame.actors])
        places = on_map(wrapped(stands - _twice(car), period), car, there, scale)[:, :2]
        for actor, (x, y) in zip(frame.actors, places.tolist(), strict=True):
            if actor.kind == "person":
                painter.disc(x, y, 1.8, theme.warning)
            else:
                turn = actor.yaw - car.yaw
                dx, dy = -math.sin(turn) * 2.1, -math.cos(turn) * 2.1
                painter.strokes([(x - dx, y - dy, x + dx, y + dy)], 3.4, faded(theme.text, 0.9))


def cut(roads: tuple[tuple[tuple[float, float], ...], ...], longest: float) -> NDArray[np.float64]:
    """Polylines as stretches [N, 4] (x0, y0, x1, y1) of at most `longest` metres."""
    pieces: list[NDArray[np.float64]] = []
    for road in roads:
        points = np.asarray(road, np.float64).reshape(-1, 2)
        for start, end in itertools.pairwise(points):
            count = max(1, math.ceil(float(np.hypot(*(end - start))) / longest))
            stops = start + (end - start) * np.linspace(0, 1, count + 1)[:, None]
            pieces.append(np.hstack([stops[:-1], stops[1:]]))
    return np.concatenate(pieces) if pieces else np.zeros((0, 4))


def wrapped(offsets: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Stretches [N, 4] relative to the car, each moved to its nearest copy in a world that repeats after `period`."""
    if period <= 0 or not len(offsets):
        return offsets
    middle = 0.5 * (offsets[:, :2] + offsets[:, 2:])
    return offsets - np.tile(period * np.round(middle / period), 2)


def around(pieces: NDArray[np.float64], car: Vehicle, period: float, reach: float) -> NDArray[np.float64]:
    """Of the stretches [N, 4] those within `reach` metres of the car, relative to it; at most `MOST`, the nearest."""
    offsets = wrapped(pieces - _twice(car), period)
    middle = 0.5 * (offsets[:, :2] + offsets[:, 2:])
    distance = np.hypot(middle[:, 0], middle[:, 1])
    near = np.flatnonzero(distance < reach)
    if len(near) > MOST:
        near = near[np.argsort(distance[near])[:MOST]]
    return offsets[near]


def on_map(offsets: NDArray[np.float64], car: Vehicle, there: tuple[float, float], scale: float) -> NDArray[np.float64]:
    """Offsets [N, 4] in metres east and north of the car as points of the window, its heading up.

    Args:
        there: where the car stands in the window.
        scale: points a metre.
    """
    cos, sin = math.cos(car.yaw), math.sin(car.yaw)
    turn = scale * np.array([[sin, -cos], [-cos, -sin]])  # east, north -> right, down
    return (offsets.reshape(-1, 2) @ turn.T + np.array(there)).reshape(offsets.shape)


def _twice(car: Vehicle) -> NDArray[np.float64]:
    return np.array([car.x, car.y, car.x, car.y])


def _mixed(a: Colour, b: Colour, amount: float) -> Colour:
    red, green, blue = (x + (y - x) * amount for x, y in zip(a[:3], b[:3], strict=True))
    return (red, green, blue, 1.0)
