"""Convolutions of eight-bit numbers on CPUs that multiply them (VNNI, AMX): half the time of bfloat16.

Weights are whole numbers of -127..127 with a scale for each output, activations of 0..255 with a scale and a zero point
for the whole map, chosen anew for every map. Sums are exact; what leaves is bfloat16 again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 1.2
"""How many times as fast as bfloat16 eight bits have to be: else their rounding buys nothing."""


class Bytes(NamedTuple):
    """A map as scale (values - zero)."""

    values: Tensor
    """[1, C, h, w] uint8, channels last."""
    scale: float
    zero: int


ToBytes = Callable[[Tensor], Bytes]
"""x [1, C, h, w] bfloat16, channels last, in 256 steps from its least to its greatest value; 0 is among them."""


def to_bytes(x: Tensor) -> Bytes:
    """`ToBytes` in torch."""
    x = x.float()
    low, high = (float(end) for end in torch.aminmax(x))
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    zero = round(-low / scale)
    values = (x / scale + zero).round_().clamp_(0, 255).to(torch.uint8)
    return Bytes(values.contiguous(memory_format=torch.channels_last), scale, zero)


class ByteConvolution:
    """A convolution of bfloat16 maps that multiplies in eight bits.

    Args:
        weight: [O, I, k, k] float32.
        bias: [O] float32.
        to_bytes: a faster `to_bytes`.
    """

    def __init__(self, weight: Tensor, bias: Tensor, to_bytes: ToBytes = to_bytes) -> None:
        self._to_bytes = to_bytes
        self.padding = weight.shape[-1] // 2
        self._scales = (weight.abs().amax((1, 2, 3)) / 127).clamp(min=1e-12)
        whole = (weight / self._scales[:, None, None, None]).round().to(torch.int8)
        self.weight, self.bias = whole.contiguous(memory_format=torch.channels_last), bias.float()
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._packed: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """[1, I, h, w] to [1, O, h, w], bfloat16."""
        sizes, read = ([1, 1], [self.padding] * 2, [1, 1], 1), self._read(x)
        return torch.ops.onednn.qconv2d_pointwise(*read, self.bias, *sizes, 1.0, 0, torch.bfloat16, "none", [], "")

    def added(self, x: Tensor, to: Tensor) -> Tensor:
        """The convolution of x, added to `to`, which may be changed."""
        sizes, read = ([1, 1], [self.padding] * 2, [1, 1], 1), self._read(x)
        return torch.ops.onednn.qconv2d_pointwise.binary(
            *read, to, self.bias, *sizes, 1.0, 0, torch.bfloat16, 1.0, 0, "sum", 1.0, "none", [], ""
        )

    def _read(self, x: Tensor) -> tuple[Tensor, float, int, Tensor, Tensor, Tensor]:
        values, scale, zero = self._to_bytes(x)
        size = tuple(x.shape)
        if size not in self._packed:
            # Scale and zero point are said once more with every call; these only tell how to lay the weights out.
            sizes = [1, 1], [self.padding] * 2, [1, 1], 1
            packed = torch.ops.onednn.qconv_prepack(self.weight, self._scales, 1.0, 1, *sizes, list(size))
            self._packed = {size: packed}
        return values, scale, zero, self._packed[size], self._scales, self._zeros


@functools.cache
def pays(to_bytes: ToBytes) -> bool:
    """Whether eight bits are clearly faster than bfloat16 here, and right; measured once, in some milliseconds."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)
    if supported is None or not supported():
        return False
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1, 64, 32, 64, generator=random).bfloat16().contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(64, 64, 3, 3, generator=random) / 24, torch.zeros(64)
    laid_out = weight.bfloat16().contiguous(memory_format=torch.channels_last)

    def plain() -> Tensor:
        return F.conv2d(x, laid_out, padding=1)

    try:
        made = ByteConvolution(weight, bias, to_bytes)
        with torch.inference_mode():
            expected, found = plain().float(), made(x).float()
            if float((found - expected).square().mean()) > 1e-3 * float(expected.square().mean()):
                return False
            return _quickest(plain) > MARGIN * _quickest(lambda: made(x))
    except (RuntimeError, AttributeError, TypeError):  # another version of torch has other operations
        return False


def _quickest(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls: whatever else the machine does makes others slower, never this one."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
