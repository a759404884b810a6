"""Baked grids marched by a fragment shader: any OpenGL 3.3 GPU orbits at full frame rate, without CUDA.

`march.render_baked` is the twin that decides what is right. The shader draws into memory, on a context of its own that
belongs to the thread that renders; pictures come back as tensors and take the same way as all others.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import moderngl
import numpy as np
import torch
from torch import Tensor

from ...models.base import VolumeSettings
from ..offscreen import open_context
from .backdrop import close
from .bake import BLOCK, VISIBLE_THICKNESS, BakedGrid
from .density import stored_density
from .image import Rendered
from .march import OPAQUE, SIP, march_limits, square_matrix, step_length
from .march_kernel import ACTIVATIONS
from .rays import ray_basis

MOST_TARGETS = 8
"""Pictures that OpenGL 3.3 lets a shader draw at once, of four numbers a pixel."""
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software", "basic render")
"""Parts of the names of renderers that are a CPU in disguise: numba is quicker there."""


def drawn_by_hardware(context: moderngl.Context) -> bool:
    """Whether a GPU stands behind a context."""
    return not any(name in context.info["GL_RENDERER"].lower() for name in SOFTWARE)


class GridMarcher:
    """Holds one baked grid on the GPU and marches it.

    Args:
        context: current on this thread, where everything here has to happen; None: opens one.

    Raises:
        NoContextError: there is none.
    """

    def __init__(self, context: moderngl.Context | None = None) -> None:
        self.context = open_context() if context is None else context
        self._own = context is None
        self._held: BakedGrid | None = None
        self._textures: dict[str, Any] = {}
        self._programs: dict[tuple[tuple[str, int], ...], tuple[Any, Any]] = {}
        self._canvas: tuple[tuple[int, int, int], Any, list[Any]] | None = None

    def fits(self, baked: BakedGrid) -> bool:
        """Whether this GPU can hold a grid, and draw all of its features at once."""
        most = self.context.info["GL_MAX_3D_TEXTURE_SIZE"]
        wide = self.context.info["GL_MAX_TEXTURE_SIZE"]
        texels = baked.rows.shape[0] * baked.rows.shape[1] // 4
        drawn = min(MOST_TARGETS, self.context.info.get("GL_MAX_DRAW_BUFFERS", MOST_TARGETS))
        return max(baked.density.shape) <= most and texels <= wide * wide and -(-(baked.channels + 2) // 4) <= drawn

    def render(
        self,
        baked: BakedGrid,
        volume: VolumeSettings,
        cam2world: Tensor | np.ndarray,
        intrinsics: Tensor | np.ndarray,
        height: int,
        width: int,
        *,
        step: float | None = None,
    ) -> Rendered:
        """As `march.render_baked`, for a grid that `fits`; float32 on the CPU."""
        pose, lens = square_matrix(cam2world, 4, "cam2world"), square_matrix(intrinsics, 3, "intrinsics")
        if height < 1 or width < 1:
            raise ValueError(f"the picture is {height} x {width} pixels; expected at least 1 x 1")
        if step is not None and not step > 0:
            raise ValueError(f"the step is {step} spacings; expected more than 0")
        self._upload(baked)
        program, triangle = self._program(baked, volume)
        near, far = march_limits(baked, volume, pose)
        basis = ray_basis(pose, lens, height, width, volume.pixels, volume.pixel_stretch)
        threshold = VISIBLE_THICKNESS / baked.spacing
        values = {
            "low": baked.bounds[0],
            "high": baked.bounds[1],
            "spacing": baked.spacing,
            "knee": baked.knee,
            "visible": stored_density(threshold, volume.activation, baked.knee),
            "origin": tuple(pose[:3, 3]),
            "basis": tuple(basis.reshape(-1).tolist()),
            "unit_rays": float(volume.unit_rays),
            "near": near,
            "far": far,
            "step_length": step_length(baked, volume) if step is None else step * baked.spacing,
            "transparent": 1.0 - OPAQUE,
            "sip": SIP,
            "background": float(volume.white_background),
            "rows_width": self._textures["rows"].width,
            "offset": baked.offset.tolist(),
            "scale": baked.scale.tolist(),
        }
        for name, value in values.items():
            if name in program:  # what a variant does not use, the driver leaves out
                member = program[name]
                member.value = value[0] if isinstance(value, list) and len(value) == 1 else value
        for unit, (name, texture) in enumerate(self._textures.items()):
            texture.use(unit)
            if name in program:
                program[name].value = unit
        frame, pictures = self._target(-(-(baked.channels + 2) // 4), height, width)
        frame.use()
        self.context.disable(moderngl.DEPTH_TEST | moderngl.BLEND | moderngl.CULL_FACE)
        triangle.render(moderngl.TRIANGLES, vertices=3)
        parts = [np.frombuffer(picture.read(), np.float32).reshape(height, width, 4) for picture in pictures]
        planes = torch.from_numpy(np.concatenate(parts, 2)).permute(2, 0, 1).contiguous()
        c = baked.channels
        rendered = Rendered(planes[:c], planes[c], planes[c + 1])
        if baked.backdrop is None or not volume.opaque_end:
            return rendered
        return close(rendered, baked.backdrop, volume, pose, lens)

    def close(self) -> None:
        """Lets go of the GPU's memory, and of the context if it was opened here."""
        for texture in self._textures.values():
            texture.release()
        self._textures, self._held = {}, None
        self._drop_target()
        for program, triangle in self._programs.values():
            triangle.release()
            program.release()
        self._programs = {}
        if self._own:
            self.context.release()

    def _upload(self, baked: BakedGrid) -> None:
        if self._held is baked:
            return
        for texture in self._textures.values():
            texture.release()
        words = baked.rows.shape[1] // 4
        texels = max(1, baked.rows.shape[0] * words)
        wide = min(self.context.info["GL_MAX_TEXTURE_SIZE"], 4096)
        wide = max(wide, -(-texels // self.context.info["GL_MAX_TEXTURE_SIZE"]))
        lines = np.zeros((-(-texels // wide), wide, 4), np.uint8)
        lines.reshape(-1, 4)[: baked.rows.shape[0] * words] = baked.rows.numpy().reshape(-1, 4)
        self._textures = {
            "density": self._volume(baked.density.numpy(), "f4"),
            "line": self._volume(baked.index.numpy(), "i4"),
            "skip": self._volume(baked.skip.numpy(), "u1"),
            "rows": self.context.texture((wide, lines.shape[0]), 4, lines.tobytes(), dtype="u1"),
        }
        for texture in self._textures.values():
            texture.filter = moderngl.NEAREST, moderngl.NEAREST
        self._held = baked

    def _volume(self, values: np.ndarray, dtype: str) -> Any:
        data = np.ascontiguousarray(values).tobytes()
        return self.context.texture3d(values.shape[::-1], 1, data, alignment=1, dtype=dtype)

    def _program(self, baked: BakedGrid, volume: VolumeSettings) -> tuple[Any, Any]:
        sizes = {
            "CHANNELS": baked.channels,
            "DEGREE": baked.degree,
            "TERMS": (baked.degree + 1) ** 2,
            "WORDS": baked.rows.shape[1] // 4,
            "KIND": ACTIVATIONS[volume.activation],
            "BLOCK": BLOCK,
            "COMPRESSED": int(baked.knee > 0),
            "BY_DENSITY": int(baked.thin),
            "TARGETS": -(-(baked.channels + 2) // 4),
        }
        key = tuple(sizes.items())
        if key not in self._programs:
            folder = resources.files(__package__ or "").joinpath("glsl")
            defines = "".join(f"#define {name} {value}\n" for name, value in sizes.items())
            vertex, fragment = (
                f"#version 330\n{defines}{folder.joinpath(name).read_text('utf-8')}"
                for name in ("march.vert", "march.frag")
            )
            program = self.context.program(vertex_shader=vertex, fragment_shader=fragment)
            self._programs[key] = program, self.context.vertex_array(program, [])
        return self._programs[key]

    def _target(self, count: int, height: int, width: int) -> tuple[Any, list[Any]]:
        size = (count, height, width)
        if self._canvas is None or self._canvas[0] != size:
            self._drop_target()
            pictures = [self.context.texture((width, height), 4, dtype="f4") for _ in range(count)]
            self._canvas = size, self.context.framebuffer(pictures), pictures
        return self._canvas[1], self._canvas[2]

    def _drop_target(self) -> None:
        if self._canvas is not None:
            self._canvas[1].release()
            for picture in self._canvas[2]:
                picture.release()
        self._canvas = None
