"""What the student is asked for: the teacher's field at points, and the teacher's picture of a window."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.eg3d import TriPlaneGenerator
from .heads_march import march_window
from .heads_parameters import Head
from .heads_student import query_scaled, upsample_window
from .sphere_trace import Teacher, random_cameras, render_smooth, surface_samples

SURFACE_SHIFT, SURFACE_WIDTH = 0.0035, 0.002
"""y is taught as the logit of 'inside by 3.5 mm', 2 mm wide, so that rays which graze a head draw its outline where the
teacher's pictures have it: a ray that passes within 1.5 mm counts as a hit there."""
WINDOW = 32
"""Side of a training window in raw pixels (of 64)."""
BORDER = 14
"""Pixels of a window's inner edges that super-resolution and refiner cannot know (their receptive fields)."""
UNREFINED = 0.5
"""Weight of the picture before the refiner, which is what moves on the screen, beside 1 of the refined one."""

Logs = dict[str, float]


def field_loss(
    student: TriPlaneGenerator, planes: Tensor, teacher: Teacher, head: Head, rays: int, uniform: int
) -> tuple[Tensor, Tensor, Logs]:
    """Occupancy (binary cross-entropy) and colour (smooth L1 near the surface) at sampled points."""
    points, distance, rgb = surface_samples(teacher, head, rays, uniform)
    y, features = query_scaled(student, planes, points)
    target = torch.sigmoid(((SURFACE_SHIFT - distance) / SURFACE_WIDTH).clamp(-6, 6))
    occupancy = F.binary_cross_entropy_with_logits(y, target)
    n = rgb.shape[1]
    weight = torch.exp(-((distance[:, :n] / 0.010) ** 2))[..., None]
    error = F.smooth_l1_loss(features[:, :n, :3], rgb, beta=0.02, reduction="none")
    colour = (error * weight).sum() / weight.sum() / 3
    floor = -(target * target.log() + (1 - target) * (1 - target).log()).mean()
    return occupancy, colour, {"occupancy": float((occupancy - floor).detach()), "colour": float(colour.detach())}


def image_loss(
    student: TriPlaneGenerator, planes: Tensor, ws: Tensor, teacher: Teacher, head: Head, whole: bool
) -> tuple[Tensor, Logs]:
    """Raw and super-resolved pictures against the teacher's, in a window at any height or over the whole picture.

    Rays are cast as where a picture stands still: as many a pixel as the scene asks for, and four for each of them that
    shows an edge. Only rays that the teacher covers, or nearly, are marched, with 12 samples about its surface.
    """
    b, neural = len(planes), student.config.neural_rendering_resolution
    factor = student.config.image_resolution // neural
    size = neural if whole else WINDOW
    rows = torch.rand(b) * (neural - size)
    if not whole:
        # Rims are the thinnest thing of all, so that windows of a head with glasses stand at them half of the time.
        rims = (head["gl"].view(b) > 0.5) & (torch.rand(b) < 0.5)
        rows = torch.where(rims, torch.randn(b) * 4 + (neural - size) / 2, rows)
    corner = torch.stack([rows, torch.randn(b) * 6 + (neural - size) / 2], 1)
    corner = corner.round().clamp(0, neural - size).long()
    cameras = random_cameras(b)
    rgb, coverage, depth = render_smooth(teacher, head, cameras, neural * factor, corner * factor, size * factor)
    rgb = rgb * 2 - 1
    across = student.config.rendering.supersampling
    feature_image, alpha_error = march_window(
        student, planes, cameras, neural * across, corner * across, size * across, factor // across, coverage, depth
    )
    rays, feature_image = feature_image, F.avg_pool2d(feature_image, across)
    with torch.autocast(ws.device.type, torch.bfloat16):
        upsampled = upsample_window(student, feature_image, ws)
        assert student.refiner is not None
        picture = student.refiner(upsampled, rays)
    raw, raw_target = feature_image[:, :3], F.avg_pool2d(rgb, factor)
    mask = _known(corner, size, neural, factor)
    scale = mask.mean()
    weight = mask * (1 + 3 * _frame(corner, size, neural, factor))
    raw_l1 = F.l1_loss(raw, raw_target)
    loss = raw_l1 + 0.5 * _gradient_l1(raw, raw_target) + 0.3 * alpha_error
    logs = {"raw_l1": float(raw_l1.detach())}
    for name, shown, share in (("sr", upsampled.float(), UNREFINED), ("picture", picture.float(), 1.0)):
        error = (shown - rgb).abs()
        l1, mse = (error * weight).mean() / weight.mean(), (error.square() * mask).mean() / scale
        loss = loss + share * (2 * l1 + 10 * mse + _gradient_l1(shown * mask, rgb * mask) / scale)
        logs |= {f"{name}_l1": float(l1.detach()), f"{name}_mse": float(mse.detach())}
    return loss, logs


def _known(corner: Tensor, size: int, neural: int, factor: int) -> Tensor:
    """1 where a super-resolved window depends on nothing outside it, [B, 1, size * factor, size * factor]."""
    pixels = torch.arange(size * factor)
    keep = []
    for axis in (0, 1):
        low = torch.where(corner[:, axis] > 0, BORDER, 0)[:, None]
        high = size * factor - torch.where(corner[:, axis] + size < neural, BORDER, 0)[:, None]
        keep.append(((pixels >= low) & (pixels < high)).float())
    return (keep[0][:, :, None] * keep[1][:, None, :])[:, None]


def _frame(corner: Tensor, size: int, neural: int, factor: int) -> Tensor:
    """1 on the outermost four pixels, where zero padding darkens the white, 10 in the corners; [B, 1, H, W]."""
    edges = []
    for axis in (0, 1):
        pixels = corner[:, axis : axis + 1] * factor + torch.arange(size * factor)
        edges.append(((pixels < 4) | (pixels >= neural * factor - 4)).float())
    rows, columns = edges[0][:, :, None], edges[1][:, None, :]
    return torch.maximum(rows, columns)[:, None] + 9 * (rows * columns)[:, None]


def _gradient_l1(a: Tensor, b: Tensor) -> Tensor:
    horizontal = F.l1_loss(a[..., :, 1:] - a[..., :, :-1], b[..., :, 1:] - b[..., :, :-1])
    return horizontal + F.l1_loss(a[..., 1:, :] - a[..., :-1, :], b[..., 1:, :] - b[..., :-1, :])
