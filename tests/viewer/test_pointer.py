"""Gestures: what becomes one undo step, and what counts as a click."""

from __future__ import annotations

import pytest
from neuroview.engine.state import ViewState
from neuroview.engine.store import Store
from neuroview.models.base import CameraDefaults
from neuroview.viewer import input as hand
from neuroview.viewer.keymap import Edit, Modifiers
from neuroview.viewer.letterbox import Rect
from neuroview.viewer.pointer import Pointer, drag_mode

PICTURE = Rect(100, 50, 400, 400)
NONE, SHIFT, CTRL, ALT = Modifiers(), Modifiers(shift=True), Modifiers(ctrl=True), Modifiers(alt=True)


class Hand:
    """A pointer on a store of its own, with a clock that a test turns."""

    def __init__(self) -> None:
        self.now, self.resets = 0.0, 0
        self.store = Store(ViewState())
        self.pointer = Pointer(self.store, lambda: CameraDefaults(2.7, 0.2333), self.reset, lambda: self.now)

    def reset(self) -> None:
        self.resets += 1

    def drag(self, *points, button="left", modifiers=NONE) -> None:
        self.pointer.press(button, modifiers, *points[0])
        for point in points[1:]:
            self.pointer.move(*point, PICTURE)
        self.pointer.release(button)

    def undo_steps(self) -> int:
        count = 0
        while self.store.undo():
            count += 1
        return count


@pytest.fixture
def mover() -> Hand:
    return Hand()


def test_one_drag_is_one_undo_step(mover):
    mover.drag((200, 200), (220, 200), (240, 210), (300, 220))
    assert mover.store.state.camera.yaw != 0
    assert mover.undo_steps() == 1
    assert mover.store.state == ViewState()


def test_two_drags_are_two_undo_steps(mover):
    mover.drag((200, 200), (220, 200))
    mover.now += 1
    mover.drag((220, 200), (240, 200))
    assert mover.undo_steps() == 2


def test_a_trembling_click_changes_nothing(mover):
    mover.drag((200, 200), (201, 201), (200, 202))
    assert mover.store.state == ViewState()


def test_the_way_of_a_drag_is_not_shortened_by_its_first_pixels(mover):
    mover.drag((200, 200), (202, 200), (300, 200))
    assert mover.store.state.camera.yaw == pytest.approx(-100 / PICTURE.width * hand.ORBIT_PER_WIDTH)


@pytest.mark.parametrize(
    ("button", "modifiers", "mode"),
    [
        ("left", NONE, "orbit"),
        ("left", SHIFT, "pan"),
        ("left", ALT, "roll"),
        ("left", CTRL, "roll"),
        ("middle", NONE, "pan"),
        ("right", NONE, "pan"),
    ],
)
def test_button_and_modifiers_decide_what_a_drag_does(button, modifiers, mode):
    assert drag_mode(button, modifiers) == mode


def test_a_roll_follows_the_cursor_about_the_pictures_centre(mover):
    mover.drag((400, 250), (300, 350), modifiers=ALT)  # a quarter clockwise
    assert mover.store.state.camera.roll == pytest.approx(-3.14159265 / 2)


def test_a_double_click_resets_and_begins_no_drag(mover):
    mover.drag((200, 200))
    mover.now += 0.2
    mover.drag((201, 200), (260, 200))
    assert mover.resets == 1
    assert mover.store.state == ViewState()


def test_slow_clicks_distant_clicks_and_drags_are_no_double_click(mover):
    mover.drag((200, 200))
    mover.now += 0.6
    mover.drag((200, 200))
    mover.now += 0.1
    mover.drag((240, 200))
    mover.now += 0.6
    mover.drag((240, 200), (280, 200))
    mover.drag((280, 200))
    assert mover.resets == 0


def test_a_second_button_does_not_disturb_a_drag(mover):
    mover.pointer.press("left", NONE, 200, 200)
    mover.pointer.press("right", NONE, 200, 200)
    mover.pointer.release("right")
    mover.pointer.move(260, 200, PICTURE)
    assert mover.store.state.camera.yaw != 0
    assert mover.store.state.camera.pivot == (0, 0, 0)


def test_scrolling_zooms_and_with_ctrl_changes_the_distance(mover):
    mover.pointer.scroll(1, NONE)
    assert mover.store.state.camera.fov < ViewState().camera.fov
    mover.pointer.scroll(1, CTRL)
    assert mover.store.state.camera.radius < ViewState().camera.radius


def test_notches_in_quick_succession_are_one_step_and_after_a_pause_two(mover):
    for _ in range(3):
        mover.pointer.scroll(1, NONE)
        mover.now += 0.1
    mover.now += 2
    mover.pointer.scroll(1, NONE)
    assert mover.undo_steps() == 2


def test_a_held_key_is_one_step_until_it_is_released(mover):
    for _ in range(5):
        mover.pointer.hold(frozenset(["left"]), 0.02)
    mover.pointer.hold(frozenset(), 0.02)
    mover.pointer.hold(frozenset(["left"]), 0.02)
    assert mover.undo_steps() == 2


def test_shift_makes_a_held_key_faster(mover):
    mover.pointer.hold(frozenset(["orbit left"]), 0.1)
    slow = mover.store.state.camera.yaw
    mover.pointer.hold(frozenset(["orbit left"]), 0.1, fast=True)
    assert mover.store.state.camera.yaw - slow == pytest.approx(3 * slow)


def test_losing_the_window_ends_the_drag(mover):
    mover.pointer.press("left", NONE, 200, 200)
    mover.pointer.cancel()
    mover.pointer.move(300, 300, PICTURE)
    assert mover.store.state == ViewState()


def test_repeated_presses_of_a_key_are_one_step(mover):
    edit = Edit("Seed A", hand.seeds(a=1))
    for _ in range(4):
        mover.pointer.edit(edit, 14)
        mover.now += 0.05
    assert mover.store.state.latents.seed_a == 4
    assert mover.undo_steps() == 1
