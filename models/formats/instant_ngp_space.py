"""instant-ngp's coordinates and cameras, in those of the data set that a snapshot was trained on.

A point x of `transforms.json` is at R (s x + o) in instant-ngp, where s is the data set's scale (0.33), o its offset
(0.5, 0.5, 0.5) and R cycles the axes (x, y, z) -> (y, z, x), but for data sets from Mitsuba. The grid covers `aabb`,
the unit cube enlarged about its centre by `aabb_scale`. Densities are per unit of instant-ngp's length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ..base import CameraDefaults, Pose
from ..errors import CheckpointError
from ..hashgrid_field import AffineWarp, DensityGrid
from ..nerf import Bounds
from .cameras import first_view, orbit_angles
from .transforms_json import plain

_CYCLE = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
_MOST_POSES = 20_000
_DEFAULT_SCALE, _DEFAULT_OFFSET = 0.33, (0.5, 0.5, 0.5)
_DEFAULT_FOV = 0.8755  # instant-ngp's own: 50.625 degrees, rounded


@dataclass(frozen=True)
class Space:
    """How world and network coordinates hang together."""

    cycle: np.ndarray
    """R, [3, 3]"""
    scale: float
    """s: instant-ngp's length units in one of the world's."""
    offset: np.ndarray
    """o, [3]"""
    aabb: np.ndarray
    """[2, 3] corners of the grid, in instant-ngp's coordinates."""
    visible: np.ndarray
    """[2, 3] corners of what is rendered, in instant-ngp's coordinates."""
    aabb_scale: int

    @property
    def to_unit(self) -> AffineWarp:
        """World into instant-ngp's own coordinates, whose unit cube is cascade 0 of the density grid."""
        matrix, offset = self.cycle * self.scale, self.cycle @ self.offset
        return AffineWarp(plain(matrix), tuple(float(v) for v in offset))

    @property
    def to_box(self) -> AffineWarp:
        """World into the hash grid's unit cube."""
        extent = self.aabb[1] - self.aabb[0]
        matrix = self.cycle * self.scale / extent[:, None]
        offset = (self.cycle @ self.offset - self.aabb[0]) / extent
        return AffineWarp(plain(matrix), tuple(float(v) for v in offset))

    @property
    def turn(self) -> tuple[tuple[float, ...], ...]:
        """[3][3] from world directions to the network's."""
        return plain(self.cycle)

    @property
    def bounds(self) -> Bounds:
        """What is rendered, in world coordinates."""
        return self._world_box(self.visible)

    def world(self, points: np.ndarray) -> np.ndarray:
        """[..., 3] from instant-ngp's coordinates into the world's."""
        return (points @ self.cycle - self.offset) / self.scale

    def occupied_bounds(self, grid: DensityGrid) -> Bounds:
        """What is rendered and may hold something; all that is rendered, when nothing may."""
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for cascade, cells in enumerate(grid.occupied.numpy()):
            side = len(cells)
            index = np.argwhere(cells)
            if cascade:  # its inner half belongs to the smaller cascade
                index = index[((index < side // 4) | (index >= side - side // 4)).any(1)]
            if len(index):
                low = np.minimum(low, (index.min(0) / side - 0.5) * 2.0**cascade + 0.5)
                high = np.maximum(high, ((index.max(0) + 1) / side - 0.5) * 2.0**cascade + 0.5)
        low, high = np.maximum(low, self.visible[0]), np.minimum(high, self.visible[1])
        return self._world_box(np.stack([low, high])) if (low < high).all() else self.bounds

    def _world_box(self, corners: np.ndarray) -> Bounds:
        ends = np.sort(self.world(corners), axis=0)
        (a, b, c), (d, e, f) = ends.tolist()
        return (a, b, c), (d, e, f)


def space_of(snapshot: Mapping[str, Any], name: str) -> Space:
    """The coordinates of a snapshot.

    Raises:
        CheckpointError: no box, or one without volume; an HDR data set or per-image latents, which are not supported.
    """
    nerf = snapshot["nerf"] if isinstance(snapshot.get("nerf"), Mapping) else {}
    data = nerf["dataset"] if isinstance(nerf.get("dataset"), Mapping) else {}
    if data.get("is_hdr"):
        raise CheckpointError(f"{name} was trained on HDR pictures; its colours are not limited to 0..1.")
    if data.get("n_extra_learnable_dims") or data.get("has_light_dirs"):
        raise CheckpointError(f"{name} was trained with latents per picture (n_extra_learnable_dims); not supported.")
    scale, offset = data.get("scale", _DEFAULT_SCALE), _numbers(data.get("offset", _DEFAULT_OFFSET), (3,))
    if not isinstance(scale, (int, float)) or not 1e-6 < scale < 1e6 or offset is None:
        raise CheckpointError(f"{name}: the data set's scale or offset is no finite number.")
    aabb_scale = nerf.get("aabb_scale", data.get("aabb_scale", 1))
    if not isinstance(aabb_scale, int) or not 1 <= aabb_scale <= 1 << 7:
        raise CheckpointError(f"{name}: aabb_scale is {str(aabb_scale)[:40]!r}, expected a power of two up to 128.")
    whole = np.array([[0.5 - 0.5 * aabb_scale] * 3, [0.5 + 0.5 * aabb_scale] * 3])
    aabb = _box(snapshot.get("aabb"), whole, f"{name}: snapshot.aabb")
    visible = _box(snapshot.get("render_aabb"), aabb, f"{name}: snapshot.render_aabb")
    visible = np.clip(visible, aabb[0], aabb[1])
    if not (visible[0] < visible[1]).all():
        visible = aabb
    return Space(np.eye(3) if data.get("from_mitsuba") else _CYCLE, float(scale), offset, aabb, visible, aabb_scale)


def poses_of(snapshot: Mapping[str, Any], space: Space) -> tuple[Pose, ...]:
    """The data set's cameras, as far as the snapshot has them; those that are incomplete are left out."""
    data = snapshot["nerf"].get("dataset") if isinstance(snapshot.get("nerf"), Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(data.get("xforms"), list):
        return ()
    poses = []
    for index, moving in enumerate(data["xforms"][:_MOST_POSES]):
        matrix = _numbers(moving.get("start") if isinstance(moving, Mapping) else moving, (3, 4))
        lens = _lens(data, index)
        if matrix is not None and lens is not None and abs(np.linalg.det(matrix[:, :3])) > 1e-9:
            paths = data.get("paths")
            path = paths[index] if isinstance(paths, list) and index < len(paths) else ""
            label = PurePosixPath(str(path).replace("\\", "/")).name[:200] or f"{index:04d}"
            poses.append(Pose(label, plain(world_matrix(matrix, space)), lens))
    return tuple(poses)


def world_matrix(matrix: np.ndarray, space: Space) -> np.ndarray:
    """cam2world [4, 4] in the world from instant-ngp's [3, 4]; both have OpenCV axes."""
    out = np.eye(4)
    axes = space.cycle.T @ matrix[:, :3]
    out[:3, :3] = axes / np.linalg.norm(axes, axis=0, keepdims=True)
    out[:3, 3] = space.world(matrix[:, 3])
    return out


def camera_of(snapshot: Mapping[str, Any], space: Space, poses: Sequence[Pose]) -> CameraDefaults:
    """The view with which the snapshot was saved; else the first training camera's; else one of the whole box."""
    low, high = (np.array(corner) for corner in space.bounds)
    centre, size = (low + high) / 2, float(np.linalg.norm(high - low))
    default = CameraDefaults(
        radius=size,
        fov=_DEFAULT_FOV,
        pivot=(float(centre[0]), float(centre[1]), float(centre[2])),
        up="z" if space.cycle is _CYCLE else "y",
        pitch=0.3,
        radius_range=(0.02 * size, 4.0 * size),
    )
    saved = snapshot["camera"] if isinstance(snapshot.get("camera"), Mapping) else {}
    matrix = _numbers(saved.get("matrix"), (3, 4))
    if matrix is None or abs(np.linalg.det(matrix[:, :3])) < 1e-9:
        return first_view(poses, default) if poses else default
    axis, focal = saved.get("fov_axis", 1), _numbers(saved.get("relative_focal_length"), (2,))
    fov = default.fov
    if focal is not None and axis in (0, 1) and focal[axis] > 1e-3:
        fov = 2 * math.atan(0.5 / float(focal[axis]))
    pose = world_matrix(matrix, space)
    view = first_view([Pose("saved", plain(pose), _square_lens(fov))], default)
    away = saved.get("scale", 1.5)
    away = float(away) / space.scale if isinstance(away, (int, float)) and 1e-3 < away < 1e3 else default.radius
    pivot = pose[:3, 3] + away * pose[:3, 2]
    yaw, pitch = orbit_angles(-pose[:3, 2], view.up)
    return CameraDefaults(
        radius=away,
        fov=fov,
        pivot=(float(pivot[0]), float(pivot[1]), float(pivot[2])),
        up=view.up,
        yaw=yaw,
        pitch=pitch,
        pitch_range=(min(-1.5, pitch), max(1.5, pitch)),
        fov_range=(min(0.05, fov), max(1.6, fov)),
        radius_range=(min(0.02 * size, 0.5 * away), max(4.0 * size, 2.0 * away)),
    )


def _lens(data: Mapping[str, Any], index: int) -> tuple[tuple[float, ...], ...] | None:
    """Normalised intrinsics of one camera, from its own metadata or what all share."""
    listed = data.get("metadata")
    own = (
        listed[index] if isinstance(listed, list) and index < len(listed) and isinstance(listed[index], Mapping) else {}
    )
    focals = data.get("focal_lengths")
    shared = focals[index] if isinstance(focals, list) and index < len(focals) else data.get("focal_length")
    focal = _numbers(own.get("focal_length", shared), (2,))
    size = _numbers(own.get("resolution", data.get("image_resolution")), (2,))
    centre = _numbers(own.get("principal_point", data.get("principal_point", (0.5, 0.5))), (2,))
    if focal is None or size is None or centre is None or min(focal.min(), size.min()) <= 0:
        return None
    fx, fy = (focal / size).tolist()
    return (fx, 0.0, float(centre[0])), (0.0, fy, float(centre[1])), (0.0, 0.0, 1.0)


def _square_lens(fov: float) -> tuple[tuple[float, ...], ...]:
    focal = 0.5 / math.tan(0.5 * fov)
    return (focal, 0.0, 0.5), (0.0, focal, 0.5), (0.0, 0.0, 1.0)


def _box(given: Any, default: np.ndarray, where: str) -> np.ndarray:
    if given is None:
        return default
    corners = _numbers([given.get("min"), given.get("max")], (2, 3)) if isinstance(given, Mapping) else None
    if corners is None or not (corners[0] < corners[1]).all():
        raise CheckpointError(f"{where} is {str(given)[:80]}; expected a box with a min and a greater max.")
    return corners


def _numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Finite numbers of a shape, or None."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.shape == shape and np.isfinite(array).all() and np.abs(array).max() < 1e9 else None
