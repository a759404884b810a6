"""What the two kinds of NeRF have in common while they train: rays in, colours out, a viewable scene in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from ...models.base import CameraDefaults, Generator, ModelCard, Pose, VolumeSettings
from .nerf_march import Cube


class PackedField(Protocol):
    """What is asked at the samples."""

    cube: Cube

    def trunk(self, points: Tensor, window: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and what `colour` needs [N, G] at world points [N, 3]; `window`: factors on the encoding."""
        ...

    def density(self, raw: Tensor) -> Tensor:
        """Raw density [N] -> density [N], 1 / world unit."""
        ...

    def colour(self, features: Tensor, directions: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3] of features [N, G] seen along unit directions [N, 3]."""
        ...


@dataclass(frozen=True)
class RenderedRays:
    """What N rays gathered, without a background."""

    rgb: Tensor
    """[N, 3]"""
    alpha: Tensor
    """[N]"""
    samples: int
    """Where the colour was asked, all rays together."""


@dataclass(frozen=True)
class Shown:
    """How a scene is presented, whatever is inside."""

    card: ModelCard
    camera: CameraDefaults
    poses: tuple[Pose, ...]
    white: bool
    """Whether the background is white."""
    resolution: int


def box_volume(samples: int, white: bool) -> VolumeSettings:
    """How a trained scene is looked at: rays cross its box with `samples` that look for the surface and as many that
    refine it, then meet the background."""
    return VolumeSettings(
        near=None,
        far=None,
        coarse=samples,
        fine=samples,
        activation="exp",
        quadrature="left",
        sampler="nerf",
        white_background=white,
        last_interval=0.0,  # the box ends here, and with it the scene
    )


class SceneModel(nn.Module, ABC):
    """A trainable scene: copied, averaged and stored as any module."""

    network: PackedField
    step: float
    """World units between samples."""
    first_rays: int
    """Of the first batch."""

    @abstractmethod
    def render(self, origins: Tensor, directions: Tensor, *, jitter: bool, progress: float = 1.0) -> RenderedRays:
        """Rays [N, 3] with unit directions [N, 3] through the scene; differentiable in both and in the weights.

        Args:
            jitter: whether samples move at random (torch's default generator), as in training.
            progress: share of the run that is done, for what comes in gradually.
        """
        ...

    @abstractmethod
    def learn_space(self, step: int, progress: float) -> None:
        """Before update `step` of those from pictures: looks, now and then, where the scene is empty."""
        ...

    def penalty(self) -> Tensor | None:
        """[] what should become small beside the error, at points drawn anew; None: nothing."""
        return None

    def rays_for(self, rendered: RenderedRays, rays: int) -> int:
        """How many rays the batch after one of `rays` should have."""
        return rays

    @abstractmethod
    def generator(self, shown: Shown) -> Generator:
        """A copy for viewing."""
        ...
