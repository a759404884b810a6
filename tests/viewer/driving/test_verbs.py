"""The verbs of driving, and how they stand in the history."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drive_fakes import FakeLoop, frame
from neuroview.engine.state import Drive, ViewState
from neuroview.engine.store import Store
from neuroview.viewer.driving.verbs import DriveActions


@pytest.fixture
def desk(tmp_path):
    store, loop = Store(ViewState(drive=Drive())), FakeLoop()
    return store, loop, DriveActions(store, loop, tmp_path / "shots")


def test_leaving_and_coming_back_keeps_the_drives_settings_and_can_be_undone(desk):
    store, _, actions = desk
    actions.set_view("depth")
    actions.toggle()
    assert store.state.drive is None
    actions.toggle()
    assert store.state.drive == Drive(view="depth")
    store.undo()
    assert store.state.drive is None
    store.undo()
    assert store.state.drive == Drive(view="depth")


@pytest.mark.parametrize(("connection", "paused"), [("running", True), ("paused", False), ("lost", False)])
def test_one_key_pauses_goes_on_and_tries_a_lost_engine_again(desk, connection, paused):
    _, loop, actions = desk
    loop.say(connection=connection)
    actions.toggle_pause()
    assert loop.asked == [("pause", paused)]


def test_a_step_is_one_step(desk):
    _, loop, actions = desk
    actions.single_step()
    assert loop.asked == [("single_step",)]


def test_a_recording_gets_a_name_of_its_own_beside_the_screenshots_and_ends(desk):
    _, loop, actions = desk
    actions.toggle_record()
    ((_, path),) = loop.asked
    assert path == actions.folder / "drive_7_0001.jsonl"
    loop.say(recording=str(path))
    actions.toggle_record()
    assert loop.asked[-1] == ("record", None)


def test_a_second_recording_never_overwrites_the_first(desk):
    _, loop, actions = desk
    actions.folder.mkdir()
    (actions.folder / "drive_7_0001.jsonl").touch()
    actions.toggle_record()
    assert loop.asked[-1][1].name == "drive_7_0002.jsonl"


def test_the_newest_recording_is_the_last_one(desk):
    _, loop, actions = desk
    actions.replay_last()
    assert loop.asked == []
    assert "no recording" in loop.told[-1]
    actions.folder.mkdir()
    (actions.folder / "drive_7_0001.jsonl").touch()
    actions.replay_last()
    assert loop.asked == [("replay", actions.folder / "drive_7_0001.jsonl")]


def test_a_replay_from_the_generators_starts_a_drive(desk, tmp_path):
    store, loop, actions = desk
    actions.leave()
    actions.replay(tmp_path / "x.jsonl")
    assert store.state.drive is not None
    assert loop.asked == [("replay", tmp_path / "x.jsonl")]


def test_driving_verbs_without_a_drive_say_so_and_do_nothing(desk):
    store, loop, actions = desk
    actions.leave()
    for verb in (actions.reverse, actions.reset, actions.toggle_pause, actions.toggle_record, actions.single_step):
        verb()
    assert loop.asked == []
    assert len(loop.told) == 5
    assert store.state.drive is None


def test_another_town_is_one_step_that_can_be_taken_back(desk):
    store, _, actions = desk
    actions.new_town(99)
    assert store.state.drive == Drive(seed=99)
    assert store.can_undo == "Town 99"
    store.undo()
    assert store.state.drive == Drive()


def test_a_painter_chosen_among_the_generators_starts_the_drive_with_it(desk):
    store, _, actions = desk
    actions.leave()
    actions.set_translator("/data/latest_net_G.pth")
    assert store.state.drive == Drive(translator="/data/latest_net_G.pth")


def test_opening_a_generator_leaves_the_drive(desk):
    store, _, actions = desk
    actions.leave_for("/models/heads.pkl")
    assert store.state.drive is None
    assert store.can_undo == "Leave the drive for heads.pkl"


def test_what_is_said_of_the_vehicle_in_a_screenshot_is_plain_json(desk):
    import json

    from neuroview.viewer.driving.screenshot import vehicle_notes

    _, loop, _ = desk
    status = replace(loop.status.drive, frame=frame(60, x=3.0, y=-2.0, yaw=1.5707963, speed=10.0))
    notes = json.loads(json.dumps(vehicle_notes(status)))
    assert (notes["x"], notes["y"], notes["heading"], notes["km/h"], notes["seconds"]) == (3.0, -2.0, 90.0, 36.0, 2.0)
