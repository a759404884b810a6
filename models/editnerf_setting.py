"""Where EditNeRF's training cameras stood and how its pictures are sampled: no checkpoint holds any of it.

The figures are those of the official configurations and data sets. What lies beside a file is read in
`formats/editnerf_beside.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .base import CameraDefaults, Pose, VolumeSettings
from .nerf import Bounds
from .nerf_generator import BLENDER_CAMERA, BLENDER_VOLUME

RESOLUTION = 256
"""Side in pixels of the training pictures of all official data sets."""
# What every official configuration says.
_VOLUME = replace(BLENDER_VOLUME, coarse=64, fine=128)


@dataclass(frozen=True)
class EditNeRFSetting:
    """Camera and sampling of one data set."""

    name: str
    camera: CameraDefaults = BLENDER_CAMERA
    volume: VolumeSettings = _VOLUME
    poses: tuple[Pose, ...] = ()
    """Training cameras, where they are known."""
    resolution: int = RESOLUTION

    @property
    def bounds(self) -> Bounds:
        """A cube about the pivot that fills the first view."""
        half = 1.1 * self.camera.radius * math.tan(0.5 * self.camera.fov)
        x, y, z = self.camera.pivot
        return (x - half, y - half, z - half), (x + half, y + half, z + half)


def _data_set(name: str, radius: float, fov: float, near: float, far: float) -> EditNeRFSetting:
    camera = replace(
        BLENDER_CAMERA,
        radius=radius,
        fov=math.radians(fov),
        pitch=math.radians(20.0),
        radius_range=(0.25 * radius, 2.0 * radius),
    )
    # The official runs name no white background and leave it to the network to paint one far away: light that is still
    # left is then next to nothing, so white does no harm, and keeps quick previews, which end at the box, from black.
    return EditNeRFSetting(name, camera, replace(_VOLUME, near=near, far=far))


DATA_SETS: dict[str, EditNeRFSetting] = {
    # Radius and angle of these renderings are published only with the weights (poses.npy, hwfs.npy): here as Blender's.
    "photoshapes": _data_set("photoshapes", BLENDER_CAMERA.radius, math.degrees(BLENDER_CAMERA.fov), 0.0, 10.0),
    # GRAF's renderings of cars: a focal length of 477.7 pixels in pictures 256 wide.
    "cars": _data_set("cars", 10.0, 30.0, 0.0, 30.0),
    # A focal length of 1.2913 half pictures, times 200 / 128 for the crop; names of the pictures say 96 away.
    "dosovitskiy_chairs": _data_set("dosovitskiy_chairs", 96.0, 52.74, 60.0, 160.0),
    # The options' own defaults.
    "blender": EditNeRFSetting("blender"),
}
USUAL = "blender"
"""The setting of a file that nothing is known about."""
