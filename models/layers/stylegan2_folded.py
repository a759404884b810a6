"""StyleGAN2's layers bound to one w: what depends on w is computed once and kept while it stands still.

Modulation and demodulation go into the weights, the leaky ReLU's gain into weights and biases, and tensors are kept
channels-last, where convolutions are fastest on CPUs and, in half precision, on tensor cores. Binding another w writes
to the same memory, so that a CUDA graph that reads it stays valid.

Composing the low-pass with the up-sampling weight as well was measured and lost: for 64 -> 128 -> 256 with (32, 16)
channels on two threads, both layers take 1.3 ms as a transposed convolution and a depth-wise low-pass, 2.0 ms as one
convolution to four phases with a pixel shuffle, 2.2 ms as one 6 x 6 transposed convolution (fp32, channels-last): they
multiply four times as much.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .equalized import LEAKY_SLOPE, LRELU_GAIN
from .resampling import upsample2
from .stylegan2 import EPS, NoiseMode, SynthesisBlock, SynthesisLayer, ToRGBLayer

HALF_CLAMP = 256.0
"""Of half-precision activations where the layer has no clamp of its own: that of the official fp16 layers."""


class FoldedLayer:
    """`SynthesisLayer` for one sample.

    Args:
        layer: whose tensors are read when this is made.
        dtype: of weights and activations.
    """

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype) -> None:
        self._layer, self._dtype = layer, dtype
        self.inputs = layer.in_channels
        self.weight: Tensor | None = None  # [O, I, 3, 3], or [I, O, 3, 3] for a transposed convolution
        self._affine = layer.affine.effective()
        plain = layer.weight.detach().float()
        # Demodulation (2020, equation 3) sums squares over the kernel, which do not depend on w.
        self._energy = plain.square().sum((2, 3))  # [O, I]
        self._plain = plain.transpose(0, 1) if layer.up == 2 else plain  # the layer's own memory
        # leaky_relu(x) * gain == leaky_relu(x * gain) for a positive gain, so the gain moves into what is linear.
        self.bias = (layer.bias.detach() * LRELU_GAIN).to(dtype)
        self.low_pass: Tensor | None = None
        if layer.up == 2:
            self.low_pass = (layer.resample_filter * 4.0).expand(layer.out_channels, 1, 4, 4).to(dtype).contiguous()
        self.noise: Tensor | None = None  # [1, 1, R, R], gain included
        self._drawn: Tensor | None = None  # its memory, also while there is none
        self._noisy = bool(layer.noise_strength != 0)
        self.clamp = layer.conv_clamp
        if dtype == torch.float16:
            self.clamp = HALF_CLAMP if self.clamp is None else min(self.clamp, HALF_CLAMP)

    def bind(self, w: Tensor) -> None:
        """Takes the weights of w [1, w_dim]."""
        style = F.linear(w.float(), *self._affine)[0]  # [I]
        factors = (LRELU_GAIN * (self._energy @ style.square() + EPS).rsqrt())[:, None] * style  # [O, I]
        factors = (factors.t() if self._layer.up == 2 else factors)[:, :, None, None]
        if self.weight is not None and self._dtype == torch.float32:
            torch.mul(self._plain, factors, out=self.weight)
        else:
            self.weight = written(self.weight, self._plain * factors, self._dtype)

    def draw(self, mode: NoiseMode, generator: torch.Generator | None) -> None:
        """Takes other noise; it is held until the next time, so that a still state gives a still picture."""
        noise = self._layer.noise(mode, 1, generator)  # also where it counts nothing: the next layer's comes after it
        self.noise = None
        if noise is not None and self._noisy:
            self.noise = self._drawn = written(self._drawn, noise * LRELU_GAIN, self._dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """[1, I, H, W] to [1, O, up H, up W]."""
        assert self.weight is not None, "bind it to a w first"
        if self.low_pass is None:
            x = F.conv2d(x, self.weight, self.bias, padding=1)
        else:
            x = F.conv_transpose2d(x, self.weight, stride=2)
            x = F.conv2d(x, self.low_pass, self.bias, padding=1, groups=self.low_pass.shape[0])
        if self.noise is not None:
            x = x + self.noise
        x = F.leaky_relu_(x, LEAKY_SLOPE)
        return x if self.clamp is None else x.clamp_(-self.clamp, self.clamp)


class FoldedBlock:
    """`SynthesisBlock` for one sample; the image sums in fp32, whatever the features are."""

    def __init__(self, block: SynthesisBlock, dtype: torch.dtype) -> None:
        torgb: ToRGBLayer = block.torgb
        weight, bias = torgb.affine.effective()
        self._affine = weight * torgb.weight_gain, bias * torgb.weight_gain
        self._plain = torgb.weight.detach().float()
        self._dtype, self.up = dtype, block.up
        self.const: Tensor | None = None
        layers = [block.conv1]
        if block.in_channels == 0:
            self.const = block.const.detach()[None].to(dtype).contiguous(memory_format=torch.channels_last)
        else:
            layers.insert(0, block.conv0)
        self.layers = [FoldedLayer(layer, dtype) for layer in layers]
        self.rgb_weight: Tensor | None = None  # [image channels, I, 1, 1]
        self.rgb_bias = block.torgb.bias.detach().to(dtype)
        self.rgb_clamp = block.torgb.conv_clamp

    def bind(self, ws: Tensor) -> None:
        """Takes the weights of ws [len(layers) + 1, w_dim]: one for each layer, the last for ToRGB."""
        for layer, w in zip(self.layers, ws, strict=False):
            layer.bind(w[None])
        style = F.linear(ws[len(self.layers)].float(), *self._affine)
        self.rgb_weight = written(self.rgb_weight, self._plain * style[:, None, None], self._dtype)

    def draw(self, mode: NoiseMode, generator: torch.Generator | None) -> None:
        """Takes other noise."""
        for layer in self.layers:
            layer.draw(mode, generator)

    def __call__(self, x: Tensor | None, image: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features [1, I, H, W] and the image so far, None in the first block, to those of this resolution."""
        assert self.rgb_weight is not None, "bind it to a w first"
        if x is None:
            assert self.const is not None, "only the first block begins with a constant"
            x = self.const
        for layer in self.layers:
            x = layer(x)
        rgb = F.conv2d(x, self.rgb_weight, self.rgb_bias).float()
        if self.rgb_clamp is not None:
            rgb = rgb.clamp_(-self.rgb_clamp, self.rgb_clamp)
        if image is None:
            return x, rgb
        return x, (upsample2(image) if self.up == 2 else image) + rgb


def written(kept: Tensor | None, new: Tensor, dtype: torch.dtype) -> Tensor:
    """`new` [.., .., .., ..] as `dtype`, channels last, in the memory of `kept` where there is one."""
    if kept is None:
        return new.detach().to(dtype, memory_format=torch.channels_last, copy=True)
    return kept.copy_(new.detach())
