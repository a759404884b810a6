"""Where the sun stands at an hour, and the light it makes: the colours of sun, sky, fog and lamps of one weather."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..messages import Weather

SUNRISE, SUNSET = 5.5, 19.5
"""Hours between which the sun is above the horizon."""
HIGHEST = math.radians(58)
"""Elevation of the sun at noon."""
LOWEST_LIGHT = math.radians(3)
"""Shadows do not get longer than of a light at this elevation; below, the light itself fades."""
MOON = (-0.42, 0.30, 0.86)
"""Towards the moon, before it is made a unit vector."""
RGB = tuple[float, float, float]


def elevation(hour: float) -> float:
    """Of the sun above the horizon at an hour of the day, radians; negative by night, down to -HIGHEST / 2."""
    turn = _day(hour)
    if 0 <= turn <= 1:
        return HIGHEST * math.sin(math.pi * turn)
    length = (24 - SUNSET + SUNRISE) / (SUNSET - SUNRISE)
    night = (turn - 1) % (1 + length) / length
    return -HIGHEST / 2 * math.sin(math.pi * min(night, 1.0))


def sun_direction(hour: float) -> RGB:
    """Unit vector from the ground to the sun (east, north, up): it rises in the north-east and stands south at noon."""
    high = elevation(hour)
    # Rising at 20 degrees north of east keeps it off the streets' own axes.
    azimuth = math.radians(20 - 220 * _day(hour))
    flat = math.cos(high)
    return flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(high)


def light_direction(hour: float) -> RGB:
    """Unit vector to what casts the shadows: the sun, never lower than LOWEST_LIGHT, and by night the moon."""
    x, y, z = sun_direction(hour)
    if z < math.sin(math.radians(-6)):
        length = math.sqrt(sum(n * n for n in MOON))
        return MOON[0] / length, MOON[1] / length, MOON[2] / length
    flat = math.cos(LOWEST_LIGHT) / max(math.hypot(x, y), 1e-9)
    return (x, y, z) if z >= math.sin(LOWEST_LIGHT) else (x * flat, y * flat, math.sin(LOWEST_LIGHT))


@dataclass(frozen=True)
class Sky:
    """All light of one weather, linear RGB where it is a colour."""

    light: RGB
    """Unit vector to what casts the shadows."""
    disc: RGB
    """Unit vector to the sun itself, also below the horizon."""
    sun_light: RGB
    sky_light: RGB
    """What comes from above."""
    ground_light: RGB
    """What comes from below and from the street."""
    zenith: RGB
    horizon: RGB
    horizon_sun: RGB
    """The horizon on the sun's side."""
    glow: RGB
    cloud_light: RGB
    cloud_dark: RGB
    clouds: float
    lamps: float
    """0 by day, 1 once the street lamps are on."""
    windows_lit: float
    exposure: float
    fog_length: float
    """Metres after which fog has taken 63 %."""


_DEGREES = (-29.0, -10.0, -6.0, -1.5, 3.0, 9.0, 17.0, 60.0)
"""The sun's elevations that the columns of the following tables stand for."""
_COLOURS: dict[str, tuple[RGB, ...]] = {
    "sun_light": (
        (0.10, 0.15, 0.27), (0.10, 0.15, 0.27), (0.00, 0.00, 0.00), (0.25, 0.10, 0.05),
        (1.60, 0.75, 0.34), (2.55, 1.36, 0.62), (2.85, 2.05, 1.30), (2.75, 2.38, 1.86),
    ),
    "sky_light": (
        (0.07, 0.095, 0.175), (0.08, 0.11, 0.20), (0.12, 0.15, 0.27), (0.26, 0.27, 0.40),
        (0.34, 0.34, 0.47), (0.39, 0.40, 0.56), (0.40, 0.46, 0.62), (0.40, 0.51, 0.70),
    ),
    "ground_light": (
        (0.04, 0.046, 0.07), (0.046, 0.052, 0.08), (0.072, 0.075, 0.115), (0.17, 0.15, 0.18),
        (0.23, 0.195, 0.205), (0.29, 0.24, 0.23), (0.30, 0.275, 0.25), (0.30, 0.285, 0.26),
    ),
    "zenith": (
        (0.01, 0.017, 0.045), (0.014, 0.026, 0.075), (0.03, 0.06, 0.17), (0.08, 0.15, 0.36),
        (0.12, 0.20, 0.50), (0.16, 0.27, 0.59), (0.16, 0.34, 0.76), (0.13, 0.34, 0.82),
    ),
    "horizon": (
        (0.045, 0.058, 0.105), (0.06, 0.08, 0.15), (0.15, 0.16, 0.27), (0.36, 0.33, 0.44),
        (0.60, 0.43, 0.54), (0.72, 0.56, 0.58), (0.68, 0.76, 0.86), (0.60, 0.76, 0.95),
    ),
    "horizon_sun": (
        (0.055, 0.066, 0.115), (0.095, 0.095, 0.15), (0.42, 0.25, 0.23), (0.95, 0.48, 0.27),
        (1.35, 0.64, 0.29), (1.35, 0.78, 0.42), (0.98, 0.86, 0.72), (0.70, 0.80, 0.93),
    ),
    "glow": (
        (0.00, 0.00, 0.00), (0.00, 0.00, 0.00), (0.10, 0.04, 0.02), (0.40, 0.15, 0.06),
        (0.80, 0.36, 0.14), (0.95, 0.50, 0.20), (0.60, 0.45, 0.28), (0.45, 0.38, 0.26),
    ),
    "cloud_light": (
        (0.06, 0.07, 0.11), (0.075, 0.085, 0.14), (0.24, 0.19, 0.25), (0.75, 0.42, 0.36),
        (1.05, 0.66, 0.50), (1.22, 0.82, 0.62), (1.10, 0.98, 0.88), (1.08, 1.06, 1.03),
    ),
    "cloud_dark": (
        (0.022, 0.03, 0.06), (0.03, 0.04, 0.085), (0.08, 0.09, 0.16), (0.25, 0.23, 0.34),
        (0.38, 0.35, 0.46), (0.56, 0.47, 0.58), (0.60, 0.62, 0.68), (0.66, 0.71, 0.79),
    ),
}  # fmt: skip
_EXPOSURE = (1.15, 1.1, 1.05, 1.0, 0.92, 0.8, 0.76, 0.74)
_LAMPS = (1.0, 1.0, 1.0, 1.0, 0.85, 0.45, 0.0, 0.0)


def sky_of(weather: Weather) -> Sky:
    """The light of a weather; hours outside 0..24 wrap, clouds and fog are clamped to 0..1."""
    degrees = math.degrees(elevation(weather.hour))
    exposure = float(np.interp(degrees, _DEGREES, _EXPOSURE))
    lamps = float(np.interp(degrees, _DEGREES, _LAMPS))
    colours = {
        name: np.array([np.interp(degrees, _DEGREES, channel) for channel in zip(*row, strict=True)])
        for name, row in _COLOURS.items()
    }
    clouds, fog = min(max(weather.clouds, 0.0), 1.0), min(max(weather.fog, 0.0), 1.0)
    sun, above, below = colours["sun_light"], colours["sky_light"], colours["ground_light"]
    zenith, horizon, horizon_sun = colours["zenith"], colours["horizon"], colours["horizon_sun"]
    cover = max(clouds - 0.35, 0.0) / 0.65
    cover = cover * cover * (3 - 2 * cover)
    sun = sun * (1 - 0.88 * cover) * (1 - 0.5 * fog**2)
    above = above * (1 + 0.35 * cover) * (1 - 0.1 * cover * np.array([0.0, 0.2, 0.7]))
    below = below * (1 + 0.15 * cover)
    grey = float(horizon @ (0.3, 0.55, 0.15))
    haze = np.clip(0.75 * cover + 0.6 * fog**2, 0, 1)
    zenith = zenith + (grey * 0.85 - zenith) * 0.8 * haze
    horizon = horizon + (grey - horizon) * 0.6 * haze
    horizon_sun = horizon_sun + (horizon - horizon_sun) * 0.8 * haze
    return Sky(
        light=light_direction(weather.hour),
        disc=sun_direction(weather.hour),
        sun_light=_rgb(sun),
        sky_light=_rgb(above),
        ground_light=_rgb(below),
        zenith=_rgb(zenith),
        horizon=_rgb(horizon),
        horizon_sun=_rgb(horizon_sun),
        glow=_rgb(colours["glow"] * (1 - 0.9 * haze)),
        cloud_light=_rgb(colours["cloud_light"] * (1 - 0.25 * cover)),
        cloud_dark=_rgb(colours["cloud_dark"]),
        clouds=clouds,
        # In a gloom the lamps come on by day.
        lamps=max(lamps, 1.6 * max(float(haze) - 0.5, 0.0) ** 2),
        windows_lit=lamps**1.5,
        exposure=exposure * (1 + 0.12 * cover),
        # 60 m of sight at 1: there fog has taken 95 %. Without any, the air alone makes the distance pale.
        fog_length=30.0 * (330.0 / 30.0) ** ((1 - fog) ** 1.3),
    )


def _rgb(colour: np.ndarray) -> RGB:
    return float(colour[0]), float(colour[1]), float(colour[2])


def _day(hour: float) -> float:
    """Part of the day that has passed: 0 at sunrise, 1 at sunset."""
    return (hour % 24 - SUNRISE) / (SUNSET - SUNRISE)
