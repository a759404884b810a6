"""The autopilot in a town without geometry."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from bare_town import bare_town
from neuroview.engine.driving.autopilot import Autopilot
from neuroview.engine.driving.messages import Control, Weather
from neuroview.engine.driving.town.signals import RED
from neuroview.engine.driving.town.world import TownWorld
from neuroview.engine.driving.vehicle import CarState

DT = 1 / 15


@pytest.mark.parametrize("seed", [1, 2])
def test_it_drives_for_a_minute_without_an_offence(seed):
    world = TownWorld(bare_town(), seed, cars=30, people=30)
    pilot = Autopilot(SimpleNamespace(world=world), seed)
    way, events, fastest = 0.0, [], 0.0
    for _ in range(round(60 / DT)):
        events += world.step(pilot.control(), DT)
        way, fastest = way + world.car.speed * DT, max(fastest, world.car.speed)
    assert events == []
    assert way > 120
    assert 7.0 < fastest < 11.5


def test_it_stops_at_red(monkeypatch):
    from neuroview.engine.driving.town import world as module

    monkeypatch.setattr(module, "signals", lambda time: np.full(98, RED, np.int32))
    world = TownWorld(bare_town(), 1, cars=0, people=0)
    pilot = Autopilot(SimpleNamespace(world=world), 1)
    for _ in range(round(20 / DT)):
        assert world.step(pilot.control(), DT) == []
    assert world.car.speed == pytest.approx(0.0, abs=0.05)


def test_it_turns_a_car_that_stands_across_the_road_back_into_its_lane():
    world = TownWorld(bare_town(), 1, cars=0, people=0)
    world.car = CarState(20.0, -2.5, 0.7)
    pilot = Autopilot(SimpleNamespace(world=world), 4)
    for _ in range(round(5 / DT)):
        world.step(pilot.control(), DT)
        if world.car.x > 45:
            break
    assert world.car.y == pytest.approx(-1.65, abs=0.5)


def test_it_leaves_camera_and_weather_as_they_are():
    pilot = Autopilot(SimpleNamespace(world=TownWorld(bare_town(), 1, cars=0, people=0)))
    given = Control(steer=1.0, brake=1.0, viewpoint="hood", weather=Weather(hour=20.0), photo=True, serial=7)
    made = pilot.control(like=given)
    assert (made.viewpoint, made.weather, made.photo, made.serial) == ("hood", given.weather, True, 7)
    assert made.brake == 0.0


def test_the_same_seed_takes_the_same_way():
    places = []
    for _ in range(2):
        world = TownWorld(bare_town(), 3, cars=10, people=10)
        pilot = Autopilot(SimpleNamespace(world=world), 3)
        for _ in range(250):
            world.step(pilot.control(), DT)
        places.append((world.car.x, world.car.y, world.car.yaw))
    assert places[0] == places[1]


def test_it_claims_no_junction_once_a_person_drives():
    world = TownWorld(bare_town(), 1, cars=0, people=0)
    pilot = Autopilot(SimpleNamespace(world=world), 1)
    for _ in range(600):
        world.step(pilot.control(), DT)
        if world.demand.lane >= 0:
            break
    assert world.demand.lane >= 0
    pilot.release()
    assert world.demand.lane < 0
