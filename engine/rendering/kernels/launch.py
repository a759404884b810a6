"""Runs kernels on an NVIDIA GPU, and trusts each only after it has agreed with its twin there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....models.base import RadianceField, Scene, VolumeSettings
from ..bake import BakedGrid
from ..bricks import BrickGrid
from ..image import Rendered
from ..march import render_baked
from ..occupancy import OccupancyGrid
from ..occupancy_march import lattice_samples, render_occupancy
from . import baked, hashgrid, triplane
from .program import KernelError, compiled
from .triplane import Runner

AGREEMENT = 40.0
"""dB between a kernel's picture and its twin's, under which the kernel is not used."""
_TRIAL = 32
"""Side of the pictures that are compared."""

_log = logging.getLogger(__name__)

Maker = Callable[[str, dict[str, int]], Runner]
"""From a kernel's file and compile-time sizes to what runs it; raises KernelError."""


class CudaRunner:
    """Launches a kernel on the current stream of the tensors' device; a captured stream records it.

    Args:
        name: the kernel's file.
        sizes: its compile-time sizes.
        device: 'cuda:0'.

    Raises:
        KernelError: it cannot be compiled or loaded.
    """

    def __init__(self, name: str, sizes: dict[str, int], device: str) -> None:
        major, minor = torch.cuda.get_device_capability(device)
        code = compiled(name, sizes, f"sm_{major}{minor}")
        try:
            from cuda.core import Device, LaunchConfig, ObjectCode, Stream, launch

            # torch and cuda.core share the device's primary context.
            Device(torch.device(device).index or 0).set_current()
            self._kernel = ObjectCode.from_cubin(code).get_kernel("render")
        except Exception as error:  # cuda.core raises a different type for each way that this can fail
            raise KernelError(f"{name} cannot be loaded on {device} ({error}); torch renders.") from error
        self._launch, self._config, self._stream = launch, LaunchConfig, Stream.from_handle

    def __call__(self, at: Tensor, *tensors: Tensor) -> None:
        """As `triplane.Runner`; the last tensor is [height, width]."""
        height, width = tensors[-1].shape
        rows, columns = triplane.TILE
        config = self._config(grid=(-(-width // columns), -(-height // rows), 1), block=rows * columns)
        stream = self._stream(torch.cuda.current_stream(at.device).cuda_stream)
        self._launch(stream, config, self._kernel, *(tensor.data_ptr() for tensor in (at, *tensors)))


class FusedRenderer:
    """Renders by kernels what fits, works and agrees with its twin; says once why where it does not.

    Args:
        device: where scenes lie.
        maker: makes what runs a kernel; None: on the GPU.
    """

    def __init__(self, device: str, maker: Maker | None = None) -> None:
        self._device = device
        self._make = maker if maker is not None else lambda name, sizes: CudaRunner(name, sizes, device)
        self._runners: dict[Hashable, Runner | None] = {}
        self._packed: dict[str, tuple[tuple[object, ...], Any]] = {}
        self.trouble = ""
        """Why a kernel was not used, for the person who looks into performance."""

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
        """One view by a kernel, or None where none can be used: then torch renders. Arguments as its twin's."""
        if triplane.fits(scene):
            kernel, pack, draw = triplane.NAME, triplane.pack, triplane.render_triplane
        elif hashgrid.fits(scene):
            kernel, pack, draw = hashgrid.NAME, hashgrid.pack, hashgrid.render_hashgrid
        else:
            return None
        packed: Any = self._kept(kernel, (scene.field, grid), pack)

        def view(run: Runner, side: int, **lattice: Any) -> Rendered:
            return draw(packed, scene.volume, cam2world, intrinsics, side, side, run, **lattice)

        def agreement(run: Runner) -> float:
            # On one lattice: each chooses its own where rays end at the box.
            low, high = (np.asarray(corner) for corner in scene.field.bounds)
            samples = lattice_samples(grid, float(np.linalg.norm(high - low)))
            twin = render_occupancy(scene, grid, cam2world, intrinsics, resolution=_TRIAL, samples=samples)
            return _decibels(view(run, _TRIAL, samples=samples).features, twin.features)

        run = self._trusted(kernel, packed.sizes, agreement)
        return None if run is None else view(run, size, fineness=fineness)

    def exact(self, *_: Any, **__: Any) -> None:
        """None: the official samples are torch's on a GPU."""

    def rays(self, *_: Any, **__: Any) -> None:
        """None, as `exact`."""

    def picture(self, *_: Any, **__: Any) -> None:
        """A moving picture is made as any other."""

    def march(
        self,
        grid: BakedGrid | BrickGrid,
        volume: VolumeSettings,
        cam2world: Tensor | np.ndarray,
        intrinsics: Tensor | np.ndarray,
        size: int,
    ) -> Rendered:
        """As `render_baked` for a square picture, by the kernel; by the CPU where it cannot be used."""
        bricks = grid.bricks if isinstance(grid, BakedGrid) else grid

        def on_cpu(side: int) -> Rendered:
            found = render_baked(bricks, volume, cam2world, intrinsics, side, side)
            return Rendered(*(each.to(self._device) for each in (found.features, found.depth, found.alpha)))

        if not baked.fits(bricks, volume):
            return on_cpu(size)
        packed = self._kept(baked.NAME, (bricks,), lambda found: baked.pack(found, self._device))

        def agreement(run: Runner) -> float:
            own = baked.march_bricks(packed, volume, cam2world, intrinsics, _TRIAL, _TRIAL, run)
            return _decibels(own.features, on_cpu(_TRIAL).features)

        run = self._trusted(baked.NAME, packed.sizes, agreement)
        if run is None:
            return on_cpu(size)
        return baked.march_bricks(packed, volume, cam2world, intrinsics, size, size, run)

    def _kept(self, kernel: str, things: tuple[Any, ...], pack: Callable[..., Any]) -> Any:
        """What `pack` makes of things, until others come. Compared by identity: the pipeline keeps a field, an
        occupancy and a grid as long as the scene stands still."""
        kept = self._packed.get(kernel)
        if kept is None or any(a is not b for a, b in zip(kept[0], things, strict=True)):
            kept = self._packed[kernel] = things, pack(*things)
        return kept[1]

    def _trusted(self, kernel: str, sizes: dict[str, int], agreement: Callable[[Runner], float]) -> Runner | None:
        """What runs the kernel, once it has shown a picture that agrees with its twin's to so many dB."""
        key = (kernel, *sorted(sizes.items()))
        if key not in self._runners:
            run: Runner | None = None
            try:
                run = self._make(kernel, sizes)
                reached = agreement(run)
                if not reached >= AGREEMENT:
                    raise KernelError(f"{kernel} agrees with torch to {reached:.0f} dB only; torch renders.")
            except (KernelError, RuntimeError) as error:
                self.trouble, run = str(error), None
                _log.warning("%s", error)
            self._runners[key] = run
        return self._runners[key]


def _decibels(found: Tensor, expected: Tensor) -> float:
    error = (found - expected).square().mean()
    return float(-10 * torch.log10(error + 1e-12))
