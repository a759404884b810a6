"""Red lights, lawns and the wrong side."""

from __future__ import annotations

import math

import numpy as np
import pytest
from neuroview.engine.driving.town.offences import Offences, on_land
from neuroview.engine.driving.town.plan import GROUPS, LANE
from neuroview.engine.driving.town.signals import AMBER, GREEN, RED
from neuroview.engine.driving.vehicle import CarState


def tell(x: float, y: float, yaw: float, speed: float, seconds: float, colour: int = GREEN) -> list[str]:
    """The kinds of events of a car that goes straight on."""
    watch, told = Offences(), []
    shown = np.full(GROUPS, colour, np.int32)
    for k in range(round(seconds * 30)):
        way = speed * k / 30
        car = CarState(x + way * math.cos(yaw), y + way * math.sin(yaw), yaw, speed)
        told += [event.kind for event in watch.step(1 / 30, car, 2.2, shown)]
    return told


HEADINGS = [
    (32.0, -LANE, 0.0),
    (LANE, 32.0, math.pi / 2),
    (32.0 + 64.0, LANE, math.pi),
    (-LANE, 32.0 + 64.0, -math.pi / 2),
]


@pytest.mark.parametrize(("x", "y", "yaw"), HEADINGS)
def test_passing_a_red_light_is_told_once_from_every_side(x, y, yaw):
    assert tell(x, y, yaw, 8.0, 8.0, RED) == ["red light"]


@pytest.mark.parametrize("colour", [GREEN, AMBER])
def test_green_and_amber_are_no_offence(colour):
    assert tell(*HEADINGS[0], 8.0, 8.0, colour) == []


def test_standing_at_the_line_is_no_offence():
    assert tell(64 - 10.4 - 2.2, -LANE, 0.0, 0.0, 5.0, RED) == []


@pytest.mark.parametrize(("x", "y", "yaw"), [(20.0, LANE, 0.0), (-LANE, 20.0, math.pi / 2), (20.0, -LANE, math.pi)])
def test_the_wrong_side_is_told_once_and_not_at_once(x, y, yaw):
    assert tell(x, y, yaw, 5.0, 0.9) == []
    assert tell(x, y, yaw, 5.0, 3.0) == ["wrong way"]


def test_the_sidewalk_is_off_the_road():
    assert on_land(32.0, 6.0)
    assert not on_land(32.0, 5.0)
    assert not on_land(0.0, 6.0)
    assert tell(32.0, 7.0, 0.0, 3.0, 5.0) == ["off road"]


def test_off_the_road_counts_anew_after_a_while_on_it():
    watch, told = Offences(), []
    shown = np.full(GROUPS, GREEN, np.int32)
    for y in [7.0] * 30 + [3.0] * 10 + [7.0] * 30 + [3.0] * 60 + [7.0] * 30:
        told += watch.step(1 / 30, CarState(32.0, y), 2.2, shown)
    assert [event.kind for event in told] == ["off road", "off road"]
