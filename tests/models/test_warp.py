"""The last picture is moved to where its points are now, and believed only where it showed them."""

from __future__ import annotations

import pytest
import torch
from neuroview.models.warp import inside, same_depth, same_surface, surface_key, validity, warp
from torch import Tensor

H, W = 6, 8


def moved(right: float, down: float) -> Tensor:
    return torch.tensor([float(right), float(down)]).expand(H, W, 2).clone()


def test_whole_pixels_are_moved_exactly_and_the_border_is_continued():
    image = torch.rand(1, 3, H, W)
    made = warp(image, moved(2, -1)[None])
    torch.testing.assert_close(made[:, :, 1:, :-2], image[:, :, :-1, 2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(made[:, :, 1:, -1], image[:, :, :-1, -1], atol=1e-5, rtol=0)


def test_no_motion_is_no_change():
    image = torch.rand(1, 3, H, W)
    torch.testing.assert_close(warp(image, moved(0, 0)[None]), image, atol=1e-5, rtol=0)


def test_half_a_pixel_is_the_mean_of_two():
    image = torch.rand(1, 1, H, W)
    made = warp(image, moved(0.5, 0)[None])
    torch.testing.assert_close(made[..., :-1], (image[..., :-1] + image[..., 1:]) / 2, atol=1e-5, rtol=0)


def test_a_batch_is_warped_picture_by_picture():
    image, motion = torch.rand(2, 3, H, W), torch.randn(2, H, W, 2)
    both = warp(image, motion)
    torch.testing.assert_close(both[1:], warp(image[1:], motion[1:]))


def test_gradients_flow_to_picture_and_motion_even_after_inference():
    with torch.inference_mode():
        warp(torch.rand(1, 1, 5, 7), torch.zeros(1, 5, 7, 2))
    image, motion = torch.rand(1, 1, 5, 7, requires_grad=True), torch.full((1, 5, 7, 2), 0.3, requires_grad=True)
    warp(image, motion).sum().backward()
    assert image.grad is not None
    assert motion.grad is not None


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 1e30])
def test_motion_that_is_none_is_not_valid_and_spreads_nothing(bad):
    motion = moved(0, 0)
    motion[2, 3, 0] = bad
    key = torch.zeros(H, W, dtype=torch.int64)
    valid = validity(motion, key, key)[0, 0]
    assert valid[2, 3] == 0
    assert valid.sum() == H * W - 1
    assert torch.isfinite(warp(torch.rand(1, 3, H, W), motion[None])).all()


def test_what_comes_from_outside_the_picture_is_not_valid():
    found = inside(moved(3, 0))
    assert found[:, : W - 3].all()
    assert not found[:, W - 3 :].any()


def test_all_four_mixed_pixels_must_show_the_same_surface():
    previous = torch.zeros(H, W, dtype=torch.int64)
    previous[:, 4:] = 7
    here = torch.full((H, W), 7)
    whole = same_surface(moved(1, 0), here, previous)
    assert whole[0].tolist() == [False, False, False, True, True, True, True, True]
    # Half a pixel further left, column 3 would mix columns 3 and 4.
    mixed = same_surface(moved(0.5, 0), here, previous)
    assert mixed[0].tolist() == [False, False, False, False, True, True, True, True]


def test_outlines_stay_valid_while_nothing_moves():
    key = torch.arange(H * W).reshape(H, W)
    assert same_surface(moved(0, 0), key, key).all()
    assert same_surface(moved(1e-4, -1e-4), key, key).all()
    assert not same_surface(moved(0.1, 0), key, key)[:, :-1].any()


def test_the_same_instance_of_another_label_is_another_surface():
    labels, instances = torch.tensor([[1, 2]], dtype=torch.uint8), torch.tensor([[9, 9]], dtype=torch.int32)
    key = surface_key(labels, instances)
    assert key[0, 0] != key[0, 1]
    assert key.dtype == torch.int64


def test_a_point_that_was_hidden_behind_something_nearer_is_not_valid():
    previous = torch.full((H, W), 20.0)
    previous[:, :4] = 5.0
    found = same_depth(moved(0, 0), torch.full((H, W), 20.0), previous)
    assert not found[:, :4].any()
    assert found[:, 4:].all()


def test_a_slope_is_the_same_surface_and_a_point_behind_the_camera_is_none():
    slope = torch.linspace(10, 12, W).expand(H, W).clone()
    assert same_depth(moved(0.4, 0.4), slope, slope).all()
    assert not same_depth(moved(0, 0), torch.full((H, W), -1.0), slope).any()


def test_without_depth_surfaces_alone_decide():
    key = torch.zeros(H, W, dtype=torch.int64)
    depth = torch.full((H, W), 3.0)
    assert validity(moved(0, 0), key, key, depth, None).all()
    assert not validity(moved(0, 0), key, key, depth + 9, depth).any()
