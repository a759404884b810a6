"""What translators ask of an engine's frame before they paint it, and the conditions that all of them make of it."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from .base import GBuffer
from .errors import NeuroviewError

MOST_PIXELS = 1 << 24
"""Of one frame; a network takes some kilobytes for each."""


class FrameError(NeuroviewError):
    """An engine's frame cannot be translated: maps of different sizes, of a wrong type, or labels out of range."""


def check_frame(labels: Tensor, instances: Tensor, motion: Tensor | None = None, multiple: int = 1) -> tuple[int, int]:
    """Height and width of a frame whose maps fit each other.

    Args:
        labels: [H, W], integers.
        instances: [H, W], integers.
        motion: [H, W, 2] or None.
        multiple: what a network halves so often that height and width must be multiples of it.

    Raises:
        FrameError: a map has another shape or type; the message names it.
    """
    for name, given in (("labels", labels), ("instances", instances)):
        if given.ndim != 2 or given.is_floating_point():
            raise FrameError(f"{name} are {_shape(given)} of {given.dtype}; expected [height, width] of integers")
    height, width = labels.shape
    if instances.shape != labels.shape:
        raise FrameError(f"instances are {_shape(instances)} but labels {_shape(labels)}; expected the same size")
    if motion is not None and (motion.shape != (height, width, 2) or not motion.is_floating_point()):
        raise FrameError(
            f"motion is {_shape(motion)} of {motion.dtype}; expected [{height}, {width}, 2] of floating-point numbers"
        )
    if not 0 < height * width <= MOST_PIXELS or height % multiple or width % multiple:
        raise FrameError(
            f"the frame is {width} x {height}; this network takes sides that are multiples of {multiple}, "
            f"at most {MOST_PIXELS:,} pixels"
        )
    return height, width


def check_gbuffer(gbuffer: GBuffer, height: int, width: int) -> None:
    """Checks that all parts that are there have a frame's size.

    Raises:
        FrameError: one has another shape or is not of floating-point numbers; it is named.
    """
    special = {"normals": (3, height, width), "ground": (2, height, width), "sun": (3,)}
    for part in fields(gbuffer):
        given, expected = getattr(gbuffer, part.name), special.get(part.name, (height, width))
        if given is not None and (tuple(given.shape) != expected or not given.is_floating_point()):
            raise FrameError(
                f"the G-buffer's {part.name} is {_shape(given)} of {given.dtype}; expected "
                f"{'x'.join(map(str, expected))} of floating-point numbers"
            )


def one_hot(labels: Tensor, count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """[1, count, H, W], 1 in the channel of each pixel's label.

    Args:
        labels: [H, W], integers 0..count - 1.
        count: channels.
        dtype: of the result.

    Raises:
        FrameError: a label has no channel; it is named.
    """
    low, high = (int(n) for n in torch.aminmax(labels))
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        raise FrameError(f"the label map holds {wrong}; this network knows 0..{count - 1}. Convert the map first")
    made = torch.zeros(1, count, *labels.shape, dtype=dtype, device=labels.device)
    return made.scatter_(1, labels.long()[None, None], 1.0)


def instance_edges(instances: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """[1, 1, H, W]: 1 where one of a pixel's four neighbours belongs to another instance, on both sides of the edge.

    As pix2pixHD defines it (Wang et al. 2018, section 3.3): the ids mean nothing, only where they change.

    Args:
        instances: [H, W].
        dtype: of the result.
    """
    across, down = instances[:, 1:] != instances[:, :-1], instances[1:] != instances[:-1]
    edges = torch.zeros(instances.shape, dtype=torch.bool, device=instances.device)
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges[None, None].to(dtype)


def channels_of_labels(channels: int, labels: int | None) -> tuple[int, bool]:
    """(labels, whether instance edges come with them) of a network that reads `channels` channels a frame.

    Only the sum is in a file. Without word of the number of labels, the published layouts decide: Cityscapes 35 (+ 1),
    COCO-Stuff 183 (+ 1), ADE20K 151; anything else is taken for labels alone.

    Raises:
        FrameError: `labels` is neither `channels` nor one less.
    """
    if labels is None:
        labels = channels - 1 if channels in (36, 184, 20, 21) else channels
    if labels < 1 or channels - labels not in (0, 1):
        raise FrameError(f"the network reads {channels} channels a frame: {labels} labels and an edge do not make that")
    return labels, channels > labels


def _shape(tensor: Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape) or "a single number"
