"""Pictures and their cameras as tensors, and the rays that pass through their pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import CameraDefaults, Pose
from .nerf_march import Cube

Behind = Literal["transparent", "white", "black", "scene"]


@dataclass(frozen=True)
class Views:
    """N pictures of one size."""

    names: tuple[str, ...]
    pictures: Tensor
    """[N, H, W, 3 or 4] uint8; the fourth is coverage, by which the colours are not multiplied."""
    cam2world: Tensor
    """[N, 4, 4], OpenCV axes."""
    intrinsics: Tensor
    """[N, 3, 3], normalised by the picture's width and height."""
    counted: Tensor | None = None
    """[N, H, W] bool: pixels to learn from; None: all."""
    depth: Tensor | None = None
    """[N, H, W] distance along the ray to what a pixel shows, world units; 0: not known. None: of no pixel."""

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.pictures.shape[1], self.pictures.shape[2]

    def to(self, device: torch.device) -> Views:
        """The same elsewhere."""
        counted, depth = (None if values is None else values.to(device) for values in (self.counted, self.depth))
        moved = (self.pictures.to(device), self.cam2world.to(device), self.intrinsics.to(device))
        return Views(self.names, *moved, counted, depth)

    def chosen(self, indices: Sequence[int]) -> Views:
        """Some of them."""
        index = torch.tensor(indices, dtype=torch.long)
        counted, depth = (None if values is None else values[index] for values in (self.counted, self.depth))
        names = tuple(self.names[i] for i in indices)
        return Views(names, self.pictures[index], self.cam2world[index], self.intrinsics[index], counted, depth)

    def poses(self, cam2world: Tensor | None = None) -> tuple[Pose, ...]:
        """The cameras as places to fly to; `cam2world` [N, 4, 4] in place of their own."""
        matrices = (self.cam2world if cam2world is None else cam2world).tolist()
        rows = zip(self.names, matrices, self.intrinsics.tolist(), strict=True)
        return tuple(Pose(name, tuple(map(tuple, m)), tuple(map(tuple, k))) for name, m, k in rows)

    def colours(self, view: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """RGB [M, 3] and coverage [M] in 0..1 of pixels; coverage is 1 where pictures have none."""
        values = self.pictures[view, row, column].float() / 255
        return values[:, :3], values[:, 3] if values.shape[1] == 4 else torch.ones_like(values[:, 0])

    def rays(self, view: Tensor, row: Tensor, column: Tensor, cam2world: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Origins [M, 3] and unit directions [M, 3] through positions in pictures.

        Args:
            view: [M] which picture.
            row, column: [M] pixels, fractions counted from the upper left corner: the first pixel's middle is 0.5.
            cam2world: [N, 4, 4] in place of the pictures' own.
        """
        matrix = (self.cam2world if cam2world is None else cam2world)[view]
        lens = self.intrinsics[view]
        height, width = self.size
        y = (row / height - lens[:, 1, 2]) / lens[:, 1, 1]
        x = (column / width - lens[:, 0, 2] - lens[:, 0, 1] * y) / lens[:, 0, 0]
        local = torch.stack([x, y, torch.ones_like(x)], -1)
        return matrix[:, :3, 3], F.normalize((matrix[:, :3, :3] * local[:, None]).sum(-1), dim=-1)


@dataclass(frozen=True)
class NerfData:
    """What a NeRF is trained on."""

    name: str
    train: Views
    held_out: Views | None
    cube: Cube
    behind: Behind
    """What pixels show where the scene is not: nothing (they have coverage), one colour, or more of the scene."""

    def to(self, device: torch.device) -> NerfData:
        """The same elsewhere."""
        held_out = None if self.held_out is None else self.held_out.to(device)
        return replace(self, train=self.train.to(device), held_out=held_out)


def cube_of(views: Views, room: float = 1.0) -> Cube:
    """The cube around the point that all cameras look at, as wide as the pictures are there.

    Args:
        room: factor on its side: 1 for an object, several for a place that surrounds the cameras.
    """
    positions, forward = views.cam2world[:, :3, 3].double(), F.normalize(views.cam2world[:, :3, 2].double(), dim=-1)
    # The point with the least sum of squared distances to all optical axes; a little ridge for parallel ones.
    across = torch.eye(3, dtype=torch.float64) - forward[:, :, None] * forward[:, None]  # [N, 3, 3]
    normal = across.sum(0) + 1e-4 * torch.eye(3, dtype=torch.float64) * len(views)
    middle = positions.mean(0)
    centre = torch.linalg.solve(normal, (across @ (positions - middle)[..., None]).sum(0)[:, 0]) + middle
    away = (centre - positions).norm(dim=-1)
    half = 0.5 / views.intrinsics[:, [0, 1], [0, 1]].amin(-1)  # tan of half the wider angle
    side = 2 * 1.04 * room * float((away * half).median().clamp_min(1e-6))
    low = tuple(float(v) - side / 2 for v in centre)
    return Cube((low[0], low[1], low[2]), side)


def camera_of(views: Views, cube: Cube) -> CameraDefaults:
    """First view and its ranges, for a viewer: z or y up, whichever the pictures' own up is nearer to."""
    up = -views.cam2world[:, :3, 1].mean(0)
    axis = "y" if abs(float(up[1])) > abs(float(up[2])) else "z"
    pivot = np.array(cube.low) + cube.side / 2
    away = views.cam2world[:, :3, 3].numpy() - pivot
    radius = float(np.median(np.linalg.norm(away, axis=-1)))
    high = away[:, 1] if axis == "y" else away[:, 2]
    pitches = np.arcsin(np.clip(high / np.maximum(np.linalg.norm(away, axis=-1), 1e-9), -1, 1))
    height = float(views.intrinsics[:, 1, 1].median())
    return CameraDefaults(
        radius=radius,
        fov=2 * math.atan(0.5 / height),
        pivot=(float(pivot[0]), float(pivot[1]), float(pivot[2])),
        up=axis,
        yaw=math.radians(30.0),
        pitch=float(np.clip(np.median(pitches), math.radians(-60), math.radians(28))),
        pitch_range=(max(-1.5, float(pitches.min()) - 0.15), min(1.5, float(pitches.max()) + 0.15)),
        fov_range=(0.1, 1.4),
        radius_range=(0.25 * radius, 2.0 * radius),
    )
