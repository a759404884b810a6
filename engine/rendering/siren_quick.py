"""A pi-GAN on CPUs, compiled: the numbers of `PiGANField` and `render_exact`, many times faster, with or without a grid
of what is occupied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.base import RadianceField, Scene, VolumeSettings
from ...models.pigan import LOCKED_DIRECTION, PiGANField, PiGANLayout, PiGANNetwork
from .cancel import Checkpoint, never
from .image import Rendered
from .numba_setup import kernel_threads
from .occupancy import OccupancyGrid
from .occupancy_march import OPAQUE
from .quick_field import Gathered, QuickField
from .ray_bundle import RayBundle
from .rays import Bounds, box_limits
from .siren_lanes import OUTPUTS, WAVES, packed
from .siren_loops import EMPTY, cast, evaluate

PER_CELL = 3.0
"""Samples on an occupied cell's shortest edge, as in `render_occupancy`, but on every ray as dense: that gives the
longest rays as many as there, and all of them together half. The shipped cars stand 45 to 51 dB from their exact
pictures; with half of these 34 to 43."""
CLEAR = 1e-6
"""Transmittance under which an exact ray is not followed further, and weight under which its colours are not asked."""

_EVERYWHERE: Bounds = ((-1e30, -1e30, -1e30), (1e30, 1e30, 1e30))


class QuickSiren(QuickField):
    """A pi-GAN's field.

    Args:
        field: one that it `knows`.
    """

    features = 3

    def __init__(self, field: PiGANField) -> None:
        self.field, self.bounds, self.view_dependent = field, field.bounds, field.view_dependent
        self._network = _folded(field)

    @staticmethod
    def knows(field: PiGANField) -> bool:
        """Whether it lies on the CPU."""
        return field.device.type == "cpu"

    @property
    def preview(self) -> RadianceField:
        """What is baked in the field's place."""
        return self.field.preview

    def fits(self, scene: Scene) -> bool:
        """See `QuickField`: as pi-GAN does, one network for both passes."""
        volume = scene.volume
        return (
            scene.proposal is None
            and volume.activation == "relu"
            and volume.quadrature == "left"
            and volume.sampler == "pigan"
            and not volume.disparity
        )

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3].

        Raises:
            ValueError: no directions, where the colour depends on them.
        """
        if directions is None and self.view_dependent:
            raise ValueError("directions are None, but this field's colour depends on them: pass unit vectors [N, 3]")
        return self._evaluate(points, directions if self.view_dependent else None, len(points))

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""
        return self._evaluate(points, None, 0)[0]

    def _evaluate(self, points: Tensor, directions: Tensor | None, colours: int) -> tuple[Tensor, Tensor]:
        raw, rgb = np.empty(len(points), np.float32), np.empty((colours, 3), np.float32)
        along = np.empty((0, 3), np.float32) if directions is None else _plain(directions)
        with kernel_threads():
            evaluate(*self._network, _plain(points), along, raw, rgb)
        density = torch.from_numpy(raw)
        if self.field.closed:
            low, high = (points.new_tensor(corner) for corner in self.bounds)
            density[~((points >= low) & (points <= high)).all(-1)] = float(EMPTY)
        return density, torch.from_numpy(rgb)

    def render(
        self,
        scene: Scene,
        grid: OccupancyGrid,
        cam2world: Any,
        intrinsics: Any,
        height: int,
        width: int,
        *,
        samples: int | None = None,
        fineness: float = 1.0,
        threads: int | None = None,
    ) -> Rendered:
        """See `QuickField`; without `samples`, `PER_CELL` on the grid's smallest edge, on each ray its own number."""
        volume = replace(scene.volume, fine=0)
        rays = RayBundle.of_picture(scene, volume, cam2world, intrinsics, height, width)
        stretch = (rays.far - rays.near) * np.linalg.norm(rays.directions, axis=1)
        cells = stretch / min(grid.cell)
        counts = np.full(len(cells), samples) if samples else 1 + np.ceil(PER_CELL * fineness * cells).astype(np.int64)
        gathered = self._cast(volume, rays, grid, np.maximum(counts, 2), 1.0 - OPAQUE, never, threads)
        return rays.picture(replace(scene, background=None), volume, *gathered)

    def _gather(self, volume: VolumeSettings, rays: RayBundle, checkpoint: Checkpoint, threads: int | None) -> Gathered:
        counts = np.full(len(rays.directions), volume.coarse)
        return self._cast(volume, rays, None, counts, CLEAR, checkpoint, threads)

    def _cast(
        self,
        volume: VolumeSettings,
        rays: RayBundle,
        grid: OccupancyGrid | None,
        counts: np.ndarray,
        clear: float,
        checkpoint: Checkpoint,
        threads: int | None,
    ) -> Gathered:
        """What rays gather with counts [N] evenly spaced samples each, and those that
        `volume` puts between them."""
        background, count = np.float32(volume.white_background), len(rays.directions)
        features = np.full((3, count), background)
        depth, alpha = np.full(count, np.float32(-1)), np.zeros(count, np.float32)
        wanted = self._worth_casting(rays, volume, grid)
        for begin, end in rays.chunks(volume, checkpoint, len(wanted)):
            with kernel_threads(threads):
                cast(
                    *self._network,
                    self._where(grid),
                    rays.origin,
                    rays.directions,
                    np.linalg.norm(rays.directions, axis=1),
                    rays.near,
                    rays.far,
                    counts,
                    volume.fine,
                    np.float32(volume.last_interval),
                    volume.opaque_end,
                    np.float32(clear),
                    np.float32(CLEAR),
                    background,
                    wanted,
                    begin,
                    end,
                    features,
                    depth,
                    alpha,
                )
        return features, depth, alpha

    def _worth_casting(self, rays: RayBundle, volume: VolumeSettings, grid: OccupancyGrid | None) -> np.ndarray:
        """Which rays can meet anything [M]: those through the box that holds all there is, where there is one."""
        box = self.bounds if self.field.closed else None
        if grid is not None:
            box = grid.tight
        if box is None or volume.opaque_end:
            return np.arange(len(rays.directions))
        directions = torch.from_numpy(rays.directions)
        hit = box_limits(torch.from_numpy(rays.origin).expand_as(directions), directions, box)[2]
        return hit.nonzero()[:, 0].numpy()

    def _where(self, grid: OccupancyGrid | None) -> tuple[np.ndarray, ...]:
        """Where there may be something, as the loops read it."""
        box = self.bounds if self.field.closed else _EVERYWHERE
        cells, shape = np.zeros(0, np.bool_), np.ones(3, np.int64)
        if grid is not None:
            box, cells, shape = grid.bounds, grid.occupied.reshape(-1).numpy(), np.array(grid.occupied.shape)
        low, high = (np.asarray(corner, np.float32) for corner in box)
        return np.concatenate([low, high]), cells, shape, shape.astype(np.float32) / (high - low)


def warm_up() -> None:
    """Compiles the loops, or loads them from the cache."""
    layout = PiGANLayout(width=8, depth=2, z_dim=2, mapping_width=2)
    box: Bounds = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    field = PiGANField(PiGANNetwork(layout).requires_grad_(False), torch.zeros(layout.layers, 16), box)
    volume = VolumeSettings(None, None, 8, 4, "relu", "left", "pigan")
    cells = torch.ones(2, 2, 2, dtype=torch.bool)
    scene = Scene(field, volume, 4, 4)
    compiled = QuickSiren(field)
    compiled(torch.zeros(1, 3), torch.zeros(1, 3))
    compiled.render(scene, OccupancyGrid(box, cells, cells, box), np.eye(4), np.eye(3), 4, 4, threads=1)
    compiled.render_exact(scene, np.eye(4), np.eye(3), 4, 4, threads=1)


_Part = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@torch.no_grad()
def _folded(field: PiGANField) -> tuple[_Part, _Part]:
    """The network under the field's codes, as `siren_loops.evaluate` has it.

    A layer sin(gamma (W x + b) + beta) has its waves in its weights, and counts half turns: sin(pi (W' x + b')). Widths
    are padded to a multiple of `WAVES` by waves that are 0 everywhere.
    """
    network = field.network
    films, gamma, beta = network.films, *(part.double() for part in network.waves(field.codes))
    layers = [
        (g[:, None] * film.layer.weight.double() / torch.pi, (g * film.layer.bias.double() + b) / torch.pi)
        for film, g, b in zip(films, gamma, beta, strict=True)
    ]
    depth, width = network.layout.depth, network.layout.width
    layers[0] = layers[0][0] * network.layout.scale, layers[0][1]
    weight, bias = layers[depth]
    along, hidden = weight[:, :3], weight[:, 3:]
    if field.locked:
        bias = bias + along @ weight.new_tensor(LOCKED_DIRECTION)
        along = torch.zeros_like(along)
    whole = -(-width // WAVES) * WAVES
    # Directions stand behind the trunk's outputs, padding included.
    hidden = torch.nn.functional.pad(hidden, (0, whole - width))
    layers[depth] = torch.cat([hidden, along], 1), bias
    plain = [(weight.numpy(), bias.numpy()) for weight, bias in layers]
    density, colour = (
        (head.weight.double().numpy(), head.bias.double().numpy())
        for head in (network.final_layer, network.colour_head)
    )
    return _part(plain[:depth], density, whole), _part(plain[depth:], colour, whole)


def _part(layers: Sequence[tuple[np.ndarray, np.ndarray]], head: tuple[np.ndarray, np.ndarray], width: int) -> _Part:
    """Trunk or colour: first layer, the others one behind the other, outputs; each weights and biases."""
    groups, (first, *others) = width // WAVES, layers
    weights = np.zeros((len(others), groups, width, WAVES), np.float32)
    biases = np.zeros((len(others), width), np.float32)
    for n, (weight, bias) in enumerate(others):
        weights[n, :, : weight.shape[1]] = packed(weight, WAVES)
        biases[n, : len(bias)] = bias
    said = np.zeros((1, width, OUTPUTS), np.float32)
    said[:, : head[0].shape[1]] = packed(head[0], OUTPUTS)
    return packed(first[0], WAVES), _padded(first[1], width), weights, biases, said, _padded(head[1], OUTPUTS)


def _padded(bias: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(bias, (0, rows - len(bias))).astype(np.float32)


def _plain(rows: Tensor) -> np.ndarray:
    return rows.detach().float().contiguous().numpy()
