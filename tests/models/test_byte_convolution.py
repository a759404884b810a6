"""Eight-bit convolutions give what the convolution gives, within a hundredth, up to the border of the map."""

from __future__ import annotations

import pytest
import torch
from neuroview.models.byte_convolution import ByteConvolution, pays, to_bytes
from torch.nn import functional as F

supported = pytest.mark.skipif(not torch.cpu._is_vnni_supported(), reason="this processor has no eight-bit products")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def map_of(channels: int, seed: int = 0) -> torch.Tensor:
    return (drawn(1, channels, 9, 14, seed=seed) + 0.4).bfloat16().contiguous(memory_format=torch.channels_last)


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected).abs().mean() / expected.std())


def test_a_map_is_kept_to_half_a_step_and_zero_exactly():
    x = map_of(5)
    x[0, 0, 0, 0] = 0
    expected = x.float()
    found = to_bytes(x)
    values = found.scale * (found.values.float() - found.zero)
    assert float((values - expected).abs().max()) <= 0.51 * found.scale
    assert float(values[0, 0, 0, 0]) == 0


@supported
@pytest.mark.parametrize("side", [1, 3])
def test_it_gives_the_convolution_to_a_hundredth(side):
    weight, bias, x = drawn(12, 16, side, side, seed=1), drawn(12, seed=2), map_of(16)
    expected = F.conv2d(x.float(), weight, bias, padding=side // 2)
    found = ByteConvolution(weight, bias)(x)
    assert found.dtype == torch.bfloat16
    assert error(found, expected) < 0.02
    assert error(found[..., :1, :], expected[..., :1, :]) < 0.02, (
        "what lies beyond the border is 0, not the least value"
    )


@supported
def test_it_is_added_to_what_is_there():
    weight, bias, x, there = drawn(16, 16, 3, 3, seed=1), drawn(16, seed=2), map_of(16), map_of(16, seed=3)
    expected = F.conv2d(x.float(), weight, bias, padding=1) + there.float()
    assert error(ByteConvolution(weight, bias).added(x, there), expected) < 0.02


@supported
def test_every_map_has_its_own_scale():
    weight, bias = drawn(8, 16, 3, 3, seed=1), torch.zeros(8)
    layer, x = ByteConvolution(weight, bias), map_of(16)
    for factor in (1.0, 40.0, 0.01):
        scaled = (x * factor).contiguous(memory_format=torch.channels_last)
        assert error(layer(scaled), F.conv2d(scaled.float(), weight, padding=1)) < 0.02


def test_without_such_products_it_does_not_pay(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    assert not pays.__wrapped__(to_bytes)
