"""Baked scenes marched by the window: what is trusted, what is drawn, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from neuroview.engine.baked_view import TRIAL_SIDE, BakedView, Trial
from neuroview.engine.camera import camera_matrices
from neuroview.engine.frame import Frame
from neuroview.engine.present.shader import ShaderMarch
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.state import ViewState, first_camera
from neuroview.models.base import CameraDefaults, VolumeSettings
from neuroview.viewer.settings import Place
from neuroview.viewer.window import ViewWindow
from OpenGL import GL
from view_fakes import Desk, plain_frame

VOLUME = VolumeSettings(None, None, 32, 32, "softplus_shifted", "midpoint", "eg3d", white_background=True)
USUAL = CameraDefaults(radius=3.0, fov=0.75)
STATE = ViewState(camera=first_camera(USUAL))


class Ball:
    """A red ball, green towards the right."""

    features, view_dependent, bounds = 3, False, ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __call__(self, points, directions=None):
        green = points[:, 0].clamp(-1, 1) * 0.5 + 0.5
        return 60.0 * (0.6 - points.norm(dim=-1)), torch.stack([torch.ones_like(green), green, 0 * green], -1)


def marched(view: BakedView, state: ViewState, side: int) -> np.ndarray:
    pose, lens, volume = view.lookout(state)
    features = render_baked(view.grid, volume, pose, lens, side, side, threads=1).features
    return features.permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()


@pytest.fixture(scope="module")
def view() -> BakedView:
    grid = bake(Ball(), VOLUME, 32).bricks
    pose, lens = camera_matrices(STATE.camera, USUAL)
    trial = Trial(pose, lens, np.zeros((TRIAL_SIDE, TRIAL_SIDE, 3), np.uint8), 1e4)
    made = BakedView(STATE, grid, VOLUME, USUAL, 64, False, trial)
    return replace(made, trial=replace(trial, pixels=marched(made, STATE, TRIAL_SIDE)))


def turned(state: ViewState, yaw: float) -> ViewState:
    return replace(state, camera=replace(state.camera, yaw=yaw))


@pytest.fixture
def window(display):
    window = ViewWindow(size=(320, 240), place=Place(60, 40, 320, 240))
    yield window
    window.close()


@pytest.fixture
def shader(window):
    shader = ShaderMarch("on", "")
    yield shader
    shader.close()


def texture(name: int, size: tuple[int, int]) -> np.ndarray:
    GL.glBindTexture(GL.GL_TEXTURE_2D, name)
    GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 4)
    data = GL.glGetTexImage(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, outputType=bytes)
    return np.frombuffer(data, np.uint8).reshape(size[1], size[0], 4)[..., :3].astype(int)


def test_the_window_draws_what_the_processor_marches(shader, view):
    assert shader.takes(view)
    assert "marched by a shader" in shader.line
    for yaw in (0.0, 0.7):
        state = turned(STATE, yaw)
        picture = shader.draw(view, state)
        assert picture.size[0] <= 64, "the state's size, or less where the GPU is slow"
        assert picture.seconds > 0
        assert f"baked 32³ · {picture.size[0]}² · shader" == picture.detail
        wanted = marched(view, state, picture.size[0]).astype(int)
        assert np.abs(texture(picture.texture, picture.size) - wanted).mean() < 1


def test_a_picture_unlike_the_processors_is_not_trusted(shader, view):
    other = replace(view, trial=replace(view.trial, pixels=255 - view.trial.pixels))
    assert not shader.takes(other)
    assert "the shader's picture is another one" in shader.line


def test_a_shader_slower_than_the_processor_is_used_only_when_asked_for(window, view):
    quick = replace(view, trial=replace(view.trial, milliseconds=0.0))
    for mode, taken in (("auto", False), ("on", True)):
        shader = ShaderMarch(mode, "A GPU")
        assert shader.takes(quick) == taken
        assert ("which is quicker" in shader.line) == (not taken)
        shader.close()


@pytest.mark.parametrize(
    ("mode", "renderer", "usable"),
    [
        ("auto", "NVIDIA H200", True),
        ("auto", "Mesa Intel(R) UHD Graphics 620", True),
        ("auto", "llvmpipe (LLVM 15.0.6, 256 bits)", False),
        ("on", "llvmpipe (LLVM 15.0.6, 256 bits)", True),
        ("off", "NVIDIA H200", False),
    ],
)
def test_software_renderers_are_not_asked_unless_forced(mode, renderer, usable):
    shader = ShaderMarch(mode, renderer)
    assert shader.usable == usable
    assert not shader.takes(None)
    assert bool(shader.line) != usable


def test_an_unknown_mode_is_refused_by_name():
    with pytest.raises(ValueError, match="received 'maybe'"):
        ShaderMarch("maybe")  # type: ignore[arg-type]


def test_a_driver_that_fails_while_drawing_is_not_asked_again(shader, view, monkeypatch):
    assert shader.takes(view)
    monkeypatch.setattr(shader._marcher, "paint", _fail)
    assert shader.draw(view, STATE) is None
    assert not shader.takes(view)
    assert "the driver failed (RuntimeError: out of memory)" in shader.line


def _fail(*_, **__):
    raise RuntimeError("out of memory")


class Loop:
    """Stands in for the render loop: offers one view, and keeps what it is told."""

    def __init__(self, view: BakedView | None) -> None:
        self.baked_view = view
        self.offers: list[bool] = []
        self.taken: list[BakedView | None] = []
        self.pictures: list[tuple[float, str]] = []

    def offer_views(self, wanted):
        self.offers.append(wanted)

    def take_view(self, view):
        self.taken.append(view)

    def marched(self, seconds, detail):
        self.pictures.append((seconds, detail))


class Screen:
    """A window that marches, its store and loop; shows an orange frame of the view's own state."""

    def __init__(self, window: ViewWindow, view: BakedView | None, mode="on") -> None:
        window.shade(mode)
        self.desk, self.loop = Desk(window), Loop(view)
        desk = self.desk
        desk.store.update(lambda _: STATE, label="start", undoable=False)
        window.attach(
            desk.store,
            desk.actions,  # type: ignore[arg-type]
            lambda: desk.status,
            lambda: desk.frame,
            marching=self.loop,
        )
        window.overlay.visible = False
        self.show(STATE)

    def show(self, state: ViewState) -> None:
        """A frame of `state` comes from the loop."""
        frame: Frame = plain_frame((250, 120, 10), 64, 64)
        self.desk.show(replace(frame, state=state, stamp=self.desk.store.snapshot[0]))

    def turn(self, yaw: float) -> None:
        self.desk.store.update(lambda s: turned(s, yaw), label="Orbit", gesture="drag")
        self.desk.window.run_once(0.01)

    @property
    def middle(self) -> tuple[int, ...]:
        window = self.desk.window
        pixels, rect = window.read_pixels(), window.picture
        return tuple(int(v) for v in pixels[int(rect.y + rect.height / 2), int(rect.x + rect.width / 2), :3])


ORANGE = (250, 120, 10)


def test_a_moving_camera_is_marched_and_a_frame_of_the_newest_state_takes_over(window, view):
    screen = Screen(window, view)
    assert screen.loop.offers == [True]
    assert screen.loop.taken == [view]
    assert screen.middle == ORANGE
    screen.turn(0.2)
    assert screen.middle != ORANGE
    assert screen.middle[0] == 255, "the ball is red"
    assert len(screen.loop.pictures) == 1
    assert screen.loop.pictures[0][1].endswith("shader")
    assert window.colour_at(0.5, 0.5) is None, "no frame tells what is shown"
    screen.show(screen.desk.store.state)
    assert screen.middle == ORANGE


def test_a_frame_of_an_older_state_does_not_take_the_picture_back(window, view):
    screen = Screen(window, view)
    screen.turn(0.2)
    stale = replace(screen.desk.frame)
    screen.desk.show(stale)
    assert screen.middle != ORANGE


def test_a_picture_is_marched_once(window, view):
    screen = Screen(window, view)
    screen.turn(0.2)
    for _ in range(3):
        window.redraw()
        window.run_once(0.01)
    assert len(screen.loop.pictures) == 1


def test_what_is_no_movement_of_the_camera_waits_for_its_frame(window, view):
    screen = Screen(window, view)
    screen.desk.store.update(lambda s: replace(s, latents=replace(s.latents, seed_a=5)), label="Seed")
    window.run_once(0.01)
    assert not screen.loop.pictures
    assert screen.middle == ORANGE


def test_without_a_gpu_frames_come_as_ever(window, view):
    screen = Screen(window, view, mode="off")
    assert screen.loop.offers == [False]
    screen.turn(0.2)
    assert screen.middle == ORANGE
    assert screen.loop.taken == [None]


def test_a_driver_that_fails_gives_the_camera_back_to_the_loop(window, view, monkeypatch):
    screen = Screen(window, view)
    monkeypatch.setattr(window._canvas.shader._marcher, "paint", _fail)
    screen.turn(0.2)
    assert screen.middle == ORANGE
    assert screen.loop.taken == [view, None]
    screen.turn(0.3)
    assert not screen.loop.pictures
