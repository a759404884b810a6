"""`QuickPainter`: a painter on a CPU in half the time, its frame prepared and finished by compiled loops.

The convolutions are torch's, in the order of `models.painter_folded`; what stands between them is numba's. `Painter` is
the readable twin, and paints whatever this one does not: until the loops are compiled, without motion where it can be
guessed, on GPUs, and painters of another build.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...models import painter_conditions as conditions_of
from ...models.base import GBuffer, ModelCard
from ...models.byte_convolution import Bytes, pays
from ...models.frames import FrameError, check_frame, check_gbuffer
from ...models.painter import Painter, PainterConfig, PainterMemory
from ...models.painter_conditions import PARTS, ConditionLayout
from ...models.painter_folded import FoldedPainter
from ...models.tints import groups, table

_NOTHING = np.zeros((0, 0), np.float32)
_NO_VECTORS = np.zeros((0, 0, 3), np.float32)
MANY = 1 << 16
"""Pixels from which eight bits may pay: 5 % of a frame's time at 512 x 256, and nothing at 256 x 128."""
_MAPS = ("depth", "height", "storey", "bay", "shadow")


def ready() -> bool:
    """Whether `compiled.load` has loaded the loops: a frame that is painted before waits while they are compiled."""
    from ..rendering import compiled  # numba takes a while

    return compiled.ready(__name__)


def warm_up() -> None:
    """Compiles the loops, or loads them from numba's cache, by painting frames; seconds the first time. Finds out, too,
    whether eight bits pay here."""
    layout = ConditionLayout(parts=tuple(PARTS))
    config = PainterConfig(layout, width=4, maps=8, past=4, refine=4, detail=8)
    painter = Painter(config.network(), config, ModelCard("", "", "")).prepare(torch.bfloat16)
    labels, plane = torch.ones(16, 16, dtype=torch.uint8), torch.ones(16, 16)
    rich = GBuffer(**dict.fromkeys((*_MAPS, "expected_depth"), plane), normals=torch.ones(3, 16, 16))
    quick, memory = QuickPainter(painter), None
    for gbuffer in (rich, replace(rich, ground=torch.ones(2, 16, 16))):
        _, memory = quick(labels, labels.int(), torch.zeros(16, 16, 2), memory, gbuffer)
    pays(_to_bytes)


class QuickPainter:
    """Calls as `Painter`'s, with the same memory, so that either can go on where the other stopped.

    Args:
        painter: on the CPU; `suits` says whether it can be painted so.
        in_bytes: whether the trunk multiplies in eight bits (usually 55 dB from float32 and 46 at worst, where bfloat16
            is 66 and 58); None: where that is faster here.
    """

    def __init__(self, painter: Painter, in_bytes: bool | None = None) -> None:
        from . import condition_kernels, painting_kernels, past_kernels  # numba takes a while

        self._told, self._recalled, self._made = condition_kernels, past_kernels, painting_kernels
        self.painter = painter
        self._in_bytes = in_bytes
        self._networks: dict[bool, FoldedPainter] = {}
        cpu, layout = torch.device("cpu"), painter.config.conditions
        rows = conditions_of.one_hot_rows(layout, cpu, torch.float32)
        self._classes = np.append(rows.argmax(1).numpy(), rows.shape[1])
        self._tints = table(cpu).numpy()
        self._starts = groups(cpu)[:29].numpy()
        self._flat = conditions_of.level_tags(cpu).numpy()
        self._room: _Room | None = None

    def _network_for(self, pixels: int) -> FoldedPainter:
        """Made for the first frame, when the loops are compiled: what pays is found out by running them."""
        in_bytes = pixels >= MANY and pays(_to_bytes) if self._in_bytes is None else self._in_bytes
        if in_bytes not in self._networks:
            to_bytes = _to_bytes if in_bytes else None
            self._networks[in_bytes] = FoldedPainter(self.painter.network, torch.bfloat16, self._modulated, to_bytes)
        return self._networks[in_bytes]

    @staticmethod
    def suits(painter: Painter) -> bool:
        """Whether this painter, as it is prepared now, can be painted so."""
        weight = painter.network.stem.weight
        return painter.network.detail is not None and weight.dtype == torch.bfloat16 and weight.device.type == "cpu"

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
        painter, gbuffer = self.painter, gbuffer or GBuffer()
        # One that guesses motion remembers its conditions; of wider numbers the loops might cut something off.
        if painter.flow is not None or (labels.dtype, instances.dtype) != (torch.uint8, torch.int32):
            return painter(labels, instances, motion, memory, gbuffer)
        height, width = check_frame(labels, instances, motion, painter.multiple)
        if memory is not None and tuple(memory.key.shape) != (height, width):
            raise FrameError(
                f"the frame is {(height, width)}, the one before was {tuple(memory.key.shape)}; start anew"
            )
        check_gbuffer(gbuffer, height, width)
        key = np.empty((height, width), np.int64)
        room = self._describe(labels, instances, gbuffer, key)
        if memory is None or motion is None:
            room.past.fill(0)
            room.past_bits.fill(0)
        else:
            compared = gbuffer.expected_depth is not None and memory.depth is not None
            depth = _array(memory.depth) if compared else _NOTHING
            if compared:
                self._recalled.extremes(depth, *room.extremes)
            self._recalled.recall(
                _array(motion), key, memory.key.numpy(), _array(gbuffer.expected_depth) if compared else _NOTHING,
                depth, *room.extremes, memory.picture[0].numpy(), room.past, room.past_bits,
            )  # fmt: skip
        network = self._network_for(height * width)
        plain, detail = network(_folded(room.conditions), _folded(room.past_bits))
        picture, colour = np.empty((2, 3, height, width), np.float32)
        halves = (height // 2, width // 2, 2, 2)
        trust = np.float32(painter.config.trust)
        plain, detail = (_bits(x.permute(0, 2, 3, 1)).reshape(*halves, -1) for x in (plain, detail))
        self._made.finish(plain, detail, room.past, trust, picture, colour)
        kept = PainterMemory(torch.from_numpy(picture)[None], torch.from_numpy(key), gbuffer.depth, None)
        return torch.from_numpy(colour), kept

    def _describe(self, labels: Tensor, instances: Tensor, gbuffer: GBuffer, key: NDArray[np.int64]) -> _Room:
        """Fills `key` and the conditions."""
        layout = self.painter.config.conditions
        there = {part: getattr(gbuffer, part) if part in layout.parts else None for part in PARTS}
        maps = {part: _NOTHING if there[part] is None else _array(there[part]) for part in _MAPS}
        normals, ground = (
            _NO_VECTORS if (vectors := there[part]) is None else _array(vectors.movedim(0, -1))
            for part in ("normals", "ground")
        )
        tags = np.ascontiguousarray(labels.numpy()).astype(np.uint8, copy=False)
        owners = np.ascontiguousarray(instances.numpy()).astype(np.int32, copy=False)
        _, high, *up = self._told.survey(tags, owners, normals, self._flat, key)
        if high >= 29:
            raise FrameError(f"the label map holds {high}; CARLA's tags are 0..28. Convert the map first")
        level, pitch = _level(np.array(up))
        sun = np.array(conditions_of.NOON, np.float32) if gbuffer.sun is None else _array(gbuffer.sun)
        at = np.array([-1 if there[part] is None else layout.first(part) for part in PARTS])
        room = self._room_for(key.shape, at, layout)
        self._told.describe(
            key, self._classes, self._tints, self._starts, at, maps["depth"], maps["height"], maps["storey"],
            maps["bay"], normals, maps["shadow"], ground, level, pitch, sun, room.conditions,
        )  # fmt: skip
        return room

    def _room_for(self, size: tuple[int, ...], at: NDArray[np.int64], layout: ConditionLayout) -> _Room:
        """Where to write; what is 0 or 1 throughout stands there."""
        halves = (size[0] // 2, size[1] // 2, 2, 2)
        if self._room is None or self._room.conditions.shape[:4] != halves or not np.array_equal(self._room.at, at):
            conditions = np.zeros((*halves, layout.channels), np.uint16)
            for number, part in enumerate(layout.parts):
                if at[list(PARTS).index(part)] >= 0:
                    conditions[..., layout.channels - len(layout.parts) + number] = 0x3F80  # 1
            past = np.zeros((*halves, 4), np.float32)
            extremes = np.zeros(size, np.float32), np.zeros(size, np.float32)
            self._room = _Room(at, conditions, past, np.zeros((*halves, 4), np.uint16), extremes)
        return self._room

    def _modulated(self, x: Tensor, affine: Tensor, first: int) -> Tensor:
        """`models.painter_folded.modulated`."""
        made = torch.empty_like(x)
        rows = (_bits(each.permute(0, 2, 3, 1)).reshape(-1, each.shape[1]) for each in (x, affine))
        self._made.modulate(*rows, first, _bits(made.permute(0, 2, 3, 1)).reshape(-1, x.shape[1]))
        return made


@dataclass(frozen=True)
class _Room:
    """What is written anew for every frame of one size and one set of parts."""

    at: NDArray[np.int64]
    """First channels of the parts that are there."""
    conditions: NDArray[np.uint16]
    past: NDArray[np.float32]
    past_bits: NDArray[np.uint16]
    extremes: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Of the last frame's depth around each pixel."""


def _level(up: NDArray[np.float64]) -> tuple[NDArray[np.float32], np.float32]:
    """As `painter_conditions`: from camera to levelled axes [3, 3], and the pitch, of the sum of level normals."""
    y, z = up[1:] if np.linalg.norm(up) > 1e-3 else (-1.0, 0.0)
    length = max(float(np.hypot(y, z)), 1e-6)
    y, z = y / length, z / length
    return np.array([[0, -1, 0], [z, 0, y], [-y, 0, z]], np.float32), np.float32(-z)


def _array(tensor: Tensor | None) -> NDArray[np.float32]:
    assert tensor is not None
    return np.ascontiguousarray(tensor.numpy(), np.float32)


def _to_bytes(x: Tensor) -> Bytes:
    """`models.byte_convolution.to_bytes`."""
    from . import painting_kernels

    bits = _bits(x.permute(0, 2, 3, 1)).reshape(-1)
    made = torch.empty(1, *x.shape[2:], x.shape[1], dtype=torch.uint8)
    kernel: Any = painting_kernels.in_bytes
    scale, zero = kernel(bits.view(np.int16), bits, made.view(-1).numpy())
    return Bytes(made.permute(0, 3, 1, 2), float(scale), int(zero))


def _bits(tensor: Tensor) -> NDArray[Any]:
    return tensor.view(torch.int16).numpy().view(np.uint16)


def _folded(bits: NDArray[np.uint16]) -> Tensor:
    """[h, w, 2, 2, C] bits as [1, 4 C, h, w] bfloat16, the same memory."""
    rows = torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16).reshape(1, *bits.shape[:2], -1)
    return rows.permute(0, 3, 1, 2)
