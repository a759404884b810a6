"""CUDA texture: the frame is copied on the GPU straight into the window's texture and never visits host memory.

Per size: `cudaGraphicsGLRegisterImage`. Per frame: map, ask for the array, copy on the render stream, unmap.
Register, map and unmap happen on the thread that owns the GL context (shared rule, see ARCHITECTURE.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from OpenGL import GL

from .base import PictureTexture, PresentError, check_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from .base import Pixels


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


def _stream_of(pixels: Tensor) -> tuple[Any, int]:
    """torch's current stream on the frame's device, and its CUDA handle."""
    import torch

    stream = torch.cuda.current_stream(pixels.device)
    return stream, int(stream.cuda_stream)


class TexturePresenter:
    """Copies CUDA frames into a registered GL texture; see the module's first lines.

    Args:
        runtime: `cuda.bindings.runtime`, or what stands in for it.
        texture: makes the GL texture; replaced in tests that have no GL.
        stream_of: the frame's `(torch stream, CUDA handle)`; replaced in tests that have no GPU.
    """

    name = "CUDA texture"

    def __init__(
        self,
        runtime: Any = None,
        *,
        texture: Callable[[], PictureTexture] = PictureTexture,
        stream_of: Callable[[Any], tuple[Any, int]] = _stream_of,
    ) -> None:
        self._runtime = runtime if runtime is not None else cuda_runtime()
        self._stream_of = stream_of
        self._resource: Any = None
        self._texture = texture()

    @property
    def texture(self) -> int:
        return self._texture.name

    @property
    def size(self) -> tuple[int, int]:
        return self._texture.size

    def show(self, pixels: Pixels) -> None:
        """Copy `pixels` `[h, w, 4]` uint8 on a CUDA device into the texture; returns before the copy has run.

        Raises:
            ValueError: another shape or type.
            PresentError: the frame is not on a CUDA device, or CUDA refused a step.
        """
        width, height = check_pixels(pixels)
        frame: Any = pixels
        if not getattr(frame, "is_cuda", False):
            raise PresentError("A frame on the CPU cannot take the CUDA texture path; use host upload.")
        if self._texture.size != (width, height) or self._resource is None:
            self._register(width, height)
        frame = frame.contiguous()
        stream, handle = self._stream_of(frame)
        cuda = self._runtime
        check(cuda, "cudaGraphicsMapResources", cuda.cudaGraphicsMapResources(1, self._resource, handle))
        try:
            # The array may move from one mapping to the next, so it is asked for every time.
            array = check(
                cuda,
                "cudaGraphicsSubResourceGetMappedArray",
                cuda.cudaGraphicsSubResourceGetMappedArray(self._resource, 0, 0),
            )
            to_array = cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            row = 4 * width
            check(
                cuda,
                "cudaMemcpy2DToArrayAsync",
                cuda.cudaMemcpy2DToArrayAsync(array, 0, 0, frame.data_ptr(), row, row, height, to_array, handle),
            )
            # The copy reads the tensor after this function has returned: its memory may not be handed out before.
            frame.record_stream(stream)
        finally:
            # Unmapping orders the copy before whatever GL draws next: no synchronisation is needed.
            unmapped = cuda.cudaGraphicsUnmapResources(1, self._resource, handle)
        check(cuda, "cudaGraphicsUnmapResources", unmapped)

    def close(self) -> None:
        self._unregister()
        self._texture.close()

    def _register(self, width: int, height: int) -> None:
        # A registered texture may be neither resized nor deleted, so the registration goes first.
        self._unregister()
        self._texture.allocate(width, height)
        cuda = self._runtime
        write_only = int(cuda.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard)
        self._resource = check(
            cuda,
            "cudaGraphicsGLRegisterImage",
            cuda.cudaGraphicsGLRegisterImage(self._texture.name, int(GL.GL_TEXTURE_2D), write_only),
        )

    def _unregister(self) -> None:
        if self._resource is not None:
            resource, self._resource = self._resource, None
            # Nobody can act on a failure here (the context or the GPU is gone); clear it and go on.
            if int(self._runtime.cudaGraphicsUnregisterResource(resource)[0]) != 0:
                self._runtime.cudaGetLastError()
