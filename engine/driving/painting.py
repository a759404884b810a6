"""`Painting`: a translator with its memory, fed with an engine's frames as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...models.base import GBuffer, LabelSet, Translator
from ...models.frames import FrameError
from ...models.labels import convert
from ...models.painter import Painter
from ...models.translators import open_translator
from . import quick_painter
from .messages import DriveFrame, Part

VIEWED: tuple[Part, ...] = ("depth", "motion", "photo")
"""Optional maps of a frame that can be looked at, whatever paints."""


@dataclass(frozen=True, eq=False)
class _Painted:
    """What a following frame builds on."""

    memory: Any
    size: tuple[int, int]


class Painting:
    """Paints frames of one drive; what it remembers is the last frame that it painted.

    Args:
        translator: what paints; it is moved and prepared here.
        device: 'cpu' or 'cuda:0'.
        quick: whether compiled loops may paint once they are loaded; False: the translator itself, always.
    """

    def __init__(self, translator: Translator, device: str = "cpu", *, quick: bool = True) -> None:
        self.threads: int | None = None
        """Torch's while it paints; None: as many as it has."""
        self.translator = translator.to(device).prepare(quickest_kind(device))
        self.device = torch.device(device)
        self._quick = None
        if quick and isinstance(self.translator, Painter) and quick_painter.QuickPainter.suits(self.translator):
            self._quick = quick_painter.QuickPainter(self.translator)
        self._last: _Painted | None = None

    @classmethod
    def open(cls, reference: str, height: int, width: int, device: str = "cpu") -> Painting:
        """A shipped translator by name, the one nearest to this size, or a checkpoint by path.

        Raises:
            CheckpointError: there is none, or it is damaged; the message says what to do.
        """
        return cls(open_translator(reference, (height, width)), device)

    @property
    def title(self) -> str:
        """Of what paints."""
        return self.translator.card.title

    @property
    def parts(self) -> tuple[Part, ...]:
        """What frames shall hold beside labels and instances; maps that the translator does not read are left out."""
        if not isinstance(self.translator, Painter):
            return VIEWED
        read = self.translator.config.conditions.parts
        return tuple(dict.fromkeys((*VIEWED, "expected_depth", *read, "sun")))

    def forget(self) -> None:
        """The next frame follows none."""
        self._last = None

    def paint(self, frame: DriveFrame, label_set: LabelSet, follows: bool = True) -> NDArray[np.float32]:
        """A frame's picture [3, H, W], RGB in 0..1.

        Args:
            frame: what the engine says.
            label_set: numbering of its labels.
            follows: whether the frame painted last is the one that its motion refers to. Else, as after a cut or a
                change of size, it is painted without a past.

        Raises:
            FrameError: the translator does not take such maps, or they hold labels that their numbering does not have;
                the memory is dropped.
        """
        size = (int(frame.labels.shape[0]), int(frame.labels.shape[1]))
        self._check(size)
        last, self._last = self._last, None
        if not follows or frame.cut or (last is not None and last.size != size):
            last = None
        # A motion without a past would be warped into nothing; None lets vid2vid's own rules for first frames work.
        motion = None if last is None else self._map(frame.motion)
        # They share their memory, so that the quick one can take over in the middle of a drive.
        paints = self._quick if self._quick is not None and quick_painter.ready() else self.translator
        with torch.inference_mode(), _threads(self.threads):
            picture, memory = paints(
                self._labels(frame.labels, label_set),
                self._instances(frame.instances),
                motion,
                None if last is None else last.memory,
                self._gbuffer(frame),
            )
            made = picture.float().cpu().numpy()
        self._last = _Painted(memory, size)
        return made

    def _check(self, size: tuple[int, int]) -> None:
        multiple = self.translator.multiple
        if size[0] % multiple or size[1] % multiple:
            raise FrameError(
                f"the engine's maps are {size[1]} x {size[0]}; {self.title} paints sides that are multiples of "
                f"{multiple}. Choose such a size, for example {_nearest(size[1], multiple)} x "
                f"{_nearest(size[0], multiple)}"
            )

    def _labels(self, labels: NDArray[np.uint8], label_set: LabelSet) -> Tensor:
        return torch.from_numpy(convert(labels, label_set, self.translator.label_set)).to(self.device)

    def _instances(self, instances: NDArray[np.uint16]) -> Tensor:
        # torch compares and shifts int32 and not uint16.
        return torch.from_numpy(instances.astype(np.int32)).to(self.device)

    def _map(self, array: NDArray[np.float32] | None, channels_first: bool = False) -> Tensor | None:
        """A map as a tensor, in the same memory where it can be."""
        if array is None:
            return None
        if not array.flags.writeable or array.dtype != np.float32 or not array.flags.c_contiguous:
            array = np.array(array, np.float32)  # torch takes no read-only memory without a warning
        tensor = torch.from_numpy(array).to(self.device)
        return tensor.permute(2, 0, 1) if channels_first else tensor

    def _gbuffer(self, frame: DriveFrame) -> GBuffer:
        known = frame.geometry
        return GBuffer(
            depth=self._map(frame.depth),
            expected_depth=self._map(frame.expected_depth),
            height=self._map(known.height),
            storey=self._map(known.storey),
            bay=self._map(known.bay),
            normals=self._map(known.normals, channels_first=True),
            shadow=self._map(known.shadow),
            ground=self._map(known.ground, channels_first=True),
            sun=None if known.sun is None else torch.tensor(known.sun, dtype=torch.float32, device=self.device),
        )


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Torch computes with so many meanwhile."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def quickest_kind(device: str) -> torch.dtype:
    """bfloat16 where the processor multiplies it (elsewhere it is emulated, and slower than float32), else float32."""
    if device == "cpu":
        native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        fast = native is not None and bool(native())
    else:
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if fast else torch.float32


def _nearest(side: int, multiple: int) -> int:
    return max(1, round(side / multiple)) * multiple
