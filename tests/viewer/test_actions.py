"""The verbs behind keys, buttons and drops."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from neuroview.engine.export.image import read_png
from neuroview.engine.loop import RenderLoop
from neuroview.engine.state import ViewState
from neuroview.engine.store import Store
from neuroview.viewer.actions import Actions


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
