"""A drive in the render loop: the newest frame is painted once, views recolour it, and nothing runs in circles."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from flat_world import FlatWorlds, H, W
from neuroview.engine import process
from neuroview.engine.drive_loop import DriveRunner, _threads_beside
from neuroview.engine.driving import cockpit
from neuroview.engine.driving.messages import Control
from neuroview.engine.driving.painting import Painting
from neuroview.engine.driving.simulator import EngineError
from neuroview.engine.loop import RenderLoop
from neuroview.engine.state import Drive, ViewState
from neuroview.engine.store import Store
from neuroview.models.base import ModelCard
from neuroview.models.formats import painter_native
from neuroview.models.frames import FrameError
from neuroview.models.labels import palette
from neuroview.models.painter import Painter, PainterConfig

PATIENCE = 30.0
CONFIG = PainterConfig(width=4, maps=8, past=4)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    card = ModelCard("small", "vid2vid+spade", "A small painter")
    painter_native.save(path, Painter(CONFIG.network(), CONFIG, card))
    return str(path)


@pytest.fixture
def painted(monkeypatch):
    """Numbers of the frames that were painted, in order."""
    numbers, paint = [], Painting.paint

    def counted(self, frame, label_set, follows=True):
        numbers.append(frame.number)
        return paint(self, frame, label_set, follows)

    monkeypatch.setattr(Painting, "paint", counted)
    return numbers


class Driving:
    """A loop whose worlds a test moves, and a way to wait for what it does."""

    def __init__(self, store, loop, worlds):
        self.store, self.loop, self.worlds = store, loop, worlds
        self._changed = threading.Event()
        loop.listen(self._changed.set)

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"never happened: {what}; {self.loop.status}"
            self._changed.wait(0.05)
            self._changed.clear()
        return found

    def change(self, **changes):
        self.store.update(lambda s: replace(s, drive=replace(s.drive, **changes)), label="test")

    def link(self, count=1):
        self.until(lambda: len(self.worlds.links) >= count and self.status and self.status.engine, "an engine")
        return self.worlds.links[-1]

    @property
    def status(self):
        return self.loop.status.drive

    def shown(self):
        """Number of the frame that is on the screen."""
        frame = self.loop.frame
        return frame and frame.rung == "painted" and self.status.frame and self.status.frame.number

    def run(self):
        """One step of the world, and its picture."""
        link = self.link()
        before = link.world.number
        link.run(1)
        self.until(lambda: self.shown() == before + 1, "the next frame")
        return self.loop.frame


@pytest.fixture
def driving(weights, sphere_model):
    before, made = set(threading.enumerate()), []

    def begin(**changes):
        drive = Drive(**{"translator": weights, "width": W, "height": H, **changes})
        store = Store(ViewState(model="sphere", drive=drive))
        loop, worlds = RenderLoop(store, device="cpu", threads=1), FlatWorlds()
        loop._drive = DriveRunner(store, loop._out, loop._wake.set, worlds)
        made.append(loop)
        loop.start("sphere")
        return Driving(store, loop, worlds)

    yield begin
    for loop in made:
        loop.stop()
    assert not [t for t in set(threading.enumerate()) - before if t.is_alive()]


def colours(frame):
    return frame.pixels[..., :3].numpy()


def test_a_frame_of_the_engine_becomes_a_painted_picture(driving):
    frame = driving().run()
    assert frame.rung == "painted"
    assert frame.pixels.shape == (H, W, 4)
    assert frame.rgb.shape == (H, W, 3)
    assert frame.depth.shape == (H, W)
    assert np.abs(colours(frame) - 255 * frame.rgb.numpy()).max() <= 1
    assert f"{W}×{H}" in frame.detail


def test_the_status_tells_what_paints_and_what_drives(driving):
    drive = driving()
    drive.run()
    drive.run()
    status = drive.until(lambda: drive.status.painter_ms and drive.status, "a painted frame")
    assert status.connection == "running"
    assert status.engine.title == "Flat world"
    assert status.translator == "A small painter"


def test_each_frame_is_painted_once_however_often_it_is_looked_at(driving, painted):
    drive = driving(view="split")
    drive.run()
    for split in np.linspace(0, 1, 8):
        drive.change(view="split", split=float(split))
    drive.until(lambda: drive.loop.frame.state.drive.split == 1.0, "the last divider")
    drive.run()
    assert painted == [1, 2]


def test_a_paused_drive_is_recoloured_and_keeps_its_picture(driving, painted):
    drive = driving()
    drive.run()
    drive.loop.pause(True)
    drive.until(lambda: drive.status.connection == "paused" and drive.shown() == 2, "the last frame")
    before = colours(drive.loop.frame).copy()
    drive.change(view="semantic")
    drive.until(lambda: drive.loop.frame.state.drive.view == "semantic", "labels")
    assert {tuple(c) for c in colours(drive.loop.frame).reshape(-1, 3)} <= {tuple(c) for c in palette("carla")}
    drive.change(view="photo")
    drive.until(lambda: drive.loop.frame.state.drive.view == "photo", "the photo")
    assert (colours(drive.loop.frame) == 2).all()
    drive.change(view="painted")
    drive.until(lambda: drive.loop.frame.state.drive.view == "painted", "the painting")
    assert (colours(drive.loop.frame) == before).all()
    assert painted == [1, 2]


def test_views_that_need_no_painter_paint_nothing(driving, painted):
    drive = driving(view="depth")
    drive.run()
    drive.run()
    assert painted == []
    assert drive.status.translator == ""


def test_nothing_is_painted_or_shown_while_nothing_happens(driving, painted):
    drive = driving()
    frame = drive.run()
    steps = []
    step = drive.loop._drive.step
    drive.loop._drive.step = lambda: steps.append(0) or step()
    drive.until(lambda: drive.loop._wake.wait(0.0) is False, "the loop sleeps")
    drive.loop._wake.wait(0.1)
    assert len(steps) <= 1
    assert drive.loop.frame is frame
    assert painted == [1]


def test_steering_does_not_wait_for_the_painter(driving, monkeypatch):
    drive = driving()
    link = drive.link()
    drive.run()
    inside, leave, paint = threading.Event(), threading.Event(), Painting.paint

    def slow(self, *arguments):
        inside.set()
        assert leave.wait(PATIENCE)
        return paint(self, *arguments)

    monkeypatch.setattr(Painting, "paint", slow)
    link.run(1)
    assert inside.wait(PATIENCE)
    drive.loop.steer(Control(steer=0.75))
    sent = link.sent[-1].steer
    link.run(5)
    leave.set()
    assert sent == 0.75
    drive.until(lambda: drive.shown() == 3, "the frame drawn meanwhile")


def test_another_hour_is_told_to_the_same_engine(driving):
    drive = driving()
    link = drive.link()
    drive.change(hour=20.5)
    drive.until(lambda: link.sent[-1].weather.hour == 20.5, "dusk")
    assert len(drive.worlds.links) == 1


def test_another_seed_is_another_engine(driving):
    drive = driving()
    first = drive.link()
    drive.change(seed=99)
    drive.link(2)
    assert first.closed
    assert drive.worlds.drives[-1].seed == 99


def test_another_translator_repaints_a_paused_frame_in_the_same_engine(driving, painted, weights, tmp_path):
    drive = driving()
    drive.run()
    drive.loop.pause(True)
    drive.until(lambda: drive.shown() == 2, "the last frame")
    torch.manual_seed(1)
    other = tmp_path / "other.safetensors"
    painter_native.save(other, Painter(CONFIG.network(), CONFIG, ModelCard("other", "", "Another painter")))
    drive.change(translator=str(other))
    drive.until(lambda: drive.status.translator == "Another painter" and len(painted) == 3, "the other painter")
    assert painted == [1, 2, 2]
    assert len(drive.worlds.links) == 1


def test_without_a_painter_the_labels_are_shown_and_a_sentence_says_so(driving):
    drive = driving(translator="nobody")
    frame = drive.run()
    assert {tuple(c) for c in colours(frame).reshape(-1, 3)} <= {tuple(c) for c in palette("carla")}
    assert drive.status.painter == "missing"
    assert "nobody" in drive.status.painter_text
    assert not drive.status.text
    assert drive.status.connection == "running"


def test_the_status_says_what_becomes_of_the_painter(driving, weights):
    drive = driving(view="depth")
    drive.run()
    assert drive.status.painter == "unused"
    drive.change(view="painted")
    drive.until(lambda: drive.status.painter == "ready", "the painter")
    drive.change(translator="nobody")
    drive.until(lambda: drive.status.painter == "missing", "no painter")
    drive.change(translator=weights)
    drive.until(lambda: drive.status.painter == "ready", "the painter again")


def test_the_engine_is_asked_for_the_maps_that_the_painter_reads(driving):
    drive = driving()
    drive.run()
    assert set(drive.link().parts) == {"depth", "motion", "photo", "expected_depth", "sun"}


def test_a_view_of_the_photo_keeps_the_picture_until_the_first_one_arrives(driving):
    drive = driving()
    painted = drive.run()
    link = drive.link()
    link.run(1)  # drawn without a photo, and shown or not
    drive.until(lambda: drive.shown() == 2, "the next frame")
    seen = []
    drive.loop.listen(lambda: seen.append(drive.loop.frame))
    drive.change(view="photo")
    drive.until(lambda: link.sent[-1].photo, "the photo is asked for")
    link.run(1)
    drive.until(lambda: drive.loop.frame.state.drive.view == "photo" and drive.shown() == 3, "the photo")
    labels = {tuple(c) for c in palette("carla")}
    assert not [f for f in seen if {tuple(c) for c in colours(f).reshape(-1, 3)} <= labels]
    assert painted.rung == "painted"


def test_a_frame_that_cannot_be_painted_pauses_the_drive_and_is_shown_as_labels(driving, monkeypatch):
    drive = driving()
    drive.run()
    paint = Painting.paint

    def refuse(self, *_):
        raise FrameError("the label map holds 77.")

    monkeypatch.setattr(Painting, "paint", refuse)
    drive.link().run(1)
    drive.until(lambda: drive.status.connection == "paused", "a pause")
    assert "holds 77" in drive.status.text
    drive.until(lambda: drive.loop.frame.final, "labels")
    monkeypatch.setattr(Painting, "paint", paint)
    drive.loop.pause(False)
    drive.until(lambda: drive.status.connection == "running", "the drive goes on")
    drive.link().run(1)
    drive.until(lambda: drive.loop.frame.rgb.is_floating_point() and not drive.loop.frame.final, "a picture")


def test_an_engine_that_is_lost_can_be_tried_again(driving, monkeypatch):
    monkeypatch.setattr(cockpit, "STEADY", 1e9)  # it never counts as having run well
    drive = driving()
    drive.run()
    drive.link().die(EngineError("it has crashed."))
    drive.until(lambda: drive.status.connection == "lost", "the loss")
    assert "It has crashed. Go on" in drive.loop.status.message.text
    drive.loop.pause(False)
    drive.link(2)
    assert drive.run()


def test_without_a_drive_the_generator_is_shown_as_before(driving):
    drive = driving()
    drive.run()
    link = drive.link()
    drive.store.update(lambda s: replace(s, drive=None), label="Generators")
    drive.until(lambda: drive.loop.frame.rung != "painted" and drive.loop.frame.final, "the sphere")
    assert drive.status is None
    assert link.closed
    drive.store.update(lambda s: replace(s, drive=Drive(translator="nobody", width=W, height=H)), label="Drive")
    drive.link(2)
    assert drive.run().rung == "painted"


def test_a_screenshot_of_a_drive_is_what_is_seen(driving):
    drive = driving()
    frame = drive.run()
    assert drive.loop.render(drive.store.state).result(PATIENCE) is frame


def test_a_recorded_drive_is_replayed_in_its_own_world(driving, tmp_path):
    drive = driving(seed=5)
    path = tmp_path / "drive.jsonl"
    link = drive.link()
    drive.loop.record(path)
    for n in range(10):
        drive.loop.steer(Control(steer=0.1, throttle=n / 10))
        drive.run()
    drive.loop.record(None)
    drive.until(lambda: drive.status.recording == "", "the end of the recording")
    drive.change(seed=6)
    drive.link(2)
    drive.loop.replay(path)
    drive.until(lambda: "over" in drive.status.text, "the end of the replay")
    assert drive.store.state.drive.seed == 5
    assert drive.worlds.drives[-1].seed == 5
    assert drive.worlds.links[-1].world.x == link.world.x


def test_a_file_that_is_no_recording_is_refused_and_the_drive_goes_on(driving, tmp_path):
    drive = driving()
    drive.run()
    (tmp_path / "notes.txt").write_text("hello\n")
    drive.loop.replay(tmp_path / "notes.txt")
    drive.until(lambda: drive.loop.status.message, "an explanation")
    assert "no recorded drive" in drive.loop.status.message.text
    assert drive.run()


@pytest.mark.parametrize(
    ("engine", "threads"), [("town", 3), ("carla://there:2000", 3), ("maps/Town01.xodr", 3), ("somewhere:2345", None)]
)
def test_an_engine_on_this_machine_is_left_a_core_by_the_painter(engine, threads, monkeypatch):
    monkeypatch.setattr(process, "cores", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert _threads_beside(engine) == threads


def test_on_a_single_core_the_painter_still_has_a_thread(monkeypatch):
    monkeypatch.setattr(process, "cores", lambda: 1)
    assert _threads_beside("town") == 1
