"""vid2vid: each frame from three label maps and two past pictures (Wang et al. 2018, 'Video-to-Video Synthesis').

The generator of section 3.2: it paints a raw picture, estimates the flow from the last picture and a mask, and blends
the warped picture with the raw one (equation 4); a second branch paints what moves fast (section 3.3, foreground).
Finer scales reuse the features of coarser ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .layers.translation import blocks, down, entry, exit_to, halve, up
from .warp import warp

FLOW_SCALE = 20.0
"""Pixels that a raw flow of 1 means at the coarsest scale; doubled at each finer one (official constant)."""


@dataclass(frozen=True)
class Vid2VidConfig:
    """Sizes of one scale; all are in the tensors but `scale`, which is a file's place among its neighbours."""

    channels: int
    """Of a frame's conditions: labels, and 1 more for instance edges."""
    frames: int
    """Label maps that are read at once, the present one among them; one picture less is read ('n_frames_G')."""
    width: int
    """Channels at full resolution of the scale ('ngf', halved at each finer scale)."""
    downsamples: int
    """Halvings of the coarsest scale; others halve once."""
    residuals: int
    """Residual blocks: of the coarsest scale in all, or of a finer one."""
    scale: int = 0
    """0: the coarsest."""
    flow: bool = True
    """Whether it estimates flow and mask; False ('no_flow'): the raw picture is the picture."""
    foreground_width: int = 0
    """Channels at full resolution of the foreground branch; 0: there is none."""
    affine: bool = True
    """Whether norms have a learned scale and shift (BatchNorm)."""


class Features(NamedTuple):
    """What a scale hands to the next finer one, [N, width, h, w] each."""

    image: Tensor
    flow: Tensor | None
    foreground: Tensor | None


class Painted(NamedTuple):
    """One scale's answer for one frame."""

    picture: Tensor
    """[N, 3, H, W] in -1..1, after blending and foreground."""
    raw: Tensor
    """[N, 3, H, W] before blending, with the foreground."""
    flow: Tensor | None
    """[N, 2, H, W], pixels right and down from here to the last picture."""
    mask: Tensor | None
    """[N, 1, H, W] in 0..1: the part of the raw picture; the warped one has the rest."""
    features: Features


class Vid2VidScale(nn.Module):
    """The network of one spatial scale, under the official tensor names (CompositeGenerator, CompositeLocalGenerator).

    Args:
        config: its sizes.
    """

    def __init__(self, config: Vid2VidConfig) -> None:
        super().__init__()
        self.config = config
        maps, pictures = config.channels * config.frames, 3 * (config.frames - 1)
        width, affine, coarsest = config.width, config.affine, config.scale == 0
        halvings = config.downsamples if coarsest else 1
        before, after = (config.residuals - config.residuals // 2, config.residuals // 2) if coarsest else (0, 0)
        deep = width << halvings

        def encoder(inputs: int) -> nn.Sequential:
            layers = [*entry(inputs, width, affine), *down(width, halvings, affine), *blocks(deep, before, affine)]
            return nn.Sequential(*layers)

        def decoder() -> nn.Sequential:
            local = [] if coarsest else blocks(deep, config.residuals, affine)
            return nn.Sequential(*local, *up(width, halvings, affine))

        self.model_down_seg, self.model_down_img = encoder(maps), encoder(pictures)
        # The coarsest scale keeps its later blocks apart; they are numbered from 0 under a name of their own.
        self.model_res_img = nn.Sequential(*blocks(deep, after, affine))
        self.model_up_img = decoder()
        self.model_final_img = nn.Sequential(*exit_to(width, 3, nn.Tanh()))
        if config.flow:
            self.model_res_flow = nn.Sequential(*blocks(deep, after, affine))
            self.model_up_flow = decoder()
            self.model_final_flow = nn.Sequential(*exit_to(width, 2))
            self.model_final_w = nn.Sequential(*exit_to(width, 1, nn.Sigmoid()))
        if config.foreground_width:
            narrow = config.foreground_width
            bottom = blocks(narrow << halvings, config.residuals, affine)
            self.indv_down = nn.Sequential(*entry(maps, narrow, affine), *down(narrow, halvings, affine))
            self.indv_res = nn.Sequential(*(bottom if coarsest else []))
            self.indv_up = nn.Sequential(*([] if coarsest else bottom), *up(narrow, halvings, affine))
            self.indv_final = nn.Sequential(*exit_to(narrow, 3, nn.Tanh()))

    def forward(
        self,
        maps: Tensor,
        pictures: Tensor,
        foreground: Tensor | None = None,
        coarse: Features | None = None,
        raw_only: bool = False,
    ) -> Painted:
        """Paints the newest frame.

        Args:
            maps: [N, frames * channels, H, W], oldest first.
            pictures: [N, 3 (frames - 1), H, W] in -1..1, oldest first.
            foreground: [N, 1, H, W] in 0..1; needed when there is a foreground branch.
            coarse: from the next coarser scale, which worked at half the size; None at the coarsest.
            raw_only: do not blend with the last picture, because it is none (first frame from zeros).
        """
        shared = self.model_down_seg(maps) + self.model_down_img(pictures)
        image_input = shared if coarse is None else shared + coarse.image
        image = self.model_up_img(self.model_res_img(image_input))
        raw = picture = self.model_final_img(image)
        flow = mask = flow_features = individual = None
        if self.config.flow:
            flow_input = shared if coarse is None or coarse.flow is None else shared + coarse.flow
            flow_features = self.model_up_flow(self.model_res_flow(flow_input))
            flow = self.model_final_flow(flow_features) * (FLOW_SCALE * 2**self.config.scale)
            mask = self.model_final_w(flow_features)
            if not raw_only:
                picture = raw * mask + warp(pictures[:, -3:], flow.permute(0, 2, 3, 1)) * (1 - mask)
        if self.config.foreground_width and foreground is not None:
            bottom = self.indv_res(self.indv_down(maps))
            if coarse is not None and coarse.foreground is not None:
                bottom = bottom + coarse.foreground
            individual = self.indv_up(bottom)
            moving = self.indv_final(individual)
            picture = moving * foreground + picture * (1 - foreground)
            raw = moving * foreground + raw * (1 - foreground)
        return Painted(picture, raw, flow, mask, Features(image, flow_features, individual))


def foreground_mask(maps: Tensor, labels: tuple[int, ...], channels: int) -> Tensor:
    """[N, 1, H, W] in 0..1: how much of each pixel belongs to `labels` in the newest of the maps [N, k channels, H, W].

    At coarser scales one-hot maps are averages, and so is this.
    """
    newest = maps[:, -channels:]
    return newest[:, list(labels)].sum(1, keepdim=True).clamp(0, 1)


def pyramid(x: Tensor, scales: int) -> list[Tensor]:
    """[N, C, H, W] at each scale, finest first."""
    levels = [x]
    for _ in range(scales - 1):
        levels.append(halve(levels[-1]))
    return levels


def paint(
    networks: nn.ModuleList, maps: Tensor, pictures: list[Tensor], labels: tuple[int, ...], raw_only: bool = False
) -> list[Painted]:
    """One frame at all scales, coarsest first.

    Args:
        networks: `Vid2VidScale`s, coarsest first.
        maps: [N, frames * channels, H, W], oldest first.
        pictures: [N, 3 (frames - 1), h, w] at each scale, finest first.
        labels: what the foreground branch paints.
        raw_only: as `Vid2VidScale.forward`.
    """
    levels = pyramid(maps, len(networks))
    made: list[Painted] = []
    for scale, network in enumerate(networks):
        assert isinstance(network, Vid2VidScale)
        level = len(networks) - 1 - scale
        branch = network.config.foreground_width > 0
        mask = foreground_mask(levels[level], labels, network.config.channels) if branch else None
        coarse = made[-1].features if made else None
        made.append(network(levels[level], pictures[level], mask, coarse, raw_only))
    return made


def newest(pictures: Tensor, picture: Tensor) -> Tensor:
    """The past pictures [N, 3k, H, W] after one more, the oldest dropped."""
    return torch.cat([pictures[:, 3:], picture], 1)
