"""The instruments over the picture: speed, gear, pedals, steering, town clock, compass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..letterbox import Rect
from ..theme import Colour, Theme, faded
from ..typeset import Weight

if TYPE_CHECKING:
    from ...engine.driving.messages import Control, DriveFrame
    from ..painter import Painter

PLATE = (272.0, 86.0)
STRIP = (272.0, 28.0)
"""Width and height of the dashboard and of the compass, points."""
FIELD = 110.0
"""Degrees across the compass."""
POINTS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def gear_name(gear: int) -> str:
    """As on a gear lever."""
    return "R" if gear < 0 else "N" if gear == 0 else str(gear)


def clock_face(hour: float) -> str:
    """'07:05' for 7.09 hours; the day has 24."""
    minutes = math.floor((hour % 24) * 60 + 1e-6) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def bearing(yaw: float) -> float:
    """Degrees clockwise from north, 0..360, of a heading counted counter-clockwise from east in radians."""
    return (90.0 - math.degrees(yaw)) % 360.0


def draw_dashboard(
    painter: Painter, theme: Theme, middle: float, bottom: float, frame: DriveFrame, control: Control
) -> None:
    """Speed, gear, pedals, steering and clock, about x = `middle` and standing on y = `bottom`, points."""
    width, height = PLATE
    plate = Rect(middle - width / 2, bottom - height, width, height)
    _plate(painter, theme, plate, 18)
    car, row = frame.vehicle, plate.y + 34
    _centred(painter, middle, row, f"{abs(car.speed) * 3.6:.0f}", theme.text, 40, "semibold")
    words = ("hand brake", theme.warning) if control.hand_brake else ("km/h", theme.muted)
    _centred(painter, middle, plate.y + 62, *words, 11)
    gear = "D" if control.autopilot and car.gear > 0 else gear_name(car.gear)
    colour = theme.warning if car.gear < 0 else theme.text
    _centred(painter, plate.x + 34, row, gear, colour, 20, "semibold")
    _centred(painter, plate.x + 34, plate.y + 62, "gear", theme.muted, 11)
    _centred(painter, plate.right - 38, row, clock_face(frame.hour), theme.text, 15, "semibold")
    _centred(painter, plate.right - 38, plate.y + 62, "in town", theme.muted, 11)
    for x, amount, fill in ((middle - 57, control.brake, theme.danger), (middle + 54, control.throttle, theme.accent)):
        track = Rect(x, plate.y + 14, 3, 40)
        painter.box(track, faded(theme.text, 0.16), radius=1.5)
        filled = track.height * min(max(amount, 0.0), 1.0)
        if filled > 0.5:
            painter.box(Rect(x, track.bottom - filled, 3, filled), fill, radius=1.5)
    reach, y = 56.0, plate.bottom - 11
    painter.box(Rect(middle - reach, y, 2 * reach, 3), faded(theme.text, 0.16), radius=1.5)
    turned = reach * min(max(car.steer, -1.0), 1.0)
    if abs(turned) > 0.5:
        painter.box(Rect(min(middle, middle + turned), y, abs(turned), 3), theme.text, radius=1.5)
    painter.box(Rect(middle - 0.5, y - 2, 1, 7), faded(theme.text, 0.55))


def draw_compass(painter: Painter, theme: Theme, middle: float, top: float, yaw: float) -> None:
    """A strip that turns with the car; what lies straight ahead stands in its middle."""
    width, height = STRIP
    plate = Rect(middle - width / 2, top, width, height)
    _plate(painter, theme, plate, height / 2)
    ahead = bearing(yaw)
    row, inner = plate.y + height / 2, width - 24
    first = math.ceil((ahead - FIELD / 2) / 15)
    for step in range(first, math.floor((ahead + FIELD / 2) / 15) + 1):
        off = (15 * step - ahead) / (FIELD / 2)
        x, strength = middle + 0.5 * inner * off, min(1.0, 2.2 * (1 - abs(off)))
        if step % 3:
            painter.box(Rect(x - 0.5, row - 3, 1, 6), faded(theme.text, 0.32 * strength))
            continue
        name = POINTS[step // 3 % 8]
        main = len(name) == 1
        colour = theme.accent if name == "N" else theme.text if main else theme.muted
        _centred(painter, x, row, name, faded(colour, strength), 12 if main else 10, "semibold" if main else "regular")
    painter.box(Rect(middle - 1, plate.bottom - 4, 2, 6), theme.accent, radius=1)
    painter.box(Rect(middle - 1, plate.y - 2, 2, 6), theme.accent, radius=1)


def _plate(painter: Painter, theme: Theme, place: Rect, radius: float) -> None:
    painter.box(place, faded(theme.background, 0.66), radius=radius)
    painter.box(place, faded(theme.text, 0.10), radius=radius, border=1)


def _centred(
    painter: Painter, x: float, y: float, text: str, colour: Colour, size: float, weight: Weight = "regular"
) -> None:
    painter.text(x - painter.measure(text, size=size, weight=weight) / 2, y, text, colour, size=size, weight=weight)
