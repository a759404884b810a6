"""The view window while one drives, on a real display, with a still engine: pedals, mouse, what is drawn over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import glfw
import numpy as np
import pytest
from neuroview.engine.state import Drive, ViewState
from neuroview.viewer.settings import Place
from neuroview.viewer.window import ViewWindow
from view_fakes import Desk, plain_frame

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "viewer" / "driving"))
from drive_fakes import running

GREY = (120, 120, 120)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock) -> Iterator[Desk]:
    window = ViewWindow(size=(800, 600), place=Place(60, 40, 800, 600), clock=clock)
    desk = Desk(window).attach()
    desk.store.update(lambda s: replace(s, drive=Drive()), label="Drive", undoable=False)
    desk.say(drive=running())
    desk.show(replace(plain_frame(GREY, 256, 128), state=desk.store.state))
    yield desk
    window.close()


def key(desk: Desk, code: int, action: int = glfw.PRESS, mods: int = 0) -> None:
    desk.window._events._on_key(None, code, 0, action, mods)


def tick(desk: Desk, clock: Clock) -> None:
    clock.now += 0.05
    desk.window.run_once(0.0)


def controls(desk: Desk):
    return desk.actions.drive.steering.controls


def test_a_held_key_is_a_held_pedal_until_its_release(desk, clock):
    key(desk, glfw.KEY_UP)
    for _ in range(4):
        tick(desk, clock)
    assert controls(desk)[-1].throttle > 0.1
    key(desk, glfw.KEY_UP, glfw.RELEASE)
    tick(desk, clock)
    assert controls(desk)[-1].throttle == 0


def test_a_window_that_loses_the_keyboard_takes_the_foot_off(desk, clock):
    key(desk, glfw.KEY_UP)
    for _ in range(4):
        tick(desk, clock)
    desk.window._events._on_focus(None, 0)
    assert controls(desk)[-1].throttle == 0
    tick(desk, clock)
    assert controls(desk)[-1].throttle == 0


def test_a_pedal_is_not_held_across_a_visit_to_the_generators(desk, clock):
    key(desk, glfw.KEY_UP)
    tick(desk, clock)
    desk.store.update(lambda s: replace(s, drive=None), label="Leave")
    tick(desk, clock)
    desk.store.update(lambda s: replace(s, drive=Drive()), label="Drive")
    for _ in range(3):
        tick(desk, clock)
    assert controls(desk)[-1].throttle == 0


def test_keys_do_what_the_table_says_of_a_drive(desk):
    key(desk, glfw.KEY_V)
    assert desk.store.state.drive == Drive(view="semantic")
    key(desk, glfw.KEY_P)
    key(desk, glfw.KEY_F2)
    assert desk.actions.asked == [("drive.toggle_autopilot",), ("drive.toggle",)]


def test_a_drag_on_the_picture_of_a_drive_leaves_the_generators_camera_alone(desk):
    events, before = desk.window._events, desk.store.state
    events._on_cursor(None, 300.0, 300.0)
    events._on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.PRESS, 0)
    events._on_cursor(None, 500.0, 320.0)
    events._on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.RELEASE, 0)
    events._on_scroll(None, 0.0, 3.0)
    assert desk.store.state == before


def test_the_divider_is_held_where_the_button_went_down(desk):
    desk.store.update(lambda s: replace(s, drive=Drive(view="split")), label="Split")
    desk.window.run_once(0.0)
    picture, events = desk.window.picture, desk.window._events
    middle = picture.x + picture.width / 2
    events._on_cursor(None, middle, 300.0)
    events._on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.PRESS, 0)
    events._on_cursor(None, middle + picture.width / 4, 300.0)
    events._on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.RELEASE, 0)
    assert desk.store.state.drive.split == pytest.approx(0.75)
    assert desk.store.undo() == "Split"


def differs(one: np.ndarray, other: np.ndarray) -> float:
    """Part of the pixels that are not the same."""
    return float((one != other).any(-1).mean())


def test_the_overlays_key_takes_the_instruments_away_and_m_the_map_alone(desk):
    with_all = desk.window.read_pixels()
    key(desk, glfw.KEY_M)
    without_map = desk.window.read_pixels()
    left, right = slice(0, 400), slice(400, 800)
    assert differs(with_all[:, left], without_map[:, left]) > 0.01
    assert differs(with_all[:, right], without_map[:, right]) == 0
    key(desk, glfw.KEY_H)
    picture = desk.window.picture
    inside = desk.window.read_pixels()[int(picture.y) + 12 : int(picture.bottom) - 12, 30:770, :3]
    assert (np.abs(inside.astype(int) - GREY) <= 2).all()


def test_the_split_view_draws_its_line_where_the_halves_meet(desk):
    desk.store.update(lambda s: replace(s, drive=Drive(view="split", split=0.25)), label="Split")
    desk.window.overlay.visible = False
    desk.window.run_once(0.0)
    picture = desk.window.picture
    row = desk.window.read_pixels()[int(picture.y + picture.height * 0.8), :, :3].astype(int).mean(-1)
    assert abs(int(row[int(picture.x) + 12 : int(picture.right) - 12].argmax()) - (picture.width * 0.25 - 12)) <= 2


def test_a_lost_engine_is_told_in_the_middle_of_the_picture(desk):
    fine = desk.window.read_pixels()
    desk.say(drive=running(connection="lost", text="The engine's process ended."))
    lost = desk.window.read_pixels()
    assert differs(fine[250:350, 250:550], lost[250:350, 250:550]) > 0.9


def test_help_shows_the_keys_of_what_is_in_the_window(desk):
    key(desk, glfw.KEY_F1)
    driving = desk.window.read_pixels()
    desk.store.update(lambda _: ViewState(), label="Leave")
    desk.window.run_once(0.0)
    assert differs(driving, desk.window.read_pixels()) > 0.02


def test_the_title_names_the_engine(desk):
    assert desk.window._named_title == "Embedded town, seed 7 – neuroview"
