"""Corrections to the cameras of training pictures, learned beside the scene (as BARF and nerfstudio do)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PoseOffsets(nn.Module):
    """A small turn and shift for each camera: R' = exp([w]x) R, t' = t + s v (nerfstudio's SO(3) x R^3).

    Args:
        count: cameras.
        scale: s, world units: of the size of the scene, so that turns and shifts learn at one rate.
    """

    def __init__(self, count: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.values = nn.Parameter(torch.zeros(count, 6))

    def forward(self, cam2world: Tensor) -> Tensor:
        """Corrected matrices [N, 4, 4] of all cameras [N, 4, 4]."""
        turned = rotations(self.values[:, :3]) @ cam2world[:, :3, :3]
        moved = cam2world[:, :3, 3] + self.scale * self.values[:, 3:]
        return torch.cat([torch.cat([turned, moved[..., None]], -1), cam2world[:, 3:]], 1)


def rotations(vectors: Tensor) -> Tensor:
    """Axes times angles (radians) [N, 3] -> rotations [N, 3, 3]: Rodrigues' formula, smooth at zero."""
    squared = (vectors * vectors).sum(-1)[:, None, None]
    angle = squared.clamp_min(1e-12).sqrt()
    small = squared < 1e-6
    first = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    second = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / angle**2)
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(-1, 3, 3)
    return torch.eye(3, device=vectors.device) + first * cross + second * (cross @ cross)


def aligned(found: Tensor, true: Tensor) -> Tensor:
    """Cameras [N, 4, 4] moved, turned and scaled together so that their places come nearest to the true ones.

    A scene may do so together with its cameras and no picture tells (Umeyama 1991).
    """
    found, true = found.double(), true.double()
    a, b = found[:, :3, 3], true[:, :3, 3]
    a_mean, b_mean = a.mean(0), b.mean(0)
    u, values, vh = torch.linalg.svd((b - b_mean).T @ (a - a_mean))
    sign = torch.ones(3, dtype=torch.float64)
    sign[2] = torch.sign(torch.linalg.det(u @ vh))
    turn = u @ torch.diag(sign) @ vh
    scale = float((values * sign).sum() / (a - a_mean).square().sum())
    moved = found.clone()
    moved[:, :3, :3] = turn @ found[:, :3, :3]
    moved[:, :3, 3] = scale * (a - a_mean) @ turn.T + b_mean
    return moved


def pose_errors(found: Tensor, true: Tensor) -> tuple[float, float]:
    """Mean turn (radians) and mean distance (world units) between cameras [N, 4, 4] and the true ones, aligned."""
    moved, true = aligned(found, true), true.double()
    relative = moved[:, :3, :3] @ true[:, :3, :3].mT
    # |R - I|_F = 2 sqrt(2) sin(angle / 2), well-conditioned for small angles as the trace is not.
    off = (relative - torch.eye(3, dtype=torch.float64)).flatten(1).norm(dim=-1)
    angles = 2 * (off / math.sqrt(8.0)).clamp(max=1.0).asin()
    return float(angles.mean()), float((moved[:, :3, 3] - true[:, :3, 3]).norm(dim=-1).mean())
