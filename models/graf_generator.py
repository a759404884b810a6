"""GRAF as the viewer sees it: a seed gives a shape and an appearance, both give the NeRF of one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .base import Conditioning, ModelCard, NoiseMode, Option, Scene
from .cards import camera_facts
from .errors import CheckpointError
from .graf import GRAFNetwork
from .graf_setting import DATA_SETS, GRAFSetting, setting_of
from .nerf import NeRFField

FINE_SAMPLES = 64
"""Importance samples of a model that has a second network, where no configuration says how many."""
FOUND = "as found"
"""The choice of the setting that the file was opened with."""


class GRAFGenerator:
    """A `Generator` over GRAF's network(s): two layers of codes, the shape's and the appearance's.

    Args:
        network: the network, or the coarse one of two.
        fine: the fine network; None in all published models.
        card: what the model is.
        setting: camera and sampling.
    """

    num_layers = 2
    geometry_layers: Sequence[int] = (0,)
    appearance_layers: Sequence[int] = (1,)
    layer_names: Sequence[str] = ("shape", "appearance")
    has_noise = False
    has_conditioning = False

    def __init__(self, network: GRAFNetwork, fine: GRAFNetwork | None, card: ModelCard, setting: GRAFSetting) -> None:
        self.network, self.fine, self.card, self.setting = network, fine, card, setting
        self.camera = setting.camera
        self._opened = setting
        self.offered: Sequence[Option] = (
            Option(
                "preset",
                "Trained on",
                (FOUND, *DATA_SETS),
                FOUND,
                f"Camera, ray limits and background of the data set; found: {setting.name}. No checkpoint says which.",
            ),
        )

    def configure(self, choices: Mapping[str, str]) -> GRAFGenerator:
        """See `models.base.Configurable`: preset = one of the official data sets."""
        preset = choices.get("preset", FOUND)
        if set(choices) - {"preset"} or preset not in (FOUND, *DATA_SETS):
            asked = ", ".join(f"{name} = {choice}"[:40] for name, choice in choices.items())
            raise CheckpointError(f"{asked} is no option of this GRAF; expected preset = {', '.join(DATA_SETS)}.")
        setting = self._opened
        if preset != FOUND:
            setting = setting_of({"data": {**DATA_SETS[preset], "type": preset, "imsize": setting.resolution}})
        card = replace(
            self.card,
            configuration={**self.card.configuration, "camera of": setting.name},
            training={**self.card.training, **camera_facts(setting.camera)},
        )
        made = GRAFGenerator(self.network, self.fine, card, setting)
        made._opened = self._opened
        return made

    @property
    def device(self) -> torch.device:
        """Where the networks' tensors are."""
        return self.network.alpha_linear.bias.device

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008
    ) -> Tensor:
        """Codes [2, width] of a seed: the shape's and the appearance's, the narrower one padded with zeros.

        The official scripts draw normal numbers without a seed; ours are `RandomState(seed).randn`, shape first. Their
        mean is 0, so truncation scales them.

        Args:
            seed: taken modulo 2^32.
            truncation: factor on the codes; 0 gives the mean object.
            cutoff: scales only the first so many of the two; None: both.
            conditioning: not read; GRAF is told of no camera.
        """
        layout = self.network.layout
        drawn = np.random.RandomState(seed % (1 << 32)).randn(layout.shape_code + layout.appearance_code)
        numbers = torch.from_numpy(drawn).float()
        codes = torch.zeros(2, layout.code_width)
        codes[0, : layout.shape_code] = numbers[: layout.shape_code]
        codes[1, : layout.appearance_code] = numbers[layout.shape_code :]
        codes[: 2 if cutoff is None else max(cutoff, 0)] *= truncation
        return codes.to(self.device)

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene of codes [2, width]; not differentiable in them, they are folded into the network.

        Raises:
            ValueError: codes have another shape.
        """
        layout, setting = self.network.layout, self.setting
        if tuple(codes.shape) != (2, layout.code_width):
            raise ValueError(f"codes have shape {tuple(codes.shape)}, expected (2, {layout.code_width})")
        codes = codes.detach().to(self.device)
        shape, appearance = codes[0, : layout.shape_code], codes[1, : layout.appearance_code]

        def field(network: GRAFNetwork) -> NeRFField:
            return NeRFField(network.condition(shape, appearance), setting.bounds)

        volume = setting.volume
        if self.fine is None:
            volume = replace(volume, fine=0)
        elif volume.fine == 0:
            volume = replace(volume, fine=FINE_SAMPLES)
        return Scene(
            field=field(self.network if self.fine is None else self.fine),
            volume=volume,
            resolution=setting.resolution,
            image_resolution=setting.resolution,
            proposal=None if self.fine is None else field(self.network),
        )

    def to(self, device: str) -> GRAFGenerator:
        """Moves the networks; scenes made before stay where they were."""
        self.network.to(device)
        if self.fine is not None:
            self.fine.to(device)
        return self
