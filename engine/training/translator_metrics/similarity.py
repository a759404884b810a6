"""How like its teacher one picture is: PSNR, SSIM and sharpness of 8-bit pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....models.errors import NeuroviewError

Picture = NDArray[np.uint8]
"""[H, W, 3], sRGB."""

PERFECT = 99.0
"""PSNR, dB, given to equal pictures, so that means stay finite."""
_WINDOW, _SIGMA = (11, 11), 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class MeasureError(NeuroviewError):
    """What was given cannot be measured; the message says why."""


def luma(picture: Picture) -> NDArray[np.float32]:
    """[H, W], 0..255: Rec. 601 luma, rounded to whole levels, as what is measured everywhere here."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise MeasureError(f"a picture of {picture.shape} {picture.dtype}; expected [H, W, 3] uint8")
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio over all three colours, dB; at most PERFECT.

    Raises:
        MeasureError: different sizes.
    """
    _same_size(a, b)
    error = float(np.square(a.astype(np.float32) - b).mean())
    return PERFECT if error == 0 else min(PERFECT, 10 * float(np.log10(255**2 / error)))


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity (Wang et al. 2004, equation 13) of lumas, mean over the picture, at most 1.

    Gaussian window 11 x 11, sigma 1.5, K1 .01, K2 .03; borders are mirrored, so every pixel counts.

    Raises:
        MeasureError: different sizes.
    """
    _same_size(a, b)
    # Variances are differences of large numbers, which single precision shows in the fifth digit.
    x, y = luma(a).astype(np.float64), luma(b).astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    score = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    score /= (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    return float(score.mean())


def sharpness(picture: Picture) -> float:
    """Mean absolute Laplacian (4 neighbours) of the luma, levels. Its ratio to the teacher's is what tells: below 1 is
    blurred, above 1 is grainy."""
    return float(np.abs(cv2.Laplacian(luma(picture), cv2.CV_32F)).mean())


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(image, _WINDOW, _SIGMA), np.float64)


def _same_size(a: Picture, b: Picture) -> None:
    if a.shape != b.shape:
        raise MeasureError(f"pictures of {a.shape} and {b.shape}; expected the same size")
