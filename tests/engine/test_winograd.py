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


@pytest.mark.parametrize(
    ("inputs", "outputs", "height", "width"), [(16, 16, 4, 32), (48, 32, 12, 64), (32, 64, 20, 32), (128, 128, 8, 32)]
)
def test_it_is_the_convolution_with_zeros_around_bias_and_leak(inputs, outputs, height, width):
    torch.manual_seed(0)
    x = torch.randn(1, inputs, height, width)
    weight, bias = torch.randn(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5, torch.randn(outputs)
    wanted = F.leaky_relu(F.conv2d(x.double(), weight.double(), bias.double(), padding=1), 0.2)[0].permute(1, 2, 0)
    out = np.empty((height, width, outputs), np.float32)
    picture = np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())
    winograd.convolve(picture, winograd.transformed(weight.numpy()), bias.numpy(), np.float32(0.2), out)
    error = torch.from_numpy(out) - wanted
    assert error.abs().max() < 1e-4
    assert error.square().mean().sqrt() < 1e-5


def test_a_flat_picture_stays_flat_inside():
    weight = np.zeros((16, 16, 3, 3), np.float32)
    weight[np.arange(16), np.arange(16)] = 1 / 9
    out = np.empty((8, 32, 16), np.float32)
    flat = np.full((8, 32, 16), 2.0, np.float32)
    winograd.convolve(flat, winograd.transformed(weight), np.zeros(16, np.float32), np.float32(0.2), out)
    np.testing.assert_allclose(out[1:-1, 1:-1], 2.0, atol=1e-5)
    np.testing.assert_allclose(out[0, 0], 2.0 * 4 / 9, atol=1e-5)
