"""What the painter is told of a frame: the maps as channels, and as much geometry as the engine knows.

A part that a network can read but an engine does not know is 0 in all its channels, and so is the channel that says
whether it is there. A network that was trained with parts left out at random paints, less well, from bare labels.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import GBuffer
from .errors import NeuroviewError
from .frames import FrameError, check_gbuffer, instance_edges
from .tints import IDS, groups, table

Part = Literal["depth", "height", "storey", "bay", "normals", "shadow", "ground"]
PARTS: dict[Part, int] = {"depth": 1, "height": 1, "storey": 2, "bay": 2, "normals": 3, "shadow": 1, "ground": 4}
"""Channels of each part of the G-buffer."""

TOWN_CLASSES = (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 24)
"""CARLA tags (0.9.14 and later) that occur in the embedded town."""
NOON = (0.35, 0.25, 0.903)
"""Direction of the sun that is assumed of an engine that does not say: forward, left, up."""

# Where a network has no channel for a tag, the first of these that it has; else what `ConditionLayout.other` says.
_NEAREST = {
    0: (2, 1), 4: (3, 5), 13: (12,), 15: (14,), 16: (14,), 17: (14,), 18: (14,), 19: (12, 14), 20: (6, 5), 21: (14,),
    22: (2, 10), 23: (10, 1), 24: (1,), 25: (2, 1), 26: (3,), 27: (1,), 28: (5,),
}  # fmt: skip
_BASE = 1 + 4 + 3 + 2  # instance edge, tint and style, sun, position
_GROUND_PERIOD = 4.0  # metres: about a lane, so that the phase is told apart within one


@dataclass(frozen=True)
class ConditionLayout:
    """Which channels there are, in order: one-hot classes, edge, tint (3), style, sun (3), y, x, then each part's
    channels, then one channel for each part that says whether it is there."""

    classes: tuple[int, ...] = TOWN_CLASSES
    """CARLA tags (0.9.14 and later), in the order of their channels."""
    parts: tuple[Part, ...] = ()
    """Of the G-buffer."""
    other: int = 2
    """The tag that stands for those that are neither in `classes` nor near one of them."""

    def __post_init__(self) -> None:
        if self.other not in self.classes or not all(0 <= tag < 29 for tag in self.classes):
            raise NeuroviewError(
                f"classes {self.classes} are no CARLA tags, or lack {self.other}, which stands for others"
            )
        if len({*self.classes}) != len(self.classes) or len({*self.parts}) != len(self.parts):
            raise NeuroviewError(f"classes {self.classes} and parts {self.parts} may not repeat")
        if unknown := set(self.parts) - set(PARTS):
            raise NeuroviewError(
                f"unknown parts {sorted(unknown)} of the G-buffer; expected some of {', '.join(PARTS)}"
            )

    @property
    def channels(self) -> int:
        """Of the conditions."""
        return len(self.classes) + _BASE + sum(PARTS[part] for part in self.parts) + len(self.parts)


def conditions(
    layout: ConditionLayout,
    labels: Tensor,
    instances: Tensor,
    gbuffer: GBuffer | None = None,
    kind: torch.dtype = torch.float32,
) -> Tensor:
    """[1, layout.channels, H, W], channels last.

    Args:
        layout: which channels.
        labels: [H, W], integers: CARLA tags (0.9.14 and later).
        instances: [H, W], integers; 0: none.
        gbuffer: what more the engine knows.
        kind: of the result; what the network computes in, since writing and reading this is what takes time.

    Raises:
        FrameError: a label is no CARLA tag, or a part of the G-buffer has another size.
    """
    height, width = labels.shape
    device, gbuffer = labels.device, gbuffer or GBuffer()
    check_gbuffer(gbuffer, height, width)
    tags, count = labels.long(), len(layout.classes)
    low, high = (int(n) for n in torch.aminmax(tags))
    if low < 0 or high > 28:
        raise FrameError(
            f"the label map holds {low if low < 0 else high}; CARLA's tags are 0..28. Convert the map first"
        )
    # Channels last, as the network's weights are, and so is the table of tints.
    made = torch.zeros(height, width, layout.channels, device=device, dtype=kind)
    made[..., :count] = F.embedding(tags, _one_hot(layout, device, kind))
    made[..., count] = instance_edges(instances.long() + (tags << 32))[0, 0]
    made[..., count + 1 : count + 5] = F.embedding(groups(device)[tags] + (instances.long() & (IDS - 1)), table(device))
    sun = torch.tensor(NOON) if gbuffer.sun is None else gbuffer.sun
    made[..., count + 5 : count + 8] = sun.to(made)
    made[..., count + 8 : count + 10] = _position(height, width, device)
    at, flags = count + _BASE, layout.channels - len(layout.parts)
    for index, part in enumerate(layout.parts):
        given = getattr(gbuffer, part)
        if given is not None:
            channels = _part(part, given.float()).nan_to_num(0.0, 0.0, 0.0)
            made[..., at : at + PARTS[part]] = channels.permute(1, 2, 0)
            made[..., flags + index] = 1.0
        at += PARTS[part]
    return made.permute(2, 0, 1)[None]


def _part(part: Part, given: Tensor) -> Tensor:
    """A part's channels in about -1..1, [PARTS[part], H, W]; NaN where it means nothing."""
    if part == "depth":
        return (given.clamp(1, 300).log() / 3 - 1)[None]
    if part == "height":
        return (given / 12).clamp(-1, 2)[None]
    if part in ("storey", "bay"):
        return torch.stack([torch.sin(2 * math.pi * given), torch.cos(2 * math.pi * given)])
    if part == "ground":
        phase = 2 * math.pi / _GROUND_PERIOD * given
        return torch.cat([torch.sin(phase), torch.cos(phase)])
    return given[None] if part == "shadow" else given


@functools.lru_cache(maxsize=8)
def _one_hot(layout: ConditionLayout, device: torch.device, kind: torch.dtype) -> Tensor:
    """[29, classes]: each tag's row of the one-hot map."""
    found = []
    for tag in range(29):
        near = (tag, *_NEAREST.get(tag, ()), layout.other)
        found.append(next(layout.classes.index(n) for n in near if n in layout.classes))
    with torch.inference_mode(False):  # what is cached here may be met under autograd later
        return F.one_hot(torch.tensor(found, device=device), len(layout.classes)).to(kind)


@functools.lru_cache(maxsize=8)
def _position(height: int, width: int, device: torch.device) -> Tensor:
    """[H, W, 2]: y and x, -1..1 from edge to edge."""
    with torch.inference_mode(False):
        rows, columns = torch.linspace(-1, 1, height, device=device), torch.linspace(-1, 1, width, device=device)
        return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
