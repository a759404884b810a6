"""From where the town is seen and under which sky, and what the renderer answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..messages import CameraPose, Control, DriveFrame, Geometry, Weather

Look = Literal["photo", "drawn"]
"""How the shaded picture is made: as a camera would see it, or as an illustrator would draw it."""


@dataclass(frozen=True)
class View:
    """A camera without roll."""

    eye: tuple[float, float, float]
    """East, north, up; metres. Not wrapped."""
    forward: tuple[float, float, float]
    """Viewing direction, of any length. May not be vertical."""
    fov: float
    """Angle across the picture's height, radians."""
    weather: Weather = field(default_factory=Weather)
    time: float = 0.0
    """Seconds of the simulation: leaves and clouds move."""

    @property
    def pose(self) -> CameraPose:
        """The same as DATA says it."""
        z = np.asarray(self.forward, float)
        z = z / np.linalg.norm(z)
        x = np.cross(z, (0.0, 0.0, 1.0))
        x = x / np.linalg.norm(x)
        matrix = np.stack([x, np.cross(z, x), z, np.asarray(self.eye, float)], 1)
        return CameraPose(tuple(float(n) for n in matrix.ravel()), self.fov)


@dataclass(frozen=True, eq=False)
class Maps:
    """One view as maps; row 0 is the top. Fields as in `messages.DriveFrame`."""

    labels: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    depth: NDArray[np.float32]
    motion: NDArray[np.float32]
    expected_depth: NDArray[np.float32]
    geometry: Geometry

    def frame(self, view: View, control: Control, **told: Any) -> DriveFrame:
        """The same as DATA: with where it was seen from, the CONTROL that it obeys, and whatever else is `told`."""
        return DriveFrame(
            time=view.time,
            labels=self.labels,
            instances=self.instances,
            depth=self.depth,
            motion=self.motion,
            expected_depth=self.expected_depth,
            geometry=self.geometry,
            camera=view.pose,
            hour=control.weather.hour,
            control_serial=control.serial,
            **told,
        )
