"""The procedural teachers as makers of pictures: a latent in, an exact picture with coverage and depth out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from ...models.errors import NeuroviewError
from ..rendering.image import Rendered
from ..rendering.supersample import averaged

if TYPE_CHECKING:
    from .sphere_trace import Subject

ACROSS = 2
"""Rays along each side of a pixel."""


class PictureTeacher(Protocol):
    """What pictures, their cameras and the parameters behind them come from."""

    name: str
    z_dim: int
    focal: float
    """Focal length in picture sides."""
    yaws: tuple[float, float, float]
    """Of the three views that are measured, radians."""
    pitch: float
    """Of those views."""

    def cameras(self, count: int) -> Tensor:
        """Random training cameras [count, 4, 4], cam2world with OpenCV axes, from torch's generator."""
        ...

    def camera(self, yaw: float, pitch: float) -> Tensor:
        """One camera [1, 4, 4] on the usual sphere; radians."""
        ...

    def render(
        self, geometry: Tensor, appearance: Tensor, cam2world: Tensor, resolution: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures [B, 3, R, R] in 0..1 on white, coverage [B, R, R] and distance along the ray [B, R, R] (valid where
        covered) of the shapes of latents [B, z_dim] in the colours of others. A pixel is the mean of `ACROSS` x
        `ACROSS` rays: brows and lashes are narrower than a pixel."""
        ...

    def parameters(self, z: Tensor) -> Tensor:
        """What latents [B, z_dim] mean: [B, P], each entry in 0..1."""
        ...


class HeadsTeacher:
    """The heads (`heads_parameters`, `sphere_trace`).

    Args:
        compile: fuse the signed distances with torch.compile, which needs a C++ compiler and pays after some tens of
            pictures.
    """

    name = "heads"
    yaws, pitch = (-0.6, 0.0, 0.6), 0.08

    def __init__(self, compile: bool = False) -> None:
        from .heads_parameters import Z_DIM
        from .sphere_trace import FOCAL, Teacher

        self.z_dim, self.focal = Z_DIM, FOCAL
        self._teacher = Teacher(compile=compile)

    def cameras(self, count: int) -> Tensor:
        """See `PictureTeacher`."""
        from .sphere_trace import random_cameras

        return random_cameras(count)

    def camera(self, yaw: float, pitch: float) -> Tensor:
        """See `PictureTeacher`."""
        from .sphere_trace import look_at_origin

        return look_at_origin(torch.tensor([yaw]), torch.tensor([pitch]))

    def render(
        self, geometry: Tensor, appearance: Tensor, cam2world: Tensor, resolution: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `PictureTeacher`."""
        from .heads_parameters import heads_from_latents

        return _averaged(self._teacher, heads_from_latents(geometry, appearance), cam2world, resolution)

    def parameters(self, z: Tensor) -> Tensor:
        """See `PictureTeacher`; the entries of z that no parameter reads are left out."""
        from .heads_parameters import APPEARANCE_NAMES, GEOMETRY_DIMS, GEOMETRY_NAMES, uniform_from_latent

        u = uniform_from_latent(z)
        looks = u[:, GEOMETRY_DIMS : GEOMETRY_DIMS + len(APPEARANCE_NAMES)]
        return torch.cat([u[:, : len(GEOMETRY_NAMES)], looks], 1)


class CarsTeacher:
    """The cars (`cars_parameters`, `cars_teacher`).

    Args:
        compile: as for the heads.
    """

    name = "cars"
    yaws, pitch = (-2.2, 0.7, 2.5), 0.35

    def __init__(self, compile: bool = False) -> None:
        from .cars_parameters import Z_DIM
        from .cars_teacher import CarTeacher

        self._teacher = CarTeacher(compile)
        self.z_dim, self.focal = Z_DIM, self._teacher.focal

    def cameras(self, count: int) -> Tensor:
        """See `PictureTeacher`; all around, from above the ground."""
        from .cars_teacher import random_cameras

        return random_cameras(count)

    def camera(self, yaw: float, pitch: float) -> Tensor:
        """See `PictureTeacher`; yaw 0 looks at the nose."""
        from .sphere_trace import look_at_origin

        return look_at_origin(torch.tensor([yaw]), torch.tensor([pitch]), self._teacher.radius)

    def render(
        self, geometry: Tensor, appearance: Tensor, cam2world: Tensor, resolution: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `PictureTeacher`."""
        from .cars_parameters import cars_from_latents

        return _averaged(self._teacher, cars_from_latents(geometry, appearance), cam2world, resolution)

    def parameters(self, z: Tensor) -> Tensor:
        """See `PictureTeacher`."""
        from .cars_parameters import uniform_from_latent

        return uniform_from_latent(z)


def _averaged(
    teacher: Subject, subject: Mapping[str, Tensor], cam2world: Tensor, resolution: int
) -> tuple[Tensor, Tensor, Tensor]:
    from .sphere_trace import render

    rgb, coverage, depth = render(teacher, subject, cam2world, resolution * ACROSS)
    views = [averaged(Rendered(*view), ACROSS) for view in zip(rgb, depth, coverage, strict=True)]
    features, alpha, far = (torch.stack(p) for p in zip(*((v.features, v.alpha, v.depth) for v in views), strict=True))
    return features, alpha, far


TEACHERS: dict[str, type[HeadsTeacher] | type[CarsTeacher]] = {"heads": HeadsTeacher, "cars": CarsTeacher}


def open_teacher(name: str, compile: bool = False) -> PictureTeacher:
    """A teacher by name.

    Raises:
        NeuroviewError: there is no such teacher.
    """
    if name not in TEACHERS:
        raise NeuroviewError(f"there is no teacher {name!r}; there are {', '.join(TEACHERS)}.")
    return TEACHERS[name](compile)
