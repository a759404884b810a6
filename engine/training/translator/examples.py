"""From clips to what a training step reads: conditions, exact motion, validity and the picture, some of it left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from ....models.base import GBuffer
from ....models.painter_conditions import PARTS, ConditionLayout, Part, conditions
from ....models.warp import surface_key, validity
from .clips import ClipFrame, Clips


@dataclass(frozen=True)
class Chances:
    """How often something is kept from a sequence, 0..1, so that weights work without it too."""

    part: float = 0.05
    """Each part of the G-buffer by itself."""
    bare: float = 0.08
    """All parts together: labels and instances alone."""
    motion: float = 0.08
    """The past."""
    mirror: float = 0.5
    """Left and right are exchanged."""


@dataclass(frozen=True)
class Example:
    """One moment of a batch of sequences."""

    conditions: Tensor
    """[N, C, H, W], channels last, bfloat16: what networks compute in."""
    motion: Tensor
    """[N, H, W, 2]."""
    valid: Tensor
    """[N, 1, H, W]: where the frame before shows the same points; zeros where there is none."""
    photo: Tensor
    """[N, 3, H, W] in -1..1."""

    def to(self, device: torch.device) -> Example:
        """The same elsewhere."""
        moved = [t.to(device, non_blocking=True) for t in (self.conditions, self.motion, self.valid, self.photo)]
        return Example(*moved)


@dataclass(frozen=True)
class Draw:
    """Which frames a sequence has and what is done to them."""

    clip: int
    first: int
    length: int
    mirror: bool = False
    without: frozenset[Part] = frozenset()
    """Parts that are kept from it."""
    motion: bool = True
    half: bool = False
    """Every second pixel only."""
    still: bool = False
    """Time stands still: all frames are the first one, and nothing moves."""


def draw(random: Random, clips: Clips, length: int, before: int, chances: Chances, half: bool = False) -> Draw:
    """Chooses a sequence of `length` frames with at least `before` frames of its clip in front.

    A clip that is too short gives what it has.
    """
    clip = random.randrange(len(clips))
    total = clips.length(clip)
    length = min(length, total)
    first = random.randint(min(before, total - length), total - length)
    without: frozenset[Part] = frozenset(part for part in PARTS if random.random() < chances.part)
    if random.random() < chances.bare:
        without = frozenset[Part](PARTS)
    motion = random.random() >= chances.motion
    return Draw(clip, first, length, random.random() < chances.mirror, without, motion, half)


def examples(clips: Clips, layout: ConditionLayout, draws: Sequence[Draw], at: int) -> Example:
    """Frame `at` of each drawn sequence as one batch; -1 is the frame in front of it.

    Args:
        clips: where they are.
        layout: channels of the conditions.
        draws: of the same length and size.
        at: counts from the sequences' first frames.
    """
    made = [_example(clips, layout, one, one.first + at) for one in draws]
    if len(made) == 1:
        return made[0]
    columns = zip(*((e.conditions, e.motion, e.valid, e.photo) for e in made), strict=True)
    return Example(*(torch.cat(column) for column in columns))


def past_photos(clips: Clips, draws: Sequence[Draw]) -> Tensor:
    """[N, 3, H, W] in -1..1: the picture in front of each drawn sequence; black where there is none."""
    made: list[Tensor] = []
    for one in draws:
        index = one.first if one.still else one.first - 1
        photo = adapted(clips.frame(one.clip, max(index, 0)), one).photo[None].float() / 127.5 - 1
        made.append(torch.zeros_like(photo) if index < 0 else photo)
    return torch.cat(made).contiguous(memory_format=torch.channels_last)


def spoilt(photos: Tensor) -> Tensor:
    """Pictures [N, 3, H, W] as a painter might have left them: less sharp, in other tones, with stains and grain.

    From perfect pictures alone a painter would learn to copy its past, and copy its own mistakes for ever.
    """
    count, _, height, width = photos.shape
    soft = F.interpolate(F.avg_pool2d(photos, 2), (height, width), mode="bilinear")
    one = torch.rand(4, count, 1, 1, 1, device=photos.device)
    stains = torch.randn(count, 3, max(height // 16, 1), max(width // 16, 1), device=photos.device)
    stains = F.interpolate(stains, (height, width), mode="bilinear")
    made = torch.lerp(photos, soft, one[0])
    made = made * (1 + 0.3 * (one[1] - 0.5)) + 0.2 * one[2] * stains + 0.06 * one[3] * torch.randn_like(photos)
    return made.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


def _example(clips: Clips, layout: ConditionLayout, one: Draw, index: int) -> Example:
    index = one.first if one.still else index
    frame = adapted(clips.frame(one.clip, index), one)
    key = surface_key(frame.labels, frame.instances)
    height, width = frame.labels.shape
    motion, valid = torch.zeros(height, width, 2), torch.zeros(1, 1, height, width)
    if one.still:
        valid = valid + float(one.motion)
    elif index and frame.motion is not None and one.motion:
        before = adapted(clips.frame(one.clip, index - 1), one)
        motion = frame.motion
        past_key = surface_key(before.labels, before.instances)
        valid = validity(motion, key, past_key, frame.gbuffer.expected_depth, before.gbuffer.depth)
    photo = frame.photo[None].float() / 127.5 - 1
    made = conditions(layout, frame.labels, frame.instances, frame.gbuffer, torch.bfloat16)
    return Example(made, motion[None], valid, photo.contiguous(memory_format=torch.channels_last))


def adapted(frame: ClipFrame, one: Draw) -> ClipFrame:
    """A frame as the sequence `one` has it: mirrored, at half size, with parts kept from it."""
    gbuffer = replace(frame.gbuffer, **dict.fromkeys(one.without))
    if "depth" in one.without:  # as in a drive: what tells hidden points is part of the depth
        gbuffer = replace(gbuffer, expected_depth=None)
    frame = replace(frame, gbuffer=gbuffer)
    frame = _mirrored(frame) if one.mirror else frame
    return _halved(frame) if one.half else frame


def _mirrored(frame: ClipFrame) -> ClipFrame:
    """Left and right exchanged; what is painted on surfaces stays where it is on them."""
    g = frame.gbuffer
    motion, normals, sun = frame.motion, g.normals, g.sun
    maps = {name: _flip(getattr(g, name), -1) for name in _MAPS}
    if normals is not None:
        normals = torch.flip(normals, (-1,))
        normals[0] *= -1
    if sun is not None:
        sun = sun * sun.new_tensor([1.0, -1.0, 1.0])
    if motion is not None:
        motion = torch.flip(motion, (1,))
        motion[..., 0] *= -1
    gbuffer = GBuffer(**maps, normals=normals, ground=_flip(g.ground, -1), sun=sun)
    labels, instances = torch.flip(frame.labels, (-1,)), torch.flip(frame.instances, (-1,))
    return ClipFrame(labels, instances, torch.flip(frame.photo, (-1,)), motion, gbuffer)


def _halved(frame: ClipFrame) -> ClipFrame:
    """Every second pixel of the maps, and the picture's means of 2 x 2."""
    g = frame.gbuffer

    def half(plane: Tensor | None) -> Tensor | None:
        return None if plane is None else plane[..., ::2, ::2].contiguous()

    motion = None if frame.motion is None else frame.motion[::2, ::2] / 2
    maps = {name: half(getattr(g, name)) for name in (*_MAPS, "normals", "ground")}
    photo = F.avg_pool2d(frame.photo[None].float(), 2)[0]
    labels, instances = frame.labels[::2, ::2].contiguous(), frame.instances[::2, ::2].contiguous()
    return ClipFrame(labels, instances, photo, motion, GBuffer(**maps, sun=g.sun))


_MAPS = ("depth", "expected_depth", "height", "storey", "bay", "shadow")


def _flip(plane: Tensor | None, axis: int) -> Tensor | None:
    return None if plane is None else torch.flip(plane, (axis,))
