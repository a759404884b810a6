"""The panel's numbers as a family's own demonstration counts them (`models.base.DemoControls`).

Whoever follows a paper's demonstration finds its sliders here with the same ends, units and first values.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ...engine.state import ViewState
from ...models.base import CameraSlider, DemoControls
from .fields import ANGLE_LIMITS, FOV, PITCH, ROLL, YAW, Info, NumberField, number, orbit, with_camera

_SENTENCES = {
    "yaw": "Walk around the subject.",
    "pitch": "Rise above or sink below the subject.",
    "roll": "Tilt the camera about its viewing axis.",
    "fov": FOV.help,
}
"""What the fields' help says, without the signs that a demonstration may count the other way."""
_ANGLES = {field.key: field.key.removeprefix("camera.") for field in (YAW, PITCH, ROLL, FOV)}


def as_in_demo(field: NumberField, demo: DemoControls | None) -> NumberField:
    """The field as the demonstration shows it; as it is where there is no demonstration, or it has no such number."""
    if demo is None:
        return field
    if field.key in _ANGLES:
        return _angle(field, _ANGLES[field.key], demo)
    if field.key == "latents.truncation":
        return replace(field, default=lambda info: demo.truncation)
    if field.key in ("latents.mix_geometry", "latents.mix_appearance"):
        return replace(field, help=f"{field.help}\n\n{_ratio(demo)}")
    return field


def _ratio(demo: DemoControls) -> str:
    if demo.mix_shows_a:
        return "The model's own demonstration counts its mixing ratio the other way: 1 − this, and 1 shows seed A."
    return "The model's own demonstration counts its mixing ratio the same way: 0 shows seed A."


def _angle(field: NumberField, name: str, demo: DemoControls) -> NumberField:
    slider: CameraSlider = getattr(demo, name)
    low, high = (math.radians(limit) for limit in ANGLE_LIMITS[name])
    in_degrees = math.isclose(slider.scale, math.radians(1.0), rel_tol=1e-6)

    def get(state: ViewState, info: Info) -> float:
        angle = getattr(orbit(state, info), name)
        away = angle - slider.origin
        if name in ("yaw", "roll") and abs(away) > math.pi:  # many turns are shown within one, about the middle
            angle = slider.origin + math.remainder(away, 2 * math.pi)
        return slider.position(angle)

    def put(state: ViewState, value: float | None, info: Info) -> ViewState:
        angle = slider.value(round(float(value or 0.0), 5))
        return with_camera(state, info, **{name: min(max(angle, low), high)})

    def text(value: float) -> str:
        return number(value, 1, "°") if in_degrees else number(value)

    ends = f"{text(slider.low)} to {text(slider.high)}"
    if not in_degrees:
        first, last = (number(math.degrees(slider.value(end)), 1, "°") for end in (slider.low, slider.high))
        ends += f" (here {first} to {last})"
    return replace(
        field,
        help=f"{_SENTENCES[name]}\n\nCounted as in the model's own demonstration: {ends}.",
        get=get,
        put=put,
        span=lambda info: (slider.low, slider.high),
        default=lambda info: slider.start,
        text=text,
    )
