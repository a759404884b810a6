"""The loop: newest state wins, refines when still, bakes in the background, and survives what cannot be opened."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from neuroview.engine.loop import RenderLoop
from neuroview.engine.state import ViewState
from neuroview.engine.store import Store

PATIENCE = 60.0


class Watcher:
    """Waits for a condition on a loop without polling: the loop's own listener wakes it."""

    def __init__(self, loop):
        self.loop = loop
        self.changed = threading.Event()
        self.activities = []
        loop.listen(self.note)

    def note(self):
        activity = self.loop.status.activity
        if not self.activities or self.activities[-1] != activity:
            self.activities.append(activity)
        self.changed.set()

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}; {self.loop.status}"
            self.changed.wait(0.05)
            self.changed.clear()


@pytest.fixture
def running(sphere_model):
    before = set(threading.enumerate())
    store = Store(ViewState(model=""))
    loop = RenderLoop(store, device="cpu")
    watcher = Watcher(loop)
    loop.start("sphere")
    yield store, loop, watcher
    loop.stop()
    leaked = [t for t in set(threading.enumerate()) - before if t.is_alive()]
    assert not leaked


def turn(yaw):
    return lambda s: replace(s, camera=replace(s.camera, yaw=yaw))


def ready(loop):
    return lambda: loop.status.activity == "Ready" and loop.frame is not None and loop.frame.final


def test_a_still_picture_becomes_exact_and_a_preview_is_baked(running):
    _, loop, watcher = running
    watcher.until(ready(loop), "ready")
    assert loop.frame.rung == "exact"
    assert "Baking a preview" in watcher.activities
    assert loop.status.model.reference == "sphere"


def test_opening_moves_to_the_models_first_view_and_leaves_nothing_to_undo(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    assert store.state.model == "sphere"
    assert store.state.camera.radius == 4.0
    assert store.can_undo is None


def test_the_newest_state_is_shown(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    for i in range(100):
        store.update(turn(i / 100), label="Orbit", gesture="drag")
    watcher.until(lambda: loop.frame.state.camera.yaw == 0.99, "the last state's frame")
    assert loop.frame.stamp == store.snapshot[0]


def test_a_moving_camera_uses_the_baked_grid_and_keeps_the_scene(running, sphere_model):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    watcher.until(lambda: loop._warm_up.ready, "the march is compiled")
    scenes = sphere_model["sphere"].scenes
    store.update(lambda s: replace(s, quality=replace(s.quality, target_fps=5000.0)), label="fps")
    watcher.until(ready(loop), "ready again")
    rungs = set()
    for i in range(20):
        store.update(turn(i / 30), label="Orbit", gesture="drag")
        watcher.until(lambda: loop.frame.stamp == store.snapshot[0], "a frame")
        rungs.add(loop.frame.rung)
    assert sphere_model["sphere"].scenes == scenes
    assert "baked" in rungs


def test_a_restless_hand_does_not_starve_the_bake(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    watcher.until(lambda: loop._warm_up.ready, "the march is compiled")
    # A rate that only the baked rung comes near; at 30 the occupancy path is quick enough for a sphere.
    store.update(lambda s: replace(s, quality=replace(s.quality, target_fps=5000.0)), label="fps")
    loop.open("ball")
    watcher.until(lambda: loop.status.model.reference == "ball" and loop.frame.state.model == "ball", "a first frame")
    yaw = 0.0
    deadline = time.monotonic() + PATIENCE
    while loop.frame.rung != "baked":
        assert time.monotonic() < deadline
        yaw += 1e-3
        store.update(turn(yaw), label="Orbit", gesture="drag")
        watcher.changed.wait(0.01)
        watcher.changed.clear()


def test_a_rung_chosen_by_hand_is_obeyed(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    for rung in ("occupancy", "baked", "exact"):
        store.update(lambda s, r=rung: replace(s, quality=replace(s.quality, rung=r)), label="Quality")
        watcher.until(lambda: ready(loop)() and loop.frame.stamp == store.snapshot[0], rung)
        assert loop.frame.rung == rung


def test_a_model_that_cannot_be_opened_leaves_the_old_one_running(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    loop.open("nonsense.pkl")
    watcher.until(lambda: loop.status.message is not None, "a message")
    assert "nonsense.pkl" in loop.status.message.text
    assert loop.status.message.level == "error"
    store.update(turn(0.5), label="Orbit")
    watcher.until(lambda: loop.frame.state.camera.yaw == 0.5, "the old model goes on")
    assert store.state.model == "sphere"


def test_a_model_that_cannot_be_opened_does_not_stop_the_refinement(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    store.update(turn(0.5), label="Orbit")
    loop.open("nonsense.pkl")
    watcher.until(lambda: loop.status.message is not None, "a message")
    watcher.until(lambda: ready(loop)() and loop.frame.stamp == store.snapshot[0], "an exact picture all the same")


def test_undo_brings_the_other_model_back_with_its_view(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    store.update(turn(0.3), label="Orbit")
    loop.open("ball")
    watcher.until(lambda: loop.status.model.reference == "ball" and ready(loop)(), "ball")
    store.undo()
    watcher.until(lambda: loop.status.model.reference == "sphere" and ready(loop)(), "sphere again")
    assert loop.frame.state.camera.yaw == 0.3


def test_a_restored_state_that_names_a_missing_model_goes_back_to_the_open_one(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    store.update(lambda s: replace(s, model="gone.pkl"), label="Restore")
    watcher.until(lambda: store.state.model == "sphere", "back")
    assert "gone.pkl" in loop.status.message.text


def test_a_camera_that_is_none_is_told_and_the_next_one_works(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    store.update(lambda s: replace(s, camera=replace(s.camera, cam2world=(0.0,) * 16)), label="Bad")
    watcher.until(lambda: loop.status.message is not None, "a message")
    assert "singular" in loop.status.message.text
    store.update(lambda s: replace(s, camera=replace(s.camera, cam2world=None, yaw=0.2)), label="Good")
    watcher.until(lambda: loop.frame.state.camera.yaw == 0.2, "a frame")


def test_a_screenshot_is_exact_whatever_is_shown(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    frame = loop.render(turn(0.7)(store.state)).result(PATIENCE)
    assert frame.rung == "exact"
    assert frame.state.camera.yaw == 0.7
    assert loop.frame.state.camera.yaw != 0.7


def test_a_thumbnail_shows_its_seed_and_makes_way_for_a_moving_hand(running):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    futures = [loop.thumbnail(seed) for seed in (1, 2)]
    store.update(turn(0.1), label="Orbit")
    first, second = (f.result(PATIENCE) for f in futures)
    assert first.shape == (96, 96, 3)
    assert (first != second).any()


def test_stopping_while_pictures_wait_fails_them_instead_of_hanging(sphere_model):
    loop = RenderLoop(Store(ViewState(model="")), device="cpu")
    waiting = loop.render(ViewState())
    loop.start("sphere")
    loop.stop()
    assert waiting.done()


def test_the_same_sphere_is_not_baked_twice(running, sphere_model):
    store, loop, watcher = running
    watcher.until(ready(loop), "ready")
    store.update(turn(0.4), label="Orbit")
    watcher.until(lambda: ready(loop)() and loop.frame.stamp == store.snapshot[0], "refined")
    assert watcher.activities.count("Baking a preview") == 1


def test_a_device_that_is_not_there_falls_back_to_the_cpu(sphere_model):
    loop = RenderLoop(Store(ViewState(model="")), device="cuda:7")
    watcher = Watcher(loop)
    loop.start("sphere")
    watcher.until(lambda: loop.frame is not None, "a frame all the same")
    assert "cuda:7" in loop.status.message.text
    assert loop.status.device == "cpu"
    loop.stop()


@pytest.mark.parametrize(
    "death", ["CUDA out of memory. Tried to allocate 2 GiB", "CUDA error: unspecified launch failure"]
)
def test_a_gpu_that_dies_is_replaced_by_the_cpu(sphere_model, monkeypatch, death):
    """There is no GPU here: the device's name is one, the tensors are not."""
    from neuroview.engine import model as engine_model

    monkeypatch.setattr(engine_model, "choose_device", lambda wish: "cuda:0")

    def open_dying(reference, device):
        model = engine_model.Model(reference, engine_model.open_generator(reference), "cpu")
        if device != "cpu":

            def die(*_, **__):
                raise RuntimeError(death)

            model.pipeline.frame = die
        return model

    monkeypatch.setattr(engine_model, "open_model", open_dying)
    store = Store(ViewState(model=""))
    loop = RenderLoop(store, device="auto")
    watcher = Watcher(loop)
    loop.start("sphere")
    watcher.until(lambda: loop.frame is not None, "a frame from the CPU")
    assert loop.status.device == "cpu"
    assert "CPU" in loop.status.message.text
    assert store.state.camera.radius == 4.0
    loop.stop()
