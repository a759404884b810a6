"""The whole program on a real screen, played by a hand: window, panel and render loop in one process.

Run as `python app_session.py SCENARIO FOLDER`; exits with 0 when every assertion held and no thread was left behind.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from neuroview.engine.state import ViewState
from neuroview.viewer import app
from PIL import ImageGrab

PATIENCE = 90.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        threading.Event().wait(0.02)


def xdotool(*words: object) -> None:
    subprocess.run(["xdotool", *map(str, words)], check=True, timeout=20)


class Hand:
    """Holds on to the parts that the program makes, and moves the mouse over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: dict[str, object] = {}
        for name in ("ViewWindow", "Store", "RenderLoop", "Actions"):
            self._remember(app, name)
        from neuroview.viewer.panel import host

        self._remember(host, "ThreadedPanel")

    def _remember(self, module: object, name: str) -> None:
        made = getattr(module, name)

        def make(*args: object, **kwargs: object) -> object:
            self.parts[name] = made(*args, **kwargs)
            return self.parts[name]

        setattr(module, name, make)

    def __getattr__(self, name: str) -> object:
        names = {"window": "ViewWindow", "store": "Store", "loop": "RenderLoop", "panel": "ThreadedPanel"}
        return self.parts[names[name]]

    def wait_until_running(self) -> None:
        until(lambda: "ThreadedPanel" in self.parts, "a panel")
        assert self.panel.wait_ready(PATIENCE), self.panel.failure
        until(lambda: self.loop.frame is not None, "a first frame")

    def wait_until_still(self) -> None:
        def still() -> bool:
            frame = self.loop.frame
            return frame.final and frame.stamp == self.store.snapshot[0] and self.loop.status.activity == "Ready"

        until(still, f"a still picture, {self.loop.status}")

    def view(self) -> np.ndarray:
        """The view window's pixels as the screen shows them, [height, width, 3]."""
        place = self.window.place
        box = (place.x, place.y, place.x + place.width, place.y + place.height)
        return np.asarray(ImageGrab.grab(bbox=box, xdisplay=os.environ["DISPLAY"]).convert("RGB"), dtype=int)

    def centre_of_view(self) -> tuple[int, int]:
        place = self.window.place
        return place.x + place.width // 2, place.y + place.height // 2

    def centre_of(self, tag: str) -> tuple[int, int]:
        """Where a panel's control stands on the screen."""
        import dearpygui.dearpygui as dpg

        found: list[tuple[int, int]] = []
        done = threading.Event()

        def look() -> None:
            (x, y), (w, h) = dpg.get_item_rect_min(tag), dpg.get_item_rect_size(tag)
            found.append((int(x + w / 2), int(y + h / 2)))
            done.set()

        self.panel.post(look)
        assert done.wait(PATIENCE)
        return found[0][0] + self.panel.place.x, found[0][1] + self.panel.place.y

    def value_of(self, tag: str) -> float:
        import dearpygui.dearpygui as dpg

        found: list[float] = []
        done = threading.Event()

        def look() -> None:
            found.append(dpg.get_value(tag))
            done.set()

        self.panel.post(look)
        assert done.wait(PATIENCE)
        return found[0]

    def drag(self, start: tuple[int, int], by: tuple[int, int], steps: int = 8) -> None:
        """Drag over the view; returns once the window has seen the whole of it."""
        xdotool("mousemove", *start, "mousedown", 1)
        for i in range(1, steps + 1):
            xdotool("mousemove", start[0] + by[0] * i // steps, start[1] + by[1] * i // steps)
        events, place = self.window._events, self.window.place
        end = start[0] + by[0] - place.x, start[1] + by[1] - place.y
        until(lambda: np.abs(np.subtract(events._cursor or (-1e9, -1e9), end)).max() <= 2, "the drag's last move")
        xdotool("mouseup", 1)

        def let_go() -> bool:
            return not (events._pointer.dragging or events._divider.dragging or events._edit.busy)

        until(let_go, "the drag's end")

    def repainted(self, times: int = 2) -> None:
        """Wait until the panel has drawn itself again: it has seen the mouse by then."""
        start = self.panel.repaints

        def enough() -> bool:
            self.panel.wake()
            return self.panel.repaints >= start + times

        until(enough, "a repaint")

    def drag_slider(self, tag: str, by: int) -> None:
        x, y = self.centre_of(tag)
        xdotool("mousemove", x, y)
        self.repainted()
        while self.centre_of(tag) != (x, y):  # the panel was still making room for something
            x, y = self.centre_of(tag)
            xdotool("mousemove", x, y)
            self.repainted()
        xdotool("mousedown", 1)
        for i in range(1, 5):
            self.repainted()
            xdotool("mousemove", x + by * i // 4, y)
        self.repainted()
        xdotool("mouseup", 1)
        self.repainted(3)

    def drop(self, path: Path) -> None:
        """What GLFW calls when a file is dropped; xdotool cannot drop one."""
        self.window._events._on_drop(None, [str(path)])


def picture_and_slider_follow_each_other(hand: Hand) -> None:
    hand.wait_until_running()
    hand.wait_until_still()
    before, state = hand.view(), hand.store.state
    hand.drag_slider("camera.yaw", 40)
    until(lambda: hand.store.state.camera.yaw != state.camera.yaw, "the slider turned the camera")
    hand.wait_until_still()
    until(lambda: np.abs(hand.view() - before).mean() > 1, "the slider moved the picture")
    hand.store.undo()
    assert hand.store.state.camera == state.camera, "a slider's drag is one step"
    hand.wait_until_still()
    hand.drag(hand.centre_of_view(), (60, 20))
    assert hand.store.state.camera.yaw != state.camera.yaw, "the drag turned the camera"
    degrees = np.degrees(hand.store.state.camera.yaw)
    until(lambda: abs(hand.value_of("camera.yaw") - degrees) < 0.1, "the picture moved the slider")
    assert hand.store.undo() is not None
    assert hand.store.state.camera == state.camera, "a drag on the picture is one step"


def files_are_dropped(hand: Hand) -> None:
    hand.wait_until_running()
    hand.wait_until_still()
    state = hand.store.state
    for suffix in (".safetensors", ".json"):
        shutil.copy(Path(app.__file__).parent.parent / "assets" / f"heads{suffix}", hand.folder / f"copy{suffix}")
    model = hand.folder / "copy.safetensors"
    hand.drop(model)
    until(lambda: hand.loop.status.model.reference == str(model), "the dropped model")
    hand.wait_until_still()
    shot = hand.folder / "shot.png"
    hand.parts["Actions"].screenshot(str(shot)).result(PATIENCE)
    until(shot.exists, "a screenshot")
    taken = hand.store.state
    hand.drag(hand.centre_of_view(), (80, 0))
    assert hand.store.state.camera != taken.camera, "a turned camera"
    hand.drop(shot)
    until(lambda: hand.store.state.camera == taken.camera, "the screenshot's view")
    (hand.folder / "bad.pkl").write_bytes(b"\x80\x04cos\nsystem\n\x8c\x04echo\x85R.")
    hand.drop(hand.folder / "bad.pkl")
    until(lambda: hand.loop.status.message and "bad.pkl" in hand.loop.status.message.text, "a message")
    hand.wait_until_still()
    assert hand.loop.status.model.reference == str(model), "the old model goes on"
    assert state.model == "heads"


def every_family_is_dropped(hand: Hand) -> None:
    """Files that the test has put into the folder `families`, one a folder; each is dropped, then chosen again from
    the recent ones. Pictures of the window are left beside them for a person to look at."""
    hand.wait_until_running()
    files = sorted(file for file in (hand.folder / "families").rglob("main.*") if file.suffix != ".png")
    assert files
    for file in files:
        hand.drop(file)
        opened = hand.parts["RenderLoop"]

        def shown(file: Path = file, opened: object = opened) -> bool:
            frame = opened.frame
            return opened.status.model.reference == str(file) and frame.state.model == str(file)

        until(shown, f"{file.parent.name} in the window; {hand.loop.status.message}")
        threading.Event().wait(1.5)
        ImageGrab.grab(xdisplay=os.environ["DISPLAY"]).save(file.parent / "window.png")
    recent = hand.panel._context.recent()
    assert {str(file) for file in files} <= set(recent)
    hand.panel._context.actions.open_path(recent[-1])
    until(lambda: hand.loop.status.model.reference == recent[-1], "a model from the list")


def keys_do_what_the_panel_does(hand: Hand) -> None:
    hand.wait_until_running()
    hand.wait_until_still()
    place = hand.window.place
    xdotool("mousemove", place.x + 40, place.y + place.height // 2)
    window = subprocess.run(
        ["xdotool", "search", "--name", "– neuroview$"], check=True, capture_output=True, text=True, timeout=20
    ).stdout.split()[0]
    xdotool("windowfocus", "--sync", window)
    seeds = hand.store.state.latents
    xdotool("key", "space")
    until(lambda: hand.store.state.latents != seeds, "new seeds")
    xdotool("key", "3")
    until(lambda: hand.store.state.output.kind == "depth", "depth")
    hand.wait_until_still()
    xdotool("key", "ctrl+z", "ctrl+z")
    until(lambda: hand.store.state.latents == seeds, "undone")
    xdotool("key", "p")
    until(lambda: list(hand.folder.glob("*.png")), "a screenshot in its folder")
    xdotool("key", "ctrl+q")
    until(lambda: not hand.panel.visible, "the panel closes with the window")


def a_moving_camera_is_marched_by_the_window(hand: Hand) -> None:
    hand.wait_until_running()
    hand.store.update(lambda s: replace(s, output=replace(s.output, kind="raw")), label="Raw")
    until(lambda: hand.loop._warm_up.ready, "the processor can march, too")
    yaws = iter(range(1, 10_000))

    def offered() -> bool:
        hand.store.update(lambda s: replace(s, camera=replace(s.camera, yaw=1e-4 * next(yaws))), label="Nudge")
        view = hand.loop.baked_view
        return view is not None and hand.loop._generator.window.taken is view

    until(offered, "a baked scene that the window takes")
    hand.wait_until_still()
    shown: set[str] = set()
    hand.loop.listen(lambda: shown.add(hand.loop.status.rung))
    hand.drag(hand.centre_of_view(), (120, 30))
    assert any(rung.endswith("shader") for rung in shown), shown
    hand.wait_until_still()
    assert hand.loop.frame.rung == "exact"
    assert not hand.window._moving.leads, "the exact picture is the one that is shown"


SCENARIOS = {
    f.__name__: f
    for f in (
        picture_and_slider_follow_each_other,
        files_are_dropped,
        every_family_is_dropped,
        keys_do_what_the_panel_does,
        a_moving_camera_is_marched_by_the_window,
    )
}


def main(scenario: str, folder: Path) -> int:
    os.environ["NEUROVIEW_CONFIG_DIR"] = str(folder / "config")
    os.environ["NEUROVIEW_SCREENSHOTS"] = str(folder)
    hand = Hand(folder)
    failed: list[str] = []

    def play() -> None:
        try:
            SCENARIOS[scenario](hand)
        except BaseException:
            failed.append(traceback.format_exc())
        finally:
            if "Actions" in hand.parts:
                hand.parts["Actions"].quit()

    before = set(threading.enumerate())
    options = argparse.Namespace(
        model="heads",
        state=None,
        option=[],
        device="cpu",
        threads=None,
        present="auto",
        shader="on" if scenario == "a_moving_camera_is_marched_by_the_window" else "auto",
        no_panel=False,
    )
    player = threading.Thread(target=play, name="hand", daemon=True)
    player.start()
    assert app._run_window(options, ViewState(model=""), "heads") == 0
    player.join(PATIENCE)
    left = [t.name for t in set(threading.enumerate()) - before]
    for text in failed:
        print(text, file=sys.stderr)
    if left:
        print(f"threads left behind: {left}", file=sys.stderr)
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
