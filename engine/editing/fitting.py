"""`PhotoFit`: how far a scene is from a photo, and one step of any optimiser towards it, in pieces.

A step is cut where few numbers pass, at the codes and at the volume image, so that a render loop gets its turn between
two pieces: scene and samples, volume image, upsampler and loss (forward and backward), then backward through the field.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Generator, Scene
from ..rendering.image import Rendered
from .camera_fit import Pose
from .guided_render import Placement, place_samples, render_placed
from .locality import Locality
from .perceptual import LearnedFeatures, PhotoLoss, learned_features, psnr
from .photo import Photo

PIECES = 4
"""Pieces of work in one step."""
LOOK_AGAIN = 6
"""Steps for which samples stay where one look has put them."""
LEARNED_FROM = 64
"""Side in pixels below which learned features see nothing."""
COARSE_SIDE = 32
"""Side of the volume image while the rough is sought, pixels."""
AROUND = 0.4
"""Weight of the backdrop's pixels; the subject's have 1 more."""


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
        self.size = scene.resolution
        if scene.upsampler is None:
            affordable = int(math.sqrt(most_points / samples)) // 8 * 8
            self.size = min(self.size, max(affordable, 24))
        self.coarse = min(COARSE_SIDE, self.size)
        self._learned: LearnedFeatures | None = learned_features()
        self._jitter = torch.Generator().manual_seed(0)
        self._wanted: dict[int, Tensor | None] = {}
        self._losses: dict[int, PhotoLoss] = {}
        self._placement: Placement | None = None

    def learn(
        self,
        generator: Generator,
        codes: Tensor,
        pose: Pose,
        optimisers: Sequence[torch.optim.Optimizer],
        size: int,
        step: int,
        *,
        prior: Tensor,
        upsampled: bool,
        locality: Locality | None = None,
    ) -> Iterator[float]:
        """One step.

        Args:
            generator: this fit's, or its tuned twin.
            codes: [L, W] with gradients to what is sought; without any while a generator is tuned.
            pose: from where.
            optimisers: of whatever is sought.
            size: side of the volume image.
            step: samples are placed anew every few of them.
            prior: added to the loss.
            upsampled: whether the native picture is compared too.
            locality: given while a generator is tuned; the pose stays then.

        Yields:
            The loss after each piece; nan before it is known.
        """
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        bound = codes.detach().clone().requires_grad_(codes.requires_grad)
        scene = generator.scene(bound)
        cam2world, intrinsics = pose.matrices()
        if locality is not None:
            cam2world, intrinsics = cam2world.detach(), intrinsics.detach()
        if self._placement is None or self._placement.width != size or step % LOOK_AGAIN == 0:
            self._placement = self._place(scene, cam2world.detach(), intrinsics.detach(), size)
        yield math.nan
        rendered = render_placed(scene, cam2world, intrinsics, self._placement)
        yield math.nan
        features = rendered.features.detach().requires_grad_(True)
        alpha = rendered.alpha.detach().requires_grad_(True)
        loss = self._loss(scene, features, alpha, size, upsampled)
        (loss + prior).backward()
        yield float(loss.detach())
        ends, gradients = [rendered.features], [features.grad]
        if alpha.grad is not None:
            ends.append(rendered.alpha)
            gradients.append(alpha.grad)
        if locality is not None:
            ends.append(locality(scene.field))
            gradients.append(None)
        torch.autograd.backward(ends, gradients)  # type: ignore[arg-type]
        if bound.grad is not None:
            codes.backward(bound.grad)
        for optimiser in optimisers:
            optimiser.step()
        yield float(loss.detach())

    @torch.no_grad()
    def distance(self, codes: Tensor, pose: Pose) -> float:
        """The loss of codes [L, W] at the coarse size, without gradients."""
        scene, size = self.generator.scene(codes), self.coarse
        cam2world, intrinsics = pose.matrices()
        place = place_samples(scene, cam2world, intrinsics, size, 8, coarse=32, wanted=self._rays(size))
        rendered = render_placed(scene, cam2world, intrinsics, place)
        return float(self._loss(scene, rendered.features, rendered.alpha, size, False))

    @torch.no_grad()
    def picture(self, generator: Generator, codes: Tensor, pose: Pose) -> Tensor:
        """What codes [L, W] show from the photo's camera: [3, S, S] in 0..1."""
        scene = generator.scene(codes)
        cam2world, intrinsics = pose.matrices()
        place = place_samples(scene, cam2world, intrinsics, self.size, 16, wanted=self._rays(self.size))
        rendered: Rendered = render_placed(scene, cam2world, intrinsics, place)
        picture = rendered.features[:3] if scene.upsampler is None else scene.upsampler(rendered.features[None])[0]
        return picture.clamp(0, 1)

    def likeness(self, picture: Tensor) -> float:
        """PSNR of a picture [3, S, S] against the photo at its size, dB."""
        return psnr(picture, self.photo.resized(picture.shape[-1]))

    def _place(self, scene: Scene, cam2world: Tensor, intrinsics: Tensor, size: int) -> Placement:
        return place_samples(
            scene, cam2world, intrinsics, size, self.samples, wanted=self._rays(size), generator=self._jitter
        )

    def _loss(self, scene: Scene, features: Tensor, alpha: Tensor, size: int, upsampled: bool) -> Tensor:
        loss = self._against(size)(features[:3])
        if upsampled and scene.upsampler is not None:
            picture = scene.upsampler(features[None])[0]
            loss = 0.5 * loss + 1.5 * self._against(picture.shape[-1])(picture)
        subject = self.photo.subject_at(size) if self.masked else None
        return loss if subject is None else loss + (alpha - subject).square().mean()

    def _against(self, size: int) -> PhotoLoss:
        if size not in self._losses:
            subject = self.photo.subject_at(size) if self.masked else None
            weight = None if subject is None else AROUND + subject
            learned = self._learned if size >= LEARNED_FROM else None
            self._losses[size] = PhotoLoss(self.photo.resized(size), weight, learned)
        return self._losses[size]

    def _rays(self, size: int) -> Tensor | None:
        """Pixels [size, size] that must be rendered whether or not anything is there yet; None: all."""
        if size not in self._wanted:
            subject = self.photo.subject_at(size) if self.masked else None
            self._wanted[size] = None if subject is None else F.max_pool2d(subject[None, None], 3, 1, 1)[0, 0] > 0.02
        return self._wanted[size]
