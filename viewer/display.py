"""GLFW and OpenGL come up here: whether there is a display, which libraries go together; a window with its context."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import NeuroviewError

if TYPE_CHECKING:
    from .settings import Place

log = logging.getLogger(__name__)

SMALLEST = (320, 240)
"""A window cannot be made smaller than this, screen coordinates."""


class DisplayError(NeuroviewError):
    """No window can be opened; the text says why and what to do."""


def load_glfw() -> Any:
    """The `glfw` module, without the second Python process that it starts to look at its own library.

    That process takes a tenth of a second of the eight that may pass until the window is on screen. Where the wheel's
    library is not where it is expected, `glfw` searches as always.

    Raises:
        DisplayError: GLFW is not installed, or its library does not load.
    """
    if "glfw" not in sys.modules and sys.platform.startswith("linux") and "PYGLFW_LIBRARY" not in os.environ:
        spec = importlib.util.find_spec("glfw")
        for folder in spec.submodule_search_locations or () if spec else ():
            library = Path(folder) / ("wayland" if _wants_wayland() else "x11") / "libglfw.so"
            if library.is_file():
                os.environ["PYGLFW_LIBRARY"] = str(library)
                try:
                    return import_module("glfw")
                except ImportError:
                    break
                finally:
                    del os.environ["PYGLFW_LIBRARY"]
    try:
        return import_module("glfw")
    except ImportError as error:
        raise DisplayError(f"The window library GLFW cannot be loaded: {error}") from error


def _wants_wayland() -> bool:
    variant = os.environ.get("PYGLFW_LIBRARY_VARIANT", "").lower()
    return variant == "wayland" if variant in ("wayland", "x11") else os.environ.get("XDG_SESSION_TYPE") == "wayland"


_errors: list[str] = []
"""What GLFW complained about, newest last, at most ten."""


def _remember(code: int, text: bytes) -> None:
    words = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    _errors.append(words)
    del _errors[:-10]
    log.debug("GLFW error %#x: %s", code, words)


def probe_display() -> str | None:
    """Why no window can be opened here, in one line; None: one can. Starts GLFW, and never aborts the process."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set."
    try:
        glfw = load_glfw()
    except DisplayError as error:
        return str(error)
    # pyGLFW would turn errors into Python warnings; they are kept for the sentence that a person gets to read.
    glfw.set_error_callback(_remember)
    if glfw.init():
        return None
    reason = _errors[-1] if _errors else "GLFW does not say why"
    where = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""
    return f"The display {where} cannot be used: {reason}.".replace("  ", " ")


def load_gl() -> None:
    """Import PyOpenGL for the platform that GLFW runs on, and what drawing needs besides."""
    if sys.platform.startswith("linux") and "PYOPENGL_PLATFORM" not in os.environ:
        # PyOpenGL decides by the session and would take EGL for a GLX context of an X11 GLFW under Wayland.
        os.environ["PYOPENGL_PLATFORM"] = "egl" if _wants_wayland() else "glx"
    for name in ("numpy", "OpenGL.GL", "PIL.ImageFont"):
        import_module(name)


def open_window(title: str, size: tuple[int, int], place: Place | None) -> Any:
    """A hidden GLFW window with a current OpenGL 3.3 core context, and PyOpenGL imported.

    Args:
        size: (width, height) in screen coordinates, used where `place` is None.
        place: where it stood last time; brought back onto a monitor when that one is gone.

    Raises:
        DisplayError: no display, or no OpenGL 3.3.
    """
    reason = probe_display()
    if reason is not None:
        raise DisplayError(f"{reason} Without one, `neuroview render` writes pictures to files.")
    glfw = load_glfw()
    # The driver takes as long to load as PyOpenGL: do both at once. Nothing here touches GL before the join.
    imports = threading.Thread(target=load_gl, name="neuroview-gl-import")
    imports.start()
    try:
        glfw.default_window_hints()
        glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, 3)
        glfw.window_hint(glfw.CONTEXT_VERSION_MINOR, 3)
        glfw.window_hint(glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE)
        glfw.window_hint(glfw.OPENGL_FORWARD_COMPAT, glfw.TRUE)  # macOS gives a core context to no one else
        glfw.window_hint(glfw.SCALE_TO_MONITOR, glfw.TRUE)
        glfw.window_hint(glfw.VISIBLE, glfw.FALSE)  # shown with its first picture in it, never as a white flash
        glfw.window_hint(glfw.DEPTH_BITS, 0)
        glfw.window_hint(glfw.STENCIL_BITS, 0)
        glfw.window_hint_string(glfw.X11_CLASS_NAME, "neuroview")
        glfw.window_hint_string(glfw.X11_INSTANCE_NAME, "neuroview")
        if place is not None:
            size = (place.width, place.height)
            glfw.window_hint(glfw.SCALE_TO_MONITOR, glfw.FALSE)  # a remembered size is already scaled
        window = glfw.create_window(max(size[0], SMALLEST[0]), max(size[1], SMALLEST[1]), title, None, None)
    finally:
        imports.join()
    if not window:
        why = _errors[-1] if _errors else "the driver does not say why"
        glfw.terminate()
        raise DisplayError(
            f"No window with OpenGL 3.3 can be opened: {why}. Update the graphics driver; without one, "
            "`neuroview render` writes pictures to files."
        )
    glfw.set_window_size_limits(window, *SMALLEST, glfw.DONT_CARE, glfw.DONT_CARE)
    if place is not None:
        glfw.set_window_pos(window, *reachable(place, work_areas()))
    glfw.make_context_current(window)
    glfw.swap_interval(1)
    return window


def work_areas() -> list[tuple[int, int, int, int]]:
    """(x, y, width, height) of every monitor without its task bars, screen coordinates."""
    glfw = load_glfw()
    return [tuple(glfw.get_monitor_workarea(monitor)) for monitor in glfw.get_monitors()]


def reachable(place: Place, areas: list[tuple[int, int, int, int]]) -> tuple[int, int]:
    """The position of `place`, moved where needed so that its title can be grasped on one of the monitors `areas`."""
    for x, y, width, height in areas:
        if x - place.width + 80 <= place.x <= x + width - 80 and y <= place.y <= y + height - 40:
            return place.x, place.y
    if not areas:
        return place.x, place.y
    x, y, width, height = areas[0]
    return x + max((width - place.width) // 2, 0), y + max((height - place.height) // 2, 32)


def gl_description() -> dict[str, str]:
    """What draws: 'renderer', 'vendor', 'version', for `neuroview info`. Needs a current context."""
    from OpenGL import GL

    names = {"renderer": GL.GL_RENDERER, "vendor": GL.GL_VENDOR, "version": GL.GL_VERSION}
    return {key: (GL.glGetString(name) or b"").decode(errors="replace") for key, name in names.items()}
