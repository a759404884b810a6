"""Weather and the sun between CARLA's parameters and ours.

CARLA gives the sun's altitude above the horizon and an azimuth 'whose zero is determined by Unreal'. Its sky turns the
directional light to that yaw, so the light *shines towards* the azimuth and the sun stands opposite; this could not be
checked against a server and only touches the direction of `Geometry.sun` and of the shadows in CARLA's own pictures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..messages import Weather
from ..town.sun import sun_direction
from .conversion import Pose

FOG_LEFT = 60.0
"""Metres that full fog leaves, as `messages.Weather` promises."""


def apply_weather(parameters: Any, weather: Weather) -> None:
    """Write sun, clouds and fog into a `carla.WeatherParameters`; rain, wind and puddles stay as they are."""
    x, y, z = sun_direction(weather.hour)
    parameters.sun_altitude_angle = math.degrees(math.asin(min(max(z, -1.0), 1.0)))
    parameters.sun_azimuth_angle = math.degrees(math.atan2(y, -x)) % 360.0  # shines towards (-x, -y) of ours
    parameters.cloudiness = 100.0 * weather.clouds
    fog = min(max(weather.fog, 0.0), 1.0)
    parameters.fog_density = 100.0 * fog
    parameters.fog_distance = FOG_LEFT * (1.0 / max(fog, 0.05) - 1.0)


def sun_seen(parameters: Any, camera: Pose) -> tuple[float, float, float]:
    """Unit vector towards the sun: forward, left, up of the levelled camera."""
    altitude, azimuth = math.radians(parameters.sun_altitude_angle), math.radians(parameters.sun_azimuth_angle)
    flat = math.cos(altitude)
    x, y = -flat * math.cos(azimuth), flat * math.sin(azimuth)
    # A camera that looks straight down is level where its picture's top is.
    forward, down = camera[:2, 2], camera[:2, 1]
    ahead = forward if np.hypot(*forward) > 0.05 else -down
    ahead = ahead / max(float(np.hypot(*ahead)), 1e-9)
    return float(x * ahead[0] + y * ahead[1]), float(y * ahead[0] - x * ahead[1]), math.sin(altitude)
