"""Exact motion of a frame from its depth, the two cameras, and where the bodies in it were; and the geometry in it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .conversion import Pose

Floats = NDArray[np.float32]
MOST = 4096.0
"""Pixels; nothing is said to have moved farther."""
MARGIN = 0.25
"""Metres that a body may reach beyond its bounding box: mirrors, arms."""


class Lens:
    """Where a camera's pixels look: directions with depth 1, and back."""

    def __init__(self, width: int, height: int, fov: float) -> None:
        """`fov`: across the height, radians. Pixels are square."""
        self.width, self.height = width, height
        self.focal = height / 2 / math.tan(fov / 2)
        self.columns = np.arange(width, dtype=np.float32) + np.float32(0.5)
        self.rows = (np.arange(height, dtype=np.float32) + np.float32(0.5))[:, None]
        rays = np.empty((height, width, 3), np.float32)
        rays[..., 0] = (self.columns - width / 2) / self.focal
        rays[..., 1] = (self.rows - height / 2) / self.focal
        rays[..., 2] = 1
        self.rays = rays
        """[H, W, 3]: right, down, forward of every pixel's centre, forward 1."""

    def project(self, points: Floats) -> Floats:
        """[..., 2] pixels right and down of [..., 3] points in the camera's frame, which lie before it."""
        scale = np.float32(self.focal) / points[..., 2:]
        return points[..., :2] * scale + np.array([self.width / 2, self.height / 2], np.float32)


class Body(NamedTuple):
    """Something that moves rigidly: its box, and two poses as `conversion.body_pose` gives them."""

    now: Pose
    before: Pose | None
    """None: it was not there."""
    centre: tuple[float, float, float]
    """Of its box, in its own frame."""
    half: tuple[float, float, float]
    """Half the length, width and height of its box."""


class Moved(NamedTuple):
    """How a frame has moved."""

    motion: Floats
    """[H, W, 2], as in `DriveFrame`."""
    expected: Floats
    """[H, W], likewise."""


def world_points(lens: Lens, depth: Floats, pose: Pose) -> NDArray[np.float64]:
    """[H, W, 3]: east, north, up of what each pixel shows; NaN for the sky."""
    finite = np.where(np.isfinite(depth), depth, np.nan)
    seen = lens.rays.astype(np.float64) * finite[..., None]
    return seen @ pose[:, :3].T + pose[:, 3]


def still_motion(lens: Lens, depth: Floats, now: Pose, before: Pose) -> Moved:
    """How everything that stands still has moved in the picture: only the camera did.

    The sky lies infinitely far away and moves with the camera's rotation; it is expected there too. What lay behind the
    previous camera has not moved and is expected at -1 or less.
    """
    turn = (before[:, :3].T @ now[:, :3]).astype(np.float32)
    shift = (before[:, :3].T @ (now[:, 3] - before[:, 3])).astype(np.float32)
    sky = ~np.isfinite(depth)
    # Directions alone for the sky; elsewhere the whole point.
    reach = np.where(sky, np.float32(1), depth)
    points = (lens.rays * reach[..., None]) @ turn.T
    points += np.where(sky[..., None], np.float32(0), shift)
    motion, expected = _seen_before(lens, points, lens.columns, lens.rows)
    expected[sky & (expected > 0)] = np.inf
    return Moved(motion, expected)


def add_bodies(
    moved: Moved,
    lens: Lens,
    points: NDArray[np.float64],
    moving: NDArray[np.bool_],
    before: Pose,
    bodies: Iterable[Body],
) -> NDArray[np.bool_]:
    """Write the motion of bodies into `moved`, in place.

    A pixel belongs to the body whose box holds the point that it shows. Limbs and wheels move with their body. Of a
    body that was not there before nothing is expected: -1.

    Args:
        moved: what `still_motion` gave.
        lens: of the camera.
        points: [H, W, 3], what each pixel shows, in the world.
        moving: [H, W]: which pixels show something that can move by itself.
        before: the previous camera's pose.
        bodies: those near.

    Returns:
        [H, W]: which pixels belong to one of them.
    """
    rows, columns = np.nonzero(moving)
    taken = np.zeros(moving.shape, bool)
    free = np.ones(len(rows), bool)
    shown = points[rows, columns]
    for body in bodies:
        own = (shown - body.now[:, 3]) @ body.now[:, :3]
        with np.errstate(invalid="ignore"):
            inside = free & (np.abs(own - body.centre) <= np.array(body.half) + MARGIN).all(1)
        if not inside.any():
            continue
        free &= ~inside
        y, x = rows[inside], columns[inside]
        taken[y, x] = True
        if body.before is None:
            moved.expected[y, x] = -1
            continue
        past = own[inside] @ body.before[:, :3].T + body.before[:, 3]
        seen = ((past - before[:, 3]) @ before[:, :3]).astype(np.float32)
        moved.motion[y, x], moved.expected[y, x] = _seen_before(lens, seen, lens.columns[x], lens.rows[y, 0])
    return taken


def camera_normals(lens: Lens, depth: Floats) -> Floats:
    """[H, W, 3]: right, down, forward of each surface, from how its depth changes; NaN for the sky and where no
    neighbour lies on the same surface.

    Of the two neighbours on each axis the one nearer in depth counts, so that edges stay sharp.
    """
    points = lens.rays * np.where(np.isfinite(depth), depth, np.float32(np.nan))[..., None]
    across, down = _slope(points, 1), _slope(points, 0)
    made = np.cross(down, across)
    with np.errstate(invalid="ignore", divide="ignore"):
        made /= np.linalg.norm(made, axis=-1, keepdims=True)
        away = (made * lens.rays).sum(-1) > 0
    made[away] *= -1
    return made


def _seen_before(lens: Lens, points: Floats, columns: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Motion and expected depth of points in the previous camera's frame, shown at `columns` and `rows` now."""
    expected = points[..., 2].astype(np.float32)
    ahead = expected > 0.01
    safe = np.where(ahead[..., None], points, np.float32(1))
    motion = lens.project(safe)
    motion[..., 0] -= columns
    motion[..., 1] -= rows
    np.clip(motion, -MOST, MOST, out=motion)
    motion[~ahead] = 0
    expected = np.where(ahead, expected, np.minimum(expected, -1)).astype(np.float32)
    return motion.astype(np.float32), expected


def _slope(points: Floats, axis: int) -> Floats:
    """The step to the next point along an axis, or from the last one, whichever is shorter in depth."""
    step = np.diff(points, axis=axis)
    empty = np.full_like(np.take(points, [0], axis), np.nan)
    forth, back = np.concatenate([step, empty], axis), np.concatenate([empty, step], axis)
    with np.errstate(invalid="ignore"):
        nearer = ~(np.abs(back[..., 2:]) < np.abs(forth[..., 2:]))
    one_sided = np.isnan(forth[..., 2:])
    return np.where(nearer & ~one_sided, forth, back)
