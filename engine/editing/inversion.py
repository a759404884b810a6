"""Inversion: the codes, and then the slightly bent generator, that give back a photo; live and stoppable throughout.

    w*, p* = argmin  L(R(G(w), p), photo) + prior(w)             latent optimisation, over the camera p as well
    theta* = argmin  L(R(G_theta(w*), p*), photo) + locality     pivotal tuning (Roich et al. 2021)

In three stages: coefficients of the codes' principal axes (so that w stays where the generator knows what to do),
then each layer's own w, then the generator's tensors. Before them a first guess, or a search for a view and a seed to
begin with. Everything goes through `Generator.scene`, so every family with latents takes part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...models.base import Generator
from ..camera import orbit_from_matrix
from ..state import Camera
from .camera_fit import Pose, Start, find_view, views, views_about
from .code_statistics import AT_ONCE, CodeStatistics
from .directions import Direction
from .errors import EditError
from .first_guess import FirstGuess, guess_of
from .fitting import PIECES, PhotoFit
from .identity import Identity
from .inversion_progress import DEFAULT, InversionProgress, InversionSettings
from .locality import Locality
from .photo import Photo
from .pivotal import Tuning, tunable

HEATS, GUESSED_HEATS = 4, 2
"""Views that are raced against each other: found by a search, and about a guess."""
PRINCIPAL = 16
"""Principal directions that are tried where there are no named ones."""
PROBE, WORTH = 1.5, 0.004
"""Standard deviations that each direction is tried by, and the part of the loss that it must save."""
POOR = 17.0
"""PSNR, dB, of what the codes alone reach, below which a photo shows something that the generator does not know: bent
far enough it would repeat the photo from its own side, and show nonsense from every other."""


@torch.inference_mode(False)
@torch.enable_grad()
def invert(
    generator: Generator,
    photo: Photo,
    *,
    camera: Camera | None = None,
    directions: Sequence[Direction] = (),
    settings: InversionSettings = DEFAULT,
    title: str = "",
) -> Iterator[InversionProgress]:
    """Finds who is in a photo.

    Args:
        generator: with latents; stays as it is.
        photo: square, framed as the generator's own pictures (`framed_photo`).
        camera: the view, where a person has marked it; it is refined. None: it is searched for.
        directions: of the generator (`directions_of`): each is tried once. Empty: principal ones are found.
        settings: how much work.
        title: kept with the result.

    Yields:
        Progress after each piece of work of some tens of milliseconds; now and then with the identity so far. The last
        one is `done`.

    Raises:
        EditError: a generator without latents.
    """
    if generator.num_layers == 0:
        raise EditError(
            f"{generator.card.title} shows one scene and has no codes that could become somebody else. Open a model "
            "with seeds, for example heads."
        )
    yield from _Inversion(generator, photo, directions, settings, title).run(camera)


class _Inversion:
    """The course of one inversion."""

    def __init__(
        self,
        generator: Generator,
        photo: Photo,
        directions: Sequence[Direction],
        settings: InversionSettings,
        title: str,
    ) -> None:
        self.generator, self.settings, self.title = generator, settings, title
        self.fit = PhotoFit(generator, photo, samples=settings.samples, most_points=settings.most_points)
        self.directions = tuple(direction.delta for direction in directions)
        self.step, self.steps, self.loss = 0, 1, math.nan
        self.began = time.perf_counter()

    def run(self, camera: Camera | None) -> Iterator[InversionProgress]:
        settings, usual, fit = self.settings, self.generator.camera, self.fit
        marked = None if camera is None else orbit_from_matrix(camera, usual)
        guess = guess_of(self.generator)
        if guess is None:
            looks = settings.seeds * (1 + (1 if marked else len(views(usual))) // 8) + 1
            heats = 1 if marked else HEATS
        else:
            looks = 1 if marked else len(views(usual)) // 8 + 1
            heats = 1 if marked else GUESSED_HEATS
        optimised = heats * settings.race + settings.coarse_steps + settings.fine_steps + settings.layer_steps
        self.steps = (
            looks
            + PIECES * (optimised + settings.tuning_steps)
            + 2 * (len(self.directions) or PRINCIPAL)
            + settings.codes // AT_ONCE
            + 3
        )

        starts: list[Start] = []
        for found in self._starts(guess, marked, heats):
            starts = found
            yield self._progress("Looking for the view")
        statistics: CodeStatistics | None = None
        for statistics in CodeStatistics.gathered(self.generator, seeds=settings.codes):  # noqa: B007 - the last one counts
            yield self._progress("Looking for the view")
        assert statistics is not None
        if not self.directions:
            self.directions = tuple(statistics.basis[:PRINCIPAL])

        contenders: list[tuple[float, Tensor, Pose]] = []
        for start in starts:
            own = statistics.coefficients(start.codes).detach().clone().requires_grad_(True)
            pose = Pose(start.camera, usual, fit.device)
            yield from self._coefficients(statistics, own, pose, settings.race, "Comparing views", live=False)
            contenders.append((self.loss, own, pose))
        _, coefficients, pose = min(contenders, key=lambda c: c[0])

        yield from self._coefficients(statistics, coefficients, pose, settings.coarse_steps, "Finding the shape")
        yield from self._probe(statistics, coefficients, pose)
        yield from self._coefficients(
            statistics, coefficients, pose, settings.fine_steps, "Finding the face", fine=True
        )
        pivot = statistics.codes(coefficients.detach())
        offsets = torch.zeros_like(pivot, requires_grad=True)
        yield from self._layers(statistics, pivot, offsets, pose)
        codes = (pivot + offsets).detach()
        picture = fit.picture(self.generator, codes, pose)
        reached = fit.likeness(picture)
        yield self._progress("Tuning to the photo", self._identity(codes, pose, reached), picture, reached)

        identity, likeness = self._identity(codes, pose, reached), reached
        if settings.tuning_steps and tunable(self.generator):
            tuning = Tuning(self.generator)
            yield from self._tune(tuning, codes, pose)
            picture = fit.picture(tuning.generator, codes, pose)
            likeness = fit.likeness(picture)
            identity = replace(identity, quality=likeness, parameters=tuning.deltas())
        poor = reached < POOR
        says = self._doubt(reached) if poor else f"Found, {likeness:.1f} dB from the photo."
        yield InversionProgress(self.steps, self.steps, self.loss, 0.0, identity, picture, True, says, likeness, poor)

    def _starts(self, guess: FirstGuess | None, marked: Camera | None, keep: int) -> Iterator[list[Start]]:
        """Views and codes to begin with, the best first."""
        if guess is None:
            yield from find_view(self.generator, self.fit.photo, seeds=self.settings.seeds, marked=marked, keep=keep)
            return
        start = guess(self.fit.photo, self.generator.camera, self.generator.num_layers)
        if marked is not None:
            yield [replace(start, camera=marked)]
            return
        yield from views_about(self.generator, self.fit.photo, start, keep=keep)

    def _coefficients(
        self,
        statistics: CodeStatistics,
        coefficients: Tensor,
        pose: Pose,
        steps: int,
        says: str,
        *,
        live: bool = True,
        fine: bool = False,
    ) -> Iterator[InversionProgress]:
        """Coefficients of the principal axes, and the pose."""
        optimisers = [
            torch.optim.Adam([coefficients], lr=0.06 if fine else 0.1, betas=(0.9, 0.95)),
            pose.optimiser(0.6 if fine else 1.0),
        ]
        size = self.fit.size if fine else self.fit.coarse
        for step in range(steps):
            _pace(optimisers, step, steps)
            codes = statistics.codes(coefficients)
            prior = self.settings.prior * coefficients.square().mean()
            work = self.fit.learn(self.generator, codes, pose, optimisers, size, step, prior=prior, upsampled=False)
            yield from self._followed(work, says)
            if live and step % 8 == 7:
                yield self._shown(codes, pose, says)

    def _probe(self, statistics: CodeStatistics, coefficients: Tensor, pose: Pose) -> Iterator[InversionProgress]:
        """Tries what gradients do not find: a hat or an open mouth is there or not, and half of one looks like none.

        Each direction is gone along once to either side, and kept where the picture comes nearer to the photo.
        """

        def distance(tried: Tensor) -> float:
            prior = self.settings.prior * float(tried.square().mean())
            return self.fit.distance(statistics.codes(tried), pose) + prior

        now = coefficients.detach().clone()
        best = distance(now)
        for direction in self.directions:
            along = statistics.coefficients(statistics.mean + direction.to(statistics.mean))
            for amount in (-PROBE, PROBE):
                found = distance(now + amount * along)
                yield self._progress("Trying what it may have")
                if found < best * (1 - WORTH):
                    best, now = found, now + amount * along
                    break
        with torch.no_grad():
            coefficients.copy_(now)

    def _layers(
        self, statistics: CodeStatistics, pivot: Tensor, offsets: Tensor, pose: Pose
    ) -> Iterator[InversionProgress]:
        """Each layer's own codes (W+), in units of the spread of that number of the code."""
        spread = statistics.basis.square().sum(0).sqrt()  # [L, W]
        optimisers = [torch.optim.Adam([offsets], lr=0.03, betas=(0.9, 0.95)), pose.optimiser(0.5)]
        steps, says = self.settings.layer_steps, "Finding details"
        for step in range(steps):
            _pace(optimisers, step, steps)
            codes = pivot + offsets * spread
            prior = self.settings.prior * offsets.square().mean()
            work = self.fit.learn(
                self.generator, codes, pose, optimisers, self.fit.size, step, prior=prior, upsampled=True
            )
            yield from self._followed(work, says)
            if step % 8 == 7:
                yield self._shown(codes, pose, says)
        with torch.no_grad():
            offsets.mul_(spread)

    def _tune(self, tuning: Tuning, codes: Tensor, pose: Pose) -> Iterator[InversionProgress]:
        """The generator's own tensors, codes and pose held fixed."""
        says, fit = "Tuning to the photo", self.fit
        with torch.no_grad():
            scene = self.generator.scene(codes)
        locality = Locality(scene, pose.camera(), self.generator.camera, fit.device)
        yield self._progress(says)
        tuning.start_training()
        optimisers = [tuning.optimiser()]
        steps = self.settings.tuning_steps
        for step in range(steps):
            _pace(optimisers, step, steps)
            work = fit.learn(
                tuning.generator,
                codes,
                pose,
                optimisers,
                fit.size,
                step,
                prior=tuning.distance(),
                upsampled=True,
                locality=locality,
            )
            yield from self._followed(work, says)
            if step % 10 == 9:
                picture = fit.picture(tuning.generator, codes, pose)
                likeness = fit.likeness(picture)
                identity = replace(self._identity(codes, pose, likeness), parameters=tuning.deltas())
                yield self._progress(says, identity, picture, likeness)

    def _followed(self, work: Iterator[float], says: str) -> Iterator[InversionProgress]:
        for loss in work:
            self.loss = self.loss if math.isnan(loss) else loss
            yield self._progress(says)

    def _shown(self, codes: Tensor, pose: Pose, says: str) -> InversionProgress:
        picture = self.fit.picture(self.generator, codes.detach(), pose)
        likeness = self.fit.likeness(picture)
        return self._progress(says, self._identity(codes, pose, likeness), picture, likeness)

    def _identity(self, codes: Tensor, pose: Pose, likeness: float) -> Identity:
        return Identity(
            codes.detach().clone(), {}, pose.camera(), likeness, self.title, self.generator.card.fingerprint
        )

    def _progress(
        self, says: str, identity: Identity | None = None, picture: Tensor | None = None, likeness: float = math.nan
    ) -> InversionProgress:
        self.step = min(self.step + (identity is None), self.steps - 1)
        left = (time.perf_counter() - self.began) / max(self.step, 1) * (self.steps - self.step)
        return InversionProgress(self.step, self.steps, self.loss, left, identity, picture, False, says, likeness)

    def _doubt(self, reached: float) -> str:
        return (
            f"This is no good likeness: {self.generator.card.title} comes no nearer to the photo than {reached:.1f} "
            f"dB, where {POOR:.0f} or more are usual. It may show something that this model does not know, or from a "
            "side that was not found; mark the camera and try again. Keep it anyway?"
        )


def _pace(optimisers: Sequence[torch.optim.Optimizer], step: int, steps: int, warm: int = 3) -> None:
    """A cosine fall of the learning rate to a twentieth, after a short rise."""
    share = 0.525 + 0.475 * math.cos(math.pi * step / max(steps - 1, 1))
    share *= min((step + 1) / (warm + 1), 1.0)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group.setdefault("first", group["lr"])
            group["lr"] = group["first"] * share
