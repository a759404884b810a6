"""Where GRAF's training cameras stood and how its pictures are sampled: the official configurations, by data set.

No checkpoint holds any of it. `config.yaml`, which training leaves beside its checkpoints, says it; else the data set
is guessed from the names of file and folders, which is all that the published files have.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .base import CameraDefaults, VolumeSettings
from .errors import CheckpointError
from .nerf import Bounds

_CONFIG = "config.yaml"
_LONGEST_CONFIG = 1 << 16  # bytes; official ones have two thousand

# `data` of the official configurations (autonomousvision/graf, configs/*.yaml), with the defaults filled in.
_SHARED = {"near": 7.5, "far": 12.5, "radius": 10.0, "umin": 0.0, "umax": 1.0, "vmin": 0.0, "vmax": 0.45642212862617093}
_FACES = {**_SHARED, "radius": "9.5,10.5", "fov": 10.0, "white_bkgd": False, "umax": 0.25, "vmin": 0.32898992833716556}
DATA_SETS: dict[str, dict[str, Any]] = {
    "carla": {**_SHARED, "fov": 30.0, "white_bkgd": True, "imsize": 128},
    "celebahq": {**_FACES, "imsize": 256},
    "celeba": {**_FACES, "imsize": 64},
    "cats": {**_FACES, "radius": 10.0, "umax": 0.19444444444444445, "imsize": 64},
    "cub": {
        **_SHARED,
        "radius": "9,11",
        "fov": 30.0,
        "white_bkgd": True,
        "vmin": 0.25,
        "vmax": 0.5435778713738291,
        "imsize": 64,
    },
}
_SIZES = (512, 256, 128, 64)


@dataclass(frozen=True)
class GRAFSetting:
    """Camera and sampling of one data set."""

    name: str
    camera: CameraDefaults
    volume: VolumeSettings
    bounds: Bounds
    resolution: int
    """Side of the training pictures, pixels."""


def find_setting(path: Path, view_dependent: bool) -> GRAFSetting:
    """The setting of a checkpoint: of `config.yaml` beside it or one folder up, else of what its path is called.

    Args:
        path: of the checkpoint.
        view_dependent: of the published models only the birds' (CUB) is not.

    Raises:
        CheckpointError: `config.yaml` is damaged or says something impossible.
    """
    for folder in (path.parent, path.parent.parent):
        file = folder / _CONFIG
        if file.is_file():
            config = _read(file)
            if config is not None:
                return setting_of(config)
    known, size = _named(path)
    known = known or ("carla" if view_dependent else "cub")
    size = size or DATA_SETS[known]["imsize"]
    return setting_of({"data": {**DATA_SETS[known], "type": known, "imsize": size}})


def _named(path: Path) -> tuple[str | None, int | None]:
    """Data set and side of its pictures, as far as the path tells them.

    Read from the file upwards, and nothing above what names the data set counts: "runs-512/carla_128.pt" is of 128
    pixels.
    """
    size = None
    for part in reversed(path.parts[-3:]):
        words = part.lower()
        size = size or next((int(n) for n in re.findall(r"\d+", words) if int(n) in _SIZES), None)
        squeezed = words.replace("_", "").replace("-", "")
        if known := next((name for name in DATA_SETS if name in squeezed), None):
            return known, size
    return None, None


def setting_of(config: Mapping[str, Any]) -> GRAFSetting:
    """The setting that a configuration describes; what it leaves open is as for cars.

    Raises:
        CheckpointError: a value is no number or out of range.
    """
    given, nerf = config.get("data"), config.get("nerf")
    data = {**DATA_SETS["carla"], **(given if isinstance(given, Mapping) else {})}
    nerf = nerf if isinstance(nerf, Mapping) else {}
    radii = data["radius"]
    parts = radii.split(",") if isinstance(radii, str) else [radii, radii]
    smallest, largest = (_number(part, "radius", 1e-3, 1e4) for part in (parts[0], parts[-1]))
    radius = (smallest + largest) / 2
    # Near and far are told for the farthest camera, and move along with a nearer one.
    shift = largest - radius
    near, far = _number(data["near"], "near", 0.0, 1e4) - shift, _number(data["far"], "far", 1e-3, 1e4) - shift
    if not 0 <= near < far:
        raise CheckpointError(f"{_CONFIG}: cameras see from {near:g} to {far:g}; expected a near before the far end.")
    fov = math.radians(_number(data["fov"], "fov", 0.1, 170.0))
    azimuth = [2 * math.pi * _number(data[key], key, -1.0, 2.0) for key in ("umin", "umax")]
    polar = [math.acos(1 - 2 * _number(data[key], key, 0.0, 1.0)) for key in ("vmin", "vmax")]
    around = azimuth[1] - azimuth[0] > 2 * math.pi - 1e-3
    # Official azimuths count from the x axis, our yaw from the negative y axis.
    left, right = (value + math.pi / 2 for value in azimuth)
    low, high = math.pi / 2 - polar[1], min(math.pi / 2 - polar[0], 1.5)
    half = math.hypot((far - near) / 2, far * math.tan(fov / 2))
    return GRAFSetting(
        name=str(data.get("type", "graf"))[:40],
        camera=CameraDefaults(
            radius=radius,
            fov=fov,
            up="z",
            yaw=math.radians(45.0) if around else (left + right) / 2,
            pitch=(low + high) / 2 if not around else min(max(math.radians(20.0), low), high),
            yaw_range=(-math.pi, math.pi) if around else (left, right),
            pitch_range=(low, max(high, low + 1e-3)),
            fov_range=(0.5 * fov, min(2.0 * fov, 2.5)),
            radius_range=(0.5 * radius, 2.0 * radius),
        ),
        volume=VolumeSettings(
            near=near,
            far=far,
            coarse=int(_number(nerf.get("N_samples", 64), "N_samples", 4, 1024)),
            fine=int(_number(nerf.get("N_importance", 0), "N_importance", 0, 1024)),
            activation="relu",
            quadrature="left",
            sampler="nerf",
            unit_rays=False,
            pixels="corner",
            white_background=bool(data["white_bkgd"]),
        ),
        bounds=((-half, -half, -half), (half, half, half)),
        resolution=int(_number(data["imsize"], "imsize", 8, 2048)),
    )


def _read(file: Path) -> Mapping[str, Any] | None:
    """A GRAF configuration; None for another program's file of that name."""
    try:
        with open(file, "rb") as handle:
            raw = handle.read(_LONGEST_CONFIG + 1)
        if len(raw) > _LONGEST_CONFIG or b"z_dist" not in raw:
            return None
        found = yaml.safe_load(raw)
    except (OSError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise CheckpointError(f"{file.name} beside the checkpoint cannot be read: {str(error)[:200]}") from error
    return found if isinstance(found, Mapping) and isinstance(found.get("data"), Mapping) else None


def _number(value: Any, name: str, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not low <= number <= high:
        raise CheckpointError(f"{_CONFIG}: {name} is {str(value)[:80]!r}; expected a number from {low:g} to {high:g}.")
    return number
