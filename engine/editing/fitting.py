"""`PhotoFit`: how far a scene is from a photo, and one step of any optimiser towards it, in pieces.

A step is cut where few numbers pass, at the codes, the planes and the volume image, so that a render loop gets its turn
between two pieces: scene, samples, volume image, upsampler and loss (forward and backward), then backward through the
field and through the network that made it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Generator, Scene
from ...models.eg3d import TriPlaneField
from ..rendering.exact import render_image
from ..rendering.image import Rendered
from ..rendering.supersample import averaged
from .adam import Adam, falling
from .camera_fit import Pose, pictures_at_once
from .guided_render import Placement, RayPieces, placing, send_back
from .locality import Locality
from .perceptual import SQUARED, LearnedFeatures, PhotoLoss, learned_features, psnr
from .photo import Photo

LOOK_AGAIN = 6
"""Steps for which samples stay where one look has put them."""
LEARNED_FROM = 64
"""Side in pixels below which learned features see nothing."""
LOOK = 32
"""Samples a ray of a look, at most."""
COARSE_SIDE = 32
"""Side of the volume image while the rough is sought, pixels."""
AROUND = 0.4
"""Weight of the backdrop's pixels; the subject's have 1 more. While a generator is tuned both count, or the outline
would fray."""
TUNING_SQUARED = 30.0
"""Weight of the squared error while a generator is tuned: who it is has been found, now the pixels are to be."""


class PhotoFit:
    """One photo and one generator.

    Args:
        generator: with latents.
        photo: square.
        samples: a ray, with gradients.
        most_points: field evaluations with gradients in a step: a family without an upsampler pays a ray for every
            pixel, and is fitted at the size that these allow.
    """

    def __init__(self, generator: Generator, photo: Photo, *, samples: int, most_points: int) -> None:
        codes = generator.codes(0).detach().clone()
        scene = generator.scene(codes)
        self.generator, self.samples, self.device = generator, samples, codes.device
        plain = scene.background is None
        self.masked = plain and photo.subject is not None
        photo = photo.over(float(scene.volume.white_background)) if plain else photo
        subject = None if photo.subject is None else photo.subject.to(self.device)
        self.photo = replace(photo, rgb=photo.rgb.to(self.device), subject=subject)
        self.pictures_at_once = pictures_at_once(scene)
        """Small pictures of a search in one piece of work."""
        self.refines = scene.refiner is not None
        """Whether still pictures go through a refiner."""
        self.size = scene.resolution
        if scene.upsampler is None:
            affordable = int(math.sqrt(most_points / samples)) // 8 * 8
            self.size = min(self.size, max(affordable, 24))
        self.coarse = min(COARSE_SIDE, self.size)
        self._learned: LearnedFeatures | None = learned_features()
        self._jitter = torch.Generator().manual_seed(0)
        self._wanted: dict[int, Tensor | None] = {}
        self._losses: dict[tuple[int, bool], PhotoLoss] = {}
        self._placement: Placement | None = None
        self.newest = self.photo.rgb[:, :1, :1]
        """[3, S, S]: the picture that the newest step compared, before it was taken."""

    def learn(
        self,
        generator: Generator,
        codes: Tensor,
        pose: Pose,
        adam: Adam,
        size: int,
        step: tuple[int, int],
        *,
        prior: Tensor,
        upsampled: bool,
        tuning: bool = False,
        locality: Locality | None = None,
    ) -> Iterator[float]:
        """One step.

        Args:
            generator: this fit's, or its tuned twin.
            codes: [L, W] with gradients to what is sought; without any while a generator is tuned.
            pose: from where.
            adam: over whatever is sought.
            size: side of the volume image.
            step: its number, and of how many; samples are placed anew every few of them.
            prior: added to the loss.
            upsampled: whether the native picture is compared too.
            tuning: whether it is the generator that is learned: the pose stays, and every pixel counts.
            locality: what must stay where the photo does not look; None: nothing.

        Yields:
            The loss after each piece; nan before it is known.
        """
        adam.forget()
        bound = codes.detach().clone().requires_grad_(codes.requires_grad)
        scene, waiting = _cut(generator.scene(bound))
        cam2world, intrinsics = pose.matrices()
        if tuning:
            cam2world, intrinsics = cam2world.detach(), intrinsics.detach()
        yield math.nan
        if self._placement is None or self._placement.width != size or step[0] % LOOK_AGAIN == 0:
            for found in self._placing(scene, cam2world.detach(), intrinsics.detach(), size):
                self._placement = found
                yield math.nan
        assert self._placement is not None
        pieces = RayPieces(scene, cam2world, intrinsics, self._placement)
        for _ in pieces.forward():
            yield math.nan
        loss = self._loss(scene, pieces.rendered(), size, upsampled, tuning)
        (loss + prior).backward(retain_graph=True)
        yield float(loss.detach())
        for _ in pieces.backward():
            yield math.nan
        if locality is not None:
            locality(scene.field).backward(retain_graph=True)
            yield math.nan
        if waiting is not None:
            planes, leaf = waiting
            send_back(planes, leaf.grad)
        if codes.requires_grad:
            send_back(codes, bound.grad)
        adam.step(falling(*step))
        yield float(loss.detach())

    def distance(self, codes: Tensor, pose: Pose) -> Iterator[float | None]:
        """The loss of codes [L, W] at the coarse size, without gradients; None after each piece of work before."""
        size = self.coarse
        with torch.no_grad():
            scene = self.generator.scene(codes)
            cam2world, intrinsics = pose.matrices()
        place = None
        coarse = min(LOOK, scene.volume.coarse)
        for place in placing(scene, cam2world, intrinsics, size, 8, coarse=coarse, wanted=self._rays(size)):  # noqa: B007
            yield None
        assert place is not None
        pieces = RayPieces(scene, cam2world, intrinsics, place, learning=False)
        for _ in pieces.forward():
            yield None
        with torch.no_grad():
            yield float(self._loss(scene, pieces.rendered(), size, False))

    def picture(self, generator: Generator, codes: Tensor, pose: Pose) -> Iterator[Tensor | None]:
        """What codes [L, W] show from the photo's camera where it stands still, [3, S, S] in 0..1; None after each
        piece of work before."""
        with torch.no_grad():
            scene = generator.scene(codes)
        yield None
        rendered: Rendered | None = None
        for rendered in self.still(scene, pose):  # noqa: B007 - the last one counts
            yield None
        assert rendered is not None
        with torch.no_grad():
            yield render_image(scene, rendered).clamp(0, 1)

    def still(self, scene: Scene, pose: Pose) -> Iterator[Rendered | None]:
        """The volume image of a still picture, of as many rays a pixel as the scene asks for; None after each piece of
        work before."""
        with torch.no_grad():
            cam2world, intrinsics = pose.matrices()
        place, side = None, self.size * scene.supersampling
        for place in placing(scene, cam2world, intrinsics, side, 16, wanted=self._rays(side)):  # noqa: B007
            yield None
        assert place is not None
        pieces = RayPieces(scene, cam2world, intrinsics, place, learning=False)
        for _ in pieces.forward():
            yield None
        with torch.no_grad():
            yield averaged(pieces.rendered(), scene.supersampling)

    def against_photo(self, picture: Tensor) -> Tensor:
        """The loss of a picture [3, S, S] while the generator is tuned."""
        return self._against(picture.shape[-1], True)(picture)

    def likeness(self, picture: Tensor) -> float:
        """PSNR of a picture [3, S, S] against the photo at its size, dB."""
        return psnr(picture, self.photo.resized(picture.shape[-1]))

    def explained(self, picture: Tensor) -> float:
        """Part of the variance of the photo's subject that a picture [3, S, S] shares; below 0 for a worse one than
        the subject's mean colour would be."""
        size = picture.shape[-1]
        photo, subject = self.photo.resized(size), self.photo.subject_at(size) if self.masked else None
        weight = torch.ones_like(photo[0]) if subject is None else subject
        weight = weight / weight.sum().clamp_min(1e-6)
        mean = (photo * weight).sum((1, 2), keepdim=True)
        variance = float(((photo - mean).square() * weight).sum())
        return 1 - float(((photo - picture).square() * weight).sum()) / max(variance, 1e-9)

    def _placing(self, scene: Scene, cam2world: Tensor, intrinsics: Tensor, size: int) -> Iterator[Placement | None]:
        return placing(
            scene,
            cam2world,
            intrinsics,
            size,
            self.samples,
            coarse=min(LOOK, scene.volume.coarse),
            wanted=self._rays(size),
            generator=self._jitter,
        )

    def _loss(self, scene: Scene, rendered: Rendered, size: int, upsampled: bool, tuning: bool = False) -> Tensor:
        loss = self._against(size, tuning)(rendered.features[:3])
        if upsampled and scene.upsampler is not None:
            picture = scene.upsampler(rendered.features[None])[0]
            self.newest = picture.detach().clamp(0, 1)
            loss = 0.5 * loss + 1.5 * self._against(picture.shape[-1], tuning)(picture)
        else:
            self.newest = rendered.features[:3].detach().clamp(0, 1)
        subject = self.photo.subject_at(size) if self.masked else None
        return loss if subject is None else loss + (rendered.alpha - subject).square().mean()

    def _against(self, size: int, tuning: bool) -> PhotoLoss:
        if (size, tuning) not in self._losses:
            subject = self.photo.subject_at(size) if self.masked else None
            weight = None if subject is None else (1.0 if tuning else AROUND) + subject
            learned = self._learned if size >= LEARNED_FROM else None
            squared = TUNING_SQUARED if tuning else SQUARED
            self._losses[size, tuning] = PhotoLoss(self.photo.resized(size), weight, learned, squared)
        return self._losses[size, tuning]

    def _rays(self, size: int) -> Tensor | None:
        """Pixels [size, size] that must be rendered whether or not anything is there yet; None: all."""
        if size not in self._wanted:
            subject = self.photo.subject_at(size) if self.masked else None
            self._wanted[size] = None if subject is None else F.max_pool2d(subject[None, None], 3, 1, 1)[0, 0] > 0.02
        return self._wanted[size]


def _cut(scene: Scene) -> tuple[Scene, tuple[Tensor, Tensor] | None]:
    """The scene on copies of its planes, at which gradients wait; the planes and the copies. None: it has none."""
    field = scene.field
    if not isinstance(field, TriPlaneField) or not field.planes.requires_grad:
        return scene, None
    leaf = field.planes.detach().requires_grad_(True)
    return replace(scene, field=TriPlaneField(leaf, field.decoder, field.box_warp)), (field.planes, leaf)
