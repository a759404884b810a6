"""The panel's window and thread: Dear PyGui, and nothing else, on a thread of its own.

Rules that keep it from hanging (each was tried):
- Only this thread calls Dear PyGui. It reads immutable snapshots and drains a queue of requests from the others.
- A minimised window is not drawn: Dear PyGui would wait inside, holding its mutex.
- Between frames it waits inside GLFW for input or a wake-up, so an idle panel costs next to nothing.
- Dear PyGui can be started once in a process; a second context crashes it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..settings import Place
from .base import PanelContext

if TYPE_CHECKING:
    from .native import NativeWindow
    from .panel import Panel

log = logging.getLogger(__name__)

DEFAULT_PLACE = Place(x=980, y=60, width=400, height=912)
MINIMUM_SIZE = (368, 320)
_IDLE = 1.0
"""Seconds between repaints when nothing happens at all."""
_ACTIVE, _ACTIVE_SHARE = (1 / 60, 1 / 30), 0.25
"""In the person's hand: 60 times a second, or down to 30 where that would take more than this share of the time."""
_FOLLOWING, _FOLLOWING_SHARE = (1 / 30, 1 / 12), 0.08
"""Following changes from elsewhere: at most 30 and at least 12 times a second, and in between so seldom that it takes
no more than this share of the time. Rendering has the same cores, and without a GPU a repaint takes 5 ms of them."""
_BLIND = 1 / 30
"""Where waiting cannot notice input, it has to be looked for."""
_LINGER = 0.8
"""Seconds that it goes on at the active rate after the last input: hover and tooltips need frames."""
_used = threading.Lock()


class ThreadedPanel:
    """A `PanelHost` that runs Dear PyGui on its own thread."""

    def __init__(
        self,
        context: PanelContext,
        *,
        place: Place | None = None,
        scale: float = 1.0,
        closed: Callable[[], None] = lambda: None,
        failed: Callable[[str], None] = lambda reason: None,
        title: str = "neuroview panel",
    ) -> None:
        """
        Args:
            place: where it opens, screen coordinates.
            scale: the display's content scale, as GLFW tells it on the main thread.
            closed: called once on the panel's thread when the person has closed it (not after `stop`).
            failed: called on the panel's thread with a sentence when it cannot open or go on; the view can do without.
        """
        self._context, self._title = context, title
        self._closed, self._failed = closed, failed
        self._scale = scale
        default = DEFAULT_PLACE
        self._place = place or Place(default.x, default.y, round(default.width * scale), round(default.height * scale))
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._visible = True
        self._native: NativeWindow | None = None
        self._thread: threading.Thread | None = None
        self.failure: str | None = None
        """Why the panel could not open or had to close; None while all is well."""
        self.repaints = 0
        """Frames drawn so far."""

    @property
    def place(self) -> Place:
        """Where it stands now, or stood last."""
        return self._place

    @property
    def visible(self) -> bool:
        return self._visible and self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Open the panel; returns at once.

        A display has to be there: Dear PyGui ends the whole process without one (the view window has checked).
        """
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name="neuroview-panel", daemon=True)
        self._thread.start()

    def wait_ready(self, timeout: float = 5.0) -> bool:
        """Wait for the first frame; False when it did not come in time."""
        return self._ready.wait(timeout) and self.failure is None

    def move(self, place: Place) -> None:
        """Put the window elsewhere."""

        def request() -> None:
            import dearpygui.dearpygui as dpg

            dpg.configure_viewport(0, x_pos=place.x, y_pos=place.y, width=place.width, height=place.height)

        self.post(request)

    def show(self, visible: bool = True) -> None:
        """Show or hide it."""
        self._visible = visible
        self.post(lambda: self._native.show(visible) if self._native else None)

    def post(self, request: Callable[[], None]) -> None:
        """Run `request` on the panel's thread, soon."""
        self._requests.put(request)
        self.wake()

    def wake(self) -> None:
        """Something has changed: look again. Any thread, returns at once."""
        if self._native is not None:
            self._native.wake()

    def stop(self, timeout: float = 1.0) -> bool:
        """Close it and wait; True when its thread has ended. Safe twice, and while minimised."""
        self._stopping.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        deadline = time.monotonic() + timeout
        while thread.is_alive() and time.monotonic() < deadline:
            if self._native is not None:
                self._native.wake(insist=True)
            thread.join(0.05)
        if thread.is_alive():
            log.warning("The panel did not close within %.1f s; leaving it behind.", timeout)
        return not thread.is_alive()

    def _run(self) -> None:
        stops: list[Callable[[], None]] = []
        try:
            if not _used.acquire(blocking=False):
                raise RuntimeError("Dear PyGui can be started only once in a process")
            import dearpygui.dearpygui as dpg

            dpg.create_context()
            try:
                panel = self._open(dpg)
                edit = self._context.actions.edit
                stops += [self._context.store.listen(self.wake), self._context.loop.listen(self.wake)]
                stops += [edit.tools.listen(self.wake), edit.photo.listen(self.wake)]
                self._repaint_until_closed(dpg, panel)
            finally:
                for stop in stops:
                    stop()
                dpg.destroy_context()
        except Exception as error:
            self.failure = f"The panel could not run: {error}. The keys do the same; press F1 to see them."
            log.exception("The panel could not run.")
            self._failed(self.failure)
        else:
            if not self._stopping.is_set():
                self._closed()
        finally:
            self._ready.set()

    def _open(self, dpg: Any) -> Panel:
        from .native import NativeWindow
        from .panel import WINDOW, Panel
        from .style import make_style

        dpg.configure_app(manual_callback_management=True)
        style = make_style(self._scale)
        place, background = self._place, style.colours.background
        dpg.create_viewport(
            title=self._title,
            x_pos=place.x,
            y_pos=place.y,
            width=place.width,
            height=place.height,
            vsync=False,
            min_width=style.px(MINIMUM_SIZE[0]),
            min_height=style.px(MINIMUM_SIZE[1]),
            clear_color=(*background, 255),
        )
        panel = Panel(self._context, style, self.wake)
        dpg.setup_dearpygui()
        dpg.show_viewport()
        dpg.set_primary_window(WINDOW, True)
        dpg.render_dearpygui_frame()
        self._native = NativeWindow()
        if not self._visible:
            self._native.show(False)
        return panel

    def _repaint_until_closed(self, dpg: Any, panel: Panel) -> None:
        native = self._native
        assert native is not None
        last_input, touch = time.monotonic(), panel.touch()
        idle = _BLIND if native.blind else _IDLE
        cost = 0.005
        while not self._stopping.is_set() and dpg.is_dearpygui_running() and not native.asked_to_close:
            began = time.monotonic()
            self._answer_requests()
            if native.minimised or not self._visible:
                native.wait(_IDLE)
                continue
            changed = panel.refresh()
            dpg.render_dearpygui_frame()
            run_callbacks(dpg.get_callback_queue())
            self._note_place(dpg)
            self.repaints += 1
            self._ready.set()
            now = time.monotonic()
            cost += 0.2 * (now - began - cost)
            active = min(max(cost / _ACTIVE_SHARE, _ACTIVE[0]), _ACTIVE[1])
            following = min(max(cost / _FOLLOWING_SHARE, _FOLLOWING[0]), _FOLLOWING[1])
            if touch != (touch := panel.touch()):
                last_input = now
            period = active if now - last_input < _LINGER else following if changed else idle
            last_input = self._rest(native, began, period, active, following, last_input)

    def _rest(
        self, native: NativeWindow, began: float, period: float, active: float, following: float, last_input: float
    ) -> float:
        """Wait out the period; input shortens it to the active one, a change from elsewhere to the following one."""
        while not self._stopping.is_set() and (left := began + period - time.monotonic()) > 0:
            if native.wait(left):
                last_input = time.monotonic()
                period = min(period, active)
            elif time.monotonic() < began + period - 0.002:
                period = min(period, following)
        return last_input

    def _answer_requests(self) -> None:
        while True:
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return
            try:
                request()
            except Exception:
                log.exception("A request to the panel failed.")

    def _note_place(self, dpg: Any) -> None:
        x, y = dpg.get_viewport_pos()
        self._place = Place(int(x), int(y), int(dpg.get_viewport_width()), int(dpg.get_viewport_height()))


def run_callbacks(jobs: Any) -> None:
    """Run what Dear PyGui has queued (callback, sender, app_data, user_data); one that fails does not stop the rest."""
    for job in jobs or ():
        if job[0] is None:
            continue
        try:
            job[0](*job[1:4])
        except Exception:
            log.exception("A control of the panel failed.")
