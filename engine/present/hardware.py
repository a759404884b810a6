"""Whether a GPU stands behind OpenGL, or a processor in disguise."""

from __future__ import annotations

SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software", "gdi generic", "basic render")
"""Parts of the names of renderers that draw on the processor."""


def draws_in_software(renderer: str) -> bool:
    """Whether the renderer of that name (GL_RENDERER) is a program on the processor."""
    return any(name in renderer.lower() for name in SOFTWARE)
