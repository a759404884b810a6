"""Everything that moves, together."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from bare_town import bare_town
from neuroview.engine.driving.messages import Control
from neuroview.engine.driving.town.collision import overlaps
from neuroview.engine.driving.town.offences import on_land, on_wrong_side
from neuroview.engine.driving.town.plan import SIZE
from neuroview.engine.driving.town.routes import wrapped
from neuroview.engine.driving.town.world import TownWorld
from neuroview.engine.driving.vehicle import CarState

WALL = ("a house", 60.0, 32.0, 10.0, 10.0)
DT = 1 / 30


def empty_world(*solids) -> TownWorld:
    return TownWorld(bare_town(*solids), 3, cars=0, people=0)


def run(world: TownWorld, control: Control, seconds: float) -> list:
    return [event for _ in range(round(seconds / DT)) for event in world.step(control, DT)]


def inside_something(world: TownWorld) -> bool:
    boxes, _, _ = world._solid(8.0)
    return len(boxes) > 0 and bool((overlaps(world.car.x, world.car.y, world.car.yaw, world.half, boxes)[0] > 0).any())


@pytest.mark.parametrize("seed", range(8))
def test_a_drive_begins_standing_in_a_lane_with_nobody_near(seed):
    world = TownWorld(bare_town(), seed)
    car = world.car
    assert car.speed == 0
    assert not on_land(car.x, car.y)
    assert not on_wrong_side(replace(car, speed=9.0))
    for group in (world.traffic, world.people):
        assert np.hypot(wrapped(group.x - car.x), wrapped(group.y - car.y)).min() > 12


def test_a_wall_stops_the_car_and_is_told_once_with_its_name_and_speed():
    world = empty_world(WALL)
    world.car = CarState(30.0, 32.0, 0.0, 12.0)
    events = [e for e in run(world, Control(throttle=0.5), 4.0) if e.kind == "collision"]
    assert len(events) == 1
    assert events[0].text.startswith("hit a house at 4")
    assert events[0].text.endswith(" km/h")
    assert world.car.x + world.half[0] < 50.0


def test_a_car_at_a_wall_can_back_away_from_it():
    world = empty_world(WALL)
    world.car = CarState(30.0, 32.0, 0.3, 12.0)
    run(world, Control(throttle=1.0, steer=0.2), 4.0)
    x = world.car.x
    run(world, Control(throttle=0.6, reverse=True), 3.0)
    assert world.car.x < x - 3


def test_a_car_slides_along_a_wall_that_it_meets_at_an_angle():
    world = empty_world(("a house", 60.0, 40.0, 40.0, 3.0))
    world.car = CarState(25.0, 33.0, 0.25, 10.0)
    run(world, Control(throttle=0.4), 2.0)
    assert world.car.x > 32
    assert not inside_something(world)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_driver_does_the_car_is_never_inside_anything(seed):
    random = np.random.default_rng(seed)
    solids = [("a tree", *random.uniform(0, 64, 2), *random.uniform(0.2, 3.0, 2)) for _ in range(25)]
    world = TownWorld(bare_town(*solids), seed, cars=0, people=30)
    world.car = CarState(32.0, 32.0)
    world._place_near(32.0, 32.0, 0.0)
    people = world.people
    control = Control()
    for k in range(450):
        if k % 20 == 0:
            control = Control(
                steer=float(random.uniform(-1, 1)), throttle=1.0, reverse=bool(random.random() < 0.25), autopilot=False
            )
        world.step(control, DT)
        assert not inside_something(world)
        dx, dy = wrapped(people.x - world.car.x), wrapped(people.y - world.car.y)
        c, s = math.cos(world.car.yaw), math.sin(world.car.yaw)
        assert not ((abs(dx * c + dy * s) < world.half[0]) & (abs(dy * c - dx * s) < world.half[1])).any()


def test_people_jump_aside_and_that_is_told():
    world = TownWorld(bare_town(), 3, cars=0, people=1)
    x, y = float(world.people.x[0]), float(world.people.y[0])
    world.car = CarState(x - 2.6, y, 0.0, 20.0)
    events = [e for e in run(world, Control(throttle=1.0), 0.3) if e.kind == "collision"]
    assert [e.text for e in events] == ["somebody jumped out of the way"]


def test_a_rammed_car_stops_for_a_moment_and_the_driver_bounces_off():
    world = TownWorld(bare_town(), 3, cars=1, people=0)
    traffic = world.traffic
    traffic.piece[:], traffic.along[:], traffic.speed[:] = 0, 20.0, 0.0
    traffic.step(0.001, world.signals, world.people.crossings(), world.obstacles(), world.demand)
    x, y, yaw = float(traffic.x[0]), float(traffic.y[0]), float(traffic.yaw[0])
    world.car = CarState(x - 7.0 * math.cos(yaw), y - 7.0 * math.sin(yaw), yaw, 12.0)
    events = run(world, Control(), 0.7)
    assert any(e.text.startswith("hit a car at") for e in events)
    assert not inside_something(world)
    assert traffic.speed[0] == 0


def test_a_reset_puts_the_car_on_the_nearest_lane_standing():
    world = empty_world()
    world.car = CarState(32.0 + 5 * SIZE, 12.0, 0.2, 9.0)
    events = run(world, Control(), DT) + run(world, Control(resets=1), DT)
    assert "reset" in [e.kind for e in events]
    assert world.jumped
    assert world.car.speed == pytest.approx(0.0, abs=0.01)
    assert not on_land(world.car.x, world.car.y)
    assert math.hypot(world.car.x - 32 - 5 * SIZE, world.car.y - 12) < 25
    assert [e for e in run(world, Control(resets=1), 1.0) if e.kind == "reset"] == []


def test_a_reset_finds_a_place_that_is_free():
    world = TownWorld(bare_town(("a skip", 32.0, -1.65, 4.0, 1.5)), 3, cars=0, people=0)
    world.car = CarState(32.0, 12.0, 0.0)
    world.reset()
    assert not inside_something(world)


def test_the_same_seed_and_controls_give_the_same_world():
    states = []
    for _ in range(2):
        world = TownWorld(bare_town(WALL), 5, cars=20, people=20)
        for k in range(150):
            world.step(Control(throttle=0.6, steer=math.sin(k / 20)), DT)
        states.append(json.dumps(world.state()))
    assert states[0] == states[1]


def test_a_world_goes_on_from_its_state_in_another_process():
    first, second = (TownWorld(bare_town(), 5, cars=20, people=20) for _ in range(2))
    run(first, Control(throttle=0.6), 3.0)
    second.restore(json.loads(json.dumps(first.state())))
    run(first, Control(steer=0.3, throttle=0.4), 2.0)
    run(second, Control(steer=0.3, throttle=0.4), 2.0)
    assert first.state() == second.state()


@pytest.mark.parametrize("part", ["time", "car", "traffic", "people"])
def test_a_broken_state_changes_nothing(part):
    world = TownWorld(bare_town(), 5, cars=5, people=5)
    before = world.state()
    run(world, Control(throttle=0.6), 1.0)
    now = json.dumps(world.state())
    broken = {key: value for key, value in before.items() if key != part}
    with pytest.raises(KeyError):
        world.restore(broken)
    assert json.dumps(world.state()) == now
