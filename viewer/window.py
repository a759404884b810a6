"""`ViewWindow`: the window that shows frames and takes the hand's input. Everything here runs on the main thread.

The order of a program:

    window = ViewWindow("neuroview", place=settings.window)   # on screen with its start screen; torch not imported yet
    window.show_start("Loading heads…")
    ...                                                        # import torch, start the render loop
    window.attach(store, actions, lambda: loop.status, lambda: loop.frame, on_presenter=loop.set_presenter)
    loop.listen(window.wake)
    while window.run_once():
        pass
    window.close()

`run_once` sleeps until an event, a `wake` or the next step of an animation; it draws only when something changed.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..engine.status import LoopStatus
from .display import load_glfw, open_window
from .driving.seat import TICK as SEAT_TICK
from .letterbox import Rect
from .moving import Moving
from .settings import Place
from .theme import Theme, shipped_theme

if TYPE_CHECKING:
    import numpy as np

    from ..engine.frame import Frame
    from ..engine.present.choose import PresentKind
    from ..engine.present.shader import ShaderMode
    from ..engine.store import Store
    from .actions import Actions
    from .moving import Marching
    from .notices import Level

TICK = 1 / 120
"""Seconds between two steps of a held key where the display does not set the pace."""


class ViewWindow:
    """A GLFW window with an OpenGL 3.3 core context, on screen when the constructor returns.

    Args:
        title: in the title bar, before the model's name.
        size: (width, height) in screen coordinates for a window that has no remembered place.
        place: where it stood last time.
        theme: colours; None: the shipped theme.
        scale: pixels a point; None: as the display says, and following it from monitor to monitor.
        clock: seconds, for everything that fades or moves by itself.

    Raises:
        DisplayError: there is no display, or no OpenGL 3.3.
    """

    def __init__(
        self,
        title: str = "neuroview",
        size: tuple[int, int] = (1024, 768),
        place: Place | None = None,
        theme: Theme | None = None,
        *,
        scale: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._glfw = load_glfw()
        self._lock = threading.Lock()
        # What draws and what handles input load numpy and OpenGL. `open_window` imports those while the driver loads,
        # and OpenGL only when the platform that GLFW runs on is known: before it, they may not be imported.
        self._window: Any = open_window(title, size, place)
        from .canvas import Canvas
        from .events import Events
        from .overlay import Overlay

        self._title, self._named_title = title, title
        self._forced_scale, self._clock = scale, clock
        theme = theme or shipped_theme()
        self._canvas = Canvas(theme, self._name_presenter, lambda trouble: self.tell(trouble, "warning"))
        self.overlay = Overlay(theme)
        self._told: deque[tuple[str, Level]] = deque()
        self._store: Store | None = None
        self._stop_listening: Callable[[], object] = lambda: None
        self._status_source: Callable[[], LoopStatus] = LoopStatus
        self._frame_source: Callable[[], Frame | None] = lambda: None
        self._on_presenter: Callable[[str], object] | None = None
        self._moving: Moving | None = None
        self.status = LoopStatus()
        """What the loop said last."""
        self._dirty = True
        self._minimised = False
        self._windowed: Place | None = None
        self._last_draw = -math.inf
        self._events = Events(self, clock)
        glfw, window = self._glfw, self._window
        # Drawn at once and not in run_once: Windows and macOS stay inside the event call while a window is resized.
        glfw.set_framebuffer_size_callback(window, lambda *_: self._draw())
        glfw.set_window_refresh_callback(window, lambda *_: self._draw())
        glfw.set_window_content_scale_callback(window, lambda *_: self._draw())
        glfw.set_window_iconify_callback(window, self._on_iconify)
        self._draw()
        glfw.show_window(window)
        from .icon import window_icons

        icons = window_icons(theme)
        glfw.set_window_icon(window, len(icons), icons)

    # ---- what app.py calls

    def show_start(self, text: str) -> None:
        """Show the start screen with `text` ('Loading heads…') until the first frame arrives; drawn at once."""
        self.overlay.start = text
        self._draw()

    def attach(
        self,
        store: Store,
        actions: Actions,
        status_source: Callable[[], LoopStatus],
        frame_source: Callable[[], Frame | None],
        *,
        on_presenter: Callable[[str], object] | None = None,
        marching: Marching | None = None,
    ) -> None:
        """Connect the window with the program.

        Args:
            store: receives what the hand does.
            actions: called for keys and dropped files.
            status_source, frame_source: the newest of each; asked after every event and `wake`, return at once.
            on_presenter: told the presenter's name when it is chosen or replaced (for `LoopStatus.presenter`).
            marching: offers baked scenes that this window may march; None: every picture is a frame.
        """
        self._store, self._actions = store, actions
        self._status_source, self._frame_source = status_source, frame_source
        self._on_presenter = on_presenter
        self._moving = Moving(self._canvas, store, marching) if marching is not None else None
        self.overlay.edit.attach(actions.edit)
        self._events.attach(store, actions)
        self._stop_listening()
        stops = (store.listen(self.wake), actions.edit.tools.listen(self.wake), actions.edit.photo.listen(self.wake))
        self._stop_listening = lambda: [stop() for stop in stops]
        self._name_presenter(self._canvas.presenter_name)
        self._dirty = True

    def present(self, kind: PresentKind) -> None:
        """How frames shall reach the screen: 'auto' (the fastest way that works), 'texture', 'pbo', 'host'.

        The next frame puts it into effect, as only then torch and the frame's device are there; where a forced way
        does not work, that `run_once` raises PresentError.
        """
        self._canvas.present(kind)
        self._dirty = True

    def shade(self, mode: ShaderMode) -> None:
        """Whether this window marches baked scenes for a moving camera: 'auto' (where a GPU does it quicker than the
        processor), 'on' or 'off'. To be called before `attach`."""
        self._canvas.shade(mode)

    def run_once(self, timeout: float = 0.5) -> bool:
        """Handle what happened, take the newest frame and status, draw when something changed.

        Args:
            timeout: longest sleep in seconds while nothing happens.

        Returns:
            False when the window is to be closed.

        Raises:
            PresentError: a forced way to the screen (see `present`) does not work here.
        """
        if self._window is None:
            return False
        wait = 0.0 if self._dirty and not self._minimised else self._patience(timeout)
        if wait > 0:
            self._glfw.wait_events_timeout(wait)
        else:
            self._glfw.poll_events()
        if self._glfw.window_should_close(self._window):
            return False
        self._events.step()
        self._take_news()
        if self._dirty and not self._minimised:
            self._draw()
        return True

    def wake(self) -> None:
        """Let `run_once` return from its sleep. Any thread may call it, also after `close`."""
        with self._lock:
            if self._window is not None:
                self._glfw.post_empty_event()

    def tell(self, text: str, level: Level = "error") -> None:
        """Show a card ('error', 'warning') or a toast ('info') in the view. Any thread may call it."""
        self._told.append((text, level))
        self.wake()

    def request_close(self) -> None:
        """Make `run_once` return False. Any thread may call it."""
        with self._lock:
            if self._window is not None:
                self._glfw.set_window_should_close(self._window, True)
                self._glfw.post_empty_event()

    def close(self) -> None:
        """Take the window off the screen and give everything back; calling it again does nothing."""
        if self._window is None:
            return
        self._stop_listening()
        self._canvas.close()
        with self._lock:
            window, self._window = self._window, None
            self._glfw.destroy_window(window)
            self._glfw.terminate()

    @property
    def place(self) -> Place:
        """Where the window stands, to be remembered; in full screen, where it stood before."""
        if self._windowed is not None:
            return self._windowed
        x, y = self._glfw.get_window_pos(self._window)
        return Place(x, y, *self._glfw.get_window_size(self._window))

    @place.setter
    def place(self, place: Place) -> None:
        self._glfw.set_window_size(self._window, place.width, place.height)
        self._glfw.set_window_pos(self._window, place.x, place.y)

    @property
    def scale(self) -> float:
        """Pixels a point."""
        if self._forced_scale is not None:
            return self._forced_scale
        return max(float(self._glfw.get_window_content_scale(self._window)[0]), 0.5)

    @property
    def handle(self) -> Any:
        """The GLFW window."""
        return self._window

    @property
    def pixels_a_unit(self) -> float:
        """Framebuffer pixels a screen coordinate: 2 on a Retina display, 1 on Windows and X11 at any scale."""
        width = self._glfw.get_window_size(self._window)[0]
        return self.framebuffer[0] / width if width and self.framebuffer[0] else 1.0

    @property
    def framebuffer(self) -> tuple[int, int]:
        """(width, height) in pixels; (0, 0) while minimised on some systems."""
        width, height = self._glfw.get_framebuffer_size(self._window)
        return int(width), int(height)

    @property
    def picture(self) -> Rect | None:
        """Where the picture stands, framebuffer pixels; None before the first frame."""
        return self._canvas.place(self.framebuffer, self.scale, self.full_screen)

    @property
    def photo_place(self) -> Rect | None:
        """Where a photo stands beside the picture, framebuffer pixels; None while none is framed."""
        return self._canvas.photo_place(self.framebuffer, self.scale, self.full_screen)

    def colour_at(self, across: float, down: float) -> tuple[float, float, float] | None:
        """The shown picture's colour (sRGB 0..1) at a place in 0..1 of it; None where there is none."""
        return self._canvas.colour_at(across, down)

    @property
    def presenter_line(self) -> str:
        """How frames reach the window, one line; empty before the first frame."""
        return self._canvas.line

    @property
    def full_screen(self) -> bool:
        return self._windowed is not None

    def toggle_full_screen(self) -> None:
        """Fill the monitor that holds most of the window, or go back to where it was."""
        glfw = self._glfw
        if self._windowed is not None:
            place, self._windowed = self._windowed, None
            glfw.set_window_monitor(self._window, None, place.x, place.y, place.width, place.height, glfw.DONT_CARE)
        else:
            place = self.place
            monitor = max(glfw.get_monitors(), key=lambda m: _overlap(place, glfw, m))
            mode = glfw.get_video_mode(monitor)
            self._windowed = place
            glfw.set_window_monitor(self._window, monitor, 0, 0, mode.size.width, mode.size.height, mode.refresh_rate)
        glfw.swap_interval(1)  # some drivers forget it with the monitor
        self._dirty = True

    def read_pixels(self) -> np.ndarray:
        """What the window shows now, `[height, width, 4]` uint8, row 0 the top. Draws; for tests and bug reports."""
        self._take_news()
        self._paint()
        return self._canvas.read_pixels(self.framebuffer)

    def redraw(self) -> None:
        """Draw with the next `run_once`; for the window's own thread."""
        self._dirty = True

    # ---- news

    def _take_news(self) -> None:
        now = self._clock()
        while self._told:
            self.overlay.notices.tell(*self._told.popleft(), now)
            self._dirty = True
        frame = self._frame_source()
        moved = self._moving.step(frame) if self._moving is not None and frame is not None else False
        leads = self._moving is not None and self._moving.leads
        self._dirty |= moved
        fresh = frame is not None and frame is not self._canvas.frame and not leads
        if frame is not None and fresh:
            self._canvas.show(frame)
            self.overlay.start = None
            self._dirty = True
        self.status = self._status_source()
        state = self._store.state if self._store is not None else None
        self._dirty |= self.overlay.update(self.status, state, now, fresh=fresh)
        self._canvas.photo = self.overlay.edit.photo
        due = self.overlay.next_change(self._last_draw)
        if due is not None and now >= self._last_draw + due:
            self._dirty = True
        name = f"{shown} – {self._title}" if (shown := self._shown_name()) else self._title
        if name != self._named_title:
            self._named_title = name
            self._glfw.set_window_title(self._window, name)

    def _shown_name(self) -> str:
        """What the title bar says is shown."""
        if self.overlay.hud.driving:
            engine = self.status.drive.engine if self.status.drive is not None else None
            return engine.title if engine is not None else "Drive"
        return self.status.model.card.title if self.status.model is not None else ""

    def _name_presenter(self, name: str) -> None:
        if name and self._on_presenter is not None:
            self._on_presenter(name)

    def _patience(self, timeout: float) -> float:
        if self._events.holding:
            return min(timeout, TICK)
        if self._events.driving:  # the wheel turns back by itself, and CONTROL follows it
            return min(timeout, SEAT_TICK)
        if self._minimised:
            return timeout
        due = self.overlay.next_change(self._clock())
        # Never quite nothing: an animation that is due may not turn into a busy loop.
        return timeout if due is None else max(min(timeout, due), 1e-3)

    # ---- drawing

    def _draw(self) -> None:
        if self._window is None or 0 in self.framebuffer:
            return
        self._paint()
        self._glfw.swap_buffers(self._window)
        self._dirty = False
        self._last_draw = self._clock()

    def _paint(self) -> None:
        self._canvas.paint(self.overlay, self.framebuffer, self.scale, self.full_screen, self._clock())

    def _on_iconify(self, _: Any, minimised: int) -> None:
        self._minimised = bool(minimised)
        self._dirty = True


def _overlap(place: Place, glfw: Any, monitor: Any) -> int:
    """Screen area that the window at `place` and a monitor share."""
    x, y = glfw.get_monitor_pos(monitor)
    mode = glfw.get_video_mode(monitor)
    width = min(place.x + place.width, x + mode.size.width) - max(place.x, x)
    height = min(place.y + place.height, y + mode.size.height) - max(place.y, y)
    return max(width, 0) * max(height, 0)
