"""Opens an OpenGL context that needs no window."""

from __future__ import annotations

from typing import Any

import moderngl

from ..models.errors import NeuroviewError


class NoContextError(NeuroviewError):
    """OpenGL cannot be used without a window here; the message says what was tried."""


def open_context() -> moderngl.Context:
    """A context without a window, current on this thread: EGL, which needs no display, before whatever else there is.

    Raises:
        NoContextError: there is none.
    """
    reasons = []
    backends: tuple[dict[str, Any], ...] = ({"backend": "egl"}, {})
    for options in backends:
        try:
            return moderngl.create_standalone_context(require=330, **options)
        except Exception as error:  # glcontext raises bare Exceptions, and ImportError where a backend is missing
            reasons.append(f"{options.get('backend', 'default')}: {error}")
    raise NoContextError(
        f"no OpenGL 3.3 context can be opened ({'; '.join(reasons)}). Install a graphics driver or Mesa's software one "
        "(Debian: libegl1 and libgl1-mesa-dri)."
    )
