"""What a generator shows from a camera, rendered so that sampling hides no fault; the cameras and latents measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from ....models.base import Generator, Scene, VolumeSettings
from ...camera import camera_matrices
from ...rendering.edges import with_smooth_edges
from ...rendering.exact import render_exact, render_image, render_in_chunks, render_rays
from ...rendering.image import Rendered
from ...rendering.rays import box_limits, camera_rays
from ...rendering.supersample import averaged
from ...state import Camera
from ..camera_labels import lens_of
from ..picture_teachers import PictureTeacher

DENSE = 96
"""Uniform samples a ray of EG3D's fields: finer than the official coarse pass, and without its half-bin shift."""
RAYS = 2048
"""Rendered at once, of those that meet a box."""
FIRST_HELD_OUT = 10_000
"""Latents are drawn from torch seeds from here on; training draws from other seeds' streams."""


class LatentGenerator(Protocol):
    """What a generator also is whose latents can be given: a teacher is shown the same ones."""

    def codes_of_latent(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Latents [N, z_dim] -> codes [N, num_layers, width]."""
        ...


@dataclass(frozen=True)
class View:
    """One rendered picture and what the volume knows of it."""

    picture: Tensor
    """[3, H, W] in 0..1: the final picture."""
    raw: Tensor
    """[3, h, w] in 0..1: of the volume renderer, before any super-resolution."""
    alpha: Tensor
    """[h, w] in 0..1."""
    depth: Tensor
    """[h, w], in multiples of the rays' directions; trust it where `alpha` is above 1/2."""


@dataclass(frozen=True)
class Pose:
    """A camera that views are taken from."""

    cam2world: Tensor
    """[4, 4], OpenCV axes."""
    intrinsics: Tensor
    """[3, 3], normalised."""


def held_out_latent(seed: int, z_dim: int) -> Tensor:
    """A latent [1, z_dim] that no training has seen."""
    return torch.randn(1, z_dim, generator=torch.Generator().manual_seed(FIRST_HELD_OUT + seed))


class Subject:
    """A generator under measurement.

    Args:
        generator: with latents.
        teacher: whose student it is; its cameras are used. None: the generator's own camera.
    """

    def __init__(self, generator: Generator, teacher: PictureTeacher | None = None) -> None:
        self.generator, self.teacher = generator, teacher
        self._latents = cast("LatentGenerator", generator)
        self.z_dim = teacher.z_dim if teacher is not None else latent_width(generator)

    def codes(self, geometry: Tensor, appearance: Tensor | None = None) -> Tensor:
        """Codes [layers, width] of one latent [1, z_dim], or of two: shape and colours."""
        with torch.inference_mode():
            codes = self._latents.codes_of_latent(geometry)[0]
            if appearance is not None:
                layers = list(self.generator.appearance_layers)
                codes = codes.clone()
                codes[layers] = self._latents.codes_of_latent(appearance)[0, layers]
        return codes

    def pose(self, yaw: float, pitch: float | None = None) -> Pose:
        """A camera at an angle, radians; `pitch` None: the usual one."""
        usual = self.generator.camera
        if self.teacher is not None:
            matrix = self.teacher.camera(yaw, self.teacher.pitch if pitch is None else pitch)[0]
            return Pose(matrix, lens_of(self.teacher.focal))
        camera = Camera(
            yaw=usual.yaw + yaw,
            pitch=usual.pitch if pitch is None else pitch,
            radius=usual.radius,
            fov=usual.fov,
            pivot=usual.pivot,
        )
        matrices = camera_matrices(camera, usual)
        return Pose(*(torch.from_numpy(np.asarray(m)).float() for m in matrices))

    def look(self, codes: Tensor, pose: Pose) -> View:
        """The scene of codes [layers, width] from a camera."""
        with torch.inference_mode():
            return look(self.generator.scene(codes), pose)

    def look_raw(self, codes: Tensor, pose: Pose) -> Tensor:
        """The volume rendering alone, at half its size: [3, h / 2, w / 2] in 0..1; a quarter of the price."""
        with torch.inference_mode():
            scene = self.generator.scene(codes)
            return look(scene, pose, scene.resolution // 2).raw


@torch.inference_mode()
def look(scene: Scene, pose: Pose, resolution: int | tuple[int, int] | None = None) -> View:
    """One view of a scene at its own size; or at another, a side or (height, width), then without super-resolution."""
    device = _device_of(scene)
    shown = replace(scene, volume=dense(scene.volume))
    across = scene.supersampling
    height, width = resolution if isinstance(resolution, tuple) else (resolution or scene.resolution,) * 2
    rays = (height * across, width * across)
    rendered = _rendered(shown, pose, rays, device)
    if across > 1:
        more = partial(render_in_chunks, shown, shown.volume)
        rendered = averaged(with_smooth_edges(shown, rendered, pose.cam2world, pose.intrinsics, more), across)
    picture = render_image(shown, rendered) if resolution is None else rendered.features[:3]
    return View(
        picture.float().clamp(0, 1).cpu(),
        rendered.features[:3].clamp(0, 1).cpu(),
        rendered.alpha.cpu(),
        rendered.depth.cpu(),
    )


def _rendered(scene: Scene, pose: Pose, size: tuple[int, int], device: torch.device) -> Rendered:
    """The exact renderer's picture. Rays that miss a box which holds all there is, most of a car's, are not asked."""
    volume = scene.volume
    if volume.near is not None or scene.upsampler is not None or scene.background is not None:
        return render_exact(scene, pose.cam2world, pose.intrinsics, resolution=size, device=device)
    origins, directions = camera_rays(pose.cam2world, pose.intrinsics, *size, volume, device)
    near, far, hit = box_limits(origins, directions, scene.field.bounds)
    features = torch.full((3, len(hit)), float(volume.white_background), device=device)
    alpha, depth = torch.zeros(2, len(hit), device=device)
    for rays in hit.nonzero()[:, 0].split(RAYS):
        seen = render_rays(scene, volume, origins[rays], directions[rays], near[rays], far[rays])
        features[:, rays] = seen.features[:, :3].T
        alpha[rays], depth[rays] = seen.alpha, seen.depth.nan_to_num()
    return Rendered(features.view(3, *size), depth.view(size), alpha.view(size))


def dense(volume: VolumeSettings) -> VolumeSettings:
    """EG3D's settings with many uniform samples in place of two passes; other families' own settings."""
    if volume.sampler != "eg3d":
        return volume
    return replace(volume, coarse=max(DENSE, volume.coarse + volume.fine), fine=0, sampler="nerf")


def latent_width(generator: Generator) -> int:
    """Numbers in a latent of an EG3D or a pi-GAN, 0 where a generator has none."""
    network = getattr(generator, "network", None)
    sizes = getattr(network, "config", None) or getattr(network, "layout", None)
    return int(getattr(sizes, "z_dim", 0))


def slerp(a: Tensor, b: Tensor, steps: int) -> list[Tensor]:
    """A walk from a to b along a circle: independent normal latents stay normal all along."""
    angles = [0.5 * math.pi * i / (steps - 1) for i in range(steps)]
    return [math.cos(t) * a + math.sin(t) * b for t in angles]


Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


def silent(what: str, done: int, of: int) -> None:
    """Tells nobody."""


def _device_of(scene: Scene) -> torch.device:
    for name in ("planes", "codes"):
        tensor = getattr(scene.field, name, None)
        if isinstance(tensor, Tensor):
            return tensor.device
    return getattr(scene.field, "device", torch.device("cpu"))
