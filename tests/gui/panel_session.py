"""One scenario with a real panel window, in a process of its own: Dear PyGui survives only one context a process.

Run as `python panel_session.py SCENARIO`; exits with 0 when every assertion held. Synthetic input comes from xdotool,
window states straight from Xlib, so that no window manager is needed.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "viewer"))

from neuroview.viewer.panel.host import ThreadedPanel
from neuroview.viewer.settings import Place
from panel_fakes import CHOOSY, fake_context

PATIENCE = 10.0
TITLE = f"panel under test {os.getpid()}"


def until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until it is so, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        threading.Event().wait(0.01)


def xdotool(*words: object) -> str:
    return subprocess.run(
        ["xdotool", *map(str, words)], check=True, capture_output=True, text=True, timeout=PATIENCE
    ).stdout


class Session:
    """A panel on the screen, and a hand."""

    def __init__(self) -> None:
        self.context = fake_context()
        self.store = self.context.store
        self.closed = threading.Event()
        self.panel = ThreadedPanel(self.context, place=Place(40, 30, 400, 912), closed=self.closed.set, title=TITLE)
        self.panel.start()
        assert self.panel.wait_ready(PATIENCE), self.panel.failure
        self.window = int(xdotool("search", "--sync", "--name", TITLE).split()[0])
        self.repainted(3)

    def ask(self, question: Callable[[], object]) -> object:
        """An answer of Dear PyGui's, from its own thread."""
        answer: list[object] = []
        done = threading.Event()

        def run() -> None:
            answer.append(question())
            done.set()

        self.panel.post(run)
        assert done.wait(PATIENCE), "the panel's thread does not answer"
        return answer[0]

    def repainted(self, times: int = 2) -> None:
        start = self.panel.repaints

        def enough() -> bool:
            self.panel.wake()
            return self.panel.repaints >= start + times

        until(enough, "a repaint")

    def value(self, tag: str) -> float:
        import dearpygui.dearpygui as dpg

        return float(self.ask(lambda: dpg.get_value(tag)))  # type: ignore[arg-type]

    def point(self, tag: str, across: float) -> tuple[int, int]:
        """Screen coordinates of a place on an item, `across` of its width from the left."""
        import dearpygui.dearpygui as dpg

        def where() -> tuple[int, int]:
            (x, y), (width, height) = dpg.get_item_rect_min(tag), dpg.get_item_rect_size(tag)
            return round(x + across * width), round(y + height / 2)

        x, y = self.ask(where)  # type: ignore[misc]
        place = self.panel.place
        return place.x + x, place.y + y

    def drag(self, tag: str, *stops: float) -> None:
        """Press at the first stop, pass the others, release; each stop waits until the state has followed."""
        xdotool("mousemove", *self.point(tag, stops[0]))
        self.repainted()
        before = self.store.snapshot[0]
        xdotool("mousedown", 1)
        until(lambda: self.store.snapshot[0] > before, "a press on the slider")
        for stop in stops[1:]:
            before = self.store.snapshot[0]
            xdotool("mousemove", *self.point(tag, stop))
            until(lambda before=before: self.store.snapshot[0] > before, "the drag reaches the state")
        xdotool("mouseup", 1)
        self.repainted(3)

    def undo_steps(self) -> int:
        steps = 0
        while self.store.undo() is not None:
            steps += 1
        return steps


def drag_is_one_step(s: Session) -> None:
    fresh = s.store.state
    s.drag("latents.mix_geometry", 0.2, 0.4, 0.6, 0.8)
    assert 0.7 < s.store.state.latents.mix_geometry < 0.9
    assert s.undo_steps() == 1
    assert s.store.state == fresh


def two_drags_are_two_steps(s: Session) -> None:
    s.drag("latents.mix_geometry", 0.2, 0.5, 0.8)
    s.drag("latents.mix_geometry", 0.7, 0.5, 0.3)
    assert s.undo_steps() == 2


def state_moves_the_slider(s: Session) -> None:
    s.store.update(lambda v: replace(v, latents=replace(v.latents, truncation=1.5)), label="elsewhere")
    until(lambda: abs(s.value("latents.truncation") - 1.5) < 1e-6, "the slider follows")


def a_held_slider_is_not_taken_away(s: Session) -> None:
    xdotool("mousemove", *s.point("latents.truncation", 0.5))
    s.repainted()
    xdotool("mousedown", 1)
    until(lambda: s.store.can_undo is not None, "a press on the slider")
    held = s.value("latents.truncation")
    s.store.update(lambda v: replace(v, latents=replace(v.latents, truncation=-0.9)), label="elsewhere")
    s.repainted(3)
    assert s.value("latents.truncation") == held
    xdotool("mouseup", 1)
    until(lambda: abs(s.value("latents.truncation") + 0.9) < 1e-6, "it follows once it is let go")


def right_click_takes_the_default(s: Session) -> None:
    s.drag("latents.truncation", 0.3, 0.9)
    xdotool("mousemove", *s.point("latents.truncation", 0.5))
    s.repainted()
    xdotool("click", 3)
    until(lambda: s.store.state.latents.truncation == 0.7, "a right click")
    assert s.store.can_undo == "Truncation ψ"
    assert s.undo_steps() == 2


def double_click_takes_the_default(s: Session) -> None:
    s.store.update(lambda v: replace(v, latents=replace(v.latents, truncation=1.5)), label="elsewhere", undoable=False)
    xdotool("mousemove", *s.point("latents.truncation", 0.2))
    s.repainted(3)
    xdotool("click", "--repeat", 2, "--delay", 60, 1)
    until(lambda: s.store.state.latents.truncation == 0.7, "a double click")
    s.repainted(3)
    assert s.store.state.latents.truncation == 0.7
    assert s.undo_steps() == 1


def a_value_can_be_typed(s: Session) -> None:
    x, y = s.point("latents.truncation", 1.0)
    xdotool("mousemove", x + 40, y)
    s.repainted(3)
    xdotool("click", 1)
    s.repainted(6)
    xdotool("key", "ctrl+a")
    s.repainted(3)
    xdotool("type", "--delay", 30, "0.25")
    s.repainted(3)
    xdotool("key", "Return")
    until(lambda: s.store.state.latents.truncation == 0.25, "the typed value")
    assert s.undo_steps() == 1


def ctrl_click_types_a_value(s: Session) -> None:
    xdotool("mousemove", *s.point("latents.truncation", 0.3))
    s.repainted(3)
    xdotool("keydown", "ctrl")
    s.repainted(3)
    xdotool("click", 1)
    s.repainted(3)
    xdotool("keyup", "ctrl")
    s.repainted(3)
    xdotool("key", "ctrl+a")
    s.repainted(3)
    xdotool("type", "--delay", 30, "1.25")
    s.repainted(3)
    xdotool("key", "Return")
    until(lambda: s.store.state.latents.truncation == 1.25, "the typed value")
    s.repainted(3)
    assert s.undo_steps() == 1


def a_choice_is_picked_from_its_list(s: Session) -> None:
    import dearpygui.dearpygui as dpg

    s.context.loop.tell(model=CHOOSY)
    until(lambda: bool(s.ask(lambda: dpg.does_item_exist("model.option.weights"))), "the drop-down appears")
    s.repainted(3)
    x, y = s.point("model.option.weights", 0.5)
    xdotool("mousemove", x, y)
    s.repainted(3)
    xdotool("click", 1)
    s.repainted(3)
    xdotool("mousemove", x, y + 44)  # the second of the entries below it
    s.repainted(3)
    xdotool("click", 1)
    until(lambda: s.store.state.options == (("weights", "raw"),), "the choice")
    until(lambda: s.ask(lambda: dpg.get_value("model.option.weights")) == "raw", "the drop-down shows it")
    assert s.undo_steps() == 1
    assert s.store.state.options == ()
    until(lambda: s.ask(lambda: dpg.get_value("model.option.weights")) == "ema", "it follows the undo")


def ctrl_z_undoes(s: Session) -> None:
    s.drag("latents.truncation", 0.3, 0.6, 0.9)
    xdotool("key", "ctrl+z")
    until(lambda: s.store.state.latents.truncation == 0.7, "undo by key")
    xdotool("key", "ctrl+y")
    until(lambda: s.store.state.latents.truncation > 1.0, "redo by key")


def minimised_it_hangs_nobody(s: Session) -> None:
    iconify(s.window)
    assert s.panel._native is not None
    until(lambda: s.panel._native.minimised, "the window is minimised")
    s.ask(lambda: None)  # its thread goes on answering
    drawn = s.panel.repaints
    for i in range(50):
        s.store.update(lambda v, i=i: replace(v, latents=replace(v.latents, seed_a=i + 5)), label="elsewhere")
    s.ask(lambda: None)
    assert s.panel.repaints <= drawn + 1
    began = time.monotonic()
    assert s.panel.stop()
    assert time.monotonic() - began < 1.0


def hidden_it_rests_and_comes_back(s: Session) -> None:
    s.panel.show(False)
    s.ask(lambda: None)
    drawn = s.panel.repaints
    for _ in range(20):
        s.panel.wake()
    s.ask(lambda: None)
    assert s.panel.repaints <= drawn + 1
    s.panel.show(True)
    until(lambda: s.panel.repaints > drawn + 2 or bool(s.panel.wake()), "it is drawn again")


def closing_calls_back(s: Session) -> None:
    close(s.window)
    assert s.closed.wait(PATIENCE)
    assert s.panel.stop()


def closing_while_minimised_calls_back(s: Session) -> None:
    iconify(s.window)
    until(lambda: s.panel._native.minimised, "the window is minimised")
    close(s.window)
    assert s.closed.wait(PATIENCE)


def stopping_does_not_call_back(s: Session) -> None:
    assert s.panel.stop()
    assert not s.closed.is_set()


def it_can_be_moved(s: Session) -> None:
    s.panel.move(Place(200, 100, 420, 700))

    def there() -> bool:
        s.panel.wake()
        return s.panel.place == Place(200, 100, 420, 700)

    until(there, "the new place")


def idle_it_hardly_repaints(s: Session) -> None:
    xdotool("mousemove", 1200, 1100)
    s.panel._ready.clear()
    rates = []

    def quiet() -> bool:
        before = s.panel.repaints
        threading.Event().wait(1.0)
        rates.append(s.panel.repaints - before)
        return rates[-1] <= 3

    until(quiet, f"at most 3 repaints a second (were {rates})")


def iconify(window: int) -> None:
    """What a window manager does when a window is minimised, as far as GLFW looks: WM_STATE becomes Iconic."""
    x, display = _xlib()
    atom = x.XInternAtom(display, b"WM_STATE", 0)
    state = (ctypes.c_long * 2)(3, 0)
    x.XChangeProperty(display, window, atom, atom, 32, 0, ctypes.byref(state), 2)
    x.XSync(display, 0)


def close(window: int) -> None:
    """What a window manager does when the cross is clicked: WM_DELETE_WINDOW."""
    x, display = _xlib()

    class ClientMessage(ctypes.Structure):
        _fields_ = [
            ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
            ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong),
            ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("pad", ctypes.c_long * 24),
        ]  # fmt: skip

    event = ClientMessage(type=33, window=window, format=32)
    event.message_type = x.XInternAtom(display, b"WM_PROTOCOLS", 0)
    event.data[0] = x.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    x.XSendEvent(display, window, 0, 0, ctypes.byref(event))
    x.XSync(display, 0)


def _xlib() -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.restype = ctypes.c_ulong
    x.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x.XSync.argtypes = [ctypes.c_void_p, ctypes.c_int]
    x.XChangeProperty.argtypes = [ctypes.c_void_p, *[ctypes.c_ulong] * 3, *[ctypes.c_int] * 2, ctypes.c_void_p, ctypes.c_int]  # fmt: skip  # noqa: E501
    x.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    return x, ctypes.c_void_p(x.XOpenDisplay(None))


def main(name: str) -> None:
    before = {t.name for t in threading.enumerate()}
    session = Session()
    try:
        globals()[name](session)  # the functions above are the scenarios
    finally:
        stopped = session.panel.stop(3.0)
    assert stopped, "the panel's thread is still there"
    assert session.panel.failure is None
    assert {t.name for t in threading.enumerate()} == before
    assert not session.context.loop.listeners


if __name__ == "__main__":
    main(sys.argv[1])
