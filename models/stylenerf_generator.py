"""StyleNeRF as the viewer sees it: seeds to codes, codes to a scene with a field, a background and an up-sampler.

The official code draws the background's code anew for each picture; here `noise` and its seed decide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from .base import CameraDefaults, Conditioning, ModelCard, NoiseMode, Option, Scene, VolumeSettings
from .errors import CheckpointError, NeuroviewError
from .stylenerf import Bounds, StyleNeRFField, StyleNeRFNetwork
from .stylenerf_background import InverseSphereBackground
from .stylenerf_config import StyleNeRFConfig
from .stylenerf_demo import DEMO_SEEDS, OFFERED, StyleNeRFOptions, default_camera, demo_controls

GEOMETRY_LAYERS = 8
"""Codes 0..7 are 'geometry' in the demonstration, the others 'appearance'."""
MARGIN = 1.25  # of the widest view's extent, for the box around the field


class StyleNeRFGenerator:
    """A `Generator` over StyleNeRF's networks.

    Args:
        network: in evaluation mode.
        card: what the model is.
        camera: first view and ranges; None: the training camera, and the demonstration's ranges.
        options: how it is rendered.
    """

    has_conditioning = False
    offered: Sequence[Option] = OFFERED

    def __init__(
        self,
        network: StyleNeRFNetwork,
        card: ModelCard,
        *,
        camera: CameraDefaults | None = None,
        options: StyleNeRFOptions = StyleNeRFOptions(),  # noqa: B008 - frozen
    ) -> None:
        config = network.config
        self.network, self.card, self.options = network, card, options
        self.camera = camera if camera is not None else default_camera(config)
        self.demo = demo_controls(config)
        self.num_layers = config.num_ws
        self.layer_names: Sequence[str] = layer_names(config)
        self.geometry_layers: Sequence[int] = tuple(range(min(GEOMETRY_LAYERS, self.num_layers)))
        self.appearance_layers: Sequence[int] = tuple(range(GEOMETRY_LAYERS, self.num_layers))
        # Noise stands for all that the official code draws anew for each picture: the background's codes first of all.
        self.has_noise = config.noise or bool(config.background and config.background.latent)

    def configure(self, choices: Mapping[str, str]) -> StyleNeRFGenerator:
        """See `models.base.Configurable`: background = moving | frozen, steps = trained or a number."""
        spelled = []
        for name, choice in choices.items():
            if name == "background" and choice in ("moving", "frozen"):
                spelled += ["freeze_bg"] * (choice == "frozen")
            elif name == "steps":
                spelled += [f"steps:{choice}"] * (choice != "trained")
            else:
                known = "; ".join(f"{option.name} = {', '.join(option.choices)}" for option in OFFERED)
                raise CheckpointError(f"{name} = {choice!r:.40} is no option of this StyleNeRF; expected {known}.")
        try:
            return self.with_options(StyleNeRFOptions.parse(",".join(spelled)))
        except NeuroviewError as error:
            raise CheckpointError(str(error)) from error

    def with_options(self, options: StyleNeRFOptions) -> StyleNeRFGenerator:
        """The same model rendered otherwise; the networks are shared."""
        return StyleNeRFGenerator(self.network, self.card, camera=self.camera, options=options)

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008 - frozen
    ) -> Tensor:
        """Codes [num_layers, w_dim] of a seed, whose latent is `RandomState(seed).randn(1, z_dim)` as officially.

        Args:
            seed: taken modulo 2^32, which is all that numpy's generator distinguishes.
            truncation: psi; 1 keeps the code, 0 gives the average.
            cutoff: truncates only the first so many layers; None: all.
            conditioning: not read; StyleNeRF's mapping is told of no camera.
        """
        z = np.random.RandomState(seed % (1 << 32)).randn(1, self.network.config.z_dim)
        latent = torch.from_numpy(z).to(self.device, torch.float32)
        return self.network.mapping(latent, None, truncation, cutoff)[0]

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene of codes [num_layers, w_dim]; differentiable in them where they require gradients.

        Args:
            codes: from `codes`, mixed or edited at will.
            noise: which background. The official demonstration seeds it with the sum of its two seeds. 'const': with
                10, the sum of the seeds that it starts with; 'random': with `noise_seed`; 'none': the mean background.
            noise_seed: seed of 'random'.

        Raises:
            ValueError: codes have another shape.
        """
        config, synthesis = self.network.config, self.network.synthesis
        if tuple(codes.shape) != (config.num_ws, config.w_dim):
            raise ValueError(f"codes have shape {tuple(codes.shape)}, expected ({config.num_ws}, {config.w_dim})")
        ws = codes.to(self.device)
        split = config.foreground.codes
        field = StyleNeRFField(
            synthesis.fg_nerf.fold(ws[:split]),
            field_bounds(config),
            1.0 / (config.far - config.near) if config.unit_intervals else 1.0,
        )
        background = None
        if config.background is not None:
            latent = background_latent(config, noise, noise_seed)
            background = InverseSphereBackground(
                synthesis.bg_nerf.fold(ws[split : split + config.background.codes], latent.to(self.device)),
                config.background_start,
                config.background_samples,
                softplus=config.activation != "relu",
                frozen=(sum(config.radius) / 2, config.fov) if self.options.freeze_background else None,
            )
            split += config.background.codes
        levels = config.levels[0]
        return Scene(
            field=field,
            volume=volume_settings(config, self.options.steps),
            resolution=config.volume_resolution,
            image_resolution=config.volume_resolution << levels,
            upsampler=StyleNeRFUpsampler(self.network, ws[split:], noise, noise_seed) if levels else None,
            background=background,
        )

    def to(self, device: str) -> StyleNeRFGenerator:
        """Moves the network; scenes made before stay where they are."""
        self.network.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are."""
        return self.network.mapping.w_avg.device


class StyleNeRFUpsampler:
    """The up-sampler bound to its codes: features [1, 3 + C, h, w] to RGB [1, 3, H, W], about 0..1, not clipped."""

    def __init__(self, network: StyleNeRFNetwork, ws: Tensor, noise: NoiseMode, noise_seed: int) -> None:
        self._network, self._ws, self._noise, self._seed = network, ws, noise, noise_seed

    def __call__(self, features: Tensor) -> Tensor:
        source: torch.Generator | bool = self._noise == "const"
        if self._noise == "random":
            source = torch.Generator().manual_seed(self._seed)
        return self._network.upsample(features, self._ws, source)


def background_latent(config: StyleNeRFConfig, noise: NoiseMode, noise_seed: int) -> Tensor:
    """The background's random code [latent]; zeros with `noise` 'none'. Official: the second of each pair drawn."""
    width = config.background.latent if config.background is not None else 0
    if noise == "none" or width == 0:
        return torch.zeros(width)
    source = torch.Generator().manual_seed(sum(DEMO_SEEDS) if noise == "const" else noise_seed)
    torch.randn(1, width, generator=source)  # the official code draws every code twice and keeps the second
    return torch.randn(1, width, generator=source)[0]


def volume_settings(config: StyleNeRFConfig, steps: int | None = None) -> VolumeSettings:
    """How StyleNeRF's official renderer turns the field into features."""
    # The official code replaces the sample count of models that were not grown progressively.
    samples = steps or (20 if config.alpha == -1.0 else config.samples)
    side = config.image_resolution
    return VolumeSettings(
        near=config.near,
        far=config.far,
        coarse=samples,
        fine=samples if config.hierarchical else 0,
        activation=config.activation,
        quadrature="left",
        sampler="nerf",
        unit_rays=False,
        pixels="corner" if config.aligned_corners else "centre",
        pixel_stretch=side / (side - 1) if config.aligned_corners else 1.0,
        # In front of a background the last sample has no interval and lets through what is left.
        last_interval=0.0 if config.background is not None else 1e10,
        opaque_end=config.background is None,
    )


def field_bounds(config: StyleNeRFConfig) -> Bounds:
    """A cube that holds what the training camera sees from any side, with some margin."""
    deep = max(abs(config.far - config.radius[0]), abs(config.radius[0] - config.near))
    half = math.hypot(deep, math.sqrt(2) * MARGIN * config.far * math.tan(config.fov / 2))
    return (-half, -half, -half), (half, half, half)


def layer_names(config: StyleNeRFConfig) -> tuple[str, ...]:
    """A name for each code: the trunk's layers, its two heads, then the up-sampler's layers."""

    def perceptron(name: str, layers: int) -> list[str]:
        return [*(f"{name} {index}" for index in range(layers)), f"{name} density", f"{name} features"]

    names = perceptron("space", config.foreground.layers)
    if config.background is not None and config.background.styled:
        names += perceptron("behind", config.background.layers)
    for side in config.block_resolutions:
        names += [f"{side}x{side} conv0", f"{side}x{side} conv1"]
    if config.channels:
        names.append(f"{config.image_resolution}x{config.image_resolution} rgb")
    return tuple(names)
