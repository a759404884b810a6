"""What lies outside of the unit sphere: NeRF++'s second network on inverted coordinates (Zhang et al. 2020, section 4).

A point at distance 1 / r from the origin is told to the network as its direction and r, so that all of the outside fits
into a bounded box. The samples of a ray have r falling evenly to 0, and the last takes all light that is left.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .stylenerf import FoldedPoints

FROZEN_POLAR = math.pi / 2 + 0.2
"""Angle from the upward axis of the camera that looks at a frozen background, as in the official 'freeze_bg'."""
UP = (0.0, 0.0, 1.0)


class InverseSphereBackground:
    """A `Background`: features behind the foreground, from a perceptron over (direction, inverse distance).

    Args:
        folded: the perceptron.
        start: inverse distance of the first sample.
        samples: a ray.
        softplus: whether the density is softplus(raw - 1), else relu(raw).
        frozen: (radius, fov) of a camera that never moves, or None: the background turns with the camera.
    """

    def __init__(
        self,
        folded: FoldedPoints,
        start: float,
        samples: int,
        *,
        softplus: bool = False,
        frozen: tuple[float, float] | None = None,
    ) -> None:
        self._folded = folded
        self._start, self._samples, self._softplus, self._frozen = start, samples, softplus, frozen

    def __call__(self, cam2world: Tensor, intrinsics: Tensor, pixels: Tensor) -> Tensor:
        """Features [N, 3 + C] at positions in the picture [N, 2]; see `Background`."""
        if self._frozen is not None:
            cam2world, intrinsics = frozen_camera(*self._frozen, roll_of(cam2world), cam2world)
        y = (pixels[:, 1] - intrinsics[1, 2]) / intrinsics[1, 1]
        x = (pixels[:, 0] - intrinsics[0, 2] - intrinsics[0, 1] * y) / intrinsics[0, 0]
        directions = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ cam2world[:3, :3].T
        inverse = torch.linspace(self._start, 0.0, self._samples, dtype=x.dtype, device=x.device)  # [S]
        points = beyond_sphere(cam2world[:3, 3], F.normalize(directions, dim=-1), inverse)  # [N, S, 4]
        hidden = self._folded.hidden(points.flatten(0, 1))
        raw = self._folded.density(hidden).view(points.shape[:2])
        density = F.softplus(raw - 1.0) if self._softplus else F.relu(raw)
        through = torch.exp(-density * (self._start / (self._samples - 1)))  # [N, S] light that passes each sample
        arrives = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1].cumprod(dim=-1)], dim=-1)
        stopped = torch.cat([1.0 - through[:, :-1], torch.ones_like(through[:, :1])], dim=-1)
        weights = (arrives * stopped)[:, None]  # [N, 1, S]
        # The feature layer is linear and the weights sum to 1, so it can follow the sum.
        return self._folded.features((weights @ hidden.view(*points.shape[:2], -1))[:, 0])


def beyond_sphere(origin: Tensor, directions: Tensor, inverse: Tensor) -> Tensor:
    """Where rays are at distance 1 / r from the world's origin, as (unit vector, r).

    With m the ray's point nearest to the origin, |m + s d| = 1 / r gives r (m + s d) = r m + sqrt(1 - r^2 |m|^2) d.

    Args:
        origin: [3].
        directions: [N, 3], of length 1.
        inverse: r [S].

    Returns:
        [N, S, 4]
    """
    nearest = origin - (directions @ origin)[:, None] * directions  # [N, 3]
    along = (1.0 - inverse.square() * nearest.square().sum(dim=-1, keepdim=True)).clamp_min(0.0).sqrt()  # [N, S]
    unit = inverse[:, None] * nearest[:, None] + along[..., None] * directions[:, None]  # [N, S, 3]
    return torch.cat([unit, inverse.expand(len(directions), -1)[..., None]], dim=-1)


def roll_of(cam2world: Tensor) -> Tensor:
    """How far a camera [4, 4] is turned about its own axis from upright, radians."""
    right, forward = cam2world[:3, 0], cam2world[:3, 2]
    upright = torch.linalg.cross(forward, forward.new_tensor(UP))
    return torch.atan2(right @ torch.linalg.cross(forward, upright), right @ upright)


def frozen_camera(radius: float, fov: float, roll: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """cam2world [4, 4] and intrinsics [3, 3] of the camera that looks at a frozen background.

    It stands before the scene, somewhat below; its field of view is the training camera's, whatever the view's is.
    """
    out = like.new_tensor([math.sin(FROZEN_POLAR), 0.0, math.cos(FROZEN_POLAR)])
    right = F.normalize(torch.linalg.cross(-out, like.new_tensor(UP)), dim=0)
    down = torch.linalg.cross(-out, right)
    pose = torch.eye(4, dtype=like.dtype, device=like.device)
    pose[:3, 0] = roll.cos() * right + roll.sin() * down
    pose[:3, 1] = roll.cos() * down - roll.sin() * right
    pose[:3, 2], pose[:3, 3] = -out, radius * out
    focal = 0.5 / math.tan(fov / 2)
    return pose, like.new_tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])
