"""Training cameras that lie beside a checkpoint: poses to fly through, and the first view that they suggest.

A NeRF's file holds no camera. What it was trained on usually lies beside it: `transforms.json` (NeRF's synthetic
scenes, instant-ngp, nerfstudio) or `poses_bounds.npy` (LLFF; `llff.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..base import Axis, CameraDefaults, Pose
from ..errors import CheckpointError
from ..nerf_ndc import NDC
from . import llff, transforms_json

TRANSFORMS = ("transforms.json", "transforms_train.json")
DATAPARSER = "dataparser_transforms.json"
POSES_BOUNDS = "poses_bounds.npy"
_RUN_FOLDERS = ("nerfstudio_models", "checkpoints")  # whose parent is the run's folder


@dataclass(frozen=True)
class Cameras:
    """The cameras of a scene, in the coordinates in which its network was trained."""

    source: str
    """Name of the file they come from."""
    poses: tuple[Pose, ...]
    """At least one."""
    near: float | None = None
    """Where sampling starts and ends, world units; None: the file does not say."""
    far: float | None = None
    ndc: NDC | None = None
    """The frustum of a forward-facing scene (LLFF), should its network have been trained in NDC."""


def find_cameras(checkpoint: Path) -> Cameras | None:
    """The cameras in the checkpoint's folder (or in the run's, one above); None when there are none.

    Raises:
        CheckpointError: a file of that name is there but damaged. It is not passed over in silence, since the scene
            would then be seen from a wrong place.
    """
    for folder in run_folders(checkpoint):
        for name in TRANSFORMS:
            if (folder / name).is_file():
                parser = next((f / DATAPARSER for f in run_folders(checkpoint) if (f / DATAPARSER).is_file()), None)
                return Cameras(name, transforms_json.read(folder / name, parser))
        if (folder / POSES_BOUNDS).is_file():
            scene = llff.read(folder / POSES_BOUNDS)
            return Cameras(POSES_BOUNDS, scene.poses, scene.near, scene.far, scene.ndc)
    return None


def run_folders(checkpoint: Path) -> tuple[Path, ...]:
    """Where the files that belong to a checkpoint are looked for, nearest first."""
    folder = checkpoint.resolve().parent
    return (folder, folder.parent) if folder.name in _RUN_FOLDERS else (folder,)


def first_view(poses: Sequence[Pose], default: CameraDefaults) -> CameraDefaults:
    """An orbit that starts exactly at the first pose, around what the cameras look at together.

    Args:
        poses: at least one.
        default: gives the ranges that the cameras say nothing about.

    Raises:
        CheckpointError: a rotation is degenerate.
    """
    matrices = np.array([pose.cam2world for pose in poses])  # [N, 4, 4]
    positions, forwards, ups = matrices[:, :3, 3], matrices[:, :3, 2], -matrices[:, :3, 1]
    up = _up_axis(ups.mean(0))
    position, forward = positions[0], forwards[0] / np.linalg.norm(forwards[0])
    focus = focus_point(positions, forwards)
    radius = float((focus - position) @ forward)
    if not radius > 1e-3 * (1e-3 + float(np.linalg.norm(focus - position))):
        radius = default.radius  # the cameras look away from each other: there is no common point to orbit
    pivot = position + radius * forward
    yaw, pitch = orbit_angles(-forward, up)
    fov = 2 * math.atan(0.5 / poses[0].intrinsics[1][1])
    reach = float(np.linalg.norm(positions - pivot, axis=1).max())
    return replace(
        default,
        radius=radius,
        fov=fov,
        pivot=(float(pivot[0]), float(pivot[1]), float(pivot[2])),
        aim=(0.0, 0.0, 0.0),
        up=up,
        yaw=yaw,
        pitch=pitch,
        pitch_range=(min(default.pitch_range[0], pitch), max(default.pitch_range[1], pitch)),
        fov_range=(min(default.fov_range[0], 0.5 * fov), max(default.fov_range[1], fov)),
        radius_range=(0.05 * radius, 2.0 * max(radius, reach)),
    )


def focus_point(positions: np.ndarray, forwards: np.ndarray) -> np.ndarray:
    """The point [3] nearest to all optical axes, in the sense of least squares.

    With d d^T the projector on an axis, it solves sum (I - d d^T) p = sum (I - d d^T) o. Parallel axes leave it
    undetermined along themselves; the smallest solution about the cameras' mean is taken.
    """
    directions = forwards / np.linalg.norm(forwards, axis=1, keepdims=True)
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]  # [N, 3, 3]
    centre = positions.mean(0)
    right = np.einsum("nij,nj->i", across, positions - centre)
    return centre + np.linalg.lstsq(across.sum(0), right, rcond=1e-4)[0]


def orbit_angles(out: np.ndarray, up: Axis) -> tuple[float, float]:
    """Yaw and pitch in radians of a unit vector [3] from the pivot to the camera, as `CameraDefaults` counts them.

    At yaw 0 and pitch 0 the camera stands at +z of a y-up world, at -y of a z-up one.
    """
    x, y, z = out if up == "y" else (out[0], out[2], -out[1])
    return math.atan2(x, z), math.asin(float(np.clip(y, -1.0, 1.0)))


def _up_axis(mean_up: np.ndarray) -> Axis:
    if not np.isfinite(mean_up).all():
        raise CheckpointError("the poses beside the checkpoint have no rotation; repair or remove their file.")
    return "y" if abs(mean_up[1]) > abs(mean_up[2]) else "z"
