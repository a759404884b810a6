"""CUDA texture: the frame is copied on the GPU straight into the window's texture and never visits host memory.

Per size: `cudaGraphicsGLRegisterImage`. Per frame: map, ask for the array, copy on a stream of the window's, unmap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from OpenGL import GL

from .base import PictureTexture, check_pixels
from .cuda import CudaFrames, Registration, check, cuda_runtime, own_stream

if TYPE_CHECKING:
    from .base import Pixels


class TexturePresenter:
    """Copies CUDA frames into a registered GL texture; see the module's first lines.

    Args:
        runtime: `cuda.bindings.runtime`, or what stands in for it.
        device: ordinal of the GPU that renders and draws.
        texture: makes the GL texture; replaced in tests that have no GL.
        stream_for: makes the torch stream of the copies; replaced in tests that have no GPU.
    """

    name = "CUDA texture"

    def __init__(
        self,
        runtime: Any = None,
        device: int = 0,
        *,
        texture: Callable[[], PictureTexture] = PictureTexture,
        stream_for: Callable[[Any], Any] = own_stream,
    ) -> None:
        self._runtime = runtime if runtime is not None else cuda_runtime()
        self._frames = CudaFrames(self._runtime, device, stream_for)
        self._registration = Registration(self._runtime)
        self._texture = texture()

    @property
    def texture(self) -> int:
        return self._texture.name

    @property
    def size(self) -> tuple[int, int]:
        return self._texture.size

    def show(self, pixels: Pixels) -> None:
        """Copy `pixels` `[h, w, 4]` uint8 on the CUDA device into the texture; returns before the copy has run.

        Raises:
            ValueError: another shape or type.
            PresentError: the frame is not on the device, or CUDA refused a step.
        """
        width, height = check_pixels(pixels)
        frame, pitch, stream, handle = self._frames.take(pixels, self.name)
        if self._texture.size != (width, height) or not self._registration.held:
            self._registration.drop()
            self._texture.allocate(width, height)
            self._registration.texture(self._texture.name, GL.GL_TEXTURE_2D)
        cuda = self._runtime
        with self._registration.mapped(handle) as resource:
            # The array may move from one mapping to the next, so it is asked for every time.
            array = check(
                cuda,
                "cudaGraphicsSubResourceGetMappedArray",
                cuda.cudaGraphicsSubResourceGetMappedArray(resource, 0, 0),
            )
            on_device = cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            check(
                cuda,
                "cudaMemcpy2DToArrayAsync",
                cuda.cudaMemcpy2DToArrayAsync(
                    array, 0, 0, frame.data_ptr(), pitch, 4 * width, height, on_device, handle
                ),
            )
            # The copy reads the tensor after this function has returned: its memory may not be handed out before.
            frame.record_stream(stream)

    def close(self) -> None:
        self._registration.drop()
        self._texture.close()
