"""pi-GAN's discriminator, which grows with its pictures: residual blocks whose convolutions know where they are.

Chan et al. 2021, section 3.3: training begins on small pictures, so that shapes are found while steps are cheap, and
doubles their side twice or so; a new resolution is faded in (Karras et al. 2018). CoordConv (Liu et al. 2018) appends
each pixel's position, because where a mouth sits matters when poses are not told.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2


class PlacedConv(nn.Module):
    """A convolution over features and the two coordinates of each pixel, -1..1."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs + 2, outputs, side, padding=side // 2)
        nn.init.kaiming_normal_(self.conv.weight, SLOPE, nonlinearity="leaky_relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[N, I, H, W] -> [N, O, H, W]."""
        n, _, h, w = x.shape
        down = torch.linspace(-1, 1, h, device=x.device, dtype=x.dtype)[:, None].expand(n, 1, h, w)
        across = torch.linspace(-1, 1, w, device=x.device, dtype=x.dtype).expand(n, 1, h, w)
        return self.conv(torch.cat([x, down, across], 1))


class PlacedBlock(nn.Module):
    """Two such convolutions beside a 1 x 1 shortcut, halved."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = PlacedConv(inputs, outputs, 3), PlacedConv(outputs, outputs, 3)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, I, H, W] -> [N, O, H / 2, W / 2]."""
        y = F.leaky_relu(self.second(F.leaky_relu(self.first(x), SLOPE)), SLOPE)
        return F.avg_pool2d((y + self.shortcut(x)) * math.sqrt(0.5), 2)


class ProgressiveDiscriminator(nn.Module):
    """Scores of pictures of any side from 8 pixels to `resolution`, above 0 for real.

    Args:
        resolution: largest side, a power of two.
        channel_base: min(channel_base / side, channel_max) channels at each side.
        channel_max: see there.
    """

    def __init__(self, resolution: int, channel_base: int = 4096, channel_max: int = 400) -> None:
        super().__init__()
        self.sides = [1 << power for power in range(resolution.bit_length() - 1, 2, -1)]  # R, R / 2, ..., 8
        if resolution < 8 or self.sides[0] != resolution:
            raise ValueError(f"pictures of {resolution} pixels; expected a power of two of at least 8")

        def width(side: int) -> int:
            return min(channel_base // side, channel_max)

        self.from_picture = nn.ModuleList(nn.Conv2d(3, width(side), 1) for side in self.sides)
        self.blocks = nn.ModuleList(PlacedBlock(width(side), width(side // 2)) for side in self.sides)
        self.last = nn.Conv2d(width(4), 1, 4)
        self.faded = 1.0
        """How far the first block of the present size is faded in, 0..1; set before each step."""

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """Pictures [N, 3, R, R] in -1..1 -> scores [N]; cameras are not told.

        Raises:
            ValueError: a side that it was not made for.
        """
        side = pictures.shape[-1]
        if side not in self.sides:
            raise ValueError(f"pictures of {side} pixels; expected one of {self.sides}")
        first = self.sides.index(side)
        x = self.blocks[first](F.leaky_relu(self.from_picture[first](pictures), SLOPE))
        if self.faded < 1 and first + 1 < len(self.sides):
            smaller = F.leaky_relu(self.from_picture[first + 1](F.avg_pool2d(pictures, 2)), SLOPE)
            x = self.faded * x + (1 - self.faded) * smaller
        for block in list(self.blocks)[first + 1 :]:
            x = block(x)
        return self.last(x)[:, 0, 0, 0].float()
