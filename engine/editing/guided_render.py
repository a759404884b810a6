"""A differentiable picture from few samples a ray, placed where a first look without gradients found the surface.

The exact renderer asks the field about a hundred times a ray, and every question costs three times as much when
gradients are wanted. Nearly all of them fall on empty space or behind the surface. Here the exact renderer's coarse
samples are asked once, without gradients and for density alone, and only a few samples about what they found take part
in the differentiable composite (NeRF's importance sampling, section 5.2, with the coarse samples left out).

Both can be done in pieces of some tens of milliseconds, so that a render loop gets its turn between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import RadianceField, Scene
from ...models.eg3d import TriPlaneField
from ..rendering.background import over_background
from ..rendering.exact import query, query_density
from ..rendering.image import Rendered
from ..rendering.integrate import composite, compositing_weights
from ..rendering.rays import camera_rays, ray_limits
from ..rendering.sampling import inverse_transform, stratified

FLOOR = 2e-3
"""Weight of a bin in which nothing was found, so that something can still grow there."""
VISIBLE = 1e-3
"""Opacity below which a ray met nothing."""
LOOK_UPS, EVALUATIONS = 1 << 15, 1 << 10
"""Questions to a field in one piece of work: planes answer by looking up, other fields by running a network."""


@dataclass(frozen=True)
class Placement:
    """Which rays of a picture are worth asking, and at which depths."""

    height: int
    width: int
    rays: Tensor
    """[N] indices of the rays that are rendered; the others show the background's plain colour."""
    depths: Tensor
    """[N, S], increasing."""


def affordable(field: RadianceField) -> int:
    """Questions that a field answers in some tens of milliseconds on one core, gradients wanted."""
    while not isinstance(field, TriPlaneField) and hasattr(field, "base"):
        field = field.base  # type: ignore[attr-defined]
    return LOOK_UPS if isinstance(field, TriPlaneField) else EVALUATIONS


def place_samples(
    scene: Scene,
    cam2world: Tensor,
    intrinsics: Tensor,
    size: int,
    samples: int,
    *,
    coarse: int | None = None,
    wanted: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Placement:
    """Looks once without gradients.

    Args:
        scene: what is seen.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        size: side of the picture, pixels.
        samples: a ray, for the differentiable picture.
        coarse: samples a ray of the look; None: the scene's own.
        wanted: [size, size] bool, pixels that must be rendered whether or not there is anything yet; None: all. Rays
            are left out only over a plain background, whose colour is known.
        generator: moves the samples a little with every look; None: they stand still.
    """
    *_, found = placing(scene, cam2world, intrinsics, size, samples, coarse=coarse, wanted=wanted, generator=generator)
    assert found is not None
    return found


def placing(
    scene: Scene,
    cam2world: Tensor,
    intrinsics: Tensor,
    size: int,
    samples: int,
    *,
    coarse: int | None = None,
    wanted: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[Placement | None]:
    """`place_samples` in short pieces: None after each, and the placement in the end."""
    volume = scene.volume
    with torch.no_grad():
        origins, directions = camera_rays(cam2world, intrinsics, size, size, volume, cam2world.device)
        near, far = ray_limits(origins, directions, volume, scene.field.bounds)
        look = stratified(near, far, coarse or volume.coarse, volume.sampler, generator=generator)
    field = scene.field if scene.proposal is None else scene.proposal
    rays_at_once = max(1, 2 * affordable(field) // look.shape[1])
    parts: list[Tensor] = []
    for start in range(0, len(look), rays_at_once):
        if start:
            yield None
        end = start + rays_at_once
        with torch.no_grad():
            raw = query_density(field, origins[start:end], directions[start:end], look[start:end])
            lengths = directions[start:end].norm(dim=-1)
            weights = compositing_weights(replace(volume, opaque_end=False), look[start:end], raw, lengths)
            if weights.shape[1] < look.shape[1]:  # of intervals: the first sample ends none, the last begins none
                weights = torch.maximum(F.pad(weights, (1, 0)), F.pad(weights, (0, 1)))
            parts.append(weights)
    with torch.no_grad():
        step = (far - near)[:, None] / look.shape[1]
        yield _placed(scene, torch.cat(parts), look, step, size, samples, wanted, generator)


def _placed(
    scene: Scene,
    weights: Tensor,
    look: Tensor,
    step: Tensor,
    size: int,
    samples: int,
    wanted: Tensor | None,
    generator: torch.Generator | None,
) -> Placement:
    """The samples that weights [N, C] at depths [N, C] a step [N, 1] apart call for."""
    rays = torch.arange(size * size, device=look.device)
    if wanted is not None and scene.background is None:
        seen = (weights.sum(-1) > VISIBLE).view(1, 1, size, size).float()
        near_seen = F.max_pool2d(seen, 5, 1, 2)[0, 0] > 0
        rays = (near_seen | wanted).flatten().nonzero()[:, 0]
    spread = F.max_pool1d(weights[rays][:, None], 3, 1, 1)[:, 0] + FLOOR
    edges = torch.cat([look[rays] - 0.5 * step[rays], look[rays, -1:] + 0.5 * step[rays]], 1)  # [N, C + 1]
    quantiles = (torch.arange(samples, device=look.device) + 0.5).expand(len(rays), samples) / samples
    if generator is not None:
        quantiles = quantiles + (torch.rand(quantiles.shape, generator=generator).to(look) - 0.5) / samples
    depths = inverse_transform(edges, spread, quantiles.clamp(0, 1 - 1e-6).contiguous())
    return Placement(size, size, rays, depths.sort(-1).values)


def render_placed(scene: Scene, cam2world: Tensor, intrinsics: Tensor, placement: Placement) -> Rendered:
    """The volume image at the given samples; differentiable in the field, and in both matrices."""
    pieces = RayPieces(scene, cam2world, intrinsics, placement, at_once=placement.depths.numel())
    for _ in pieces.forward():
        pass
    return pieces.rendered(joined=True)


class RayPieces:
    """The volume image at given samples, made piece by piece, its gradients sent back the same way.

    Args:
        scene: what is seen.
        cam2world: [4, 4], OpenCV axes.
        intrinsics: [3, 3], normalised.
        placement: where.
        at_once: questions to the field in a piece; None: `affordable`.
        learning: whether gradients are wanted.
    """

    def __init__(
        self,
        scene: Scene,
        cam2world: Tensor,
        intrinsics: Tensor,
        placement: Placement,
        *,
        at_once: int | None = None,
        learning: bool = True,
    ) -> None:
        self._scene, self._placement, self._pose = scene, placement, (cam2world, intrinsics)
        self._learning = learning
        at_once = affordable(scene.field) if at_once is None else at_once
        self._rays = max(1, at_once // placement.depths.shape[1])
        self._made: list[Tensor] = []
        self._depths: list[Tensor] = []
        self._values = placement.depths.new_zeros(0)

    def forward(self) -> Iterator[None]:
        """Renders; yields after each piece."""
        volume, place = self._scene.volume, self._placement
        with torch.set_grad_enabled(self._learning and torch.is_grad_enabled()):
            origins, directions = camera_rays(*self._pose, place.height, place.width, volume, place.depths.device)
        for start in range(0, max(len(place.rays), 1), self._rays):
            chosen = slice(start, start + self._rays)
            with torch.set_grad_enabled(self._learning and torch.is_grad_enabled()):
                there, along, depths = origins[place.rays[chosen]], directions[place.rays[chosen]], place.depths[chosen]
                raw, features = query(self._scene.field, there, along, depths)
                found = composite(volume, depths, raw, features, along.norm(dim=-1))
                self._made.append(torch.cat([found.features, found.alpha[:, None]], 1))
                self._depths.append(found.depth.detach())
            yield

    def rendered(self, *, joined: bool = False) -> Rendered:
        """The picture before the scene's background, once `forward` has ended.

        Args:
            joined: whether gradients reach the field at once; else they wait for `backward`.
        """
        values = torch.cat(self._made)
        if not joined:
            values = values.detach().requires_grad_(values.requires_grad)
        self._values = values
        place, plain = self._placement, float(self._scene.volume.white_background)
        total, channels = place.height * place.width, values.shape[1] - 1
        image, alpha, depth = values[:, :channels], values[:, channels], torch.cat(self._depths)
        if len(place.rays) < total:
            image = image.new_full((total, channels), plain).scatter(0, place.rays[:, None].expand(-1, channels), image)
            alpha = alpha.new_zeros(total).scatter(0, place.rays, alpha)
            depth = depth.new_zeros(total).scatter(0, place.rays, depth)
        size = (place.height, place.width)
        found = Rendered(features=image.T.reshape(channels, *size), depth=depth.view(size), alpha=alpha.view(size))
        return over_background(self._scene, found, *self._pose)

    def backward(self) -> Iterator[None]:
        """Sends what the picture has received on to the field and the matrices; yields after each piece.

        What pieces share (matrices, folded layers) is kept until the caller lets go of it.
        """
        received = self._values.grad
        if received is None:
            return
        for made, gradient in zip(self._made, received.split(self._rays), strict=True):
            send_back(made, gradient)
            yield


def send_back(made: Tensor, gradient: Tensor | None) -> None:
    """Backward from a tensor that received a gradient; what lies before is kept.

    Through their product: torch imports its symbolic shapes, a third of a second, to compare two tensors' shapes.
    """
    if gradient is not None:
        (made * gradient).sum().backward(retain_graph=True)
