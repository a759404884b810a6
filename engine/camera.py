"""From the orbit a person drags to the matrices a renderer needs, for worlds whose up is y or z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from ..models.base import Axis, CameraDefaults, Pose
from .state import Camera, StateError

_TO_WORLD = {
    "y": np.eye(3),
    # y-up orbit coordinates into a z-up world: front (+z) becomes -y, up (+y) becomes +z.
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}


def orbit_frame(yaw: float, pitch: float, up: Axis) -> tuple[np.ndarray, np.ndarray]:
    """(unit vector from the pivot to the camera `[3]`, world up `[3]`) for an orbit in radians."""
    world = _TO_WORLD[up]
    out = world @ np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    return out, world @ np.array([0.0, 1.0, 0.0])


def camera_matrices(camera: Camera, defaults: CameraDefaults, aspect: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """cam2world `[4, 4]` and normalised intrinsics `[3, 3]`, float64, OpenCV axes (x right, y down, z forward).

    position = pivot + radius * (sin yaw cos pitch, sin pitch, cos yaw cos pitch), looking at pivot + aim;
    f_y = 1 / (2 tan(fov / 2)) image heights, f_x = f_y / aspect image widths.

    Args:
        aspect: width / height of the picture.

    Raises:
        StateError: a given matrix is not 16 (9) finite numbers, or its rotation is singular.
    """
    if camera.cam2world is not None:
        cam2world = _matrix(camera.cam2world, 4, "camera.cam2world")
        if abs(np.linalg.det(cam2world[:3, :3])) < 1e-6:
            raise StateError("camera.cam2world: its 3x3 rotation is singular; expected a rotation.")
    else:
        cam2world = look_from_orbit(camera, defaults)
    if camera.intrinsics is not None:
        intrinsics = _matrix(camera.intrinsics, 3, "camera.intrinsics")
        if intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0:
            raise StateError("camera.intrinsics: the focal lengths must be positive.")
    else:
        focal = 0.5 / math.tan(0.5 * min(max(camera.fov, 1e-3), 3.1))
        intrinsics = np.array([[focal / aspect, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])
    return cam2world, intrinsics


def look_from_orbit(camera: Camera, defaults: CameraDefaults) -> np.ndarray:
    """cam2world `[4, 4]` of the orbit, roll included."""
    out, up = orbit_frame(camera.yaw, camera.pitch, defaults.up)
    pivot = np.array(camera.pivot)
    position = pivot + camera.radius * out
    forward = pivot + np.array(defaults.aim) - position
    forward /= max(np.linalg.norm(forward), 1e-12)
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-6:  # straight above or below: the orbit's own tangent stays well defined
        right, _ = orbit_frame(camera.yaw + math.pi / 2, 0.0, defaults.up)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = math.cos(camera.roll), math.sin(camera.roll)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1] = c * right + s * down, c * down - s * right
    matrix[:3, 2], matrix[:3, 3] = forward, position
    return matrix


def orbit_from_matrix(camera: Camera, defaults: CameraDefaults) -> Camera:
    """The nearest orbit to a camera given as a matrix, so that a drag can go on from an exact view.

    The orbit keeps the camera's position; its pivot is the point nearest to the old pivot on the viewing axis.
    """
    if camera.cam2world is None and camera.intrinsics is None:
        return camera
    fov = camera.fov
    if camera.intrinsics is not None:
        fov = 2 * math.atan(0.5 / _matrix(camera.intrinsics, 3, "camera.intrinsics")[1, 1])
    if camera.cam2world is None:
        return replace(camera, fov=fov, intrinsics=None)
    matrix = _matrix(camera.cam2world, 4, "camera.cam2world")
    position, forward = matrix[:3, 3], matrix[:3, 2] / np.linalg.norm(matrix[:3, 2])
    along = float((np.array(camera.pivot) + np.array(defaults.aim) - position) @ forward)
    radius = along if along > 1e-3 else camera.radius
    pivot = position + radius * forward
    local = _TO_WORLD[defaults.up].T @ (-forward)
    yaw, pitch = math.atan2(local[0], local[2]), math.asin(float(np.clip(local[1], -1, 1)))
    # The pivot absorbs `aim`, which an orbit adds by itself.
    level = Camera(yaw=yaw, pitch=pitch, radius=radius, fov=fov, pivot=(0.0, 0.0, 0.0))
    upright = look_from_orbit(level, replace(defaults, aim=(0.0, 0.0, 0.0)))
    roll = math.atan2(float(matrix[:3, 0] @ upright[:3, 1]), float(matrix[:3, 0] @ upright[:3, 0]))
    aimless = pivot if not any(defaults.aim) else pivot - np.array(defaults.aim)
    px, py, pz = (float(v) for v in aimless)
    return replace(level, roll=roll, pivot=(px, py, pz))


def posed(camera: Camera, pose: Pose) -> Camera:
    """The camera standing exactly at a pose; the orbit that it left is kept beside it."""
    matrix = tuple(float(v) for v in chain(*pose.cam2world))
    return replace(camera, cam2world=matrix, intrinsics=_middle_square(pose))


def _middle_square(pose: Pose) -> tuple[float, ...]:
    """The pose's lens on the middle square of its picture, since ours is square: pixels that were square stay so.

    With focal lengths f/W and f/H in widths and heights, the square's side is the smaller of W and H, so its focal
    length is the larger of the two; the centre moves with the cut.
    """
    (fx, _, cx), (_, fy, cy), _ = pose.intrinsics
    focal = max(fx, fy)
    return (focal, 0.0, 0.5 + (cx - 0.5) * focal / fx, 0.0, focal, 0.5 + (cy - 0.5) * focal / fy, 0.0, 0.0, 1.0)


def pose_at(camera: Camera, poses: Sequence[Pose]) -> int | None:
    """Number of the pose at which the camera stands exactly, or None."""
    if camera.cam2world is None or camera.intrinsics is None:
        return None
    # As nested tuples, whose comparison ends at the first difference: the panel asks this with every refresh.
    matrix = tuple(camera.cam2world[i : i + 4] for i in range(0, 16, 4))
    lens = camera.intrinsics
    return next((i for i, p in enumerate(poses) if p.cam2world == matrix and _middle_square(p) == lens), None)


def nearest_pose(camera: Camera, defaults: CameraDefaults, poses: Sequence[Pose]) -> int:
    """Number of the pose whose place is nearest to the camera's; of several in one place, that which looks most alike.

    Raises:
        StateError: the camera's matrices make no camera.
    """
    here, _ = camera_matrices(camera, defaults)

    def apart(index: int) -> tuple[float, float]:
        there = np.array(poses[index].cam2world)
        return round(float(np.linalg.norm(there[:3, 3] - here[:3, 3])), 9), -float(there[:3, 2] @ here[:3, 2])

    return min(range(len(poses)), key=apart)


def between(pose_a: Pose, pose_b: Pose, t: float) -> Pose:
    """The camera on the way from one pose (t = 0) to another (1), which are met exactly.

    Positions and lenses go along straight lines, directions turn evenly about one axis by the shorter way.
    """
    if t <= 0 or t >= 1:
        return pose_a if t <= 0 else pose_b
    a, b = (np.array(p.cam2world, dtype=np.float64) for p in (pose_a, pose_b))
    matrix = (1 - t) * a + t * b
    matrix[:3, :3] = _rotation(_slerp(_quaternion(a[:3, :3]), _quaternion(b[:3, :3]), t))
    lens = (1 - t) * np.array(pose_a.intrinsics, dtype=np.float64) + t * np.array(pose_b.intrinsics, dtype=np.float64)
    rows, lens_rows = (tuple(tuple(row) for row in m.tolist()) for m in (matrix, lens))
    return Pose((pose_a if t < 0.5 else pose_b).name, rows, lens_rows)


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """(w, x, y, z) of a rotation `[3, 3]`, well-conditioned for every angle."""
    (a, b, c), (d, e, f), (g, h, i) = rotation / np.linalg.norm(rotation, axis=0)
    # 4 q q^T. Each row is a multiple of q; that with the largest diagonal loses nothing to cancellation.
    products = np.array(
        [
            [1 + a + e + i, h - f, c - g, d - b],
            [h - f, 1 + a - e - i, b + d, c + g],
            [c - g, b + d, 1 - a + e - i, f + h],
            [d - b, c + g, f + h, 1 - a - e + i],
        ]
    )
    row = products[int(np.argmax(np.diag(products)))]
    return row / np.linalg.norm(row)


def _slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The unit quaternion on the shorter arc from `a` to `b`."""
    b = -b if a @ b < 0 else b  # both are the same rotation
    angle = math.acos(min(float(a @ b), 1.0))
    if angle < 1e-6:  # the arc is a straight line, and its sine too small to divide by
        return a
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


def _rotation(q: np.ndarray) -> np.ndarray:
    """The rotation `[3, 3]` of a unit quaternion (w, x, y, z)."""
    w, v = float(q[0]), q[1:]
    cross = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    return (w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * cross


def _matrix(values: tuple[float, ...], side: int, name: str) -> np.ndarray:
    matrix = np.array(values, dtype=np.float64)
    if matrix.size != side * side or not np.isfinite(matrix).all():
        raise StateError(f"{name}: expected {side * side} finite numbers (row-major), found {matrix.size}.")
    return matrix.reshape(side, side)
