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
from .tints import IDS, STYLES, groups, table

Part = Literal["depth", "height", "storey", "bay", "normals", "shadow", "ground"]
PARTS: dict[Part, int] = {"depth": 1, "height": 2, "storey": 3, "bay": 7, "normals": 4, "shadow": 2, "ground": 12}
"""Channels of each part of the G-buffer:

depth: its logarithm. height: of 12 m, and of the first 2 m. storey: sine and cosine of the phase, and the first two
storeys as a ramp (of a car: its height). bay: sine and cosine of the phase of four bays (which is a ramp along a car),
of three (doors keep to such rhythms) and of one, and a bump that is highest in the middle of each storey of each bay.
normals: levelled, as the sun is (forward, left, up), and how far the camera looks down. shadow: as it is, and the light
that reaches the surface, (1 - shadow) max(0, n . sun): a product, which no sum of the other channels can give. ground:
sine and cosine of east and north at 64 m, 16 m and 4 m.
"""

TOWN_CLASSES = (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 24)
"""CARLA tags (0.9.14 and later) that occur in the embedded town."""
NOON = (0.35, 0.25, 0.903)
"""Direction of the sun that is assumed of an engine that does not say: forward, left, up."""

# Where a network has no channel for a tag, the first of these that it has; else what `ConditionLayout.other` says.
_NEAREST = {
    0: (2, 1), 4: (3, 5), 13: (12,), 15: (14,), 16: (14,), 17: (14,), 18: (14,), 19: (12, 14), 20: (6, 5), 21: (14,),
    22: (2, 10), 23: (10, 1), 24: (1,), 25: (2, 1), 26: (3,), 27: (1,), 28: (5,),
}  # fmt: skip
_BASE = 1 + STYLES + 3 + 2  # instance edge, tint and hashes, sun, position
_FLAT = (1, 2, 10, 24)  # tags of what lies level: there, normals say where up is
_WAVES: dict[Part, tuple[float, ...]] = {"storey": (1.0,), "bay": (4.0, 3.0, 1.0), "ground": (64.0, 16.0, 4.0)}
"""Periods of what repeats: storeys, bays, metres (64 is a block of the town)."""


@dataclass(frozen=True)
class ConditionLayout:
    """Which channels there are, in order: one-hot classes, edge, tint (3), hashes (2), sun (3), y, x, then each part's
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
    def plain(self) -> int:
        """How many channels at the start say what is seen, whose it is and which colour that has."""
        return len(self.classes) + 1 + STYLES

    def first(self, part: Part) -> int:
        """A part's first channel."""
        before = self.parts[: self.parts.index(part)]
        return len(self.classes) + _BASE + sum(PARTS[other] for other in before)

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
    # Channels last, as the network's weights are, and so is all that is computed on the way: what would take time here
    # is turning planes into channels.
    made = torch.empty(height, width, layout.channels, device=device, dtype=kind)
    made[..., :count] = F.embedding(tags, one_hot_rows(layout, device, kind))
    made[..., count] = instance_edges(instances.long() + (tags << 32))[0, 0]
    look_up = groups(device)[tags] + (instances.long() & (IDS - 1))
    at = count + 1 + STYLES
    made[..., count + 1 : at] = F.embedding(look_up, table(device))
    sun = torch.tensor(NOON, device=device) if gbuffer.sun is None else gbuffer.sun.float()
    made[..., at : at + 3] = sun.to(made)
    made[..., at + 3 : at + 5] = _position(height, width, device)
    given: dict[Part, Tensor] = {}
    for part in layout.parts:
        plane: Tensor | None = getattr(gbuffer, part)
        if plane is not None:
            given[part] = plane.float()
    channels = _channels(given, tags, sun)
    for part in layout.parts:
        at = layout.first(part)
        made[..., at : at + PARTS[part]] = channels.get(part, 0.0)
    if layout.parts:
        made[..., -len(layout.parts) :] = made.new_tensor([float(part in channels) for part in layout.parts])
    return made.permute(2, 0, 1)[None]


def _channels(given: dict[Part, Tensor], tags: Tensor, sun: Tensor) -> dict[Part, Tensor]:
    """The channels of each part that is there, [H, W, PARTS[part]], in about -1..1; 0 where it means nothing."""
    made = _phases(given)
    if "depth" in given:
        made["depth"] = _known(given["depth"].clamp(1, 300).log_() / 3 - 1)[..., None]
    if "height" in given:
        height = _known(given["height"].clone())
        made["height"] = torch.stack([(height / 12).clamp_(-1, 2), (height / 2).clamp_(0, 1)], -1)
    levelled = None
    if "normals" in given:
        levelled, pitch = _levelled(_known(given["normals"].clone()), tags)
        made["normals"] = torch.cat([levelled, pitch.expand(*tags.shape, 1)], -1)
    if "shadow" in given:
        facing = sun[2].clamp(0, 1) if levelled is None else (levelled @ sun).clamp_(min=0)
        shadow = given["shadow"]
        made["shadow"] = _known(torch.stack([shadow, (1 - shadow) * facing], -1))
    return made


def _known(channels: Tensor) -> Tensor:
    """0 where there is no number; in place."""
    return torch.nan_to_num_(channels, 0.0, 0.0, 0.0)


def _phases(given: dict[Part, Tensor]) -> dict[Part, Tensor]:
    """What repeats: storeys, bays and the ground, each as loud as a pixel's width leaves it."""
    present: tuple[Part, ...] = tuple(part for part in _WAVES if part in given)
    if not present:
        return {}
    maps = [given[part].movedim(0, -1) if part == "ground" else given[part][..., None] for part in present]
    values = torch.cat(maps, -1)  # storeys, bays, metres east and north
    frequency, offset = _frequencies(present, values.device)
    # Where a map has no number its pace has none: endless, so that nothing is loud there.
    pace = torch.nan_to_num_(_pace(values), 1e9)
    waves = (1 - pace.flatten(0, 1) @ frequency).clamp_(min=0)
    waves *= torch.sin_(torch.addmm(offset, _known(values).flatten(0, 1), frequency, alpha=2 * math.pi))
    waves = waves.unflatten(0, values.shape[:2])
    made, at = {}, 0
    for part in present:
        count = sum(2 * (2 if part == "ground" else 1) for _ in _WAVES[part])
        made[part] = waves[..., at : at + count]
        at += count
    if "bay" in made:
        bump = torch.zeros_like(made["bay"][..., :1])
        if "storey" in made:
            bump = -torch.maximum(made["bay"][..., -1:], made["storey"][..., -1:])
        made["bay"] = torch.cat([made["bay"], bump], -1)
    if "storey" in made:
        ramp = _known(given["storey"].clamp(0, 2) - 1)[..., None]
        made["storey"] = torch.cat([made["storey"], ramp], -1)
    return made


def _pace(values: Tensor) -> Tensor:
    """[H, W, N]: by how much values change from a pixel to the next, across or down, whichever is more.

    Where a surface ends it is the smaller one of both sides that counts. Without a number on any side, it has none.
    """
    across, down = (values[:, 1:] - values[:, :-1]).abs_(), (values[1:] - values[:-1]).abs_()
    pace = values * 0
    torch.fmin(across[:, 1:], across[:, :-1], out=pace[:, 1:-1])
    torch.fmax(pace[1:-1], torch.fmin(down[1:], down[:-1]), out=pace[1:-1])
    return pace


def _levelled(normals: Tensor, tags: Tensor) -> tuple[Tensor, Tensor]:
    """[H, W, 3]: normals [3, H, W] as forward, left and up of the levelled camera; and how far it looks down: -1..1.

    A camera without roll is assumed. Up is where the ground's normals point to; where no ground is seen, it is level.
    """
    ground = normals.flatten(1) @ level_tags(tags.device)[tags].flatten()
    y, z = torch.where(ground.norm() > 1e-3, ground[1:], ground.new_tensor([-1.0, 0.0]))
    length = torch.hypot(y, z).clamp(min=1e-6)
    y, z = y / length, z / length
    zero = torch.zeros_like(y)
    columns = [torch.stack([zero, z, -y]), torch.stack([zero - 1, zero, zero]), torch.stack([zero, y, z])]
    return normals.movedim(0, -1) @ torch.stack(columns, 1), -z


@functools.lru_cache(maxsize=8)
def _frequencies(parts: tuple[Part, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """[values, waves] in cycles a unit, and each wave's phase: sines, then cosines, of every period of each part."""
    rows: list[list[float]] = []
    offsets: list[float] = []
    first = 0
    axes = {part: 2 if part == "ground" else 1 for part in parts}
    for part in parts:
        for period in _WAVES[part]:
            for offset in (0.0, math.pi / 2):
                for axis in range(axes[part]):
                    row = [0.0] * sum(axes.values())
                    row[first + axis] = 1 / period
                    rows.append(row)
                    offsets.append(offset)
        first += axes[part]
    with torch.inference_mode(False):
        return torch.tensor(rows, device=device).t().contiguous(), torch.tensor(offsets, device=device)


@functools.lru_cache(maxsize=8)
def level_tags(device: torch.device) -> Tensor:
    """[29]: 1 for tags of what lies level."""
    with torch.inference_mode(False):
        made = torch.zeros(29, device=device)
        made[list(_FLAT)] = 1.0
        return made


@functools.lru_cache(maxsize=8)
def one_hot_rows(layout: ConditionLayout, device: torch.device, kind: torch.dtype) -> Tensor:
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
