"""Edits in the render loop: live from any camera, stoppable, one step to undo, and never in the way of the hand."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
import torch
from neuroview.engine import edit_loop
from neuroview.engine.edit_tasks import Task
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.identity import Identity
from neuroview.engine.editing.inversion import InversionProgress
from neuroview.engine.editing.progress import EditProgress
from neuroview.engine.editing.result import EditResult
from neuroview.engine.loop import RenderLoop
from neuroview.engine.state import Camera, Edits, Quality, Stroke, ViewState
from neuroview.engine.store import Store
from neuroview.engine.warmup import WarmUp

PATIENCE = 60.0
RED = Stroke("colour", ((0.5, 0.5),), Camera(radius=4.0))
OFF = replace(RED, on=False)
REMOVE = replace(RED, kind="remove")


def reddened(amount):
    return EditResult(codes=torch.tensor([[0.0, 0.0, 0.0], [amount, 0.0, 0.0]]))


class Optimiser:
    """Adds red to the sphere, a little more with each piece, until a test lets it end."""

    def __init__(self):
        self.pieces, self.closed = 0, False
        self.finish, self.error = threading.Event(), None
        self.first_after = 0
        self.last: EditProgress | InversionProgress | None = None

    def __call__(self, pipeline, state):
        try:
            while not self.finish.wait(0.002):
                self.pieces += 1
                assert torch.is_grad_enabled()
                assert not torch.is_inference_mode_enabled()
                if self.error:
                    raise self.error
                result = reddened(min(0.3, 0.01 * self.pieces)) if self.pieces > self.first_after else None
                yield EditProgress(self.pieces, 1000, 1 / self.pieces, 5.0, result, says="Reddening")
            yield self.last or EditProgress(1000, 1000, 0.0, 0.0, reddened(0.5), done=True, says="Done")
        finally:
            self.closed = True


class Editing:
    def __init__(self, store, loop, optimiser):
        self.store, self.loop, self.optimiser = store, loop, optimiser
        self.changed = threading.Event()
        loop.listen(self.changed.set)

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}; {self.loop.status}"
            self.changed.wait(0.05)
            self.changed.clear()

    def red(self):
        """Of the picture's middle, against its green."""
        pixels = self.loop.frame.pixels
        side = len(pixels)
        middle = pixels[side * 3 // 8 : side * 5 // 8, side * 3 // 8 : side * 5 // 8, :3].float().mean((0, 1))
        return float(middle[0] - middle[1])

    def live(self):
        self.until(lambda: self.loop.status.edit and self.loop.status.edit.live, "a first result")

    def still(self):
        self.until(
            lambda: (
                self.loop.frame
                and self.loop.frame.final
                and self.loop.frame.stamp == self.store.snapshot[0]
                and self.loop.status.activity == "Ready"
            ),
            "a still picture",
        )

    def begin(self):
        self.loop.edit("colour")
        self.until(lambda: self.loop.status.edit is not None, "an edit")


@pytest.fixture
def editing(sphere_model, monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROVIEW_EDITS", str(tmp_path / "edits"))
    optimiser = Optimiser()
    monkeypatch.setattr(edit_loop, "stroke_task", lambda *_: Task("Colour", "Colour edit", optimiser))
    monkeypatch.setattr(WarmUp, "start", lambda self: None)  # nothing is baked here
    before = set(threading.enumerate())
    # Exact pictures of 64 rays: neither occupancy nor baked grids are made of every result.
    store = Store(ViewState(model="", quality=Quality("exact", resolution=8)))
    loop = RenderLoop(store, device="cpu")
    made = Editing(store, loop, optimiser)
    loop.start("sphere")
    made.still()
    store.update(lambda s: replace(s, edits=Edits((RED, OFF, REMOVE))), label="Strokes")
    made.still()
    yield made
    loop.stop()
    assert not [t for t in set(threading.enumerate()) - before if t.is_alive()]


def test_the_newest_result_is_seen_while_the_edit_runs_and_the_state_knows_nothing_of_it(editing):
    state, red = editing.store.state, editing.red()
    editing.begin()
    editing.live()
    editing.until(lambda: editing.red() > red + 20, "more red")
    assert editing.store.state == state
    assert editing.loop.frame.state == state
    status = editing.loop.status.edit
    assert (status.what, status.steps, status.text) == ("Colour", 1000, "Reddening")
    assert list(status.losses) == sorted(status.losses, reverse=True)


def test_at_the_end_it_is_one_step_to_undo_and_has_used_its_strokes(editing, tmp_path):
    red = editing.red()
    editing.begin()
    editing.live()
    editing.optimiser.finish.set()
    editing.until(lambda: editing.store.state.edits.result, "a result")
    editing.still()
    assert editing.store.state.edits.strokes == (OFF, REMOVE)
    assert (tmp_path / "edits" / f"{editing.store.state.edits.result}.safetensors").is_file()
    assert editing.loop.status.edit is None
    editing.until(lambda: editing.loop.status.message is not None, "a word about it")
    assert editing.loop.status.message.text == "Colour edit: done. Undo takes it back"
    assert editing.red() > red + 30
    assert editing.store.undo() == "Colour edit"
    editing.still()
    assert editing.store.state.edits == Edits((RED, OFF, REMOVE))
    assert editing.red() == pytest.approx(red)


def test_the_camera_moves_freely_and_sees_the_newest_result(editing):
    editing.begin()
    editing.live()
    for yaw in (0.1, 0.2, 0.3):
        editing.store.update(lambda s, y=yaw: replace(s, camera=replace(s.camera, yaw=y)), label="Orbit")
        editing.until(lambda y=yaw: editing.loop.frame.state.camera.yaw == y, "the camera's frame")
    assert editing.loop.status.edit is not None
    editing.loop.stop_edit(True)
    editing.until(lambda: editing.store.state.edits.result, "a result")
    assert editing.store.state.camera.yaw == 0.3


def test_dropped_the_scene_is_as_before_and_nothing_is_stored(editing, tmp_path):
    state, red = editing.store.state, editing.red()
    editing.begin()
    editing.live()
    editing.loop.stop_edit(False)
    editing.until(lambda: editing.loop.status.edit is None, "the end")
    editing.still()
    assert editing.store.state == state
    assert editing.red() == pytest.approx(red)
    assert editing.optimiser.closed
    assert not list((tmp_path / "edits").glob(f"{64 * '?'}.safetensors"))


def test_kept_before_there_is_a_result_it_says_so_and_goes_on(editing):
    editing.optimiser.first_after = 10**6
    editing.begin()
    editing.loop.stop_edit(True)
    editing.until(lambda: editing.loop.status.message, "a sentence")
    assert "no result yet" in editing.loop.status.message.text
    assert editing.store.state.edits.result == ""
    assert editing.loop.status.edit is not None


def test_another_identity_drops_the_edit_with_a_sentence(editing):
    editing.begin()
    editing.live()
    editing.store.update(lambda s: replace(s, latents=replace(s.latents, seed_a=5)), label="Seed")
    editing.until(lambda: editing.loop.status.edit is None, "the end")
    editing.still()
    assert "Colour edit was dropped" in editing.loop.status.message.text
    assert editing.store.state.edits.result == ""
    assert editing.store.state.latents.seed_a == 5


def test_another_model_drops_the_edit_and_starts_without_edits_of_its_own(editing):
    editing.optimiser.finish.set()
    editing.loop.edit("colour")
    editing.until(lambda: editing.store.state.edits.result, "a first edit")
    editing.optimiser.finish.clear()
    editing.begin()
    editing.loop.open("ball")
    editing.until(lambda: editing.loop.status.model.reference == "ball", "the ball")
    editing.until(lambda: editing.loop.status.edit is None, "the end")
    assert "dropped" in editing.loop.status.message.text
    assert editing.store.state.edits == Edits()


@pytest.mark.parametrize("error", [EditError("Stroke 1 lies on empty space."), ValueError("a mistake")])
def test_an_edit_that_fails_leaves_the_scene_as_before(editing, error, caplog):
    state = editing.store.state
    editing.begin()
    editing.live()
    editing.optimiser.error = error
    editing.until(lambda: editing.loop.status.message, "an explanation")
    editing.until(lambda: editing.loop.status.edit is None, "the end")
    assert str(error) in editing.loop.status.message.text
    assert editing.loop.status.message.level == "error"
    assert editing.store.state == state
    editing.still()


def test_one_edit_at_a_time(editing):
    editing.begin()
    editing.loop.edit("shape")
    editing.until(lambda: editing.loop.status.message, "a sentence")
    assert "still running" in editing.loop.status.message.text
    assert editing.loop.status.edit is not None


def test_a_photo_that_is_no_photo_is_told(editing, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    editing.loop.invert(tmp_path / "notes.txt")
    editing.until(lambda: editing.loop.status.message, "an explanation")
    assert "not a picture" in editing.loop.status.message.text
    editing.until(lambda: editing.loop.status.edit is None, "the end")


def found(poor):
    identity = Identity(torch.tensor([[0.5, 0.0, 0.0], [0.9, 0.1, 0.1]]), camera=Camera(yaw=0.4, radius=4.0))
    return InversionProgress(1, 1, 0.1, 0.0, identity, done=True, says="Keep it anyway?", poor=poor)


def test_a_photo_becomes_the_identity_and_moves_the_camera_as_one_step(editing, tmp_path, monkeypatch):
    editing.optimiser.first_after, editing.optimiser.last = 10**6, found(False)
    monkeypatch.setattr(
        edit_loop, "photo_task", lambda p, *_: Task("Photo", f"Photo {p.name}", editing.optimiser, str(p))
    )
    editing.optimiser.finish.set()
    editing.loop.invert(tmp_path / "who.png")
    editing.until(lambda: editing.store.state.latents.identity, "an identity")
    editing.still()
    assert editing.store.state.camera.yaw == 0.4
    assert editing.store.state.edits.strokes == (RED, OFF, REMOVE)
    assert editing.red() > 100
    assert editing.store.undo() == "Photo who.png"


def test_a_poor_likeness_waits_to_be_kept(editing, tmp_path, monkeypatch):
    editing.optimiser.first_after, editing.optimiser.last = 10**6, found(True)
    monkeypatch.setattr(
        edit_loop, "photo_task", lambda p, *_: Task("Photo", f"Photo {p.name}", editing.optimiser, str(p))
    )
    editing.optimiser.finish.set()
    editing.loop.invert(tmp_path / "who.png")
    editing.until(lambda: editing.loop.status.message, "a question")
    editing.until(lambda: editing.red() > 100, "what was found")
    assert editing.store.state.latents.identity == ""
    assert editing.loop.status.edit.text == "Keep it anyway?"
    editing.loop.stop_edit(True)
    editing.until(lambda: editing.store.state.latents.identity, "an identity")
    assert editing.loop.status.edit is None


def test_a_drive_drops_the_edit(editing):
    from neuroview.engine.state import Drive

    editing.begin()
    editing.store.update(lambda s: replace(s, drive=Drive(engine="nobody")), label="Drive")
    editing.until(lambda: editing.loop.status.edit is None, "the end")
    assert editing.optimiser.closed


def test_the_names_of_the_models_directions_arrive_when_all_is_still(editing):
    editing.until(lambda: editing.loop.status.model.directions, "directions")
    assert "Shape 1" in editing.loop.status.model.directions
