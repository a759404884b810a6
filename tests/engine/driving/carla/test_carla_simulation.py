"""The CARLA adapter against a scripted stand-in of the client package (`stand_in.py`); no real server was available."""

from __future__ import annotations

import numpy as np
import pytest
from neuroview.engine.driving import wire
from neuroview.engine.driving.carla import connection
from neuroview.engine.driving.carla.simulation import CarlaSimulator
from neuroview.engine.driving.messages import Control, Weather
from neuroview.engine.driving.simulator import EngineError, Simulator
from neuroview.engine.driving.town.cameras import FOV
from stand_in import OLD, Library, Location, Package, Picture, Rotation, Transform

W, H = 64, 32
GO = Control(throttle=1.0)


@pytest.fixture
def package():
    return Package()


@pytest.fixture
def drive(package):
    made = CarlaSimulator(package=package, width=W, height=H, rate=20, timeout=1.0)
    yield made
    package.world.faults.dead = False
    made.close()


def ego(package):
    return next(a for a in package.world.actors if a.type_id == "vehicle.tesla.model3")


def moved_on(drive, steps=12, control=GO):
    for _ in range(steps):
        frame = drive.step(control)
    return frame


def truth(package, drive, then, before):
    """The motion that the stand-in's own geometry gives since a moment that `now` has kept."""
    sensor = next(a for a in package.world.actors if a.type_id.endswith("depth"))
    degrees = float(sensor.attributes["fov"])
    seen = Picture(package.world, sensor.place(), W, H, degrees, sensor.parent)
    return seen, seen.motion(then, before)


def now(package):
    sensor = next(a for a in package.world.actors if a.type_id.endswith("depth"))
    return sensor.place(), {a.id: a.transform for a in package.world.actors}


def test_it_is_a_simulator_that_says_who_it_is(drive):
    assert isinstance(drive, Simulator)
    info = drive.info
    assert (info.name, info.title, info.label_set) == ("carla", "CARLA 0.9.15, Town_Stand_In", "carla")
    np.testing.assert_allclose(info.roads, [[(-200.0, -1.75), (200.0, -1.75)]], atol=0.01)
    assert info.road_width == 3.5


def test_a_frame_holds_what_the_cameras_saw(drive, package):
    frame = drive.step(Control(serial=5))
    seen, _ = truth(package, drive, *now(package))
    np.testing.assert_array_equal(frame.labels, seen.tag)
    np.testing.assert_array_equal(frame.instances, seen.instance)
    np.testing.assert_allclose(frame.depth, seen.depth, rtol=1e-3, atol=1e-3)
    assert (frame.control_serial, frame.cut, frame.camera.fov) == (5, True, FOV)
    assert (frame.vehicle.x, frame.vehicle.y, frame.vehicle.yaw) == (0.0, -1.75, 0.0)


def test_frames_travel_over_the_wire(drive):
    moved_on(drive, 2)
    frame = drive.step(GO)
    back = wire.read_data(wire.data_message(frame, drive.info, drive.info.parts), drive.info)
    np.testing.assert_array_equal(back.labels, frame.labels)


@pytest.mark.parametrize("viewpoint", ["chase", "hood", "top"])
def test_what_stands_still_moves_exactly_as_the_cameras_do(drive, package, viewpoint):
    control = Control(throttle=1.0, steer=0.3, viewpoint=viewpoint)
    moved_on(drive, 8, control)
    then = now(package)
    frame = drive.step(control)
    seen, motion = truth(package, drive, *then)
    still = (seen.actor == 0) & np.isfinite(seen.depth)
    np.testing.assert_allclose(frame.motion[still], motion[still], atol=0.02)
    sky = ~np.isfinite(seen.depth)
    np.testing.assert_allclose(frame.motion[sky], motion[sky], atol=0.02)
    assert np.isinf(frame.expected_depth[sky]).all()


def test_vehicles_and_people_carry_their_motion_across_frames_that_nobody_drew(drive, package):
    package.world.add("vehicle.audi.a2", 16.0, -1.75, 180.0, 6.0)
    package.world.add("walker.pedestrian.0001", 9.0, 3.0, -90.0, 1.5)
    moved_on(drive, 12)
    then = now(package)
    drive.advance(GO)
    drive.advance(GO)
    frame = drive.step(GO)
    seen, motion = truth(package, drive, *then)
    moving = seen.actor > 0
    assert len(np.unique(seen.actor[moving])) == 3
    np.testing.assert_allclose(frame.motion[moving], motion[moving], atol=0.05)


def test_the_flow_camera_is_understood_and_used_for_what_moves(drive, package, monkeypatch):
    other = package.world.add("vehicle.audi.a2", 16.0, -1.75, 180.0, 6.0)
    moved_on(drive, 30)
    assert drive._maker.scale.factors == pytest.approx((-W / 2, H / 2), rel=0.02)
    other.transform = Transform(Location(ego(package).transform.location.x + 9.0, -1.75, 0.0), Rotation(yaw=180.0))
    # Without its pose only the flow camera can tell.
    monkeypatch.setattr("neuroview.engine.driving.carla.frames.add_bodies", lambda *_: None)
    drive.step(GO)
    then = now(package)
    frame = drive.step(GO)
    seen, motion = truth(package, drive, *then)
    mine = seen.actor == other.id
    assert mine.sum() > 3
    np.testing.assert_allclose(frame.motion[mine], motion[mine], atol=0.05)


@pytest.mark.parametrize("flow", ["nonsense", "zero"])
def test_a_flow_camera_that_makes_no_sense_is_left_out(drive, package, flow, caplog):
    package.world.faults.flow = flow
    moved_on(drive, 60)
    assert "optical-flow camera does not agree" in caplog.text
    then = now(package)
    frame = drive.step(GO)
    _, motion = truth(package, drive, *then)
    np.testing.assert_allclose(frame.motion, motion, atol=0.05)
    drive.step(Control(viewpoint="hood"))
    assert not any(a.type_id.endswith("optical_flow") for a in package.world.actors)


def test_geometry_says_heights_normals_and_places(drive, package):
    frame = moved_on(drive, 3)
    geometry = frame.geometry
    road = frame.labels == 1
    np.testing.assert_allclose(geometry.height[road], 0, atol=0.02)
    assert np.abs(geometry.ground[..., 1][road]).max() < 6.05
    assert geometry.ground[..., 0][road].min() > frame.vehicle.x - 8
    up = np.array(frame.camera.cam2world).reshape(3, 4)[2, :3]  # the world's up in the camera's axes
    lower = road.copy()
    lower[: H * 3 // 4] = False
    np.testing.assert_allclose(np.median(geometry.normals[lower], 0), up, atol=0.02)
    assert np.isnan(geometry.ground[frame.labels == 14]).all()
    assert np.isnan(geometry.normals[frame.labels == 11]).all()
    assert (geometry.shadow, geometry.storey, geometry.bay) == (None, None, None)


def test_tags_before_0_9_14_are_declared_as_such():
    drive = CarlaSimulator(package=Package("0.9.13", "0.9.13", OLD), width=W, height=H, rate=20)
    frame = drive.step(GO)
    assert drive.info.label_set == "carla_before_0_9_14"
    assert OLD["car"] in frame.labels
    assert np.isnan(frame.geometry.ground[frame.labels == OLD["car"]]).all()
    drive.close()


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ("0.9.16", "0.9.15", "pip install carla==0.9.15"),
        ("0.9.12", "0.9.12", "no instance camera"),
        ("abc1234", "def5678", "expected the same for both"),
    ],
)
def test_versions_that_do_not_go_together_are_refused_before_a_world_is_asked_for(ours, theirs, said):
    package = Package(ours, theirs)
    with pytest.raises(EngineError, match=said):
        CarlaSimulator(package=package)
    assert package.worlds_shown == 0


def test_builds_from_source_are_welcome():
    assert connection.read_version("0.9.15-226-g5c2d2978a-dirty") == (0, 9, 15)
    made = CarlaSimulator(package=Package("5c2d297", "5c2d297"), width=W, height=H)
    assert made.info.label_set == "carla"
    made.close()


def test_no_server_says_how_to_start_one():
    with pytest.raises(EngineError, match=r"no CARLA server answers at 127\.0\.0\.1:2000 .*-carla-rpc-port=2000"):
        CarlaSimulator(package=Package(listens=False))


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "carla", None)
    with pytest.raises(EngineError, match=r"pip install carla==0\.9\.16"):
        CarlaSimulator()


def test_closing_leaves_the_server_as_it_was(package):
    before = vars(package.world.get_settings()), vars(package.world.get_weather())
    drive = CarlaSimulator(package=package, width=W, height=H, rate=20)
    drive.step(Control(photo=True, autopilot=True, weather=Weather(hour=20)))
    assert package.world.settings.synchronous_mode
    assert package.traffic.synchronous
    drive.close()
    drive.close()
    assert package.world.actors == []
    assert not package.traffic.synchronous
    assert (vars(package.world.get_settings()), vars(package.world.get_weather())) == before
    with pytest.raises(EngineError, match="has been closed"):
        drive.step(GO)


def test_a_drive_that_cannot_begin_leaves_nothing_behind(package):
    package.world.library = Library(without=["sensor.other.collision"])
    with pytest.raises(EngineError, match="has no sensor.other.collision"):
        CarlaSimulator(package=package)
    assert package.world.actors == []
    assert not package.world.settings.synchronous_mode


def test_where_every_place_is_taken_it_says_so(package):
    package.world.blocked = {0.0}
    with pytest.raises(EngineError, match="no free place for a car"):
        CarlaSimulator(package=package)


def test_a_world_that_somebody_else_steps_is_left_alone(package):
    package.world.settings.synchronous_mode = package.world.somebody_ticks = True
    with pytest.raises(EngineError, match="another program steps"):
        CarlaSimulator(package=package)
    assert package.world.settings.synchronous_mode


def test_a_world_left_waiting_by_a_dead_drive_is_cleaned_and_set_free(package):
    dead = CarlaSimulator(package=package, width=W, height=H, rate=20)
    dead.step(GO)
    left = list(package.world.actors)
    drive = CarlaSimulator(package=package, width=W, height=H, rate=20)
    assert not any(actor in left for actor in package.world.actors)
    drive.close()
    assert not package.world.settings.synchronous_mode


def test_pictures_of_earlier_frames_are_dropped(drive, package):
    package.world.faults.late = True
    frame = drive.step(GO)
    seen, _ = truth(package, drive, *now(package))
    np.testing.assert_array_equal(frame.labels, seen.tag)


def test_a_picture_of_a_later_frame_means_that_somebody_else_steps(drive, package):
    package.world.faults.ahead = True
    with pytest.raises(EngineError, match="another program steps this server too"):
        drive.step(GO)


def test_a_camera_that_falls_silent_is_named(package):
    drive = CarlaSimulator(package=package, width=W, height=H, rate=20, timeout=0.05)
    package.world.faults.silent = "depth"
    with pytest.raises(EngineError, match="depth camera sent no picture of frame"):
        drive.step(GO)
    drive.close()


def test_images_of_another_version_are_refused(drive, package):
    package.world.faults.short = True
    with pytest.raises(EngineError, match="do not speak the same version"):
        drive.step(GO)


def test_a_server_that_dies_says_what_to_do_and_the_drive_goes_on_elsewhere(drive, package):
    frame = moved_on(drive, 6)
    package.world.faults.dead = True
    with pytest.raises(EngineError, match="no longer answers .*Start it again"):
        drive.step(GO)
    state = drive.state()
    drive.close()
    again = CarlaSimulator(package=Package(), width=W, height=H, rate=20)
    again.restore(state)
    back = again.step(Control())
    assert back.cut
    assert back.number == frame.number + 1
    assert back.time == pytest.approx(frame.time + 0.05)
    assert back.vehicle.x == pytest.approx(frame.vehicle.x + frame.vehicle.speed / 20, abs=0.02)
    again.close()


@pytest.mark.parametrize("state", [{}, {"engine": "town"}, None, [1]])
def test_another_engines_state_is_refused(drive, state):
    with pytest.raises(EngineError, match="begin a new drive"):
        drive.restore(state)


def test_a_state_with_broken_numbers_is_refused(drive):
    with pytest.raises(EngineError, match="cannot be read"):
        drive.restore({**drive.state(), "place": [float("nan")] * 6})


def test_a_reset_puts_the_car_back_on_the_road_and_cuts(drive, package):
    drive.step(Control())
    ego(package).transform = Transform(Location(30.0, 40.0, 0.0), Rotation(yaw=77.0))
    lost = [drive.step(Control()) for _ in range(12)]
    assert [event.kind for frame in lost for event in frame.events] == ["off road"]
    frame = drive.step(Control(resets=1))
    assert [event.kind for event in frame.events] == ["reset"]
    assert frame.cut
    assert (frame.vehicle.x, frame.vehicle.y, frame.vehicle.yaw) == pytest.approx((30.0, -1.75, 0.0), abs=1e-6)


def test_a_reset_keeps_away_from_other_cars(drive, package):
    drive.step(Control())
    package.world.add("vehicle.audi.a2", 1.0, 1.75)
    for _ in range(12):
        drive.step(Control())
    frame = drive.step(Control(resets=1))
    assert frame.vehicle.x >= 6.0


def test_a_blow_is_told_once_with_what_and_how_fast(drive, package):
    moved_on(drive, 20)
    other = package.world.add("static.pole", 30.0, 0.0)
    for _ in range(3):
        package.world.collide(ego(package), other)
    frame = drive.step(GO)
    assert [(e.kind, e.text) for e in frame.events] == [("collision", "hit a pole at 14 km/h")]


def test_events_of_frames_that_nobody_drew_are_kept(drive, package):
    moved_on(drive, 20)
    package.world.collide(ego(package), package.world.add("walker.pedestrian.0001", 30.0, 0.0))
    drive.advance(GO)
    assert [e.text for e in drive.step(GO).events] == ["hit a person at 14 km/h"]


def test_another_camera_is_a_cut_and_the_old_ones_go(drive, package):
    drive.step(GO)
    assert not drive.step(GO).cut
    assert drive.step(Control(viewpoint="top")).cut
    assert len([a for a in package.world.actors if "camera" in a.type_id]) == 4


def test_a_picture_is_taken_where_it_is_asked_for(drive):
    assert drive.step(GO).photo is None
    frame = drive.step(Control(photo=True))
    assert frame.photo.shape == (H, W, 3)
    assert frame.photo[0, 0].tolist() == [200, 20, 10]


def test_the_autopilot_is_carlas_traffic_manager(drive, package):
    drive.step(Control(autopilot=True))
    assert ego(package).autopilot == 8000
    assert package.traffic.synchronous
    drive.step(Control(brake=1.0))
    assert ego(package).autopilot is None
    assert ego(package).control.brake == 1.0


def test_weather_is_set_when_it_changes(drive, package):
    drive.step(Control(weather=Weather(hour=12.5, clouds=1.0, fog=0.5)))
    assert package.world.sky.cloudiness == 100.0
    assert package.world.sky.sun_altitude_angle == pytest.approx(58.0, abs=0.1)
    assert package.world.sky.fog_density == 50.0


def test_the_car_that_was_removed_by_others_is_missed(drive, package):
    drive.step(GO)
    ego(package).destroy()
    with pytest.raises(EngineError, match="the driver's car is gone"):
        drive.step(GO)
