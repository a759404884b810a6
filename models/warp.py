"""Moves the last picture to where its points are now, and says where that can be believed.

An engine's motion is exact, so vid2vid's warp (Wang et al. 2018, equation 4) needs no estimated flow; what remains to
find out is which points the last frame did not show. Bilinear sampling mixes four pixels, so all four must be trusted.
"""

from __future__ import annotations

import functools
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

UNMIXED: Final = 1 / 64
"""Weight, of 1, below which a pixel does not count as mixed in."""
FAR: Final = float(1 << 20)
"""Pixels; a greater motion leaves any picture."""


def warp(image: Tensor, motion: Tensor) -> Tensor:
    """`image` as seen from here: out(p) = image(p + motion(p)), bilinear, its border continued outside.

    Args:
        image: [N, C, H, W].
        motion: [N, H, W, 2], pixels right and down from here to there. NaN counts as 0.

    Returns:
        [N, C, H, W].
    """
    height, width = image.shape[-2:]
    # Positions are pixel indices: -1 and 1 are the centres of the outermost pixels. The default since torch 1.3 puts
    # them half a pixel outside, which blurs every warped frame a little more.
    # Positions are summed when normalised, as the official code does: vid2vid's networks amplify the rounding of the
    # other order tenfold a frame.
    start, half = _normalised(height, width, image.device)
    grid = start + torch.nan_to_num(motion).clamp(-FAR, FAR).float() / half
    return F.grid_sample(image.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)


def validity(
    motion: Tensor,
    key: Tensor,
    previous_key: Tensor,
    expected_depth: Tensor | None = None,
    previous_depth: Tensor | None = None,
) -> Tensor:
    """[1, 1, H, W]: 1 where the previous frame showed the same point and all that `warp` mixes belongs to it.

    Args:
        motion: [H, W, 2] as `warp`; where it is not finite, nothing is valid.
        key: [H, W], integers: which surface a pixel belongs to (see `surface_key`).
        previous_key: the same of the previous frame.
        expected_depth: [H, W], metres, from the previous camera to the point seen here.
        previous_depth: [H, W], metres, of the previous frame. Without both depths, keys alone decide.
    """
    valid = inside(motion) & same_surface(motion, key, previous_key)
    if expected_depth is not None and previous_depth is not None:
        valid &= same_depth(motion, expected_depth, previous_depth)
    return valid.float()[None, None]


def surface_key(labels: Tensor, instances: Tensor) -> Tensor:
    """[H, W] int64: one number for each pair of label and instance."""
    return instances.long() + (labels.long() << 32)


def inside(motion: Tensor) -> Tensor:
    """[H, W] bool: whether the motion [H, W, 2] is finite and ends inside the picture."""
    height, width = motion.shape[:2]
    x, y = (motion + _grid(height, width, motion.device)).unbind(-1)
    # Comparisons with NaN are false, which is what is wanted of a motion that is none.
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)


def same_surface(motion: Tensor, key: Tensor, previous_key: Tensor) -> Tensor:
    """[H, W] bool: whether all four pixels that are mixed carry the key of the pixel here.

    Without it, a silhouette drags a halo of the background with it. A pixel whose weight is next to nothing is not
    asked: else the outlines of everything would be painted anew in each frame of a standing camera.
    """
    height, width = key.shape
    x, y = _there(motion).unbind(-1)
    previous = previous_key.reshape(-1)
    columns = [n.long().clamp(0, width - 1) for n in ((x + UNMIXED).floor(), (x - UNMIXED).ceil())]
    rows = [n.long().clamp(0, height - 1) * width for n in ((y + UNMIXED).floor(), (y - UNMIXED).ceil())]
    agree = torch.ones(key.shape, dtype=torch.bool, device=key.device)
    for row in rows:
        for column in columns:
            agree &= previous[row + column] == key
    return agree


def same_depth(motion: Tensor, expected: Tensor, previous: Tensor) -> Tensor:
    """[H, W] bool: whether the previous frame saw about the depth at which the point here was then.

    A point passes that lies between the nearest and the farthest of nine neighbours, with some slack for slopes, and
    near the one it falls upon.

    Args:
        motion: [H, W, 2] as `warp`.
        expected: [H, W], metres, from the previous camera to the point seen here.
        previous: [H, W], metres, that the previous frame showed.
    """
    height, width = previous.shape
    depth = previous.float()[None, None]
    far = F.max_pool2d(depth, 3, 1, 1).reshape(-1)
    near = -F.max_pool2d(-depth, 3, 1, 1).reshape(-1)
    nearest = _there(motion).round().long()
    index = nearest[..., 1].clamp(0, height - 1) * width + nearest[..., 0].clamp(0, width - 1)
    expected = expected.float()
    slack = expected > near[index] * 0.97 - 0.05
    slack &= expected < far[index] * 1.03 + 0.05
    slack &= (depth.reshape(-1)[index] - expected).abs() < 0.08 * expected + 0.3
    return slack & (expected > 0)


def _there(motion: Tensor) -> Tensor:
    """[H, W, 2]: column and row in the previous frame; kept small enough for integers, far outside or not."""
    height, width = motion.shape[:2]
    return torch.nan_to_num(motion).clamp(-FAR, FAR) + _grid(height, width, motion.device)


@functools.lru_cache(maxsize=8)
def _grid(height: int, width: int, device: torch.device) -> Tensor:
    """[H, W, 2]: column and row of each pixel."""
    with torch.inference_mode(False):  # also used under autograd later, where inference tensors may not be saved
        rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        return torch.stack([x, y], -1).float()


@functools.lru_cache(maxsize=8)
def _normalised(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """[H, W, 2]: column and row of each pixel in -1..1; [H, W, 2]: pixels that make 1."""
    with torch.inference_mode(False):
        across, down = torch.linspace(-1, 1, width, device=device), torch.linspace(-1, 1, height, device=device)
        y, x = torch.meshgrid(down, across, indexing="ij")
        half = torch.tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2], device=device)
        return torch.stack([x, y], -1), half.repeat(height, width, 1)  # repeated, divisions are vectorised
