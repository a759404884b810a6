"""StyleNeRF's point-wise layers: 1 x 1 convolutions that act as a perceptron on samples of space, styled or plain.

Each layer only holds the official tensors and folds them, for one identity, into the matrix and bias of a plain linear
layer: modulation and demodulation (Karras et al. 2020, section 2.2) depend on the code alone, not on the point.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .equalized import FullyConnectedLayer, normal, style_of
from .stylegan2 import EPS

Linear = tuple[Tensor, Tensor]
"""Weight [out, in] and bias [out]."""


class StyledPointLayer(nn.Module):
    """A modulated 1 x 1 convolution.

    Args:
        inputs: channels in.
        outputs: channels out.
        w_dim: width of the code.
        demodulate: True for hidden layers; False for heads, whose styles are divided by sqrt(inputs) instead.
        magnitude: whether the input is divided by the root of its mean square as training tracked it (`w_avg`).
    """

    w_avg: Tensor

    def __init__(
        self, inputs: int, outputs: int, w_dim: int, *, demodulate: bool = True, magnitude: bool = False
    ) -> None:
        super().__init__()
        self.demodulate, self.magnitude = demodulate, magnitude
        self.affine = FullyConnectedLayer(w_dim, inputs, bias_init=1.0)
        self.weight = nn.Parameter(normal(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if magnitude:
            self.register_buffer("w_avg", torch.ones([]))

    def fold(self, w: Tensor) -> Linear:
        """The plain layer for a code w [w_dim]."""
        styles = style_of(self.affine, w[None])[0]  # [in]
        weight = self.weight[:, :, 0, 0]
        if self.demodulate:
            weight = weight * styles
            weight = weight * (weight.square().sum(dim=1, keepdim=True) + EPS).rsqrt()
        else:
            weight = weight * (styles / math.sqrt(weight.shape[1]))
        return (weight * self.w_avg.rsqrt() if self.magnitude else weight), self.bias


class PlainPointLayer(nn.Module):
    """A linear layer without style, as the background's: [.., in] -> [.., out]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, scale=1 / math.sqrt(inputs)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def fold(self, w: Tensor | None = None) -> Linear:
        """The layer itself; `w` is not read."""
        return self.weight, self.bias


class PixelLayer(nn.Module):
    """A 1 x 1 convolution with the equalised learning rate: its weights are divided by sqrt(inputs) when used."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def scaled(self) -> Tensor:
        """The effective weight [out, in, 1, 1]."""
        return self.weight / math.sqrt(self.weight.shape[1])

    def fold(self) -> Linear:
        """The plain layer."""
        return self.scaled()[:, :, 0, 0], self.bias
