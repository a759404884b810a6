"""The town's painter in the `Translator` contract: conditions, warp, network, and what is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from .base import GBuffer, LabelSet, ModelCard
from .captured import Captured, Recorder
from .errors import NeuroviewError
from .frames import FrameError, check_frame
from .learned_flow import FlowLayout, FlowNetwork
from .painter_conditions import ConditionLayout, conditions
from .vid2vid_spade import MULTIPLE, Blend, PainterLayout, PainterNetwork
from .warp import surface_key, validity, warp

MOST_CHANNELS = 1024


@dataclass(frozen=True)
class PainterConfig:
    """All that is needed to lay a painter out."""

    conditions: ConditionLayout = field(default_factory=ConditionLayout)
    width: int = 16
    maps: int = 32
    past: int = 16
    refine: int = 0
    detail: int = 0
    trust: float = 1.0
    """As in `PainterLayout`."""
    flow_width: int = 0
    """Channels of the network that guesses the motion; 0: there is none."""

    def __post_init__(self) -> None:
        sizes = {"width": self.width, "maps": self.maps, "past": self.past}
        if not all(0 < size <= MOST_CHANNELS for size in sizes.values()):
            raise NeuroviewError(f"{sizes}: expected 1..{MOST_CHANNELS} channels each")
        if not 0 <= self.trust <= 1:
            raise NeuroviewError(
                f"trust {self.trust}: expected 0..1, the greatest part of a pixel that the past may be"
            )
        may_be_none = {"refine": self.refine, "detail": self.detail, "flow_width": self.flow_width}
        if not all(0 <= size <= MOST_CHANNELS for size in may_be_none.values()):
            raise NeuroviewError(f"{may_be_none}: expected 0..{MOST_CHANNELS} channels each")

    def network(self) -> PainterNetwork:
        """A new painter network."""
        sizes = (self.width, self.maps, self.past, self.refine, self.detail, self.trust)
        return PainterNetwork(PainterLayout(self.conditions.channels, *sizes))

    def flow_network(self) -> FlowNetwork | None:
        """A new network that guesses the motion, or None."""
        return FlowNetwork(FlowLayout(self.conditions.channels, self.flow_width)) if self.flow_width else None


class PainterMemory(NamedTuple):
    """What is kept of the last frame; never changed in place."""

    picture: Tensor
    """[1, 3, H, W] in -1..1."""
    key: Tensor
    """[H, W]: which surface each pixel showed."""
    depth: Tensor | None
    """[H, W], metres."""
    conditions: Tensor | None
    """[1, C, H, W], kept only where the motion has to be guessed from them."""


class Painter:
    """Paints a drive frame by frame.

    With the engine's motion, the past is believed where depths (if known) and surfaces agree. Without it, a painter
    that has a `flow` network guesses; one that has none paints each frame alone.

    Args:
        network: the weights.
        config: how they were laid out.
        card: what the model is.
        flow: guesses the motion; None: nobody does.
        resolution: (height, width) of training, where known.
        recorder: see `Captured`.
    """

    label_set: LabelSet = "carla"
    multiple = MULTIPLE
    has_memory = True

    def __init__(
        self,
        network: PainterNetwork,
        config: PainterConfig,
        card: ModelCard,
        flow: FlowNetwork | None = None,
        resolution: tuple[int, int] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.network, self.flow = network.eval().requires_grad_(False), flow
        self.config, self.card, self.resolution = config, card, resolution
        if network.layout.conditions != config.conditions.channels:
            read, made = network.layout.conditions, config.conditions.channels
            raise NeuroviewError(f"the network reads {read} channels, its conditions have {made}")
        if flow is not None:
            flow.eval().requires_grad_(False)
        self._painted = Captured(self.network, recorder=recorder)  # on a GPU one launch in place of two hundred
        self.prepare(torch.float32)

    def prepare(self, kind: torch.dtype) -> Painter:
        """Takes the networks to a precision, channels last; returns self.

        bfloat16 is the faster one where a processor multiplies it (AVX512-BF16, AMX, any recent GPU), and slower than
        float32 elsewhere. Pixels change by a tenth of a level of 255 on average, single ones by three.
        """
        for network in (self.network, self.flow):
            if network is not None:
                network.to(dtype=kind, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._painted.forget()
        return self

    @torch.inference_mode()
    def __call__(
        self,
        labels: Tensor,
        instances: Tensor,
        motion: Tensor | None = None,
        memory: PainterMemory | None = None,
        gbuffer: GBuffer | None = None,
    ) -> tuple[Tensor, PainterMemory]:
        """RGB [3, H, W] in 0..1 and what to give with the next frame; see `Translator`."""
        _, kept = self.blend(labels, instances, motion, memory, gbuffer)
        return kept.picture[0].mul(0.5).add_(0.5).contiguous(), kept

    def blend(
        self,
        labels: Tensor,
        instances: Tensor,
        motion: Tensor | None = None,
        memory: PainterMemory | None = None,
        gbuffer: GBuffer | None = None,
    ) -> tuple[Blend, PainterMemory]:
        """As the call, with what the picture was mixed of."""
        size = check_frame(labels, instances, motion, self.multiple)
        if memory is not None and tuple(memory.key.shape) != size:
            raise FrameError(f"the frame is {size}, the one before was {tuple(memory.key.shape)}; start anew")
        present = conditions(self.config.conditions, labels, instances, gbuffer, self.network.stem.weight.dtype)
        key = surface_key(labels, instances)
        warped, valid = self._past(present, key, motion, memory, gbuffer)
        made = Blend(*self._painted(present, warped, valid))
        depth = None if gbuffer is None else gbuffer.depth
        kept = PainterMemory(made.picture.clamp(-1, 1), key, depth, None if self.flow is None else present)
        return made, kept

    def to(self, device: str) -> Painter:
        """Moves the networks. A memory belongs to the device on which it was made."""
        self.network.to(device)
        if self.flow is not None:
            self.flow.to(device)
        self._painted.forget()
        return self

    def _past(
        self,
        present: Tensor,
        key: Tensor,
        motion: Tensor | None,
        memory: PainterMemory | None,
        gbuffer: GBuffer | None,
    ) -> tuple[Tensor, Tensor]:
        """The last picture as seen from here [1, 3, H, W], and where to believe it [1, 1, H, W]."""
        if memory is not None and motion is not None:
            expected = None if gbuffer is None else gbuffer.expected_depth
            valid = validity(motion, key, memory.key, expected, memory.depth)
            return warp(memory.picture, motion[None]), valid
        if memory is not None and self.flow is not None and memory.conditions is not None:
            guessed, trusted = self.flow(present, memory.conditions, memory.picture)
            return warp(memory.picture, guessed), trusted
        height, width = key.shape
        picture = torch.zeros(1, 4, height, width, device=key.device)
        return picture[:, :3], picture[:, 3:]
