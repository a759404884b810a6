"""What an optical-flow camera's numbers mean is found out by what stands still."""

from __future__ import annotations

import numpy as np
import pytest
from neuroview.engine.driving.carla.flow import ATTEMPTS, FRAMES, FlowScale

STILL = np.ones((16, 32), bool)


def exact(seed, pace=6.0):
    return np.random.default_rng(seed).uniform(-pace, pace, (16, 32, 2)).astype(np.float32)


@pytest.mark.parametrize("factors", [(-16.0, 8.0), (16.0, 8.0), (32.0, -16.0)])
def test_scale_and_signs_are_found_whatever_they_are(factors):
    scale = FlowScale()
    for seed in range(FRAMES):
        assert scale.verdict == "undecided"
        motion = exact(seed)
        scale.learn(motion / np.array(factors, np.float32), motion, STILL)
    assert scale.verdict == "trusted"
    assert scale.factors == pytest.approx(factors, rel=1e-4)
    np.testing.assert_allclose(scale.motion(exact(9) / np.array(factors, np.float32)), exact(9), rtol=1e-3)


def test_things_that_move_by_themselves_do_not_disturb_the_fit():
    scale = FlowScale()
    for seed in range(FRAMES):
        motion = exact(seed)
        flow = motion / 16
        flow[:2, :10] += 0.5  # 4 % that nobody has marked as moving
        scale.learn(flow, motion, STILL)
    assert scale.verdict == "trusted"
    assert scale.factors == pytest.approx((16, 16), rel=0.01)


def test_a_camera_at_rest_teaches_nothing():
    scale = FlowScale()
    for seed in range(3 * ATTEMPTS):
        scale.learn(exact(seed, 0.1), exact(seed, 0.1), STILL)
    assert scale.verdict == "undecided"


@pytest.mark.parametrize(
    "flow", [np.zeros((16, 32, 2), np.float32), exact(999), np.full((16, 32, 2), np.nan, np.float32)]
)
def test_a_camera_that_makes_no_sense_is_refused(flow):
    scale = FlowScale()
    for seed in range(ATTEMPTS):
        scale.learn(flow, exact(seed), STILL)
    assert scale.verdict == "refused"


def test_frames_that_contradict_each_other_are_not_trusted():
    scale = FlowScale()
    for seed in range(ATTEMPTS):
        scale.learn(exact(seed) / (8.0 if seed % 2 else 16.0), exact(seed), STILL)
    assert scale.verdict == "refused"
