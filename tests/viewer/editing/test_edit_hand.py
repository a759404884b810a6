"""The mouse while editing: what it paints, what it leaves to the camera, and what is one step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edit_fakes import ALT, CTRL, GREEN, NONE, PICTURE
from neuroview.engine.editing.status import EditStatus
from neuroview.viewer.editing.photo import Photo
from neuroview.viewer.editing.strip import Target
from neuroview.viewer.letterbox import Rect

PHOTO = Rect(20, 100, 300, 200)


def framed(bench, box=(0.2, 0.1, 0.6, 0.7)):
    bench.do.photo._put(Photo("me.jpg", np.zeros((20, 30, 3), np.uint8), box))
    bench.do.tools.take(on=False)
    bench.look()


def test_a_drag_is_one_stroke_and_one_step(bench):
    assert bench.drag((200, 250), (260, 250), (300, 250))
    (stroke,) = bench.strokes
    assert stroke.kind == "colour"
    assert stroke.points == ((0.25, 0.5), (0.5, 0.5))
    assert stroke.camera == bench.store.state.camera
    assert bench.store.history.labels == ("Colour stroke",)


def test_the_state_does_not_change_before_the_button_is_up(bench):
    bench.hand.press(200, 250, NONE, PICTURE, None)
    bench.hand.move(300, 260, PICTURE, None)
    assert not bench.strokes
    assert [shown.stroke.kind for shown in bench.overlay.strokes()] == ["colour"]


def test_escape_gives_up_the_stroke_under_way(bench):
    bench.hand.press(200, 250, NONE, PICTURE, None)
    assert bench.hand.escape()
    bench.hand.release()
    assert not bench.strokes


def test_beside_the_picture_and_without_a_brush_the_camera_gets_the_drag(bench):
    assert not bench.drag((20, 250), (60, 250))
    bench.do.toggle_brushes()
    assert not bench.drag((200, 250), (300, 250))


@pytest.mark.parametrize("brush", ["keep", "remove", "add", "region"])
def test_every_brush_draws_strokes_of_its_kind(bench, brush):
    bench.do.choose(brush)
    bench.drag((200, 250), (300, 250))
    assert bench.strokes[0].kind == brush


def test_the_eraser_is_one_step_too(bench):
    bench.drag((150, 250), (450, 250))
    bench.do.choose("eraser")
    bench.drag((300, 200), (300, 300))
    assert len(bench.strokes) == 2
    assert bench.store.history.labels == ("Colour stroke", "Erase")


def test_alt_click_takes_the_colour_from_the_picture(bench):
    bench.drag((200, 250), held=ALT)
    assert bench.do.tools.now.colour == GREEN
    assert not bench.strokes


def test_a_picking_click_takes_the_colour_and_ends_the_picking(bench):
    bench.do.pick()
    bench.drag((200, 250))
    assert bench.do.tools.now.colour == GREEN
    assert not bench.do.tools.now.picking


def test_the_wheel_is_the_brushs_size_and_with_ctrl_the_cameras(bench):
    before = bench.do.tools.now.width
    assert bench.hand.scroll(1, NONE)
    assert bench.do.tools.now.width > before
    assert not bench.hand.scroll(1, CTRL)


def test_a_button_of_the_strip_is_pressed_and_nothing_is_painted(bench):
    pressed = []
    bench.overlay.targets = [Target(Rect(190, 240, 20, 20), lambda: pressed.append(1))]
    assert bench.drag((200, 250))
    assert pressed
    assert not bench.strokes


def test_escape_drops_a_running_edit_before_it_puts_the_brush_away(bench):
    bench.loop.status = replace(bench.loop.status, edit=EditStatus("Colour"))
    bench.look()
    assert bench.hand.escape()
    assert bench.loop.asked == ["drop"]
    assert bench.do.tools.now.on
    bench.loop.status = replace(bench.loop.status, edit=None)
    bench.look()
    bench.hand.escape()
    assert not bench.do.tools.now.on


def test_strokes_are_hidden_while_an_edit_shows_what_they_do(bench):
    bench.drag((200, 250), (300, 250))
    assert bench.overlay.strokes()
    bench.loop.status = replace(bench.loop.status, edit=EditStatus("Colour"))
    bench.look()
    assert not bench.overlay.strokes()


def test_the_photos_box_is_carried_and_stretched(bench):
    framed(bench)
    bench.drag((140, 180), (170, 180), photo=PHOTO)
    assert bench.do.photo.now.box == pytest.approx((0.3, 0.1, 0.7, 0.7))
    bench.drag((230, 240), (260, 260), photo=PHOTO)
    left, top, right, bottom = bench.do.photo.now.box
    assert (left, top) == pytest.approx((0.3, 0.1))
    assert (right - left) * 30 == pytest.approx((bottom - top) * 20)
    assert bottom > 0.7


def test_the_divider_between_photo_and_picture_is_dragged(bench):
    framed(bench)
    bench.do.toggle_compare()
    assert bench.drag((300, 250), (200, 250))
    assert bench.do.photo.now.split == pytest.approx(0.25)
