"""A drive on a real screen, played by a hand: window, render loop, engine process; the keys go through the X server.

Run as `python drive_session.py FOLDER`; exits with 0 when every assertion held and nothing was left behind.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
from app_session import PATIENCE, Hand, until, xdotool
from neuroview.engine.export.image import read_png
from neuroview.engine.state import Drive, ViewState
from neuroview.viewer import app


class Driver(Hand):
    """A hand that drives."""

    @property
    def status(self):
        return self.loop.status.drive

    @property
    def drive(self) -> Drive | None:
        return self.store.state.drive

    @property
    def car(self):
        return self.status.frame.vehicle

    def take_the_keyboard(self) -> None:
        found = subprocess.run(
            ["xdotool", "search", "--name", "neuroview$"], check=True, capture_output=True, text=True, timeout=20
        )
        xdotool("windowfocus", "--sync", found.stdout.split()[0])

    def settled(self) -> int:
        """The number of the engine's newest frame, once no further one has come for a while."""
        number, still = -1, 0
        while still < 4:
            still = still + 1 if self.status.frame.number == number else 0
            number = self.status.frame.number
            threading.Event().wait(0.2)
        return number

    def shown(self, view: str) -> np.ndarray:
        """The picture of `view`, once it has come."""

        def come() -> bool:
            drive = self.loop.frame.state.drive
            return drive is not None and drive.view == view

        until(come, f"a picture of {view}")
        return self.loop.frame.pixels.numpy().copy()


def throttle_steer_and_let_go(hand: Driver) -> None:
    def running() -> bool:
        return hand.status is not None and hand.status.connection == "running" and hand.loop.frame is not None

    until(running, "a running drive")
    hand.take_the_keyboard()
    heading = hand.car.yaw
    xdotool("keydown", "w")
    until(lambda: hand.car.speed > 3, "speed")
    xdotool("keydown", "a")
    until(lambda: hand.car.yaw - heading > 0.05, "a turn to the left")
    assert hand.status.control.steer < 0
    xdotool("keyup", "a", "keyup", "w")
    until(lambda: hand.status.control.throttle == 0 and hand.status.control.steer == 0, "hands off")
    xdotool("keydown", "space")
    until(lambda: hand.status.control.hand_brake, "the hand brake")
    xdotool("keyup", "space")


def every_view_is_another_picture(hand: Driver) -> None:
    seen: dict[str, np.ndarray] = {}
    for key, view in ((2, "semantic"), (3, "photo"), (5, "motion"), (6, "depth")):
        xdotool("key", key)

        def new(view: str = view) -> bool:  # the first pictures may still lack what was asked for
            picture = hand.shown(view).astype(int)
            return all(np.abs(picture - other).mean() > 3 for other in seen.values())

        until(new, f"a picture of {view} like none before")
        seen[view] = hand.shown(view)
    xdotool("key", "c")
    until(lambda: hand.drive.viewpoint == "hood", "the camera on the hood")


def the_divider_is_dragged(hand: Driver) -> None:
    xdotool("key", 4)
    hand.shown("split")
    place, picture = hand.window.place, hand.window.picture
    y = place.y + picture.y + picture.height * 0.5
    start, end = (place.x + picture.x + picture.width * part for part in (0.5, 0.25))
    hand.drag((round(start), round(y)), (round(end - start), 0))
    until(lambda: abs(hand.drive.split - 0.25) < 0.02, "the divider at a quarter")
    xdotool("key", "ctrl+z")
    until(lambda: hand.drive.split == 0.5, "the drag is one step")


def a_paused_world_stands_and_makes_single_steps(hand: Driver) -> None:
    xdotool("key", "k")
    until(lambda: hand.status.connection == "paused", "a pause")
    number = hand.settled()
    xdotool("key", "period")
    until(lambda: hand.status.frame.number > number, "one step")
    assert hand.settled() == number + 1


def the_picture_is_kept_and_leads_back(hand: Driver) -> None:
    hour = hand.drive.hour
    xdotool("key", "bracketright")
    until(lambda: hand.drive.hour == hour + 0.5, "half an hour later")
    xdotool("key", "ctrl+s")
    until(lambda: list(hand.folder.glob("*.png")), "a screenshot")
    saved = read_png(next(hand.folder.glob("*.png"))).state.drive
    assert (saved.seed, saved.view, saved.hour) == (7, "split", hour + 0.5)
    xdotool("key", "k")
    until(lambda: hand.status.connection == "running", "it goes on")


def a_recording_is_made_and_replayed(hand: Driver) -> None:
    xdotool("key", "2", "key", "ctrl+r")
    until(lambda: hand.status.recording, "a recording")
    xdotool("key", "ctrl+r")
    until(lambda: not hand.status.recording, "its end")
    assert list(hand.folder.glob("drive_7_*.jsonl"))
    xdotool("key", "ctrl+p")

    def replayed() -> bool:  # it is so short that it may be over when one looks
        status = hand.status
        return status is not None and status.connection != "starting" and (status.replaying or "replay" in status.text)

    until(replayed, "a replay")


def one_key_leads_to_the_generators(hand: Driver) -> None:
    xdotool("key", "F2")
    until(lambda: hand.drive is None and hand.status is None, "the drive is over")
    until(lambda: hand.loop.frame.state.drive is None, "a picture of the generator")
    assert hand.store.can_undo == "Leave the drive"


PLAY = (
    throttle_steer_and_let_go,
    every_view_is_another_picture,
    the_divider_is_dragged,
    a_paused_world_stands_and_makes_single_steps,
    the_picture_is_kept_and_leads_back,
    a_recording_is_made_and_replayed,
    one_key_leads_to_the_generators,
)


def main(folder: Path) -> int:
    os.environ["NEUROVIEW_CONFIG_DIR"] = str(folder / "config")
    os.environ["NEUROVIEW_SCREENSHOTS"] = str(folder)
    hand = Driver(folder)
    failed: list[str] = []

    def play() -> None:
        try:
            until(lambda: "Actions" in hand.parts, "a window")
            for scene in PLAY:
                scene(hand)
                print(f"{scene.__name__}: done", flush=True)
        except BaseException:
            failed.append(traceback.format_exc())
        finally:
            if "Actions" in hand.parts:
                hand.parts["Actions"].quit()

    before = set(threading.enumerate())
    options = argparse.Namespace(state=None, option=[], device="cpu", threads=None, present="auto", no_panel=True)
    player = threading.Thread(target=play, name="hand", daemon=True)
    player.start()
    # What is in the picture is labels: the same on every machine, whatever painters are there.
    state = ViewState(model="", drive=Drive(view="semantic"))
    assert app._run_window(options, state, "heads") == 0
    player.join(PATIENCE)
    left = [t.name for t in set(threading.enumerate()) - before]
    for text in failed:
        print(text, file=sys.stderr)
    if left:
        print(f"threads left behind: {left}", file=sys.stderr)
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
