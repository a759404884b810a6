"""NeRF's normalised device coordinates: a frustum without end, folded into a cube (NeRF, appendix C).

Networks of forward-facing scenes were trained on rays that had been mapped by

    x' = -(2 f / W) x / z,   y' = -(2 f / H) y / z,   z' = 1 + 2 n / z        (appendix C, eq. 25 with infinite far)

from the frame of the mean camera (x right, y up, looking along -z), near plane at z = -n. The map is projective: lines
stay lines, so a point can be mapped by itself and the renderer needs no rays of another kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .base import VolumeSettings
from .nerf import Bounds, NeRFField

# A point on or behind the near plane has no image; its raw density is one that every activation turns into nothing.
_NOTHING = -1e4


@dataclass(frozen=True)
class NDC:
    """The frustum that the cube stands for."""

    focal_x: float
    """Focal length in picture widths, f / W."""
    focal_y: float
    """Focal length in picture heights, f / H."""
    near: float = 1.0
    """n, distance of the near plane from the mean camera; the published loaders scale every scene so that it is 1."""

    def __call__(self, points: Tensor) -> Tensor:
        """World [N, 3] -> NDC [N, 3]; z must be negative."""
        x, y, z = points.unbind(-1)
        return torch.stack([-2 * self.focal_x * x / z, -2 * self.focal_y * y / z, 1 + 2 * self.near / z], dim=-1)

    def stretch(self, points: Tensor, directions: Tensor) -> Tensor:
        """NDC length of one world unit at points [N, 3] along unit directions [N, 3]: [N], the norm of J d."""
        x, y, z = points.unbind(-1)
        dx, dy, dz = directions.unbind(-1)
        along = torch.stack(
            [
                2 * self.focal_x * (dx - x / z * dz) / z,
                2 * self.focal_y * (dy - y / z * dz) / z,
                2 * self.near * dz / (z * z),
            ],
            dim=-1,
        )
        return along.norm(dim=-1)


class NDCField:
    """A field that lives in NDC, asked in world coordinates (the `RadianceField` contract).

    Official code integrates density over NDC length. Per world unit that is density times `NDC.stretch`, which depends
    on the ray's direction a little; so does the raw density here, exactly when a direction is given. `density` and
    `trunk`, which get none, take the direction away from the mean camera, along which almost all rays run.

    Scaling is only right before an activation that commutes with it, so this is for 'relu' (NeRF's).

    Args:
        field: in NDC.
        ndc: the frustum.
        bounds: box in world coordinates outside of which nothing is worth sampling.
    """

    features = 3

    def __init__(self, field: NeRFField, ndc: NDC, bounds: Bounds) -> None:
        self.field = field
        self.ndc = ndc
        self.bounds = bounds
        self.view_dependent = field.view_dependent

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are."""
        return self.field.device

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] per world unit and RGB in 0..1 [N, 3] at points [N, 3] along unit directions [N, 3].

        Colour is asked with world directions: official code normalises them before it maps the rays.
        """
        inside, mapped = self._map(points)
        raw, rgb = self.field(mapped, directions)
        return self._per_world_unit(raw, inside, points, directions), rgb

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] per world unit for a ray from the mean camera."""
        inside, mapped = self._map(points)
        return self._per_world_unit(self.field.density(mapped), inside, points, None)

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] as `density` has it, and trunk features [N, width] for `colour`."""
        inside, mapped = self._map(points)
        raw, hidden = self.field.trunk(mapped)
        return self._per_world_unit(raw, inside, points, None), hidden

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of trunk features [N, width] seen along unit directions [N, 3]."""
        return self.field.colour(trunk, directions)

    def _map(self, points: Tensor) -> tuple[Tensor, Tensor]:
        # A sample exactly on the near plane is the first of every ray; rounding must not lose it.
        inside = points[:, 2] <= -self.ndc.near * (1 - 1e-4)
        safe = torch.where(inside[:, None], points, points.new_tensor([0.0, 0.0, -self.ndc.near]))
        return inside, self.ndc(safe)

    def _per_world_unit(self, raw: Tensor, inside: Tensor, points: Tensor, directions: Tensor | None) -> Tensor:
        if directions is None:
            directions = torch.nn.functional.normalize(points, dim=-1)
        safe = torch.where(inside[:, None], points, points.new_tensor([0.0, 0.0, -self.ndc.near]))
        return torch.where(inside, raw * self.ndc.stretch(safe, directions), raw.new_tensor(_NOTHING))


def ndc_volume(ndc: NDC, far: float, coarse: int = 64, fine: int = 64) -> VolumeSettings:
    """How official code samples such a scene, in world terms: evenly in z', which is evenly in 1 / depth.

    Exactly so for the mean camera up to `far`, where the last sample stands for all that lies behind; samples of
    moved cameras differ by as little as their near planes do.
    """
    return VolumeSettings(
        near=ndc.near,
        far=far,
        coarse=coarse,
        fine=fine,
        activation="relu",
        quadrature="left",
        sampler="nerf",
        unit_rays=False,
        pixels="corner",
        disparity=True,
    )


def frustum_bounds(ndc: NDC, far: float, margin: float = 1.1) -> Bounds:
    """Box around the mean camera's frustum from the near plane to `far`, with `margin` for cameras beside it."""
    x, y = margin * far * 0.5 / ndc.focal_x, margin * far * 0.5 / ndc.focal_y
    return (-x, -y, -far), (x, y, -ndc.near)
