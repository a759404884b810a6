"""The orbit becomes a proper rotation that looks where it should, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuroview.engine.camera import (
    between,
    camera_matrices,
    look_from_orbit,
    nearest_pose,
    orbit_from_matrix,
    pose_at,
    posed,
)
from neuroview.engine.state import Camera, StateError
from neuroview.models.base import CameraDefaults, Pose
from rings import ring

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


def pose_of(camera: Camera, rig: CameraDefaults) -> Pose:
    matrices = camera_matrices(camera, rig)
    return Pose("", *(tuple(tuple(row) for row in m.tolist()) for m in matrices))


@given(cameras, cameras, rigs, st.floats(0, 1))
def test_between_two_poses_lies_a_proper_camera_on_the_straight_line(a, b, rig, t):
    a, b = pose_of(a, rig), pose_of(b, rig)
    matrix = np.array(between(a, b, t).cam2world)
    rotation = matrix[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    line = (1 - t) * np.array(a.cam2world)[:3, 3] + t * np.array(b.cam2world)[:3, 3]
    np.testing.assert_allclose(matrix[:3, 3], line, atol=1e-9)


@given(cameras, cameras, rigs)
def test_the_way_from_pose_to_pose_turns_evenly_and_never_more_than_half_round(a, b, rig):
    a, b = pose_of(a, rig), pose_of(b, rig)

    def angle(x: Pose, y: Pose) -> float:
        difference = np.array(x.cam2world)[:3, :3].T @ np.array(y.cam2world)[:3, :3]
        sine = np.linalg.norm(difference - difference.T) / math.sqrt(8)
        return math.atan2(sine, (np.trace(difference) - 1) / 2)

    whole, quarter = angle(a, b), between(a, b, 0.25)
    assert angle(a, quarter) == pytest.approx(whole / 4, abs=1e-6)
    assert angle(quarter, b) == pytest.approx(3 * whole / 4, abs=1e-6)


def test_the_ends_of_the_way_are_the_poses_themselves():
    a, b = ring(2)
    assert between(a, b, 0.0) is a
    assert between(a, b, 1.0) is b
    assert between(a, b, 0.5).intrinsics[0][0] == pytest.approx(1.45)


def test_half_of_a_quarter_turn_is_an_eighth():
    a, b = ring(2)
    forward = np.array(between(a, b, 0.5).cam2world)[:3, 2]
    np.testing.assert_allclose(forward, [-math.sqrt(0.5), 0, -math.sqrt(0.5)], atol=1e-12)


def test_a_camera_at_a_pose_is_recognised_until_it_moves():
    poses = ring(5)
    camera = posed(Camera(yaw=0.3), poses[3])
    assert len(camera.cam2world) == 16
    assert len(camera.intrinsics) == 9
    assert pose_at(camera, poses) == 3
    assert pose_at(Camera(), poses) is None
    assert pose_at(orbit_from_matrix(camera, CameraDefaults(radius=4.0, fov=0.7)), poses) is None


def test_the_nearest_pose_is_the_nearest_place_and_then_the_most_alike_direction():
    rig, poses = CameraDefaults(radius=4.0, fov=0.7), ring(5)
    assert nearest_pose(Camera(yaw=math.radians(70), radius=4.2), rig, poses) == 3
    away = Pose("away", tuple((-x, y, -z, p) for x, y, z, p in poses[3].cam2world), poses[3].intrinsics)
    assert nearest_pose(Camera(yaw=math.radians(70), radius=4.2), rig, (away, *poses)) == 4


def test_a_wide_training_picture_is_cut_to_its_middle_square():
    wide = Pose("wide", tuple(map(tuple, np.eye(4))), ((0.6, 0.0, 0.5), (0.0, 0.9, 0.5), (0.0, 0.0, 1.0)))
    assert posed(Camera(), wide).intrinsics == (0.9, 0.0, 0.5, 0.0, 0.9, 0.5, 0.0, 0.0, 1.0)
