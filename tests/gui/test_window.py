"""The view window on a real display: what it shows, pixel by pixel, and what the hand does to the state."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import glfw
import numpy as np
import pytest
from neuroview.engine.status import Message
from neuroview.viewer.display import DisplayError, open_window, reachable
from neuroview.viewer.letterbox import Rect
from neuroview.viewer.settings import Place
from neuroview.viewer.theme import shipped_theme
from neuroview.viewer.window import ViewWindow
from view_fakes import Desk, plain_frame, quartered_frame

THEME = shipped_theme()
ORANGE = (250, 120, 10)


def colour(rgba) -> tuple[int, ...]:
    return tuple(round(255 * value) for value in rgba[:3])


BACKGROUND = colour(THEME.background)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_desk(clock) -> Iterator[Callable[..., Desk]]:
    windows: list[ViewWindow] = []

    def make(size=(640, 480), *, attached=True, **options) -> Desk:
        window = ViewWindow(size=size, place=Place(60, 40, *size), clock=clock, **options)
        windows.append(window)
        desk = Desk(window)
        return desk.attach() if attached else desk

    yield make
    for window in windows:
        window.close()


@pytest.fixture
def desk(open_desk) -> Desk:
    desk = open_desk()
    desk.show(plain_frame(ORANGE))
    return desk


def near(pixels: np.ndarray, wanted: tuple[int, ...], tolerance: int = 3) -> np.ndarray:
    return (np.abs(pixels[..., :3].astype(int) - wanted) <= tolerance).all(-1)


# ---- the picture


@pytest.mark.parametrize("size", [(640, 480), (480, 700), (1000, 400), (512, 512), (333, 257)])
def test_the_picture_keeps_its_aspect_and_stands_on_the_very_pixels_that_it_should(open_desk, size):
    desk = open_desk(size)
    desk.window.overlay.visible = False
    desk.show(plain_frame(ORANGE))
    pixels, rect = desk.window.read_pixels(), desk.window.picture
    assert pixels.shape == (size[1], size[0], 4)
    assert rect.width == rect.height == min(size) - 32
    x, y, right, bottom = (int(v) for v in (rect.x, rect.y, rect.right, rect.bottom))
    middle_x, middle_y = (x + right) // 2, (y + bottom) // 2
    assert near(pixels[middle_y, x:right], ORANGE, 0).all()
    assert near(pixels[y:bottom, middle_x], ORANGE, 0).all()
    assert near(pixels[middle_y, [x - 1, right]], BACKGROUND, 0).all()
    assert near(pixels[[y - 1, bottom], middle_x], BACKGROUND, 0).all()
    assert near(pixels[0], BACKGROUND, 0).all()
    assert near(pixels[y, x], BACKGROUND), "the corners are round"


def test_a_wide_picture_is_letterboxed_above_and_below(open_desk):
    desk = open_desk((640, 480))
    desk.show(plain_frame(ORANGE, width=400, height=100))
    assert desk.window.picture == Rect(16, 164, 608, 152)


def test_the_first_row_of_a_frame_is_at_the_top(desk):
    desk.show(quartered_frame())
    pixels, rect = desk.window.read_pixels(), desk.window.picture
    quarter = int(rect.width / 4)
    x, y = int(rect.x), int(rect.y)
    assert tuple(pixels[y + quarter, x + quarter, :3]) == (255, 0, 0)
    assert tuple(pixels[y + quarter, x + 3 * quarter, :3]) == (0, 255, 0)
    assert tuple(pixels[y + 3 * quarter, x + quarter, :3]) == (0, 0, 255)
    assert tuple(pixels[y + 3 * quarter, x + 3 * quarter, :3]) == (255, 255, 255)


def test_a_reduced_picture_is_averaged_and_not_picked_from(open_desk):
    desk = open_desk((320, 240))
    desk.window.overlay.visible = False
    frame = plain_frame((0, 0, 0), 1664, 1664)
    frame.pixels[::2, :, :3] = 255  # lines that a picking filter would turn into bands
    desk.show(frame)
    rect = desk.window.picture.grown(-30)
    pixels = desk.window.read_pixels()[int(rect.y) : int(rect.bottom), int(rect.x) : int(rect.right), 0]
    assert abs(pixels.mean() - 127.5) < 3
    assert pixels.std() < 8


def test_an_enlarged_final_frame_is_interpolated_smoothly(desk):
    frame = replace(quartered_frame(16), final=True)
    desk.show(frame)
    pixels, rect = desk.window.read_pixels(), desk.window.picture
    row = pixels[int(rect.y + rect.height / 4), int(rect.x) + 2 : int(rect.right) - 2, 1].astype(int)
    assert row[0] == 0
    assert row[-1] == 255
    assert (np.diff(row) >= -2).all()
    assert len(set(row)) > 8


def test_a_frame_of_another_size_takes_the_place_of_the_last(desk):
    desk.show(plain_frame((0, 0, 255), 64, 128))
    rect, pixels = desk.window.picture, desk.window.read_pixels()
    assert rect.height == 2 * rect.width
    assert tuple(pixels[240, 320, :3]) == (0, 0, 255)
    assert desk.presenters == ["host upload"], "the presenter is chosen once"


def test_resizing_the_window_draws_the_picture_anew(desk):
    glfw.set_window_size(desk.window.handle, 700, 300)
    desk.until(lambda: desk.window.framebuffer == (700, 300))
    pixels = desk.window.read_pixels()
    assert desk.window.picture == Rect(216, 16, 268, 268)
    assert tuple(pixels[150, 350, :3]) == ORANGE


def test_full_screen_gives_the_picture_all_the_room_and_goes_back(desk):
    before = desk.window.place
    desk.window.toggle_full_screen()
    desk.until(lambda: desk.window.framebuffer[0] > 640)
    assert desk.window.picture.height == desk.window.framebuffer[1]
    assert desk.window.place == before, "what is remembered is the window, not the monitor"
    desk.window.toggle_full_screen()
    desk.until(lambda: desk.window.framebuffer == (640, 480))
    assert not desk.window.full_screen


def test_a_forced_scale_doubles_every_margin(open_desk):
    desk = open_desk((800, 600), scale=2.0)
    desk.show(plain_frame(ORANGE))
    assert desk.window.picture == Rect(132, 32, 536, 536)


def test_the_window_says_how_frames_reach_it(desk):
    assert desk.presenters == ["host upload"]
    assert desk.window.presenter_line == "Frames reach the window by host upload: the model runs on the CPU."


# ---- the hand


def drag(desk: Desk, xdotool, start, end, *, button=1, keys=()) -> None:
    """Drag between two points of the window through the X server."""
    place = desk.window.place
    (x0, y0), (x1, y1) = start, end
    xdotool("mousemove", place.x + x0, place.y + y0)
    desk.until(lambda: near_cursor(desk, start))
    for key in keys:
        xdotool("keydown", key)
    xdotool("mousedown", button)
    desk.window.run_once(0.05)
    for step in (0.25, 0.5, 0.75, 1.0):
        x, y = round(x0 + step * (x1 - x0)), round(y0 + step * (y1 - y0))
        xdotool("mousemove", place.x + x, place.y + y)
        desk.until(lambda at=(x, y): near_cursor(desk, at))
    xdotool("mouseup", button)
    for key in keys:
        xdotool("keyup", key)
    desk.until(lambda: not desk.window._events._pointer.dragging)


def near_cursor(desk: Desk, at) -> bool:
    x, y = glfw.get_cursor_pos(desk.window.handle)
    return abs(x - at[0]) < 1 and abs(y - at[1]) < 1


def test_dragging_across_the_picture_orbits_as_one_undo_step(desk, xdotool):
    start = desk.store.state
    drag(desk, xdotool, (320, 240), (320 + 112, 240 + 56))
    camera = desk.store.state.camera
    assert camera.yaw == pytest.approx(-112 / 448 * np.pi)
    assert camera.pitch == pytest.approx(56 / 448 * np.pi)
    assert desk.store.undo() == "Orbit"
    assert desk.store.state == start
    assert desk.store.undo() is None


def test_the_right_button_pans(desk, xdotool):
    drag(desk, xdotool, (320, 240), (376, 240), button=3)
    assert desk.store.state.camera.pivot[0] < 0
    assert desk.store.state.camera.yaw == 0


def test_alt_and_a_drag_roll(desk, xdotool):
    drag(desk, xdotool, (420, 240), (320, 340), keys=("alt",))
    assert desk.store.state.camera.roll == pytest.approx(-np.pi / 2)


def test_the_wheel_zooms_and_with_ctrl_goes_nearer(desk, xdotool):
    place, camera = desk.window.place, desk.store.state.camera
    xdotool("mousemove", place.x + 320, place.y + 240, "click", 4)
    desk.until(lambda: desk.store.state.camera.fov < camera.fov)
    xdotool("keydown", "ctrl", "click", 4, "keyup", "ctrl")
    desk.until(lambda: desk.store.state.camera.radius < camera.radius)


def test_a_double_click_asks_for_the_first_view(desk, xdotool):
    place = desk.window.place
    xdotool("mousemove", place.x + 320, place.y + 240, "click", "--repeat", 2, "--delay", 20, 1)
    desk.until(lambda: ("reset_camera",) in desk.actions.asked)
    assert desk.store.undo() is None


def test_keys_reach_actions_state_and_window(desk, xdotool):
    xdotool("mousemove", desk.window.place.x + 320, desk.window.place.y + 240)
    for key in ("space", "bracketright", "ctrl+z", "ctrl+shift+z", "3", "period"):
        xdotool("key", key)
    desk.until(lambda: desk.store.state.latents.mix_geometry > 0)
    assert desk.actions.asked == [("random_seeds",), ("undo",), ("redo",), ("set_output", "depth")]
    assert desk.store.state.latents.seed_a == 1
    xdotool("key", "F1")
    desk.until(lambda: desk.window.overlay.help)
    xdotool("key", "Escape")
    desk.until(lambda: not desk.window.overlay.help)


def test_a_held_arrow_goes_on_orbiting_until_it_is_released(desk, clock, xdotool):
    xdotool("mousemove", desk.window.place.x + 320, desk.window.place.y + 240, "keydown", "Left")
    desk.until(lambda: desk.window._events.holding)
    yaw = desk.store.state.camera.yaw
    clock.now += 0.05
    desk.window.run_once(0)
    assert desk.store.state.camera.yaw - yaw == pytest.approx(-0.05 * np.radians(75))
    xdotool("keyup", "Left")
    desk.until(lambda: not desk.window._events.holding)
    assert desk.store.undo() == "Move"
    assert desk.store.undo() is None


def test_a_dropped_file_is_opened(desk):
    drop = glfw.set_drop_callback(desk.window.handle, None)
    drop(desk.window.handle, 2, (ctypes.c_char_p * 2)(b"/models/ffhq.pkl", b"/models/other.pkl"))
    assert desk.actions.asked == [("open_path", "/models/ffhq.pkl")]
    assert desk.window.run_once(0)
    assert "2 files" in desk.window.overlay.notices.toast.text


def test_a_state_is_copied_and_pasted_through_the_clipboard(desk):
    state = desk.store.state
    desk.window._events._do("copy")
    desk.store.update(lambda s: replace(s, model="other"), label="model")
    desk.window._events._do("paste")
    assert desk.store.state == state
    glfw.set_clipboard_string(None, '{"neuroview": 99}')
    desk.window._events._do("paste")
    desk.window.run_once(0)
    assert "version 99" in desk.window.overlay.notices.cards[0].text
    glfw.set_clipboard_string(None, "/models/ffhq.pkl")
    desk.window._events._do("paste")
    assert desk.actions.asked == [("open_path", "/models/ffhq.pkl")]


# ---- what is drawn over it


def test_the_start_screen_stands_until_the_first_frame(open_desk):
    desk = open_desk(attached=False)
    desk.window.show_start("Loading heads…")
    pixels = desk.window.read_pixels()
    assert desk.window.picture is None
    assert near(pixels, colour(THEME.text), 12).sum() > 300, "the name is there"
    assert near(pixels, colour(THEME.accent), 12).sum() > 30, "and the mark"
    assert near(pixels[:100], BACKGROUND, 0).all()
    desk.attach().show(plain_frame(ORANGE))
    assert near(desk.window.read_pixels(), ORANGE, 0).sum() > 100_000


def test_the_start_screen_says_what_the_loop_is_doing_and_moves(open_desk, clock):
    desk = open_desk()
    desk.say(activity="Loading heads", progress=0.5)
    first = desk.window.read_pixels()
    clock.now += 1.0
    assert (first != desk.window.read_pixels()).any()
    track = first[480 // 2 + 90]
    assert near(track, colour(THEME.accent), 3).sum() == pytest.approx(96, abs=4)


def test_the_pill_shows_the_frame_time_and_can_be_hidden(desk):
    desk.say(frame_times=(12.3,), fps=60.0, rung="baked 96³")
    shown = desk.window.read_pixels()
    desk.window.overlay.visible = False
    hidden = desk.window.read_pixels()
    changed = (shown != hidden).any(-1)[:120]  # the button for editing, half-way down, goes with it
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 15
    assert rows.max() <= 45
    assert columns.min() >= 15
    assert 150 < columns.max() < 320


def test_short_work_is_not_mentioned_and_longer_work_fills_a_bar(desk, clock):
    desk.say(activity="Refining", progress=0.25)
    rect = desk.window.picture
    row, span = int(rect.bottom) + 7, slice(int(rect.x), int(rect.right))
    assert near(desk.window.read_pixels()[row, span], BACKGROUND, 0).all()
    clock.now += 0.5
    desk.window.run_once(0)
    bar = near(desk.window.read_pixels()[row, span], colour(THEME.accent), 3)
    assert bar.sum() == pytest.approx(0.25 * rect.width, abs=4)
    assert bar[4 : int(0.24 * rect.width)].all()


def test_an_error_is_drawn_in_the_view_and_goes_with_a_click(desk, xdotool):
    before = desk.window.read_pixels()
    desk.say(message=Message("bad.pkl cannot be opened. It is truncated: download it again.", "error", 1))
    card = desk.window.overlay.notices.cards[0]
    pixels = desk.window.read_pixels()
    inside = pixels[
        int(card.place.y) + 2 : int(card.place.bottom) - 2, int(card.place.x) + 2 : int(card.place.right) - 2
    ]
    assert near(inside, colour(THEME.danger), 12).sum() > 100
    assert near(inside, colour(THEME.text), 25).sum() > 100
    place = desk.window.place
    xdotool("mousemove", int(place.x + card.place.x + 200), int(place.y + card.place.y + 20), "click", 1)
    desk.until(lambda: not desk.window.overlay.notices.cards)
    assert (desk.window.read_pixels() == before).all()
    assert desk.store.undo() is None


def test_a_card_goes_by_itself_and_the_same_message_does_not_come_back(desk, clock):
    desk.say(message=Message("The GPU ran out of memory.", "warning", 4))
    clock.now += 12.1
    desk.window.run_once(0)
    assert not desk.window.overlay.notices.cards
    desk.window.run_once(0)
    assert not desk.window.overlay.notices.cards
    desk.say(message=Message("The GPU ran out of memory.", "warning", 5))
    assert desk.window.overlay.notices.cards


def test_what_an_action_raises_on_purpose_is_drawn_and_not_thrown(desk):
    def fail(*_):
        raise OSError("the disk is full")

    desk.actions.screenshot = fail
    desk.window._events._call("screenshot")
    desk.window.run_once(0)
    assert desk.window.overlay.notices.cards[0].text == "the disk is full"


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 900), (400, 950)])
def test_the_help_fits_into_any_window(open_desk, size):
    desk = open_desk(size)
    desk.show(plain_frame((255, 255, 255)))
    desk.window.overlay.help = True
    pixels = desk.window.read_pixels()
    edge = np.concatenate([pixels[:3].reshape(-1, 4), pixels[-3:].reshape(-1, 4), pixels[:, :3].reshape(-1, 4)])
    assert not near(edge, colour(THEME.text), 40).any(), "nothing is written over the edge"
    assert near(pixels, colour(THEME.accent), 60).any()


def test_any_text_can_be_told(desk):
    desk.window.tell("x" * 3000, "error")
    desk.window.tell("\n\n", "warning")
    desk.window.tell("模型 \U0001f600 \x00 ←", "error")
    desk.window.run_once(0)
    assert desk.window.read_pixels().any()
    assert all(card.place.bottom < 480 for card in desk.window.overlay.notices.cards[:1])


# ---- the window itself


def test_the_loop_sleeps_while_nothing_changes_and_wakes_from_any_thread(desk):
    desk.until(lambda: not desk.window._dirty)
    drawn = []
    desk.window._draw = lambda: drawn.append(1)
    for _ in range(5):
        desk.window.run_once(0.001)
    assert drawn == []
    waker = threading.Thread(target=desk.window.wake, name="neuroview-test-waker")
    waker.start()
    assert desk.window.run_once(60)
    waker.join()


def test_a_minimised_window_draws_nothing_and_comes_back(desk):
    glfw.iconify_window(desk.window.handle)
    desk.window._on_iconify(None, 1)  # without a window manager nobody answers the request
    desk.frame = plain_frame((1, 2, 3))
    desk.window.run_once(0.01)
    assert desk.window._dirty
    desk.window._on_iconify(None, 0)
    desk.window.run_once(0)
    assert not desk.window._dirty


def test_closing_is_asked_for_from_any_thread_and_may_be_done_twice(desk):
    thread = threading.Thread(target=desk.window.request_close, name="neuroview-test-closer")
    thread.start()
    thread.join()
    assert not desk.window.run_once(60)
    desk.window.close()
    desk.window.close()
    desk.window.wake()
    assert not desk.window.run_once(60)


def test_the_title_names_the_model(desk):
    assert desk.window._named_title == "Stylised heads – neuroview"


@pytest.mark.parametrize(
    ("place", "position"),
    [
        (Place(100, 50, 800, 600), (100, 50)),
        (Place(2000, 50, 800, 600), (2000, 50)),
        (Place(9000, 50, 800, 600), (560, 216)),
        (Place(100, -500, 800, 600), (560, 216)),
    ],
)
def test_a_window_remembered_on_a_monitor_that_is_gone_comes_back(place, position):
    assert reachable(place, [(0, 0, 1920, 1032), (1920, 0, 1920, 1080)]) == position


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess:
    env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-c", code], env=env | environment, capture_output=True, text=True, timeout=60
    )


def test_the_window_is_on_screen_before_torch_is_imported(display):
    done = run_python(
        "import sys; from neuroview.viewer.window import ViewWindow; w = ViewWindow(); w.show_start('Loading…');"
        "w.run_once(0); print('torch' in sys.modules); w.close()",
        DISPLAY=display,
    )
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, "There is no display: neither DISPLAY"), ({"DISPLAY": ":9876"}, "The display :9876 cannot be used")],
)
def test_without_a_display_the_probe_gives_a_reason_and_the_process_lives(environment, reason):
    done = run_python("from neuroview.viewer.display import probe_display; print(probe_display())", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(reason)


def test_a_driver_without_opengl_3_3_gets_a_sentence_and_not_an_abort(display, monkeypatch):
    done = run_python(
        "from neuroview.viewer.display import open_window, DisplayError\n"
        "try: open_window('x', (300, 300), None)\n"
        "except DisplayError as error: print(error)",
        DISPLAY=display,
        MESA_GL_VERSION_OVERRIDE="2.1",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("No window with OpenGL 3.3 can be opened")


def test_a_display_error_is_one_of_ours():
    from neuroview.models.errors import NeuroviewError

    assert issubclass(DisplayError, NeuroviewError)
    assert callable(open_window)
