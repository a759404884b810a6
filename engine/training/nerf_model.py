"""What the two kinds of NeRF have in common while they train: rays in, colours out, a viewable scene in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from ...models.base import CameraDefaults, Generator, ModelCard, Pose


@dataclass(frozen=True)
class RenderedRays:
    """What N rays gathered, without a background."""

    rgb: Tensor
    """[N, 3]"""
    alpha: Tensor
    """[N]"""
    samples: int
    """Where the colour was asked, all rays together."""
    coarse: tuple[Tensor, Tensor] | None = None
    """RGB [N, 3] and coverage [N] by the network that places samples, if there is one: it learns from them."""


@dataclass(frozen=True)
class Shown:
    """How a scene is presented, whatever is inside."""

    card: ModelCard
    camera: CameraDefaults
    poses: tuple[Pose, ...]
    white: bool
    """Whether the background is white."""
    resolution: int


class SceneModel(nn.Module, ABC):
    """A trainable scene: copied, averaged and stored as any module."""

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
        """Before update `step`: looks, now and then, where the scene is empty."""
        ...

    def rays_for(self, rendered: RenderedRays, rays: int) -> int:
        """How many rays the batch after one of `rays` should have."""
        return rays

    @abstractmethod
    def generator(self, shown: Shown) -> Generator:
        """A copy for viewing."""
        ...
