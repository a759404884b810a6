"""The embedded town as a simulator: pictures of a small size, where an OpenGL context can be had."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pytest
from neuroview.engine.driving.messages import Control, Weather
from neuroview.engine.driving.simulator import EngineError, Simulator
from neuroview.engine.driving.town.plan import SIZE
from neuroview.engine.driving.town.scene import EGO

WIDTH, HEIGHT = 64, 32


@cache
def _built(seed: int):
    """A town stands still, so that several simulators can share it."""
    from neuroview.engine.driving.town.build import build_town

    return build_town(seed)


def open_town(**options):
    moderngl = pytest.importorskip("moderngl")
    try:
        moderngl.create_standalone_context(backend="egl", require=330).release()
    except Exception as error:  # glcontext raises a bare Exception
        pytest.skip(f"no OpenGL context here: {error}")
    from neuroview.engine.driving.town import simulation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "build_town", _built)
        return simulation.TownSimulator(7, WIDTH, HEIGHT, 20.0, cars=20, people=20, **options)


@pytest.fixture(scope="module")
def shared():
    town = open_town()
    yield town
    town.close()


def test_it_is_a_simulator_that_introduces_itself(shared):
    assert isinstance(shared, Simulator)
    info = shared.info
    assert (info.name, info.width, info.height, info.rate, info.period) == ("town", WIDTH, HEIGHT, 20.0, SIZE)
    assert info.has_photo
    assert len(info.roads) == 14


def test_frames_carry_every_map_of_the_right_shape(shared):
    frame = shared.step(Control(photo=True, serial=9, weather=Weather(hour=18.5)))
    shape = (HEIGHT, WIDTH)
    assert (frame.labels.shape, frame.labels.dtype) == (shape, np.uint8)
    assert (frame.instances.shape, frame.instances.dtype) == (shape, np.uint16)
    assert frame.depth is not None
    assert frame.depth.shape == shape
    assert frame.motion is not None
    assert frame.motion.shape == (*shape, 2)
    assert frame.photo is not None
    assert frame.photo.shape == (*shape, 3)
    assert (frame.control_serial, frame.hour) == (9, 18.5)
    assert {1, 11} < set(np.unique(frame.labels))  # road and sky


def test_only_the_first_frame_and_another_camera_are_cuts(shared):
    shared.restore(shared.state())
    viewpoints = ("chase", "chase", "hood", "hood", "top", "chase")
    assert [shared.step(Control(viewpoint=v)).cut for v in viewpoints] == [True, False, True, False, True, True]


def test_another_hour_is_drawn_without_a_step_and_the_drive_goes_on_as_if_it_had_not_been(shared):
    shared.step(Control(photo=True))
    kept = shared.state()
    day = shared.redraw(Control(photo=True))
    dusk = shared.redraw(Control(photo=True, weather=Weather(hour=20.0)))
    above = shared.redraw(Control(viewpoint="top", weather=Weather(hour=20.0)))
    assert shared.state() == kept
    assert (day.cut, dusk.cut, above.cut) == (False, True, True)
    assert day.number == dusk.number
    assert np.nanmax(np.abs(day.motion)) < 0.01
    assert dusk.photo.mean() < day.photo.mean()
    assert (above.labels != dusk.labels).any()


def test_the_own_car_is_drawn_except_from_the_hood(shared):
    seen = {v: bool((shared.step(Control(viewpoint=v)).instances == EGO).any()) for v in ("chase", "hood", "top")}
    assert seen == {"chase": True, "hood": False, "top": True}


def test_a_reset_is_told_and_is_a_cut(shared):
    shared.step(Control())
    frame = shared.step(Control(resets=1))
    assert frame.cut
    assert "reset" in [event.kind for event in frame.events]
    assert not shared.step(Control(resets=1)).cut


def test_steps_without_a_picture_count_and_their_events_wait_for_the_next_one(shared):
    before = shared.step(Control(resets=1))
    shared.advance(Control(resets=2))
    shared.advance(Control(resets=2))
    frame = shared.step(Control(resets=2))
    assert frame.number == before.number + 3
    assert frame.time == pytest.approx(before.time + 3 / 20)
    assert "reset" in [event.kind for event in frame.events]
    assert frame.cut


def test_motion_spans_the_steps_that_were_not_drawn(shared):
    drive = Control(throttle=1.0, viewpoint="hood", resets=3)
    for _ in range(30):
        shared.advance(drive)
    shared.step(drive)
    one = np.abs(shared.step(drive).motion).mean()
    for _ in range(3):
        shared.advance(drive)
    four = np.abs(shared.step(drive).motion).mean()
    assert 2.5 * one < four < 7 * one


def test_the_engine_drives_itself_when_asked(shared):
    frame = shared.step(Control(resets=4))
    start = frame.vehicle
    for _ in range(80):
        shared.advance(Control(resets=4, steer=1.0, autopilot=True))
    frame = shared.step(Control(resets=4, steer=1.0, autopilot=True))
    assert math.hypot(frame.vehicle.x - start.x, frame.vehicle.y - start.y) > 3.0
    assert not any(event.kind == "off road" for event in frame.events)


def test_actors_on_the_map_are_near_and_in_the_copy_beside_the_car(shared):
    frame = shared.step(Control())
    assert "person" in {actor.kind for actor in frame.actors}
    for actor in frame.actors:
        assert math.hypot(actor.x - frame.vehicle.x, actor.y - frame.vehicle.y) <= 100.0


def test_the_same_controls_give_the_same_maps_bit_by_bit():
    drives = []
    for _ in range(2):
        town = open_town()
        frames = [town.step(Control(throttle=0.7, steer=math.sin(k / 5))) for k in range(8)]
        drives.append(frames)
        town.close()
    for first, second in zip(*drives, strict=True):
        assert first.vehicle == second.vehicle
        assert np.array_equal(first.labels, second.labels)
        assert np.array_equal(first.instances, second.instances)
        assert np.array_equal(first.motion, second.motion, equal_nan=True)


def test_a_drive_goes_on_from_its_state(shared):
    for _ in range(5):
        shared.step(Control(throttle=1.0))
    state = json.loads(json.dumps(shared.state()))
    expected = [shared.step(Control(throttle=0.5, steer=0.2)) for _ in range(3)]
    shared.restore(state)
    again = [shared.step(Control(throttle=0.5, steer=0.2)) for _ in range(3)]
    assert again[0].cut
    assert [f.vehicle for f in again] == [f.vehicle for f in expected]
    assert np.array_equal(again[-1].labels, expected[-1].labels)


@pytest.mark.parametrize(
    "state", [{}, {"engine": "town", "version": 1, "seed": 7, "world": {"time": "x"}}, {"seed": 8}]
)
def test_a_state_of_something_else_is_refused_with_a_reason(shared, state):
    with pytest.raises(EngineError, match="begin a new drive"):
        shared.restore(state)
    shared.step(Control())


def test_a_closed_town_says_so_and_closing_twice_does_no_harm():
    town = open_town(geometry=False)
    town.close()
    town.close()
    with pytest.raises(EngineError, match="closed"):
        town.step(Control())
