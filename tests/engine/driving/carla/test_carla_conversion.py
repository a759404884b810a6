"""Between Unreal's world and ours, and what CARLA packs into pixels."""

from __future__ import annotations

import importlib.util
import math
from types import SimpleNamespace

import numpy as np
import pytest
from neuroview.engine.driving.carla import conversion
from neuroview.engine.driving.carla.roads import simplified
from neuroview.engine.driving.carla.weather import apply_weather, sun_seen
from neuroview.engine.driving.messages import Weather
from neuroview.engine.driving.simulator import EngineError
from neuroview.engine.driving.town.sun import sun_direction
from stand_in import Location, Rotation, Sky, Transform


def image(pixels):
    pixels = np.asarray(pixels)
    return SimpleNamespace(width=pixels.shape[1], height=pixels.shape[0], raw_data=pixels.tobytes())


def test_south_is_unreals_y_and_a_right_turn_its_growing_yaw():
    assert conversion.place(Location(3.0, 4.0, 5.0)) == (3.0, -4.0, 5.0)
    assert conversion.heading(Rotation(yaw=90.0)) == pytest.approx(-math.pi / 2)


def test_a_level_camera_to_the_east_looks_along_x_with_south_to_its_right():
    pose = conversion.camera_pose(Transform(Location(1.0, 2.0, 3.0), Rotation()))
    np.testing.assert_allclose(pose, [[0, 0, 1, 1], [-1, 0, 0, -2], [0, -1, 0, 3]], atol=1e-12)


def test_every_pose_is_a_right_handed_rotation():
    spot = Transform(Location(), Rotation(11.0, 130.0, -7.0))
    for pose in (conversion.camera_pose(spot), conversion.body_pose(spot)):
        np.testing.assert_allclose(pose[:, :3] @ pose[:, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(pose[:, :3]) == pytest.approx(1.0)


@pytest.mark.skipif(importlib.util.find_spec("carla") is None, reason="the carla package is not installed")
def test_axes_are_those_of_the_real_package():
    import carla  # pyright: ignore[reportMissingImports]

    real = carla.Transform(carla.Location(x=1, y=2, z=3), carla.Rotation(pitch=10, yaw=20, roll=5))
    matrix = np.array(real.get_matrix())
    pose = conversion.body_pose(real)
    mirror = np.diag([1.0, -1.0, 1.0])
    np.testing.assert_allclose(pose[:, :3], mirror @ matrix[:3, :3] @ mirror, atol=1e-5)


def test_axes_are_what_the_real_package_printed():
    # carla 0.9.16: Transform(Location(1, 2, 3), Rotation(pitch=10, yaw=20, roll=5)).get_matrix()
    real = [[0.925417, -0.326497, -0.192364], [0.336824, 0.941293, 0.022734], [0.173648, -0.085832, 0.981060]]
    pose = conversion.body_pose(Transform(Location(1.0, 2.0, 3.0), Rotation(10.0, 20.0, 5.0)))
    mirror = np.diag([1.0, -1.0, 1.0])
    np.testing.assert_allclose(pose[:, :3], mirror @ np.array(real) @ mirror, atol=1e-5)


def test_depth_is_24_bits_of_a_kilometre_and_the_sky_is_infinitely_far():
    pixels = np.array([[[0, 0, 0, 255], [1, 2, 3, 255], [255, 255, 255, 255]]], np.uint8)
    found = conversion.depth(image(pixels))
    assert found[0, 0] == 0
    assert found[0, 1] == pytest.approx((3 + 2 * 256 + 65536) / (2**24 - 1) * 1000)
    assert np.isinf(found[0, 2])


def test_tags_are_in_red_and_instances_in_green_and_blue():
    pixels = np.array([[[0x12, 0x34, 14, 255]]], np.uint8)
    assert conversion.tags(image(pixels), "carla")[0, 0] == 14
    assert conversion.instances(image(pixels))[0, 0] == 0x1234


def test_tags_that_a_numbering_lacks_become_unlabeled():
    pixels = np.array([[[0, 0, 28, 0], [0, 0, 29, 0], [0, 0, 22, 0], [0, 0, 23, 0]]], np.uint8)
    assert conversion.tags(image(pixels), "carla").tolist() == [[28, 0, 22, 23]]
    assert conversion.tags(image(pixels), "carla_before_0_9_14").tolist() == [[0, 0, 22, 0]]


def test_a_picture_turns_bgra_round():
    assert conversion.picture(image(np.array([[[1, 2, 3, 4]]], np.uint8))).tolist() == [[[3, 2, 1]]]


def test_an_image_that_is_too_short_is_refused():
    with pytest.raises(EngineError, match="2 x 1 with 4 values, expected 8"):
        conversion.depth(SimpleNamespace(width=2, height=1, raw_data=bytes(4)))


def test_fields_of_view_go_back_and_forth():
    degrees = conversion.horizontal_degrees(0.8, 512, 256)
    assert conversion.vertical_radians(degrees, 512, 256) == pytest.approx(0.8)
    assert degrees == pytest.approx(math.degrees(2 * math.atan(2 * math.tan(0.4))))


@pytest.mark.parametrize("hour", [7.0, 12.0, 18.5])
def test_the_sun_that_was_set_is_the_sun_that_is_seen(hour):
    sky = Sky()
    apply_weather(sky, Weather(hour=hour, clouds=0.4, fog=0.0))
    north = conversion.camera_pose(Transform(Location(), Rotation(yaw=-90.0)))
    x, y, z = sun_direction(hour)
    assert sun_seen(sky, north) == pytest.approx((y, -x, z), abs=1e-6)
    assert (sky.cloudiness, sky.fog_density, sky.wetness) == (40.0, 0.0, 33.0)


def test_a_simplified_line_keeps_its_corners_and_drops_the_rest():
    line = np.array([[0, 0], [1, 0.01], [2, 0], [3, 0], [3, 1], [3, 2]], float)
    assert simplified(line, 0.1).tolist() == [[0, 0], [3, 0], [3, 2]]
