"""`Painter`: rounded boxes, rings and text in the window, collected and drawn in one call.

Lengths are points: pixels of a display of normal density. The painter multiplies them by the display's scale and puts
edges on whole pixels, so that everything is crisp at any scale.
"""

from __future__ import annotations

import ctypes
import math

import numpy as np
from OpenGL import GL

from . import typeset
from .glyphs import GlyphAtlas
from .letterbox import Rect
from .shader import link
from .theme import Colour
from .typeset import PHASES, Weight, cap_height, pen_positions

_FLOATS = 16
"""Numbers an instance: corners (4), texel or shape parameters (4), kind and opacity (4), colour (4)."""
_SHAPE, _GLYPH = 0.0, 1.0

_VERTEX = """
uniform vec2 window;
layout(location = 0) in vec4 corners;   // left, top, right, bottom, pixels, y down
layout(location = 1) in vec4 source;    // glyph: texels of the atlas; shape: radius, softness, border, -
layout(location = 2) in vec4 flags;     // kind
layout(location = 3) in vec4 colour;
out vec2 at;
flat out vec2 middle, half_size;
flat out vec4 shape, tint;
flat out float kind;
void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    kind = flags.x;
    shape = source;
    tint = colour;
    middle = 0.5 * (corners.xy + corners.zw);
    half_size = 0.5 * (corners.zw - corners.xy);
    float grow = kind > 0.5 ? 0.0 : source.y + 1.0;   // room for a soft or antialiased edge
    vec2 pixel = mix(corners.xy - grow, corners.zw + grow, corner);
    at = kind > 0.5 ? mix(source.xy, source.zw, corner) : pixel;
    gl_Position = vec4(2.0 * pixel.x / window.x - 1.0, 1.0 - 2.0 * pixel.y / window.y, 0.0, 1.0);
}
"""

_FRAGMENT = """
uniform sampler2D atlas;
in vec2 at;
flat in vec2 middle, half_size;
flat in vec4 shape, tint;
flat in float kind;
out vec4 pixel;
void main() {
    float cover;
    if (kind > 0.5) {
        cover = texelFetch(atlas, ivec2(at), 0).r;
    } else {
        vec2 q = abs(at - middle) - half_size + shape.x;
        float d = length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - shape.x;
        if (shape.z > 0.0) d = abs(d + 0.5 * shape.z) - 0.5 * shape.z;
        cover = shape.y > 0.0 ? 1.0 - smoothstep(-shape.y, shape.y, d) : clamp(0.5 - d, 0.0, 1.0);
    }
    pixel = vec4(tint.rgb, tint.a * cover);
}
"""


class Painter:
    """Collects shapes between `begin` and `flush`. Needs a current GL context."""

    def __init__(self) -> None:
        self.scale = 1.0
        """Pixels a point."""
        self.width = self.height = 0.0
        """The window in points."""
        self._pixels = (1, 1)
        self._items: list[tuple[float, ...]] = []
        self._atlas = GlyphAtlas()
        self._program = link(_VERTEX, _FRAGMENT)
        self._window = GL.glGetUniformLocation(self._program, "window")
        self._capacity = 0
        self._array = int(GL.glGenVertexArrays(1))
        self._buffer = int(GL.glGenBuffers(1))
        GL.glBindVertexArray(self._array)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._buffer)
        for index in range(4):
            GL.glEnableVertexAttribArray(index)
            GL.glVertexAttribPointer(index, 4, GL.GL_FLOAT, GL.GL_FALSE, 4 * _FLOATS, ctypes.c_void_p(16 * index))
            GL.glVertexAttribDivisor(index, 1)

    def begin(self, pixels: tuple[int, int], scale: float) -> None:
        """Start over for a framebuffer of `pixels` (width, height) at `scale` pixels a point."""
        self.scale, self._pixels = scale, pixels
        self.width, self.height = pixels[0] / scale, pixels[1] / scale
        self._items.clear()

    def box(
        self, rect: Rect, colour: Colour, *, radius: float = 0.0, border: float = 0.0, softness: float = 0.0
    ) -> None:
        """A rounded rectangle, filled or as an outline `border` thick; `softness` blurs its edge into a shadow."""
        s = self.scale
        left, top, right, bottom = (round(v * s) for v in (rect.x, rect.y, rect.right, rect.bottom))
        radius = min(radius * s, (right - left) / 2, (bottom - top) / 2)
        line = max(round(border * s), 1) if border else 0
        self._items.append((left, top, right, bottom, radius, softness * s, line, 0, _SHAPE, 0, 0, 0, *colour))

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, border: float = 0.0) -> None:
        """A filled circle about (x, y), or a ring; not snapped to pixels, so that it moves smoothly."""
        s = self.scale
        corners = (s * (x - radius), s * (y - radius), s * (x + radius), s * (y + radius))
        self._items.append((*corners, radius * s, 0, border * s, 0, _SHAPE, 0, 0, 0, *colour))

    def text(
        self, x: float, middle: float, text: str, colour: Colour, *, size: float = 13, weight: Weight = "regular"
    ) -> float:
        """Write one line from `x` on, its capitals centred about `middle`; returns the width in points."""
        pixels = max(round(size * self.scale), 1)
        pens, width = pen_positions(text, weight, pixels)
        left = round(x * self.scale)
        baseline = round(middle * self.scale + cap_height(weight, pixels) / 2)
        for character, pen in zip(text, pens, strict=True):
            whole, phase = divmod(round(pen * PHASES), PHASES)
            glyph = self._atlas.glyph(character, weight, pixels, phase)
            if glyph.width:
                gx, gy = left + whole + glyph.left, baseline + glyph.top
                texels = (glyph.x, glyph.y, glyph.x + glyph.width, glyph.y + glyph.height)
                self._items.append((gx, gy, gx + glyph.width, gy + glyph.height, *texels, _GLYPH, 0, 0, 0, *colour))
        return width / self.scale

    def measure(self, text: str, *, size: float = 13, weight: Weight = "regular") -> float:
        """The width of one line in points."""
        return pen_positions(text, weight, max(round(size * self.scale), 1))[1] / self.scale

    def wrap(
        self, text: str, width: float, *, size: float = 13, weight: Weight = "regular", most: int = 12
    ) -> tuple[str, ...]:
        """`text` in lines of at most `width` points; where there are more than `most`, the last ends in '…'."""
        return typeset.wrap(text, width * self.scale, weight, max(round(size * self.scale), 1), most)

    def flush(self) -> None:
        """Draw what was collected, in its order, and forget it."""
        if not self._items:
            return
        data = np.array(self._items, np.float32)
        self._items.clear()
        GL.glUseProgram(self._program)
        GL.glUniform2f(self._window, *self._pixels)
        GL.glActiveTexture(GL.GL_TEXTURE0)
        self._atlas.upload()
        GL.glEnable(GL.GL_BLEND)
        # The window's own alpha stays 1: some compositors would let the desktop shine through otherwise.
        GL.glBlendFuncSeparate(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA, GL.GL_ONE, GL.GL_ONE)
        GL.glBindVertexArray(self._array)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._buffer)
        # A fresh store every time: the driver need not wait for the previous frame.
        self._capacity = max(self._capacity, 2 ** math.ceil(math.log2(data.nbytes)))
        GL.glBufferData(GL.GL_ARRAY_BUFFER, self._capacity, None, GL.GL_STREAM_DRAW)
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, data.nbytes, data)
        GL.glDrawArraysInstanced(GL.GL_TRIANGLE_STRIP, 0, 4, len(data))

    def close(self) -> None:
        """Give back everything that lives in the GL context."""
        self._atlas.close()
        GL.glDeleteBuffers(1, [self._buffer])
        GL.glDeleteVertexArrays(1, [self._array])
        GL.glDeleteProgram(self._program)
