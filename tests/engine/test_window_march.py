"""What the render thread leaves to a window that marches baked scenes by itself."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
import torch
from neuroview.engine.baked_view import BakedView, Trial
from neuroview.engine.frame import Frame
from neuroview.engine.loop import RenderLoop
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.state import Edits, ViewState
from neuroview.engine.store import Store
from neuroview.models.base import CameraDefaults, VolumeSettings

PATIENCE = 60.0
VOLUME = VolumeSettings(1.0, 3.0, 8, 0, "softplus", "midpoint", "eg3d")
USUAL = CameraDefaults(radius=2.0, fov=0.5)


def turned(state: ViewState, yaw: float) -> ViewState:
    return replace(state, camera=replace(state.camera, yaw=yaw))


@pytest.fixture
def view() -> BakedView:
    nothing: object = None
    return BakedView(ViewState(), nothing, VOLUME, USUAL, 64, False, Trial(nothing, nothing, nothing, 1.0))  # type: ignore[arg-type]


def test_a_view_shows_its_scene_from_anywhere_and_no_other(view):
    state = view.state
    assert view.shows(turned(state, 1.0))
    for other in (
        replace(state, model="cars"),
        replace(state, latents=replace(state.latents, seed_a=3)),
        replace(state, options=(("weights", "raw"),)),
        replace(state, edits=Edits(result="abc")),
    ):
        assert not view.shows(other)


@pytest.mark.parametrize(("kind", "plain", "upsampled"), [
    ("rgb", True, False), ("raw", True, True), ("alpha", True, True), ("depth", False, False), ("normals", False, False)
])  # fmt: skip
def test_only_pictures_that_need_nothing_but_the_grid_are_marched(view, kind, plain, upsampled):
    state = replace(view.state, output=replace(view.state.output, kind=kind))
    assert view.shows(state) == plain
    assert replace(view, upsampled=True).shows(state) == upsampled


def test_a_rung_that_was_chosen_by_hand_is_not_replaced(view):
    rungs = ("auto", "baked", "occupancy", "exact")
    states = [replace(view.state, quality=replace(view.state.quality, rung=rung)) for rung in rungs]
    assert [view.shows(state) for state in states] == [True, True, False, False]


def test_what_leaves_the_camera_alone_leaves_the_picture_alone(view):
    none = torch.zeros(1, 1)
    shown = Frame(view.state, none, none, none, none, none, "exact")
    assert view.moves(turned(view.state, 0.1), shown)
    assert not view.moves(replace(view.state, quality=replace(view.state.quality, target_fps=60.0)), shown)


def test_the_side_is_the_states_or_else_the_scenes(view):
    state = view.state
    asked = replace(state, output=replace(state.output, size=200))
    coarse = replace(asked, quality=replace(state.quality, resolution=100))
    assert [view.side(s) for s in (state, asked, coarse)] == [64, 200, 100]
    assert replace(view, upsampled=True).side(asked) == 64, "the size is that of the upsampler's picture"


def test_limits_move_with_a_camera_that_comes_nearer(view):
    near = replace(view.state, camera=replace(view.state.camera, radius=1.5))
    pose, lens, volume = view.lookout(near)
    assert volume.near == pytest.approx(0.5)
    assert pose.shape == (4, 4)
    assert lens.shape == (3, 3)


class Window:
    """Takes every view it is offered, as a window with a GPU would, and counts frames."""

    def __init__(self, loop: RenderLoop) -> None:
        self.loop, self.changed = loop, threading.Event()
        self.frames: list[Frame] = []
        self.takes = True
        loop.offer_views(True)
        loop.listen(self.note)

    def note(self) -> None:
        if self.loop.frame is not None and (not self.frames or self.loop.frame is not self.frames[-1]):
            self.frames.append(self.loop.frame)
        if self.takes:
            window = self.loop._generator.window
            if window.taken is not self.loop.baked_view:
                self.loop.take_view(self.loop.baked_view)
        self.changed.set()

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}; {self.loop.status}"
            self.changed.wait(0.05)
            self.changed.clear()

    def ready(self) -> bool:
        frame = self.loop.frame
        newest = self.loop.store.snapshot[0]
        return self.loop.status.activity == "Ready" and frame is not None and frame.final and frame.stamp == newest


@pytest.fixture
def running(sphere_model):
    store = Store(ViewState(model=""))
    loop = RenderLoop(store, device="cpu")
    window = Window(loop)
    loop.start("sphere")
    window.until(lambda: loop._warm_up.ready and window.ready(), "ready")
    store.update(lambda s: turned(s, 0.01), label="Orbit")  # offers, if the march was not compiled before
    window.until(window.ready, "ready again")
    window.until(lambda: loop.baked_view is not None, "an offer")
    yield store, loop, window
    loop.stop()


def test_the_offer_holds_what_the_processor_marches(running):
    store, loop, _ = running
    view = loop.baked_view
    assert view.shows(store.state)
    pose, lens, volume = view.lookout(store.state)
    picture = render_baked(view.grid, volume, pose, lens, 32, 32)
    assert float(picture.alpha.max()) > 0.9
    assert view.trial.pixels.std() > 10, "there is something to compare"


def test_while_the_hand_moves_the_window_is_left_alone_and_then_the_picture_is_refined(running):
    store, loop, window = running
    window.frames.clear()
    loop._generator.window._rest = PATIENCE  # however slowly the hand moves on a busy machine, it does not rest
    for i in range(30):
        store.update(lambda s, yaw=0.02 * i + 0.02: turned(s, yaw), label="Orbit", gesture="drag")
        loop.marched(0.004, "baked · shader")
    assert loop.status.rung == "baked · shader"
    assert loop.status.frame_times[-1] == 4.0
    loop._generator.window._rest = 0.05
    loop._wake.set()
    window.until(window.ready, "a still picture")
    yaws = {frame.state.camera.yaw for frame in window.frames}
    assert yaws <= {0.01, 0.6}, "no frame of a moving camera"
    assert loop.frame.rung == "exact"
    assert loop.frame.state.camera.yaw == 0.6


def test_a_window_that_does_not_take_the_offer_gets_frames_as_ever(running):
    store, loop, window = running
    window.takes = False
    loop.take_view(None)
    for i in range(5):
        store.update(lambda s, yaw=0.1 * i + 0.1: turned(s, yaw), label="Orbit", gesture="drag")
        window.until(lambda: loop.frame.stamp == store.snapshot[0], "a frame of a moving camera")


def test_another_scene_is_rendered_by_the_loop_and_the_offer_follows(running):
    store, loop, window = running
    before = loop.baked_view
    loop.open("ball")
    window.until(lambda: loop.frame.state.model == "ball", "its frame")
    window.until(lambda: loop.baked_view is not None and loop.baked_view.state.model == "ball", "its offer")
    assert loop.baked_view is not before
    assert not before.shows(store.state)


def test_nothing_is_offered_to_nobody(sphere_model):
    store = Store(ViewState(model=""))
    loop = RenderLoop(store, device="cpu")
    window = Window(loop)
    loop.offer_views(False)
    loop.start("sphere")
    window.until(window.ready, "ready")
    store.update(lambda s: turned(s, 0.2), label="Orbit")
    window.until(window.ready, "ready again")
    assert loop.baked_view is None
    loop.stop()
