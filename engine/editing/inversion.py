"""Inversion: the codes, and then the slightly bent generator, that give back a photo; live and stoppable throughout.

    w*, p* = argmin  L(R(G(w), p), photo) + prior(w)             latent optimisation, over the camera p as well
    theta* = argmin  L(R(G_theta(w*), p*), photo) + locality     pivotal tuning (Roich et al. 2021)

In three stages: coefficients of the codes' principal axes (so that w stays where the generator knows what to do),
then each layer's own w, then the generator's tensors. Before them a first guess, or a search for a view and a seed to
begin with. Everything goes through `Generator.scene`, so every family with latents takes part.
"""

from __future__ import annotations

from collections.abc import Generator as Work
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...models.base import Generator
from ..camera import orbit_from_matrix
from ..rendering.exact import refined
from ..rendering.image import Rendered
from ..state import Camera
from .adam import Adam, falling
from .camera_fit import Pose, Start, find_view, views, views_about
from .code_statistics import CodeStatistics
from .directions import Direction
from .errors import EditError
from .first_guess import FirstGuess, guess_of
from .inversion_progress import InversionProgress, InversionSettings, usual_settings
from .inversion_report import InversionReport
from .locality import Locality
from .photo import Photo
from .pivotal import REFINER, Tuning, tunable

HEATS = 4
"""Views that are raced against each other, at most."""
PRINCIPAL = 16
"""Principal directions that are tried where there are no named ones."""
PROBE, WORTH = 1.5, 0.004
"""Standard deviations that each direction is tried by, and the part of the loss that it must save."""
LAYERS_LOCAL = 0.3
"""How much the sides that the photo does not show stay when layers get codes of their own, 1 for tuning."""
FLAT = 0.01
"""Spread of a photo's colours, 0..1, below which it shows nothing."""


@torch.inference_mode(False)
@torch.enable_grad()
def invert(
    generator: Generator,
    photo: Photo,
    *,
    camera: Camera | None = None,
    directions: Sequence[Direction] = (),
    settings: InversionSettings | None = None,
    title: str = "",
) -> Iterator[InversionProgress]:
    """Finds who is in a photo.

    Args:
        generator: with latents; stays as it is.
        photo: square, framed as the generator's own pictures (`framed_photo`).
        camera: the view, where a person has marked it; it is refined. None: it is searched for.
        directions: of the generator (`directions_of`): each is tried once. Empty: principal ones are found.
        settings: how much work; None: what suits the family.
        title: kept with the result.

    Yields:
        Progress after each piece of work of some tens of milliseconds; now and then with the identity so far. The last
        one is `done`.

    Raises:
        EditError: a generator without latents, or a photo of one flat colour.
    """
    if generator.num_layers == 0:
        raise EditError(
            f"{generator.card.title} shows one scene and has no codes that could become somebody else. Open a model "
            "with seeds, for example heads."
        )
    if float(photo.rgb.std((1, 2)).max()) < FLAT:
        raise EditError(
            f"{title or 'The photo'} shows one flat colour and nobody in it. Choose a picture with a subject, or mark "
            "another square in it."
        )
    if settings is None:
        settings = usual_settings(generator.scene(generator.codes(0)))
    yield from _Inversion(generator, photo, directions, settings, title).run(camera)


class _Inversion(InversionReport):
    """The course of one inversion."""

    def __init__(
        self,
        generator: Generator,
        photo: Photo,
        directions: Sequence[Direction],
        settings: InversionSettings,
        title: str,
    ) -> None:
        super().__init__(generator, photo, settings, title)
        self.directions = tuple(direction.delta for direction in directions)

    def run(self, camera: Camera | None) -> Iterator[InversionProgress]:
        settings, usual, fit = self.settings, self.generator.camera, self.fit
        marked = None if camera is None else orbit_from_matrix(camera, usual)
        yield self.progress("Looking for the view", counts=False)
        guess = guess_of(self.generator)
        pieces = 1 + (1 if marked else len(views(usual))) // fit.pictures_at_once
        looks = pieces * (settings.seeds if guess is None else 1)
        optimised = settings.coarse_steps + settings.fine_steps + settings.layer_steps + settings.tuning_steps
        optimised += settings.refiner_steps * fit.refines
        probes = 2 * (len(self.directions) or PRINCIPAL)
        self.steps = looks // 4 + (1 if marked else HEATS // 2 * settings.race) + optimised + probes // 4 + 8

        starts: list[Start] = []
        for number, found in enumerate(self._starts(guess, marked)):
            starts = found
            yield self.progress("Looking for the view", counts=number % 4 == 3)
        statistics: CodeStatistics | None = None
        for statistics in CodeStatistics.gathered(self.generator, seeds=settings.codes):  # noqa: B007 - the last one counts
            yield self.progress("Looking for the view", counts=False)
        assert statistics is not None
        if not self.directions:
            self.directions = tuple(statistics.basis[:PRINCIPAL])

        contenders: list[tuple[float, Tensor, Pose]] = []
        for start in starts:
            own = statistics.coefficients(start.codes).detach().clone().requires_grad_(True)
            pose = Pose(start.camera, usual, fit.device)
            if len(starts) > 1:
                yield from self._coefficients(statistics, own, pose, settings.race, "Comparing views", live=False)
            contenders.append((self.loss, own, pose))
        _, coefficients, pose = min(contenders, key=lambda c: c[0])

        yield from self._coefficients(statistics, coefficients, pose, settings.coarse_steps, "Finding the shape")
        yield from self._probe(statistics, coefficients, pose)
        yield from self._coefficients(
            statistics, coefficients, pose, settings.fine_steps, "Finding the face", fine=True
        )
        pivot = statistics.codes(coefficients.detach())
        picture = fit.newest
        explained = fit.explained(picture)
        if explained < settings.least:
            # A photo of something else is not repeated by force: bent so far, every other side would show nonsense.
            likeness = fit.likeness(picture)
            yield self.ended(self.identity(pivot, pose, likeness), picture, self.doubt(explained), explained)
            return
        offsets = torch.zeros_like(pivot, requires_grad=True)
        if settings.layer_steps:
            yield from self._layers(statistics, pivot, offsets, pose)
        codes = (pivot + offsets).detach()
        picture = yield from self._picture(self.generator, codes, pose, "Finding details")
        identity = self.identity(codes, pose, fit.likeness(picture))
        yield self.progress("Finding details", identity, picture, identity.quality, counts=False)
        if settings.tuning_steps and tunable(self.generator):
            tuning = Tuning(self.generator)
            yield from self._tune(tuning, codes, pose)
            if fit.refines:
                yield from self._refine(tuning, codes, pose)
            picture = yield from self._picture(tuning.generator, codes, pose, "Tuning to the photo")
            identity = replace(identity, quality=fit.likeness(picture), parameters=tuning.deltas())
        yield self.ended(identity, picture, f"Found, {identity.quality:.1f} dB from the photo.", explained)

    def _starts(self, guess: FirstGuess | None, marked: Camera | None) -> Iterator[list[Start]]:
        """Views and codes to begin with, the best first."""
        if guess is None:
            seeds, keep = self.settings.seeds, 1 if marked is not None else HEATS
            yield from find_view(self.generator, self.fit.photo, seeds=seeds, marked=marked, keep=keep)
            return
        yield []
        start = guess(self.fit.photo, self.generator.camera, self.generator.num_layers)
        yield [start]
        if marked is not None:
            yield [replace(start, camera=marked)]
            return
        yield from views_about(self.generator, self.fit.photo, start)

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
        adam = Adam([(coefficients, 0.06 if fine else 0.1), (pose.offsets, 0.6 if fine else 1.0)])
        size = self.fit.size if fine else self.fit.coarse
        for step in range(steps):
            codes = statistics.codes(coefficients)
            prior = self.settings.prior * coefficients.square().mean()
            work = self.fit.learn(self.generator, codes, pose, adam, size, (step, steps), prior=prior, upsampled=fine)
            yield from self.followed(work, says)
            if live and step % 8 == 7:
                yield self.shown(codes, pose, says)

    def _probe(self, statistics: CodeStatistics, coefficients: Tensor, pose: Pose) -> Iterator[InversionProgress]:
        """Tries what gradients do not find: a hat or an open mouth is there or not, and half of one looks like none.

        Each direction is gone along once to either side, and kept where the picture comes nearer to the photo.
        """

        says = "Trying what it may have"
        now = coefficients.detach().clone()
        best = yield from self._distance(statistics, now, pose, says)
        for direction in self.directions:
            along = statistics.coefficients(statistics.mean + direction.to(statistics.mean))
            for amount in (-PROBE, PROBE):
                found = yield from self._distance(statistics, now + amount * along, pose, says)
                yield self.progress(says, counts=amount > 0)
                if found < best * (1 - WORTH):
                    best, now = found, now + amount * along
                    break
        with torch.no_grad():
            coefficients.copy_(now)

    def _distance(
        self, statistics: CodeStatistics, coefficients: Tensor, pose: Pose, says: str
    ) -> Work[InversionProgress, None, float]:
        """How far coefficients [K] are from the photo, the prior included."""
        found: float | None = None
        for found in self.fit.distance(statistics.codes(coefficients), pose):  # noqa: B007 - the last one counts
            yield self.progress(says, counts=False)
        assert found is not None
        return found + self.settings.prior * float(coefficients.square().mean())

    def _layers(
        self, statistics: CodeStatistics, pivot: Tensor, offsets: Tensor, pose: Pose
    ) -> Iterator[InversionProgress]:
        """Each layer's own codes (W+), in units of the spread of that number of the code."""
        says = "Finding details"
        locality = yield from self._locality(pivot, pose, LAYERS_LOCAL, says)
        spread = statistics.basis.square().sum(0).sqrt()  # [L, W]
        adam = Adam([(offsets, 0.03), (pose.offsets, 0.5)])
        steps = self.settings.layer_steps
        for step in range(steps):
            codes = pivot + offsets * spread
            prior = self.settings.prior * offsets.square().mean()
            work = self.fit.learn(
                self.generator,
                codes,
                pose,
                adam,
                self.fit.size,
                (step, steps),
                prior=prior,
                upsampled=True,
                locality=locality,
            )
            yield from self.followed(work, says)
            if step % 8 == 7:
                yield self.shown(codes, pose, says)
        with torch.no_grad():
            offsets.mul_(spread)

    def _tune(self, tuning: Tuning, codes: Tensor, pose: Pose) -> Iterator[InversionProgress]:
        """The generator's own tensors, codes and pose held fixed."""
        says, fit = "Tuning to the photo", self.fit
        locality = yield from self._locality(codes, pose, 1.0, says)
        tuning.start_training()
        adam = tuning.optimiser()
        steps = self.settings.tuning_steps
        for step in range(steps):
            work = fit.learn(
                tuning.generator,
                codes,
                pose,
                adam,
                fit.size,
                (step, steps),
                prior=tuning.distance(),
                upsampled=True,
                tuning=True,
                locality=locality,
            )
            yield from self.followed(work, says)
            if step % 10 == 9:
                shown = self.shown(codes, pose, says)
                assert shown.identity is not None
                yield replace(shown, identity=replace(shown.identity, parameters=tuning.deltas()))

    def _refine(self, tuning: Tuning, codes: Tensor, pose: Pose) -> Iterator[InversionProgress]:
        """The refiner at last, which comes after all that has been tuned: left as it was, it would put what a still
        picture's rays say in place of what super-resolution has learned of the photo."""
        says, fit = "Tuning to the photo", self.fit
        with torch.no_grad():
            scene = tuning.generator.scene(codes)
        yield self.progress(says, counts=False)
        rendered: Rendered | None = None
        for rendered in fit.still(scene, pose):  # noqa: B007 - the last one counts
            yield self.progress(says, counts=False)
        assert rendered is not None
        assert scene.upsampler is not None
        with torch.no_grad():
            picture = scene.upsampler(rendered.features[None])[0]
        yield self.progress(says, counts=False)
        adam, steps = tuning.optimiser(part=REFINER), self.settings.refiner_steps
        for step in range(steps):
            adam.forget()
            loss = fit.against_photo(refined(scene, rendered, picture)) + tuning.distance()
            loss.backward()
            adam.step(falling(step, steps))
            self.loss = float(loss.detach())
            yield self.progress(says)

    def _locality(self, codes: Tensor, pose: Pose, weight: float, says: str) -> Work[InversionProgress, None, Locality]:
        """What codes [L, W] say where the photo does not look."""
        with torch.no_grad():
            scene = self.generator.scene(codes)
        yield self.progress(says, counts=False)
        locality: Locality | None = None
        for locality in Locality.gathered(scene, pose.camera(), self.generator.camera, self.fit.device, weight):  # noqa: B007
            yield self.progress(says, counts=False)
        assert locality is not None
        return locality

    def _picture(
        self, generator: Generator, codes: Tensor, pose: Pose, says: str
    ) -> Work[InversionProgress, None, Tensor]:
        """What codes [L, W] show from the photo's camera, [3, S, S]."""
        picture: Tensor | None = None
        for picture in self.fit.picture(generator, codes, pose):  # noqa: B007 - the last one counts
            yield self.progress(says, counts=False)
        assert picture is not None
        return picture
