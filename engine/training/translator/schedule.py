"""When a run does what: recipe, stages and rates, all by the fraction of the run that is done."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..task import TrainingError
from .examples import Chances


@dataclass(frozen=True)
class Stage:
    """What a sequence is like at some point of a run."""

    length: int
    """Frames."""
    real_past: float
    """How often it starts from the picture in front of it rather than from nothing, 0..1."""
    half: bool
    """Whether it is seen at half size."""
    critics: float
    """Weight of critics' losses, 0..1: they come in slowly."""
    rate: float
    """Learning rate's share of the recipe's."""


@dataclass(frozen=True)
class Recipe:
    """How to train. Ends of stages are fractions of the whole run."""

    batch: int = 1
    """Sequences at a time in each worker; 1 is best for a CPU, 8 to 16 for a GPU."""
    half_end: float = 0.06
    """Until here at half size (coarse to fine, as vid2vid)."""
    critics_start: float = 0.18
    singles_end: float = 0.22
    """Until here single frames, then sequences of 3."""
    threes_end: float = 0.42
    fives_end: float = 0.65
    """Then sequences of 9."""
    decay_start: float = 0.5
    """From here on the learning rate falls."""
    rate: float = 5e-4
    final_rate: float = 0.05
    """Share of `rate` at the end."""
    laplacian: float = 5.0
    structure: float = 1.0
    adversary: float = 0.3
    features: float = 5.0
    warp: float = 1.0
    raw: float = 0.4
    """Share of the reconstruction's weight that falls on the picture before it is blended with the past."""
    video: float = 0.5
    """Share of the critics' weight that the critic of sequences has."""
    waiting: float = 0.35
    """Part of the sequences that begin after a standstill; half of these stay there."""
    judged: float = 0.5
    """Part of the frames that critics look at, with that much more weight: they cost as much as all else."""
    ema: float = 0.9985
    chances: Chances = field(default_factory=Chances)

    def __post_init__(self) -> None:
        ends = (0.0, self.half_end, self.singles_end, self.threes_end, self.fives_end, 1.0)
        if any(a > b for a, b in itertools.pairwise(ends)):
            raise TrainingError(f"stages end at {ends[1:-1]}; expected rising fractions of the run, 0..1")
        if self.batch < 1:
            raise TrainingError(f"batch {self.batch}; expected 1 or more")

    def stage(self, progress: float) -> Stage:
        """What to do at a fraction of the run."""
        single = progress < self.singles_end
        length = 1 if single else 3 if progress < self.threes_end else 5 if progress < self.fives_end else 9
        critics = min(max((progress - self.critics_start) / 0.1, 0.0), 1.0)
        fall = max(progress - self.decay_start, 0.0) / max(1 - self.decay_start, 1e-9)
        early = 1.5 if progress < min(self.critics_start, 0.1) else 1.0
        rate = early * max(1 - (1 - self.final_rate) * min(fall, 1.0), self.final_rate)
        return Stage(length, 0.4, progress < self.half_end, critics, rate)

    def continued(self) -> Recipe:
        """The same for weights that are trained already: another size, another look."""
        return replace(
            self,
            half_end=0.0,
            critics_start=0.02,
            singles_end=0.1,
            threes_end=0.35,
            decay_start=0.3,
            rate=0.6 * self.rate,
        )


def recipe_from(plain: dict[str, Any]) -> Recipe:
    """A recipe from what `dataclasses.asdict` made of one; what it does not know is left out."""
    known = {f.name for f in fields(Recipe)} - {"chances"}
    chances = {k: v for k, v in plain.get("chances", {}).items() if k in {f.name for f in fields(Chances)}}
    return Recipe(**{k: v for k, v in plain.items() if k in known}, chances=Chances(**chances))
