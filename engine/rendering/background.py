"""What lies behind the field, composited the same way by every renderer (NeRF++, eq. 8: the light that is left)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...models.base import Scene
from .image import Rendered
from .rays import picture_positions


def over_background(
    scene: Scene, rendered: Rendered, cam2world: Tensor | np.ndarray, intrinsics: Tensor | np.ndarray
) -> Rendered:
    """`rendered` in front of the scene's background: features + (1 - alpha) background; depth and alpha stay.

    Args:
        scene: its `background` None: `rendered` comes back as it is.
        rendered: the field alone, over black.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
    """
    if scene.background is None:
        return rendered
    channels, height, width = rendered.features.shape
    device = rendered.features.device
    pixels = picture_positions(height, width, scene.volume, device)
    pose = torch.as_tensor(cam2world, dtype=torch.float32, device=device)
    lens = torch.as_tensor(intrinsics, dtype=torch.float32, device=device)
    behind = scene.background(pose, lens, pixels)[:, :channels]  # [h * w, C]
    behind = behind.T.reshape(channels, height, width)
    return replace(rendered, features=rendered.features + (1.0 - rendered.alpha) * behind)
