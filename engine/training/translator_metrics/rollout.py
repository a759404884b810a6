"""Paints frames of a drive one after the other: with memory or without, with the engine's geometry or labels only."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.base import LabelSet
from ....models.warp import surface_key, validity
from ...driving.messages import DriveFrame, Geometry
from ...driving.painting import Painting
from .similarity import Picture

Method = Literal["recurrent", "frame by frame", "bare labels"]
METHODS: dict[Method, str] = {
    "recurrent": "as it is driven: memory, exact motion and all geometry",
    "frame by frame": "the same weights and geometry without memory, each frame for itself",
    "bare labels": "memory and motion, but no geometry: what another engine would give",
}


class Brush:
    """One way of painting, with a memory of its own: two brushes may share a translator, not a `Painting`.

    Args:
        painting: the translator, as a drive uses it.
        source: the numbering of the engine's labels.
        method: one of METHODS.
    """

    def __init__(self, painting: Painting, source: LabelSet, method: Method = "recurrent") -> None:
        self._painting = painting
        self._source: LabelSet = source
        self._method: Method = method

    def restart(self) -> None:
        """Forget: the next frame begins a sequence."""
        self._painting.forget()

    def paint(self, frame: DriveFrame) -> Picture:
        """The next frame's picture, [H, W, 3], 8 bits.

        Raises:
            FrameError: the translator does not take such maps.
        """
        if self._method == "bare labels":
            frame = dataclasses.replace(frame, depth=None, expected_depth=None, geometry=Geometry())
        made = self._painting.paint(frame, self._source, follows=self._method != "frame by frame")
        return np.ascontiguousarray((made * 255).round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def frame_validity(frame: DriveFrame, previous: DriveFrame) -> Tensor:
    """[1, 1, H, W]: where `previous` showed the same points, by the engine's own labels, instances and depths."""
    if frame.motion is None:
        return torch.zeros(1, 1, *frame.labels.shape)
    keys = [
        surface_key(torch.from_numpy(one.labels.astype(np.int64)), torch.from_numpy(one.instances.astype(np.int64)))
        for one in (frame, previous)
    ]
    depths = [_tensor(frame.expected_depth), _tensor(previous.depth)]
    return validity(torch.from_numpy(np.array(frame.motion)), keys[0], keys[1], *depths)


def _tensor(array: NDArray[np.float32] | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(np.array(array))
