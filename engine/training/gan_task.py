"""Training a 3D-aware generator from pictures alone (Chan et al. 2021 and 2022), in four steps.

    1. A scene: z ~ N(0, I) goes through the generator and becomes a radiance field.
    2. A random pose: a camera drawn from the distribution of the data's; the field is rendered from there.
    3. The discriminator: is told real pictures from rendered ones, and perhaps the pose.
    4. Back-propagation: through the discriminator, the volume renderer and the generator.

No picture tells what stands behind its pixels. But a scene that is to look real from *every* pose must be a solid one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ...models.base import Generator
from .descent import Descent, follow
from .gan_adversary import Adversary, AdversaryRecipe
from .gan_poses import PosePrior, drawn_labels
from .image_folder import ImageFolder
from .task import Moment, TrainingError


class GanRecipe(Protocol):
    """What `GanTask` itself reads of a family's recipe."""

    @property
    def batch(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def average(self) -> float: ...
    @property
    def adversary(self) -> AdversaryRecipe: ...
    @property
    def clip(self) -> float | None: ...


class GanFamily(Protocol):
    """What is particular to EG3D or pi-GAN."""

    name: str
    z_dim: int
    discriminator: nn.Module

    @property
    def network(self) -> nn.Module:
        """The generator."""
        ...

    @property
    def average(self) -> nn.Module:
        """Its averaged weights."""
        ...

    @property
    def recipe(self) -> GanRecipe:
        """Sizes and schedules."""
        ...

    def scenes(self, z: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        """Codes of latents [N, z_dim]; `labels` [N, 25] are what they may be conditioned on."""
        ...

    def pictures(self, codes: Tensor, labels: Tensor, moment: Moment) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Scenes seen from poses, as the discriminator is shown them [N, C, R, R]; and further losses by name."""
        ...

    def real(self, pictures: Tensor, moment: Moment) -> Tensor:
        """Real pictures [N, 3, R, R] as it is shown them [N, C, R, R]."""
        ...

    def model(self, training: Mapping[str, object]) -> Generator:
        """The averaged generator, to be written and viewed."""
        ...


class GanTask:
    """Adversarial training (see `task.Task`).

    Args:
        recipe: the family's; compared when a run is resumed.
        data: real pictures, in -1..1 once read.
        family: generator and discriminator.
        prior: where cameras stand if the pictures do not say.

    Raises:
        TrainingError: the pictures are unposed and there is no prior.
    """

    def __init__(self, recipe: GanRecipe, data: ImageFolder, family: GanFamily, prior: PosePrior | None = None) -> None:
        if prior is None and not data.posed:
            raise TrainingError(f"{data.path} has no cameras; give a distribution to draw them from (--prior).")
        self.name, self.recipe = family.name, recipe
        self.data, self.family, self.prior = data, family, prior
        self.adversary = Adversary(family.discriminator, recipe.adversary)
        adam = torch.optim.Adam(family.network.parameters(), lr=recipe.rate, betas=(0.0, recipe.adversary.beta))
        self.descent = Descent(adam, clip=recipe.clip, what="generator")
        self.seen = 0
        """Real pictures that the discriminator has been shown."""
        self._device = torch.device("cpu")
        self._labels = data.labels if data.posed else None

    def to(self, device: torch.device) -> None:
        """See `Task.to`."""
        self._device = device
        for network in (self.family.network, self.family.average):
            network.to(device)
        self.adversary.to(device)

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """One step of the generator, then one of the discriminator on the same pictures."""
        family, n = self.family, self.recipe.batch
        # 1. Scenes of random latents.
        z = torch.randn(n, family.z_dim).to(self._device)
        # 2. Random poses, and what is seen from there.
        poses = self._poses(n)
        codes = family.scenes(z, poses, moment)
        fake, losses = family.pictures(codes, poses, moment)
        # 3. What the discriminator says of them.
        adversarial = self.adversary.loss(fake, poses, moment.team)
        # 4. Back-propagation: from its scores to the pixels, along the rays, into the field and its generator.
        loss = torch.stack([adversarial, *losses.values()]).sum()
        self.descent.descend(loss, moment.team, self.recipe.rate)
        self._average(n * moment.team.size)
        # The discriminator learns from the same fakes and as many real pictures.
        real, labels = self._real(n)
        judged = self.adversary.update(family.real(real, moment), fake.detach(), labels, poses, moment)
        logs = {"generator": adversarial.detach(), **{name: value.detach() for name, value in losses.items()}}
        return {**logs, **judged, "pictures": float(self.seen)}

    def state(self) -> dict[str, Any]:
        """See `Task.state`."""
        return {
            "network": self.family.network.state_dict(),
            "average": self.family.average.state_dict(),
            "descent": self.descent.state(),
            "adversary": self.adversary.state(),
            "seen": self.seen,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Task.load`."""
        self.family.network.load_state_dict(state["network"])
        self.family.average.load_state_dict(state["average"])
        self.descent.load(state["descent"])
        self.adversary.load(state["adversary"])
        self.seen = int(state["seen"])

    def generator(self) -> Generator:
        """See `Task.generator`."""
        data = f"{len(self.data.names)} pictures of {self.data.size} x {self.data.size}"
        return self.family.model({"data": data, "pictures seen": self.seen})

    def preview(self) -> Mapping[str, float]:
        """Nothing: how far a distribution has been learned takes thousands of pictures (`neuroview evaluate`)."""
        return {}

    def _poses(self, count: int) -> Tensor:
        labels = drawn_labels(self._labels, count) if self._labels is not None else None
        if labels is None:
            assert self.prior is not None  # checked at the beginning
            labels = self.prior.draw(count)
        return labels.to(self._device)

    def _real(self, count: int) -> tuple[Tensor, Tensor | None]:
        chosen = torch.randint(len(self.data), (count,))
        labels = None if self._labels is None else self._labels[chosen].to(self._device)
        return self.data.pictures(chosen.tolist()).to(self._device), labels

    def _average(self, pictures: int) -> None:
        self.seen += pictures
        half_life = min(1000 * self.recipe.average, 0.05 * self.seen)
        follow(self.family.average, self.family.network, 0.5 ** (pictures / max(half_life, 1e-9)))
