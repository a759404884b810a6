"""The numbers of a drive as a person edits them: time of day, clouds, fog, seed of the town."""

from __future__ import annotations

from collections.abc import Callable

from ...engine.state import Drive, ViewState
from ..driving.edits import with_drive
from ..driving.instruments import clock_face
from .fields import Info, NumberField, Span, number


def _drive(
    name: str,
    label: str,
    text: str,
    span: Span,
    write: Callable[[float], str] = number,
) -> NumberField:
    default = float(getattr(Drive, name))

    def get(state: ViewState, info: Info) -> float:
        return float(getattr(state.drive or Drive(), name))

    def put(state: ViewState, value: float | None, info: Info) -> ViewState:
        return with_drive(state, **{name: min(max(round(float(value or 0.0), 4), span[0]), span[1])})

    return NumberField(f"drive.{name}", label, text, get, put, lambda info: span, lambda info: default, write)


HOUR = _drive("hour", "Time of day", "Where the sun stands: noon at 12, night from about 20 to 5.", (0, 24), clock_face)
CLOUDS = _drive("clouds", "Clouds", "How much of the sky is covered: shadows go with the sun.", (0, 1))
FOG = _drive("fog", "Fog", "0 is clear; at 1 one sees about 60 metres.", (0, 1))

WEATHER_FIELDS = (HOUR, CLOUDS, FOG)
