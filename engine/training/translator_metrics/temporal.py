"""How steady a sequence is: the warping error (Lai et al. 2018, equation 11) under the engine's exact motion."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ....models.warp import warp
from .similarity import MeasureError, Picture


def warping_error(picture: Picture, previous: Picture, motion: Tensor, valid: Tensor) -> float:
    """Mean absolute difference of a picture to the previous one warped onto it, levels of 255; NaN: nothing is valid.

    Lai et al. estimate flow and occlusion and square the difference; here both are the engine's own, so a teacher's
    error is what shading (reflections, moving shadows, sampling) changes by itself.

    Args:
        picture, previous: [H, W, 3].
        motion: [H, W, 2], pixels to where `previous` showed the same point; see `models.warp.warp`.
        valid: [H, W] or [1, 1, H, W], 1 where `previous` showed it; see `models.warp.validity`.

    Raises:
        MeasureError: different sizes.
    """
    height, width = picture.shape[:2]
    valid = valid.reshape(valid.shape[-2:])
    if previous.shape != picture.shape or tuple(motion.shape) != (height, width, 2) or valid.shape != (height, width):
        raise MeasureError(
            f"pictures of {picture.shape} and {previous.shape}, motion {tuple(motion.shape)}, validity "
            f"{tuple(valid.shape)}; expected the same height and width"
        )
    count = float(valid.sum())
    if count == 0:
        return math.nan
    there = torch.from_numpy(np.ascontiguousarray(previous)).permute(2, 0, 1)[None].float()
    here = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
    difference = (warp(there, motion[None].float()) - here).abs() * valid
    return float(difference.sum()) / count / 3
