"""Meshes in the graphics memory: the still one, drawn in runs of indices, and those that move, drawn by rows."""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray

from .culling import Draw
from .scene import Mesh
from .shading import Program
from .shadows import caster

_NAMES = ("position", "normal", "uv", "material", "tag", "instance")
_FORMAT = "3f 3f 2f 1f 1f 1f"


class StillBuffers:
    """A mesh that is drawn in part, each part at a copy of the torus."""

    def __init__(self, context: moderngl.Context, mesh: Mesh) -> None:
        self._context = context
        self._vertices = context.buffer(np.ascontiguousarray(mesh.vertices).tobytes() or b"\0" * 44)
        self._indices = context.buffer(np.ascontiguousarray(mesh.indices, np.uint32).tobytes() or b"\0" * 12)
        self._arrays: dict[Program, moderngl.VertexArray] = {}

    def draw(self, program: Program, draws: list[Draw], origin: NDArray[np.float64]) -> None:
        """Draw those parts; `shift` takes the mesh to where `origin` [3] is 0."""
        array = self._arrays.get(program)
        if array is None:
            array = self._context.vertex_array(
                program.program, [(self._vertices, _FORMAT, *_NAMES)], self._indices, skip_errors=True
            )
            self._arrays[program] = array
        culled = False
        for draw in draws:
            if draw.closed != culled:
                culled = draw.closed
                (self._context.enable if culled else self._context.disable)(moderngl.CULL_FACE)
            program.set(shift=(draw.shift[0] - origin[0], draw.shift[1] - origin[1], -origin[2]))
            array.render(vertices=draw.count, first=draw.first)
        if culled:
            self._context.disable(moderngl.CULL_FACE)


class MovingBuffers:
    """A mesh that is drawn once for each row of `culling.relative_rows`."""

    def __init__(self, context: moderngl.Context, mesh: Mesh, outline: Mesh | None = None) -> None:
        """`outline`: the mesh for which this one stands, and whose measures and shadow it has."""
        outline = outline or mesh
        self._context = context
        self._vertices = context.buffer(np.ascontiguousarray(mesh.vertices).tobytes())
        self._indices = context.buffer(np.ascontiguousarray(mesh.indices, np.uint32).tobytes())
        self._caster = context.buffer(caster(outline).tobytes())
        self._rows = context.buffer(reserve=48 * 16)
        self._arrays: dict[Program, moderngl.VertexArray] = {}
        position = outline.vertices["position"]
        low, high = position.min(0), position.max(0)
        self.extent = (float(low[0]), float(max(high[0] - low[0], 1e-3)), float(max(high[2], 1e-3)))
        """Its tail, its length, its height, metres."""
        self.count = 0

    def fill(self, rows: NDArray[np.float32]) -> None:
        """Take the rows [n, 12] that are drawn until the next call."""
        self.count = len(rows)
        if rows.nbytes > self._rows.size:
            self._rows.orphan(2 * rows.nbytes)
        if self.count:
            self._rows.write(rows.tobytes())

    def draw(self, program: Program) -> None:
        """Draw all rows."""
        if not self.count:
            return
        array = self._arrays.get(program)
        if array is None:
            content = [(self._vertices, _FORMAT, *_NAMES), (self._rows, "4f 4f 4f/i", "now", "before", "row")]
            array = self._context.vertex_array(program.program, content, self._indices, skip_errors=True)
            self._arrays[program] = array
        program.set(extent=self.extent)
        array.render(instances=self.count)

    def draw_caster(self, program: Program) -> None:
        """Draw the boxes that stand for all rows in a shadow map."""
        if not self.count:
            return
        array = self._arrays.get(program)
        if array is None:
            content = [(self._caster, "3f", "position"), (self._rows, "4f 16x 4f/i", "now", "row")]
            array = self._context.vertex_array(program.program, content)
            self._arrays[program] = array
        array.render(instances=self.count)
