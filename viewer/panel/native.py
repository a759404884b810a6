"""The few calls of Dear PyGui's own GLFW that its Python face lacks: wait for input, wake up, hide, notice minimising.

Dear PyGui carries a GLFW of its own. On Linux its functions can be reached in the extension module; where they cannot
(Windows, where it draws with Direct3D and has no GLFW), `NativeWindow` falls back to plain waiting.
"""

from __future__ import annotations

import ctypes
import threading
import time

_ICONIFIED = 0x00020002
"""GLFW_ICONIFIED, glfw3.h"""


class NativeWindow:
    """The panel's window below Dear PyGui. Made on the panel's thread after the viewport is shown."""

    def __init__(self) -> None:
        self._wake = threading.Event()
        self._woken = 0.0
        self._glfw: ctypes.CDLL | None = None
        self._window: int | None = None
        try:
            import dearpygui._dearpygui as extension

            glfw = ctypes.CDLL(extension.__file__)
            glfw.glfwGetCurrentContext.restype = ctypes.c_void_p
            glfw.glfwGetWindowAttrib.argtypes = [ctypes.c_void_p, ctypes.c_int]
            glfw.glfwWaitEventsTimeout.argtypes = [ctypes.c_double]
            for name in ("glfwHideWindow", "glfwShowWindow", "glfwWindowShouldClose"):
                getattr(glfw, name).argtypes = [ctypes.c_void_p]
            _ = glfw.glfwPostEmptyEvent
            self._window = glfw.glfwGetCurrentContext()
            if self._window:
                self._glfw = glfw
        except (AttributeError, OSError):
            pass

    @property
    def blind(self) -> bool:
        """Whether `wait` cannot notice input."""
        return self._glfw is None

    @property
    def minimised(self) -> bool:
        """Whether drawing now would block until the person restores the window."""
        return self._glfw is not None and bool(self._glfw.glfwGetWindowAttrib(self._window, _ICONIFIED))

    @property
    def asked_to_close(self) -> bool:
        """Whether the person closed the window; Dear PyGui itself notices only when it draws."""
        return self._glfw is not None and bool(self._glfw.glfwWindowShouldClose(self._window))

    def wait(self, seconds: float) -> bool:
        """Sleep until input arrives, `wake` is called or the time is up; True when it was the person's input.

        Panel thread only.
        """
        if self._glfw is None:
            self._wake.wait(seconds)
            self._wake.clear()
            return False
        end = time.monotonic() + seconds
        self._glfw.glfwWaitEventsTimeout(max(seconds, 0.0005))
        self._wake.clear()
        now = time.monotonic()
        # Several wake-ups in a row arrive as events one by one: what returns soon after one is not the person's hand.
        return now < end - 0.002 and now - self._woken > 0.05

    def wake(self, *, insist: bool = False) -> None:
        """End a `wait`. Any thread; a wake-up that is still on its way is not sent twice.

        `insist` sends it anyhow: it also ends a draw that blocks because the window was minimised meanwhile.
        """
        self._woken = time.monotonic()
        pending = self._wake.is_set()
        self._wake.set()
        if self._glfw is not None and (insist or not pending):
            self._glfw.glfwPostEmptyEvent()

    def show(self, visible: bool) -> None:
        """Show or hide the window. Panel thread only."""
        if self._glfw is not None:
            (self._glfw.glfwShowWindow if visible else self._glfw.glfwHideWindow)(self._window)
