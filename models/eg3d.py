"""EG3D's networks: a StyleGAN2 backbone that draws three planes, a small decoder, and super-resolution.

Follows Chan et al., "Efficient Geometry-aware 3D Generative Adversarial Networks" (2022), sections 4.1 to 4.3. Module
and tensor names are the official ones, at any size. Volume rendering stands between the decoder and the
super-resolution and is not here: `TriPlaneField` is what a renderer reads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .eg3d_config import EG3DConfig, EG3DRendering
from .eg3d_refiner import RayRefiner
from .layers.equalized import FullyConnectedLayer
from .layers.mapping import MappingNetwork
from .layers.stylegan2 import NoiseMode, SynthesisBlock, SynthesisBlockNoUp

__all__ = [
    "EG3DConfig",
    "EG3DRendering",
    "OSGDecoder",
    "SuperResolution",
    "TriPlaneBackbone",
    "TriPlaneField",
    "TriPlaneGenerator",
    "merge_planes",
    "sample_planes",
]

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]

# Colours are a sigmoid widened by this on both sides, so that 0 and 1 are reachable (Barron et al. 2021, mip-NeRF).
RGB_MARGIN = 0.001


class SynthesisNetwork(nn.Module):
    """StyleGAN2's skip generator from 4 x 4 to the planes' resolution."""

    def __init__(self, config: EG3DConfig) -> None:
        super().__init__()
        self.block_resolutions = config.block_resolutions
        previous = 0
        for resolution in self.block_resolutions:
            width = config.channels_at(resolution)
            block = SynthesisBlock(
                previous,
                width,
                w_dim=config.w_dim,
                resolution=resolution,
                img_channels=3 * config.plane_channels,
                conv_clamp=config.conv_clamp,
            )
            setattr(self, f"b{resolution}", block)
            previous = width

    def forward(self, ws: Tensor, noise_mode: NoiseMode = "const", generator: torch.Generator | None = None) -> Tensor:
        """Maps ws [N, num_ws, w_dim] to the image of planes [N, 3 * plane_channels, R, R]."""
        x: Tensor | None = None
        image: Tensor | None = None
        start = 0
        for resolution in self.block_resolutions:
            block: SynthesisBlock = getattr(self, f"b{resolution}")
            # ToRGB shares its w with the next block's first layer.
            x, image = block(x, image, ws[:, start : start + block.num_conv + 1], noise_mode, generator)
            start += block.num_conv
        assert image is not None
        return image


class TriPlaneBackbone(nn.Module):
    """Mapping and synthesis networks (section 4.1)."""

    def __init__(self, config: EG3DConfig) -> None:
        super().__init__()
        self.synthesis = SynthesisNetwork(config)
        self.mapping = MappingNetwork(
            z_dim=config.z_dim,
            c_dim=config.c_dim,
            w_dim=config.w_dim,
            num_ws=config.num_ws,
            num_layers=config.mapping_layers,
            lr_multiplier=config.mapping_lr_multiplier,
        )


class OSGDecoder(nn.Module):
    """Turns plane features into a raw density and a colour feature with one hidden layer (section 4.1)."""

    def __init__(self, channels: int, hidden: int = 64, features: int = 32, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.features = features
        self.net = nn.Sequential(
            FullyConnectedLayer(channels, hidden, lr_multiplier=lr_multiplier),
            nn.Softplus(),
            FullyConnectedLayer(hidden, 1 + features, lr_multiplier=lr_multiplier),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Maps the planes' mean features [..., C] to raw density [...] and features [..., F] within [-0.001, 1.001]."""
        out = self.net(features)
        return out[..., 0], torch.sigmoid(out[..., 1:]) * (1 + 2 * RGB_MARGIN) - RGB_MARGIN


class SuperResolution(nn.Module):
    """Two StyleGAN2 blocks that enlarge the rendered feature image, styled by the last w (section 4.3)."""

    def __init__(self, config: EG3DConfig) -> None:
        super().__init__()
        assert config.sr_channels is not None
        first, second = config.sr_channels
        self.kind = config.superresolution
        self.input_resolution, self.antialias = config.sr_input_resolution, config.sr_antialias
        keeps = self.kind in ("2X", "4X")
        block0 = SynthesisBlockNoUp if keeps else SynthesisBlock
        shared = {"w_dim": config.w_dim, "img_channels": 3, "conv_clamp": config.sr_conv_clamp}
        middle = config.sr_input_resolution * (1 if keeps else 2)
        self.block0 = block0(config.decoder_features, first, resolution=middle, **shared)
        self.block1 = SynthesisBlock(first, second, resolution=middle * 2, **shared)

    def resize(self, image: Tensor) -> Tensor:
        """Brings [N, C, H, W] to the input resolution; the 4X module leaves a larger one as it is, as officially."""
        size, wanted = image.shape[-1], self.input_resolution
        if size == wanted or (self.kind == "4X" and size > wanted):
            return image
        return F.interpolate(
            image, size=(wanted, wanted), mode="bilinear", align_corners=False, antialias=self.antialias
        )

    def forward(
        self,
        rgb: Tensor,
        features: Tensor,
        ws: Tensor,
        noise_mode: NoiseMode = "none",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Maps rgb [N, 3, H, W] and features [N, F, H, W], both rendered, to an image [N, 3, R, R] of about [-1, 1].

        Only ws[:, -1] is read.
        """
        w = ws[:, -1:].expand(-1, 3, -1)
        x, image = self.block0(self.resize(features), self.resize(rgb), w, noise_mode, generator)
        return self.block1(x, image, w, noise_mode, generator)[1]


class TriPlaneGenerator(nn.Module):
    """The whole EG3D generator save the ray integration; tensor names as in official checkpoints."""

    def __init__(self, config: EG3DConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = TriPlaneBackbone(config)
        self.superresolution = SuperResolution(config)
        self.decoder = OSGDecoder(
            config.plane_channels, config.decoder_hidden, config.decoder_features, config.decoder_lr_mul
        )
        self.refiner: RayRefiner | None = None
        if config.refiner_channels:
            factor = config.image_resolution // config.rays_across
            self.refiner = RayRefiner(config.decoder_features, config.refiner_channels, factor)

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Maps z [N, z_dim] and the conditioning camera c [N, c_dim] to ws [N, num_ws, w_dim] (section 4.4)."""
        if self.config.c_dim > 0 and c is not None:
            rendering = self.config.rendering
            c = torch.zeros_like(c) if rendering.c_gen_conditioning_zero else c * rendering.c_scale
        return self.backbone.mapping(z, c, truncation_psi, truncation_cutoff)

    def planes(self, ws: Tensor, noise_mode: NoiseMode = "const", generator: torch.Generator | None = None) -> Tensor:
        """Draws the three planes of ws [N, num_ws, w_dim]: [N, 3, C, R, R], contiguous in that order."""
        image = self.backbone.synthesis(ws, noise_mode, generator).contiguous()
        return image.unflatten(1, (3, self.config.plane_channels))

    def query(self, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N, M] and features [N, M, F] at points [N, M, 3] (scene units) in planes [N, 3, C, R, R]."""
        return self.decoder(sample_planes(planes, points, self.config.rendering.box_warp))

    def upsample(
        self,
        feature_image: Tensor,
        ws: Tensor,
        noise_mode: NoiseMode | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Turns the rendered feature image [N, F, H, W] in [-1, 1] into the final image [N, 3, R, R].

        `noise_mode` None takes the configuration's `sr_noise_mode`.
        """
        mode: NoiseMode = self.config.sr_noise_mode if noise_mode is None else noise_mode
        return self.superresolution(feature_image[:, :3], feature_image, ws, mode, generator)


def sample_planes(planes: Tensor, points: Tensor, box_warp: float) -> Tensor:
    """The mean of the three planes' features at points (section 4.1), bilinear, zero outside.

    The published models project on (x, y), (x, z) and (z, x): a slip in the official axes that all weights rely on.

    Args:
        planes: [N, 3, C, R, R], rows first; or [N, 2, C, R, R] from `merge_planes`.
        points: [N, M, 3] in scene units; the planes span [-box_warp / 2, box_warp / 2].

    Returns:
        Features [N, M, C].
    """
    scaled = points * (2.0 / box_warp)
    axes = [(0, 1), (0, 2), (2, 0)][: planes.shape[1]]
    total: Tensor | None = None
    for index, pair in enumerate(axes):
        grid = scaled[:, None, :, pair]  # [N, 1, M, 2]: column, row
        looked_up = F.grid_sample(planes[:, index], grid.to(planes.dtype), align_corners=False)[:, :, 0]
        total = looked_up if total is None else total + looked_up
    assert total is not None
    return total.transpose(1, 2) / 3.0


def merge_planes(planes: Tensor) -> Tensor:
    """Adds the transposed third plane to the second: [N, 3, C, R, R] -> [N, 2, C, R, R], one look-up fewer, exactly.

    Possible because those two planes read the same pair of coordinates, (x, z) and (z, x).
    """
    return torch.stack([planes[:, 0], planes[:, 1] + planes[:, 2].transpose(-1, -2)], dim=1)


class TriPlaneField:
    """A radiance field: planes and a decoder, asked for points (the `RadianceField` contract).

    Args:
        planes: [1, 3, C, R, R], or [1, 2, C, R, R] when already merged.
        decoder: turns features into raw density and features.
        box_warp: side of the cube the planes span.
        merged: merge planes 1 and 2 first; agrees to about 1e-6 and saves a third of the look-ups.

    Raises:
        ValueError: planes are not of one sample.
    """

    def __init__(self, planes: Tensor, decoder: OSGDecoder, box_warp: float, *, merged: bool = False) -> None:
        if planes.ndim != 5 or planes.shape[0] != 1 or planes.shape[1] not in (2, 3):
            raise ValueError(f"planes have shape {tuple(planes.shape)}, expected [1, 3, C, R, R]")
        self.planes = merge_planes(planes) if merged and planes.shape[1] == 3 else planes
        self.decoder = decoder
        self.box_warp = float(box_warp)
        self.features = decoder.features
        self.view_dependent = False
        half = self.box_warp / 2
        self.bounds: Bounds = ((-half, -half, -half), (half, half, half))

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and features [N, F] at points [N, 3]; EG3D does not look at directions."""
        return self.decoder(sample_planes(self.planes, points[None], self.box_warp)[0])
