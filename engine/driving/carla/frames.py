"""`FrameMaker`: makes maps of what the cameras sent: labels, depth, exact motion, geometry."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from ....models.base import LabelSet
from ..messages import Geometry
from ..town.cameras import FOV
from ..town.view import Maps
from . import conversion
from .conversion import MOVING, Pose
from .flow import FlowScale
from .motion import Body, Lens, add_bodies, camera_normals, still_motion, world_points
from .weather import sun_seen

_LOG = logging.getLogger(__name__)
_LEARN_REACH = 120.0
"""Metres; half floats of flow say little about what lies farther away."""


class FrameMaker:
    """Knows the last frame, which motion refers to.

    What stands still moves exactly as the two cameras say. Vehicles and people move as their bodies do; where the frame
    follows the last one by a single step and the optical-flow camera has proved itself, as that camera says, limbs and
    wheels included. A parked car that is part of the map is no actor and stands still.
    """

    def __init__(self, width: int, height: int, label_set: LabelSet) -> None:
        self.lens = Lens(width, height, FOV)
        self.scale = FlowScale()
        self._label_set: LabelSet = label_set
        self._pose: Pose | None = None

    def make(
        self, images: Mapping[Any, Any], bodies: list[Body], floor: float, weather: Any, *, cut: bool, single: bool
    ) -> tuple[Maps, Pose]:
        """One frame, and where its camera stands.

        Args:
            images: by `sensors.Kind`, as the cameras sent them.
            bodies: what can move, near the camera.
            floor: height of the ground under the driver's car, metres.
            weather: the `carla.WeatherParameters` in force.
            cut: whether this frame does not follow the last one.
            single: whether exactly one step lies between them.

        Raises:
            EngineError: an image is not what its header says.
        """
        lens = self.lens
        labels = conversion.tags(images["semantic"], self._label_set)
        depth = conversion.depth(images["depth"])
        pose = conversion.camera_pose(images["depth"].transform)
        moving = np.isin(labels, MOVING[self._label_set])
        points = world_points(lens, depth, pose)
        before = self._pose
        if cut or before is None:
            motion = np.zeros((*labels.shape, 2), np.float32)
            expected = np.full(labels.shape, -1, np.float32)
        else:
            moved = still_motion(lens, depth, pose, before)
            motion, expected = moved
            if single and "flow" in images:
                self._learn(conversion.flow(images["flow"]), moved.motion, ~moving & (expected > 0.5), depth)
            add_bodies(moved, lens, points, moving, before, bodies)
            if single and "flow" in images and self.scale.verdict == "trusted":
                seen = self.scale.motion(conversion.flow(images["flow"]))
                known = moving & np.isfinite(seen[..., 0])
                motion[known] = seen[known]
        self._pose = pose
        ground = points[..., :2].astype(np.float32)
        ground[moving] = np.nan
        geometry = Geometry(
            height=(points[..., 2] - floor).astype(np.float32),
            normals=camera_normals(lens, depth),
            ground=ground,
            sun=sun_seen(weather, pose),
        )
        maps = Maps(labels, conversion.instances(images["instance"]), depth, motion, expected, geometry)
        return maps, pose

    def _learn(self, flow: Any, motion: Any, still: Any, depth: Any) -> None:
        if self.scale.verdict != "undecided":
            return
        self.scale.learn(flow, motion, still & (depth < _LEARN_REACH))
        if self.scale.verdict == "trusted":
            x, y = self.scale.factors
            _LOG.info("CARLA's optical flow is understood: %.1f and %.1f pixels for 1 right and down", x, y)
        elif self.scale.verdict == "refused":
            _LOG.warning(
                "CARLA's optical-flow camera does not agree with the exact motion of what stands still; it is left "
                "out, and vehicles and people move as rigid bodies"
            )
