"""`InversionReport`: what an inversion knows of itself, and how it tells it after each piece of work."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from torch import Tensor

from ...models.base import Generator
from .camera_fit import Pose
from .fitting import PhotoFit
from .identity import Identity
from .inversion_progress import InversionProgress, InversionSettings
from .photo import Photo


class InversionReport:
    """The bookkeeping of one inversion.

    Args:
        generator: with latents.
        photo: square, framed.
        settings: how much work.
        title: kept with the result.
    """

    def __init__(self, generator: Generator, photo: Photo, settings: InversionSettings, title: str) -> None:
        self.generator, self.settings, self.title = generator, settings, title
        self.fit = PhotoFit(generator, photo, samples=settings.samples, most_points=settings.most_points)
        self.step, self.steps, self.loss = 0, 1, math.nan
        self.began = time.perf_counter()

    def followed(self, work: Iterator[float], says: str) -> Iterator[InversionProgress]:
        """One step of learning."""
        for loss in work:
            self.loss = self.loss if math.isnan(loss) else loss
            yield self.progress(says, counts=False)
        self.step += 1

    def shown(self, codes: Tensor, pose: Pose, says: str) -> InversionProgress:
        """What there is so far, with the picture that the newest step has compared."""
        likeness = self.fit.likeness(self.fit.newest)
        return self.progress(says, self.identity(codes, pose, likeness), self.fit.newest, likeness, counts=False)

    def identity(self, codes: Tensor, pose: Pose, likeness: float) -> Identity:
        """Who there is so far."""
        return Identity(
            codes.detach().clone(), {}, pose.camera(), likeness, self.title, self.generator.card.fingerprint
        )

    def progress(
        self,
        says: str,
        identity: Identity | None = None,
        picture: Tensor | None = None,
        likeness: float = math.nan,
        *,
        counts: bool = True,
    ) -> InversionProgress:
        """A piece of work is done; `counts`: one of the `steps` with it."""
        self.step = min(self.step + counts, self.steps - 1)
        left = (time.perf_counter() - self.began) / max(self.step, 1) * (self.steps - self.step)
        return InversionProgress(self.step, self.steps, self.loss, left, identity, picture, False, says, likeness)

    def ended(self, identity: Identity, picture: Tensor, says: str, explained: float) -> InversionProgress:
        """The end."""
        return InversionProgress(
            self.steps,
            self.steps,
            self.loss,
            0.0,
            identity,
            picture,
            done=True,
            says=says,
            likeness=identity.quality,
            explained=explained,
            poor=explained < self.settings.least,
        )

    def doubt(self, explained: float) -> str:
        """What to say to a person whose photo shows something else."""
        return (
            f"This is probably not a picture of what {self.generator.card.title} can show: the model explains "
            f"{max(100 * explained, 0):.0f} % of it, where {100 * self.settings.least:.0f} or more are usual. Choose "
            "another photo, or mark the square and the camera and try again. Keep it anyway?"
        )
