"""Who renders the rung 'occupancy': compiled loops on CPUs, one launch on NVIDIA GPUs, torch where neither can."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from ...models.base import RadianceField, Scene
from ...models.eg3d import TriPlaneField
from . import triplane_quick
from .image import Rendered
from .kernels.launch import FusedRenderer
from .kernels.triplane import fits
from .occupancy import OccupancyGrid


class FastRenderer(Protocol):
    """Does what torch does, quicker, for the scenes that it knows."""

    def field(self, field: RadianceField) -> RadianceField:
        """The field itself, or one of the same values that is quicker to ask and gives no gradients."""
        ...

    def render(
        self, scene: Scene, grid: OccupancyGrid, cam2world: Any, intrinsics: Any, size: int, fineness: float = 1.0
    ) -> Rendered | None:
        """As `render_occupancy` for a square picture; None where it cannot: then torch renders."""
        ...


class CompiledRenderer:
    """Tri-planes by loops that numba compiles; whatever else there is it leaves to torch."""

    def __init__(self) -> None:
        self._bound: tuple[TriPlaneField, triplane_quick.QuickTriPlane] | None = None

    def field(self, field: RadianceField) -> RadianceField:
        """As `FastRenderer`."""
        if not isinstance(field, TriPlaneField) or field.planes.shape[1] != 2:
            return field
        if field.planes.device.type != "cpu" or not triplane_quick.ready():
            return field
        # Compared by identity: the pipeline keeps a field as long as the identity stands still.
        if self._bound is None or self._bound[0] is not field:
            self._bound = field, triplane_quick.QuickTriPlane(field)
        return self._bound[1]

    def render(
        self, scene: Scene, grid: OccupancyGrid, cam2world: Any, intrinsics: Any, size: int, fineness: float = 1.0
    ) -> Rendered | None:
        """As `FastRenderer`."""
        field = self.field(scene.field) if fits(scene) else None
        if not isinstance(field, triplane_quick.QuickTriPlane):
            return None
        return field.render(scene, grid, cam2world, intrinsics, size, size, fineness=fineness)


def fast_renderer(device: str) -> FastRenderer:
    """What renders fastest on a device."""
    return FusedRenderer(device) if torch.device(device).type == "cuda" else CompiledRenderer()
