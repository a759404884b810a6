"""Editing on a real display: strokes under a real mouse, and the whole program from a stroke to a reopened session."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from neuroview.engine.editing.status import EditStatus
from neuroview.viewer.settings import Place
from neuroview.viewer.window import ViewWindow
from PIL import Image
from view_fakes import Desk, plain_frame

SESSION = Path(__file__).with_name("edit_session.py")
GREY = (120, 120, 120)
RED = (0.8, 0.1, 0.1)


@pytest.fixture
def desk() -> Iterator[Desk]:
    window = ViewWindow(size=(640, 480), place=Place(60, 40, 640, 480))
    made = Desk(window).attach()
    made.show(plain_frame(GREY))
    made.actions.edit.set_colour(RED)
    made.actions.edit.tools.take(width=0.1)
    yield made
    window.close()


def drag(
    desk: Desk, xdotool: Callable[..., None], start: tuple[int, int], end: tuple[int, int], button: int = 1
) -> None:
    place = desk.window.place
    xdotool("mousemove", place.x + start[0], place.y + start[1], "mousedown", button)
    for part in (0.25, 0.5, 0.75, 1.0):
        xdotool(
            "mousemove",
            *(round(o + a + (b - a) * part) for o, a, b in zip((place.x, place.y), start, end, strict=True)),
        )
        desk.window.run_once(0.05)
    xdotool("mouseup", button)


def press(desk: Desk, xdotool: Callable[..., None], title: str) -> None:
    target = next(t for t in desk.window.overlay.edit.targets if t.title == title)
    place = desk.window.place
    x, y = target.place.x + target.place.width / 2, target.place.y + target.place.height / 2
    xdotool("mousemove", place.x + round(x), place.y + round(y), "click", 1)


def test_a_stroke_is_painted_in_its_colour_where_the_mouse_was(desk, xdotool):
    drag(desk, xdotool, (260, 240), (380, 240))
    desk.until(lambda: len(desk.store.state.edits.strokes) == 1)
    (stroke,) = desk.store.state.edits.strokes
    assert stroke.points[0][0] < stroke.points[-1][0]
    desk.actions.edit.toggle_brushes()
    desk.window.overlay.edit.cursor = None
    picture, pixels = desk.window.picture, desk.window.read_pixels().astype(int)
    under = pixels[240, 320, :3]
    assert under[0] > GREY[0] + 15, "it has a tint of red"
    assert under[1] < GREY[1] - 5
    beside = pixels[round(picture.y + 0.85 * picture.height), 320, :3]
    assert np.abs(beside - GREY).max() < 4


def test_a_stroke_has_no_beads_where_its_segments_meet(desk):
    edit = desk.actions.edit
    edit.draw(tuple((0.3 + 0.01 * i, 0.5 + 0.05 * np.sin(i / 3)) for i in range(40)), desk.store.state.camera)
    edit.toggle_brushes()
    desk.window.run_once(0.01)
    row = desk.window.read_pixels()[236:244, 270:370, 0].astype(int)
    assert row.std() < 6


def test_with_a_brush_the_right_button_turns_the_camera(desk, xdotool):
    drag(desk, xdotool, (260, 240), (380, 240), button=3)
    desk.until(lambda: desk.store.state.camera.yaw != 0)
    assert not desk.store.state.edits.strokes
    assert desk.store.state.camera.pivot == (0, 0, 0)


def test_the_wheel_changes_the_brush_and_escape_puts_it_away(desk, xdotool):
    width, fov = desk.actions.edit.tools.now.width, desk.store.state.camera.fov
    place = desk.window.place
    xdotool("mousemove", place.x + 320, place.y + 240, "click", 4)
    desk.until(lambda: desk.actions.edit.tools.now.width > width)
    assert desk.store.state.camera.fov == fov
    xdotool("key", "Escape")
    desk.until(lambda: not desk.actions.edit.tools.now.on)


def test_the_strip_lies_in_the_view_and_its_brushes_can_be_pressed(desk, xdotool):
    desk.window.run_once(0.01)
    press(desk, xdotool, "Remove")
    desk.until(lambda: desk.actions.edit.tools.now.brush == "remove")
    assert not desk.store.state.edits.strokes


def test_the_way_to_the_brushes_and_back_is_in_the_view(desk, xdotool):
    desk.actions.edit.toggle_brushes()
    for title, on in (("Edit", True), ("Close", False)):
        desk.window.run_once(0.01)
        press(desk, xdotool, title)
        desk.until(lambda on=on: desk.actions.edit.tools.now.on == on)
    assert not desk.store.state.edits.strokes


def test_the_button_at_the_strips_foot_says_what_it_will_do(desk):
    edit, camera = desk.actions.edit, desk.store.state.camera
    for brush, word in (("keep", "Apply"), ("region", "Transfer"), ("colour", "Recolour"), ("add", "Reshape")):
        edit.choose(brush)
        edit.draw(((0.4, 0.5), (0.6, 0.5)), camera)
        desk.window.run_once(0.01)
        assert word in [target.title for target in desk.window.overlay.edit.targets]


def test_a_running_edit_shows_its_card_and_can_be_dropped_in_it(desk):
    edit = desk.actions.edit
    desk.say(edit=EditStatus("Colour", 30, 100, 0.1, (0.5, 0.3, 0.1), 4.0, True))
    edit._loop.status = desk.status
    desk.window.run_once(0.01)
    drop = next(t for t in desk.window.overlay.edit.targets if t.title == "Drop")
    drop.press()
    assert ("loop.stop_edit", False) in desk.actions.asked


def test_a_photo_stands_beside_the_picture_and_then_under_a_divider(desk, tmp_path):
    path = tmp_path / "me.png"
    Image.fromarray(np.full((80, 120, 3), (10, 200, 40), np.uint8)).save(path)
    edit = desk.actions.edit
    edit.open_photo(path)
    desk.window.run_once(0.01)
    assert desk.window.picture.x >= 320
    assert tuple(desk.window.read_pixels()[240, 160, :3]) == pytest.approx((10, 200, 40), abs=4)
    edit.toggle_compare()
    desk.window.run_once(0.01)
    picture, pixels = desk.window.picture, desk.window.read_pixels()
    y = round(picture.y + 0.8 * picture.height)
    assert tuple(pixels[y, round(picture.x + 0.3 * picture.width), :3]) == pytest.approx((10, 200, 40), abs=4)
    assert tuple(pixels[y, round(picture.x + 0.7 * picture.width), :3]) == pytest.approx(GREY, abs=4)


def test_from_a_stroke_to_a_reopened_session(own_display, tmp_path):
    environment = {**own_display, "NEUROVIEW_EDITS": str(tmp_path / "edits")}
    command = [sys.executable, "-X", "faulthandler", str(SESSION), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment)
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
