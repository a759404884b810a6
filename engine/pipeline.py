"""`Pipeline`: state in, frame out, keeping every stage until its own inputs change.

    latents ▶ codes ▶ scene ▶ edited scene ▶ occupancy ▶ volume image ▶ picture ▶ pixels

A dragged camera re-runs from the volume image on, a dragged latent from the codes on, another output kind only the
last step. Nothing here knows about threads or windows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..models.base import Configurable, Generator, Scene
from ..models.errors import CheckpointError
from .camera import camera_matrices
from .editing.edited_field import edited_codes, edited_scene
from .editing.pivotal import tuned
from .editing.result import EditResult
from .editing.side_files import SideFiles
from .frame import Frame, FrameRung
from .latents import directed, identity_codes, identity_parameters, layer_weights, mix_codes, seed_codes
from .pixels import to_pixels
from .rendering.background import over_background
from .rendering.bake import LEVELS, LEVELS_THIN, BakedGrid, bake_levels
from .rendering.bricks import BrickGrid
from .rendering.cancel import Checkpoint, never
from .rendering.exact import render_exact, render_image
from .rendering.fast import fast_renderer
from .rendering.image import Rendered
from .rendering.normals import normals_from_depth
from .rendering.occupancy import OccupancyGrid, build_occupancy
from .rendering.occupancy_march import render_occupancy
from .rendering.rays import volume_from
from .rendering.supersample import averaged
from .state import ViewState

T = TypeVar("T")

FOG = 0.75
"""Share of cells that may hold something and are not solid, above which a scene has no empty space worth skipping. An
untrained pi-GAN fills all, the shipped cars half of their tight box, heads a tenth."""
MOST_BAKED = 64
"""Features above which an up-sampler's scene is not baked: StyleNeRF's 259 fill gigabytes to save the small part of a
frame that is not its up-sampler."""


class Pipeline:
    """Renders one generator's states; not thread-safe, one thread owns it.

    Args:
        generator: is moved to `device`.
        device: 'cpu', 'cuda:0'.
        side_files: where edits and identities that states name are found; None: the person's own folder.
    """

    def __init__(self, generator: Generator, device: str = "cpu", side_files: SideFiles | None = None) -> None:
        self.generator = generator.to(device)
        self.device = device
        self.side_files = SideFiles() if side_files is None else side_files
        self.fast = fast_renderer(device)
        """Renders the rungs 'occupancy' and 'exact' where it can, and answers for fields that are baked."""
        self._kept: dict[str, tuple[Hashable, Any]] = {}
        self._times: dict[str, float] = {}
        self._bakes: dict[Hashable, BakedGrid | BrickGrid] = {}
        # A scene reconstructed from photographs has thin parts and rough density; a generated one has neither.
        self._thin = generator.num_layers == 0

    def generator_for(self, state: ViewState) -> Generator:
        """The generator under the state's options.

        Raises:
            CheckpointError: an option that it does not have.
        """
        if not state.options:
            return self.generator
        if not isinstance(self.generator, Configurable):
            names = ", ".join(name for name, _ in state.options)
            raise CheckpointError(
                f"This model has no options; the state asks for {names}. Reset it, or open its model."
            )
        configure = self.generator.configure
        return self._stage("generator", state.options, lambda: configure(dict(state.options)).to(self.device))

    def scene_key(self, state: ViewState) -> Hashable:
        """What the scene is a function of; equal keys mean the same identity seen from elsewhere."""
        return (*self._unedited_key(state), state.edits.result)

    def _unedited_key(self, state: ViewState) -> tuple[Hashable, ...]:
        """What the scene without its patches is a function of."""
        tuning = self._tuning_key(state)
        if self.generator.num_layers == 0:
            return (tuning,)
        latents = state.latents
        weights = tuple(layer_weights(self.generator, latents))
        # A seed that no layer takes anything from may change freely, and an identity stands for seed A.
        unused_a = bool(latents.identity) or all(w == 1 for w in weights)
        seeds = (None if unused_a else latents.seed_a, latents.seed_b if any(weights) else None)
        noise = (latents.noise, latents.noise_seed if latents.noise == "random" else 0)
        shared = (latents.truncation, latents.cutoff, latents.conditioning, latents.identity, latents.directions)
        return (tuning, seeds, weights, shared, noise if self.generator.has_noise else None)

    def _tuning_key(self, state: ViewState) -> tuple[Hashable, ...]:
        """What the generator's own tensors, and what is added to all codes, depend on."""
        edit = self.edit(state)
        everywhere = edit is not None and (edit.codes is not None or edit.parameters)
        return (state.options, state.latents.identity, state.edits.result if everywhere else "")

    def edit(self, state: ViewState) -> EditResult | None:
        """What has been changed about the state's scene; None: nothing.

        Raises:
            EditError: the edit's side file is missing or damaged.
        """
        name = state.edits.result
        if not name:
            return None
        return self._stage("edit", name, lambda: EditResult.load(self.side_files, name, self.device))

    def tuned_for(self, state: ViewState) -> Generator:
        """The generator under the state's options, its tensors moved by the state's identity and edit.

        Raises:
            CheckpointError: an option that it does not have.
            EditError: a side file is missing, damaged, or of another model.
        """
        generator, edit = self.generator_for(state), self.edit(state)

        def tune() -> Generator:
            own = tuned(generator, identity_parameters(self.side_files, state.latents.identity))
            return own if edit is None else tuned(own, edit.parameters)

        return self._stage("tuned generator", self._tuning_key(state), tune)

    def codes(self, state: ViewState) -> Tensor:
        """The identity's codes [L, W]: seeds, mixing, directions, and what an edit adds to them everywhere."""
        key = self._unedited_key(state)[:4]  # without noise, which comes after them: what is bound to codes stays so
        return self._stage("codes", key, lambda: self._build_codes(state))

    def unedited_scene(self, state: ViewState) -> Scene:
        """The scene without the edit's patches."""
        latents = state.latents

        def build() -> Scene:
            codes = self.codes(state)
            return self.tuned_for(state).scene(codes, noise=latents.noise, noise_seed=latents.noise_seed)

        return self._stage("scene", self._unedited_key(state), build)

    def scene(self, state: ViewState) -> Scene:
        """The scene of a state (stages codes, scene, edited scene)."""
        edit = self.edit(state)
        if edit is None or not edit.patches:
            return self.unedited_scene(state)

        def build() -> Scene:
            scene, codes, latents = self.unedited_scene(state), self.codes(state), state.latents
            return edited_scene(self.tuned_for(state), scene, edit, codes, latents.noise, latents.noise_seed)

        return self._stage("edited scene", self.scene_key(state), build)

    def occupancy(self, state: ViewState, checkpoint: Checkpoint = never) -> OccupancyGrid:
        """Where the state's scene has any density at all (stage occupancy)."""
        edit = self.edit(state)
        scene = self.scene(state) if edit is not None and edit.moves_density else self.unedited_scene(state)

        def build() -> OccupancyGrid:
            return build_occupancy(self.fast.field(scene.field), scene.volume, thin=self._thin, checkpoint=checkpoint)

        return self._stage("occupancy", self._shape_key(state), build)

    def _shape_key(self, state: ViewState) -> Hashable:
        """What the density depends on: an edit of colours alone keeps what is known of empty space."""
        edit = self.edit(state)
        if edit is None:
            return self._unedited_key(state)
        return self.scene_key(state) if edit.moves_density else self._unedited_key(_without_result(state))

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
            live: whether the next frame is on its way: then a pixel is one ray, whatever the scene asks for.
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
        across = 1 if live or scale < 1 else scene.supersampling  # rays along a pixel's side
        grid = self.baked(state)
        if rung == "baked" and grid is None:
            rung = "occupancy"
        if rung == "occupancy":
            self.occupancy(state, checkpoint)
            rung = "exact" if self.is_fog(state) else rung
        camera = state.camera
        usual = self.generator_for(state).camera
        matrices = camera_matrices(camera, usual)
        if camera.cam2world is None:  # a camera given as a matrix means the official picture, limits included
            scene = replace(scene, volume=volume_from(scene.volume, matrices[0], usual))
        quality = None if grid is None or rung != "baked" else grid.resolution
        view = (self.scene_key(state), camera, rung, size, across, scale < 1, state.quality.samples, quality)

        def cast() -> Rendered:
            side = size * across
            cam2world, intrinsics = (torch.from_numpy(m).float() for m in matrices)
            if rung == "baked":
                assert grid is not None
                marched = self.fast.march(grid, scene.volume, cam2world, intrinsics, side)
                return over_background(scene, marched, cam2world, intrinsics)
            factor = state.quality.samples
            if rung == "exact":
                quick = self.fast.exact(scene, cam2world, intrinsics, side, factor, checkpoint)
                if quick is not None:
                    return quick
                return render_exact(
                    scene,
                    cam2world,
                    intrinsics,
                    resolution=side,
                    samples=factor,
                    checkpoint=checkpoint,
                    device=self.device,
                )
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
                quick=scale < 1,
                checkpoint=checkpoint,
            )

        rendered = self._stage("volume image", view, lambda: averaged(cast(), across))
        checkpoint()
        draft = live and rung != "exact"

        def paint() -> Tensor:
            image = self.fast.picture(scene, rendered, moving=draft)
            return (render_image(scene, rendered) if image is None else image).permute(1, 2, 0)

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

    def _build_codes(self, state: ViewState) -> Tensor:
        generator, latents, edit = self.tuned_for(state), state.latents, self.edit(state)
        weights = layer_weights(generator, latents)
        shared = (self._tuning_key(state), latents.truncation, latents.cutoff, latents.conditioning)

        def codes_of(name: str, seed: int) -> Tensor:
            return self._stage(name, (seed, *shared), lambda: seed_codes(generator, latents, seed))

        def codes_a() -> Tensor:
            if latents.identity:
                return identity_codes(self.side_files, latents.identity, generator).to(self.device)
            return codes_of("codes a", latents.seed_a)

        if generator.num_layers == 0:
            return torch.zeros(0, 0, device=self.device)
        if not any(weights):
            codes = codes_a()
        elif all(w == 1 for w in weights):
            codes = codes_of("codes b", latents.seed_b)
        else:
            codes = mix_codes(codes_a(), codes_of("codes b", latents.seed_b), weights)
        codes = directed(codes, generator, state.model, latents, self.side_files)
        return codes if edit is None else edited_codes(edit, codes)

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

    def _describe(self, rung: FrameRung, grid: BakedGrid | BrickGrid | None, size: int, across: int) -> str:
        rays = f"{size}²" if across == 1 else f"{size}² x {across * across}"
        return f"baked {grid.resolution}³ · {rays}" if rung == "baked" and grid is not None else f"{rung} · {rays}"

    def _stage(self, name: str, key: Hashable, compute: Callable[[], T]) -> T:
        kept = self._kept.get(name)
        if kept is not None and kept[0] == key:
            return kept[1]
        inner = sum(self._times.values())
        start = time.perf_counter()
        value = compute()
        # A stage that asked for another one counts only its own time.
        own = 1000 * (time.perf_counter() - start) - (sum(self._times.values()) - inner)
        self._times[name] = self._times.get(name, 0.0) + own
        self._kept[name] = (key, value)
        return value


def _without_result(state: ViewState) -> ViewState:
    return replace(state, edits=replace(state.edits, result=""))
