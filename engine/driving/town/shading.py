"""Shader programs from the sources in `glsl/`: resolves `#include`, adds defines, writes uniforms by name."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Any

import moderngl
import numpy as np

from ..simulator import EngineError

_VERSION = "#version 330\n"


@functools.cache
def source(name: str) -> str:
    """The text of a file in `glsl/` with every `#include name` replaced by that file, each once."""
    text = resources.files(__name__.rpartition(".")[0]).joinpath("glsl").joinpath(name).read_text("utf-8")
    return re.sub(r"^#include (\S+)$", lambda found: source(found[1]), text, flags=re.MULTILINE)


class Program:
    """A linked program; uniforms that the compiler has removed are ignored."""

    def __init__(self, context: moderngl.Context, vertex: str, fragment: str, *defines: str) -> None:
        """Compile and link two files of `glsl/`.

        Raises:
            EngineError: this driver does not take them.
        """
        head = _VERSION + "".join(f"#define {define}\n" for define in defines)
        try:
            self.program = context.program(head + source(vertex), head + source(fragment))
        except moderngl.Error as error:
            reason = str(error).strip().splitlines()
            raise EngineError(
                f"the graphics driver does not compile {vertex} with {fragment}: {' '.join(reason[:4])}. "
                "The town needs OpenGL 3.3; update the driver or use the software one (LIBGL_ALWAYS_SOFTWARE=1)."
            ) from error
        members = {name: self.program[name] for name in self.program}
        self._uniforms = {name: member for name, member in members.items() if isinstance(member, moderngl.Uniform)}

    def set(self, **values: Any) -> None:
        """Write uniforms: numbers, vectors, and matrices as numpy has them (row-major)."""
        for name, value in values.items():
            uniform = self._uniforms.get(name)
            if uniform is None:
                continue
            if isinstance(value, np.ndarray) and value.ndim == 2:
                uniform.write(np.ascontiguousarray(value.T, np.float32).tobytes())
            else:
                uniform.value = value if isinstance(value, (int, float)) else tuple(value)
