"""`CodeStatistics`: where a generator's codes lie: their mean, their principal axes and how far they reach along each.

Both the named directions and the inversion's prior stand on it: GANSpace's PCA (Harkonen et al. 2020) over codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...models.base import Generator

SEEDS = 3000
"""Codes looked at; a fraction of a second for a StyleGAN2 mapping network on one core."""
WIDE, WIDE_SEEDS = 1024, 1000
"""Codes of more numbers than this (pi-GAN has a code of its own for every layer) are looked at less often: the
principal axes of N of them cost N^3, seconds for 3000, in which frames would come late."""
AT_ONCE = 50
"""Codes looked at in one piece of work."""
FIRST_SEED = 1_000_000
"""Seeds from here on, so that nobody's own are among them."""


@dataclass(frozen=True)
class CodeStatistics:
    """mean + sum_k c_k sigma_k axis_k with c of unit variance describes a generator's codes."""

    mean: Tensor
    """[L, W]"""
    axes: Tensor
    """[K, L, W], of unit length over all L W numbers, by falling sigma; zero outside the layers asked for."""
    sigmas: Tensor
    """[K] standard deviations of the codes along the axes."""
    variance: float
    """Sum of the variances of all L W numbers; that of the K axes is less."""

    @classmethod
    def of(
        cls, generator: Generator, *, layers: Sequence[int] | None = None, most: int = 128, seeds: int = SEEDS
    ) -> CodeStatistics:
        """Statistics over the codes of many seeds, the same at every call.

        Args:
            generator: with latents.
            layers: which codes count; None: all.
            most: axes at most.
            seeds: codes looked at.
        """
        *_, found = cls.gathered(generator, layers=layers, most=most, seeds=seeds)
        assert found is not None
        return found

    @classmethod
    def gathered(
        cls, generator: Generator, *, layers: Sequence[int] | None = None, most: int = 128, seeds: int = SEEDS
    ) -> Iterator[CodeStatistics | None]:
        """The same in short pieces: None after each, and the statistics in the end."""
        parts: list[Tensor] = []
        start = 0
        while start < seeds:
            count = min(AT_ONCE, seeds - start)
            with torch.no_grad():
                parts.append(torch.stack([generator.codes(FIRST_SEED + start + i) for i in range(count)]).float())
            start += count
            if not _same(parts[0]) and parts[0][0].numel() > WIDE:
                seeds = min(seeds, WIDE_SEEDS)
            yield None
        yield cls._of_codes(torch.cat(parts), layers, most)

    @classmethod
    @torch.no_grad()
    def _of_codes(cls, codes: Tensor, layers: Sequence[int] | None, most: int) -> CodeStatistics:
        """Statistics of codes [N, L, W]."""
        count, depth, width = codes.shape
        chosen = list(range(depth)) if layers is None else list(layers)
        mean = codes.mean(0)
        # A mapping network without layers of its own gives all layers one w; their PCA is that of w.
        same = _same(codes)
        taken = chosen[:1] if same else chosen
        centred = (codes[:, taken] - mean[taken]).flatten(1)  # [N, M]
        repeated = len(chosen) if same else 1
        axes, sigmas = _principal(centred, min(most, count - 1))
        kept = sigmas > 1e-6 * sigmas[0].clamp_min(1e-12)
        axes, sigmas = axes[kept], sigmas[kept] * repeated**0.5
        spread = axes.view(len(axes), len(taken), width).expand(-1, len(chosen), -1) / repeated**0.5
        full = codes.new_zeros(len(axes), depth, width)
        full[:, chosen] = spread
        variance = float(centred.square().sum() / (count - 1)) * repeated
        return cls(mean, full, sigmas, variance)

    @property
    def basis(self) -> Tensor:
        """[K, L, W]: one standard deviation along each axis."""
        return self.axes * self.sigmas[:, None, None]

    def codes(self, coefficients: Tensor) -> Tensor:
        """Codes [L, W] of coefficients [K]; differentiable."""
        return self.mean + torch.tensordot(coefficients, self.basis, 1)

    def coefficients(self, codes: Tensor) -> Tensor:
        """The coefficients [K] whose codes are nearest to codes [L, W]."""
        return self.axes.flatten(1) @ (codes - self.mean).flatten() / self.sigmas


def _same(codes: Tensor) -> bool:
    """Whether all layers of codes [N, L, W] have one w."""
    return bool((codes[:8] == codes[:8, :1]).all())


def _principal(centred: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Axes [K, M] and standard deviations [K] of rows [N, M] that have mean zero, by falling deviation."""
    count, width = centred.shape
    if width <= count:  # the smaller of the two Gram matrices
        values, vectors = torch.linalg.eigh(centred.T @ centred / (count - 1))
        values, axes = values.flip(0)[:most], vectors.T.flip(0)[:most]
    else:
        values, vectors = torch.linalg.eigh(centred @ centred.T / (count - 1))
        values, vectors = values.flip(0)[:most], vectors.flip(1)[:, :most]
        axes = torch.nn.functional.normalize(vectors.T @ centred, dim=1)
    # A sign is arbitrary; this rule makes it the same on every machine.
    sign = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    return axes * sign, values.clamp_min(0).sqrt()
