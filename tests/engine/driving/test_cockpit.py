"""The driver's end: CONTROL out, the newest DATA in, pauses, recordings, and engines that die."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from flat_world import FlatWorlds, H, W
from neuroview.engine.driving import cockpit as module
from neuroview.engine.driving.cockpit import Cockpit
from neuroview.engine.driving.controllog import read_drive
from neuroview.engine.driving.messages import Control
from neuroview.engine.driving.simulator import EngineError, RecordingEndedError
from neuroview.engine.state import Drive

DRIVE = Drive(width=W, height=H)
PATIENCE = 20.0


class Driven:
    """A cockpit and its worlds, and a way to wait for either."""

    def __init__(self, worlds, recorded=None):
        self.worlds, self.told = worlds, []
        self._changed = threading.Event()
        self.cockpit = Cockpit(
            DRIVE, self._changed.set, lambda text, level: self.told.append((level, text)), worlds, recorded
        )
        self.cockpit.start()

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, self.cockpit.status
            self._changed.wait(0.05)
            self._changed.clear()
        return found

    def connected(self):
        self.until(lambda: self.cockpit.status.engine)
        return self.link

    @property
    def link(self):
        return self.worlds.links[-1]

    def frame(self):
        return self.until(self.cockpit.take).frame


@pytest.fixture
def drive():
    made = []

    def begin(worlds=None, recorded=None):
        made.append(Driven(worlds or FlatWorlds(), recorded))
        return made[-1]

    yield begin
    for each in made:
        each.cockpit.close()
        assert all(link.closed for link in each.worlds.links)


def test_what_the_driver_does_reaches_the_engine_with_what_the_state_says(drive):
    driven = drive()
    link = driven.connected()
    driven.cockpit.look(replace(DRIVE, hour=18.0, fog=0.7, viewpoint="hood"))
    driven.cockpit.steer(Control(steer=0.5, throttle=0.25))
    sent = link.sent[-1]
    assert (sent.steer, sent.throttle, sent.viewpoint) == (0.5, 0.25, "hood")
    assert (sent.weather.hour, sent.weather.fog) == (18.0, 0.7)


def test_serials_grow_with_every_control(drive):
    driven = drive()
    link = driven.connected()
    for steer in (0.1, 0.2, 0.3):
        driven.cockpit.steer(Control(steer=steer))
    serials = [control.serial for control in link.sent]
    assert serials == sorted(set(serials))


def test_an_unchanged_control_is_not_sent_again_at_once(drive):
    driven = drive()
    link = driven.connected()
    for _ in range(50):
        driven.cockpit.steer(Control(steer=0.1))
    assert len(link.sent) < 25


@pytest.mark.parametrize(("view", "wanted"), [("painted", False), ("photo", True), ("split", True), ("depth", False)])
def test_the_photo_is_asked_for_only_where_it_is_looked_at(drive, view, wanted):
    driven = drive()
    link = driven.connected()
    driven.cockpit.look(replace(DRIVE, view=view, fog=0.9))
    assert link.sent[-1].photo is wanted


def test_a_slow_painter_gets_the_newest_frame_and_the_rest_counts_as_dropped(drive):
    driven = drive()
    link = driven.connected()
    link.run(1)
    assert driven.frame().number == 1
    link.run(4)
    assert driven.frame().number == 2  # drawn as soon as the first was taken up
    link.run(1)
    assert driven.frame().number == 6
    assert driven.cockpit.status.dropped == 3
    assert driven.cockpit.take() is None


def test_metres_add_up(drive):
    driven = drive()
    link = driven.connected()
    driven.cockpit.steer(Control(throttle=1.0))
    for _ in range(30):
        link.run(1)
        driven.frame()
    assert driven.cockpit.status.distance == pytest.approx(link.world.x, rel=0.05)


def test_latency_is_counted_from_sending_to_showing(drive):
    driven = drive()
    link = driven.connected()
    before = time.perf_counter()
    driven.cockpit.steer(Control(steer=0.5))
    link.run(1)
    arrival = driven.until(driven.cockpit.take)
    driven.cockpit.shown(arrival, before + 0.2)
    first = driven.cockpit.status.latency_ms
    assert 150 < first <= 200
    driven.cockpit.shown(arrival, before + 9.0)  # the same control again says nothing new
    assert driven.cockpit.status.latency_ms == first


def test_a_pause_shows_one_last_frame_with_a_photo_and_then_none(drive):
    driven = drive()
    link = driven.connected()
    link.run(1)
    driven.frame()
    driven.cockpit.pause(True)
    assert driven.frame().photo is not None
    link.run(10)
    assert driven.cockpit.take() is None
    assert driven.cockpit.status.connection == "paused"


def test_a_single_step_is_one(drive):
    driven = drive()
    driven.connected()
    driven.cockpit.pause(True)
    number = driven.frame().number
    driven.cockpit.single_step()
    assert driven.frame().number == number + 1
    assert driven.cockpit.take() is None


def test_going_on_after_a_pause_runs_again(drive):
    driven = drive()
    link = driven.connected()
    driven.cockpit.pause(True)
    driven.frame()
    driven.cockpit.pause(False)
    link.run(1)
    assert driven.frame()
    assert driven.cockpit.status.connection == "running"


def test_an_engine_that_is_not_there_is_lost_with_its_words_and_can_be_tried_again(drive):
    worlds = FlatWorlds()
    worlds.refuse = "nobody answers at 127.0.0.1:9"
    driven = drive(worlds)
    driven.until(lambda: driven.cockpit.status.connection == "lost" and driven.told)
    assert "Nobody answers" in driven.cockpit.status.text
    assert driven.told[0][0] == "error"
    worlds.refuse = None
    driven.cockpit.pause(False)
    driven.connected()
    assert driven.cockpit.status.connection == "running"


def test_an_engine_that_dies_after_a_while_is_started_again_where_the_drive_was(drive, monkeypatch):
    monkeypatch.setattr(module, "STEADY", -1.0)
    driven = drive()
    link = driven.connected()
    driven.cockpit.steer(Control(throttle=1.0))
    link.run(20)
    driven.frame()
    where = link.world.x
    link.die(EngineError("it was killed"))
    driven.cockpit.take()
    driven.until(lambda: len(driven.worlds.links) == 2 and driven.cockpit.status.engine)
    assert driven.link.world.x == where
    driven.link.run(1)
    assert driven.frame().cut
    assert driven.told[0][0] == "warning"
    assert "It was killed. The engine is started again" in driven.told[0][1]


def test_an_engine_that_dies_at_once_is_not_started_for_ever(drive):
    driven = drive()
    driven.connected().die(EngineError("no OpenGL"))
    driven.cockpit.take()
    assert driven.cockpit.status.connection == "lost"
    assert "No OpenGL. Go on to try again." in driven.cockpit.status.text
    assert len(driven.worlds.links) == 1


def test_leaving_while_an_engine_starts_waits_for_nothing_and_says_nothing():
    waiting, told = threading.Event(), []

    def connect(drive, notify, state, clock, abandon):
        over = threading.Event()
        with abandon.interrupting(over.set):
            waiting.set()
            assert over.wait(PATIENCE)
        raise EngineError("it was abandoned")

    cockpit = Cockpit(DRIVE, lambda: None, lambda *said: told.append(said), connect)
    cockpit.start()
    assert waiting.wait(PATIENCE)
    cockpit.close()
    assert not [t for t in threading.enumerate() if t.name == "neuroview-drive"]
    assert told == []


def test_a_mistake_in_reaching_an_engine_is_told_in_whole_sentences(caplog):
    def connect(*_):
        raise KeyError("port")

    told = []
    cockpit = Cockpit(DRIVE, lambda: None, lambda *said: told.append(said), connect)
    cockpit.start()
    cockpit._thread.join(0.05)
    deadline = time.monotonic() + PATIENCE
    while not told and time.monotonic() < deadline:
        cockpit._thread.join(0.01)
    cockpit.close()
    assert told == [("The engine could not be reached: KeyError: 'port'. Go on to try again.", "error")]


def test_an_engine_that_goes_on_is_not_asked_for_what_was_asked_before(drive, monkeypatch):
    monkeypatch.setattr(module, "STEADY", -1.0)
    driven = drive()
    link = driven.connected()
    driven.cockpit.steer(Control(resets=5))  # of earlier drives in this window
    assert link.sent[-1].resets == 0
    driven.cockpit.steer(Control(resets=6))
    assert link.sent[-1].resets == 1
    link.die(EngineError("it was killed"))
    driven.cockpit.take()
    driven.until(lambda: len(driven.worlds.links) == 2 and driven.cockpit.status.engine)
    driven.cockpit.steer(Control(resets=6, steer=0.1))
    assert {control.resets for control in driven.link.sent} == {0}
    driven.cockpit.steer(Control(resets=7))
    assert driven.link.sent[-1].resets == 1


def test_a_frame_drawn_before_the_photo_was_asked_for_is_marked(drive):
    driven = drive()
    link = driven.connected()
    link.run(1)
    driven.frame()
    link.run(1)
    driven.cockpit.look(replace(DRIVE, view="photo"))
    assert driven.cockpit.photo_follows(driven.until(driven.cockpit.take))
    link.run(1)
    arrival = driven.until(driven.cockpit.take)
    assert arrival.frame.photo is not None
    assert not driven.cockpit.photo_follows(arrival)


def test_only_the_maps_that_are_wanted_are_asked_for(drive):
    driven = drive()
    driven.cockpit.want(("depth",))
    assert driven.connected().parts == ("depth",)
    driven.cockpit.want(("depth", "normals"))
    assert driven.link.parts == ("depth", "normals")


def test_the_end_of_a_recorded_sequence_is_a_pause(drive):
    driven = drive()
    driven.connected().die(RecordingEndedError("that was the last picture."))
    driven.cockpit.take()
    assert driven.cockpit.status.connection == "paused"
    driven.cockpit.pause(False)
    driven.until(lambda: len(driven.worlds.links) == 2)
    assert driven.worlds.states[-1] is None


def test_a_halt_pauses_and_says_why(drive):
    driven = drive()
    driven.connected()
    driven.cockpit.halt("The painter refuses.")
    assert driven.cockpit.status.connection == "paused"
    assert driven.cockpit.status.text == "The painter refuses."
    assert driven.told == [("error", "The painter refuses.")]
    driven.cockpit.pause(False)
    assert driven.cockpit.status.text == ""


def record(driven, path):
    """Drives 40 steps of a bend, painting some of them, and records from the middle on; the world's end."""
    link = driven.connected()
    for n in range(40):
        driven.cockpit.steer(Control(steer=0.02 * n, throttle=n / 40))
        link.run(1)
        if n % 3:
            driven.frame()
        if n == 20:
            driven.cockpit.record(path)
    driven.frame()
    assert driven.cockpit.status.recording == str(path)
    driven.cockpit.record(None)
    assert driven.cockpit.status.recording == ""
    return link.world


def test_a_recording_begun_in_the_middle_repeats_the_drive_exactly(drive, tmp_path):
    path = tmp_path / "drive.jsonl"
    world = record(drive(), path)
    again = drive(recorded=read_drive(path))
    again.connected()
    for number in range(1, world.number + 1):
        frame = again.frame()
        assert frame.number == number
    repeated = again.link.world
    assert (repeated.x, repeated.speed, repeated.bend) == (world.x, world.speed, world.bend)
    assert again.cockpit.status.connection == "paused"
    assert "over" in again.cockpit.status.text


def test_after_a_replay_one_drives_on(drive, tmp_path):
    path = tmp_path / "drive.jsonl"
    world = record(drive(), path)
    again = drive(recorded=read_drive(path))
    again.connected()
    for _ in range(world.number):
        again.frame()
    assert again.cockpit.status.replaying
    again.cockpit.pause(False)
    assert not again.cockpit.status.replaying
    again.link.run(1)
    assert again.frame().number == world.number + 1


def test_a_replay_can_be_paused_and_stepped(drive, tmp_path):
    path = tmp_path / "drive.jsonl"
    record(drive(), path)
    again = drive(recorded=read_drive(path))
    again.connected()
    again.frame()
    again.cockpit.pause(True)
    again.cockpit.take()
    done = again.link.world.number
    again.cockpit.single_step()
    assert again.frame().number == done + 1
    assert again.cockpit.take() is None


def test_a_folder_that_cannot_be_written_to_ends_no_drive(drive, tmp_path):
    driven = drive()
    driven.connected()
    with pytest.raises(EngineError, match="cannot be recorded"):
        driven.cockpit.record(tmp_path / "missing" / "drive.jsonl")
    assert driven.cockpit.status.connection == "running"


def test_the_maps_arrive_as_they_were_drawn(drive):
    driven = drive()
    driven.connected().run(1)
    frame = driven.frame()
    assert frame.labels.shape == (H, W)
    assert np.isinf(frame.depth[0]).all()
