"""Where pictures are taken from: cameras drawn from the data's own, or from a prior where the data has none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...models.base import CameraDefaults
from .camera_labels import joined_label, lens_of, split_label
from .image_folder import DataError
from .sphere_trace import look_at_origin

Spread = Literal["gaussian", "uniform", "sphere"]


@dataclass(frozen=True)
class PosePrior:
    """Cameras on a sphere about the origin that look at it, for pictures without cameras (pi-GAN, section 4)."""

    radius: float = 2.7
    focal: float = 4.2647
    """In picture sides."""
    yaw: float = 0.3
    """Standard deviation (gaussian) or half range (uniform), radians; 'sphere' takes all."""
    pitch: float = 0.15
    """Likewise; 'sphere' takes all above the ground."""
    spread: Spread = "gaussian"

    def draw(self, count: int) -> Tensor:
        """Labels [count, 25] from torch's generator."""
        if self.spread == "gaussian":
            yaw, pitch = torch.randn(2, count) * torch.tensor([[self.yaw], [self.pitch]])
        elif self.spread == "uniform":
            yaw, pitch = (2 * torch.rand(2, count) - 1) * torch.tensor([[self.yaw], [self.pitch]])
        else:
            yaw, pitch = (2 * torch.rand(count) - 1) * math.pi, torch.asin(torch.rand(count))
        cameras = look_at_origin(yaw, pitch.clamp(-1.5, 1.5), self.radius)
        return joined_label(cameras, lens_of(self.focal))


def drawn_labels(labels: Tensor, count: int) -> Tensor:
    """`count` of the data's own cameras [N, 25], from torch's generator."""
    return labels[torch.randint(len(labels), (count,))]


def camera_of(labels: Tensor) -> CameraDefaults:
    """The camera that stands for a set of them [N, 25]: what they look at, from how far, through which lens.

    Raises:
        DataError: they look at a point far from the origin, about which generators draw.
    """
    cam2world, lens = split_label(labels.double())
    position, forward = cam2world[:, :3, 3], cam2world[:, :3, 2]
    # The point nearest to all optical axes: sum (I - f f^T) (x - p) = 0, held at the origin where they are parallel.
    across = torch.eye(3, dtype=torch.float64) - forward[:, :, None] * forward[:, None, :]
    pull = 1e-4 * torch.eye(3, dtype=torch.float64)
    pivot = torch.linalg.solve(across.mean(0) + pull, (across @ position[:, :, None])[..., 0].mean(0))
    away = position - pivot
    radius = float(away.norm(dim=1).median())
    if float(pivot.norm()) > 0.5 * radius:
        where = ", ".join(f"{v:.3g}" for v in pivot)
        raise DataError(
            f"The cameras look at ({where}) from a distance of {radius:.3g}; expected them to look near the origin, "
            "where the scene is drawn. Move the cameras so that the object is there."
        )
    yaw, pitch = torch.atan2(away[:, 0], away[:, 2]), torch.asin((away[:, 1] / away.norm(dim=1)).clamp(-1, 1))
    around = float(yaw.abs().quantile(0.98)) > 0.6 * math.pi
    side = math.pi if around else max(1.2 * float(yaw.abs().quantile(0.98)), 0.1)
    low, high = (float(pitch.quantile(q)) for q in (0.02, 0.98))
    return CameraDefaults(
        radius=radius,
        fov=2 * math.atan(0.5 / float(lens[:, 1, 1].median())),
        pivot=(float(pivot[0]), float(pivot[1]), float(pivot[2])),
        pitch=float(pitch.median()),
        yaw_range=(-side, side),
        pitch_range=(max(low - 0.1, -1.5), min(high + 0.1, 1.5)),
        fov_range=(math.radians(3.0), math.radians(70.0)),
        radius_range=(0.5 * radius, 2.5 * radius),
    )
