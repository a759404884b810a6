"""Adam (Kingma and Ba 2015), bare: `torch.optim` imports torch's compiler at its first use, a second in which no frame
could be drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.95)
"""Short memories: an inversion has some hundred steps, not a million."""
TINY = 1e-8


class Adam:
    """Moves tensors against their gradients by about their rate a step.

    Args:
        tensors: each with its rate, in its own units.
    """

    def __init__(self, tensors: Sequence[tuple[Tensor, float]]) -> None:
        self._tensors = [tensor for tensor, _ in tensors]
        self._rates = [rate for _, rate in tensors]
        self._means = [torch.zeros_like(tensor) for tensor in self._tensors]
        self._squares = [torch.zeros_like(tensor) for tensor in self._tensors]
        self._steps = 0

    def forget(self) -> None:
        """Drops the gradients."""
        for tensor in self._tensors:
            tensor.grad = None

    @torch.no_grad()
    def step(self, pace: float = 1.0) -> None:
        """One step; `pace` multiplies all rates. Tensors without a gradient stay."""
        self._steps += 1
        first, second = (1 - beta**self._steps for beta in BETAS)
        for tensor, rate, mean, square in zip(self._tensors, self._rates, self._means, self._squares, strict=True):
            if tensor.grad is None:
                continue
            mean.lerp_(tensor.grad, 1 - BETAS[0])
            square.mul_(BETAS[1]).addcmul_(tensor.grad, tensor.grad, value=1 - BETAS[1])
            tensor.addcdiv_(mean, (square / second).sqrt_().add_(TINY), value=-pace * rate / first)


def falling(step: int, steps: int, warm: int = 3) -> float:
    """The pace of a step of so many: a short rise, then a cosine fall to a twentieth."""
    share = 0.525 + 0.475 * math.cos(math.pi * step / max(steps - 1, 1))
    return share * min((step + 1) / (warm + 1), 1.0)
