"""Rays pass through the pixels that each family's official code means, and stop where its box does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neuroview.engine.rendering.rays import box_limits, camera_rays, pixel_positions, ray_limits, volume_from
from neuroview.models.base import CameraDefaults, VolumeSettings

VOLUME = VolumeSettings(
    near=2.25, far=3.3, coarse=4, fine=4, activation="softplus_shifted", quadrature="midpoint", sampler="eg3d"
)
BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("convention", "expected"),
    [("centre", [0.125, 0.375, 0.625, 0.875]), ("corner", [0, 0.25, 0.5, 0.75]), ("inclusive", [0, 1 / 3, 2 / 3, 1])],
)
def test_each_pixel_convention_puts_the_ray_where_its_formula_says(convention, expected):
    assert pixel_positions(4, convention).tolist() == pytest.approx(expected)


def test_an_unknown_pixel_convention_is_named_in_the_error():
    with pytest.raises(ValueError, match="'middle'"):
        pixel_positions(4, "middle")


def test_eg3d_rays_are_the_official_ones(oracles: Path):
    stages = np.load(oracles / "eg3d" / "small512.extras.npz")
    label = np.load(oracles / "eg3d" / "small512.npz")["c_pose0"].reshape(-1)
    origins, directions = camera_rays(label[:16].reshape(4, 4), label[16:].reshape(3, 3), 32, 32, VOLUME)
    torch.testing.assert_close(origins, torch.from_numpy(stages["stage_ray_origins"][0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(directions, torch.from_numpy(stages["stage_ray_dirs"][0]), atol=1e-6, rtol=0)


def test_nerf_rays_are_the_official_ones(oracles: Path):
    values = np.load(oracles / "nerf" / "lego-lowres" / "oracle.npz")
    focal = float(values["focal"]) / 100
    pose = values["p0_c2w"] @ np.diag([1, -1, -1, 1]).astype(np.float32)  # OpenGL axes to OpenCV's
    volume = replace(VOLUME, pixels="corner", unit_rays=False)
    origins, directions = camera_rays(pose, np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]]), 100, 100, volume)
    row = slice(50 * 100, 51 * 100)
    torch.testing.assert_close(origins[row], torch.from_numpy(values["p0_rays_o_row50"]), atol=1e-6, rtol=0)
    torch.testing.assert_close(directions[row], torch.from_numpy(values["p0_rays_d_row50"]), atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(
    focal=st.tuples(st.floats(0.3, 5), st.floats(0.3, 5)),
    centre=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
    skew=st.floats(-0.2, 0.2),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    pixels=st.sampled_from(["centre", "corner", "inclusive"]),
    unit=st.booleans(),
)
def test_projecting_any_point_of_a_ray_gives_its_pixel_back(focal, centre, skew, height, width, pixels, unit):
    intrinsics = torch.tensor([[focal[0], skew, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]])
    volume = replace(VOLUME, pixels=pixels, unit_rays=unit)
    rotation = torch.linalg.qr(torch.tensor([[1.0, 0.2, 0.3], [-0.4, 1.0, 0.1], [0.2, -0.1, 1.0]])).Q
    pose = torch.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, torch.tensor([0.3, -1.0, 2.0])
    origins, directions = camera_rays(pose, intrinsics, height, width, volume)
    seen = ((origins + 1.7 * directions) - pose[:3, 3]) @ rotation  # into camera axes
    projected = (seen / seen[:, 2:]) @ intrinsics.T
    v, u = torch.meshgrid(pixel_positions(height, pixels), pixel_positions(width, pixels), indexing="ij")
    torch.testing.assert_close(projected[:, 0], u.flatten(), atol=2e-5, rtol=0)
    torch.testing.assert_close(projected[:, 1], v.flatten(), atol=2e-5, rtol=0)


def test_unit_rays_have_length_one_and_the_others_depth_one():
    intrinsics = torch.tensor([[0.6, 0, 0.5], [0, 0.6, 0.5], [0, 0, 1]])
    _, unit = camera_rays(torch.eye(4), intrinsics, 5, 7, VOLUME)
    _, other = camera_rays(torch.eye(4), intrinsics, 5, 7, replace(VOLUME, unit_rays=False))
    torch.testing.assert_close(unit.norm(dim=-1), torch.ones(35))
    torch.testing.assert_close(other[:, 2], torch.ones(35))


def test_rays_carry_gradients_to_the_camera():
    pose = torch.eye(4, requires_grad=True)
    origins, directions = camera_rays(pose, torch.tensor([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]), 2, 2, VOLUME)
    (origins.sum() + directions[:, 0].sum()).backward()
    assert pose.grad is not None
    assert pose.grad[:3].abs().sum() > 0


def test_a_matrix_of_another_shape_is_refused_by_name():
    with pytest.raises(ValueError, match=r"intrinsics has shape \(4, 4\)"):
        camera_rays(torch.eye(4), torch.eye(4), 2, 2, VOLUME)


def test_a_ray_enters_and_leaves_the_box_at_its_faces():
    near, far, hit = box_limits(torch.tensor([[0.0, 0.0, -2.0]]), torch.tensor([[0.0, 0.0, 1.0]]), BOX)
    assert hit.all()
    assert (near.item(), far.item()) == pytest.approx((1.5, 2.5))


def test_a_camera_inside_the_box_starts_at_itself():
    near, far, hit = box_limits(torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 0.0]]), BOX)
    assert hit.all()
    assert (near.item(), far.item()) == pytest.approx((0.0, 0.5))


def test_a_box_behind_the_camera_is_missed():
    _, _, hit = box_limits(torch.tensor([[0.0, 0.0, -2.0]]), torch.tensor([[0.0, 0.0, -1.0]]), BOX)
    assert not hit.any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_between_its_limits_a_ray_is_inside_the_box_and_beyond_them_outside(numbers):
    origin, direction = torch.tensor(numbers[:3]), torch.tensor(numbers[3:])
    if direction.norm() < 0.1 or (direction.abs() < 1e-2).any():
        return
    near, far, hit = box_limits(origin[None], direction[None], BOX)
    if not hit or far - near < 1e-3:
        return
    at = lambda t: (origin + t * direction).abs().max().item()  # noqa: E731
    assert at(0.5 * (near + far)) < 0.5 + 1e-4
    assert at(far + 0.01) > 0.5 - 1e-4


def test_fixed_limits_are_the_same_for_every_ray():
    near, far = ray_limits(torch.zeros(3, 3), torch.ones(3, 3), VOLUME, BOX)
    assert near.tolist() == pytest.approx([2.25] * 3)
    assert far.tolist() == pytest.approx([3.3] * 3)


def test_rays_that_miss_take_the_nearest_and_farthest_entry_of_the_others_as_eg3d_does():
    origins = torch.tensor([[0.0, 0.0, -2.0], [0.0, 0.0, -3.0], [9.0, 9.0, -2.0]])
    directions = torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3)
    near, far = ray_limits(origins, directions, replace(VOLUME, near=None, far=None), BOX)
    assert near.tolist() == pytest.approx([1.5, 2.5, 1.5])
    assert far.tolist() == pytest.approx([2.5, 3.5, 2.5])


def test_when_every_ray_misses_there_is_nothing_to_sample():
    origins = torch.full((2, 3), 9.0)
    near, far = ray_limits(origins, torch.ones(2, 3), replace(VOLUME, near=None, far=None), BOX)
    assert near.tolist() == far.tolist() == [0.0, 0.0]


USUAL = CameraDefaults(radius=2.7, fov=0.23)


def standing_at(z: float) -> torch.Tensor:
    pose = torch.eye(4)
    pose[2, 3] = z
    return pose


def test_from_the_usual_distance_the_official_limits_stay_to_the_bit():
    assert volume_from(VOLUME, standing_at(-2.7), USUAL) is VOLUME


def test_limits_move_along_with_a_camera_that_comes_nearer_or_goes_away():
    nearer = volume_from(VOLUME, standing_at(-1.7), USUAL)
    assert (nearer.near, nearer.far) == pytest.approx((1.25, 2.3))
    away = volume_from(VOLUME, standing_at(-4.7).numpy(), USUAL)
    assert (away.near, away.far) == pytest.approx((4.25, 5.3))


def test_sampling_never_starts_behind_the_camera():
    inside = volume_from(VOLUME, standing_at(0.0), USUAL)
    assert 0 < inside.near < inside.far
    assert inside.far == pytest.approx(0.6)


def test_limits_that_come_from_the_box_need_no_moving():
    free = replace(VOLUME, near=None, far=None)
    assert volume_from(free, standing_at(-9.0), USUAL) is free
