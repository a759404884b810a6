"""The shaded picture of a view: drawn with several samples a pixel, then developed as a photo or a drawing."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from .shading import Program
from .sun import Sky
from .view import Look


class Picture:
    """Targets and programs of one look."""

    def __init__(self, context: moderngl.Context, look: Look, width: int, height: int, samples: int) -> None:
        self._size, self._samples = (width, height), samples
        defines = ("DRAWN",) if look == "drawn" else ()
        self.still = Program(context, "world.vert", "picture.frag", *defines)
        self.moving = Program(context, "world.vert", "picture.frag", "MOVING", *defines)
        self.sky = Program(context, "screen.vert", "sky_picture.frag", *defines)
        self._develop = Program(context, "screen.vert", "develop.frag", *defines)
        fine = (width * samples, height * samples)
        self._colour = context.texture(fine, 4, dtype="f2")
        self._form = context.texture(fine, 4)
        for texture in (self._colour, self._form):
            texture.repeat_x = texture.repeat_y = False
        self._colour.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.target = context.framebuffer([self._colour, self._form], context.depth_renderbuffer(fine))
        self._pixels = context.texture((width, height), 4)
        self._developed = context.framebuffer([self._pixels])
        corners = context.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        self.screen = context.vertex_array(self.sky.program, [(corners, "2f", "corner")])
        self._screen = context.vertex_array(self._develop.program, [(corners, "2f", "corner")])

    def light(self, sky: Sky, look: Look, **values: Any) -> None:
        """Write the uniforms of a weather, and `values`, to all programs."""
        made = {
            "sun_disc": sky.disc,
            "zenith": sky.zenith,
            "horizon": sky.horizon,
            "horizon_sun": sky.horizon_sun,
            "glow": sky.glow,
            "cloud_light": sky.cloud_light,
            "cloud_dark": sky.cloud_dark,
            "clouds": sky.clouds,
            "sun_light": sky.sun_light,
            "sky_light": sky.sky_light,
            "ground_light": sky.ground_light,
            "lamps": sky.lamps,
            "windows_lit": sky.windows_lit,
            "fog_length": sky.fog_length,
            "exposure": sky.exposure,
        }
        if look == "drawn":
            made |= _ink(sky)
        for program in (self.still, self.moving, self.sky, self._develop):
            program.set(**made, **values)

    def develop(self, context: moderngl.Context, focal: float) -> NDArray[np.uint8]:
        """[H, W, 3] sRGB of what `target` holds; `focal` is in parts of the width."""
        self._developed.use()
        context.disable(moderngl.DEPTH_TEST)
        self._colour.use(4)
        self._form.use(5)
        self._develop.set(colour=4, form=5, size=self._size, samples=self._samples, focal=focal)
        self._screen.render(vertices=3)
        width, height = self._size
        pixels = np.frombuffer(self._pixels.read(), np.uint8).reshape(height, width, 4)
        return np.ascontiguousarray(pixels[..., :3])


def _ink(sky: Sky) -> dict[str, Any]:
    """The illustrator's colours at this light: display values, not linear ones."""
    day = float(np.clip(1 - sky.lamps, 0, 1))
    warm = float(np.clip(sky.lamps * (sky.sun_light[0] - sky.sun_light[2]) * 1.6, 0, 1))
    dark = float(np.clip(sky.lamps - warm, 0, 1))
    paper = (
        np.array([0.985, 0.972, 0.945]) * day
        + np.array([0.99, 0.83, 0.68]) * warm
        + np.array([0.23, 0.26, 0.42]) * dark
    )
    top = np.array([0.62, 0.78, 0.90]) * day + np.array([0.70, 0.62, 0.80]) * warm + np.array([0.10, 0.13, 0.28]) * dark
    all_light = (
        np.array([1.0, 1.0, 1.0]) * day + np.array([1.0, 0.90, 0.80]) * warm + np.array([0.40, 0.44, 0.66]) * dark
    )
    total = day + warm + dark
    return {
        "paper": paper / total,
        "zenith": top / total,
        "ground_light": all_light / total,
        "ambience": 1.0,
        "shade": (0.79, 0.755, 0.885),
        "ink": np.array([0.16, 0.14, 0.20]) * (1 - 0.6 * dark),
    }
