"""Runs the tri-plane kernel on an NVIDIA GPU, and trusts it only after it has agreed with torch there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....models.base import RadianceField, Scene
from ....models.eg3d import TriPlaneField
from ..image import Rendered
from ..occupancy import OccupancyGrid
from ..occupancy_march import render_occupancy
from . import triplane
from .program import KernelError, compiled

AGREEMENT = 40.0
"""dB between the kernel's picture and torch's, under which the kernel is not used."""
_TRIAL = 32
"""Side of the pictures that are compared."""

_log = logging.getLogger(__name__)


class CudaRunner:
    """Launches the kernel on the current stream of the tensors' device; a captured stream records it.

    Args:
        sizes: the kernel's compile-time sizes.
        device: 'cuda:0'.

    Raises:
        KernelError: it cannot be compiled or loaded.
    """

    def __init__(self, sizes: dict[str, int], device: str) -> None:
        major, minor = torch.cuda.get_device_capability(device)
        code = compiled(triplane.NAME, sizes, f"sm_{major}{minor}")
        try:
            from cuda.core import Device, LaunchConfig, ObjectCode, Stream, launch

            # torch and cuda.core share the device's primary context.
            Device(torch.device(device).index or 0).set_current()
            self._kernel = ObjectCode.from_cubin(code).get_kernel("render")
        except Exception as error:  # cuda.core raises a different type for each way that this can fail
            raise KernelError(f"{triplane.NAME} cannot be loaded on {device} ({error}); torch renders.") from error
        self._launch, self._config, self._stream = launch, LaunchConfig, Stream.from_handle

    def __call__(self, at: Tensor, *tensors: Tensor) -> None:
        """As `triplane.Runner`."""
        height, width = tensors[-1].shape
        rows, columns = triplane.TILE
        config = self._config(grid=(-(-width // columns), -(-height // rows), 1), block=rows * columns)
        stream = self._stream(torch.cuda.current_stream(at.device).cuda_stream)
        self._launch(stream, config, self._kernel, *(tensor.data_ptr() for tensor in (at, *tensors)))


class FusedRenderer:
    """Renders scenes by the kernel where it fits, works and agrees with torch; says once why where it does not.

    Args:
        device: where scenes lie.
        runner: makes what runs the kernel for its compile-time sizes; None: on the GPU.
    """

    def __init__(self, device: str, runner: Callable[[dict[str, int]], triplane.Runner] | None = None) -> None:
        self._make = runner if runner is not None else lambda sizes: CudaRunner(sizes, device)
        self._runners: dict[tuple[tuple[str, int], ...], triplane.Runner | None] = {}
        self._packed: tuple[Any, triplane.PackedTriPlane] | None = None
        self.trouble = ""
        """Why the kernel was not used, for the person who looks into performance."""

    def field(self, field: RadianceField) -> RadianceField:
        """The field itself: on a GPU torch asks it quickly enough."""
        return field

    def render(
        self,
        scene: Scene,
        grid: OccupancyGrid,
        cam2world: Tensor | np.ndarray,
        intrinsics: Tensor | np.ndarray,
        size: int,
        fineness: float = 1.0,
    ) -> Rendered | None:
        """One view by the kernel, or None where it cannot be used: then torch renders. Arguments as its twin's."""
        if not triplane.fits(scene):
            return None
        packed = self._pack(scene, grid)
        run = self._runner(packed, scene, grid, cam2world, intrinsics)
        if run is None:
            return None
        return triplane.render_triplane(packed, scene.volume, cam2world, intrinsics, size, size, run, fineness=fineness)

    def _pack(self, scene: Scene, grid: OccupancyGrid) -> triplane.PackedTriPlane:
        field = scene.field
        assert isinstance(field, TriPlaneField)
        # Compared by identity: the pipeline keeps both as long as the identity stands still.
        if self._packed is None or self._packed[0][0] is not field or self._packed[0][1] is not grid:
            self._packed = (field, grid), triplane.pack(field, grid)
        return self._packed[1]

    def _runner(
        self, packed: triplane.PackedTriPlane, scene: Scene, grid: OccupancyGrid, cam2world: Any, intrinsics: Any
    ) -> triplane.Runner | None:
        key = tuple(sorted(packed.sizes.items()))
        if key not in self._runners:
            try:
                run = self._make(packed.sizes)
                kernel = triplane.render_triplane(packed, scene.volume, cam2world, intrinsics, _TRIAL, _TRIAL, run)
                twin = render_occupancy(scene, grid, cam2world, intrinsics, resolution=_TRIAL)
                error = (kernel.features - twin.features).square().mean()
                agreement = float(-10 * torch.log10(error + 1e-12))
                if not agreement >= AGREEMENT:
                    raise KernelError(f"{triplane.NAME} agrees with torch to {agreement:.0f} dB only; torch renders.")
            except (KernelError, RuntimeError) as error:
                self.trouble, run = str(error), None
                _log.warning("%s", error)
            self._runners[key] = run
        return self._runners[key]
