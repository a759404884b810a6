"""Super-resolution with everything that depends on w computed once: for camera moves, while the identity stands still.

Modulation and demodulation go into the weights, the leaky ReLU's gain into weights and biases, and the tensors are kept
channels-last, where CPU convolutions are fastest. Composing the low-pass with the up-sampling weight as well was
measured and lost: for 64 -> 128 -> 256 with (32, 16) channels on two threads, both layers take 1.3 ms as a transposed
convolution and a depth-wise low-pass, 2.0 ms as one convolution to four phases with a pixel shuffle, 2.2 ms as one
6 x 6 transposed convolution (fp32, channels-last): they multiply four times as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .eg3d import SuperResolution
from .layers.equalized import LEAKY_SLOPE, LRELU_GAIN
from .layers.resampling import upsample2
from .layers.stylegan2 import NoiseMode, SynthesisBlock, SynthesisLayer, ToRGBLayer


@dataclass(frozen=True)
class _FoldedLayer:
    weight: Tensor  # [O, I, 3, 3], or [I, O, 3, 3] for a transposed convolution
    bias: Tensor  # [O], gain included
    low_pass: Tensor | None  # [O, 1, 4, 4] when the layer doubles the resolution
    noise: Tensor | None  # [1, 1, R, R], gain included
    clamp: float | None

    def __call__(self, x: Tensor) -> Tensor:
        if self.low_pass is None:
            x = F.conv2d(x, self.weight, self.bias, padding=1)
        else:
            x = F.conv_transpose2d(x, self.weight, stride=2)
            x = F.conv2d(x, self.low_pass, self.bias, padding=1, groups=self.low_pass.shape[0])
        if self.noise is not None:
            x = x + self.noise
        x = F.leaky_relu_(x, LEAKY_SLOPE)
        return x if self.clamp is None else x.clamp_(-self.clamp, self.clamp)


@dataclass(frozen=True)
class _FoldedBlock:
    layers: tuple[_FoldedLayer, _FoldedLayer]
    rgb_weight: Tensor  # [3, I, 1, 1]
    rgb_bias: Tensor  # [3]
    rgb_clamp: float | None
    up: int

    def __call__(self, x: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.layers:
            x = layer(x)
        rgb = F.conv2d(x, self.rgb_weight, self.rgb_bias).float()
        if self.rgb_clamp is not None:
            rgb = rgb.clamp_(-self.rgb_clamp, self.rgb_clamp)
        return x, (upsample2(image) if self.up == 2 else image) + rgb


class FoldedSuperResolution:
    """A super-resolution module bound to one w: [1, F, H, W] features in, [1, 3, R, R] image out, no gradients.

    Args:
        module: the network; its weights are read once, later changes to it are not seen.
        w: the last style vector, [1, w_dim].
        noise_mode: 'none', 'const', or 'random' (drawn once, then held, so that a still state gives a still picture).
        dtype: of weights and activations; bfloat16 halves the time on CPUs that have it and errs by about 1 %.
        generator: the source of random noise.

    Raises:
        ValueError: w is not one vector.
    """

    def __init__(
        self,
        module: SuperResolution,
        w: Tensor,
        *,
        noise_mode: NoiseMode = "none",
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        if w.ndim != 2 or w.shape[0] != 1:
            raise ValueError(f"w has shape {tuple(w.shape)}, expected [1, w_dim]")
        self.dtype = dtype
        self._resize = module.resize
        with torch.no_grad():
            self._blocks = tuple(
                _fold_block(block, w, noise_mode, dtype, generator) for block in (module.block0, module.block1)
            )

    @torch.no_grad()
    def __call__(self, features: Tensor) -> Tensor:
        """Enlarges features [1, F, H, W], the first three channels of which are the colour, both in [-1, 1]."""
        features = self._resize(features)
        image = features[:, :3].float()
        x = features.to(self.dtype, memory_format=torch.channels_last)
        for block in self._blocks:
            x, image = block(x, image)
        return image


def _laid_out(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype).contiguous(memory_format=torch.channels_last)


def _fold_layer(
    layer: SynthesisLayer, w: Tensor, noise_mode: NoiseMode, dtype: torch.dtype, generator: torch.Generator | None
) -> _FoldedLayer:
    # leaky_relu(x) * gain == leaky_relu(x * gain) for a positive gain, so the gain moves into what is linear.
    weight = layer.fold(w) * LRELU_GAIN
    noise = layer.noise(noise_mode, 1, generator)
    low_pass: Tensor | None = None
    if layer.up == 2:
        low_pass = (layer.resample_filter * 4.0).expand(layer.out_channels, 1, 4, 4).to(dtype).contiguous()
        weight = weight.transpose(0, 1)
    return _FoldedLayer(
        weight=_laid_out(weight, dtype),
        bias=(layer.bias * LRELU_GAIN).to(dtype),
        low_pass=low_pass,
        noise=None if noise is None else (noise * LRELU_GAIN).to(dtype),
        clamp=layer.conv_clamp,
    )


def _fold_block(
    block: SynthesisBlock, w: Tensor, noise_mode: NoiseMode, dtype: torch.dtype, generator: torch.Generator | None
) -> _FoldedBlock:
    torgb: ToRGBLayer = block.torgb
    return _FoldedBlock(
        layers=(
            _fold_layer(block.conv0, w, noise_mode, dtype, generator),
            _fold_layer(block.conv1, w, noise_mode, dtype, generator),
        ),
        rgb_weight=_laid_out(torgb.fold(w), dtype),
        rgb_bias=torgb.bias.to(dtype),
        rgb_clamp=torgb.conv_clamp,
        up=block.up,
    )
