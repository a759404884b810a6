"""The OpenGL context that draws the town."""

from __future__ import annotations

import moderngl

from ... import offscreen
from ..simulator import EngineError


def open_context() -> moderngl.Context:
    """A context without a window.

    Raises:
        EngineError: there is none.
    """
    try:
        return offscreen.open_context()
    except offscreen.NoContextError as error:
        raise EngineError(f"The town cannot be drawn: {error}") from error
