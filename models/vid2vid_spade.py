"""The painter of the town: SPADE whose conditions include the warped last frame, blended as vid2vid blends.

Two ideas combined. From SPADE (Park et al. 2019): every layer is scaled and shifted by what the maps say at each pixel.
From vid2vid (Wang et al. 2018): the last picture, warped to where its points are now, is both a condition and, where it
can be believed, part of the answer (equation 4). The warp is the engine's exact motion, or `learned_flow.py`'s guess.

It is made for CPUs: all but the last layers work at half resolution or less, on conditions folded 2 x 2 into channels;
modulations are 1 x 1 and read one shared pyramid; and the norm looks at one pixel, so no frame-wide statistics flicker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 4
"""Resolutions of the trunk: 1/2, 1/4, 1/8 and 1/16."""
MULTIPLE = 1 << LEVELS


@dataclass(frozen=True)
class PainterLayout:
    """Sizes of the network."""

    conditions: int
    """Channels of the conditions at full resolution."""
    width: int = 16
    """The trunk has 2, 4, 6 and 8 times as many channels, fine to coarse. 16 to 24 for CPUs, 32 to 48 for GPUs."""
    maps: int = 32
    """Channels of the conditions' pyramid."""
    past: int = 16
    """Channels of the warped picture's pyramid."""
    refine: int = 0
    """Channels that a last layer at full resolution reads beside the picture; 0: there is none. It takes away the faint
    2 x 2 grid that folding leaves."""
    detail: int = 0
    """Hidden channels of that last layer when it also reads each pixel's own conditions and past, as a shader would:
    windows' edges and markings are finer than half the resolution. 0: it does not. Asks for `refine`."""
    trust: float = 1.0
    """Greatest part of a pixel that the past may be, 0..1. Below 1, what was painted wrong once fades for certain."""


class Blend(NamedTuple):
    """One frame, and what it was mixed of."""

    picture: Tensor
    """[N, 3, H, W], about -1..1: raw + mask (warped - raw)."""
    raw: Tensor
    """[N, 3, H, W] in -1..1."""
    mask: Tensor
    """[N, 1, H, W] in 0..1: the warped picture's part; 0 where it is not valid."""


class Modulation(nn.Module):
    """SPADE with a norm of each pixel's own channels: x / |x| (1 + gamma) + beta."""

    def __init__(self, channels: int, conditions: int) -> None:
        super().__init__()
        self.affine = nn.Conv2d(conditions, 2 * channels, 1)

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        gamma, beta = self.affine(conditions).chunk(2, 1)
        return torch.addcmul(beta, pixel_norm(x), gamma + 1)


class PainterBlock(nn.Module):
    """Two modulated convolutions beside a short cut; [N, inputs, h, w] -> [N, outputs, h, w]."""

    def __init__(self, inputs: int, outputs: int, conditions: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.modulation_0, self.modulation_1 = Modulation(inputs, conditions), Modulation(middle, conditions)
        self.conv_0 = nn.Conv2d(inputs, middle, 3, padding=1)
        self.conv_1 = nn.Conv2d(middle, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else None

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        inner = self.conv_0(F.leaky_relu(self.modulation_0(x, conditions), 0.2))
        inner = self.conv_1(F.leaky_relu(self.modulation_1(inner, conditions), 0.2))
        return inner + (x if self.shortcut is None else self.shortcut(x))


class Detail(nn.Module):
    """The last layers at full resolution: a small perceptron of each pixel, told by the trunk what to draw.

    [N, 4 + refine, H, W] of the trunk, conditions and the past [N, 4, H, W] -> [N, 4, H, W].
    """

    def __init__(self, layout: PainterLayout) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(4 + layout.refine, layout.detail, 1)
        self.conditions = nn.Conv2d(layout.conditions, layout.detail, 1, bias=False)
        self.past = nn.Conv2d(4, layout.detail, 1, bias=False)
        self.out = nn.Conv2d(layout.detail, 4, 3, padding=1)

    def forward(self, x: Tensor, conditions: Tensor, past: Tensor) -> Tensor:
        inner = self.trunk(x) + self.conditions(conditions) + self.past(past)
        return x[:, :4] + self.out(F.leaky_relu(inner, 0.2))


class PainterNetwork(nn.Module):
    """Conditions and the warped last frame in, picture out.

    Args:
        layout: its sizes.
    """

    def __init__(self, layout: PainterLayout) -> None:
        super().__init__()
        self.layout = layout
        maps, past, folded = layout.maps, layout.past, 4 * layout.conditions
        both, outputs = maps + past, 4 * (4 + layout.refine)
        fine, quarter, eighth, coarse = (layout.width * times for times in (2, 4, 6, 8))
        self.maps_in = nn.Sequential(
            nn.Conv2d(folded, maps, 1), nn.LeakyReLU(0.2), nn.Conv2d(maps, maps, 3, padding=1), nn.LeakyReLU(0.2)
        )
        self.past_in = nn.Sequential(nn.Conv2d(16, past, 3, padding=1), nn.LeakyReLU(0.2))
        self.maps_down = nn.ModuleList(_halving(maps) for _ in range(LEVELS - 1))
        self.past_down = nn.ModuleList(_halving(past) for _ in range(LEVELS - 1))
        self.stem = nn.Conv2d(both, coarse, 3, padding=1)
        # Coarse to fine; the picture is doubled between levels.
        widths = (((coarse, coarse), (coarse, eighth)), ((eighth, eighth), (eighth, quarter)))
        widths += (((quarter, quarter), (quarter, fine)), ((fine, fine),))
        self.trunk = nn.ModuleList(nn.ModuleList(PainterBlock(*pair, both) for pair in level) for level in widths)
        side = 1 if layout.detail else 3  # what follows at full resolution looks around itself
        self.head = nn.Conv2d(fine + both, outputs, side, padding=side // 2)
        # Most of a pixel's colour is a linear function of its own conditions; this learns it within minutes.
        self.linear = nn.Conv2d(folded, outputs, 1, bias=False)
        nn.init.zeros_(self.linear.weight)
        self.detail = Detail(layout) if layout.detail else None
        self.refine = nn.Conv2d(4 + layout.refine, 4, 3, padding=1) if layout.refine and not layout.detail else None

    def forward(self, conditions: Tensor, warped: Tensor, valid: Tensor) -> Blend:
        """Paints one frame.

        Args:
            conditions: [N, layout.conditions, H, W]; H and W multiples of 16.
            warped: [N, 3, H, W] in -1..1, the last picture moved to where its points are now.
            valid: [N, 1, H, W] in 0..1, where that can be believed; zeros: there is no past.
        """
        kind = self.stem.weight.dtype  # the network may be in half precision, its answer never is
        device = conditions.device.type
        if torch.is_autocast_enabled(device):  # in training: what is moved about is half as large then
            kind = torch.get_autocast_dtype(device)
        conditions, past_full = conditions.to(kind), torch.cat([warped * valid, valid], 1).to(kind)
        folded, past = fold(conditions), fold(past_full)
        maps, pasts = [self.maps_in(folded)], [self.past_in(past)]
        for maps_down, past_down in zip(self.maps_down, self.past_down, strict=True):
            maps.append(maps_down(maps[-1]))
            pasts.append(past_down(pasts[-1]))
        pyramid = [torch.cat(pair, 1) for pair in zip(maps, pasts, strict=True)]
        x = self.stem(pyramid[-1])
        for level, blocks in zip(reversed(pyramid), self.trunk, strict=True):
            if level is not pyramid[-1]:
                x = F.interpolate(x, scale_factor=2.0)
            assert isinstance(blocks, nn.ModuleList)
            for block in blocks:
                x = block(x, level)
        x = self.head(torch.cat([F.leaky_relu(x, 0.2), pyramid[0]], 1)) + self.linear(folded)
        x = F.pixel_shuffle(x, 2)
        if self.detail is not None:
            x = self.detail(x, conditions, past_full)
        elif self.refine is not None:
            x = x[:, :4] + self.refine(F.leaky_relu(x, 0.2))
        x = x.float().contiguous()  # channels last, a slice of channels is slow to compute with
        raw, mask = torch.tanh(x[:, :3]), torch.sigmoid(x[:, 3:]) * (valid * self.layout.trust)
        return Blend(torch.lerp(raw, warped.float(), mask), raw, mask)


def fold(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, 4 C, H/2, W/2]: channel (2 dy + dx) C + c is channel c of pixel (dy, dx) of each 2 x 2.

    `F.pixel_unshuffle` has the channels in another order and not last, and takes several times as long: in this one,
    memory is moved in runs. The order is part of the file format, since weights are stored in it.
    """
    count, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(count, height // 2, 2, width // 2, 2 * channels)
    return rows.transpose(2, 3).reshape(count, height // 2, width // 2, 4 * channels).permute(0, 3, 1, 2)


def pixel_norm(x: Tensor) -> Tensor:
    """[N, C, h, w], each pixel's channels divided by their root mean square."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)


def _halving(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3, 2, 1), nn.LeakyReLU(0.2))
