"""Who renders quicker than torch, where there is someone: compiled loops on CPUs, one launch on NVIDIA GPUs."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from ...models.base import RadianceField, Scene, VolumeSettings
from ...models.eg3d import TriPlaneField
from ...models.hashgrid_field import HashGridField
from ...models.pigan import PiGANField
from . import compiled
from .bake import BakedGrid
from .bricks import BrickGrid
from .cancel import Checkpoint, never
from .draft import SuperResolutions
from .exact import RayValues
from .hashgrid_quick import QuickHashGrid
from .image import Rendered
from .kernels.launch import FusedRenderer
from .march import render_baked
from .occupancy import OccupancyGrid
from .quick_field import QuickField
from .siren_quick import QuickSiren
from .triplane_quick import QuickTriPlane


class FastRenderer(Protocol):
    """Does what torch does, quicker, for the scenes that it knows."""

    def field(self, field: RadianceField) -> RadianceField:
        """The field itself, or one of the same values that is quicker to ask and gives no gradients."""
        ...

    def render(
        self, scene: Scene, grid: OccupancyGrid, cam2world: Any, intrinsics: Any, size: int, fineness: float = 1.0
    ) -> Rendered | None:
        """As `render_occupancy` for a square picture, without the scene's background; None where it cannot: then torch
        renders."""
        ...

    def exact(
        self,
        scene: Scene,
        cam2world: Any,
        intrinsics: Any,
        size: int,
        samples: float = 1.0,
        checkpoint: Checkpoint = never,
    ) -> Rendered | None:
        """As `render_exact` for a square picture, to rounding; None where it cannot: then torch renders."""
        ...

    def rays(
        self,
        scene: Scene,
        rays: tuple[Tensor, Tensor, Tensor, Tensor],
        samples: float = 1.0,
        checkpoint: Checkpoint = never,
    ) -> RayValues | None:
        """As `render_rays` of origins (one camera's), directions, near and far ends, to rounding; None where it
        cannot."""
        ...

    def picture(self, scene: Scene, rendered: Rendered, *, moving: bool) -> Tensor | None:
        """As `render_image`; one that moves may be smaller. None: `render_image` is to make it."""
        ...

    def march(
        self, grid: BakedGrid | BrickGrid, volume: VolumeSettings, cam2world: Any, intrinsics: Any, size: int
    ) -> Rendered:
        """As `render_baked` for a square picture, on the device."""
        ...


_QUICK: dict[type, type[QuickTriPlane | QuickHashGrid | QuickSiren]] = {
    TriPlaneField: QuickTriPlane,
    HashGridField: QuickHashGrid,
    PiGANField: QuickSiren,
}


class CompiledRenderer:
    """Tri-planes, hash grids and SIRENs by loops that numba compiles; whatever else there is it leaves to torch."""

    def __init__(self) -> None:
        self._bound: tuple[RadianceField, QuickField | None] | None = None
        self._super_resolutions = SuperResolutions()

    def field(self, field: RadianceField) -> RadianceField:
        """As `FastRenderer`."""
        return self._quick(field) or field

    def render(
        self, scene: Scene, grid: OccupancyGrid, cam2world: Any, intrinsics: Any, size: int, fineness: float = 1.0
    ) -> Rendered | None:
        """As `FastRenderer`."""
        quick = self._quick(scene.field)
        if quick is None or not quick.fits(scene):
            return None
        return quick.render(scene, grid, cam2world, intrinsics, size, size, fineness=fineness)

    def exact(
        self,
        scene: Scene,
        cam2world: Any,
        intrinsics: Any,
        size: int,
        samples: float = 1.0,
        checkpoint: Checkpoint = never,
    ) -> Rendered | None:
        """As `FastRenderer`."""
        quick = self._quick(scene.field)
        if quick is None or not quick.fits(scene):
            return None
        return quick.render_exact(scene, cam2world, intrinsics, size, size, samples=samples, checkpoint=checkpoint)

    def rays(
        self,
        scene: Scene,
        rays: tuple[Tensor, Tensor, Tensor, Tensor],
        samples: float = 1.0,
        checkpoint: Checkpoint = never,
    ) -> RayValues | None:
        """As `FastRenderer`."""
        quick = self._quick(scene.field)
        return quick.cast(scene, rays, samples, checkpoint) if quick is not None and quick.fits(scene) else None

    def march(
        self, grid: BakedGrid | BrickGrid, volume: VolumeSettings, cam2world: Any, intrinsics: Any, size: int
    ) -> Rendered:
        """As `FastRenderer`."""
        return render_baked(grid, volume, cam2world, intrinsics, size, size)

    def picture(self, scene: Scene, rendered: Rendered, *, moving: bool) -> Tensor | None:
        """As `FastRenderer`; see `draft.py`."""
        return self._super_resolutions.picture(scene, rendered, moving=moving)

    def _quick(self, field: RadianceField) -> QuickField | None:
        """The field bound to its loops; None as long as they are not compiled, and where they do not know it."""
        kind = next((quick for known, quick in _QUICK.items() if isinstance(field, known)), None)
        if kind is None or not compiled.ready(kind.__module__):
            return None
        # Compared by identity: the pipeline keeps a field as long as the identity stands still.
        if self._bound is None or self._bound[0] is not field:
            self._bound = field, kind(field) if kind.knows(field) else None  # pyright: ignore[reportArgumentType]
        return self._bound[1]


class TorchRenderer:
    """Nothing quicker: torch renders everything. What others are measured by."""

    def field(self, field: RadianceField) -> RadianceField:
        """As `FastRenderer`: the field itself."""
        return field

    def render(self, *_: Any, **__: Any) -> None:
        """As `FastRenderer`: cannot."""

    def exact(self, *_: Any, **__: Any) -> None:
        """As `FastRenderer`: cannot."""

    def rays(self, *_: Any, **__: Any) -> None:
        """As `FastRenderer`: cannot."""

    def picture(self, *_: Any, **__: Any) -> None:
        """As `FastRenderer`: cannot."""

    def march(
        self, grid: BakedGrid | BrickGrid, volume: VolumeSettings, cam2world: Any, intrinsics: Any, size: int
    ) -> Rendered:
        """As `FastRenderer`; there is no march in torch."""
        return render_baked(grid, volume, cam2world, intrinsics, size, size)


def fast_renderer(device: str) -> FastRenderer:
    """What renders fastest on a device."""
    return FusedRenderer(device) if torch.device(device).type == "cuda" else CompiledRenderer()
