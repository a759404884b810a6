"""The sky over a drive: time of day, clouds, fog."""

from __future__ import annotations

from ..controls import SliderRow
from ..fields_drive import WEATHER_FIELDS
from ..kit import Kit, View


class WeatherSection:
    """Three sliders that act while one drives."""

    def __init__(self, kit: Kit) -> None:
        with kit.card("Sky", tag="section.weather"):
            self.rows = [SliderRow(kit, field) for field in WEATHER_FIELDS]

    def refresh(self, view: View) -> None:
        for row in self.rows:
            row.refresh(view)
