"""One step of an optimiser as every task takes it, and the average of weights that follows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .task import Team, TrainingError

MOST_SKIPPED = 50
"""Steps in a row without a finite gradient, after which a run is given up."""


class Descent:
    """Sets the rate, averages gradients over the team, clips them, and steps if they are finite.

    A step whose gradient is not finite leaves weights and optimiser alone and is counted. All processes see the same
    averaged gradient, so they skip the same steps.

    Args:
        optimizer: a parameter group may carry "scale", a factor on the rate.
        clip: greatest norm of the gradient, over all groups together; None: it is not clipped.
        warm_up: steps over which the rate rises from zero.
        what: what is trained, for messages ('generator', 'discriminator').
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, *, clip: float | None = None, warm_up: int = 0, what: str = "model"
    ) -> None:
        self.optimizer, self.what = optimizer, what
        self._clip, self._warm_up = clip, warm_up
        self.steps = 0
        """That were asked for, skipped ones included."""
        self.skipped = 0
        self.norm = 0.0
        """Of the last gradient, before it was clipped."""
        self._in_a_row = 0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that the optimiser moves."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def descend(self, loss: Tensor, team: Team, rate: float) -> bool:
        """Gradients of `loss`, then `step`; earlier gradients are forgotten.

        Raises:
            TrainingError: as `step`.
        """
        self.forget()
        loss.backward()
        return self.step(team, rate)

    def forget(self) -> None:
        """No gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def step(self, team: Team, rate: float) -> bool:
        """One step along the gradients that are there.

        Args:
            rate: learning rate, before warm-up and the groups' "scale".

        Returns:
            Whether it was taken; False: the gradient was not finite.

        Raises:
            TrainingError: it was not finite for `MOST_SKIPPED` steps in a row.
        """
        warm = min(1.0, (self.steps + 1) / self._warm_up) if self._warm_up else 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = rate * warm * group.get("scale", 1.0)
        self.steps += 1
        team.average(self.parameters)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients, foreach=None)
        self.norm = float(norm)
        finite = self.norm - self.norm == 0.0  # neither nan nor infinite
        self._count(finite)
        if finite:
            if self._clip is not None and gradients:
                torch._foreach_mul_(gradients, min(1.0, self._clip / (self.norm + 1e-6)))
            self.optimizer.step()
        return finite

    def _count(self, finite: bool) -> None:
        self._in_a_row = 0 if finite else self._in_a_row + 1
        self.skipped += not finite
        if self._in_a_row >= MOST_SKIPPED:
            raise TrainingError(
                f"The gradient of the {self.what} was not finite for {MOST_SKIPPED} steps in a row (after step "
                f"{self.steps}): the data holds broken values, or the rate is too high. The last good checkpoint is "
                "kept; look at the data, then go on with --resume, with a lower rate where there is an option for it."
            )

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "skipped": self.skipped,
            "in_a_row": self._in_a_row,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` gave."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.skipped, self._in_a_row = state["steps"], state["skipped"], state["in_a_row"]


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves `average`, a copy of `network`, towards it: a <- decay a + (1 - decay) n; buffers are taken over."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)
