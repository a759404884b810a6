"""CARLA's numbers as ours: places and angles of Unreal's left-handed world, and what is packed into camera pixels.

Unreal counts x east, y *south*, z up and turns by degrees, yaw clockwise seen from above; ours is x east, y north,
z up, radians, counter-clockwise. So y and yaw change their signs, and nothing else does. A camera of Unreal looks along
its x axis with y to its right and z up; ours has the axes right, down, forward.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....models.base import LabelSet
from ..messages import CameraPose
from ..simulator import EngineError

FAR = 1000.0
"""Metres that the depth camera's 24 bits stand for; the sky lies there."""
_SKY_FROM = 0.999 * FAR

Pose = NDArray[np.float64]
"""[3, 4]: a camera or a body to the world; ours."""

MOVING: Final[dict[LabelSet, tuple[int, ...]]] = {
    "carla": (12, 13, 14, 15, 16, 17, 18, 19),
    "carla_before_0_9_14": (4, 10),
}
"""Tags of people, riders and whatever drives."""
SKY: Final[dict[LabelSet, int]] = {"carla": 11, "carla_before_0_9_14": 13}
TAGS: Final[dict[LabelSet, int]] = {"carla": 29, "carla_before_0_9_14": 23}
"""How many tags there are."""


def place(location: Any) -> tuple[float, float, float]:
    """East, north, up of a `carla.Location` or `carla.Vector3D`."""
    return float(location.x), -float(location.y), float(location.z)


def heading(rotation: Any) -> float:
    """Yaw of a `carla.Rotation`: counter-clockwise from east, radians, -pi..pi."""
    return math.remainder(-math.radians(rotation.yaw), 2 * math.pi)


def body_pose(transform: Any) -> Pose:
    """A `carla.Transform` as a body's axes forward, left, up in our world."""
    forward, right, up = _axes(transform.rotation)
    return np.stack([forward, -right, up, np.array(place(transform.location))], 1)


def camera_pose(transform: Any) -> Pose:
    """A `carla.Transform` of a camera as its axes right, down, forward in our world."""
    forward, right, up = _axes(transform.rotation)
    return np.stack([right, -up, forward, np.array(place(transform.location))], 1)


def camera_message(pose: Pose, fov: float) -> CameraPose:
    """As DATA says it; `fov` across the picture's height, radians."""
    return CameraPose(tuple(float(n) for n in pose.ravel()), fov)


def horizontal_degrees(fov: float, width: int, height: int) -> float:
    """What CARLA calls `fov`: degrees across the width, of an angle `fov` in radians across the height."""
    return math.degrees(2 * math.atan(math.tan(fov / 2) * width / height))


def vertical_radians(degrees: float, width: int, height: int) -> float:
    """The inverse of `horizontal_degrees`."""
    return 2 * math.atan(math.tan(math.radians(degrees) / 2) * height / width)


def tags(image: Any, numbering: LabelSet) -> NDArray[np.uint8]:
    """[H, W] of a semantic camera: the tag is in red. Tags that the numbering does not have become 0, unlabeled: a map
    may bring assets of its own."""
    found = _bgra(image)[..., 2].copy()
    found[found >= TAGS[numbering]] = 0
    return found


def instances(image: Any) -> NDArray[np.uint16]:
    """[H, W] of an instance camera: the low byte is in green, the high byte in blue (CARLA's tagger writes the low 16
    bits of Unreal's object number, which is not the actor's id)."""
    pixels = _bgra(image)
    return (pixels[..., 1] + pixels[..., 0].astype(np.uint16) * np.uint16(256)).astype(np.uint16)


def depth(image: Any) -> NDArray[np.float32]:
    """[H, W] of a depth camera: metres along the optical axis, inf for the sky. 24 bits, red lowest."""
    pixels = _bgra(image).astype(np.uint32)
    code = pixels[..., 2] | (pixels[..., 1] << 8) | (pixels[..., 0] << 16)
    metres = (code * (FAR / 0xFFFFFF)).astype(np.float32)
    metres[metres > _SKY_FROM] = np.inf
    return metres


def picture(image: Any) -> NDArray[np.uint8]:
    """[H, W, 3], sRGB, of an RGB camera."""
    return np.ascontiguousarray(_bgra(image)[..., 2::-1])


def flow(image: Any) -> NDArray[np.float32]:
    """[H, W, 2] of an optical-flow camera, as it comes: what it means is found out by `flow.FlowScale`."""
    return _pixels(image, np.float32, 2).copy()


def _bgra(image: Any) -> NDArray[np.uint8]:
    return _pixels(image, np.uint8, 4)


def _pixels(image: Any, kind: type, channels: int) -> NDArray[Any]:
    width, height = int(image.width), int(image.height)
    data = np.frombuffer(image.raw_data, kind)
    if data.size != width * height * channels:
        raise EngineError(
            f"the CARLA server sent a camera image of {width} x {height} with {data.size:,} values, expected "
            f"{width * height * channels:,}: client and server do not speak the same version; install the server's own "
            "release of the carla package"
        )
    return data.reshape(height, width, channels)


def _axes(rotation: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Forward, right and up of a `carla.Rotation`, in our world."""
    pitch, yaw, roll = (math.radians(float(n)) for n in (rotation.pitch, rotation.yaw, rotation.roll))
    cp, sp, cy, sy, cr, sr = (
        math.cos(pitch), math.sin(pitch), math.cos(yaw), math.sin(yaw), math.cos(roll), math.sin(roll)
    )  # fmt: skip
    # The columns of carla.Transform.get_matrix().
    forward = np.array([cp * cy, cp * sy, sp])
    right = np.array([cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, -cp * sr])
    up = np.array([-cy * sp * cr - sy * sr, -sy * sp * cr + cy * sr, cp * cr])
    mirror = np.array([1.0, -1.0, 1.0])
    return forward * mirror, right * mirror, up * mirror
