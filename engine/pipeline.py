"""`Pipeline`: state in, frame out, keeping every stage until its own inputs change.

    latents ▶ codes ▶ scene ▶ edited scene ▶ occupancy ▶ volume image ▶ picture ▶ pixels

A dragged camera re-runs from the volume image on, a dragged latent from the codes on, another output kind only the
last step. What comes before the occupancy stands in `scene_stages.py`. Nothing here knows about threads or windows.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..models.base import Generator, Scene
from .camera import camera_matrices
from .editing.side_files import SideFiles
from .frame import Frame, FrameRung
from .pixels import to_pixels
from .rendering.background import over_background
from .rendering.bake import LEVELS, LEVELS_THIN, BakedGrid, bake_levels
from .rendering.bricks import BrickGrid
from .rendering.cancel import Checkpoint, never
from .rendering.edges import with_smooth_edges
from .rendering.exact import RayValues, refined, render_exact, render_image, render_in_chunks, with_samples
from .rendering.fast import fast_renderer
from .rendering.image import Rendered
from .rendering.normals import normals_from_depth
from .rendering.occupancy import OccupancyGrid, build_occupancy
from .rendering.occupancy_march import render_occupancy
from .rendering.rays import volume_from
from .rendering.supersample import averaged
from .scene_stages import SceneStages
from .state import ViewState

FOG = 0.75
"""Share of cells that may hold something and are not solid, above which a scene has no empty space worth skipping. An
untrained pi-GAN fills all, the shipped cars half of their tight box, heads a tenth."""
MOST_BAKED = 64
"""Features above which an up-sampler's scene is not baked: StyleNeRF's 259 fill gigabytes to save the small part of a
frame that is not its up-sampler."""
COARSE = 2
"""Rays along a pixel's side in a coarse picture of a baked grid: an up-sampler takes the saw's edges of too few rays
for detail, and marching is the small part of its frames (heads at half the size: 25.3 in place of 22.5 dB)."""


class Pipeline(SceneStages):
    """Renders one generator's states; not thread-safe, one thread owns it.

    Args:
        generator: is moved to `device`.
        device: 'cpu', 'cuda:0'.
        side_files: where edits and identities that states name are found; None: the person's own folder.
    """

    def __init__(self, generator: Generator, device: str = "cpu", side_files: SideFiles | None = None) -> None:
        super().__init__(generator, device, side_files)
        self.fast = fast_renderer(device)
        """Renders the rungs 'occupancy' and 'exact' where it can, and answers for fields that are baked."""
        self._bakes: dict[Hashable, BakedGrid | BrickGrid] = {}
        # A scene reconstructed from photographs has thin parts and rough density; a generated one has neither.
        self._thin = generator.num_layers == 0

    def occupancy(self, state: ViewState, checkpoint: Checkpoint = never) -> OccupancyGrid:
        """Where the state's scene has any density at all (stage occupancy)."""
        edit = self.edit(state)
        scene = self.scene(state) if edit is not None and edit.moves_density else self.unedited_scene(state)

        def build() -> OccupancyGrid:
            return build_occupancy(self.fast.field(scene.field), scene.volume, thin=self._thin, checkpoint=checkpoint)

        return self._stage("occupancy", self._shape_key(state), build)

    def baked(self, state: ViewState) -> BakedGrid | BrickGrid | None:
        """The finest baked grid of the state's scene, None as long as there is none; on a CPU its bricks alone."""
        return self._bakes.get(self.scene_key(state))

    def baked_bricks(self, state: ViewState) -> BrickGrid | None:
        """The same as bricks, wherever it is marched."""
        grid = self.baked(state)
        return grid.bricks if isinstance(grid, BakedGrid) else grid

    @torch.inference_mode()
    def bake(self, state: ViewState, checkpoint: Checkpoint = never) -> Iterator[BakedGrid]:
        """Bake the state's scene coarse to fine; each grid serves the rung 'baked' as soon as it is yielded.

        Grids of other scenes are let go. Yields nothing for scenes with too many features to be worth it.
        """
        scene, key = self.scene(state), self.scene_key(state)
        if scene.upsampler is not None and scene.field.features > MOST_BAKED:
            return
        occupancy = self.occupancy(state, checkpoint)
        resolutions = LEVELS_THIN if self._thin else LEVELS
        levels = bake_levels(
            self.fast.field(scene.field),
            scene.volume,
            resolutions[:1] if self.is_fog(state) else resolutions,
            occupancy=occupancy,
            channels=None if scene.upsampler else 3,
            checkpoint=checkpoint,
        )
        for grid in levels:
            self._bakes = {key: grid.bricks if self.device == "cpu" else grid}
            yield grid

    def rungs(self, state: ViewState) -> list[FrameRung]:
        """What could render this state at once, and is worth it."""
        rungs: list[FrameRung] = ["exact"]
        if not self.is_fog(state):
            rungs.append("occupancy")
        if self.baked(state) is not None:
            rungs.append("baked")
        return rungs

    def is_fog(self, state: ViewState) -> bool:
        """Whether most of the scene is known to hold something (an untrained pi-GAN): then there is nothing to skip,
        the exact samples are the quickest, and a finer grid shows nothing more. False while it is not known."""
        kept = self._kept.get("occupancy")
        if kept is None or kept[0] != self._shape_key(state):
            return False
        return bool((kept[1].occupied & ~kept[1].solid).float().mean() > FOG)

    def volume_size(self, state: ViewState) -> int:
        """Side of the volume-rendered image that the state asks for, pixels."""
        scene = self.scene(state)
        if state.quality.resolution is not None:
            return min(max(state.quality.resolution, 8), 2048)
        if scene.upsampler is None and state.output.size is not None:
            return min(max(state.output.size, 8), 2048)
        return scene.resolution

    @torch.inference_mode()
    def frame(
        self,
        state: ViewState,
        rung: FrameRung = "exact",
        *,
        scale: float = 1.0,
        checkpoint: Checkpoint = never,
        live: bool = False,
        stamp: int = 0,
        final: bool = True,
    ) -> Frame:
        """Render `state`.

        Args:
            state: what is to be seen; `state.model` is not read, the pipeline has its generator.
            rung: how; 'baked' needs a kept grid and falls back to 'occupancy' without one, and that to 'exact' where
                nothing can be skipped.
            scale: fraction of the volume-rendered side, below 1 while something moves.
            live: whether the next frame is on its way: then a pixel has as few rays as will do, whatever the scene
                asks for.
            checkpoint: raises `Cancelled` between chunks when the frame is not wanted any more.
            stamp: passed on to the frame.
            final: passed on to the frame.

        Raises:
            StateError: the camera's matrices make no camera.
            Cancelled: from `checkpoint`.
        """
        start = time.perf_counter()
        self._times = {}
        scene = self.scene(state)
        size = max(8, round(self.volume_size(state) * scale))
        grid = self.baked(state)
        if rung == "baked" and grid is None:
            rung = "occupancy"
        if rung == "occupancy":
            self.occupancy(state, checkpoint)
            rung = "exact" if self.is_fog(state) else rung
        across = self._rays_across(state, scene, rung, live, scale)
        camera = state.camera
        usual = self.generator_for(state).camera
        matrices = camera_matrices(camera, usual)
        if camera.cam2world is None:  # a camera given as a matrix means the official picture, limits included
            scene = replace(scene, volume=volume_from(scene.volume, matrices[0], usual))
        quality = None if grid is None or rung != "baked" else grid.resolution
        view = (self.scene_key(state), camera, rung, size, across, scale < 1, state.quality.samples, quality)

        def cast() -> Rendered:
            rays = self._cast(state, scene, rung, grid, matrices, size * across, scale < 1, checkpoint)
            if live or scale < 1 or across == 1:
                return rays
            return self._smooth(scene, rays, matrices, state.quality.samples, checkpoint)

        rendered = self._stage("volume image", view, lambda: averaged(cast(), across))
        checkpoint()
        draft = live and rung != "exact"

        def paint() -> Tensor:
            image = self.fast.picture(scene, rendered, moving=draft)
            image = render_image(scene, rendered) if image is None else refined(scene, rendered, image)
            return image.permute(1, 2, 0)

        rgb = self._stage("picture", (view, draft), paint)
        pixels = self._pixels(state, scene, rendered, rgb, matrices)
        if pixels.is_cuda:  # the window copies on a stream of its own, and the times below are to be true
            torch.cuda.synchronize(pixels.device)
        return Frame(
            state=state,
            rgb=rgb,
            raw=rendered.features[:3].permute(1, 2, 0),
            depth=rendered.depth,
            alpha=rendered.alpha,
            pixels=pixels,
            rung=rung,
            detail=self._describe(rung, grid, size, across),
            final=final,
            milliseconds=1000 * (time.perf_counter() - start),
            stages=dict(self._times),
            stamp=stamp,
            rays=(size * across) ** 2,
        )

    def _cast(
        self,
        state: ViewState,
        scene: Scene,
        rung: FrameRung,
        grid: BakedGrid | BrickGrid | None,
        matrices: Any,
        side: int,
        quick: bool,
        checkpoint: Checkpoint,
    ) -> Rendered:
        """The volume image, `side` rays high and wide, by a rung that there is."""
        cam2world, intrinsics = (torch.from_numpy(m).float() for m in matrices)
        view, factor = (scene, cam2world, intrinsics), state.quality.samples
        if rung == "baked":
            assert grid is not None
            marched = self.fast.march(grid, scene.volume, cam2world, intrinsics, side)
            return over_background(scene, marched, cam2world, intrinsics)
        if rung == "exact":
            exact = self.fast.exact(*view, side, factor, checkpoint)
            if exact is not None:
                return exact
            return render_exact(*view, resolution=side, samples=factor, checkpoint=checkpoint, device=self.device)
        cells = self.occupancy(state, checkpoint)
        rendered = self.fast.render(scene, cells, cam2world, intrinsics, side, factor)
        if rendered is not None:
            return over_background(scene, rendered, cam2world, intrinsics)
        return render_occupancy(
            scene,
            cells,
            cam2world,
            intrinsics,
            resolution=side,
            fineness=factor,
            quick=quick,
            checkpoint=checkpoint,
        )

    def _smooth(
        self, scene: Scene, rendered: Rendered, matrices: Any, samples: float, checkpoint: Checkpoint
    ) -> Rendered:
        """A still picture with more rays at its edges: exact ones, since they are few, whatever has cast the others."""

        def cast(origins: Tensor, directions: Tensor, near: Tensor, far: Tensor) -> RayValues:
            rays = (origins, directions, near, far)
            quick = self.fast.rays(scene, rays, samples, checkpoint)
            if quick is not None:
                return quick
            return render_in_chunks(scene, with_samples(scene.volume, samples), *rays, checkpoint=checkpoint)

        cam2world, intrinsics = (torch.from_numpy(m).float() for m in matrices)
        return with_smooth_edges(scene, rendered, cam2world, intrinsics, cast)

    def _pixels(self, state: ViewState, scene: Scene, rendered: Rendered, rgb: Tensor, matrices: Any) -> Tensor:
        normals = None
        if state.output.kind == "normals":
            cam2world, intrinsics = (torch.from_numpy(m).float() for m in matrices)
            normals = normals_from_depth(rendered.depth, rendered.alpha, cam2world, intrinsics, scene.volume)
        return to_pixels(
            state.output.kind,
            rgb=rgb,
            raw=rendered.features[:3].permute(1, 2, 0),
            depth=rendered.depth,
            alpha=rendered.alpha,
            normals=normals,
            size=state.output.size,
        )

    def _rays_across(self, state: ViewState, scene: Scene, rung: FrameRung, live: bool, scale: float) -> int:
        """Rays along a pixel's side; arguments as those of `frame`."""
        if not live and scale >= 1:
            return scene.supersampling
        coarse = rung == "baked" and scale < 1 and scene.upsampler is not None
        return COARSE if coarse and not self.is_fog(state) else 1  # a fog has no edges that would be jagged

    def _describe(self, rung: FrameRung, grid: BakedGrid | BrickGrid | None, size: int, across: int) -> str:
        rays = f"{size}²" if across == 1 else f"{size}² x {across * across}"
        return f"baked {grid.resolution}³ · {rays}" if rung == "baked" and grid is not None else f"{rung} · {rays}"
