"""`Picture`: draws a presenter's texture into its place in the window."""

from __future__ import annotations

from OpenGL import GL

from .letterbox import Rect
from .shader import link
from .theme import Colour

_VERTEX = """
uniform vec2 window;
uniform vec4 corners;    // left, top, right, bottom, pixels, y down
out vec2 uv, at;
void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    at = mix(corners.xy, corners.zw, corner);
    uv = corner;         // row 0 of the texture is the picture's top, so v points down like the window's y
    gl_Position = vec4(2.0 * at.x / window.x - 1.0, 1.0 - 2.0 * at.y / window.y, 0.0, 1.0);
}
"""

_FRAGMENT = """
uniform sampler2D picture;
uniform vec4 corners, under;
uniform float radius;
in vec2 uv, at;
out vec4 pixel;
vec4 look_up(vec2 uv);
void main() {
    vec4 colour = look_up(uv);
    colour.rgb = mix(under.rgb, colour.rgb, colour.a);
    vec2 q = abs(at - 0.5 * (corners.xy + corners.zw)) - 0.5 * (corners.zw - corners.xy) + radius;
    float cover = 1.0;
    if (radius > 0.0 && q.x > 0.0 && q.y > 0.0) cover = clamp(radius + 0.5 - length(q), 0.0, 1.0);
    pixel = vec4(colour.rgb, cover);
}
"""

_FAST = "vec4 look_up(vec2 uv) { return texture(picture, uv); }"

# Catmull-Rom from five bilinear reads (Jimenez, "Filmic SMAA", SIGGRAPH 2016): enlarged edges run smoothly where
# bilinear interpolation shows the grid of source pixels.
_SHARP = """
vec4 look_up(vec2 uv) {
    vec2 size = vec2(textureSize(picture, 0)), at_texel = uv * size;
    vec2 centre = floor(at_texel - 0.5) + 0.5, f = at_texel - centre;
    vec2 w0 = f * (-0.5 + f * (1.0 - 0.5 * f)), w1 = 1.0 + f * f * (1.5 * f - 2.5);
    vec2 w2 = f * (0.5 + f * (2.0 - 1.5 * f)), w3 = f * f * (0.5 * f - 0.5), w12 = w1 + w2;
    vec2 before = (centre - 1.0) / size, between = (centre + w2 / w12) / size, behind = (centre + 2.0) / size;
    vec4 sum = texture(picture, between) * w12.x * w12.y
        + texture(picture, vec2(between.x, before.y)) * w12.x * w0.y
        + texture(picture, vec2(between.x, behind.y)) * w12.x * w3.y
        + texture(picture, vec2(before.x, between.y)) * w0.x * w12.y
        + texture(picture, vec2(behind.x, between.y)) * w3.x * w12.y;
    float weight = w12.x * (w12.y + w0.y + w3.y) + (w0.x + w3.x) * w12.y;   // the far corners are left out
    return clamp(sum / weight, 0.0, 1.0);
}
"""


class Picture:
    """A textured rectangle with rounded corners. Needs a current GL context."""

    def __init__(self) -> None:
        self._programs: dict[bool, _Program] = {}
        """With the cubic filter and without; linked when first needed, not while a person waits for the window."""
        self._array = int(GL.glGenVertexArrays(1))
        self._mipmapped: tuple[int, int] | None = None

    def renew(self) -> None:
        """The texture holds another frame: smaller copies of the old one are stale."""
        self._mipmapped = None

    def draw(
        self,
        texture: int,
        size: tuple[int, int],
        rect: Rect,
        window: tuple[int, int],
        under: Colour,
        *,
        radius: float = 0.0,
        sharp: bool = True,
    ) -> None:
        """Draw `texture` of `size` pixels into `rect` of the framebuffer `window`; `under` shows through it.

        Reduced, it is averaged through mipmaps, which are made only then; enlarged, it is interpolated.

        Args:
            radius: of the corners, pixels.
            sharp: enlarge with a cubic filter, several times the work of the linear one.
        """
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
        shrinks = rect.width < size[0] or rect.height < size[1]
        if shrinks and self._mipmapped != size:
            GL.glGenerateMipmap(GL.GL_TEXTURE_2D)
            self._mipmapped = size
        filtering = GL.GL_LINEAR_MIPMAP_LINEAR if shrinks else GL.GL_LINEAR
        GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MIN_FILTER, filtering)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFuncSeparate(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA, GL.GL_ONE, GL.GL_ONE)
        same = (rect.width, rect.height) == size
        program = self._program(sharp and not shrinks and not same)
        GL.glUseProgram(program.name)
        GL.glUniform2f(program.uniforms["window"], *window)
        GL.glUniform4f(program.uniforms["corners"], rect.x, rect.y, rect.right, rect.bottom)
        GL.glUniform4f(program.uniforms["under"], *under)
        GL.glUniform1f(program.uniforms["radius"], radius)
        GL.glBindVertexArray(self._array)
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)

    def _program(self, sharp: bool) -> _Program:
        # Two programs and no switch inside one: a software renderer would run both branches for every pixel.
        if sharp not in self._programs:
            self._programs[sharp] = _Program(_FRAGMENT + (_SHARP if sharp else _FAST))
        return self._programs[sharp]

    def close(self) -> None:
        """Give back everything that lives in the GL context."""
        GL.glDeleteVertexArrays(1, [self._array])
        for program in self._programs.values():
            GL.glDeleteProgram(program.name)


class _Program:
    def __init__(self, fragment: str) -> None:
        self.name = link(_VERTEX, fragment)
        self.uniforms = {
            name: GL.glGetUniformLocation(self.name, name) for name in ("window", "corners", "under", "radius")
        }
