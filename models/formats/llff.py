"""Reads `poses_bounds.npy`: the cameras of a forward-facing capture, put where the published NeRF loaders put them.

Each row of the [N, 17] array is a 3 x 5 matrix (rotation with axes down, right, backward; position; height, width and
focal length in pixels) and the nearest and farthest depth seen from there. Before training, scenes are scaled so that
the nearest depth of all is 1 / 0.75, and moved into the frame of the mean camera (bmild/nerf, yenchenlin/nerf-pytorch).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base import Pose
from ..errors import CheckpointError
from ..nerf_ndc import NDC
from .transforms_json import plain

LARGEST_FILE = 16 << 20
_NEAREST = 0.75  # `bd_factor`: the nearest point is this little farther than NDC's near plane


@dataclass(frozen=True)
class ForwardFacing:
    """Such a capture, in the coordinates of training: x right, y up, the mean camera at the origin looking along -z."""

    poses: tuple[Pose, ...]
    near: float
    """Nearest depth in the scene, about 1.33."""
    far: float
    """Farthest depth in the scene."""
    ndc: NDC


def read(path: Path) -> ForwardFacing:
    """All poses of a file, scaled and centred.

    Raises:
        CheckpointError: it is damaged, too large, or no such array.
    """
    rows = _rows(path)
    matrices = rows[:, :15].reshape(-1, 3, 5)
    heights, widths, focals = matrices[:, :, 4].T
    bounds = rows[:, 15:]
    if min(bounds.min(), heights.min(), widths.min(), focals.min()) <= 0:
        raise CheckpointError(
            f"{path.name} has a size, focal length or depth that is not positive; repair or remove it."
        )
    scale = 1.0 / (bounds.min() * _NEAREST)
    down, right, back, position = (matrices[:, :, i] for i in range(4))
    opengl = np.tile(np.eye(4), (len(rows), 1, 1))
    opengl[:, :3, 0], opengl[:, :3, 1], opengl[:, :3, 2] = right, -down, back
    opengl[:, :3, 3] = position * scale
    centred = np.linalg.inv(_mean_camera(opengl)) @ opengl
    centred[:, :3, 1:3] *= -1.0  # OpenGL to OpenCV axes
    poses = []
    for index, (matrix, height, width, focal) in enumerate(zip(centred, heights, widths, focals, strict=True)):
        lens = ((focal / width, 0.0, 0.5), (0.0, focal / height, 0.5), (0.0, 0.0, 1.0))
        poses.append(Pose(f"{index:03d}", plain(matrix), plain(np.array(lens))))
    first = poses[0].intrinsics
    near, far = float(bounds.min() * scale), float(bounds.max() * scale)
    return ForwardFacing(tuple(poses), near, far, NDC(first[0][0], first[1][1]))


def _rows(path: Path) -> np.ndarray:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CheckpointError(f"{path.name} has more than {LARGEST_FILE} bytes; refused.")
        rows = np.load(path, allow_pickle=False)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError, SyntaxError, RecursionError, MemoryError) as error:
        raise CheckpointError(
            f"{path.name} is not a readable array ({str(error)[:80]}); repair or remove it."
        ) from error
    shape = list(getattr(rows, "shape", ()))
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != 17 or len(rows) < 1:
        raise CheckpointError(f"{path.name} has shape {shape}, expected [N, 17].")
    if rows.dtype.kind != "f" or not np.isfinite(rows).all():
        raise CheckpointError(f"{path.name} holds {rows.dtype}, expected finite floating-point numbers.")
    return rows.astype(np.float64)


def _mean_camera(opengl: np.ndarray) -> np.ndarray:
    """cam2world [4, 4] at the mean position, looking along the mean axis, upright by the mean of the y axes."""
    back = _unit(opengl[:, :3, 2].sum(0))
    right = _unit(np.cross(opengl[:, :3, 1].sum(0), back))
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = right, _unit(np.cross(back, right)), back
    matrix[:3, 3] = opengl[:, :3, 3].mean(0)
    return matrix


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    if length < 1e-6:
        raise CheckpointError("poses_bounds.npy: the cameras look in all directions, so they have no mean camera.")
    return vector / length
