"""A person edits: window, panel and render loop in one process, strokes and keys through the X server.

Run as `python edit_session.py FOLDER`; exits with 0 when every assertion held and no thread was left behind.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import app_session
import numpy as np
from app_session import Hand, until, xdotool
from neuroview.engine.editing import inversion
from neuroview.engine.editing.inversion_progress import InversionSettings
from neuroview.engine.state import ViewState
from PIL import Image

HAT = ((-120, -170, 260, -10), (-150, -120, 300, 10))
"""Two strokes over the hat of seed 22: from the middle of the view, and by how much."""
QUICK = InversionSettings(
    seeds=2, codes=64, race=1, coarse_steps=4, fine_steps=3, layer_steps=3, tuning_steps=3, least=0.0
)
"""Every stage of an inversion, none of them for long: how good it becomes is measured elsewhere."""


class Editor:
    """What the hand does while editing, step by step; every picture is looked at when it is still."""

    def __init__(self, hand: Hand) -> None:
        self.hand, self.store = hand, hand.store
        self.actions, self.overlay = hand.parts["Actions"], hand.window.overlay.edit
        self.tools = self.actions.edit.tools

    @property
    def state(self) -> ViewState:
        return self.store.state

    def picture(self) -> np.ndarray:
        self.hand.wait_until_still()
        return self.hand.loop.frame.pixels.numpy()[..., :3].astype(int)

    def focus(self) -> None:
        found = subprocess.run(
            ["xdotool", "search", "--name", "– neuroview$"], check=True, capture_output=True, text=True, timeout=20
        )
        xdotool("windowfocus", "--sync", found.stdout.split()[0])

    def press(self, title: str) -> None:
        """A click on what is called so in the view, once it is drawn."""
        until(lambda: any(t.title == title for t in self.overlay.targets), f"{title} in the view")
        place = next(t.place for t in self.overlay.targets if t.title == title)
        window = self.hand.window
        x, y = (round(part * window.scale / window.pixels_a_unit) for part in (place.x + 8, place.y + 8))
        xdotool("mousemove", window.place.x + x, window.place.y + y, "click", 1)

    def paint(self, *strokes: tuple[int, int, int, int]) -> None:
        x, y = self.hand.centre_of_view()
        for dx, dy, across, down in strokes:
            before = len(self.state.edits.strokes)
            self.hand.drag((x + dx, y + dy), (across, down), 6)
            until(lambda before=before: len(self.state.edits.strokes) == before + 1, "a stroke")

    def ends(self, what: str, before: str) -> None:
        """Wait until an edit has become part of the state, which has had the result `before`."""

        def there() -> bool:
            said = self.hand.loop.status.message
            assert said is None or said.level != "error", said
            return self.state.edits.result != before

        until(there, what)
        until(lambda: self.hand.loop.status.edit is None, "its end")


def with_a_hat(state: ViewState) -> ViewState:
    return replace(state, latents=replace(state.latents, seed_a=22))


def edited(hand: Hand) -> None:
    hand.wait_until_running()
    hand.store.update(with_a_hat, label="Seed A", undoable=False)
    hand.wait_until_still()
    editor = Editor(hand)
    first, before = editor.state, editor.picture()
    editor.focus()
    after = [recoloured(editor), hat_removed(editor, before), colours_taken_over(editor)]
    assert not editor.state.edits.strokes, "the strokes are part of what they made"
    everything_is_undone_and_redone(editor, first, before, after[-1])
    the_session_is_reopened_with_its_history(editor, first, after)
    a_screenshot_brings_the_edits_back(editor, after[-1])
    a_photo_becomes_an_identity(editor)


def recoloured(editor: Editor) -> np.ndarray:
    before = editor.picture()
    editor.press("Edit")
    until(lambda: editor.tools.now.on, "a brush in the hand")
    editor.actions.edit.set_colour((0.15, 0.65, 0.3))
    editor.paint(HAT[0])
    xdotool("key", "Return")
    editor.ends("a colour edit", "")
    after = editor.picture()
    assert (after[..., 1] - before[..., 1]).max() > 25, "something became green"
    return after


def hat_removed(editor: Editor, plain: np.ndarray) -> np.ndarray:
    """`plain`: the picture before any edit."""
    before, result = editor.picture(), editor.state.edits.result
    editor.press("Remove")
    until(lambda: editor.tools.now.brush == "remove", "the remove brush")
    width = editor.tools.now.width
    xdotool("key", "ctrl+bracketright", "ctrl+bracketright", "ctrl+bracketright")
    until(lambda: editor.tools.now.width > 1.5 * width, "a larger brush")
    editor.paint(*HAT)
    editor.press("Reshape")
    editor.ends("a removal", result)
    after = editor.picture()
    hat = slice(0, len(after) // 3)
    assert np.abs(after - before)[hat].mean() > 8, "where the green hat was is something else"
    assert np.abs(after - plain)[hat].mean() > 8, "and not the blue one of before"
    return after


def colours_taken_over(editor: Editor) -> np.ndarray:
    before, result = editor.picture(), editor.state.edits.result
    editor.tools.take(donor=11, part="colour")
    editor.actions.edit.transfer()
    editor.ends("a transfer", result)
    after = editor.picture()
    assert np.abs(after - before).mean() > 2, "it has other colours"
    return after


def everything_is_undone_and_redone(editor: Editor, first: ViewState, before: np.ndarray, after: np.ndarray) -> None:
    done = editor.store.history
    assert done.labels[-6:] == (
        *("Colour stroke", "Colour edit", "Remove stroke", "Remove stroke"),
        *("Shape edit", "Transfer"),
    )
    last = editor.state
    for position in range(done.position - 1, -1, -1):
        xdotool("key", "ctrl+z")
        until(lambda position=position: editor.store.history.position == position, "a step less")
    assert editor.state == first
    assert np.abs(editor.picture() - before).max() <= 2, "as before"
    for position in range(1, done.position + 1):
        xdotool("key", "ctrl+shift+z")
        until(lambda position=position: editor.store.history.position == position, "a step more")
    assert editor.state == last
    assert np.abs(editor.picture() - after).max() <= 2, "as it was"


def a_screenshot_brings_the_edits_back(editor: Editor, after: np.ndarray) -> None:
    editor.store.go_to(len(editor.store.history.labels))
    result, path = editor.state.edits.result, editor.hand.folder / "edited.png"
    editor.actions.screenshot(str(path)).result(app_session.PATIENCE)
    until(path.exists, "a screenshot")
    editor.store.go_to(0)
    editor.hand.drop(path)
    until(lambda: editor.state.edits.result == result, "the screenshot's edits")
    assert np.abs(editor.picture() - after).max() <= 2, "as it was saved"
    assert editor.store.undo() == "Restore edited.png"


def the_session_is_reopened_with_its_history(editor: Editor, first: ViewState, after: list[np.ndarray]) -> None:
    saved = editor.store.timeline
    path = editor.actions.sessions.save()
    editor.store.go_to(0)
    editor.hand.drop(path)
    until(lambda: editor.state == saved.state, "the session")
    assert editor.store.history.labels[-len(saved.labels) :] == saved.labels
    assert np.abs(editor.picture() - after[-1]).max() <= 2, "as it was saved"
    xdotool("key", "ctrl+z")
    until(lambda: editor.state == saved.states[-2], "the session's last step taken back")
    assert np.abs(editor.picture() - after[-2]).max() <= 2, "as it was then"
    editor.store.go_to(0)
    assert editor.state == first


def a_photo_becomes_an_identity(editor: Editor) -> None:
    hand, edit = editor.hand, editor.actions.edit
    inversion.invert = partial(inversion.invert, settings=QUICK)
    path = hand.folder / "someone.png"
    Image.fromarray(editor.picture().astype(np.uint8)).save(path)
    hand.drop(path)
    until(lambda: edit.photo.now is not None and edit.photo.now.settled, "a photo with its square")
    editor.press("Camera: fit it")
    until(lambda: edit.photo.now.here, "the camera that stands now")
    xdotool("key", "Return")
    until(lambda: editor.state.latents.identity, "an identity")
    until(lambda: edit.photo.now.stage == "compare", "photo and picture side by side")
    assert editor.store.can_undo == "Photo someone.png"
    xdotool("key", "Escape")
    until(lambda: edit.photo.now is None, "the photo put away")
    xdotool("key", "ctrl+z")
    until(lambda: not editor.state.latents.identity, "the seed again")


if __name__ == "__main__":
    app_session.SCENARIOS["edited"] = edited
    sys.exit(app_session.main("edited", Path(sys.argv[1])))
