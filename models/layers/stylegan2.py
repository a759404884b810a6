"""StyleGAN2's synthesis: modulated convolution, its layers, and the blocks of the skip generator.

Follows Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020): weight demodulation is
section 2.2, skip generators section 4.1. Parameter names are the official ones, so weights load both ways. Only
torch operators are used: no compiled plugin, differentiable twice, on any device and under autocast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .equalized import LRELU_GAIN, FullyConnectedLayer, leaky_relu, normal, style_of
from .resampling import resample_filter, transposed_up2, upsample2

NoiseMode = Literal["const", "none", "random"]

EPS = 1e-8  # under every reciprocal square root


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """Coefficients that bring each modulated output channel back to unit variance: [N, O] (2020, equation 3)."""
    energy = weight.float().square().sum(dim=(2, 3))  # [O, I]
    return (styles.float().square() @ energy.t() + EPS).rsqrt()


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    up: int = 1,
    kernel: Tensor | None = None,
    demodulate: bool = True,
) -> Tensor:
    """Convolves each sample with its own style-scaled weights (2020, section 2.2).

    A single sample gets its weights scaled (one plain convolution, fast on a CPU); a batch gets its activations
    scaled before and after one shared convolution. The results agree to rounding.

    Args:
        x: features [N, I, H, W].
        weight: [O, I, K, K].
        styles: [N, I].
        up: 1 or 2; 2 doubles the resolution with the low-pass `kernel`.
        kernel: 4 x 4 low-pass, needed when up is 2.
        demodulate: normalise each output channel to unit expected variance.

    Returns:
        [N, O, up H, up W].
    """
    if demodulate and (x.dtype == torch.float16 or torch.is_autocast_enabled(x.device.type)):
        # Both scalings cancel in the demodulation; they keep half precision from overflowing.
        weight = (
            weight
            * (weight.shape[1] * weight[0, 0].numel()) ** -0.5
            / weight.abs().amax((1, 2, 3), keepdim=True).clamp_min(EPS)
        )
        styles = styles / styles.abs().amax(dim=1, keepdim=True).clamp_min(EPS)
    scale = demodulation(weight, styles) if demodulate else None  # [N, O]
    fused = x.shape[0] == 1
    if fused:
        weight = weight * styles.to(weight.dtype)[0, None, :, None, None]
        if scale is not None:
            weight = weight * scale.to(weight.dtype)[0, :, None, None, None]
    else:
        x = x * styles.to(x.dtype)[:, :, None, None]
    weight = weight.to(x.dtype)
    if up == 2:
        if kernel is None:
            raise ValueError("modulated_conv2d: up=2 needs the low-pass kernel")
        x = transposed_up2(x, weight, kernel)
    else:
        x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    if scale is not None and not fused:
        x = x * scale.to(x.dtype)[:, :, None, None]
    return x


class SynthesisLayer(nn.Module):
    """Modulated 3 x 3 convolution, optional up-sampling by two, noise, bias and leaky ReLU."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        w_dim: int,
        resolution: int,
        up: int = 1,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.resolution, self.up, self.conv_clamp = resolution, up, conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(normal(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("resample_filter", resample_filter())
        self.register_buffer("noise_const", normal(resolution, resolution))

    def noise(self, mode: NoiseMode, batch: int, generator: torch.Generator | None) -> Tensor | None:
        """Noise to add before the bias, [1 | N, 1, R, R], or None where there is none."""
        if mode == "none":
            return None
        if mode == "const":
            return (self.noise_const * self.noise_strength)[None, None]
        # A generator lives on one device; drawing there and moving keeps a seed's picture the same everywhere.
        device = generator.device if generator is not None else self.weight.device
        drawn = torch.randn(batch, 1, self.resolution, self.resolution, device=device, generator=generator)
        return drawn.to(self.weight.device) * self.noise_strength

    def forward(
        self,
        x: Tensor,
        w: Tensor,
        noise_mode: NoiseMode = "random",
        gain: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Maps x [N, I, H, W] under w [N, w_dim] to [N, O, up H, up W]."""
        styles = style_of(self.affine, w)
        x = modulated_conv2d(x, self.weight, styles, up=self.up, kernel=self.resample_filter)
        noise = self.noise(noise_mode, x.shape[0], generator)
        if noise is not None:
            x = x + noise.to(x.dtype)
        x = x + self.bias.to(x.dtype)[:, None, None]
        return leaky_relu(x, LRELU_GAIN * gain, None if self.conv_clamp is None else self.conv_clamp * gain)


class ToRGBLayer(nn.Module):
    """Modulated 1 x 1 convolution to image channels, without demodulation, noise or non-linearity."""

    def __init__(self, in_channels: int, out_channels: int, *, w_dim: int, conv_clamp: float | None = None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(normal(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.weight_gain = 1.0 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Maps x [N, I, H, W] under w [N, w_dim] to [N, O, H, W]."""
        styles = style_of(self.affine, w) * self.weight_gain
        x = modulated_conv2d(x, self.weight, styles, demodulate=False)
        x = x + self.bias.to(x.dtype)[:, None, None]
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)


class SynthesisBlock(nn.Module):
    """One resolution of the skip architecture: two layers (one at 4 x 4), and a ToRGB added to the image."""

    up = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        w_dim: int,
        resolution: int,
        img_channels: int,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.resolution = in_channels, resolution
        self.register_buffer("resample_filter", resample_filter())
        if in_channels == 0:
            self.const = nn.Parameter(normal(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(
                in_channels, out_channels, w_dim=w_dim, resolution=resolution, up=self.up, conv_clamp=conv_clamp
            )
        self.conv1 = SynthesisLayer(
            out_channels, out_channels, w_dim=w_dim, resolution=resolution, conv_clamp=conv_clamp
        )
        self.torgb = ToRGBLayer(out_channels, img_channels, w_dim=w_dim, conv_clamp=conv_clamp)
        self.num_conv = 1 if in_channels == 0 else 2

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        ws: Tensor,
        noise_mode: NoiseMode = "random",
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Runs the block.

        Args:
            x: features [N, I, H, W], or None in the first block.
            image: the image so far [N, img_channels, H, W], or None.
            ws: [N, num_conv + 1, w_dim]: one for each layer, the last for ToRGB.
            noise_mode: 'const' (stored noise), 'none' or 'random'.
            generator: the source of random noise; None takes torch's own.

        Returns:
            Features and image at this block's resolution.
        """
        styles: Iterator[Tensor] = iter(ws.unbind(dim=1))
        if x is None:
            features = self.const.expand(ws.shape[0], -1, -1, -1)
        else:
            features = self.conv0(x, next(styles), noise_mode, generator=generator)
        features = self.conv1(features, next(styles), noise_mode, generator=generator)
        # The image sums in fp32: rounding would pile up over the blocks.
        rgb = self.torgb(features, next(styles)).float()
        if image is None:
            return features, rgb
        return features, (upsample2(image) if self.up == 2 else image) + rgb


class SynthesisBlockNoUp(SynthesisBlock):
    """A block that keeps the resolution: EG3D's first super-resolution block in the 2X and 4X modules."""

    up = 1
