"""`StrokeLayer`: strokes over the picture, each one even, see-through shape with a rim and the pattern of its brush.

A stroke's segments overlap at every bend. Blended one by one they would show as beads, so the largest of their
distances is collected first (`GL_MAX`), and the stroke is filled from that in one go.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from OpenGL import GL

from ...engine.state import Stroke
from ..letterbox import Rect
from ..shader import link
from ..theme import Colour
from .brushes import BY_NAME, Pattern, tint_of

PATTERNS: tuple[Pattern, ...] = ("plain", "stripes", "dots", "grid")

_SEGMENT_VERTEX = """
uniform vec2 size;
uniform float radius;
layout(location = 0) in vec4 ends;
out vec2 at;
flat out vec4 line;
void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    vec2 low = min(ends.xy, ends.zw) - radius - 1.0, high = max(ends.xy, ends.zw) + radius + 1.0;
    at = mix(low, high, corner);
    line = ends;
    gl_Position = vec4(2.0 * at / size - 1.0, 0.0, 1.0);
}
"""
_SEGMENT_FRAGMENT = """
uniform float radius;
in vec2 at;
flat in vec4 line;
out float inside;
void main() {
    vec2 along = line.zw - line.xy, p = at - line.xy;
    float part = clamp(dot(p, along) / max(dot(along, along), 1e-6), 0.0, 1.0);
    inside = max(radius + 1.0 - length(p - part * along), 0.0);
}
"""
_QUAD_VERTEX = """
void main() { gl_Position = vec4(2.0 * vec2(gl_VertexID & 1, gl_VertexID >> 1) - 1.0, 0.0, 1.0); }
"""
_FILL_FRAGMENT = """
uniform sampler2D distances;
uniform vec4 tint;
uniform float point;      // pixels a point
uniform int pattern;
out vec4 pixel;
void main() {
    float inside = texelFetch(distances, ivec2(gl_FragCoord.xy), 0).r - 1.0;
    float cover = clamp(inside + 0.5, 0.0, 1.0);
    vec2 p = gl_FragCoord.xy / point;
    float fill = 0.66;
    if (pattern == 1) fill = abs(mod(p.x + p.y, 9.0) - 4.5) < 2.0 ? 0.55 : 0.16;
    vec2 woven = p + vec2(0.0, 4.0 * mod(floor(p.x / 8.0), 2.0));
    if (pattern == 2) fill = mix(0.55, 0.16, smoothstep(1.5, 2.1, length(mod(woven, 8.0) - 4.0)));
    if (pattern == 3) fill = min(abs(mod(p.x, 8.0) - 4.0), abs(mod(p.y, 8.0) - 4.0)) < 0.8 ? 0.60 : 0.18;
    float rim = clamp(1.6 * point - inside + 0.5, 0.0, 1.0);
    float alpha = tint.a * cover * mix(fill, 0.95, rim);
    vec3 rgb = mix(tint.rgb, mix(tint.rgb, vec3(1.0), 0.35), rim);
    pixel = vec4(rgb * alpha, alpha);
}
"""
_SHOW_FRAGMENT = """
uniform sampler2D painted;
uniform vec2 origin;
out vec4 pixel;
void main() { pixel = texelFetch(painted, ivec2(gl_FragCoord.xy - origin), 0); }
"""


@dataclass(frozen=True)
class Shown:
    """A stroke and how clearly it shows, 0..1."""

    stroke: Stroke
    opacity: float = 1.0

    @property
    def tint(self) -> Colour:
        return (*tint_of(self.stroke.kind, self.stroke.colour)[:3], self.opacity)


class StrokeLayer:
    """Keeps what it has painted until strokes or picture change. Needs a current GL context."""

    def __init__(self) -> None:
        self._segments = link(_SEGMENT_VERTEX, _SEGMENT_FRAGMENT)
        self._fill = link(_QUAD_VERTEX, _FILL_FRAGMENT)
        self._show = link(_QUAD_VERTEX, _SHOW_FRAGMENT)
        self._array, self._buffer = int(GL.glGenVertexArrays(1)), int(GL.glGenBuffers(1))
        GL.glBindVertexArray(self._array)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._buffer)
        GL.glEnableVertexAttribArray(0)
        GL.glVertexAttribPointer(0, 4, GL.GL_FLOAT, GL.GL_FALSE, 16, ctypes.c_void_p(0))
        GL.glVertexAttribDivisor(0, 1)
        self._empty = int(GL.glGenVertexArrays(1))
        self._textures: list[int] = []
        self._frames: list[int] = []
        self._size = (0, 0)
        self._painted: object = None

    def draw(self, strokes: Sequence[Shown], picture: Rect, window: tuple[int, int], scale: float) -> None:
        """Draw `strokes` over `picture` (pixels, y down) of the framebuffer `window`, at `scale` pixels a point."""
        strokes = tuple(shown for shown in strokes if shown.opacity > 0.01 and shown.stroke.points)
        if not strokes:
            return
        size = (round(picture.width), round(picture.height))
        if (strokes, size, scale) != self._painted:
            self._paint(strokes, size, scale)
            self._painted = (strokes, size, scale)
            GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
            GL.glViewport(0, 0, *window)
        left, bottom = round(picture.x), window[1] - round(picture.bottom)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_ONE, GL.GL_ONE_MINUS_SRC_ALPHA)
        GL.glEnable(GL.GL_SCISSOR_TEST)
        GL.glScissor(left, bottom, *size)
        GL.glUseProgram(self._show)
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._textures[1])
        GL.glUniform2f(GL.glGetUniformLocation(self._show, "origin"), left, bottom)
        GL.glBindVertexArray(self._empty)
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)
        GL.glDisable(GL.GL_SCISSOR_TEST)

    def close(self) -> None:
        """Give back everything that lives in the GL context."""
        self._forget()
        GL.glDeleteBuffers(1, [self._buffer])
        GL.glDeleteVertexArrays(2, [self._array, self._empty])
        for program in (self._segments, self._fill, self._show):
            GL.glDeleteProgram(program)

    def _paint(self, strokes: Sequence[Shown], size: tuple[int, int], scale: float) -> None:
        if size != self._size:
            self._make(size)
        distances, painted = self._frames
        GL.glViewport(0, 0, *size)
        GL.glEnable(GL.GL_BLEND)
        GL.glClearColor(0, 0, 0, 0)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, painted)
        GL.glClear(GL.GL_COLOR_BUFFER_BIT)
        GL.glEnable(GL.GL_SCISSOR_TEST)
        for shown in strokes:
            ends, radius, extent = _segments_of(shown.stroke, size)
            GL.glScissor(*extent)
            GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, distances)
            GL.glClear(GL.GL_COLOR_BUFFER_BIT)
            GL.glBlendEquation(GL.GL_MAX)
            GL.glUseProgram(self._segments)
            GL.glUniform2f(GL.glGetUniformLocation(self._segments, "size"), *size)
            GL.glUniform1f(GL.glGetUniformLocation(self._segments, "radius"), radius)
            GL.glBindVertexArray(self._array)
            GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._buffer)
            GL.glBufferData(GL.GL_ARRAY_BUFFER, ends.nbytes, ends, GL.GL_STREAM_DRAW)
            GL.glDrawArraysInstanced(GL.GL_TRIANGLE_STRIP, 0, 4, len(ends))
            GL.glBlendEquation(GL.GL_FUNC_ADD)
            GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, painted)
            GL.glBlendFunc(GL.GL_ONE, GL.GL_ONE_MINUS_SRC_ALPHA)
            GL.glUseProgram(self._fill)
            GL.glActiveTexture(GL.GL_TEXTURE0)
            GL.glBindTexture(GL.GL_TEXTURE_2D, self._textures[0])
            GL.glUniform4f(GL.glGetUniformLocation(self._fill, "tint"), *shown.tint)
            GL.glUniform1f(GL.glGetUniformLocation(self._fill, "point"), scale)
            pattern = PATTERNS.index(BY_NAME[shown.stroke.kind].pattern)
            GL.glUniform1i(GL.glGetUniformLocation(self._fill, "pattern"), pattern)
            GL.glBindVertexArray(self._empty)
            GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)
        GL.glDisable(GL.GL_SCISSOR_TEST)

    def _make(self, size: tuple[int, int]) -> None:
        self._forget()
        self._size = size
        for form, kind in ((GL.GL_R16F, GL.GL_RED), (GL.GL_RGBA8, GL.GL_RGBA)):
            texture, frame = int(GL.glGenTextures(1)), int(GL.glGenFramebuffers(1))
            GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
            for key in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
                GL.glTexParameteri(GL.GL_TEXTURE_2D, key, GL.GL_NEAREST)
            GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, form, *size, 0, kind, GL.GL_UNSIGNED_BYTE, None)
            GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, frame)
            GL.glFramebufferTexture2D(GL.GL_FRAMEBUFFER, GL.GL_COLOR_ATTACHMENT0, GL.GL_TEXTURE_2D, texture, 0)
            self._textures.append(texture)
            self._frames.append(frame)

    def _forget(self) -> None:
        if self._textures:
            GL.glDeleteTextures(self._textures)
            GL.glDeleteFramebuffers(len(self._frames), self._frames)
        self._textures, self._frames, self._size, self._painted = [], [], (0, 0), None


def _segments_of(stroke: Stroke, size: tuple[int, int]) -> tuple[np.ndarray, float, tuple[int, int, int, int]]:
    """(ends [N, 4] with y up, radius, the pixels that it can touch as x, y, width, height)."""
    width, height = size
    radius = max(stroke.width * height / 2, 0.75)
    points = np.array([(x * width, height - y * height) for x, y in stroke.points], np.float32)
    ends = np.hstack([points[:-1], points[1:]]) if len(points) > 1 else np.hstack([points, points])
    low = np.floor(points.min(0) - radius - 2).clip(0, size).astype(int)
    high = np.ceil(points.max(0) + radius + 2).clip(0, size).astype(int)
    return np.ascontiguousarray(ends), radius, (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
