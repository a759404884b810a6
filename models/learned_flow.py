"""Guesses the motion between two frames from their maps and the last picture, for engines that give none.

vid2vid's flow branch (Wang et al. 2018, section 3.2) as a network of its own: it shares nothing with the painter, so
that an engine with exact motion never pays for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .vid2vid import FLOW_SCALE


@dataclass(frozen=True)
class FlowLayout:
    """Sizes of the network."""

    conditions: int
    """Channels of one frame's conditions."""
    width: int = 16
    """Channels at half resolution; twice and four times as many below."""
    residuals: int = 2
    """Blocks at 1/8, where a frame's motion is a few pixels."""


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_0 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_1(F.leaky_relu(self.conv_0(F.leaky_relu(x, 0.2)), 0.2))


class FlowNetwork(nn.Module):
    """Two frames' conditions and the last picture -> motion and how far to trust it.

    Args:
        layout: its sizes.
    """

    def __init__(self, layout: FlowLayout) -> None:
        super().__init__()
        self.layout = layout
        width = layout.width
        self.entry = nn.Conv2d(4 * (2 * layout.conditions + 3), width, 3, padding=1)
        self.down_0 = nn.Conv2d(width, 2 * width, 3, 2, 1)
        self.down_1 = nn.Conv2d(2 * width, 4 * width, 3, 2, 1)
        self.residuals = nn.Sequential(*(_Block(4 * width) for _ in range(layout.residuals)))
        self.up_1 = nn.Conv2d(6 * width, 2 * width, 3, padding=1)
        self.up_0 = nn.Conv2d(3 * width, width, 3, padding=1)
        self.exit = nn.Conv2d(width, 3, 3, padding=1)
        # At first nothing moves and half is trusted: a start from which a warp loss can learn.
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias if self.exit.bias is not None else torch.zeros(1))

    def forward(self, present: Tensor, previous: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Estimates the motion.

        Args:
            present: [N, conditions, H, W] of this frame; H and W multiples of 8.
            previous: the same of the last frame.
            picture: [N, 3, H, W] in -1..1, the last picture.

        Returns:
            [N, H, W, 2], pixels right and down from here to there; [N, 1, H, W] in 0..1, where to believe it.
        """
        kind = self.entry.weight.dtype
        half = self.entry(F.pixel_unshuffle(torch.cat([present, previous, picture.to(present.dtype)], 1).to(kind), 2))
        quarter = self.down_0(F.leaky_relu(half, 0.2))
        x = self.residuals(self.down_1(F.leaky_relu(quarter, 0.2)))
        x = self.up_1(torch.cat([_doubled(F.leaky_relu(x, 0.2)), quarter], 1))
        x = self.up_0(torch.cat([_doubled(F.leaky_relu(x, 0.2)), half], 1))
        x = _doubled(self.exit(F.leaky_relu(x, 0.2)).float())
        return x[:, :2].permute(0, 2, 3, 1) * FLOW_SCALE, torch.sigmoid(x[:, 2:])


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
