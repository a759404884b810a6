"""`GpuClock`: how long the GPU draws, asked for only when the answer has long been known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from OpenGL import GL


class GpuClock:
    """Times drawings with two timers in turn. Needs a current GL context, and to be the only one that times there."""

    def __init__(self) -> None:
        self._timers = [int(name) for name in GL.glGenQueries(2)]
        self._rays = [0, 0]
        """Of the drawings that the timers time; 0: of none yet."""
        self._turn = 0
        self.seconds = 0.0
        """That the drawing before the last took; 0 before it is known, and for good where a driver does not tell."""
        self.rays = 0
        """Of that drawing."""

    @contextmanager
    def timing(self, rays: int) -> Iterator[None]:
        """Times what is drawn within; `rays` says how much that is."""
        self._turn = 1 - self._turn
        timer = self._timers[self._turn]
        if self._rays[self._turn]:
            # Two drawings ago: a picture has been on the screen since, so that nothing is waited for.
            self.seconds = 1e-9 * int(GL.glGetQueryObjectuiv(timer, GL.GL_QUERY_RESULT))
            self.rays = self._rays[self._turn]
        self._rays[self._turn] = rays
        GL.glBeginQuery(GL.GL_TIME_ELAPSED, timer)
        try:
            yield
        finally:
            GL.glEndQuery(GL.GL_TIME_ELAPSED)

    def close(self) -> None:
        """Give back the timers."""
        GL.glDeleteQueries(len(self._timers), self._timers)
