"""`InversionSettings` and `InversionProgress`: what an inversion is told, and what it tells while it goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from .identity import Identity


@dataclass(frozen=True)
class InversionSettings:
    """How much work an inversion is; the defaults fit a minute on two cores for a model of the size of `heads`."""

    seeds: int = 16
    """Tried from all sides at the start, where no first guess is at hand."""
    codes: int = 1000
    """Whose spread is looked at."""
    race: int = 10
    """Steps that each of the best views gets before one is chosen."""
    coarse_steps: int = 36
    fine_steps: int = 30
    layer_steps: int = 40
    tuning_steps: int = 60
    samples: int = 12
    """A ray, with gradients."""
    most_points: int = 60_000
    """Field evaluations with gradients in a step, for families without an upsampler."""
    prior: float = 0.004
    """On the mean square of the coefficients, which is 1 for the generator's own."""


DEFAULT = InversionSettings()


@dataclass(frozen=True)
class InversionProgress:
    """What is known after each short piece of work; the iterator may be dropped at any of them."""

    step: int
    steps: int
    loss: float
    seconds_left: float
    identity: Identity | None = None
    """What there is so far, good enough to be kept; None: nothing new since the last one."""
    picture: Tensor | None = None
    """[3, S, S], 0..1: that identity from the photo's camera, to lay beside the photo."""
    done: bool = False
    says: str = ""
    """What is being done; at the end, what to think of it."""
    likeness: float = math.nan
    """PSNR of `picture` against the photo, dB."""
    poor: bool = False
    """Whether the generator itself could not come near the photo: ask before keeping the result."""
