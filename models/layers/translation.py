"""Layers that pix2pixHD and vid2vid share: reflection-padded convolutions, residual blocks, norms of one frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FrameNorm(nn.Module):
    """Normalises each channel by its mean and variance over the very frame that is painted.

    This is what the official programs compute with BatchNorm as with InstanceNorm: their tests never call `eval()`, so
    the running averages in the files are never read, and a batch is one frame. To use them shifts a picture by up to .9
    of 2.

    Args:
        channels: of the input.
        affine: whether a learned scale and shift follow (files made with BatchNorm).
    """

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=1e-5)


class ResnetBlock(nn.Module):
    """x + conv(relu(conv(x))), normalised after each convolution."""

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            FrameNorm(channels, affine),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            FrameNorm(channels, affine),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


def entry(inputs: int, channels: int, affine: bool) -> list[nn.Module]:
    """Full resolution: [N, inputs, H, W] -> [N, channels, H, W]; four layers."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(inputs, channels, 7), FrameNorm(channels, affine), nn.ReLU()]


def down(channels: int, times: int, affine: bool) -> list[nn.Module]:
    """Halves the sides and doubles the channels, `times` over; three layers each."""
    layers: list[nn.Module] = []
    for step in range(times):
        wide = channels << step
        layers += [nn.Conv2d(wide, 2 * wide, 3, 2, 1), FrameNorm(2 * wide, affine), nn.ReLU()]
    return layers


def up(channels: int, times: int, affine: bool) -> list[nn.Module]:
    """Undoes `down`: ends with `channels`; three layers each."""
    layers: list[nn.Module] = []
    for step in reversed(range(times)):
        narrow = channels << step
        layers += [nn.ConvTranspose2d(2 * narrow, narrow, 3, 2, 1, 1), FrameNorm(narrow, affine), nn.ReLU()]
    return layers


def blocks(channels: int, count: int, affine: bool) -> list[nn.Module]:
    """`count` residual blocks."""
    return [ResnetBlock(channels, affine) for _ in range(count)]


def exit_to(channels: int, outputs: int, *activation: nn.Module) -> list[nn.Module]:
    """Full resolution: [N, channels, H, W] -> [N, outputs, H, W]."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(channels, outputs, 7), *activation]


def halve(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, ceil(H/2), ceil(W/2)]; one-hot maps are averaged by this too, as officially."""
    return F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
