"""Reads `transforms.json`: the cameras of NeRF's synthetic scenes, and those that instant-ngp and nerfstudio train on.

Every frame has a `transform_matrix`, cam2world with OpenGL axes (x right, y up, z backward). The lens is either one
`camera_angle_x` (synthetic scenes) or `fl_x, fl_y, cx, cy, w, h` in pixels, for all frames or frame by frame. Lens
distortion is not modelled: the keys are passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..base import Pose
from ..errors import CheckpointError

LARGEST_FILE = 64 << 20
MOST_FRAMES = 20_000
_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


def read(path: Path, dataparser: Path | None = None) -> tuple[Pose, ...]:
    """All poses of a file, sorted as they stand in it.

    Args:
        path: `transforms.json` or one of its kind.
        dataparser: nerfstudio's `dataparser_transforms.json`, which says how it moved and scaled them for training.

    Raises:
        CheckpointError: a file is damaged or too large, or a matrix or lens is impossible.
    """
    contents = read_json(path)
    frames = contents.get("frames")
    if not isinstance(frames, list) or not 0 < len(frames) <= MOST_FRAMES:
        raise CheckpointError(f"{path.name} has no list of 1 to {MOST_FRAMES} frames; repair or remove it.")
    moved, scale = _dataparser(dataparser, contents)
    poses = []
    for index, frame in enumerate(frames):
        where = f"{path.name}, frame {index}"
        if not isinstance(frame, Mapping):
            raise CheckpointError(f"{where} is a {type(frame).__name__}; expected an object.")
        matrix = moved @ _matrix(frame.get("transform_matrix"), where, "transform_matrix") @ _OPENGL_TO_OPENCV
        matrix[:3, 3] *= scale
        name = PurePosixPath(str(frame.get("file_path") or index).replace("\\", "/")).name[:200]
        poses.append(Pose(name, plain(matrix), _lens({**contents, **frame}, where)))
    return tuple(poses)


def plain(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """A matrix as nested tuples of Python's floats."""
    return tuple(tuple(float(v) for v in row) for row in matrix)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of bounded size.

    Raises:
        CheckpointError: it cannot be read, is too large, or is not an object.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise CheckpointError(f"{path.name} has {size} bytes; more than {LARGEST_FILE} are refused.")
        contents = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is not readable JSON ({str(error)[:80]}); repair or remove it.") from error
    if not isinstance(contents, dict):
        raise CheckpointError(f"{path.name} holds a {type(contents).__name__}; expected an object.")
    return contents


def _dataparser(path: Path | None, contents: Mapping[str, Any]) -> tuple[np.ndarray, float]:
    """Matrix [4, 4] and scale that take the frames of a file into the coordinates of training.

    What nerfstudio saves starts at the original capture; `applied_transform` and `applied_scale` in the frames' file
    say how far its own preparation has taken them already.
    """
    if path is None:
        return np.eye(4), 1.0
    saved = read_json(path)
    matrix = _matrix(saved.get("transform"), path.name, "transform")
    scale = _positive(saved.get("scale", 1.0), path.name, "scale")
    if "applied_transform" in contents:
        applied = _matrix(contents["applied_transform"], "transforms.json", "applied_transform")
        if abs(np.linalg.det(applied)) < 1e-9:
            raise CheckpointError("transforms.json: applied_transform is singular; repair or remove it.")
        matrix = matrix @ np.linalg.inv(applied)
    if "applied_scale" in contents:
        scale /= _positive(contents["applied_scale"], "transforms.json", "applied_scale")
    return matrix, scale


def _lens(values: Mapping[str, Any], where: str) -> tuple[tuple[float, ...], ...]:
    """Normalised intrinsics [3][3] from whatever of the keys is there."""
    width = _positive(values["w"], where, "w") if "w" in values else 1.0
    height = _positive(values["h"], where, "h") if "h" in values else width
    if "fl_x" in values:
        focal_x = _positive(values["fl_x"], where, "fl_x")
    elif "camera_angle_x" in values:
        angle = _positive(values["camera_angle_x"], where, "camera_angle_x")
        if angle >= 3.1:
            raise CheckpointError(f"{where}: camera_angle_x is {angle:g}; expected radians below 3.1.")
        focal_x = 0.5 * width / math.tan(0.5 * angle)
    else:
        raise CheckpointError(f"{where} has neither fl_x nor camera_angle_x; its lens is unknown.")
    focal_y = _positive(values["fl_y"], where, "fl_y") if "fl_y" in values else focal_x
    centre_x = _number(values["cx"], where, "cx") if "cx" in values else 0.5 * width
    centre_y = _number(values["cy"], where, "cy") if "cy" in values else 0.5 * height
    return (
        (focal_x / width, 0.0, centre_x / width),
        (0.0, focal_y / height, centre_y / height),
        (0.0, 0.0, 1.0),
    )


def _matrix(value: Any, where: str, name: str) -> np.ndarray:
    """[4, 4] from 3 or 4 rows of 4 numbers."""
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape not in ((3, 4), (4, 4)) or not np.isfinite(matrix).all() or np.abs(matrix).max() > 1e9:
        raise CheckpointError(f"{where}: {name} has shape {list(matrix.shape)}, expected [4, 4] finite numbers.")
    if abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise CheckpointError(f"{where}: the rotation in {name} is singular.")
    return np.vstack([matrix[:3], [0.0, 0.0, 0.0, 1.0]])


def _number(value: Any, where: str, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
        raise CheckpointError(f"{where}: {name} is {str(value)[:80]!r}; expected a number.")
    return float(value)


def _positive(value: Any, where: str, name: str) -> float:
    number = _number(value, where, name)
    if not number > 1e-9:
        raise CheckpointError(f"{where}: {name} is {number:g}; expected more than 0.")
    return number
