"""A discriminator in training: what it tells a generator, and how it learns from real and fake pictures.

Pure GAN training stands on it, and so may the last stage of a distilled model, whose real pictures are its teacher's:

    loss = image_loss + 0.1 * adversary.loss(dual(picture, raw), labels, moment.team)
    descent.descend(loss, moment.team, rate)
    logs = adversary.update(dual_of_real(real, raw.shape[-1]), dual(picture, raw).detach(), labels, labels, moment)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .descent import Descent
from .gan_losses import discriminator_loss, generator_loss, gradient_penalty
from .task import Moment, Team


@dataclass(frozen=True)
class AdversaryRecipe:
    """How a discriminator learns."""

    rate: float = 2e-3
    r1: float = 1.0
    """gamma of the gradient penalty; EG3D: 1 for faces at 512, 0.3 for cars at 128. Grows with the picture's area."""
    r1_every: int = 16
    """Steps between penalties, each that much stronger (lazy regularisation, Karras et al. 2020, appendix B)."""
    beta: float = 0.99
    """Adam's second moment, of discriminator and generator; StyleGAN2: .99, pi-GAN: .9. There is no momentum, since
    what is pushed against changes at every step."""


class Adversary:
    """A discriminator with its optimiser.

    Args:
        discriminator: pictures [N, C, R, R] and labels [N, L] or None -> scores [N].
        recipe: how it learns.
    """

    def __init__(self, discriminator: nn.Module, recipe: AdversaryRecipe) -> None:
        self.discriminator, self.recipe = discriminator, recipe
        self.descent = Descent(
            torch.optim.Adam(discriminator.parameters(), lr=recipe.rate, betas=(0.0, recipe.beta)), what="discriminator"
        )

    def loss(self, fake: Tensor, labels: Tensor | None, team: Team) -> Tensor:
        """What a generator is to lower, given its pictures with their gradients; the discriminator gets none."""
        self.discriminator.requires_grad_(False)
        try:
            with team.autocast():
                scores = self.discriminator(fake, labels)
        finally:
            self.discriminator.requires_grad_(True)
        return generator_loss(scores.float())

    def update(
        self,
        real: Tensor,
        fake: Tensor,
        real_labels: Tensor | None,
        fake_labels: Tensor | None,
        moment: Moment,
    ) -> Mapping[str, Tensor | float]:
        """One step: score real pictures up and fake ones down, now and then with the gradient penalty.

        Returns:
            Its loss, the part of pictures that it judges rightly ('told apart': near 1 it wins, near .5 it guesses),
            and the penalty where there was one.
        """
        penalised = moment.step % self.recipe.r1_every == 0
        with moment.team.autocast():
            fake_scores = self.discriminator(fake.detach(), fake_labels).float()
            real_scores = None if penalised else self.discriminator(real, real_labels).float()
        penalty = real.new_zeros(())
        if real_scores is None:
            real = real.detach().requires_grad_(True)
            real_scores = self.discriminator(real, real_labels)  # in fp32: squared gradients vanish in bf16
            penalty = gradient_penalty(real_scores, real)
        loss = discriminator_loss(real_scores, fake_scores)
        whole = loss + 0.5 * self.recipe.r1 * self.recipe.r1_every * penalty
        self.descent.descend(whole, moment.team, self.recipe.rate)
        right = 0.5 * ((real_scores > 0).float().mean() + (fake_scores < 0).float().mean())
        logs = {"discriminator": loss.detach(), "told_apart": right.detach()}
        return {**logs, "r1": penalty.detach()} if penalised else logs

    def to(self, device: torch.device) -> None:
        """Moves it; the optimiser's state follows when it is loaded or made."""
        self.discriminator.to(device)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"discriminator": self.discriminator.state_dict(), "descent": self.descent.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` gave."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.descent.load(state["descent"])
