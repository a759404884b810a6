"""`Painter`: rounded boxes, rings, strokes, arrows and text in the window, collected and drawn in one call.

Lengths are points: pixels of a display of normal density. The painter multiplies them by the display's scale and puts
edges on whole pixels, so that everything is crisp at any scale.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from OpenGL import GL

from . import typeset
from .glyphs import GlyphAtlas
from .letterbox import Rect
from .shader import link
from .theme import Colour
from .typeset import PHASES, Weight, cap_height, pen_positions

_FLOATS = 16
"""Numbers an instance: corners (4), texel or shape parameters (4), kind and clipping disc (4), colour (4)."""
_SHAPE, _GLYPH, _STROKE, _ARROW = 0.0, 1.0, 2.0, 3.0
_UNCLIPPED = (0.0, 0.0, 0.0)

_VERTEX = """
uniform vec2 window;
layout(location = 0) in vec4 corners;   // left, top, right, bottom, pixels, y down; stroke: its two ends
layout(location = 1) in vec4 source;    // glyph: texels; shape: radius, softness, border, -; stroke: half its width;
                                        // arrow: middle, and half its length in its direction
layout(location = 2) in vec4 flags;     // kind; x, y, radius of the disc outside of which nothing is drawn
layout(location = 3) in vec4 colour;
out vec2 at;
flat out vec2 middle, half_size;
flat out vec4 shape, tint;
flat out vec3 clip;
flat out float kind;
void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    kind = flags.x;
    shape = source;
    tint = colour;
    clip = flags.yzw;
    middle = 0.5 * (corners.xy + corners.zw);
    half_size = 0.5 * (corners.zw - corners.xy);
    bool glyph = kind == 1.0;
    float grow = glyph ? 0.0 : (kind == 0.0 ? source.y : 0.0) + 1.0;   // room for a soft or antialiased edge
    vec2 pixel = mix(corners.xy - grow, corners.zw + grow, corner);
    if (kind == 2.0) {
        vec2 run = corners.zw - corners.xy, along = run / max(length(run), 1e-4) * (source.x + 1.0);
        pixel = mix(corners.xy - along, corners.zw + along, corner.x);
        pixel += mix(-1.0, 1.0, corner.y) * vec2(-along.y, along.x);
        shape = corners;
        half_size = source.xx;
    }
    at = glyph ? mix(source.xy, source.zw, corner) : pixel;
    gl_Position = vec4(2.0 * pixel.x / window.x - 1.0, 1.0 - 2.0 * pixel.y / window.y, 0.0, 1.0);
}
"""

_FRAGMENT = """
uniform sampler2D atlas;
in vec2 at;
flat in vec2 middle, half_size;
flat in vec4 shape, tint;
flat in vec3 clip;
flat in float kind;
uniform vec2 window;
out vec4 pixel;

float beside(vec2 p, vec2 a, vec2 b) {   // distance to the line from a to b, positive on its left
    vec2 along = normalize(b - a);
    return dot(p - a, vec2(along.y, -along.x));
}

float arrow(vec2 p) {   // a kite with a notch, symmetric about the direction that it points in
    vec2 ahead = normalize(shape.zw);
    float size = length(shape.zw);
    vec2 q = vec2(abs(dot(p, vec2(-ahead.y, ahead.x))), dot(p, ahead)) / size;
    float side = beside(q, vec2(0.72, -0.85), vec2(0.0, 1.0)), foot = beside(q, vec2(0.0, -0.48), vec2(0.72, -0.85));
    return size * max(side, foot);
}

void main() {
    float cover;
    if (kind == 1.0) {
        cover = texelFetch(atlas, ivec2(at), 0).r;
    } else if (kind == 2.0) {
        vec2 along = shape.zw - shape.xy, p = at - shape.xy;
        float part = clamp(dot(p, along) / max(dot(along, along), 1e-6), 0.0, 1.0);
        cover = clamp(0.5 + half_size.x - length(p - part * along), 0.0, 1.0);
    } else if (kind == 3.0) {
        cover = clamp(0.5 - arrow(at - shape.xy), 0.0, 1.0);
    } else {
        vec2 q = abs(at - middle) - half_size + shape.x;
        float d = length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - shape.x;
        if (shape.z > 0.0) d = abs(d + 0.5 * shape.z) - 0.5 * shape.z;
        cover = shape.y > 0.0 ? 1.0 - smoothstep(-shape.y, shape.y, d) : clamp(0.5 - d, 0.0, 1.0);
    }
    if (clip.z > 0.0) {
        vec2 here = vec2(gl_FragCoord.x, window.y - gl_FragCoord.y);
        cover *= clamp(clip.z + 0.5 - distance(here, clip.xy), 0.0, 1.0);
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
        self._clip = _UNCLIPPED
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
        self._items.append((left, top, right, bottom, radius, softness * s, line, 0, _SHAPE, *self._clip, *colour))

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, border: float = 0.0) -> None:
        """A filled circle about (x, y), or a ring; not snapped to pixels, so that it moves smoothly."""
        s = self.scale
        corners = (s * (x - radius), s * (y - radius), s * (x + radius), s * (y + radius))
        self._items.append((*corners, radius * s, 0, border * s, 0, _SHAPE, *self._clip, *colour))

    def strokes(self, ends: Iterable[tuple[float, float, float, float]], width: float, colour: Colour) -> None:
        """Lines with round ends, each from (x0, y0) to (x1, y1); not snapped to pixels."""
        s, tail = self.scale, (0.5 * width * self.scale, 0, 0, 0, _STROKE, *self._clip, *colour)
        self._items.extend((s * x0, s * y0, s * x1, s * y1, *tail) for x0, y0, x1, y1 in ends)

    def arrow(self, x: float, y: float, dx: float, dy: float, colour: Colour) -> None:
        """A navigator's arrow about (x, y); its tip stands at (x + dx, y + dy)."""
        s, reach = self.scale, math.hypot(dx, dy)
        corners = (s * (x - reach), s * (y - reach), s * (x + reach), s * (y + reach))
        self._items.append((*corners, s * x, s * y, s * dx, s * dy, _ARROW, *self._clip, *colour))

    @contextmanager
    def clipped(self, x: float, y: float, radius: float) -> Iterator[None]:
        """Of what is drawn meanwhile, only what lies in the disc about (x, y) shows; its edge is smooth."""
        before, self._clip = self._clip, (x * self.scale, y * self.scale, radius * self.scale)
        try:
            yield
        finally:
            self._clip = before

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
                self._items.append((gx, gy, gx + glyph.width, gy + glyph.height, *texels, _GLYPH, *self._clip, *colour))
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
