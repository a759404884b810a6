"""StyleNeRF's networks: a modulated foreground, a NeRF++ background, and an up-sampler that keeps to the pixel.

Follows Gu, Liu, Wang and Theobalt, "StyleNeRF: A Style-based 3D-Aware Generator for High-resolution Image Synthesis"
(2022); the background is NeRF++'s (Zhang et al. 2020, section 4). Names of parameters are the official ones, so weights
load both ways. The world is the official one: z points up and the camera of yaw 0 stands on the x axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers.equalized import LEAKY_SLOPE, LRELU_GAIN
from .layers.learned_upsampling import UpsamplingBlock
from .layers.mapping import MappingNetwork
from .layers.point_layers import Linear, PixelLayer, PlainPointLayer, StyledPointLayer
from .stylenerf_config import PointMLP, StyleNeRFConfig

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]


class PointNetwork(nn.Module):
    """The perceptron's tensors; `fold` binds it to an identity and makes it callable."""

    def __init__(self, layout: PointMLP, w_dim: int) -> None:
        super().__init__()
        self.layout = layout
        width = layout.width

        def layer(inputs: int, outputs: int, *, head: bool = False, magnitude: bool = False) -> nn.Module:
            if not layout.styled:
                return PlainPointLayer(inputs, outputs)
            return StyledPointLayer(inputs, outputs, w_dim, demodulate=not head, magnitude=magnitude)

        self.fc_in = layer(layout.inputs, width)
        self.blocks = nn.ModuleList(layer(width, width, magnitude=layout.magnitude) for _ in range(layout.layers - 1))
        self.sigma_out = layer(width, 1, head=True)
        self.feat_out = layer(width, layout.features + (0 if layout.rgb_layer else 3), head=True)
        if layout.rgb_layer:
            self.to_rgb = PixelLayer(layout.features, 3)

    def fold(self, ws: Tensor, latent: Tensor | None = None) -> FoldedPoints:
        """The function of space under codes ws [layout.codes, w_dim] and a random code [layout.latent].

        Differentiable in both, and in the tensors.
        """
        layout = self.layout
        hidden = [self.fc_in, *self.blocks]
        codes = list(ws) if layout.styled else [None] * (layout.layers + 2)
        # A leaky ReLU's gain can go before it, into the matrix; the plain layers have a ReLU without gain.
        gain = LRELU_GAIN if layout.styled else 1.0
        layers = [(gain * weight, gain * bias) for weight, bias in map(_fold, hidden, codes)]
        if layout.latent:
            weight, bias = layers[0]
            split = layout.inputs - layout.latent
            if latent is not None:
                bias = bias + weight[:, split:] @ latent
            layers[0] = (weight[:, :split], bias)
        density = _fold(self.sigma_out, codes[layout.layers])
        weight, bias = _fold(self.feat_out, codes[layout.layers + 1])
        if layout.rgb_layer:
            rgb, offset = self.to_rgb.fold()
            weight, bias = torch.cat([rgb @ weight, weight]), torch.cat([rgb @ bias + offset, bias])
        # RGB comes out in -1..1; the contract wants 0..1.
        scale = torch.ones_like(bias)
        scale[:3] = 0.5
        shift = torch.zeros_like(bias)
        shift[:3] = 0.5
        features = (weight * scale[:, None], bias * scale + shift)
        slope = LEAKY_SLOPE if layout.styled else 0.0
        return FoldedPoints(layers, density, features, slope, layout.octaves, math.pi / layout.downscale)


def _fold(layer: nn.Module, code: Tensor | None) -> Linear:
    return layer.fold(code)  # type: ignore[operator]


@dataclass(frozen=True)
class FoldedPoints:
    """A perceptron for one identity, as plain matrices."""

    layers: list[Linear]
    density_head: Linear
    feature_head: Linear
    slope: float
    """Of the (leaky) ReLU below 0."""
    octaves: int
    frequency: float
    """Of the first octave, radians per unit."""

    def hidden(self, coordinates: Tensor) -> Tensor:
        """Trunk features [N, width] of coordinates [N, D]."""
        scales = self.frequency * 2.0 ** torch.arange(self.octaves, dtype=coordinates.dtype, device=coordinates.device)
        angles = coordinates[:, None] * scales[:, None]  # [N, L, D]
        x = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # sin and cos of an octave, then the next
        for weight, bias in self.layers:
            x = F.leaky_relu(F.linear(x, weight, bias), self.slope)
        return x

    def density(self, hidden: Tensor) -> Tensor:
        """Raw density [N] of trunk features."""
        return F.linear(hidden, *self.density_head)[:, 0]

    def features(self, hidden: Tensor) -> Tensor:
        """RGB (about 0..1) and features [N, 3 + C] of trunk features."""
        return F.linear(hidden, *self.feature_head)


class StyleNeRFField:
    """The foreground as a radiance field (the `RadianceField` contract); its features do not depend on the direction.

    Args:
        folded: from `PointNetwork.fold`.
        bounds: box outside of which no camera looks.
        scale: factor on the raw density, not 1 where intervals are measured in parts of near..far.
    """

    view_dependent = False

    def __init__(self, folded: FoldedPoints, bounds: Bounds, scale: float = 1.0) -> None:
        self.folded, self.bounds, self.scale = folded, bounds, scale
        self.features = len(folded.feature_head[1])

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and features [N, 3 + C] at points [N, 3]."""
        hidden = self.folded.hidden(points)
        return self.scale * self.folded.density(hidden), self.folded.features(hidden)

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return self.folded.feature_head[1].device

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""
        return self.scale * self.folded.density(self.folded.hidden(points))


class StyleNeRFSynthesis(nn.Module):
    """Everything behind the mapping network."""

    alpha: Tensor

    def __init__(self, config: StyleNeRFConfig) -> None:
        super().__init__()
        self.fg_nerf = PointNetwork(config.foreground, config.w_dim)
        if config.background is not None:
            self.bg_nerf = PointNetwork(config.background, config.w_dim)
        inputs = config.foreground.features
        self.block_names = [f"b{resolution}" for resolution in config.block_resolutions]
        for name, resolution, outputs in zip(self.block_names, config.block_resolutions, config.channels, strict=True):
            block = UpsamplingBlock(
                inputs,
                outputs,
                w_dim=config.w_dim,
                kernel=config.kernel,
                growth=config.growth,
                blur=config.blur,
                magnitude=config.magnitude,
                resolution=resolution if config.noise else None,
                clamp=config.clamp,
            )
            setattr(self, name, block)
            inputs = outputs
        self.register_buffer("alpha", torch.tensor(-1.0))

    def blocks(self) -> list[UpsamplingBlock]:
        """From low to high resolution."""
        return [getattr(self, name) for name in self.block_names]


class StyleNeRFNetwork(nn.Module):
    """Mapping and synthesis, as an official `Generator` holds them."""

    def __init__(self, config: StyleNeRFConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(
            z_dim=config.z_dim,
            c_dim=0,
            w_dim=config.w_dim,
            num_ws=config.num_ws,
            num_layers=config.mapping_layers,
        )
        self.synthesis = StyleNeRFSynthesis(config)

    def upsample(self, features: Tensor, ws: Tensor, noise: torch.Generator | bool = False) -> Tensor:
        """Composited features [1, 3 + C, h, w], RGB in 0..1, to the picture [1, 3, H, W], about 0..1, not clipped.

        Args:
            features: of any size; the picture is 2^blocks times as large.
            ws: the codes behind the two perceptrons' [2 blocks + 1, w_dim].
            noise: see `UpsamplingLayer`.
        """
        config = self.config
        image, x = features[:, :3] * 2 - 1, features[:, 3:]
        count, share = config.levels
        before = image
        for index, block in enumerate(self.synthesis.blocks()[:count]):
            codes = ws[2 * index : 2 * index + 3]
            if config.shared_rgb:
                codes = torch.cat([codes[:2], ws[-1:]])
            before = image
            x, image = block(x, image if config.residual_image else None, codes, noise)
        if share < 1.0:  # grown half-way: the block fades in
            image = torch.lerp(F.interpolate(before, image.shape[-2:], mode="bilinear"), image, share)
        if config.crop is not None:
            height, width = config.crop
            edge = int(image.shape[-1] * (1 - height / width) / 2)
            if edge > 0:
                image = image.clone()
                image[:, :, :edge] = image[:, :, -edge:] = -1.0
        return image * 0.5 + 0.5
