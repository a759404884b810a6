"""Baked grids marched by a fragment shader: any OpenGL 3.3 GPU orbits at full frame rate, without CUDA.

`march.render_baked` is the twin that decides what is right. Everything happens on the thread whose context it is: the
window's, which shows what `paint` made, or one without a window, from which `render` reads the numbers back.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import moderngl
import numpy as np

from .bake import VISIBLE_THICKNESS, BakedGrid
from .bricks import BLOCK, BRICK, BrickGrid
from .density import stored_density
from .image import Rendered
from .march import OPAQUE, SIP, march_limits, square_matrix, step_length
from .march_kernel import ACTIVATIONS
from .rays import ray_basis

if TYPE_CHECKING:
    from torch import Tensor

    from ...models.base import VolumeSettings

MOST_TARGETS = 8
"""Pictures that OpenGL 3.3 lets a shader draw at once, of four numbers a pixel."""
WIDE_BITS = 12
"""Long arrays are textures 2^12 wide: that much every GPU takes, and a shift and a mask find the place of an entry."""

_Program = tuple[Any, Any]


class GridMarcher:
    """Holds one baked grid on the GPU and marches it.

    Args:
        context: current on this thread, where everything here has to happen; None: opens one.

    Raises:
        NoContextError: there is none.
    """

    def __init__(self, context: moderngl.Context | None = None) -> None:
        if context is None:
            from ..offscreen import open_context

            self.context, self._own = open_context(), True
        else:
            self.context, self._own = context, False
        self._held: BrickGrid | None = None
        self._textures: dict[str, Any] = {}
        self._programs: dict[tuple[tuple[str, int], ...], _Program] = {}
        self._target: tuple[tuple[int, int, int, str], Any, list[Any]] | None = None

    def fits(self, baked: BakedGrid | BrickGrid, *, whole: bool = True) -> bool:
        """Whether this GPU can hold a grid, and with `whole` draw all of its features at once."""
        grid = _bricks(baked)
        info = self.context.info
        lines, blocks = info["GL_MAX_TEXTURE_SIZE"], info["GL_MAX_3D_TEXTURE_SIZE"]
        most = max(grid.density.size, grid.rows.size // 4)
        drawn = min(MOST_TARGETS, info.get("GL_MAX_DRAW_BUFFERS", MOST_TARGETS))
        held = lines >= 1 << WIDE_BITS and most <= lines << WIDE_BITS and max(grid.table.shape) <= blocks
        return held and (not whole or -(-(grid.channels + 2) // 4) <= drawn)

    def render(
        self,
        baked: BakedGrid | BrickGrid,
        volume: VolumeSettings,
        cam2world: Tensor | np.ndarray,
        intrinsics: Tensor | np.ndarray,
        height: int,
        width: int,
        *,
        step: float | None = None,
    ) -> Rendered:
        """As `march.render_baked`, for a grid that `fits`; float32 on the CPU."""
        import torch

        from .backdrop import close

        grid, targets = _bricks(baked), -(-(baked.channels + 2) // 4)
        pose, lens = square_matrix(cam2world, 4, "cam2world"), square_matrix(intrinsics, 3, "intrinsics")
        program = self._program(grid, volume, {"TARGETS": targets, "DRAWN": grid.channels})
        pictures = self._draw(program, grid, volume, pose, lens, (height, width), targets, "f4", step)
        parts = [np.frombuffer(picture.read(), np.float32).reshape(height, width, 4) for picture in pictures]
        planes = torch.from_numpy(np.concatenate(parts, 2)).permute(2, 0, 1).contiguous()
        c = grid.channels
        rendered = Rendered(planes[:c], planes[c], planes[c + 1])
        if grid.backdrop is None or not volume.opaque_end:
            return rendered
        return close(rendered, grid.backdrop, volume, pose, lens)

    def paint(
        self,
        grid: BrickGrid,
        volume: VolumeSettings,
        pose: np.ndarray,
        lens: np.ndarray,
        side: int,
        *,
        opacity: bool = False,
    ) -> moderngl.Texture:
        """Draws the grid's first three features as colours, and returns before the GPU has done it.

        Args:
            grid: one that `fits`.
            volume: of the same scene.
            pose: cam2world [4, 4], OpenCV axes.
            lens: intrinsics [3, 3], normalised.
            side: of the picture, pixels.
            opacity: draw that instead, from black to white.

        Returns:
            RGBA8, [side, side], row 0 the picture's top; the same texture until another side is asked for.
        """
        closed = grid.backdrop is not None and volume.opaque_end
        variant = {"TARGETS": 1, "DRAWN": 3, "PICTURE": 1, "OPACITY": int(opacity), "BACKDROP": int(closed)}
        program = self._program(grid, volume, variant)
        return self._draw(program, grid, volume, pose, lens, (side, side), 1, "f1", None)[0]

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
            # Released alone it stays current, and a window that is opened on this thread later ends the process.
            self.context.__exit__(None, None, None)
            self.context.release()

    def _draw(
        self,
        program_and_triangle: _Program,
        grid: BrickGrid,
        volume: VolumeSettings,
        pose: np.ndarray,
        lens: np.ndarray,
        size: tuple[int, int],
        targets: int,
        dtype: str,
        step: float | None,
    ) -> list[Any]:
        """Marches into `targets` textures of `size` (height, width)."""
        height, width = size
        if height < 1 or width < 1:
            raise ValueError(f"the picture is {height} x {width} pixels; expected at least 1 x 1")
        if step is not None and not step > 0:
            raise ValueError(f"the step is {step} spacings; expected more than 0")
        self._upload(grid)
        program, triangle = program_and_triangle
        near, far = march_limits(grid, volume, pose)
        basis = ray_basis(pose, lens, height, width, volume.pixels, volume.pixel_stretch)
        values: dict[str, Any] = {
            "low": grid.bounds[0],
            "high": grid.bounds[1],
            "spacing": grid.spacing,
            "shape": grid.shape,
            "knee": grid.knee,
            "visible": stored_density(VISIBLE_THICKNESS / grid.spacing, volume.activation, grid.knee),
            "origin": tuple(pose[:3, 3]),
            "basis": tuple(basis.reshape(-1).tolist()),
            "unit_rays": float(volume.unit_rays),
            "near": near,
            "far": far,
            "step_length": step_length(grid, volume) if step is None else step * grid.spacing,
            "transparent": 1.0 - OPAQUE,
            "sip": SIP,
            "background": float(volume.white_background),
            "offset": grid.offset.tolist(),
            "scale": grid.scale.tolist(),
        }
        if grid.backdrop is not None:
            values |= {"backdrop_low": grid.backdrop.bounds[0], "backdrop_high": grid.backdrop.bounds[1]}
            values["end"] = far if volume.far is None else volume.far
        for name, value in values.items():
            if name in program:  # what a variant does not use, the driver leaves out
                member = program[name]
                if isinstance(value, list):  # and of an array what lies behind the last entry that it uses
                    value = value[0] if member.array_length == 1 else value[: member.array_length]
                member.value = value
        for unit, (name, texture) in enumerate(self._textures.items()):
            texture.use(unit)
            if name in program:
                program[name].value = unit
        frame, pictures = self._canvas(targets, height, width, dtype)
        frame.use()
        self.context.disable(moderngl.DEPTH_TEST | moderngl.BLEND | moderngl.CULL_FACE)
        triangle.render(moderngl.TRIANGLES, vertices=3)
        return pictures

    def _upload(self, grid: BrickGrid) -> None:
        if self._held is grid:
            return
        for texture in self._textures.values():
            texture.release()
        self._textures, self._held = {}, None  # an upload that breaks leaves nothing that looks whole
        table = np.ascontiguousarray(grid.table)
        self._textures["table"] = self.context.texture3d(table.shape[::-1], 1, table, alignment=1, dtype="i4")
        self._textures["density"] = self._lines(grid.density.reshape(-1), 1, "f4")
        self._textures["line"] = self._lines(grid.line.reshape(-1), 1, "i4")
        self._textures["rows"] = self._lines(grid.rows.reshape(-1), 4, "u1")
        for texture in self._textures.values():
            texture.filter = moderngl.NEAREST, moderngl.NEAREST
        if grid.backdrop is not None:
            features = grid.backdrop.features[0, :3].numpy()  # [3, nz, ny, nx]
            z, y, x = features.shape[1:]
            texels = np.zeros((z, y, x, 4), np.float16)
            texels[..., : len(features)] = features.transpose(1, 2, 3, 0)
            backdrop = self.context.texture3d((x, y, z), 4, texels, alignment=1, dtype="f2")
            backdrop.filter = moderngl.LINEAR, moderngl.LINEAR
            backdrop.repeat_x = backdrop.repeat_y = backdrop.repeat_z = False
            self._textures["backdrop"] = backdrop
        self._held = grid

    def _lines(self, values: np.ndarray, components: int, dtype: str) -> Any:
        """A long array as a texture 2^WIDE_BITS wide, uploaded from where it lies."""
        wide = 1 << WIDE_BITS
        texels = len(values) // components
        whole, rest = divmod(texels, wide)
        texture = self.context.texture((wide, max(1, whole + (rest > 0))), components, alignment=1, dtype=dtype)
        if whole:
            texture.write(values[: whole * wide * components], (0, 0, wide, whole), alignment=1)
        if rest:
            texture.write(values[whole * wide * components :], (0, whole, rest, 1), alignment=1)
        return texture

    def _program(self, grid: BrickGrid, volume: VolumeSettings, variant: dict[str, int]) -> _Program:
        sizes = {
            "PICTURE": 0,
            "OPACITY": 0,
            "BACKDROP": 0,
            "CHANNELS": grid.channels,
            "DEGREE": grid.degree,
            "TERMS": (grid.degree + 1) ** 2,
            "WORDS": grid.rows.shape[1] // 4,
            "KIND": ACTIVATIONS[volume.activation],
            "BLOCK": BLOCK,
            "BRICK": BRICK,
            "WIDE_BITS": WIDE_BITS,
            "COMPRESSED": int(grid.knee > 0),
            "BY_DENSITY": int(grid.thin),
            **variant,
        }
        last = (sizes["TERMS"] - 1) * grid.channels + sizes["DRAWN"]  # numbers of a row up to the last that is drawn
        sizes["READ"] = min(sizes["WORDS"], -(-last // 4))
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

    def _canvas(self, count: int, height: int, width: int, dtype: str) -> tuple[Any, list[Any]]:
        size = (count, height, width, dtype)
        if self._target is None or self._target[0] != size:
            pictures = [self.context.texture((width, height), 4, dtype=dtype) for _ in range(count)]
            for picture in pictures:
                picture.repeat_x = picture.repeat_y = False
            frame = self.context.framebuffer(pictures)
            frame.use()  # before the old one goes: moderngl binds again what it takes for bound, and may not find it
            self._drop_target()
            self._target = size, frame, pictures
        return self._target[1], self._target[2]

    def _drop_target(self) -> None:
        if self._target is not None:
            self._target[1].release()
            for picture in self._target[2]:
                picture.release()
        self._target = None


def _bricks(baked: BakedGrid | BrickGrid) -> BrickGrid:
    return baked.bricks if isinstance(baked, BakedGrid) else baked
