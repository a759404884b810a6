"""The last few pictures of a sequence at half size, each brought to the present frame by exact motion."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ....models.warp import warp

_KEPT = 4
"""Enough for two frames at a distance of two."""
_CHANNELS = 7  # painted, real, valid


class AlignedPast:
    """Painted and real pictures of the same moments; half size, since only the critic of sequences looks at them."""

    def __init__(self) -> None:
        self._newest: Tensor | None = None  # not yet moved
        self._moved: list[Tensor] = []  # newest first, seen from the present frame

    def __len__(self) -> int:
        return len(self._moved)

    @torch.no_grad()
    def push(self, painted: Tensor, real: Tensor) -> None:
        """Remembers a frame's pictures [N, 3, H, W] once it is done."""
        pictures = F.avg_pool2d(torch.cat([painted, real], 1).float(), 2)
        self._newest = torch.cat([pictures, torch.ones_like(pictures[:, :1])], 1)

    @torch.no_grad()
    def move(self, motion: Tensor, valid: Tensor) -> None:
        """On to the next frame, whose motion is [N, H, W, 2] and whose validity [N, 1, H, W]."""
        if self._newest is None:
            return
        stack = torch.cat([self._newest, *self._moved][:_KEPT], 1)
        self._newest = None
        there = warp(stack, motion[:, ::2, ::2] / 2)
        seen = -F.max_pool2d(-valid, 2)
        self._moved = []
        for one in there.split(_CHANNELS, 1):
            believed = (one[:, 6:] > 0.99).float() * seen
            self._moved.append(torch.cat([one[:, :6], believed], 1))

    def pair(self, distance: int) -> tuple[Tensor, Tensor, Tensor] | None:
        """Two past frames `distance` and twice `distance` ago: painted [N, 6, h, w], real [N, 6, h, w], valid
        [N, 2, h, w]; None: there are not so many."""
        if len(self) < 2 * distance:
            return None
        one, two = self._moved[distance - 1], self._moved[2 * distance - 1]
        return (
            torch.cat([one[:, :3], two[:, :3]], 1),
            torch.cat([one[:, 3:6], two[:, 3:6]], 1),
            torch.cat([one[:, 6:], two[:, 6:]], 1),
        )
