"""SPADE: a picture of a label map that modulates every layer (Park et al. 2019, 'Semantic Image Synthesis with...').

Normalisation washes a flat label map away; so each block normalises, then scales and shifts every pixel by what two
small convolutions read in the map (equation 1). This is the readable network under the official tensor names;
`spade_folded.py` computes the same faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Upsampling = Literal["normal", "more", "most"]

HIDDEN = 128
"""Channels between the map and its scale and shift, in every official network."""

_DOUBLINGS: dict[Upsampling, int] = {"normal": 5, "more": 6, "most": 7}


@dataclass(frozen=True)
class SPADEConfig:
    """Sizes; what is not in the tensors is `labels` (see `frames.channels_of_labels`) and normal against more."""

    labels: int
    """Channels of the one-hot map."""
    edges: bool
    """Whether a channel of instance edges follows."""
    width: int
    """Channels of the last block ('ngf'); the first has 16 times as many."""
    upsampling: Upsampling = "more"
    """'normal': 5 doublings, for 256 x 256; 'more': 6, for 512 x 256; 'most': 7 and one more block."""
    kernel: int = 3
    """Side of the modulating convolutions."""
    running: bool = True
    """Whether norms use the running statistics of training (batch norm), or each picture's own (instance norm)."""
    hidden: int = HIDDEN

    @property
    def channels(self) -> int:
        """Of the conditions."""
        return self.labels + self.edges

    @property
    def multiple(self) -> int:
        """What height and width must be multiples of."""
        return 1 << _DOUBLINGS[self.upsampling]

    def widths(self) -> dict[str, tuple[int, int]]:
        """Channels in and out of each block, by official name, in order."""
        n = self.width
        sizes = dict.fromkeys(("head_0", "G_middle_0", "G_middle_1"), (16 * n, 16 * n))
        sizes |= {f"up_{i}": ((16 * n) >> i, (8 * n) >> i) for i in range(4)}
        if self.upsampling == "most":
            sizes["up_4"] = (n, n // 2)
        return sizes

    def doubled(self, block: str) -> bool:
        """Whether the picture is doubled before a block."""
        if block == "head_0":
            return False
        return block != "G_middle_1" or self.upsampling != "normal"


class ParameterFreeNorm(nn.Module):
    """Batch norm in evaluation, or instance norm, without scale and shift.

    Args:
        channels: of the input.
        running: whether statistics come from the file.
    """

    running_mean: Tensor | None
    running_var: Tensor | None

    def __init__(self, channels: int, running: bool) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels) if running else None)
        self.register_buffer("running_var", torch.ones(channels) if running else None)

    def forward(self, x: Tensor) -> Tensor:
        if self.running_mean is None or self.running_var is None:
            return F.instance_norm(x, eps=1e-5)
        return F.batch_norm(x, self.running_mean, self.running_var, training=False, eps=1e-5)


class SPADE(nn.Module):
    """norm(x) (1 + gamma(map)) + beta(map), each [N, channels, h, w] (equation 1)."""

    def __init__(self, channels: int, config: SPADEConfig) -> None:
        super().__init__()
        kernel, pad = config.kernel, config.kernel // 2
        self.param_free_norm = ParameterFreeNorm(channels, config.running)
        self.mlp_shared = nn.Sequential(nn.Conv2d(config.channels, config.hidden, kernel, padding=pad), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(config.hidden, channels, kernel, padding=pad)
        self.mlp_beta = nn.Conv2d(config.hidden, channels, kernel, padding=pad)

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        hidden = self.mlp_shared(conditions)
        return self.param_free_norm(x) * (1 + self.mlp_gamma(hidden)) + self.mlp_beta(hidden)


class SPADEBlock(nn.Module):
    """Two modulated convolutions beside a modulated short cut, which is the identity where channels stay the same."""

    def __init__(self, inputs: int, outputs: int, config: SPADEConfig) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.conv_0 = nn.Conv2d(inputs, middle, 3, padding=1)
        self.conv_1 = nn.Conv2d(middle, outputs, 3, padding=1)
        self.norm_0, self.norm_1 = SPADE(inputs, config), SPADE(middle, config)
        if inputs != outputs:
            self.conv_s = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.norm_s = SPADE(inputs, config)
        self.shortcut = inputs != outputs

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        straight = self.conv_s(self.norm_s(x, conditions)) if self.shortcut else x
        x = self.conv_0(F.leaky_relu(self.norm_0(x, conditions), 0.2))
        return straight + self.conv_1(F.leaky_relu(self.norm_1(x, conditions), 0.2))


class SPADEGenerator(nn.Module):
    """Conditions [N, labels (+ 1), H, W] -> RGB [N, 3, H, W] in -1..1, under the official tensor names.

    Spectrally normalised weights are expected evaluated, see `spectral_weights`.
    """

    def __init__(self, config: SPADEConfig) -> None:
        super().__init__()
        self.config = config
        self.fc = nn.Conv2d(config.channels, 16 * config.width, 3, padding=1)
        for name, (inputs, outputs) in config.widths().items():
            self.add_module(name, SPADEBlock(inputs, outputs, config))
        last = config.width // 2 if config.upsampling == "most" else config.width
        self.conv_img = nn.Conv2d(last, 3, 3, padding=1)

    def forward(self, conditions: Tensor) -> Tensor:
        config = self.config
        height, width = conditions.shape[-2:]
        x = self.fc(shrunk(conditions, height // config.multiple, width // config.multiple))
        for name in config.widths():
            if config.doubled(name):
                x = F.interpolate(x, scale_factor=2.0)
            x = self.get_submodule(name)(x, shrunk(conditions, x.shape[-2], x.shape[-1]))
        return torch.tanh(self.conv_img(F.leaky_relu(x, 0.2)))


def shrunk(conditions: Tensor, height: int, width: int) -> Tensor:
    """Conditions at another size: the nearest pixel's, since labels cannot be mixed."""
    return F.interpolate(conditions, size=(height, width))


def spectral_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with every `weight_orig`, `weight_u`, `weight_v` replaced by the `weight` that they evaluate to.

    weight = orig / (u^T W v), W being orig as a matrix of one row for each output (Miyato et al. 2018, equation 7).

    Args:
        tensors: by official name; others are passed on. A triple that is incomplete or does not fit is passed on
            too, and so refused by name when the network is filled.
    """
    made = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        orig, u, v = (tensors.get(f"{layer}.weight_{kind}") for kind in ("orig", "u", "v"))
        if part not in ("weight_orig", "weight_u", "weight_v") or not _belong(orig, u, v):
            made[name] = tensor
        elif part == "weight_orig" and orig is not None and u is not None and v is not None:
            made[f"{layer}.weight"] = orig / (u @ (orig.flatten(1) @ v))
    return made


def _belong(orig: Tensor | None, u: Tensor | None, v: Tensor | None) -> bool:
    """Whether all three are there, and the vectors fit the convolution's weight as a matrix."""
    if orig is None or u is None or v is None or orig.ndim != 4:
        return False
    return u.shape == orig.shape[:1] and v.shape == orig[0].flatten().shape
