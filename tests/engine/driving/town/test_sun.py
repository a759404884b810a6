"""Where the sun stands and what light it makes."""

import math

import numpy as np
import pytest
from neuroview.engine.driving.messages import Weather
from neuroview.engine.driving.town.sun import LOWEST_LIGHT, elevation, light_direction, sky_of, sun_direction


def test_the_sun_rises_in_the_east_and_sets_in_the_west():
    assert sun_direction(6.0)[0] > 0.8
    assert sun_direction(19.0)[0] < -0.8


def test_the_sun_stands_highest_in_the_south_between_sunrise_and_sunset():
    x, y, z = sun_direction(12.5)
    assert abs(x) < 0.01
    assert y < 0
    assert z == pytest.approx(max(sun_direction(hour)[2] for hour in np.arange(0, 24, 0.25)), abs=1e-3)


def test_directions_are_unit_vectors_at_every_hour():
    for hour in np.arange(0, 24, 0.25):
        for direction in (sun_direction(hour), light_direction(hour)):
            assert np.linalg.norm(direction) == pytest.approx(1)


def test_elevation_is_continuous_over_the_whole_day():
    hours = np.arange(0, 24.01, 0.05)
    assert np.abs(np.diff([elevation(hour) for hour in hours])).max() < math.radians(1.2)


def test_shadows_never_get_longer_than_of_a_light_at_the_lowest_elevation():
    lowest = min(light_direction(hour)[2] for hour in np.arange(0, 24, 0.05))
    assert lowest >= math.sin(LOWEST_LIGHT) - 1e-9


def test_moonlight_comes_from_high_up():
    assert light_direction(23.0)[2] > 0.7


def test_the_light_is_off_while_it_changes_from_sun_to_moon():
    hours = np.arange(18, 23, 0.01)
    lights = np.array([light_direction(hour) for hour in hours])
    jump = int(np.abs(np.diff(lights, axis=0)).max(1).argmax())
    assert max(sky_of(Weather(hour=hours[jump])).sun_light) < 0.02
    assert max(sky_of(Weather(hour=hours[jump + 1])).sun_light) < 0.02


def test_dusk_is_warmer_than_noon():
    noon, dusk = sky_of(Weather(hour=12)).sun_light, sky_of(Weather(hour=18.8)).sun_light
    assert dusk[0] / dusk[2] > 2 * noon[0] / noon[2]


def test_lamps_are_lit_by_night_and_off_at_noon():
    assert sky_of(Weather(hour=21)).lamps == 1
    assert sky_of(Weather(hour=12)).lamps == 0


def test_clouds_take_most_of_the_sun():
    clear, covered = (sky_of(Weather(hour=12, clouds=clouds)).sun_light[0] for clouds in (0.2, 1.0))
    assert covered < 0.3 * clear


def test_full_fog_leaves_about_sixty_metres():
    length = sky_of(Weather(fog=1)).fog_length
    assert math.exp(-((60 / length) ** 1.5)) < 0.1 < math.exp(-((30 / length) ** 1.5))


def test_weather_outside_its_range_is_brought_into_it():
    assert sky_of(Weather(hour=36, clouds=5, fog=-3)) == sky_of(Weather(hour=12, clouds=1, fog=0))
