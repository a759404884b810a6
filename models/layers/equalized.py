"""Linear layers with the equalised learning rate (Karras et al. 2018, section 4.1), and the leaky ReLU around them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["linear", "lrelu"]

LEAKY_SLOPE = 0.2  # negative slope of every leaky ReLU in StyleGAN2
LRELU_GAIN = math.sqrt(2.0)  # keeps the variance of a leaky-ReLU layer at about one


def normal(*shape: int, scale: float = 1.0) -> Tensor:
    """Normal numbers to start a layer with; on the meta device, where sizes are tried out, only their shape."""
    values = torch.empty(shape)
    # Drawing on the meta device would import torch's compiler, which takes seconds.
    return values if values.is_meta else values.normal_(std=scale)


def leaky_relu(x: Tensor, gain: float = LRELU_GAIN, clamp: float | None = None) -> Tensor:
    """Leaky ReLU (slope 0.2) times `gain`, then clipped to [-clamp, clamp]."""
    x = F.leaky_relu(x, LEAKY_SLOPE) * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


class FullyConnectedLayer(nn.Module):
    """A linear layer with the equalised learning rate: [..., in_features] -> [..., out_features].

    Weights are stored divided by `lr_multiplier` and scaled by lr_multiplier / sqrt(in_features) at run time.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Activation = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.weight = nn.Parameter(normal(out_features, in_features, scale=1.0 / lr_multiplier))
        self.bias = nn.Parameter(torch.full((out_features,), float(bias_init) / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def effective(self) -> tuple[Tensor, Tensor]:
        """The weight [out, in] and bias [out] as a plain linear layer would hold them."""
        return self.weight * self.weight_gain, self.bias * self.bias_gain

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.effective()
        x = F.linear(x, weight.to(x.dtype), bias.to(x.dtype))
        return leaky_relu(x) if self.activation == "lrelu" else x


def style_of(affine: FullyConnectedLayer, w: Tensor) -> Tensor:
    """Styles [N, I] from w [N, w_dim], in fp32 even under autocast: demodulation squares and sums them."""
    with torch.autocast(w.device.type, enabled=False):
        return affine(w.float())
