"""Cameras on the driver's car."""

from __future__ import annotations

import math

import numpy as np
import pytest
from neuroview.engine.driving.messages import Weather
from neuroview.engine.driving.town.cameras import Cameras
from neuroview.engine.driving.town.collision import SolidGrid
from neuroview.engine.driving.vehicle import CarState

NOTHING = SolidGrid(np.zeros((0, 5), np.float32)), ()
WEATHER = Weather()


def settled(car, viewpoint, solids=NOTHING, seconds=3.0, rate=30):
    cameras = Cameras(*solids)
    cameras.jump(car)
    for _ in range(round(seconds * rate)):
        cameras.follow(car, viewpoint, 1 / rate)
    return cameras.view(car, viewpoint, WEATHER, 0.0)


def project(view, point, aspect=2.0):
    """Where `point` is seen: -1..1 right and down; depth in metres."""
    matrix = np.array(view.pose.cam2world).reshape(3, 4)
    right, down, depth = matrix[:, :3].T @ (np.array(point) - matrix[:, 3])
    edge = math.tan(view.fov / 2) * depth
    return right / edge / aspect, down / edge, depth


@pytest.mark.parametrize("viewpoint", ["chase", "top"])
def test_the_whole_car_is_in_the_picture(viewpoint):
    car = CarState(10.0, 20.0, 0.7)
    view = settled(car, viewpoint)
    c, s = math.cos(car.yaw), math.sin(car.yaw)
    for a, b, z in [(a, b, z) for a in (-2.25, 2.25) for b in (-0.9, 0.9) for z in (0.0, 1.4)]:
        right, down, depth = project(view, (10 + a * c - b * s, 20 + a * s + b * c, z))
        assert depth > 1
        assert abs(right) < 1
        assert abs(down) < 1


def test_the_hood_camera_looks_ahead_from_the_drivers_eyes():
    view = settled(CarState(yaw=math.pi / 2), "hood")
    assert view.forward[1] > 0.9
    assert 1.0 < view.eye[2] < 1.6
    assert math.hypot(view.eye[0], view.eye[1]) < 1.5


def test_the_top_camera_has_the_street_ahead_above_the_car():
    view = settled(CarState(yaw=0.0), "top")
    assert project(view, (30.0, 0.0, 0.0))[1] < project(view, (0.0, 0.0, 0.0))[1]
    assert project(view, (0.0, 0.0, 0.0))[1] > 0  # the car in the lower half


def test_the_chasing_camera_swings_round_with_a_lag_that_does_not_depend_on_the_rate():
    eyes = []
    for rate in (20, 60):
        cameras = Cameras(*NOTHING)
        cameras.follow(CarState(), "chase", 1 / rate)
        for _ in range(rate // 2):
            cameras.follow(CarState(yaw=1.0), "chase", 1 / rate)
        eyes.append(cameras.view(CarState(yaw=1.0), "chase", WEATHER, 0.0).forward)
    assert eyes[0] == pytest.approx(eyes[1], abs=1e-6)
    assert 0.5 < math.atan2(eyes[0][1], eyes[0][0]) < 0.99


def test_the_chasing_camera_stays_out_of_houses():
    solids = SolidGrid(np.array([[4.0, 20.0, 3.0, 10.0, 0.0]], np.float32)), ("a house",)
    car = CarState(11.0, 20.0)  # its tail 1.8 m from the wall at x = 7
    view = settled(car, "chase", solids)
    assert view.eye[0] > 7.2
    assert settled(car, "chase").eye[0] < 7.0


def test_lamp_posts_do_not_push_the_camera():
    solids = SolidGrid(np.array([[4.0, 20.0, 0.2, 0.2, 0.0]], np.float32)), ("a lamp post",)
    assert settled(CarState(11.0, 20.0), "chase", solids) == settled(CarState(11.0, 20.0), "chase")
