"""A pi-GAN as it is baked: coloured as from the usual side, and in half the arithmetic where the processor has it.

A first bake asks for 260,000 points, 0.24 TFLOP. Matrix products in bfloat16 are four times as fast as in float32 on
processors with AVX-512 BF16 (1.3 against 0.3 us a layer and point on one core), biases and sines stay in float32. What
is lost is measured for each identity before it is accepted: 1.7 % of the density's spread on the oracle's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .pigan import Bounds, PiGANNetwork

_CHUNK_CPU, _CHUNK_GPU = 1024, 1 << 18

MOST_ERROR = 0.05
"""Root mean square error of the density, over its standard deviation, above which bfloat16 is not used."""
_PROBES = 512


class PiGANPreview:
    """The field of a `PiGANNetwork` with codes, approximately and without view dependence; a copy of its weights.

    Colours are those seen along -z, from where the cameras of faces stand; or, with cameras all around, those seen
    from outside along the line to the origin. Showing the oracle from one side only costs 37.7 dB at 23 degrees.

    Args:
        network: the network.
        codes: [layers, 2 width].
        bounds: as the field's.
        around: whether cameras stand on all sides.
        half: use bfloat16; None: where the processor is fast at it and `MOST_ERROR` allows.
    """

    features = 3
    view_dependent = False

    @torch.no_grad()
    def __init__(
        self, network: PiGANNetwork, codes: Tensor, bounds: Bounds, *, around: bool = False, half: bool | None = None
    ) -> None:
        self.bounds, self._around, self._width = bounds, around, network.layout.width
        self._depth = depth = network.layout.depth
        gamma, beta = (part.double() for part in network.waves(codes))
        films = network.films
        weights = [g[:, None] * film.layer.weight.double() for g, film in zip(gamma, films, strict=True)]
        biases = [g * film.layer.bias.double() + b for g, b, film in zip(gamma, beta, films, strict=True)]
        weights[0] = weights[0] * network.layout.scale
        directions, weights[depth] = weights[depth][:, :3], weights[depth][:, 3:]
        if not around:
            biases[depth] = biases[depth] - directions[:, 2]
        self._directions = directions.T.float().contiguous()  # [3, width]
        self._weights = [
            weight.T.float().contiguous() for weight in weights
        ]  # [in, width]; the trunk's, then the colour's
        self._biases = [bias.float() for bias in biases]  # [width]
        self._density = network.final_layer.bias.clone(), network.final_layer.weight[0, :, None].clone()
        last = network.colour_head
        self._logits = last.bias.clone(), last.weight.T.clone(memory_format=torch.contiguous_format)
        self._halves: list[Tensor] = []
        if half or (half is None and _fast_at_halves(self.device) and self._error() <= MOST_ERROR):
            self._halves = self._rounded()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._directions.device

    @torch.no_grad()
    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3]; directions are not read."""
        raw, rgb = points.new_empty(len(points), 1), points.new_empty(len(points), 3)
        for part, buffers in self._chunks(points):
            angles = self._trunk(points[part], *buffers)
            torch.addmm(self._density[0], angles, self._density[1], out=raw[part])
            angles = self._sine_arguments(self._depth, angles, *buffers)
            if self._around:
                angles.addmm_(torch.nn.functional.normalize(-points[part], dim=-1), self._directions)
            for index in range(self._depth + 1, len(self._weights)):
                angles = self._sine_arguments(index, angles.sin_(), *buffers)
            torch.addmm(self._logits[0], angles.sin_(), self._logits[1], out=rgb[part])
        return raw[:, 0], rgb.sigmoid_()

    @torch.no_grad()
    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] at points [N, 3]."""
        raw = points.new_empty(len(points), 1)
        for part, buffers in self._chunks(points):
            torch.addmm(self._density[0], self._trunk(points[part], *buffers), self._density[1], out=raw[part])
        return raw[:, 0]

    def _trunk(self, points: Tensor, one: Tensor, two: Tensor, *halves: Tensor) -> Tensor:
        """Phi(x) [n, width], in one of the buffers."""
        hidden = torch.addmm(self._biases[0], points, self._weights[0], out=one).sin_()
        for index in range(1, self._depth):
            hidden = self._sine_arguments(index, hidden, one, two, *halves).sin_()
        return hidden

    def _sine_arguments(self, index: int, hidden: Tensor, one: Tensor, two: Tensor, *halves: Tensor) -> Tensor:
        """W x + b of layer `index` [n, width], in whichever of the first two buffers does not hold `hidden`."""
        out = two if hidden is one else one
        if not self._halves:
            return torch.addmm(self._biases[index], hidden, self._weights[index], out=out)
        rounded, product = halves
        torch.mm(rounded.copy_(hidden), self._halves[index], out=product)
        return torch.add(product, self._biases[index], out=out)

    def _rounded(self) -> list[Tensor]:
        return [weight.bfloat16() for weight in self._weights]

    def _error(self) -> float:
        """What bfloat16 would cost: see `MOST_ERROR`."""
        low, high = (torch.tensor(corner, device=self.device) for corner in self.bounds)
        source = torch.Generator().manual_seed(0)
        points = low + (high - low) * torch.rand(_PROBES, 3, generator=source).to(self.device)
        exact = self.density(points)
        self._halves = self._rounded()
        rounded, self._halves = self.density(points), []
        return float((rounded - exact).square().mean().sqrt() / exact.std().clamp_min(1e-6))

    def _chunks(self, rows: Tensor) -> list[tuple[slice, list[Tensor]]]:
        """Slices of the rows, each with the buffers [n, width] that all of them share."""
        size = _CHUNK_GPU if rows.device.type == "cuda" else _CHUNK_CPU
        most = min(size, len(rows))
        types = (torch.float32, torch.float32, *(torch.bfloat16, torch.bfloat16)[: 2 * bool(self._halves)])
        buffers = [rows.new_empty(most, self._width, dtype=kind) for kind in types]
        starts = range(0, len(rows), size)
        return [(slice(s, s + size), [buffer[: len(rows) - s] for buffer in buffers]) for s in starts]


def _fast_at_halves(device: torch.device) -> bool:
    """Whether this processor multiplies bfloat16 natively; elsewhere it is emulated and slower than float32."""
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and native is not None and bool(native())
