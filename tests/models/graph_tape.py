"""`Tape`: records calls as CUDA graphs do, without a GPU: a replay reads and writes the recording's own memory."""

from __future__ import annotations

from neuroview.models.captured import Function, Recording
from torch import Tensor


class Tape:
    """A `Recorder` that counts.

    Args:
        fails: whether nothing can be recorded.
    """

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.recorded, self.replayed = fails, 0, 0

    def suits(self, inputs: tuple[Tensor, ...]) -> bool:
        return True

    def record(self, function: Function, inputs: tuple[Tensor, ...]) -> Recording:
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.recorded += 1
        static = tuple(each.clone() for each in inputs)
        outputs = function(*static)

        def replay() -> None:
            self.replayed += 1
            for kept, new in zip(outputs, function(*static), strict=True):
                kept.copy_(new)

        return Recording(static, outputs, replay)
