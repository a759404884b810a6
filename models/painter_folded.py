"""The painter's network, faster on CPUs: the same sums in another order, and as few passes over memory as there can be.

All of it stays at half resolution, where one pixel's channels hold 2 x 2 pixels in the order of `fold`; the last layers
at full resolution too, so that nothing is unfolded before the answer is there. The modulations of a level read the same
map and are one convolution (with 1 of 1 + gamma in the bias), and so are both pyramids' steps. What follows a
convolution (leaky_relu, a sum) is done while it writes, and weights are brought into the processor's order once. Where
eight bits are multiplied faster, the trunk's convolutions read those (`byte_convolution.py`); the last layer does not,
since what it rounds is seen.

`PainterNetwork` is the readable twin, which is trained and which counts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .byte_convolution import ByteConvolution, ToBytes
from .vid2vid_spade import Detail, Modulation, PainterBlock, PainterNetwork, pixel_norm

Modulate = Callable[[Tensor, Tensor, int], Tensor]
"""(x [1, C, h, w], affine [1, N, h, w], first): leaky_relu(x / |x| affine[first : first + C] + the next C), 0.2."""


def modulated(x: Tensor, affine: Tensor, first: int) -> Tensor:
    """`Modulate` in torch."""
    count = x.shape[1]
    scale, shift = affine[:, first : first + count], affine[:, first + count : first + 2 * count]
    return F.leaky_relu_(torch.addcmul(shift, pixel_norm(x), scale), 0.2)


class FoldedPainter:
    """`PainterNetwork` up to its last tanh and sigmoid, for CPUs.

    Args:
        network: the readable network, with `Detail`; its tensors are copied.
        kind: what is computed in.
        modulate: a faster `modulated`.
        to_bytes: makes eight bits of what 3 x 3 convolutions of the trunk read; None: they read `kind`.
    """

    def __init__(
        self,
        network: PainterNetwork,
        kind: torch.dtype = torch.bfloat16,
        modulate: Modulate = modulated,
        to_bytes: ToBytes | None = None,
    ) -> None:
        assert network.detail is not None, "only painters that end in `Detail` are folded"
        self.kind, self.modulate = kind, modulate
        plain, heavy = functools.partial(_heavy, kind, None), functools.partial(_heavy, kind, to_bytes)
        layout, detail = network.layout, network.detail
        order = _folded_order(4 + layout.refine)
        head, linear = _weight(network.head)[order], _weight(network.linear)[order]
        fine = head.shape[1] - layout.maps - layout.past
        first, second = network.maps_in[0], network.maps_in[2]
        self.first = _Convolution(_weight(first), _bias(first), kind, leaky=True)
        self.second = _Convolution(_weight(second), _bias(second), kind, leaky=True)
        self.past = _Convolution(_weight(network.past_in[0]), _bias(network.past_in[0]), kind, leaky=True)
        self.down = [
            _Convolution(_beside(_weight(a), _weight(b)), torch.cat([_bias(a), _bias(b)]), kind, 2, leaky=True)
            for a, b in zip(_firsts(network.maps_down), _firsts(network.past_down), strict=True)
        ]
        self.stem = _Convolution(_weight(network.stem), _bias(network.stem), kind)
        # The coarsest maps are so small that changing numbers takes what multiplying them saves.
        coarse, *fine_levels = _lists(network.trunk)
        self.levels = [_Level(coarse, kind, plain), *(_Level(blocks, kind, heavy) for blocks in fine_levels)]
        self.linear = _Convolution(linear, None, kind)
        self.of_maps = _Convolution(head[:, fine:], _bias(network.head)[order], kind)
        self.head = _Convolution(head[:, :fine], None, kind)
        self._fold_detail(detail)

    def __call__(self, conditions: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Paints one frame but for its end.

        Args:
            conditions: [1, 4 C, h, w], folded, channels last, of `kind`; h and w multiples of 8.
            past: [1, 16, h, w], folded: the warped picture where it is valid, else 0, and where that is.

        Returns:
            [1, 4 n, h, w], folded, of which the first four of each n channels, and [1, 16, h, w], folded, are to be
            added; then the first three of each four are red, green and blue before the tanh, the last is the mask
            before the sigmoid.
        """
        fine = torch.cat([self.second(self.first(conditions)), self.past(past)], 1)
        pyramid = [fine.contiguous(memory_format=torch.channels_last)]
        for down in self.down:
            pyramid.append(down(pyramid[-1]))
        x = self.stem(pyramid[-1])
        for number, (level, maps) in enumerate(zip(self.levels, reversed(pyramid), strict=True)):
            x = x if number == 0 else F.interpolate(x, scale_factor=2.0)
            affine = level.affine(maps)
            for block in level.blocks:
                x = block(x, affine, self.modulate)
        plain = self.of_maps.added(pyramid[0], self.linear(conditions))
        plain = self.head.added(F.leaky_relu_(x, 0.2), plain)
        # From here each pixel of the 2 x 2 stands for itself: as many columns, a quarter of the channels.
        hidden = self.of_conditions.added(_pixels(conditions), self.of_past(_pixels(past)))
        hidden = self.of_trunk.added(_pixels(plain), hidden)
        return plain, self.out(_folded(F.leaky_relu_(hidden, 0.2)))

    def _fold_detail(self, detail: Detail) -> None:
        kind = self.kind
        self.of_conditions = _Convolution(_weight(detail.conditions), None, kind)
        self.of_past = _Convolution(_weight(detail.past), None, kind)
        self.of_trunk = _Convolution(_weight(detail.trunk), _bias(detail.trunk), kind)
        self.out = _Convolution(_folded_kernel(_weight(detail.out)), _bias(detail.out).repeat(4), kind)


class _Convolution:
    """A convolution whose weights lie as the processor reads them, with what follows it."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        kind: torch.dtype,
        stride: int = 1,
        leaky: bool = False,
    ) -> None:
        self.stride, self.padding, self.leaky = stride, weight.shape[-1] // 2, leaky
        self.weight = weight.to(kind).contiguous(memory_format=torch.channels_last)
        self.bias = None if bias is None else bias.to(kind)
        self._packed: dict[tuple[int, ...], Tensor | None] = {}

    def __call__(self, x: Tensor) -> Tensor:
        packed = self._order(x)
        if packed is None:
            x = F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
            return F.leaky_relu_(x, 0.2) if self.leaky else x
        follows, scalars = ("leaky_relu", [0.2]) if self.leaky else ("none", [])
        sizes = [self.padding] * 2, [self.stride] * 2, [1, 1]
        return torch.ops.mkldnn._convolution_pointwise(x, packed, self.bias, *sizes, 1, follows, scalars, "")

    def added(self, x: Tensor, to: Tensor) -> Tensor:
        """The convolution of x, added to `to`, which may be changed."""
        packed = self._order(x)
        if packed is None:
            return F.conv2d(x, self.weight, self.bias, self.stride, self.padding).add_(to)
        sizes = [self.padding] * 2, [self.stride] * 2, [1, 1]
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            to, x, packed, self.bias, *sizes, 1, "add", 1.0, None, [], None
        )

    def _order(self, x: Tensor) -> Tensor | None:
        """The weights as they are best read at this size."""
        size = tuple(x.shape)
        if size not in self._packed:
            self._packed = {size: _packed(self.weight, self.padding, self.stride, list(size))}
        return self._packed[size]


_Heavy = Callable[[Tensor, Tensor], "_Convolution | ByteConvolution"]


def _heavy(kind: torch.dtype, to_bytes: ToBytes | None, weight: Tensor, bias: Tensor) -> _Convolution | ByteConvolution:
    """A convolution that is worth eight bits where they are to be had."""
    if to_bytes is None:
        return _Convolution(weight, bias, kind)
    return ByteConvolution(weight, bias, to_bytes)


class _Block:
    """`PainterBlock`, its modulations at `first` in the level's affine map."""

    def __init__(self, block: PainterBlock, first: int, kind: torch.dtype, heavy: _Heavy) -> None:
        self.first, self.second = first, first + 2 * block.conv_0.in_channels
        self.conv_0 = heavy(_weight(block.conv_0), _bias(block.conv_0))
        self.conv_1 = heavy(_weight(block.conv_1), _bias(block.conv_1))
        self.shortcut = None if block.shortcut is None else _Convolution(_weight(block.shortcut), None, kind)

    def __call__(self, x: Tensor, affine: Tensor, modulate: Modulate) -> Tensor:
        inner = self.conv_0(modulate(x, affine, self.first))
        straight = x if self.shortcut is None else self.shortcut(x)
        return self.conv_1.added(modulate(inner, affine, self.second), straight)


class _Level:
    """The blocks of one resolution, and the convolution that makes all their modulations at once."""

    def __init__(self, blocks: nn.ModuleList, kind: torch.dtype, heavy: _Heavy) -> None:
        self.blocks: list[_Block] = []
        weights, biases, first = [], [], 0
        for block in blocks:
            assert isinstance(block, PainterBlock)
            self.blocks.append(_Block(block, first, kind, heavy))
            for modulation in (block.modulation_0, block.modulation_1):
                assert isinstance(modulation, Modulation)
                bias = _bias(modulation.affine).clone()
                bias[: len(bias) // 2] += 1  # 1 + gamma
                weights.append(_weight(modulation.affine))
                biases.append(bias)
                first += len(bias)
        self.affine = _Convolution(torch.cat(weights), torch.cat(biases), kind)


def _packed(weight: Tensor, padding: int, stride: int, size: list[int]) -> Tensor | None:
    """Weights in oneDNN's own order; None where this torch has none, or no such operations."""
    private = torch._C._nn  # pyright: ignore[reportAttributeAccessIssue]
    reorder = getattr(private, "mkldnn_reorder_conv2d_weight", None)
    known = ("_convolution_pointwise", "_convolution_pointwise_")
    if reorder is None or not all(hasattr(torch.ops.mkldnn, name) for name in known):
        return None
    try:
        return reorder(weight.to_mkldnn(), [padding] * 2, [stride] * 2, [1, 1], 1, size)
    except RuntimeError:  # oneDNN is off, or does not compute in this precision on this processor
        return None


def _folded_order(channels: int) -> Tensor:
    """From `pixel_shuffle`'s order (channels, 2 x 2) to that of `fold` (2 x 2, channels)."""
    return torch.arange(4 * channels).reshape(channels, 4).t().flatten()


def _folded_kernel(weight: Tensor) -> Tensor:
    """A 3 x 3 convolution [n, m, 3, 3] of pixels as one of 2 x 2 folded ones: [4 n, 4 m, 3, 3]."""
    outputs, inputs = weight.shape[:2]
    made = weight.new_zeros(2, 2, outputs, 2, 2, inputs, 3, 3)
    for y in range(2):
        for x in range(2):
            for row in range(3):
                for column in range(3):
                    down, right = y + row - 1, x + column - 1
                    made[y, x, :, down % 2, right % 2, :, down // 2 + 1, right // 2 + 1] = weight[:, :, row, column]
    return made.reshape(4 * outputs, 4 * inputs, 3, 3)


def _beside(a: Tensor, b: Tensor) -> Tensor:
    """Two convolutions, each of its own channels, as one."""
    made = a.new_zeros(len(a) + len(b), a.shape[1] + b.shape[1], *a.shape[2:])
    made[: len(a), : a.shape[1]], made[len(a) :, a.shape[1] :] = a, b
    return made


def _pixels(x: Tensor) -> Tensor:
    """Folded [1, 4 C, h, w] as [1, C, h, 4 w], the same memory."""
    _, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(1, height, 4 * width, channels // 4).permute(0, 3, 1, 2)


def _folded(x: Tensor) -> Tensor:
    """[1, C, h, 4 w] as [1, 4 C, h, w], the same memory."""
    _, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(1, height, width // 4, 4 * channels).permute(0, 3, 1, 2)


def _firsts(layers: nn.ModuleList) -> list[nn.Module]:
    return [layer[0] for layer in layers if isinstance(layer, nn.Sequential)]


def _lists(layers: nn.ModuleList) -> list[nn.ModuleList]:
    return [layer for layer in layers if isinstance(layer, nn.ModuleList)]


def _weight(layer: nn.Module) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    return layer.weight.detach().float()


def _bias(layer: nn.Module) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return layer.bias.detach().float()
