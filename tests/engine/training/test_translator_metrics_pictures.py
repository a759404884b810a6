"""The figures of a painted picture and of a painted sequence, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from neuroview.engine.training.translator_metrics.drift import PARTS, DriftMeter
from neuroview.engine.training.translator_metrics.frechet import frechet_distance
from neuroview.engine.training.translator_metrics.similarity import (
    PERFECT,
    MeasureError,
    luma,
    psnr,
    sharpness,
    ssim,
)
from neuroview.engine.training.translator_metrics.temporal import warping_error


def plain(level: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def noise(seed: int = 0, height: int = 32, width: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_luma_is_rec_601():
    red, green, blue = np.eye(3, dtype=np.uint8)[:, None, None] * 255
    assert [float(luma(colour)[0, 0]) for colour in (red, green, blue)] == [76, 150, 29]


def test_psnr_of_one_level_everywhere_is_48_decibels():
    assert psnr(plain(100), plain(101)) == pytest.approx(20 * math.log10(255))


def test_psnr_counts_all_three_colours():
    other = plain(100)
    other[..., 0] = 110
    assert psnr(plain(100), other) == pytest.approx(10 * math.log10(255**2 / (100 / 3)), abs=1e-4)


def test_psnr_of_equal_pictures_is_finite():
    assert psnr(noise(), noise()) == PERFECT


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(MeasureError, match=r"\(32, 48, 3\).*\(16, 48, 3\)"):
        psnr(plain(1), plain(1, height=16))


def test_floats_are_no_pictures():
    with pytest.raises(MeasureError, match="float32"):
        luma(np.zeros((4, 4, 3), np.float32))


def test_ssim_of_equal_pictures_is_1():
    assert ssim(noise(), noise()) == pytest.approx(1, abs=1e-6)


def test_ssim_of_flat_pictures_compares_their_levels():
    # No variance: what is left is (2 a b + c1) / (a^2 + b^2 + c1).
    c1 = 2.55**2
    assert ssim(plain(100), plain(50)) == pytest.approx((2 * 5000 + c1) / (12500 + c1), abs=1e-5)


def test_ssim_falls_with_a_shift_of_one_pixel():
    assert ssim(noise(), np.roll(noise(), 1, 1)) < 0.2


def test_ssim_of_a_negative_is_negative():
    assert ssim(noise(), 255 - noise()) < -0.5


def test_sharpness_of_one_bright_pixel_is_spread_over_five():
    picture = plain(0)
    picture[10, 10] = 100
    assert sharpness(picture) == pytest.approx((400 + 4 * 100) / (32 * 48))


def test_sharpness_of_a_flat_picture_is_0():
    assert sharpness(plain(77)) == 0


def test_a_sequence_that_follows_the_motion_has_no_warping_error():
    before = noise()
    now = np.roll(before, 3, 1)  # moved to the right: its points were 3 pixels to the left
    motion = torch.zeros(32, 48, 2)
    motion[..., 0] = -3
    valid = torch.zeros(32, 48)
    valid[:, 3:] = 1
    assert warping_error(now, before, motion, valid) == pytest.approx(0, abs=1e-3)


def test_a_sequence_that_stands_still_under_motion_has_one():
    motion = torch.zeros(32, 48, 2)
    motion[..., 0] = -3
    assert warping_error(noise(), noise(), motion, torch.ones(32, 48)) > 50


def test_the_warping_error_is_a_mean_of_levels_over_valid_pixels():
    now = plain(100)
    now[:16] = 107  # the half that is valid
    valid = torch.zeros(1, 1, 32, 48)
    valid[..., :16, :] = 1
    assert warping_error(now, plain(100), torch.zeros(32, 48, 2), valid) == pytest.approx(7)


def test_without_a_valid_pixel_there_is_no_warping_error():
    assert math.isnan(warping_error(plain(1), plain(9), torch.zeros(32, 48, 2), torch.zeros(32, 48)))


def test_motion_of_another_size_is_refused():
    with pytest.raises(MeasureError, match="same height and width"):
        warping_error(plain(1), plain(1), torch.zeros(16, 48, 2), torch.ones(32, 48))


def test_the_frechet_distance_of_a_set_to_itself_is_0():
    features = np.random.default_rng(0).normal(size=(50, 6))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_of_a_shift_is_its_square():
    features = np.random.default_rng(0).normal(size=(50, 3))
    assert frechet_distance(features, features + np.array([3, 4, 0])) == pytest.approx(25)


def test_the_frechet_distance_of_a_stretch_has_a_closed_form():
    # Of N(0, s^2) and N(0, t^2) it is (s - t)^2 in each direction.
    features = np.random.default_rng(0).normal(size=(400, 2))
    features -= features.mean(0)
    spread = float(np.sqrt(np.trace(np.cov(features, rowvar=False))))
    assert frechet_distance(features, 3 * features) == pytest.approx((2 * spread) ** 2)


def test_the_frechet_distance_sees_correlation():
    random = np.random.default_rng(0)
    loose = random.normal(size=(4000, 2))
    tight = np.repeat(random.normal(size=(4000, 1)), 2, 1)
    # Covariances 1 and [[1, 1], [1, 1]]: 4 - 2 tr [[1, 1], [1, 1]]^1/2 = 4 - 2 sqrt 2.
    assert frechet_distance(loose, tight) == pytest.approx(4 - 2 * math.sqrt(2), abs=0.1)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(MeasureError, match="not finite"):
        frechet_distance(np.full((3, 2), np.nan), np.zeros((3, 2)))


def metered(painted) -> DriftMeter:
    """A drive through streets of changing brightness; `painted` says what becomes of a teacher's picture when."""
    meter = DriftMeter()
    for number in range(10 * PARTS):
        teacher = (noise(number) // 4 + np.uint8(60 + 10 * (number % 7))).astype(np.uint8)
        meter.add(painted(teacher, number / (10 * PARTS)), teacher)
    return meter


def test_a_painter_that_equals_its_teacher_does_not_drift():
    drift = metered(lambda picture, part: picture).result()
    assert drift.colour == drift.contrast == 0


def test_a_painter_that_is_always_too_dark_does_not_drift():
    drift = metered(lambda picture, part: picture // 2).result()
    assert drift.colour < 0.01
    assert abs(drift.colour_trend) < 0.01


def test_a_painter_whose_red_grows_by_a_fifth_drifts_by_as_much():
    def redder(picture, part):
        made = picture.astype(np.float32)
        made[..., 0] *= 1 + 0.2 * part
        return made.round().astype(np.uint8)

    drift = metered(redder).result()
    assert drift.colour_trend == pytest.approx(0.2 / 1.1, abs=0.02)
    assert drift.colour == pytest.approx(0.2 * (1 - 1 / PARTS), abs=0.02)


def test_a_painter_that_fades_loses_contrast():
    def fading(picture, part):
        middle = picture.mean()
        return (middle + (picture - middle) * (1 - 0.3 * part)).round().astype(np.uint8)

    drift = metered(fading).result()
    assert drift.contrast_trend < -0.2
    assert drift.colour < 0.02


def test_what_a_long_memory_changed_is_told_apart_from_places():
    meter = metered(lambda picture, part: picture)
    assert math.isnan(meter.result().memory_colour)
    for number in range(PARTS):
        meter.compare(plain(110 if number == PARTS - 1 else 100), plain(100))
    assert meter.result().memory_colour == pytest.approx(0.1)


def test_too_few_pictures_show_no_drift():
    with pytest.raises(MeasureError, match="too few"):
        DriftMeter().result()
