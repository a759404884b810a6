"""From GLSL text to a linked program, with the compiler's own words when it refuses."""

from __future__ import annotations

from OpenGL import GL

from ..models.errors import NeuroviewError

VERSION = "#version 330 core\n"


class ShaderError(NeuroviewError):
    """The driver does not take a shader: it offers less than OpenGL 3.3, or is broken."""


def link(vertex: str, fragment: str) -> int:
    """The name of a program made of two GLSL 3.30 sources (given without their `#version` line).

    Raises:
        ShaderError: the driver refused; the text holds its log.
    """
    program = GL.glCreateProgram()
    for kind, source in ((GL.GL_VERTEX_SHADER, vertex), (GL.GL_FRAGMENT_SHADER, fragment)):
        shader = GL.glCreateShader(kind)
        GL.glShaderSource(shader, VERSION + source)
        GL.glCompileShader(shader)
        if not GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS):
            raise ShaderError(f"The graphics driver refuses a shader: {_text(GL.glGetShaderInfoLog(shader))}")
        GL.glAttachShader(program, shader)
        GL.glDeleteShader(shader)  # goes for good together with the program
    GL.glLinkProgram(program)
    if not GL.glGetProgramiv(program, GL.GL_LINK_STATUS):
        raise ShaderError(f"The graphics driver refuses to link a program: {_text(GL.glGetProgramInfoLog(program))}")
    return int(program)


def _text(log: bytes | str) -> str:
    return (log.decode(errors="replace") if isinstance(log, bytes) else log).strip()
