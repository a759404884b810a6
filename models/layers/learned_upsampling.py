"""StyleNeRF's up-sampling layers: 1 x 1 convolutions, a learned correction of nearest-neighbour growth, and a blur.

Gu et al., "StyleNeRF" (2022), section 3.2 and figure 3: convolutions never mix neighbours, so that the picture cannot
depend on the pixel grid; only the fixed low-pass and the adapter's four neighbours do. Parameter names are the official
ones.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .equalized import LEAKY_SLOPE, LRELU_GAIN, FullyConnectedLayer, leaky_relu, normal, style_of
from .point_layers import PixelLayer
from .resampling import resample_filter, transposed_up2, upsample2
from .stylegan2 import EPS, ToRGBLayer

Growth = Literal["default", "nn_cat", "pixelshuffle", "bilinear", "nearest", "bicubic"]
"""'default' is StyleGAN2's transposed convolution; the next two have an adapter; the others only interpolate."""


class UpsamplingLayer(nn.Module):
    """Modulated convolution, optional doubling, noise, bias, leaky ReLU: [N, I, H, W] -> [N, O, up H, up W].

    Args:
        inputs: channels in.
        outputs: channels out.
        w_dim: width of the code.
        kernel: side of the convolution, 1 in all published models.
        growth: how the resolution is doubled; None keeps it.
        blur: whether the low-pass follows 'nn_cat' and 'pixelshuffle'.
        magnitude: whether the input is divided by the root of its tracked mean square.
        resolution: side of the output, for stored noise; None: no noise.
        clamp: limit on activations; None: none.
    """

    w_avg: Tensor
    noise_const: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        w_dim: int,
        kernel: int = 1,
        growth: Growth | None = None,
        blur: bool = True,
        magnitude: bool = True,
        resolution: int | None = None,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.growth, self.blur, self.magnitude, self.clamp = growth, blur, magnitude, clamp
        self.affine = FullyConnectedLayer(w_dim, inputs, bias_init=1.0)
        self.weight = nn.Parameter(normal(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if growth == "nn_cat":
            self.adapter = nn.Sequential(PixelLayer(2 * outputs, outputs // 4), PixelLayer(outputs // 4, outputs))
        elif growth == "pixelshuffle":
            self.adapter = nn.Sequential(PixelLayer(outputs, outputs // 4), PixelLayer(outputs // 4, 4 * outputs))
        if magnitude:
            self.register_buffer("w_avg", torch.ones([]))
        self.has_noise = resolution is not None
        if resolution is not None:
            self.noise_strength = nn.Parameter(torch.zeros([]))
            self.register_buffer("noise_const", normal(resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, noise: torch.Generator | bool = False) -> Tensor:
        """Runs the layer under w [1, w_dim].

        Args:
            x: [1, I, H, W].
            w: [1, w_dim].
            noise: False: none; True: the stored noise; a generator: drawn from it.
        """
        weight = self._weight(w)
        if self.growth == "default":
            x = transposed_up2(x, weight, resample_filter().to(x))
        else:
            x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
            x = x if self.growth is None else self.grow(x)
        x = x + self._noise(x, noise) if self.has_noise and noise is not False else x
        if torch.is_grad_enabled() and (x.requires_grad or self.bias.requires_grad):
            return leaky_relu(x + self.bias[:, None, None], clamp=self.clamp)
        # In place: at 512 x 512 each pass over memory costs as much as half a convolution.
        x = F.leaky_relu_(x.add_(self.bias[:, None, None]), LEAKY_SLOPE).mul_(LRELU_GAIN)
        return x if self.clamp is None else x.clamp_(-self.clamp, self.clamp)

    def _weight(self, w: Tensor) -> Tensor:
        """The modulated and demodulated weight [O, I, K, K] for w [1, w_dim], the input's magnitude included."""
        weight = self.weight * style_of(self.affine, w)[0, None, :, None, None]
        weight = weight * (weight.square().sum(dim=(1, 2, 3), keepdim=True) + EPS).rsqrt()
        return weight * self.w_avg.rsqrt() if self.magnitude else weight

    def grow(self, x: Tensor) -> Tensor:
        """Twice the resolution: [N, C, H, W] -> [N, C, 2H, 2W]."""
        match self.growth:
            case "bilinear" | "bicubic":
                return F.interpolate(x, scale_factor=2, mode=self.growth, align_corners=True)
            case "nearest":
                return low_pass(double(x))
            case "pixelshuffle":
                first, second = self._adapter()
                hidden = leaky_relu(F.conv2d(x, first.scaled(), first.bias))
                grown = double(x) + F.pixel_shuffle(F.conv2d(hidden, second.scaled(), second.bias), 2)
            case _:
                grown = double(x) + self._from_neighbours(x)
        return low_pass(grown) if self.blur else grown

    def _from_neighbours(self, x: Tensor) -> Tensor:
        """The 'nn_cat' adapter, which reads each grown pixel and the mean of its two outer neighbours.

        Its first layer is linear in both, so it runs before they are grown, on a quarter of the pixels.
        """
        first, second = self._adapter()
        own, outer = first.scaled().split(x.shape[1], dim=1)  # [O / 4, C, 1, 1] each
        hidden = double(F.conv2d(x, own, first.bias)) + outer_neighbours(F.conv2d(x, outer))
        return F.conv2d(leaky_relu(hidden), second.scaled(), second.bias)

    def _adapter(self) -> tuple[PixelLayer, PixelLayer]:
        first, second = self.adapter
        assert isinstance(first, PixelLayer)
        assert isinstance(second, PixelLayer)
        return first, second

    def _noise(self, x: Tensor, noise: torch.Generator | bool) -> Tensor:
        height, width = x.shape[-2:]
        if isinstance(noise, torch.Generator):
            drawn = torch.randn(1, 1, height, width, generator=noise).to(x.device)
        else:
            drawn = self.noise_const[None, None]
            if drawn.shape[-2:] != (height, width):  # a picture of another size than the model's own
                drawn = F.interpolate(drawn, size=(height, width), mode="nearest")
        return drawn * self.noise_strength


class UpsamplingBlock(nn.Module):
    """One resolution: two layers, and a ToRGB added to the grown image (the 'skip' architecture)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        w_dim: int,
        kernel: int,
        growth: Growth,
        blur: bool,
        magnitude: bool,
        resolution: int | None,
        clamp: float | None,
    ) -> None:
        super().__init__()
        shared = {"w_dim": w_dim, "kernel": kernel, "magnitude": magnitude, "resolution": resolution, "clamp": clamp}
        self.conv0 = UpsamplingLayer(inputs, outputs, growth=growth, blur=blur, **shared)
        self.conv1 = UpsamplingLayer(outputs, outputs, **shared)
        self.torgb = ToRGBLayer(outputs, 3, w_dim=w_dim, conv_clamp=clamp)

    def forward(
        self, x: Tensor, image: Tensor | None, ws: Tensor, noise: torch.Generator | bool = False
    ) -> tuple[Tensor, Tensor]:
        """Features [1, I, H, W] and image [1, 3, H, W] to twice their side, under ws [3, w_dim]."""
        x = self.conv0(x, ws[0:1], noise)
        x = self.conv1(x, ws[1:2], noise)
        rgb = self.torgb(x, ws[2:3])
        return x, (rgb if image is None else upsample2(image) + rgb)


def double(x: Tensor) -> Tensor:
    """Each pixel four times: [N, C, H, W] -> [N, C, 2H, 2W]."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def outer_neighbours(x: Tensor) -> Tensor:
    """For each quarter of a pixel the mean of the two pixels it touches, 0 outside: [N, C, H, W] -> [N, C, 2H, 2W]."""
    padded = F.pad(x, (1, 1, 1, 1))
    left, right = padded[..., 1:-1, :-2], padded[..., 1:-1, 2:]
    above, below = padded[..., :-2, 1:-1], padded[..., 2:, 1:-1]
    quarters = torch.stack([left + above, above + right, left + below, right + below], dim=2) / 2  # [N, C, 4, H, W]
    return F.pixel_shuffle(quarters.flatten(1, 2), 2)


def low_pass(x: Tensor) -> Tensor:
    """The [1, 3, 3, 1] filter at the same resolution, 0 outside; it moves the picture by half a pixel, officially."""
    channels = x.shape[1]
    taps = resample_filter().to(x).expand(channels, 1, 4, 4)
    return F.conv2d(F.pad(x, (2, 1, 2, 1)), taps, groups=channels)
