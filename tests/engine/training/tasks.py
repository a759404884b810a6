"""A task small enough to be trained in a blink, for tests of what trains it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from neuroview.engine.training.task import Moment
from neuroview.engine.training.trainer import Descent, follow


@dataclass(frozen=True)
class LineRecipe:
    width: int = 3
    rate: float = 1e-2
    names: tuple[str, ...] = ("a", "b")


class LineTask:
    """Learns to add four numbers up."""

    name = "line"

    def __init__(self, recipe: LineRecipe = LineRecipe(), broken_from: int | None = None) -> None:
        self.recipe, self.broken_from = recipe, broken_from
        torch.manual_seed(0)
        self.network = torch.nn.Linear(4, recipe.width)
        self.ema = torch.nn.Linear(4, recipe.width)
        self.descent = Descent(torch.optim.Adam(self.network.parameters()), clip=1.0, warm_up=3)
        self.losses: list[float] = []
        self.progress: list[float] = []
        self.on_update = lambda step: None

    def to(self, device):
        self.network.to(device)

    def update(self, moment: Moment):
        self.on_update(moment.step)
        x = torch.randn(8, 4)
        loss = (self.network(x) - x.sum(1, keepdim=True)).square().mean()
        if self.broken_from is not None and moment.step >= self.broken_from:
            loss = loss * float("nan")
        self.losses.append(float(loss.detach()))
        self.progress.append(moment.progress)
        self.descent.descend(loss, moment.team, self.recipe.rate)
        follow(self.ema, self.network, 0.9)
        return {"loss": loss.detach(), "gradient": self.descent.norm}

    def state(self):
        return {
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "descent": self.descent.state(),
        }

    def load(self, state):
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.descent.load(state["descent"])

    def generator(self):
        raise NotImplementedError

    def preview(self):
        return {"psnr": 20.0}
