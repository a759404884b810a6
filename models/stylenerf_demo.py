"""StyleNeRF's demonstration: its sliders and rendering options, and the camera that they imply.

It takes `seed 1` with ratio m and `seed 2` with 1 - m, so ratio 0 shows seed 2. In our state mix 0 shows seed A, as
everywhere: with A = its seed 2 and B = its seed 1, as `DemoControls.seeds` says, the ratios are equal. A panel that
would rather have A = its seed 1 shows 1 - mix (`DemoControls.mix_shows_a`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .base import CameraDefaults, CameraSlider, DemoControls, Option
from .errors import NeuroviewError
from .stylenerf_config import MOST_SAMPLES, StyleNeRFConfig

DEMO_SEEDS = (9, 1)
"""Our seeds A and B that show what the demonstration shows first: its seeds are 1 and 9, at ratio 0."""
FRONT = math.pi / 2
"""Our yaw of the official yaw 0: a camera on the x axis of a world whose z points up."""
WIDE_YAW = 1.0  # half range from which a model counts as one to walk around (cars), not as faces
OFFERED = (
    Option(
        "background",
        "Background",
        ("moving", "frozen"),
        "moving",
        "frozen: it stands still while the camera moves, as the demonstration's 'freeze_bg'.",
    ),
    Option(
        "steps",
        "Samples a ray",
        ("trained", "20", "40", "64"),
        "trained",
        "Coarse ones, and as many fine ones. The demonstration starts with 40; any number can be typed.",
    ),
)
"""The demonstration's 'rendering options', as choices (`models.base.Configurable`)."""


@dataclass(frozen=True)
class StyleNeRFOptions:
    """The demonstration's 'rendering options'."""

    freeze_background: bool = False
    """The background stands still while the camera moves."""
    steps: int | None = None
    """Coarse samples a ray, and as many fine ones; None: as in training."""

    @classmethod
    def parse(cls, text: str) -> StyleNeRFOptions:
        """From the demonstration's own spelling, such as 'freeze_bg,steps:40'.

        Raises:
            NeuroviewError: an option is unknown or its number out of range.
        """
        options = cls()
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = part.partition(":")
            if part == "freeze_bg":
                options = replace(options, freeze_background=True)
            elif name == "steps" and value.isdecimal() and 3 <= int(value[:9]) <= MOST_SAMPLES:
                options = replace(options, steps=int(value))
            else:
                raise NeuroviewError(
                    f"rendering option {part[:40]!r} is not known; expected freeze_bg or steps:N, N from 3 to "
                    f"{MOST_SAMPLES}"
                )
        return options


def walks_around(config: StyleNeRFConfig) -> bool:
    """Whether the training cameras stood all around (cars), not in front (faces)."""
    return (config.yaw_range[1] - config.yaw_range[0]) / 2 > WIDE_YAW


def demo_controls(config: StyleNeRFConfig) -> DemoControls:
    """The official demonstration's sliders: yaw, pitch and roll from -1 to 1, the field of view in degrees."""
    degree, fov = math.radians(1.0), math.degrees(config.fov)
    if walks_around(config):  # there -1 and 1 are the ends of the training range
        (left, right), (high, low) = config.yaw_range, config.polar_range
        yaw = CameraSlider(-1, 1, 0, FRONT + (left + right) / 2, (right - left) / 2)
        pitch = CameraSlider(-1, 1, 0, math.pi / 2 - (high + low) / 2, -(low - high) / 2)
    else:
        yaw = CameraSlider(-1, 1, 0, FRONT, 0.5)
        pitch = CameraSlider(-1, 1, 0, 0.0, -0.3)  # the official pitch is the angle from the upward axis
    return DemoControls(
        yaw=yaw,
        pitch=pitch,
        roll=CameraSlider(-1, 1, 0, 0.0, -math.pi),
        fov=CameraSlider(round(0.75 * fov, 3), round(1.25 * fov, 3), round(fov, 3), 0.0, degree),
        seeds=DEMO_SEEDS,
        truncation=0.7,
        mix_shows_a=False,
    )


def default_camera(config: StyleNeRFConfig) -> CameraDefaults:
    """The training camera; ranges are those of the demonstration's sliders."""
    demo = demo_controls(config)
    radius = sum(config.radius) / 2

    def ends(slider: CameraSlider) -> tuple[float, float]:
        low, high = sorted((slider.value(slider.low), slider.value(slider.high)))
        # Cameras that were all trained at one height leave a range of nothing, which no slider can show.
        return (low, high) if high - low > 1e-3 else (low - 0.3, high + 0.3)

    return CameraDefaults(
        radius=radius,
        fov=config.fov,
        up="z",
        yaw=demo.yaw.origin,
        pitch=demo.pitch.origin,
        yaw_range=ends(demo.yaw),
        pitch_range=ends(demo.pitch),
        fov_range=ends(demo.fov),
        radius_range=(0.5 * radius, 2.0 * radius),
    )
