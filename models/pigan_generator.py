"""pi-GAN as the viewer sees it: seeds to frequencies and phases, those to a scene that is rendered as officially."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from .base import Conditioning, FirstIdentity, ModelCard, NoiseMode, Option, Scene
from .cards import camera_facts
from .errors import CheckpointError
from .pigan import PiGANField, PiGANLayout, PiGANNetwork
from .pigan_presets import PRESETS, PiGANPreset, default_preset

Weights = Literal["ema", "raw"]

NATIVE_RESOLUTION = 128
"""Side of the native picture, pixels: the largest that the official models were trained at (evaluation draws 256)."""

OWN = "own"
"""Name of the preset of a model that was trained on a person's own pictures."""

AVERAGE_COUNT = 10_000
"""Latents in the average that truncation pulls towards; officially redrawn for every picture."""
AVERAGE_SEED = 0
_AVERAGE_CHUNK = 1000

# How far a stored average may lie from ours, in standard errors of two such averages (root mean square over all
# outputs, expected: 1). The oracle's is 0.9-1.0 from the weights that it was drawn with and 1.6 from the others.
_SAME_WEIGHTS = 1.3


@dataclass(frozen=True)
class PiGANOptions:
    """What the official scripts take from the curriculum or the command line, and no checkpoint holds."""

    preset: str = "celeba"
    """Key of `PRESETS`: camera, ray, samples and background."""
    weights: Weights = "ema"
    """'ema': the moving average of the weights, as officially evaluated; 'raw': those of the last training step."""
    lock_view_dependence: bool = False
    """Whether every side is coloured as seen from the front."""


class PiGANGenerator:
    """A `Generator` over pi-GAN's networks.

    A code [2 width] belongs to each FiLM layer: its frequencies as mapped (`15 f + 30` is taken later) and its phases.
    Density depends on all layers of the trunk, colour on those and on the colour layer: the trunk's codes are the
    geometry, though they carry most of the colour too, and the rest is the appearance that leaves the shape alone.

    Args:
        networks: 'raw', 'ema' or both, of one layout.
        card: what the model is.
        options: None: the class's default preset, averaged weights where there are any.
        stored_average: codes [layers, 2 width] of an average that came with the file; used by those weights that it
            fits, see `average_codes`.
        own: camera, ray and background of the pictures that it was trained on; offered as the preset 'own'.

    Raises:
        ValueError: no network, an unknown preset, or weights that are not there.
    """

    has_noise = False
    has_conditioning = False

    def __init__(
        self,
        networks: Mapping[Weights, PiGANNetwork],
        card: ModelCard,
        options: PiGANOptions | None = None,
        *,
        stored_average: Tensor | None = None,
        own: PiGANPreset | None = None,
    ) -> None:
        if not networks:
            raise ValueError("a pi-GAN generator needs raw or averaged weights, found neither")
        layout = next(iter(networks.values())).layout
        if options is None:
            options = PiGANOptions(default_preset(layout.model), "ema" if "ema" in networks else "raw")
        self.own = own
        self._presets = PRESETS if own is None else {OWN: own, **PRESETS}
        if options.preset not in self._presets:
            raise ValueError(f"the preset is {options.preset!r}; expected one of {', '.join(self._presets)}")
        if options.weights not in networks:
            raise ValueError(f"{options.weights!r} weights are wanted; there are only {', '.join(networks)}")
        self.networks = networks
        self.options = options
        self._opened = options
        self.camera = self.preset.camera
        self.card = replace(
            card,
            configuration={**card.configuration, **asdict(options)},
            training={**card.training, "data": self.preset.title, **camera_facts(self.camera)},
        )
        self.num_layers = layout.layers
        self.geometry_layers: Sequence[int] = tuple(range(layout.depth))
        self.appearance_layers: Sequence[int] = tuple(range(layout.depth, layout.layers))
        colours = ["FiLM colour", *(f"FiLM colour {index}" for index in range(1, layout.colour_depth))]
        self.layer_names: Sequence[str] = (*(f"FiLM {index}" for index in range(layout.depth)), *colours)
        self.first_identity: FirstIdentity | None = None
        self._stored_average = stored_average
        self._averages: dict[Weights, Tensor] = {}

    @property
    def network(self) -> PiGANNetwork:
        """The network with the chosen weights."""
        return self.networks[self.options.weights]

    @property
    def layout(self) -> PiGANLayout:
        """Sizes of the network."""
        return self.network.layout

    @property
    def preset(self) -> PiGANPreset:
        """The chosen camera, ray, samples and background."""
        return self._presets[self.options.preset]

    @property
    def device(self) -> torch.device:
        """Where the networks' tensors are."""
        return self.network.final_layer.bias.device

    @property
    def offered(self) -> tuple[Option, ...]:
        """The choices of the official scripts, as a panel offers them; the defaults are those of the opened file."""
        usual = self._opened
        choices = (
            Option(
                "weights",
                "Weights",
                tuple(self.networks),
                usual.weights,
                "ema: the moving average, as officially evaluated. raw: those of the last training step.",
            ),
            Option(
                "preset",
                "Trained on",
                tuple(self._presets),
                usual.preset,
                "Camera, ray limits, samples and background of the data set. No checkpoint says which it was.",
                tuple(preset.camera for preset in self._presets.values()),
            ),
            Option(
                "lock_view_dependence",
                "View dependence",
                ("free", "locked"),
                "locked" if usual.lock_view_dependence else "free",
                "locked: every side is coloured as seen from the front.",
            ),
        )
        return choices if self.network.view_dependent else choices[:-1]

    def configure(self, choices: Mapping[str, str]) -> PiGANGenerator:
        """See `models.base.Configurable`; other spellings of `with_options`."""
        changes: dict[str, Any] = asdict(self._opened)
        for name, choice in choices.items():
            offer = next((o for o in self.offered if o.name == name), None)
            if offer is None or choice not in offer.choices:
                known = ", ".join(offer.choices) if offer else ", ".join(o.name for o in self.offered)
                raise CheckpointError(f"{name} = {choice!r:.40} is no option of this pi-GAN; expected one of {known}.")
            changes[name] = choice == "locked" if name == "lock_view_dependence" else choice
        return self.with_options(**changes)

    def with_options(self, **changes: Any) -> PiGANGenerator:
        """The same networks under other `PiGANOptions`, e.g. `with_options(weights="raw")`; this one stays as it is.

        Raises:
            ValueError: an unknown preset, or weights that are not there.
        """
        options = replace(self.options, **changes)
        made = PiGANGenerator(self.networks, self.card, options, stored_average=self._stored_average, own=self.own)
        made._averages = self._averages
        made._opened = self._opened
        made.first_identity = self.first_identity
        return made

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008
    ) -> Tensor:
        """Codes [layers, 2 width] of a seed, whose latent follows `torch.manual_seed(seed)` on the CPU, as officially.

        Args:
            seed: taken modulo 2^64, which is all that torch distinguishes.
            truncation: psi; 1 keeps the code, 0 gives the average.
            cutoff: truncates only the first so many layers; None: all, as officially.
            conditioning: not used; pi-GAN's mapping network knows no camera.
        """
        source = torch.Generator().manual_seed(seed % (1 << 64))
        return self.codes_of_latent(torch.randn(1, self.layout.z_dim, generator=source), truncation, cutoff)[0]

    def codes_of_latent(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Codes [N, layers, 2 width] of latents z [N, z_dim]: average + truncation (mapped - average)."""
        mapped = self.network.codes(z.to(self.device, torch.float32))
        if truncation == 1:
            return mapped
        average = self.average_codes()
        truncated = average + truncation * (mapped - average)
        return truncated if cutoff is None else torch.cat([truncated[:, :cutoff], mapped[:, cutoff:]], dim=1)

    @torch.no_grad()
    def average_codes(self) -> Tensor:
        """The average code [layers, 2 width] of the chosen weights, found once.

        A stored average is one of the draws that the official code makes anew for each picture, so it is used where
        it fits the weights to within the scatter of such draws. Else, as with raw weights beside an average that was
        drawn from the averaged ones, it is taken over 10,000 latents of a fixed seed.
        """
        average = self._averages.get(self.options.weights)
        if average is None:
            average, scatter = self._sampled_average()
            stored = self._stored_average
            if stored is not None:
                away = (stored.to(average) - average) / (scatter * (2 / AVERAGE_COUNT) ** 0.5).clamp_min(1e-12)
                if float(away.square().mean().sqrt()) < _SAME_WEIGHTS:
                    average = stored.to(average)
            self._averages[self.options.weights] = average
        return average.to(self.device)

    def _sampled_average(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [layers, 2 width] of the codes of `AVERAGE_COUNT` latents.

        The last layer is affine, so its 4608 outputs need not be computed one by one: mean W m + b, and variances on
        the diagonal of W C W^T, of the mean m and covariance C of the 256 numbers before it.
        """
        *before, final = self.network.mapping_network.network
        last = cast("nn.Linear", final)
        source = torch.Generator().manual_seed(AVERAGE_SEED)
        width = last.in_features
        total = torch.zeros(width, dtype=torch.float64, device=self.device)
        squares = torch.zeros(width, width, dtype=torch.float64, device=self.device)
        for _ in range(AVERAGE_COUNT // _AVERAGE_CHUNK):
            hidden = torch.randn(_AVERAGE_CHUNK, self.layout.z_dim, generator=source).to(self.device)
            for stage in before:
                hidden = stage(hidden)
            hidden = hidden.double()
            total += hidden.sum(0)
            squares += hidden.T @ hidden
        mean = total / AVERAGE_COUNT
        covariance = squares / AVERAGE_COUNT - mean[:, None] * mean
        weight, bias = last.weight.double(), last.bias.double()
        scatter = ((weight @ covariance) * weight).sum(1).clamp_min(0).sqrt()
        shape = (2, self.num_layers, self.layout.width)
        both = torch.stack([weight @ mean + bias, scatter]).float().view(2, *shape)  # statistic, f or beta, layer
        return tuple(both.transpose(1, 2).flatten(2))  # type: ignore[return-value]

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene of codes [layers, 2 width]; differentiable in them where they require gradients.

        Args:
            codes: from `codes`, mixed or edited at will.
            noise: not used; pi-GAN has none.
            noise_seed: not used.

        Raises:
            ValueError: codes have another shape.
        """
        expected = (self.num_layers, 2 * self.layout.width)
        if tuple(codes.shape) != expected:
            raise ValueError(f"codes have shape {tuple(codes.shape)}, expected {expected}")
        preset = self.preset
        locked = self.options.lock_view_dependence or not self.network.view_dependent
        around = preset.camera.yaw_range[1] > 0.5 * math.pi
        closed = preset.volume.near is None and preset.volume.far is None
        field = PiGANField(
            self.network, codes.to(self.device), preset.bounds, locked=locked, around=around, closed=closed
        )
        return Scene(
            field=field,
            volume=preset.volume,
            resolution=NATIVE_RESOLUTION,
            image_resolution=NATIVE_RESOLUTION,
        )

    def to(self, device: str) -> PiGANGenerator:
        """Moves the networks, which generators made by `with_options` share; scenes made before stay where they are."""
        for network in self.networks.values():
            network.to(device)
        return self
