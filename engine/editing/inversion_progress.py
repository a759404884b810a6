"""`InversionSettings` and `InversionProgress`: what an inversion is told, and what it tells while it goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ...models.base import Scene
from ...models.eg3d import TriPlaneField
from .identity import Identity

POOR = 0.5
"""Part of the photo's variance that a generator's codes explain of its own kind at least: below it, the photo shows
something that the generator does not know. Of `heads`: 0.73 to 0.90 for nine of ten held-out heads (a bald one 0.28),
0.40 or less for fourteen pictures of other things (tests/bench/bench_inversion.py --doubt)."""


@dataclass(frozen=True)
class InversionSettings:
    """How much work an inversion is; the defaults fit a minute on two cores for a model of the size of `heads`."""

    seeds: int = 16
    """Tried from all sides at the start, where no first guess is at hand."""
    codes: int = 1000
    """Whose spread is looked at."""
    race: int = 8
    """Steps that each of the best views gets before one is chosen."""
    coarse_steps: int = 24
    fine_steps: int = 36
    layer_steps: int = 44
    tuning_steps: int = 230
    refiner_steps: int = 60
    """Of the refiner at last, where there is one."""
    samples: int = 12
    """A ray, with gradients."""
    most_points: int = 50_000
    """Field evaluations with gradients in a step, for families without an upsampler."""
    least: float = POOR
    """What codes must explain of a photo for it to be gone on with; see `POOR`."""
    prior: float = 0.004
    """On the mean square of the coefficients, which is 1 for the generator's own."""


DEFAULT = InversionSettings()
PATIENT = InversionSettings(
    seeds=6,
    codes=400,
    race=6,
    coarse_steps=20,
    fine_steps=24,
    layer_steps=30,
    tuning_steps=50,
    samples=8,
    most_points=8192,
)
"""For families whose field is a network: each point costs a hundred times a look-up, so there are fewer of them. A
pi-GAN takes one to two minutes of one core."""


def usual_settings(scene: Scene) -> InversionSettings:
    """The settings that suit a generator whose scenes are like this one."""
    return DEFAULT if isinstance(scene.field, TriPlaneField) else PATIENT


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
    explained: float = math.nan
    """Part of the variance of the photo's subject that the generator's own codes account for; at the end."""
    poor: bool = False
    """Whether the generator itself could not come near the photo: ask before keeping the result."""
