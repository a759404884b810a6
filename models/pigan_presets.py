"""Where pi-GAN's training cameras stood and how its official evaluation renders: CelebA, CATS, CARLA; and our cars.

No checkpoint holds any of this: the two face models are not even told apart by their tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .base import CameraDefaults, VolumeSettings
from .pigan import Bounds


@dataclass(frozen=True)
class PiGANPreset:
    """The data set that a pi-GAN was trained on, as far as a viewer must know it."""

    title: str
    model: str
    """Official class of its generators."""
    camera: CameraDefaults
    volume: VolumeSettings
    bounds: Bounds
    """Around the stretch of rays that is sampled, from wherever in `camera`'s ranges they start."""


def _volume(near: float, far: float, steps: int, *, white: bool) -> VolumeSettings:
    """The official evaluation: hierarchical sampling with as many fine as coarse steps, densities clamped by ReLU.

    Over no white background the last sample takes what light is left (`eval_last_back`), though not in training.
    """
    return VolumeSettings(
        near=near,
        far=far,
        coarse=steps,
        fine=steps,
        activation="relu",
        quadrature="left",
        sampler="pigan",
        pixels="inclusive",
        white_background=white,
        opaque_end=not white,
    )


def _faces(yaw: float, pitch: float) -> CameraDefaults:
    """Cameras on the unit sphere in front of a face that looks along +z, which the origin is the middle of."""
    return CameraDefaults(
        radius=1.0,
        fov=math.radians(12.0),
        yaw_range=(-yaw, yaw),
        pitch_range=(-pitch, pitch),
        fov_range=(math.radians(3.0), math.radians(30.0)),
        radius_range=(0.5, 2.0),
    )


def _cube(half: float) -> Bounds:
    return (-half, -half, -half), (half, half, half)


PRESETS: Mapping[str, PiGANPreset] = {
    "celeba": PiGANPreset(
        title="CelebA",
        model="SPATIALSIRENBASELINE",
        camera=_faces(0.6, 0.31),  # two standard deviations of the training poses: .3 and .155, both gaussian
        volume=_volume(0.88, 1.12, 12, white=False),
        bounds=_cube(0.16),
    ),
    "cats": PiGANPreset(
        title="CATS",
        model="SPATIALSIRENBASELINE",
        camera=_faces(0.5, 0.4),  # where the uniformly distributed training poses end
        volume=_volume(0.8, 1.2, 24, white=False),
        bounds=_cube(0.2),
    ),
    "carla": PiGANPreset(
        title="CARLA",
        model="TALLSIREN",
        camera=CameraDefaults(
            radius=1.0,
            fov=math.radians(30.0),
            pitch=math.pi / 4,
            pitch_range=(0.05, 1.5),  # spherically uniform from 3 degrees above the ground to straight above
            fov_range=(math.radians(5.0), math.radians(60.0)),
            radius_range=(0.5, 2.0),
        ),
        volume=_volume(0.7, 1.3, 48, white=True),
        bounds=_cube(0.3),
    ),
    # Ours, distilled from procedural cars: rays are sampled where they meet the box that holds every car.
    "cars": PiGANPreset(
        title="Procedural cars",
        model="SPATIALSIRENBASELINE",
        camera=CameraDefaults(
            radius=1.0,
            fov=math.radians(30.0),
            yaw=math.radians(38.0),
            pitch=math.radians(18.0),
            pitch_range=(0.03, 1.25),
            fov_range=(math.radians(5.0), math.radians(60.0)),
            radius_range=(0.5, 2.0),
        ),
        volume=VolumeSettings(
            near=None,
            far=None,
            coarse=32,
            fine=32,
            activation="relu",
            quadrature="left",
            sampler="pigan",
            white_background=True,
            last_interval=0.0,  # the box ends in the air: what little density is there is not to be opaque
        ),
        bounds=((-0.118, -0.104, -0.256), (0.118, 0.135, 0.256)),
    ),
}

MODELS = tuple(dict.fromkeys(preset.model for preset in PRESETS.values()))
"""Official generator classes that can be opened; the first preset of each is its default."""


def default_preset(model: str) -> str:
    """The preset of an official class where nothing else is known: CelebA for SPATIALSIRENBASELINE, else CARLA.

    Raises:
        ValueError: another class.
    """
    for name, preset in PRESETS.items():
        if preset.model == model:
            return name
    raise ValueError(f"pi-GAN's class is {model!r}; expected one of {', '.join(MODELS)}")
