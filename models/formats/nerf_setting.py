"""Where the scene of a NeRF lies and how it is sampled, from what lies beside the file: cameras, and `args.txt`.

bmild/nerf and yenchenlin/nerf-pytorch write their options there, `name = value` line by line. Nothing else says whether
a forward-facing scene was trained in normalised device coordinates; both do so unless told `no_ndc`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..base import VolumeSettings
from ..nerf_generator import BLENDER_CAMERA, BLENDER_VOLUME
from ..nerf_ndc import frustum_bounds, ndc_volume
from ..nerf_posed import Setting
from .cameras import Cameras, find_cameras, first_view, run_folders

ARGUMENTS = "args.txt"
_LONGEST_ARGUMENTS = 1 << 16
_MOST_SAMPLES = 1024
# What both repositories' configurations of the synthetic scenes say.
_OFFICIAL_VOLUME = replace(BLENDER_VOLUME, coarse=64, fine=128)
# `last` of the published renderer's depths, beyond which a forward-facing scene is taken to be flat.
_BEHIND = 1.25


def find_setting(checkpoint: Path, usual: VolumeSettings = _OFFICIAL_VOLUME) -> Setting:
    """The setting of a NeRF with the paper's layout; `usual` is its code's volume for Blender scenes.

    Without cameras it is that of Blender's synthetic scenes; with `transforms.json` that with these cameras; with
    `poses_bounds.npy` a forward-facing scene, in NDC unless `args.txt` says `no_ndc`.

    Raises:
        CheckpointError: a file beside the checkpoint is damaged.
    """
    arguments = run_arguments(checkpoint)
    volume = _sampled(usual, arguments)
    if "white_bkgd" in arguments:
        volume = replace(volume, white_background=arguments["white_bkgd"] == "True")
    cameras = find_cameras(checkpoint)
    # `spherify` puts a capture all around an object somewhere else; its cameras are not used.
    if cameras is None or (cameras.ndc is not None and arguments.get("spherify") == "True"):
        return Setting(volume=volume)
    if cameras.ndc is None:
        return Setting(first_view(cameras.poses, BLENDER_CAMERA), volume, poses=cameras.poses)
    return _forward_facing(cameras, arguments)


def run_arguments(checkpoint: Path) -> dict[str, str]:
    """The options that a run was started with, as text; empty when they do not lie beside the checkpoint."""
    for folder in run_folders(checkpoint):
        try:
            with open(folder / ARGUMENTS, encoding="utf-8", errors="replace") as file:
                lines = file.read(_LONGEST_ARGUMENTS).splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line)
        return {key.strip(): value.strip() for key, _, value in pairs}
    return {}


def _forward_facing(cameras: Cameras, arguments: dict[str, str]) -> Setting:
    assert cameras.ndc is not None
    assert cameras.near is not None
    assert cameras.far is not None
    far = max(_BEHIND * cameras.far, 4.0)
    bounds = frustum_bounds(cameras.ndc, far)
    camera = first_view(cameras.poses, BLENDER_CAMERA)
    # The axes are nearly parallel, so where they meet says little; official code looks at this mean disparity.
    focus = 1.0 / (0.25 / (0.9 * cameras.near) + 0.75 / (5.0 * cameras.far))
    away = focus - camera.radius
    turned = [p + away * (p - c) / camera.radius for p, c in zip(camera.pivot, _position(cameras), strict=True)]
    camera = replace(
        camera,
        radius=focus,
        pivot=(turned[0], turned[1], turned[2]),
        yaw_range=(camera.yaw - 0.6, camera.yaw + 0.6),
        pitch_range=(camera.pitch - 0.6, camera.pitch + 0.6),
        radius_range=(0.25 * focus, 2.0 * focus),
    )
    if arguments.get("no_ndc") == "True":
        volume = replace(
            _OFFICIAL_VOLUME,
            near=0.9 * cameras.near,
            far=cameras.far,
            white_background=False,
            disparity=arguments.get("lindisp") == "True",
        )
        return Setting(camera, _sampled(volume, arguments), bounds, poses=cameras.poses)
    volume = _sampled(ndc_volume(cameras.ndc, far), arguments)
    return Setting(camera, volume, bounds, cameras.ndc, cameras.poses)


def _position(cameras: Cameras) -> tuple[float, float, float]:
    x, y, z = (row[3] for row in cameras.poses[0].cam2world[:3])
    return x, y, z


def _sampled(volume: VolumeSettings, arguments: dict[str, str]) -> VolumeSettings:
    """With the run's own sample counts, where they are sensible."""
    coarse, fine = (arguments.get(key, "") for key in ("N_samples", "N_importance"))
    if coarse.isascii() and coarse.isdigit() and 4 <= int(coarse) <= _MOST_SAMPLES:
        volume = replace(volume, coarse=int(coarse))
    if fine.isascii() and fine.isdigit() and int(fine) <= _MOST_SAMPLES:
        volume = replace(volume, fine=int(fine))
    return volume
