"""What the student is asked for: the teacher's field at points, and the teacher's picture of a window."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.eg3d import TriPlaneGenerator
from .heads_parameters import Head
from .heads_student import DENSITY_GAIN, query_scaled, upsample_window
from .sphere_trace import Teacher, random_cameras, render_smooth, surface_samples, window_rays

SURFACE_SHIFT, SURFACE_WIDTH = 0.0035, 0.002
"""y is taught as the logit of 'inside by 3.5 mm', 2 mm wide, so that rays which graze a head draw its outline where the
teacher's pictures have it: a ray that passes within 1.5 mm counts as a hit there."""
WINDOW = 32
"""Side of a training window in raw pixels (of 64)."""
SAMPLES = 12
"""Samples of a ray about the teacher's surface."""
MARGIN = 2
"""Rays beyond a silhouette that are marched too: nobody else would notice a haze there."""
NOTHING = -9.0
"""Where there is no depth; less than any, and than any negative one."""
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


def march(y: Tensor, features: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """EG3D's marcher (midpoint density and colour) on white.

    Args:
        y: [..., S], density is softplus(100 y).
        features: [..., S, F].
        t: [..., S] increasing distances.

    Returns:
        Features [..., F] in [0, 1] and accumulated weight [...].
    """
    delta = t[..., 1:] - t[..., :-1]
    density = F.softplus(DENSITY_GAIN * (y[..., 1:] + y[..., :-1]) / 2)
    alpha = 1 - torch.exp(-density * delta)
    passed = torch.cat([torch.ones_like(alpha[..., :1]), 1 - alpha + 1e-10], -1)
    weights = alpha * torch.cumprod(passed, -1)[..., :-1]
    middle = (features[..., 1:, :] + features[..., :-1, :]) / 2
    total = weights.sum(-1)
    return (weights[..., None] * middle).sum(-2) + 1 - total[..., None], total


def image_loss(
    student: TriPlaneGenerator, planes: Tensor, ws: Tensor, teacher: Teacher, head: Head, whole: bool
) -> tuple[Tensor, Logs]:
    """Raw and super-resolved pictures against the teacher's, in a window at any height or over the whole picture.

    As many rays a pixel are cast as the scene asks for where a picture stands still. Only rays that the teacher covers,
    or nearly, are marched, with 12 samples about its surface.
    """
    b, neural = len(planes), student.config.neural_rendering_resolution
    factor = student.config.image_resolution // neural
    size = neural if whole else WINDOW
    corner = torch.stack([torch.rand(b) * (neural - size), torch.randn(b) * 6 + (neural - size) / 2], 1)
    corner = corner.round().clamp(0, neural - size).long()
    cameras = random_cameras(b)
    rgb, coverage, depth = render_smooth(teacher, head, cameras, neural * factor, corner * factor, size * factor)
    rgb = rgb * 2 - 1
    across = student.config.rendering.supersampling
    feature_image, alpha_error = _march_window(
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


def _march_window(
    student: TriPlaneGenerator,
    planes: Tensor,
    cameras: Tensor,
    resolution: int,
    corner: Tensor,
    size: int,
    factor: int,
    coverage: Tensor,
    depth: Tensor,
) -> tuple[Tensor, Tensor]:
    """A window of a picture of `resolution` rays, where coverage and depth have `factor` as many on a side."""
    b = len(planes)
    hit = coverage > 0
    far = _about(torch.where(hit, depth, NOTHING), factor)
    near = -_about(torch.where(hit, -depth, NOTHING), factor)
    covered = far > NOTHING
    n = max(int(covered.sum(1).max()), 1)
    index = covered.float().topk(n, 1).indices
    take = index[..., None].expand(-1, -1, 3)
    origins, directions = window_rays(cameras, resolution, corner, size)
    origins, directions = origins.gather(1, take), directions.gather(1, take)
    valid = covered.gather(1, index)
    start = torch.where(valid, near.gather(1, index) - 0.024, 2.5)
    end = torch.where(valid, far.gather(1, index) + 0.030, 3.0)
    step = ((end - start) / (SAMPLES - 1)).clamp(min=0.0050)[..., None]
    t = start[..., None] + step * (torch.arange(SAMPLES) + torch.rand(b, n, 1) - 0.5)
    points = (origins[:, :, None] + t[..., None] * directions[:, :, None]).reshape(b, -1, 3)
    y, features = query_scaled(student, planes, points)
    features, total = march(y.view(b, n, SAMPLES), features.view(b, n, SAMPLES, -1), t)
    channels = features.shape[-1]
    white = torch.ones(b, size * size, channels)
    image = white.scatter(1, index[..., None].expand(-1, -1, channels), features)
    image = image.permute(0, 2, 1).reshape(b, channels, size, size) * 2 - 1
    target = F.avg_pool2d(coverage[:, None], factor).view(b, -1).gather(1, index)
    return image, F.mse_loss(total, target)


def _about(picture: Tensor, factor: int) -> Tensor:
    """The greatest value [B, N] under each ray, of a picture [B, H, W] with `factor` pixels on a ray's side; where all
    are `NOTHING`, the greatest within `MARGIN` rays of it."""
    under = F.max_pool2d(picture[:, None], factor)
    beside = F.max_pool2d(under, 2 * MARGIN + 1, 1, MARGIN)
    return torch.where(under > NOTHING, under, beside).flatten(1)


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
