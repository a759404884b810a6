"""The orbit becomes a proper rotation that looks where it should, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuroview.engine.camera import camera_matrices, look_from_orbit, orbit_from_matrix
from neuroview.engine.state import Camera, StateError
from neuroview.models.base import CameraDefaults

angle = st.floats(-3.0, 3.0)
cameras = st.builds(
    Camera,
    yaw=angle,
    pitch=st.floats(-1.5, 1.5),
    roll=angle,
    radius=st.floats(0.2, 8),
    fov=st.floats(0.1, 2.0),
    pivot=st.tuples(angle, angle, angle),
)
rigs = st.builds(CameraDefaults, radius=st.just(2.7), fov=st.just(0.3), up=st.sampled_from(["y", "z"]))


@given(cameras, rigs)
def test_the_orbit_gives_a_right_handed_rotation_at_the_radius(camera, rig):
    matrix = look_from_orbit(camera, rig)
    rotation = matrix[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.linalg.norm(matrix[:3, 3] - np.array(camera.pivot)) == pytest.approx(camera.radius)
    np.testing.assert_allclose(matrix[:3, 3] + camera.radius * matrix[:3, 2], camera.pivot, atol=1e-9)


@given(cameras, rigs)
def test_a_matrix_becomes_the_orbit_that_it_came_from(camera, rig):
    matrix, intrinsics = camera_matrices(camera, rig)
    given_as_matrix = Camera(pivot=camera.pivot, cam2world=tuple(matrix.ravel()), intrinsics=tuple(intrinsics.ravel()))
    again, same = camera_matrices(orbit_from_matrix(given_as_matrix, rig), rig)
    np.testing.assert_allclose(again, matrix, atol=1e-6)
    np.testing.assert_allclose(same, intrinsics, rtol=1e-9)


def test_eg3ds_camera_orbits_the_origin_but_looks_at_its_pivot():
    rig = CameraDefaults(radius=2.7, fov=0.2333, aim=(0.0, 0.0, 0.2))
    matrix = look_from_orbit(Camera(yaw=0.5, radius=2.7), rig)
    np.testing.assert_allclose(matrix[:3, 3], [2.7 * math.sin(0.5), 0, 2.7 * math.cos(0.5)])
    forward = np.array([0, 0, 0.2]) - matrix[:3, 3]
    np.testing.assert_allclose(matrix[:3, 2], forward / np.linalg.norm(forward))


def test_positive_pitch_is_above_and_positive_yaw_to_the_right():
    rig = CameraDefaults(radius=1, fov=0.3)
    assert look_from_orbit(Camera(pitch=0.5), rig)[1, 3] > 0
    assert look_from_orbit(Camera(yaw=0.5), rig)[0, 3] > 0


def test_a_picture_twice_as_wide_sees_twice_as_much_sideways():
    _, square = camera_matrices(Camera(), CameraDefaults(2.7, 0.3))
    _, wide = camera_matrices(Camera(), CameraDefaults(2.7, 0.3), aspect=2.0)
    assert wide[0, 0] == square[0, 0] / 2
    assert wide[1, 1] == square[1, 1]


@pytest.mark.parametrize(
    "camera",
    [
        Camera(cam2world=(1.0,) * 3),
        Camera(cam2world=(0.0,) * 16),
        Camera(intrinsics=(0.0,) * 9),
        Camera(cam2world=(float("inf"),) * 16),
    ],
)
def test_matrices_that_make_no_camera_are_refused(camera):
    with pytest.raises(StateError, match="camera"):
        camera_matrices(camera, CameraDefaults(2.7, 0.3))
