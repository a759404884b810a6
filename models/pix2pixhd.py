"""pix2pixHD: one picture of one label map, without memory (Wang et al. 2018, 'High-Resolution Image Synthesis...').

The global generator (section 3.1) alone, or inside a local enhancer that works at twice its resolution. vid2vid takes
such a network for the first frames of a sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .base import GBuffer, LabelSet, ModelCard
from .frames import check_frame, instance_edges, one_hot
from .layers.translation import blocks, down, entry, exit_to, halve, up


@dataclass(frozen=True)
class Pix2PixHDConfig:
    """Sizes, all of which are in the tensors; only `labels` is not, see `frames.channels_of_labels`."""

    labels: int
    """Channels of the one-hot map."""
    edges: bool
    """Whether a channel of instance edges follows."""
    width: int
    """Channels at full resolution ('ngf')."""
    downsamples: int
    """Halvings of the global generator."""
    residuals: int
    """Its residual blocks."""
    local_residuals: int = 0
    """Residual blocks of the local enhancer; 0: there is none."""
    affine: bool = False
    """Whether its norms have a learned scale and shift (BatchNorm)."""


class GlobalGenerator(nn.Module):
    """[N, labels (+ 1), H, W] -> RGB [N, 3, H, W] in -1..1, under the official tensor names `model.*`.

    With an enhancer, `model` is the global generator of twice the width, without its last layer, at half the
    resolution, and `model1_1` and `model1_2` are what is before and after their sum (section 3.1, figure 3).
    """

    def __init__(self, config: Pix2PixHDConfig) -> None:
        super().__init__()
        self.config = config
        inputs, affine = config.labels + config.edges, config.affine
        enhanced = config.local_residuals > 0
        width = config.width * (2 if enhanced else 1)
        self.model = nn.Sequential(
            *entry(inputs, width, affine),
            *down(width, config.downsamples, affine),
            *blocks(width << config.downsamples, config.residuals, affine),
            *up(width, config.downsamples, affine),
            *([] if enhanced else exit_to(width, 3, nn.Tanh())),
        )
        if enhanced:
            self.model1_1 = nn.Sequential(*entry(inputs, config.width, affine), *down(config.width, 1, affine))
            self.model1_2 = nn.Sequential(
                *blocks(width, config.local_residuals, affine),
                *up(config.width, 1, affine),
                *exit_to(config.width, 3, nn.Tanh()),
            )

    @property
    def multiple(self) -> int:
        """What height and width must be multiples of."""
        return 1 << (self.config.downsamples + (self.config.local_residuals > 0))

    def forward(self, x: Tensor) -> Tensor:
        if not self.config.local_residuals:
            return self.model(x)
        return self.model1_2(self.model1_1(x) + self.model(halve(x)))

    def conditions(self, labels: Tensor, instances: Tensor) -> Tensor:
        """[1, labels (+ 1), H, W] of maps [H, W]."""
        maps = one_hot(labels, self.config.labels)
        return torch.cat([maps, instance_edges(instances)], 1) if self.config.edges else maps


class Pix2PixHDTranslator:
    """A pix2pixHD network in the `Translator` contract; it remembers nothing, so its pictures flicker.

    Args:
        network: the weights.
        card: what the model is.
        label_set: the numbering that it was trained in.
    """

    resolution: tuple[int, int] | None = None
    has_memory = False

    def __init__(self, network: GlobalGenerator, card: ModelCard, label_set: LabelSet = "cityscapes_ids") -> None:
        self.network, self.card = network, card
        self.label_set: LabelSet = label_set
        self.multiple = network.multiple

    @torch.inference_mode()
    def __call__(
        self,
        labels: Tensor,
        instances: Tensor,
        motion: Tensor | None = None,
        memory: None = None,
        gbuffer: GBuffer | None = None,
    ) -> tuple[Tensor, None]:
        """RGB [3, H, W] in 0..1 and None; see `Translator`."""
        check_frame(labels, instances, motion, self.multiple)
        conditions = self.network.conditions(labels, instances)
        picture = self.network(conditions.to(next(self.network.parameters()).dtype)).float()
        return picture[0].mul(0.5).add_(0.5), None

    def prepare(self, kind: torch.dtype) -> Pix2PixHDTranslator:
        """Takes the network to a precision."""
        self.network.to(kind)
        return self

    def to(self, device: str) -> Pix2PixHDTranslator:
        """Moves the network."""
        self.network.to(device)
        return self
