"""A person edits: window, panel and render loop in one process, strokes through the X server.

Run as `python edit_session.py FOLDER`; exits with 0 when every assertion held and no thread was left behind.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import app_session
import numpy as np
from app_session import Hand, until, xdotool


def picture(hand: Hand) -> np.ndarray:
    return hand.loop.frame.pixels.numpy()[..., :3].astype(int)


def edited(hand: Hand) -> None:
    hand.wait_until_running()
    hand.wait_until_still()
    before, actions = picture(hand), hand.parts["Actions"]
    found = subprocess.run(
        ["xdotool", "search", "--name", "– neuroview$"], check=True, capture_output=True, text=True, timeout=20
    )
    xdotool("windowfocus", "--sync", found.stdout.split()[0])
    xdotool("key", "b")
    until(lambda: actions.edit.tools.now.on, "a brush in the hand")
    actions.edit.set_colour((0.15, 0.65, 0.3))
    x, y = hand.centre_of_view()
    hand.drag((x - 60, y - 160), (120, -10), 6)
    until(lambda: len(hand.store.state.edits.strokes) == 1, "a stroke")
    xdotool("key", "Return")
    until(lambda: hand.store.state.edits.result, f"a colour edit; {hand.loop.status}")
    until(lambda: hand.loop.status.edit is None, "its end")
    assert not hand.store.state.edits.strokes, "the stroke is part of it"
    assert hand.store.history.labels[-2:] == ("Colour stroke", "Colour edit")
    hand.wait_until_still()
    after = picture(hand)
    assert (after[..., 1] - before[..., 1]).max() > 25, "something became green"
    path = actions.sessions.save()
    xdotool("key", "ctrl+z", "ctrl+z")
    until(lambda: hand.store.history.position == 0, "undone")
    hand.wait_until_still()
    assert np.abs(picture(hand) - before).max() <= 2, "as before"
    actions.open_path(str(path))
    until(lambda: hand.store.state.edits.result, "the session")
    hand.wait_until_still()
    assert np.abs(picture(hand) - after).max() <= 2, "as it was saved"
    hand.store.go_to(0)
    assert not hand.store.state.edits.strokes


if __name__ == "__main__":
    app_session.SCENARIOS["edited"] = edited
    sys.exit(app_session.main("edited", Path(sys.argv[1])))
