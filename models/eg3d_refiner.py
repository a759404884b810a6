"""A step after super-resolution, not among the official ones: the picture is made to agree with each of its rays.

Where a picture stands still, a pixel of the volume image is the mean of several rays. Super-resolution sees the mean
alone and has to guess where in the pixel an outline runs, though the rays know it. A step of iterative back-projection
(Irani and Peleg 1991) adds to the picture what the rays show and the picture, reduced to their grid, does not. Rays
alone are jagged, so convolutions that see both correct it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
"""Of the leaky rectifier, as in the other networks."""
GAIN = 0.7
"""Share of the difference that is added before anything is learned."""


class RayRefiner(nn.Module):
    """picture + gain up(rays - down(picture)) + shuffle(conv(conv(conv(rays, unshuffle(picture))))).

    `down` is the mean over a ray's pixels, `up` bilinear, and `shuffle` puts channels on a ray's grid in its pixels.

    Args:
        features: of a ray, the first three of which are its colour.
        hidden: channels between the convolutions.
        factor: pixels of the picture along a ray's side.
    """

    def __init__(self, features: int, hidden: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        pixels = 3 * factor * factor
        self.gain = nn.Parameter(torch.tensor(GAIN))
        self.conv0 = nn.Conv2d(features + pixels, hidden, 3, padding=1)
        self.conv1 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden, pixels, 3, padding=1)

    def forward(self, picture: Tensor, rays: Tensor) -> Tensor:
        """Refines pictures [N, 3, R, R] by what their rays gathered [N, F, R / factor, R / factor]; both in [-1, 1]."""
        unseen = rays[:, :3] - F.avg_pool2d(picture, self.factor)
        x = torch.cat([rays, F.pixel_unshuffle(picture, self.factor)], 1)
        x = F.leaky_relu(self.conv0(x), SLOPE)
        x = F.leaky_relu(self.conv1(x), SLOPE)
        known = F.interpolate(unseen, scale_factor=self.factor, mode="bilinear")
        return picture + self.gain * known + F.pixel_shuffle(self.conv2(x), self.factor)
