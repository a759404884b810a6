"""CUDA pixel buffer: the frame is copied on the GPU into a GL buffer, and by GL from there into the window's texture.

One copy more than the texture path, and for drivers that refuse that one. Per size: `cudaGraphicsGLRegisterBuffer`. Per
frame: map, ask for the address, copy on a stream of the window's, unmap, `glTexSubImage2D` from the buffer. The frame
never visits host memory.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from OpenGL import GL
from OpenGL.raw.GL.VERSION.GL_1_1 import glTexSubImage2D

from .base import PictureTexture, PresentError, check_pixels
from .cuda import CudaFrames, Registration, check, cuda_runtime, own_stream

if TYPE_CHECKING:
    from .base import Pixels


class PixelBuffer:
    """A GL buffer that textures are filled from. Its name outlives its size."""

    def __init__(self) -> None:
        self.bytes = 0
        self.name = int(GL.glGenBuffers(1))

    def allocate(self, size: int) -> None:
        """Storage for `size` bytes, contents undefined."""
        GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, self.name)
        GL.glBufferData(GL.GL_PIXEL_UNPACK_BUFFER, size, None, GL.GL_STREAM_DRAW)
        GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, 0)
        self.bytes = size

    def fill(self, texture: PictureTexture) -> None:
        """Overwrite the texture with rows of RGBA from the buffer's start."""
        width, height = texture.size
        texture.bind()
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 4)
        GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, 0)
        GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, self.name)
        try:  # while it is bound, the last argument is no address but an offset into it
            glTexSubImage2D(
                GL.GL_TEXTURE_2D, 0, 0, 0, width, height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, ctypes.c_void_p(0)
            )
        finally:
            GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, 0)

    def close(self) -> None:
        if self.name:
            GL.glDeleteBuffers(1, [self.name])
            self.name, self.bytes = 0, 0


class PboPresenter:
    """Copies CUDA frames into a registered GL buffer and on into the texture; see the module's first lines.

    Args:
        runtime: `cuda.bindings.runtime`, or what stands in for it.
        device: ordinal of the GPU that renders and draws.
        texture, buffer: make the GL objects; replaced in tests that have no GL.
        stream_for: makes the torch stream of the copies; replaced in tests that have no GPU.
    """

    name = "CUDA pixel buffer"

    def __init__(
        self,
        runtime: Any = None,
        device: int = 0,
        *,
        texture: Callable[[], PictureTexture] = PictureTexture,
        buffer: Callable[[], PixelBuffer] = PixelBuffer,
        stream_for: Callable[[Any], Any] = own_stream,
    ) -> None:
        self._runtime = runtime if runtime is not None else cuda_runtime()
        self._frames = CudaFrames(self._runtime, device, stream_for)
        self._registration = Registration(self._runtime)
        self._texture, self._buffer = texture(), buffer()

    @property
    def texture(self) -> int:
        return self._texture.name

    @property
    def size(self) -> tuple[int, int]:
        return self._texture.size

    def show(self, pixels: Pixels) -> None:
        """Copy `pixels` `[h, w, 4]` uint8 on the CUDA device into the texture; returns before the copies have run.

        Raises:
            ValueError: another shape or type.
            PresentError: the frame is not on the device, or CUDA refused a step.
        """
        width, height = check_pixels(pixels)
        frame, pitch, stream, handle = self._frames.take(pixels, self.name)
        row, needed = 4 * width, 4 * width * height
        if self._texture.size != (width, height) or not self._registration.held:
            self._registration.drop()
            self._texture.allocate(width, height)
            self._buffer.allocate(needed)
            self._registration.buffer(self._buffer.name)
        cuda = self._runtime
        with self._registration.mapped(handle) as resource:
            # The address may change from one mapping to the next, so it is asked for every time.
            address, size = check(
                cuda,
                "cudaGraphicsResourceGetMappedPointer",
                cuda.cudaGraphicsResourceGetMappedPointer(resource),
            )
            if size < needed:
                raise PresentError(f"The mapped pixel buffer has {size} bytes; the frame needs {needed}.")
            on_device = cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            check(
                cuda,
                "cudaMemcpy2DAsync",
                cuda.cudaMemcpy2DAsync(address, row, frame.data_ptr(), pitch, row, height, on_device, handle),
            )
            # The copy reads the tensor after this function has returned: its memory may not be handed out before.
            frame.record_stream(stream)
        self._buffer.fill(self._texture)

    def close(self) -> None:
        self._registration.drop()
        self._buffer.close()
        self._texture.close()
