"""One scene that was read whole from a file, as a generator without latents; for fields that are not `NeRFNetwork`s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from .base import CameraDefaults, Conditioning, ModelCard, NoiseMode, Pose, RadianceField, Scene, VolumeSettings


class MovableField(RadianceField, Protocol):
    """A field that says where its tensors are and can move them."""

    @property
    def device(self) -> torch.device: ...

    def to(self, device: str | torch.device) -> MovableField: ...


class SceneGenerator:
    """One field, in the `Generator` contract: `num_layers` is 0, seeds and mixing do nothing. Also `Posed`.

    Args:
        field: the scene.
        proposal: places the fine samples; None: the field does so itself.
        volume: how it is rendered.
        card: what the model is.
        camera: first view and its ranges.
        poses: cameras of its training pictures.
        resolution: side of the native picture in pixels.
    """

    num_layers = 0
    geometry_layers: Sequence[int] = ()
    appearance_layers: Sequence[int] = ()
    layer_names: Sequence[str] = ()
    has_noise = False
    has_conditioning = False

    def __init__(
        self,
        field: MovableField,
        proposal: MovableField | None,
        volume: VolumeSettings,
        card: ModelCard,
        camera: CameraDefaults,
        poses: Sequence[Pose] = (),
        resolution: int = 400,
    ) -> None:
        self.field, self.proposal, self.volume = field, proposal, volume
        self.card, self.camera, self.poses = card, camera, poses
        self.resolution = resolution

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008
    ) -> Tensor:
        """No codes: [0, 0], whatever is asked."""
        return torch.zeros(0, 0, device=self.field.device)

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene."""
        return Scene(self.field, self.volume, self.resolution, self.resolution, proposal=self.proposal)

    def to(self, device: str) -> SceneGenerator:
        """Moves the fields."""
        self.field = self.field.to(device)
        self.proposal = None if self.proposal is None else self.proposal.to(device)
        return self
