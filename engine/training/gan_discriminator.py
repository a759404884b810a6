"""What judges pictures: StyleGAN2's residual discriminator, told the camera and shown two pictures at once (EG3D).

Dual discrimination (Chan et al. 2022, section 4.3): the super-resolved picture and the raw volume rendering, enlarged
to the same size, stacked to six channels; so that the super-resolution can neither drift from the volume nor invent
detail that depends on the view. Pose conditioning (section 4.4) is Miyato's projection: the score is <f(x), m(c)>.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...models.layers.equalized import FullyConnectedLayer, leaky_relu, normal
from ...models.layers.mapping import normalise_second_moment
from ...models.layers.resampling import resample_filter

GROUP = 4
"""Pictures whose spread the last layer is shown (Karras et al. 2018, section 3): at most this many."""


def dual(picture: Tensor, raw: Tensor) -> Tensor:
    """What the discriminator sees of a fake: picture [N, 3, R, R] over raw rendering [N, 3, r, r], as [N, 6, R, R]."""
    return torch.cat([picture, resized(raw, picture.shape[-1])], 1)


def dual_of_real(picture: Tensor, raw_side: int) -> Tensor:
    """What it sees of a real picture [N, 3, R, R]: itself over itself reduced to `raw_side` and enlarged again."""
    return dual(picture, resized(picture, raw_side))


def resized(picture: Tensor, side: int) -> Tensor:
    """[N, C, H, W] -> [N, C, side, side], bilinear with antialiasing."""
    if picture.shape[-1] == side:
        return picture
    return F.interpolate(picture, size=(side, side), mode="bilinear", align_corners=False, antialias=True)


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of [N, C, H, W] with `sigma` pixels, edges repeated; early training sees only what is coarse."""
    radius = math.floor(3 * sigma)
    if radius < 1:
        return picture
    taps = torch.arange(-radius, radius + 1, device=picture.device, dtype=picture.dtype)
    kernel = torch.exp2(-((taps / sigma) ** 2))
    channels = picture.shape[1]
    kernel = (kernel / kernel.sum()).expand(channels, 1, 1, -1)
    padded = F.pad(picture, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel, groups=channels), kernel.transpose(2, 3), groups=channels)


class EqualizedConv(nn.Module):
    """A convolution with the equalised learning rate, optionally low-passed and halved, and a leaky ReLU."""

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, *, down: bool = False, activated: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs)) if activated else None
        self.gain, self.down = 1 / math.sqrt(inputs * side * side), down
        self.register_buffer("kernel", resample_filter(), persistent=False)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """[N, I, H, W] -> [N, O, H, W], or half of that; `gain` scales the result."""
        weight, side = (self.weight * self.gain).to(x.dtype), self.weight.shape[-1]
        if self.down:
            channels = x.shape[1]
            taps = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
            pad = 2 if side == 3 else 1  # what the 3 x 3 convolution behind it needs, and nothing for 1 x 1
            x = F.conv2d(x, taps, padding=pad, stride=1 if side == 3 else 2, groups=channels)
            x = F.conv2d(x, weight, stride=2 if side == 3 else 1)
        else:
            x = F.conv2d(x, weight, padding=side // 2)
        if self.bias is None:
            return x * gain
        return leaky_relu(x + self.bias.to(x.dtype)[:, None, None], math.sqrt(2) * gain)


class ResidualBlock(nn.Module):
    """One resolution: two convolutions beside a 1 x 1 shortcut, halved (Karras et al. 2020, section 4.1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = EqualizedConv(inputs, inputs, 3)
        self.conv1 = EqualizedConv(inputs, outputs, 3, down=True)
        self.skip = EqualizedConv(inputs, outputs, 1, down=True, activated=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, I, H, W] -> [N, O, H / 2, W / 2]."""
        shortcut = self.skip(x, math.sqrt(0.5))
        return self.conv1(self.conv0(x), math.sqrt(0.5)) + shortcut


class Discriminator(nn.Module):
    """Scores of pictures, above 0 for real.

    Args:
        resolution: side of the pictures, a power of two of at least 8.
        channels: of the pictures; 6 for dual discrimination.
        label_width: numbers of the camera; 0: it is not told.
        channel_base: min(channel_base / resolution, channel_max) channels at each resolution.
        channel_max: see there.

    Raises:
        ValueError: the resolution is no power of two of at least 8.
    """

    def __init__(
        self,
        resolution: int,
        *,
        channels: int = 6,
        label_width: int = 25,
        channel_base: int = 32768,
        channel_max: int = 512,
    ) -> None:
        super().__init__()
        if resolution < 8 or resolution & (resolution - 1):
            raise ValueError(f"pictures of {resolution} pixels; expected a power of two of at least 8")
        self.resolution, self.channels, self.label_width = resolution, channels, label_width
        sides = [1 << power for power in range(resolution.bit_length() - 1, 1, -1)]  # R, R / 2, ..., 4
        widths = [min(channel_base // side, channel_max) for side in sides]
        self.from_picture = EqualizedConv(channels, widths[0], 1)
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in itertools.pairwise(widths))
        last = widths[-1]
        self.conv = EqualizedConv(last + 1, last, 3)
        self.hidden = FullyConnectedLayer(last * 16, last, activation="lrelu")
        self.out = FullyConnectedLayer(last, last if label_width else 1)
        if label_width:
            self.embed = FullyConnectedLayer(label_width, last)
            self.mapping = nn.Sequential(
                FullyConnectedLayer(last, last, activation="lrelu", lr_multiplier=0.01),
                FullyConnectedLayer(last, last, activation="lrelu", lr_multiplier=0.01),
            )

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """Pictures [N, channels, R, R] in -1..1 and cameras [N, label_width] -> scores [N].

        Raises:
            ValueError: pictures of another shape, or no cameras where they are told.
        """
        if pictures.shape[1:] != (self.channels, self.resolution, self.resolution):
            expected = [self.channels, self.resolution, self.resolution]
            raise ValueError(f"pictures have shape {list(pictures.shape)}; expected [N, *{expected}]")
        x = self.from_picture(pictures)
        for block in self.blocks:
            x = block(x)
        x = self.conv(torch.cat([x, spread(x)], 1))
        x = self.out(self.hidden(x.flatten(1))).float()
        if not self.label_width:
            return x[:, 0]
        if labels is None:
            raise ValueError(f"labels are None; this discriminator is told cameras [N, {self.label_width}]")
        told = self.mapping(normalise_second_moment(self.embed(labels)))
        return (x * told.float()).sum(1) / math.sqrt(x.shape[1])


def spread(x: Tensor) -> Tensor:
    """How far pictures of a group differ, one number a group as a map [N, 1, H, W]: tells collapse (minibatch std)."""
    n = len(x)
    group = next(size for size in range(min(GROUP, n), 0, -1) if n % size == 0)
    grouped = x.float().unflatten(0, (group, -1))
    deviation = ((grouped - grouped.mean(0)).square().mean(0) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:]).to(x.dtype)
