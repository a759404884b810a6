"""The verbs behind keys, buttons and drops."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import neuroview.viewer.animation as animation
import pytest
from neuroview.engine.camera import pose_at
from neuroview.engine.export.image import read_png
from neuroview.engine.loop import RenderLoop
from neuroview.engine.state import ViewState
from neuroview.engine.store import Store
from neuroview.viewer.actions import NO_POSES, Actions
from neuroview.viewer.animation import Flight
from rings import ring


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def desk(sphere_model, tmp_path):
    store = Store(ViewState(model=""))
    loop = RenderLoop(store, device="cpu")
    left = []
    actions = Actions(store, loop, screenshots=tmp_path / "shots", on_quit=lambda: left.append(1))
    actions.left = left
    loop.start("sphere")
    until(lambda: loop.frame is not None)
    yield store, loop, actions
    actions.close()
    loop.stop()


def turned(yaw):
    return lambda s: replace(s, camera=replace(s.camera, yaw=yaw))


def test_a_screenshot_dropped_on_the_window_restores_its_view(desk):
    store, loop, actions = desk
    store.update(turned(0.4), label="Orbit")
    actions.screenshot().result(60)
    until(lambda: loop.status.message and "Saved" in loop.status.message.text)
    path = loop.status.message.text.removeprefix("Saved ")
    assert read_png(path).state.camera.yaw == 0.4
    store.update(turned(-0.4), label="Orbit")
    actions.open_path(path)
    assert store.state.camera.yaw == 0.4
    assert store.can_undo == f"Restore {path.rsplit('/', 1)[-1]}"


def test_reset_camera_keeps_the_latents_and_reset_all_does_not(desk):
    store, _, actions = desk
    actions.random_seeds()
    store.update(turned(0.4), label="Orbit")
    seeds = store.state.latents
    actions.reset_camera()
    assert store.state.camera.yaw == 0
    assert store.state.camera.radius == 4.0
    assert store.state.latents == seeds
    actions.reset_all()
    assert store.state.latents == ViewState().latents


def test_an_animation_moves_the_camera_as_one_step_and_yields_to_a_hand(desk):
    store, _, actions = desk
    actions.toggle_animation()
    until(lambda: store.state.camera.yaw != 0)
    assert actions.animating
    store.update(turned(0.01), label="Orbit")
    until(lambda: not actions.animating)
    store.undo()
    store.undo()
    assert store.state.camera.yaw == 0
    assert store.can_undo is None


@pytest.fixture
def stand(desk):
    """The desk with a model open whose training cameras are known, and their list."""
    store, loop, actions = desk
    loop.open("posed")
    until(lambda: store.state.model == "posed" and loop.status.model.poses)
    return store, actions, loop.status.model.poses


def test_a_training_camera_is_met_exactly_in_one_undo_step(stand):
    store, actions, poses = stand
    before = store.state
    actions.go_to_pose(1)
    camera = store.state.camera
    assert camera.cam2world == tuple(v for row in poses[1].cam2world for v in row)
    assert camera.intrinsics == tuple(v for row in poses[1].intrinsics for v in row)
    assert store.can_undo == "Training camera r_1"
    store.undo()
    assert store.state == before


def test_next_and_previous_walk_round_and_start_at_the_nearest_camera(stand):
    store, actions, poses = stand
    store.update(turned(0.7), label="Orbit")
    seen = []
    for step in (actions.next_pose, actions.next_pose, actions.next_pose, actions.previous_pose):
        step()
        seen.append(pose_at(store.state.camera, poses))
    assert seen == [1, 2, 0, 2]


def test_a_flight_ends_at_the_last_training_camera_and_is_one_undo_step(stand, monkeypatch):
    store, actions, poses = stand
    clock = iter(range(1000))  # half a second passes between two looks at it
    monkeypatch.setattr(animation, "perf_counter", lambda: next(clock) / 2)
    before, seen = store.state, []
    store.listen(lambda: seen.append(pose_at(store.state.camera, poses)))
    actions.toggle_flight()
    until(lambda: not actions.flying)
    assert seen == [None, 1, None, 2]
    assert store.can_undo == "Fly"
    store.undo()
    assert store.state == before


def test_a_flight_goes_on_from_where_the_camera_stands_and_stops_on_request(stand):
    store, actions, poses = stand
    actions.go_to_pose(1)
    actions.toggle_flight()
    until(lambda: pose_at(store.state.camera, poses) is None)
    assert store.state.camera.intrinsics[0] > poses[1].intrinsics[0][0]
    assert actions.animating
    actions.toggle_flight()
    assert not actions.flying
    assert pose_at(store.state.camera, poses) is None


def test_a_flight_yields_to_a_hand_and_keeps_what_it_did(stand):
    store, actions, _ = stand
    actions.toggle_flight()
    until(lambda: store.state.camera.cam2world is not None)
    store.update(turned(0.3), label="Orbit")
    store.update(lambda s: replace(s, camera=replace(s.camera, cam2world=None, intrinsics=None)), label="Orbit")
    until(lambda: not actions.flying)
    assert store.state.camera.cam2world is None
    assert store.state.camera.yaw == 0.3


def test_a_swing_goes_on_from_a_training_camera_without_a_jump(stand):
    store, actions, _ = stand
    actions.go_to_pose(1)
    seen = []
    store.listen(lambda: seen.append(store.state.camera))
    actions.toggle_animation()
    until(lambda: seen)
    assert seen[0].cam2world is None
    assert seen[0].yaw == pytest.approx(0.785, abs=0.1)
    assert seen[0].radius == pytest.approx(4.0)
    assert not actions.flying
    actions.toggle_flight()
    assert actions.flying


def test_a_model_without_training_cameras_says_so(desk):
    store, loop, actions = desk
    before = store.state
    for verb in (actions.next_pose, actions.previous_pose, actions.toggle_flight, lambda: actions.go_to_pose(0)):
        verb()
        assert loop.status.message.text == NO_POSES
    assert store.state == before
    assert not actions.flying


def test_a_long_list_is_thinned_out_evenly_to_a_minute():
    poses = ring(400)
    flight = Flight(poses)
    assert flight.lasts == 60
    stops = [pose_at(replace(ViewState().camera, **flight.at(float(s))), poses) for s in range(61)]
    assert stops[0] == 0
    assert stops[-1] == 399
    assert {b - a for a, b in pairwise(stops)} <= {6, 7}


def test_a_single_training_camera_is_a_flight_of_no_time():
    assert Flight(ring(1)).lasts == 0
    assert Flight(ring(3), start=2).at(5.0)["cam2world"][3] == pytest.approx(4.0)


def test_outputs_cycle(desk):
    store, _, actions = desk
    seen = [store.state.output.kind]
    for _ in range(5):
        actions.cycle_output()
        seen.append(store.state.output.kind)
    assert seen == ["rgb", "raw", "depth", "normals", "alpha", "rgb"]


def test_a_file_that_is_nothing_is_told_and_changes_nothing(desk, tmp_path):
    store, loop, actions = desk
    before = store.state
    (tmp_path / "x.png").write_bytes(b"no picture")
    actions.open_path(str(tmp_path / "x.png"))
    assert "x.png" in loop.status.message.text
    (tmp_path / "y.json").write_text('{"neuroview": 99}')
    actions.open_path(str(tmp_path / "y.json"))
    assert "Update neuroview" in loop.status.message.text
    assert store.state == before


def test_a_screenshot_that_cannot_be_written_is_told(desk, tmp_path):
    _, loop, actions = desk
    (tmp_path / "file").write_text("")
    actions.screenshot(str(tmp_path / "file" / "x.png")).result(60)
    until(lambda: loop.status.message and "not saved" in loop.status.message.text)


def test_quitting_says_so(desk):
    actions = desk[2]
    actions.quit()
    assert actions.left == [1]
