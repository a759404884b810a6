"""From what was rendered to what is looked at: colour, raw colour, depth, normals or opacity as 8-bit pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.errors import NeuroviewError
from .state import OutputKind

BACKDROP = (0.059, 0.067, 0.082)
"""Colour behind depth and normals where nothing was hit: the window's own."""
FARTHEST = 0.12
"""Where in the colour map the farthest depth starts, so that it still stands out from the backdrop."""


def to_pixels(
    kind: OutputKind,
    *,
    rgb: Tensor,
    raw: Tensor,
    depth: Tensor,
    alpha: Tensor,
    normals: Tensor | None,
    size: int | None,
) -> Tensor:
    """8-bit RGBA `[size, size', 4]` of one output, row 0 on top.

    Args:
        rgb: [H, W, 3] in 0..1 (clipped here).
        raw: [h, w, 3]; depth, alpha: [h, w]; normals: [3, h, w] in 0..1, needed for kind 'normals'.
        size: height of the result in pixels; None: as large as the colour picture. Only the quantised copy is
            resized, the float arrays of a frame stay as they were rendered.
    """
    height = size or rgb.shape[0]
    width = round(height * rgb.shape[1] / rgb.shape[0])
    if kind == "rgb":
        image = rgb
    elif kind == "raw":
        image = raw
    elif kind == "alpha":
        image = alpha[..., None].expand(-1, -1, 3)
    elif kind == "normals":
        assert normals is not None
        image = _over_backdrop(normals.permute(1, 2, 0), alpha)
    else:
        image = _depth_colours(depth, alpha)
    # Bicubic overshoots where a bright silhouette meets the backdrop; pictures gain by it, measurements do not.
    image = resize(image, height, width, "bicubic" if kind in ("rgb", "raw") else "bilinear")
    out = torch.empty(height, width, 4, dtype=torch.uint8, device=image.device)
    out[..., :3] = image.clamp(0, 1).mul(255).add_(0.5).to(torch.uint8)
    out[..., 3] = 255
    return out


def resize(image: Tensor, height: int, width: int, growing: str = "bicubic") -> Tensor:
    """[h, w, C] -> [height, width, C]; averages when it shrinks, so nothing flickers; `growing` when it grows."""
    if image.shape[:2] == (height, width):
        return image
    shrink = height < image.shape[0]
    planes = image.permute(2, 0, 1)[None].float()
    planes = F.interpolate(
        planes, (height, width), mode="bilinear" if shrink else growing, align_corners=False, antialias=shrink
    )
    return planes[0].permute(1, 2, 0)


def _depth_colours(depth: Tensor, alpha: Tensor) -> Tensor:
    """Near is bright: depth scaled between the 1st and 99th percentile of what is opaque, through a colour map."""
    hit = depth[alpha > 0.5]
    if hit.numel() == 0:
        return _over_backdrop(depth.new_zeros(*depth.shape, 3), torch.zeros_like(alpha))
    order = hit.flatten().sort().values
    near, far = order[int(0.01 * (len(order) - 1))], order[int(0.99 * (len(order) - 1))]
    level = 1 - (depth - near) / (far - near).clamp(min=1e-6)
    level = FARTHEST + (1 - FARTHEST) * level.clamp(0, 1)
    colours = colour_map().to(depth.device)[level.mul(255).nan_to_num(0).long()]
    return _over_backdrop(colours, alpha)


def _over_backdrop(image: Tensor, alpha: Tensor) -> Tensor:
    cover = alpha[..., None].clamp(0, 1)
    return image * cover + image.new_tensor(BACKDROP) * (1 - cover)


@lru_cache(maxsize=1)
def colour_map() -> Tensor:
    """[256, 3] perceptually even map (magma), dark to bright, 0..1.

    Raises:
        NeuroviewError: OpenCV does not start here.
    """
    try:
        import cv2  # here, since nothing else needs it and its import asks for system libraries
    except ImportError as error:
        raise NeuroviewError(
            f"The depth view needs OpenCV, which does not start here ({error}). On Debian: apt-get install libgl1 "
            "libglib2.0-0."
        ) from error
    ramp = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_MAGMA)[0]
    return torch.from_numpy(ramp[:, ::-1].astype(np.float32) / 255)
