"""What a trainer trains: a `Task` knows its networks and one update; `trainer.py` knows clocks, processes and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ...models.base import Generator
from ...models.errors import NeuroviewError


class TrainingError(NeuroviewError):
    """A run cannot start or go on; the message says why and what to do."""


class Team(Protocol):
    """The processes that train together, as one of them sees them; one process alone is a team of one."""

    rank: int
    size: int
    device: torch.device

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces the gradients of these parameters by their means over the team."""
        ...

    def autocast(self) -> AbstractContextManager[None]:
        """The precision that networks run in (bf16 where that is faster); losses belong outside."""
        ...


@dataclass(frozen=True)
class Moment:
    """Where a run is when an update begins."""

    step: int
    """Updates that are done."""
    progress: float
    """Share of the run that is done, 0..1: by the clock, or by steps where a run is counted in steps."""
    team: Team


class Task(Protocol):
    """One thing to train. It holds everything that a checkpoint must hold, apart from the clock.

    The trainer seeds torch's generator with (seed, step, rank) before every update, so a task that draws from it, and
    from nothing else, goes on after a resumption exactly as an unbroken run would.

    A task that goes through stages may have an attribute `stage`, a word that is logged with its figures.
    """

    name: str
    """As in `neuroview train NAME`."""
    recipe: Any
    """A frozen dataclass of plain values; stored in the checkpoint and compared when a run is resumed."""

    def to(self, device: torch.device) -> None:
        """Moves networks, data and optimisers' state to a device; called once, before the first update."""
        ...

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """One update of everything; the figures to log (losses, rates).

        A step whose gradient is not finite must leave the weights alone: see `descent.Descent`, which does that.
        """
        ...

    def state(self) -> dict[str, Any]:
        """All that the next update depends on: tensors and plain values only."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` gave."""
        ...

    def generator(self) -> Generator:
        """The model as it stands (averaged weights), ready to be written by `models.formats.native` and viewed."""
        ...

    def preview(self) -> Mapping[str, float]:
        """Quality on a few held-out samples, such as PSNR in dB; seconds at most. Empty: there is none."""
        ...
