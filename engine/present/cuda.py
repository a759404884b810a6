"""What both CUDA paths share: the runtime and its errors, which GPU draws the window, and resources that CUDA maps.

Nothing here ever asks for a copy to or from host memory. Register, map and unmap happen on the thread that owns the GL
context (shared rule, see ARCHITECTURE.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .base import PresentError


def cuda_runtime() -> Any:
    """cuda-python's `cuda.bindings.runtime`.

    Raises:
        PresentError: cuda-python is missing (macOS) or broken.
    """
    try:
        from cuda.bindings import runtime
    except (ImportError, RuntimeError, OSError) as error:
        raise PresentError(f"cuda-python cannot be loaded ({error}); use host upload.") from error
    return runtime


def check(runtime: Any, step: str, result: tuple[Any, ...]) -> Any:
    """The value of a runtime call, which answers `(error, value...)`.

    Raises:
        PresentError: the error is not success. CUDA's sticky 'last error' is cleared, so that the next user of the
            runtime, torch among them, does not stumble over it.
    """
    error, *values = result
    if int(error) != 0:
        runtime.cudaGetLastError()
        _, text = runtime.cudaGetErrorString(error)
        words = text.decode() if isinstance(text, bytes) else str(text)
        raise PresentError(f"{step} failed: {words} (CUDA error {int(error)}).")
    return values[0] if len(values) == 1 else tuple(values)


def gl_devices(runtime: Any) -> list[int]:
    """Ordinals of the CUDA devices that draw the current GL context.

    Raises:
        PresentError: no driver (error 35), a context drawn by no CUDA device, or WSL (error 304).
    """
    every = runtime.cudaGLDeviceList.cudaGLDeviceListAll
    count, devices = check(runtime, "cudaGLGetDevices", runtime.cudaGLGetDevices(16, every))
    return [int(device) for device in devices[:count]]


def own_stream(pixels: Any) -> Any:
    """A torch stream of the window's own on a frame's device.

    On torch's default stream the copy would queue behind the next frame, which the render thread has already begun.
    """
    import torch

    return torch.cuda.Stream(pixels.device)


class CudaFrames:
    """Where CUDA frames come in: on which device, and on which stream they are copied.

    Args:
        runtime: `cuda.bindings.runtime`, or what stands in for it.
        device: ordinal of the GPU that renders and draws.
        stream_for: makes the torch stream of the copies; replaced in tests that have no GPU.
    """

    def __init__(self, runtime: Any, device: int, stream_for: Callable[[Any], Any]) -> None:
        self.runtime, self.device, self._stream_for = runtime, device, stream_for
        self._stream: Any = None

    def take(self, pixels: Any, path: str) -> tuple[Any, int, Any, int]:
        """A finished frame as (tensor, bytes from row to row, torch stream, its CUDA handle); the thread's device is
        the frame's from now on, which the runtime registers and maps for.

        Raises:
            PresentError: the frame is not on this device.
        """
        if not getattr(pixels, "is_cuda", False) or pixels.get_device() != self.device:
            where = str(getattr(pixels, "device", "the CPU"))
            raise PresentError(f"A frame on {where} cannot take the {path} path of cuda:{self.device}.")
        check(self.runtime, "cudaSetDevice", self.runtime.cudaSetDevice(self.device))
        if self._stream is None:
            self._stream = self._stream_for(pixels)
        if pixels.stride(2) != 1 or pixels.stride(1) != 4 or pixels.stride(0) < 4 * pixels.shape[1]:
            import torch

            with torch.cuda.stream(self._stream):  # before the copy, in its own order
                pixels = pixels.contiguous()
        return pixels, pixels.stride(0), self._stream, int(self._stream.cuda_stream)


class Registration:
    """At most one GL object that CUDA may map. A registered object may be neither resized nor deleted."""

    def __init__(self, runtime: Any) -> None:
        self._runtime, self._resource = runtime, None

    @property
    def held(self) -> bool:
        return self._resource is not None

    def texture(self, name: int, target: int) -> None:
        """Register a GL texture that CUDA overwrites as a whole.

        Raises:
            PresentError: CUDA refuses.
        """
        register = self._runtime.cudaGraphicsGLRegisterImage
        self._resource = check(
            self._runtime, "cudaGraphicsGLRegisterImage", register(name, int(target), self._overwritten)
        )

    def buffer(self, name: int) -> None:
        """Register a GL buffer that CUDA overwrites as a whole.

        Raises:
            PresentError: CUDA refuses.
        """
        register = self._runtime.cudaGraphicsGLRegisterBuffer
        self._resource = check(self._runtime, "cudaGraphicsGLRegisterBuffer", register(name, self._overwritten))

    @property
    def _overwritten(self) -> int:
        return int(self._runtime.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard)

    @contextmanager
    def mapped(self, stream: int) -> Iterator[Any]:
        """The resource while it belongs to CUDA. What GL was told before is done before CUDA's work on `stream`, and
        that before what GL is told afterwards: nobody has to wait.

        Raises:
            PresentError: CUDA refuses.
        """
        cuda = self._runtime
        check(cuda, "cudaGraphicsMapResources", cuda.cudaGraphicsMapResources(1, self._resource, stream))
        try:
            yield self._resource
        finally:
            unmapped = cuda.cudaGraphicsUnmapResources(1, self._resource, stream)
        check(cuda, "cudaGraphicsUnmapResources", unmapped)

    def drop(self) -> None:
        """Unregister, before the object is resized or deleted; without one, nothing."""
        if self._resource is not None:
            resource, self._resource = self._resource, None
            # Nobody can act on a failure here (the context or the GPU is gone); clear it and go on.
            if int(self._runtime.cudaGraphicsUnregisterResource(resource)[0]) != 0:
                self._runtime.cudaGetLastError()
