"""`Captured`: a function of tensors, launched on a GPU as one CUDA graph instead of operation by operation.

A frame's networks are some hundred small operations, each of which costs the processor more time to launch than the GPU
to do. A graph holds them with their addresses: inputs are copied to where the recording read them, one launch follows,
and results are copied out. On CPUs, with gradients, and wherever recording fails, the function is simply called.
"""

from __future__ import annotations

import gc
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

WARM = 2
"""Calls of a size before it is recorded: libraries choose their algorithms and take their memory in these, and what is
seen once (a thumbnail) is not worth a graph."""
MOST = 2
"""Recordings that are kept; each holds the memory of everything between its inputs and outputs."""

_log = logging.getLogger(__name__)

Function = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True, eq=False)
class Recording:
    """A recorded call."""

    inputs: tuple[Tensor, ...]
    """Read by `replay`."""
    outputs: tuple[Tensor, ...]
    """Written by `replay`."""
    replay: Callable[[], None]


class Recorder(Protocol):
    """Makes recordings."""

    def suits(self, inputs: tuple[Tensor, ...]) -> bool:
        """Whether calls with such inputs can be recorded."""
        ...

    def record(self, function: Function, inputs: tuple[Tensor, ...]) -> Recording:
        """Records one call.

        Raises:
            RuntimeError: it cannot be recorded, such as where the function waits for the GPU.
        """
        ...


class CudaRecorder:
    """Records CUDA graphs: a warm call and the recorded one, both on a stream of their own."""

    def suits(self, inputs: tuple[Tensor, ...]) -> bool:
        """See `Recorder`."""
        return bool(inputs) and all(each.is_cuda for each in inputs)

    def record(self, function: Function, inputs: tuple[Tensor, ...]) -> Recording:
        """See `Recorder`."""
        device = inputs[0].device
        static = tuple(each.clone() for each in inputs)
        here, stream = torch.cuda.current_stream(device), torch.cuda.Stream(device)
        stream.wait_stream(here)
        graph = torch.cuda.CUDAGraph()
        # Destroying another graph while this one is recorded would break it, and so would the window's thread, which
        # copies on a stream of its own, were it not for the mode. `torch.cuda.graph` would also hand all cached memory
        # back, which stops the picture for a tenth of a second.
        collecting = gc.isenabled()
        gc.disable()
        try:
            with torch.cuda.device(device), torch.cuda.stream(stream):
                function(*static)
                stream.synchronize()
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    outputs = function(*static)
                finally:
                    graph.capture_end()
        finally:
            if collecting:
                gc.enable()
        here.wait_stream(stream)
        return Recording(static, outputs, graph.replay)


class Captured:
    """Calls a function, from the third call of a size on by replaying what was recorded.

    The function's results may depend on its inputs and on tensors that keep their addresses (weights); it may write to
    such tensors. It may not wait for the GPU, move anything between GPU and CPU, or draw random numbers. Once what else
    it depends on has changed, `forget`. Not thread-safe.

    Args:
        function: tensors in, a tuple of tensors out; no gradients.
        recorder: None: CUDA graphs.
        most: recordings that are kept at most, the latest used ones.
    """

    def __init__(self, function: Function, *, recorder: Recorder | None = None, most: int = MOST) -> None:
        self._function, self._most = function, most
        self._recorder = CudaRecorder() if recorder is None else recorder
        self._calls: OrderedDict[Hashable, int | Recording] = OrderedDict()
        self.trouble = ""
        """Why calls are not recorded any more, for the person who looks into performance; '': they are."""

    def __call__(self, *inputs: Tensor, variant: Hashable = None) -> tuple[Tensor, ...]:
        """The function's results, in memory of their own.

        Args:
            inputs: of any sizes; each set of sizes, types and orders in memory has a recording of its own.
            variant: what else the function's course depends on.
        """
        with torch.inference_mode(False), torch.no_grad():  # one memory for calls within inference mode and outside
            if self.trouble or not self._recorder.suits(inputs):
                return self._function(*inputs)
            key = (variant, *((each.shape, each.stride(), each.dtype, each.device) for each in inputs))
            found = self._known(key)
            if not isinstance(found, Recording):
                if found <= WARM:
                    return self._function(*inputs)
                try:
                    found = self._recorder.record(self._function, inputs)
                except RuntimeError as error:
                    self.forget()
                    self.trouble = f"{type(error).__name__}: {error}"
                    _log.warning("No CUDA graph could be recorded (%s); operations are launched one by one.", error)
                    return self._function(*inputs)
                self._calls[key] = found
            for static, given in zip(found.inputs, inputs, strict=True):
                static.copy_(given, non_blocking=True)
            found.replay()
            return tuple(each.clone() for each in found.outputs)

    def forget(self) -> None:
        """Lets all recordings go: another size, other weights, another device."""
        self._calls.clear()

    def _known(self, key: Hashable) -> int | Recording:
        """What there is of such calls: a recording, or how many there were, this one included."""
        found = self._calls.pop(key, 0)
        if not isinstance(found, Recording):
            found += 1
        self._calls[key] = found
        recorded = [each for each, kept in self._calls.items() if isinstance(kept, Recording)]
        for each in recorded[: max(0, len(recorded) - self._most)]:
            del self._calls[each]
        while len(self._calls) > 8 * self._most:  # sizes seen once or twice
            self._calls.popitem(last=False)
        return found
