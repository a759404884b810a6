"""Winograd's convolution against torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neuroview.engine.rendering import compiled, winograd
from torch.nn import functional as F


@pytest.fixture(scope="module", autouse=True)
def loop():
    compiled.load(winograd.__name__)


def scratch(tasks: int, inputs: int, outputs: int, width: int, algorithm) -> np.ndarray:
    """Memory with nothing in it that may be counted."""
    return np.full((tasks, winograd.room(inputs, outputs, width, algorithm)), np.nan, np.float32)


@pytest.mark.parametrize(
    ("inputs", "outputs", "height", "width"), [(16, 16, 4, 4), (48, 48, 12, 64), (32, 64, 40, 36), (128, 128, 8, 32)]
)
def test_it_is_the_convolution_with_zeros_around_bias_and_leak(inputs, outputs, height, width):
    torch.manual_seed(0)
    x = torch.randn(1, inputs, height, width)
    weight, bias = torch.randn(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5, torch.randn(outputs)
    wanted = F.leaky_relu(F.conv2d(x.double(), weight.double(), bias.double(), padding=1), 0.2)[0].permute(1, 2, 0)
    out = np.empty((height, width, outputs), np.float32)
    picture = np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())
    filters, memory = (
        winograd.transformed(weight.numpy(), winograd.SAME),
        scratch(3, inputs, outputs, width, winograd.SAME),
    )
    winograd.convolve(picture, filters, bias.numpy(), np.float32(0.2), winograd.UNLIMITED, memory, out)
    error = torch.from_numpy(out) - wanted
    assert error.abs().max() < 1e-4
    assert error.square().mean().sqrt() < 1e-5


@pytest.mark.parametrize("tasks", [1, 3])
@pytest.mark.parametrize(("inputs", "outputs", "height", "width"), [(16, 16, 4, 4), (48, 32, 8, 64), (32, 80, 12, 36)])
def test_it_is_the_transposed_convolution_and_its_low_pass_too(inputs, outputs, height, width, tasks):
    torch.manual_seed(0)
    x = torch.randn(1, inputs, height, width)
    weight, bias = torch.randn(inputs, outputs, 3, 3) / (9 * inputs) ** 0.5, torch.randn(outputs)
    low_pass = torch.randn(4, 4)  # no symmetry that could hide a flip
    wanted = F.conv_transpose2d(x.double(), weight.double(), stride=2)
    wanted = F.conv2d(wanted, low_pass.double().expand(outputs, 1, 4, 4), bias.double(), padding=1, groups=outputs)
    wanted = F.leaky_relu(wanted, 0.2).clamp(-3.0, 3.0)[0].permute(1, 2, 0)
    out = np.empty((2 * height, 2 * width, outputs), np.float32)
    picture = np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())
    filters = winograd.transformed(weight.transpose(0, 1).numpy(), winograd.DOUBLE)
    memory, taps = scratch(tasks, inputs, outputs, width, winograd.DOUBLE), low_pass.flatten().numpy()
    winograd.convolve_double(picture, filters, taps, bias.numpy(), np.float32(0.2), np.float32(3.0), memory, out)
    error = torch.from_numpy(out) - wanted
    assert float(wanted.abs().max()) == 3.0
    assert error.abs().max() < 2e-4
    assert error.square().mean().sqrt() < 2e-5


def test_a_flat_picture_stays_flat_inside():
    weight = np.zeros((16, 16, 3, 3), np.float32)
    weight[np.arange(16), np.arange(16)] = 1 / 9
    out = np.empty((8, 32, 16), np.float32)
    flat = np.full((8, 32, 16), 2.0, np.float32)
    zeros, filters = np.zeros(16, np.float32), winograd.transformed(weight, winograd.SAME)
    memory = scratch(3, 16, 16, 32, winograd.SAME)
    winograd.convolve(flat, filters, zeros, np.float32(0.2), winograd.UNLIMITED, memory, out)
    np.testing.assert_allclose(out[1:-1, 1:-1], 2.0, atol=1e-5)
    np.testing.assert_allclose(out[0, 0], 2.0 * 4 / 9, atol=1e-5)
