"""vid2vid in the `Translator` contract: what it remembers between frames, and what it does while there is no past.

The official program offers three rules for the first pictures of a sequence: another network paints them, they are
given (frames of a real video), or there are none, and the network starts from grey without blending. A program that
is driven has no frames before the first: while label maps are missing, the first one stands for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .base import GBuffer, LabelSet, ModelCard
from .frames import FrameError, check_frame, instance_edges, one_hot
from .pix2pixhd import GlobalGenerator
from .vid2vid import Painted, Vid2VidScale, newest, paint, pyramid


@dataclass(frozen=True)
class Vid2VidInput:
    """How label maps become a frame's conditions."""

    labels: int = 35
    """Channels of the one-hot map."""
    edges: bool = True
    """Whether a channel of instance edges follows."""
    foreground: tuple[int, ...] = (26,)
    """Labels that the foreground branch paints; 26: Cityscapes' car."""


class Vid2VidMemory(NamedTuple):
    """What is kept of the past; never changed in place."""

    maps: Tensor
    """[1, k channels, H, W] of the last frames, oldest first."""
    pictures: tuple[Tensor, ...]
    """[1, 3 (frames - 1), h, w] of the last pictures in -1..1 at each scale, finest first, oldest first in each."""
    given: int
    """Pictures that were painted or given since the sequence began."""


class Vid2VidTranslator:
    """A pyramid of vid2vid networks, and optionally the network that paints the first pictures.

    Args:
        networks: coarsest first.
        card: what the model is.
        input: how label maps become conditions.
        first: paints the first pictures from their own maps (one-hot, without edges); None: start from grey.
        label_set: the numbering that it was trained in.
        resolution: (height, width) of training, where known.
    """

    has_memory = True

    def __init__(
        self,
        networks: list[Vid2VidScale],
        card: ModelCard,
        input: Vid2VidInput = Vid2VidInput(),
        first: GlobalGenerator | None = None,
        label_set: LabelSet = "cityscapes_ids",
        resolution: tuple[int, int] | None = None,
    ) -> None:
        self.networks, self.first = nn.ModuleList(networks), first
        self.card, self.input, self.resolution = card, input, resolution
        self.label_set: LabelSet = label_set
        coarsest = networks[0].config
        self.frames, self.channels = coarsest.frames, coarsest.channels
        scales = len(networks)
        self.multiple = 1 << max(coarsest.downsamples + scales - 1, 1)
        if first is not None:
            self.multiple = max(self.multiple, first.multiple)
        if input.labels + input.edges != self.channels:
            raise FrameError(f"{input.labels} labels and edges do not make the {self.channels} channels of the network")

    def start(self, maps: list[tuple[Tensor, Tensor]], pictures: Tensor) -> Vid2VidMemory:
        """The memory of a sequence whose first pictures are given.

        Args:
            maps: labels and instances, [H, W] each, of the frames - 1 first frames, oldest first.
            pictures: [frames - 1, 3, H, W], RGB in 0..1.

        Raises:
            FrameError: other numbers or sizes.
        """
        wanted = self.frames - 1
        if len(maps) != wanted or len(pictures) != wanted or pictures.ndim != 4:
            raise FrameError(f"{len(maps)} maps and {tuple(pictures.shape)} pictures; expected {wanted} of each")
        for labels, instances in maps:
            size = check_frame(labels, instances, multiple=self.multiple)
            if pictures.shape[1:] != (3, *size):
                raise FrameError(f"pictures are {tuple(pictures.shape[1:])}, maps {size}; expected the same size")
        conditions = torch.cat([self._conditions(*pair) for pair in maps], 1)
        past = pictures.reshape(1, -1, *pictures.shape[-2:]).mul(2).sub_(1).to(conditions.device)
        return Vid2VidMemory(conditions, tuple(pyramid(past, len(self.networks))), wanted)

    @torch.inference_mode()
    def __call__(
        self,
        labels: Tensor,
        instances: Tensor,
        motion: Tensor | None = None,
        memory: Vid2VidMemory | None = None,
        gbuffer: GBuffer | None = None,
    ) -> tuple[Tensor, Vid2VidMemory]:
        """RGB [3, H, W] in 0..1 and what to give with the next frame; see `Translator`. The motion is not used."""
        size = check_frame(labels, instances, motion, self.multiple)
        if memory is not None and tuple(memory.maps.shape[-2:]) != size:
            raise FrameError(f"the frame is {size}, the one before was {tuple(memory.maps.shape[-2:])}; start anew")
        present = self._conditions(labels, instances)
        if self.first is not None and (memory is None or memory.given < self.frames - 1):
            return self._first(labels, present, memory)
        return self._next(present, memory)

    def painted(self, maps: Tensor, pictures: tuple[Tensor, ...], raw_only: bool = False) -> list[Painted]:
        """All scales' answers, coarsest first; arguments as in `vid2vid.paint`."""
        return paint(self.networks, maps, list(pictures), self.input.foreground, raw_only)

    def prepare(self, kind: torch.dtype) -> Vid2VidTranslator:
        """Stays in float32: a flow of 40 pixels in bfloat16 is off by a quarter of one, and errors live on."""
        return self

    def to(self, device: str) -> Vid2VidTranslator:
        """Moves the networks. A memory belongs to the device on which it was made."""
        self.networks.to(device)
        if self.first is not None:
            self.first.to(device)
        return self

    def _next(self, present: Tensor, memory: Vid2VidMemory | None) -> tuple[Tensor, Vid2VidMemory]:
        scales = len(self.networks)
        if memory is None:
            past = present.repeat(1, self.frames - 1, 1, 1)
            grey = present.new_zeros(1, 3 * (self.frames - 1), *present.shape[-2:])
            memory = Vid2VidMemory(past, tuple(pyramid(grey, scales)), 0)
        maps = torch.cat([memory.maps, present], 1)
        made = self.painted(maps, memory.pictures, raw_only=memory.given == 0)
        # `made` is coarsest first, pictures are finest first.
        pictures = tuple(newest(past, one.picture) for past, one in zip(memory.pictures, reversed(made), strict=True))
        kept = maps[:, self.channels :]
        return _shown(made[-1].picture), Vid2VidMemory(kept, pictures, memory.given + 1)

    def _first(self, labels: Tensor, present: Tensor, memory: Vid2VidMemory | None) -> tuple[Tensor, Vid2VidMemory]:
        assert self.first is not None
        picture = self.first(one_hot(labels, self.first.config.labels))
        if memory is None:
            maps, past, given = present, pyramid(picture, len(self.networks)), 0
        else:
            maps, given = torch.cat([memory.maps, present], 1), memory.given
            levels = pyramid(picture, len(self.networks))
            past = [torch.cat(pair, 1) for pair in zip(memory.pictures, levels, strict=True)]
        return _shown(picture), Vid2VidMemory(maps, tuple(past), given + 1)

    def _conditions(self, labels: Tensor, instances: Tensor) -> Tensor:
        maps = one_hot(labels, self.input.labels)
        return torch.cat([maps, instance_edges(instances)], 1) if self.input.edges else maps


def _shown(picture: Tensor) -> Tensor:
    return picture[0].mul(0.5).add_(0.5).float().contiguous()
