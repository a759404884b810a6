"""How like another one picture is: PSNR and SSIM of pictures in 0..1, overlap of masks."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1], of any shape; at most 100."""
    return float(-10 * torch.log10((a - b).square().mean() + 1e-10))


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity (Wang et al. 2004, equation 13) of the means over colours of pictures [3, H, W] in [0, 1].

    11 x 11 Gaussian window, sigma 1.5.
    """
    x, y = (p.mean(0).double().cpu().numpy() for p in (a, b))

    def blur(p: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(p, (11, 11), 1.5)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    score = ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    return float(score.mean())


def overlap(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two boolean masks; 0 where both are empty."""
    return float((a & b).sum() / (a | b).sum().clamp(min=1))
