"""EditNeRF as the viewer sees it: a seed chooses a training instance, its two codes are the latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .base import Conditioning, FirstIdentity, ModelCard, NoiseMode, Option, Pose, Scene
from .cards import camera_facts
from .editnerf import EditNeRFNetwork
from .editnerf_field import EditNeRFField
from .editnerf_setting import DATA_SETS, EditNeRFSetting
from .errors import CheckpointError

FOUND = "as found"
"""The choice of the setting that the file was opened with."""


class EditNeRFGenerator:
    """A `Generator` over a conditional radiance field: two layers of codes, the shape's and the colour's.

    There are as many identities as training instances, n: seed s is instance s modulo n, so instance 0 comes again
    after instance n - 1. Mixing seed B's geometry (appearance) into seed A is the official shape (colour) transfer at
    1, and a code in between below it. The official scripts draw no new codes.

    Args:
        coarse: places the fine samples; with `fine` None it is the scene itself.
        fine: the scene; None: trained without importance sampling.
        styles: [n, 2, code] shape and colour code of every training instance.
        card: what the model is.
        setting: camera and sampling.
    """

    num_layers = 2
    geometry_layers: Sequence[int] = (0,)
    appearance_layers: Sequence[int] = (1,)
    layer_names: Sequence[str] = ("shape", "colour")
    has_noise = False
    has_conditioning = False

    def __init__(
        self,
        coarse: EditNeRFNetwork,
        fine: EditNeRFNetwork | None,
        styles: Tensor,
        card: ModelCard,
        setting: EditNeRFSetting,
    ) -> None:
        self.coarse, self.fine, self.styles, self.card, self.setting = coarse, fine, styles, card, setting
        self.camera = setting.camera
        self.poses: Sequence[Pose] = setting.poses
        # Untruncated: at any less no training instance would be shown as it was learned.
        self.first_identity = FirstIdentity(seeds=(0, 1 % len(styles)), truncation=1.0)
        self._opened = setting
        self.offered: Sequence[Option] = (
            Option(
                "preset",
                "Trained on",
                (FOUND, *DATA_SETS),
                FOUND,
                f"Camera and ray limits of the data set; found: {setting.name}. No checkpoint says which.",
            ),
        )

    def configure(self, choices: Mapping[str, str]) -> EditNeRFGenerator:
        """See `models.base.Configurable`: preset = one of the official data sets."""
        preset = choices.get("preset", FOUND)
        if set(choices) - {"preset"} or preset not in (FOUND, *DATA_SETS):
            asked = ", ".join(f"{name} = {choice}"[:40] for name, choice in choices.items())
            raise CheckpointError(f"{asked} is no option of this EditNeRF; expected preset = {', '.join(DATA_SETS)}.")
        setting = self._opened if preset == FOUND else DATA_SETS[preset]
        card = replace(
            self.card,
            configuration={**self.card.configuration, "camera of": setting.name},
            training={**self.card.training, **camera_facts(setting.camera)},
        )
        made = EditNeRFGenerator(self.coarse, self.fine, self.styles, card, setting)
        made._opened, made.offered = self._opened, self.offered
        return made

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.styles.device

    @property
    def network(self) -> EditNeRFNetwork:
        """The network that is the scene, the one that edits change: the fine one, where there is one."""
        return self.coarse if self.fine is None else self.fine

    @property
    def instances(self) -> int:
        """Training instances, each with codes of its own."""
        return len(self.styles)

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008
    ) -> Tensor:
        """Codes [2, code] of training instance `seed` modulo their number: the shape's and the colour's.

        Args:
            seed: any integer.
            truncation: 1: the instance itself; 0: the mean of all instances' codes.
            cutoff: truncates only the first so many of the two; None: both.
            conditioning: not read; EditNeRF is told of no camera.
        """
        codes = self.styles[seed % len(self.styles)].clone()
        if truncation != 1.0:
            part, mean = slice(None if cutoff is None else max(cutoff, 0)), self.styles.mean(dim=0)
            codes[part] = mean[part] + truncation * (codes[part] - mean[part])
        return codes

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene of codes [2, code], made from the networks' present weights.

        Its fields are `EditNeRFField`s, and differentiable in the codes where those ask for it.

        Raises:
            ValueError: codes have another shape.
        """
        expected = tuple(self.styles.shape[1:])
        if tuple(codes.shape) != expected:
            raise ValueError(f"codes have shape {tuple(codes.shape)}, expected {expected}")
        codes = codes.to(self.device)

        def field(network: EditNeRFNetwork) -> EditNeRFField:
            return EditNeRFField(network, codes[0], codes[1], self.setting.bounds)

        volume = self.setting.volume
        return Scene(
            field=field(self.network),
            volume=replace(volume, fine=0) if self.fine is None else volume,
            resolution=self.setting.resolution,
            image_resolution=self.setting.resolution,
            proposal=None if self.fine is None else field(self.coarse),
        )

    def to(self, device: str) -> EditNeRFGenerator:
        """Moves networks and codes; scenes made before stay where they were."""
        self.coarse.to(device)
        if self.fine is not None:
            self.fine.to(device)
        self.styles = self.styles.to(device)
        return self
