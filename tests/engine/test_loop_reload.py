"""The loop with a model that trains: its file changes, and what the person has set stays."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from neuroview.engine import model
from neuroview.engine.loop import RenderLoop
from neuroview.engine.state import ViewState
from neuroview.engine.store import Store
from neuroview.models.errors import CheckpointError

PATIENCE = 60.0


class Followed:
    """A running loop, and a wait for what it does that needs no polling."""

    def __init__(self) -> None:
        self.store = Store(ViewState(model=""))
        self.loop = RenderLoop(self.store, device="cpu", follows=True)
        self.changed = threading.Condition()
        self.activities: list[str] = []
        self.loop.listen(self._note)

    def _note(self) -> None:
        with self.changed:
            self.activities.append(self.loop.status.activity)
            self.changed.notify_all()

    def until(self, condition, what: str) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), f"never happened: {what}; {self.loop.status}"

    def until_final(self) -> None:
        def final() -> bool:
            frame = self.loop.frame
            return frame is not None and frame.final and self.loop.status.activity == "Ready"

        self.until(final, "a final frame")


@pytest.fixture
def followed(sphere_model):
    made = Followed()
    made.loop.start("sphere")
    made.until_final()
    yield made
    made.loop.stop()


def test_a_rewritten_model_is_shown_from_where_the_person_stands(followed, sphere_model):
    followed.store.update(lambda s: replace(s, camera=replace(s.camera, yaw=0.7)), label="Turn")
    followed.until(lambda: followed.loop.frame.state.camera.yaw == 0.7, "the turned frame")
    followed.until_final()
    before, frame, state = sphere_model["sphere"], followed.loop.frame, followed.store.state
    followed.activities.clear()
    followed.loop.reload("sphere")
    followed.until(lambda: followed.loop.frame is not frame, "another frame")
    followed.until_final()
    assert sphere_model["sphere"] is not before
    assert followed.loop.frame.state == state == followed.store.state
    assert not [text for text in followed.activities if text.startswith("Loading")]
    assert followed.loop.status.message is None


def test_finer_grids_of_a_followed_model_are_baked_only_when_somebody_moves(followed):
    assert "Baking a preview" not in followed.activities
    followed.store.update(lambda s: replace(s, camera=replace(s.camera, yaw=0.2)), label="Turn")
    followed.until(lambda: "Baking a preview" in followed.activities, "baking")


def test_a_file_that_cannot_be_read_changes_nothing(followed, monkeypatch):
    tried = threading.Event()

    def refuse(reference):
        tried.set()
        raise CheckpointError("half of it is there")

    monkeypatch.setattr(model, "open_generator", refuse)
    info = followed.loop.status.model
    followed.loop.reload("sphere")
    assert tried.wait(PATIENCE)
    followed.store.update(lambda s: replace(s, camera=replace(s.camera, yaw=0.4)), label="Turn")
    followed.until(lambda: followed.loop.frame.state.camera.yaw == 0.4, "a frame of the old model")
    assert followed.loop.status.model is info
    assert followed.loop.status.message is None


def test_another_models_file_is_not_taken_for_the_open_one(followed, sphere_model):
    before = sphere_model["sphere"]
    followed.loop.reload("ball")
    followed.store.update(lambda s: replace(s, camera=replace(s.camera, yaw=0.4)), label="Turn")
    followed.until(lambda: followed.loop.frame.state.camera.yaw == 0.4, "the next frame")
    assert sphere_model == {"sphere": before}
