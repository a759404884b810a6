"""Fields whose answer is known, and a dense march written on its own, against which the fast paths are measured."""

from __future__ import annotations

import math

import torch
from neuroview.engine.rendering.image import Rendered
from neuroview.models.base import Activation, VolumeSettings
from torch import Tensor


class Balls:
    """Soft balls with a colour that varies smoothly: raw density is a signed distance times `sharpness`.

    With `shine` the colour brightens where the view meets the x axis, and so depends on the direction.
    """

    bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __init__(
        self,
        balls: tuple[tuple[float, float, float, float], ...] = ((-0.3, 0.1, 0.0, 0.45), (0.45, -0.2, 0.2, 0.3)),
        *,
        sharpness: float = 200.0,
        channels: int = 3,
        shine: float = 0.0,
        activation: Activation = "softplus_shifted",
    ) -> None:
        self.balls = torch.tensor(balls)
        self.sharpness = sharpness
        self.features = channels
        self.shine = shine
        self.view_dependent = shine > 0
        self.activation = activation
        self.asked = 0
        """Points answered so far."""

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert (directions is not None) == self.view_dependent
        self.asked += len(points)
        inside = (self.balls[:, 3] - (points[:, None] - self.balls[:, :3]).norm(dim=-1)).amax(1)
        raw = 1.0 + self.sharpness * inside
        if self.activation == "exp":
            raw = (raw / 20).clamp(max=6)
        phase = torch.arange(self.features, dtype=points.dtype)
        colour = 0.5 + 0.3 * torch.sin(3.0 * points @ torch.tensor([1.0, 0.7, -0.5])[:, None] + phase)
        if directions is not None:
            colour = colour + self.shine * directions[:, :1]
        return raw, colour


def volume(**changes: object) -> VolumeSettings:
    """EG3D-like settings for a camera at distance 3."""
    settings: dict = {
        "near": 1.6,
        "far": 4.4,
        "coarse": 96,
        "fine": 0,
        "activation": "softplus_shifted",
        "quadrature": "midpoint",
        "sampler": "eg3d",
        "white_background": True,
    }
    return VolumeSettings(**(settings | changes))


def look(yaw: float = 0.3, pitch: float = 0.2, radius: float = 3.0, focal: float = 1.3) -> tuple[Tensor, Tensor]:
    """cam2world [4, 4] of a camera that looks at the origin, and its intrinsics [3, 3]."""
    eye = radius * torch.tensor([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    forward = -eye / eye.norm()
    right = torch.linalg.cross(forward, torch.tensor([0.0, 1.0, 0.0]))
    right = right / right.norm()
    pose = torch.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, torch.linalg.cross(forward, right), forward, eye
    return pose, torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])


def dense(
    field, settings: VolumeSettings, pose: Tensor, lens: Tensor, height: int, width: int, samples=768
) -> Rendered:
    """The integral by brute force: `samples` equal steps from near to far on every ray, nothing skipped.

    Shares no code with the package: pixels, rays and quadrature (middle of each step) are written out again.
    """
    first = 0.5 if settings.pixels == "centre" else 0.0
    rows, columns = torch.meshgrid(torch.arange(height) + first, torch.arange(width) + first, indexing="ij")
    x = (columns / width - lens[0, 2]) / lens[0, 0]
    y = (rows / height - lens[1, 2]) / lens[1, 1]
    d = torch.stack([x, y, torch.ones_like(x)], -1).reshape(-1, 3) @ pose[:3, :3].T
    norm = d.norm(dim=-1, keepdim=True)
    if settings.unit_rays:
        d, norm = d / norm, torch.ones_like(norm)
    near = 0.0 if settings.near is None else settings.near
    far = 8.0 if settings.far is None else settings.far
    dt = (far - near) / samples
    colours, depths, alphas = [], [], []
    for ray, length in zip(d.split(512), norm.split(512), strict=True):
        t = near + (torch.arange(samples) + 0.5) * dt
        points = pose[:3, 3] + t[:, None] * ray[:, None]
        unit = (ray / ray.norm(dim=-1, keepdim=True))[:, None].expand_as(points).reshape(-1, 3)
        raw, colour = field(points.reshape(-1, 3), unit if field.view_dependent else None)
        raw, colour = raw.view(len(ray), samples), colour.view(len(ray), samples, -1)
        outside = ((points < -1) | (points > 1)).any(-1)
        density = {
            "softplus_shifted": lambda r: torch.nn.functional.softplus(r - 1),
            "softplus": torch.nn.functional.softplus,
            "relu": torch.relu,
            "exp": torch.exp,
        }[settings.activation](raw)
        tau = density.masked_fill(outside, 0.0) * dt * length
        through = torch.exp(-(tau.cumsum(1) - tau))
        weights = through * (1 - torch.exp(-tau))
        alpha = weights.sum(1)
        background = (1 - alpha)[:, None] if settings.white_background else 0.0
        colours.append((weights[..., None] * colour).sum(1) + background)
        depths.append((weights * t).sum(1) / alpha.clamp(min=1e-6))
        alphas.append(alpha)
    return Rendered(
        torch.cat(colours).T.reshape(-1, height, width),
        torch.cat(depths).view(height, width),
        torch.cat(alphas).view(height, width),
    )


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio of values in 0..1, dB."""
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))
