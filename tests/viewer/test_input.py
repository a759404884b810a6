"""What the hand does to a state, without a window."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from neuroview.engine.camera import camera_matrices
from neuroview.engine.state import Camera, Latents, ViewState
from neuroview.models.base import CameraDefaults
from neuroview.viewer import input as hand

HEAD = CameraDefaults(radius=2.7, fov=0.2333, fov_range=(0.1, 0.6), radius_range=(1.5, 5.0))
AIMED = replace(HEAD, aim=(0.0, 0.05, 0.2))
LEGO = CameraDefaults(radius=4.0, fov=0.69, up="z", pivot=(0.1, -0.2, 0.3))


def looking(yaw=0.0, pitch=0.0, roll=0.0, defaults=HEAD, **changes) -> ViewState:
    camera = Camera(yaw=yaw, pitch=pitch, roll=roll, radius=defaults.radius, fov=defaults.fov, pivot=defaults.pivot)
    return ViewState(camera=replace(camera, **changes))


def seen_at(state: ViewState, defaults: CameraDefaults, point) -> np.ndarray:
    """(x, y) of a world point in the picture, in picture heights from the top left."""
    cam2world, intrinsics = camera_matrices(state.camera, defaults)
    local = np.linalg.inv(cam2world) @ np.array([*point, 1.0])
    return (intrinsics @ (local[:3] / local[2]))[:2]


def test_a_drag_across_the_picture_turns_half_way_round():
    assert abs(hand.orbit(looking(), HEAD, 1.0, 0.0).camera.yaw) == pytest.approx(math.pi)


@pytest.mark.parametrize("defaults", [HEAD, AIMED, LEGO])
def test_dragging_right_and_down_carries_the_front_right_and_down(defaults):
    state = looking(defaults=defaults)
    cam2world, _ = camera_matrices(state.camera, defaults)
    front = cam2world[:3, 3] * 0.2 + np.array(defaults.pivot) * 0.8
    before, after = seen_at(state, defaults, front), seen_at(hand.orbit(state, defaults, 0.02, 0.02), defaults, front)
    assert after[0] > before[0]
    assert after[1] > before[1]


def test_pitch_stops_short_of_the_pole():
    state = hand.orbit(looking(), HEAD, 0.0, 10.0)
    assert state.camera.pitch == pytest.approx(math.radians(89))
    assert hand.orbit(state, HEAD, 0.0, -20.0).camera.pitch == pytest.approx(-math.radians(89))


def test_yaw_comes_round_within_the_sliders_range():
    state = looking()
    for _ in range(7):
        state = hand.orbit(state, HEAD, -0.45, 0.0)
    assert -math.pi <= state.camera.yaw <= math.pi
    assert math.cos(state.camera.yaw) == pytest.approx(math.cos(7 * 0.45 * math.pi))


@pytest.mark.parametrize("defaults", [HEAD, AIMED, LEGO])
@pytest.mark.parametrize("roll", [0.0, 0.7])
def test_panning_keeps_the_point_at_the_pivots_depth_under_the_cursor(defaults, roll):
    state = looking(yaw=0.4, pitch=-0.2, roll=roll, defaults=defaults)
    target = np.array(state.camera.pivot) + np.array(defaults.aim)
    panned = hand.pan(state, defaults, 0.13, -0.07)
    moved = seen_at(panned, defaults, target) - seen_at(state, defaults, target)
    np.testing.assert_allclose(moved, [0.13, -0.07], atol=1e-9)


def test_rolling_clockwise_turns_the_picture_clockwise():
    above = (0.0, 0.1, 0.0)  # clockwise carries what is above to the right
    before, after = seen_at(looking(), HEAD, above), seen_at(hand.roll(looking(), HEAD, 0.3), HEAD, above)
    assert after[0] > before[0] + 0.01


def test_zoom_narrows_the_field_of_view_and_leaves_the_camera_in_its_place():
    near = hand.zoom(looking(), HEAD, 2)
    assert near.camera.fov < HEAD.fov
    assert near.camera.radius == HEAD.radius
    assert hand.zoom(looking(), HEAD, 100).camera.fov == HEAD.fov_range[0]
    assert hand.zoom(looking(), HEAD, -100).camera.fov == HEAD.fov_range[1]


def test_a_dolly_changes_the_distance_and_stays_within_its_range():
    assert hand.dolly(looking(), HEAD, 1).camera.radius < HEAD.radius
    assert hand.dolly(looking(), HEAD, 1).camera.fov == HEAD.fov
    assert hand.dolly(looking(), HEAD, 100).camera.radius == HEAD.radius_range[0]
    assert hand.dolly(looking(), HEAD, -100).camera.radius == HEAD.radius_range[1]


def test_a_value_outside_its_range_is_not_pulled_in_by_moving_the_right_way():
    wide = looking(fov=0.9)
    assert hand.zoom(wide, HEAD, -1).camera.fov == 0.9
    assert 0.6 < hand.zoom(wide, HEAD, 1).camera.fov < 0.9


@pytest.mark.parametrize("defaults", [HEAD, LEGO])
def test_flying_forward_goes_where_the_camera_looks_and_takes_the_pivot_along(defaults):
    state = looking(yaw=0.5, pitch=0.3, defaults=defaults)
    before, _ = camera_matrices(state.camera, defaults)
    after, _ = camera_matrices(hand.fly(state, defaults, 0, 0, 0.1).camera, defaults)
    np.testing.assert_allclose(after[:3, 3] - before[:3, 3], 0.1 * defaults.radius * before[:3, 2], atol=1e-12)
    np.testing.assert_allclose(after[:3, :3], before[:3, :3], atol=1e-12)


def test_flying_right_moves_what_is_seen_to_the_left():
    before = seen_at(looking(), HEAD, (0, 0, 0))
    after = seen_at(hand.fly(looking(), HEAD, 0.2, 0.1, 0), HEAD, (0, 0, 0))
    np.testing.assert_allclose(after - before, [-0.2, 0.1], atol=1e-9)


@pytest.mark.parametrize("motion", sorted(hand.MOTIONS))
def test_every_held_movement_moves_the_camera_by_the_time_that_passed(motion):
    once = hand.move(looking(), HEAD, [motion], 0.1)
    twice = hand.move(hand.move(looking(), HEAD, [motion], 0.05), HEAD, [motion], 0.05)
    assert once.camera != looking().camera
    for one, two in zip(camera_matrices(once.camera, HEAD), camera_matrices(twice.camera, HEAD), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-9)


def test_opposite_movements_cancel():
    assert hand.move(looking(), HEAD, ["left", "right"], 0.5).camera.pivot == pytest.approx((0, 0, 0))


def test_a_camera_given_as_a_matrix_goes_on_from_the_view_it_shows():
    orbit = looking(yaw=0.3, pitch=0.2, roll=0.1)
    cam2world, intrinsics = camera_matrices(orbit.camera, HEAD)
    exact = replace(
        orbit,
        camera=replace(
            HEAD_CAMERA, cam2world=tuple(cam2world.flatten().tolist()), intrinsics=tuple(intrinsics.flatten().tolist())
        ),
    )
    dragged = hand.orbit(exact, HEAD, 0.01, 0.0).camera
    assert dragged.cam2world is None
    assert dragged.intrinsics is None
    assert dragged.yaw == pytest.approx(0.3 - 0.01 * math.pi)
    assert (dragged.pitch, dragged.roll, dragged.fov) == pytest.approx((0.2, 0.1, HEAD.fov))


HEAD_CAMERA = Camera(radius=HEAD.radius, fov=HEAD.fov)


def test_a_matrix_that_is_none_starts_over_from_the_first_view():
    broken = ViewState(camera=replace(HEAD_CAMERA, cam2world=(1.0, 2.0)))
    assert hand.zoom(broken, HEAD, 0).camera == HEAD_CAMERA


def test_nothing_but_the_camera_changes_under_a_drag():
    state = replace(looking(), latents=Latents(seed_a=7), model="lego")
    assert replace(hand.orbit(state, HEAD, 0.1, 0.1), camera=state.camera) == state


def test_seeds_step_and_come_round_at_the_ends():
    state = hand.seeds(a=-1)(ViewState(), 14)
    assert state.latents.seed_a == 2**32 - 1
    assert hand.seeds(a=1)(state, 14).latents.seed_a == 0


def test_twenty_steps_of_the_mix_end_exactly_at_b():
    state = ViewState()
    for _ in range(20):
        state = hand.mix(0.05, 0.05)(state, 14)
    assert (state.latents.mix_geometry, state.latents.mix_appearance) == (1.0, 1.0)
    assert hand.mix(0.05)(state, 14) == state


def test_the_cutoff_counts_down_from_all_layers_and_up_to_all_again():
    state = hand.cutoff(-1)(ViewState(), 14)
    assert state.latents.cutoff == 13
    assert hand.cutoff(1)(state, 14).latents.cutoff is None


def test_the_rungs_and_noise_modes_come_round():
    state = ViewState()
    for _ in range(4):
        state = hand.next_rung(state, 0)
    for _ in range(3):
        state = hand.next_noise(state, 0)
    assert state == ViewState()
