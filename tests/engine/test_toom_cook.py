"""Minimal filtering against the sums that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from neuroview.engine.rendering.toom_cook import doubling, filtering


@pytest.mark.parametrize(("taps", "points"), [(2, (0, 1, -1)), (2, (0, 1, -1, 2)), (3, (0, 1, -1, 2, -2)), (3, (0, 1))])
def test_as_many_products_as_inputs_make_the_outputs_of_the_filter(taps, points):
    algorithm, random = filtering(taps, points), np.random.default_rng(0)
    d, g = random.normal(size=algorithm.inputs), random.normal(size=taps)
    assert algorithm.products == algorithm.inputs == algorithm.outputs + taps - 1
    made = np.array(algorithm.output) @ ((algorithm.filter @ g) * (np.array(algorithm.data) @ d))
    np.testing.assert_allclose(made, np.correlate(d, g, "valid"), atol=1e-12)


def test_the_winograd_matrices_of_the_paper_come_out_but_for_signs_and_scales():
    f23 = filtering(3, (0, 1, -1))
    np.testing.assert_allclose(np.abs(f23.data), [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]])
    np.testing.assert_allclose(f23.output, [[1, 1, 1, 0], [0, 1, -1, 1]])


def test_a_transposed_convolution_of_stride_two_takes_nine_products_for_eight_outputs():
    algorithm, random = doubling(filtering(2, (0, 1, -1, 2))), np.random.default_rng(0)
    d, g = random.normal(size=algorithm.inputs), random.normal(size=3)
    assert (algorithm.products, algorithm.outputs) == (9, 8)
    u = np.zeros(2 * len(d) + 1)
    for i, value in enumerate(d):
        u[2 * i : 2 * i + 3] += value * g
    made = np.array(algorithm.output) @ ((algorithm.filter @ g) * (np.array(algorithm.data) @ d))
    np.testing.assert_allclose(made, u[2:10], atol=1e-12)  # d begins one pixel before the outputs
