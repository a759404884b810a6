"""Doubling resolutions with StyleGAN2's [1, 3, 3, 1] low-pass, in plain torch operators."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FILTER_TAPS = (1.0, 3.0, 3.0, 1.0)


def resample_filter() -> Tensor:
    """The separable [1, 3, 3, 1] low-pass as a normalised 4 x 4 kernel, sum 1."""
    # Plain numbers, because torch.outer on the meta device would import torch's compiler (seconds).
    total = sum(FILTER_TAPS)
    return torch.tensor([[a * b / total**2 for b in FILTER_TAPS] for a in FILTER_TAPS])


def upsample2(image: Tensor) -> Tensor:
    """Doubles height and width with the [1, 3, 3, 1] filter and zeros outside: [N, C, H, W] -> [N, C, 2H, 2W].

    Bilinear interpolation by two has exactly these taps (1/4, 3/4); only the border differs, hence one ring of zeros.
    """
    padded = F.pad(image, (1, 1, 1, 1))
    return F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)[:, :, 2:-2, 2:-2]


def transposed_up2(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """A 3 x 3 convolution that doubles the resolution, then low-passes: [N, I, H, W] -> [N, O, 2H, 2W].

    Args:
        x: features [N, I, H, W].
        weight: [O, I, 3, 3], used as a true convolution (flipped), as the official up-sampling layers do.
        kernel: the 4 x 4 low-pass, sum 1.
    """
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, O, 2H + 1, 2W + 1]
    channels = x.shape[1]
    # Zeros between the pixels divide the energy by four; the filter's gain gives it back.
    taps = (kernel * 4.0).to(x.dtype).expand(channels, 1, *kernel.shape)
    return F.conv2d(x, taps, padding=1, groups=channels)
