"""Host upload: the picture passes through ordinary memory. Works with every driver and every device."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
from OpenGL import GL
from OpenGL.raw.GL.VERSION.GL_1_1 import glTexSubImage2D

from .base import PictureTexture, PresentError, check_pixels

if TYPE_CHECKING:
    from .base import Pixels


class HostPresenter:
    """`glTexSubImage2D` from the frame's own memory; no copy is made of a frame that lives on the CPU."""

    name = "host upload"

    def __init__(self) -> None:
        self._texture = PictureTexture()
        self._staging: Any = None
        """Page-locked memory of one frame, for frames that live on a GPU: twice as fast as pageable memory."""

    @property
    def texture(self) -> int:
        return self._texture.name

    @property
    def size(self) -> tuple[int, int]:
        return self._texture.size

    def show(self, pixels: Pixels) -> None:
        """Upload `pixels` `[h, w, 4]` uint8; the texture is reallocated only when the size changed.

        Raises:
            ValueError: another shape or type.
            PresentError: the frame cannot be read from its GPU, which has been lost.
        """
        width, height = check_pixels(pixels)
        array, row_length = _uploadable(self._on_host(pixels))
        if self._texture.size != (width, height):
            self._texture.allocate(width, height)
        self._texture.bind()
        # RGBA rows are whole multiples of four bytes, but another upload may have left its own alignment behind.
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 4)
        GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, row_length)
        # The raw entry point takes the address as it is; PyOpenGL's wrapper may convert the array first.
        glTexSubImage2D(
            GL.GL_TEXTURE_2D, 0, 0, 0, width, height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE,
            ctypes.c_void_p(array.ctypes.data),
        )  # fmt: skip
        GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, 0)

    def close(self) -> None:
        self._texture.close()
        self._staging = None

    def _on_host(self, pixels: Any) -> np.ndarray:
        if isinstance(pixels, np.ndarray):
            return pixels
        pixels = pixels.detach()
        if pixels.device.type != "cpu":
            import torch  # already loaded: the frame is a torch tensor

            try:
                if self._staging is None or self._staging.shape != pixels.shape:
                    self._staging = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=pixels.is_cuda)
                self._staging.copy_(pixels)
            except RuntimeError as error:
                self._staging = None
                words = str(error).splitlines()[0]
                raise PresentError(f"The frame cannot be read from {pixels.device} ({words}).") from error
            pixels = self._staging
        return pixels.numpy()


def _uploadable(array: np.ndarray) -> tuple[np.ndarray, int]:
    """`array` with packed pixels, and its row pitch in pixels: GL reads a crop of a larger picture in place."""
    pitch, step, channel = array.strides
    if channel != 1 or step != 4 or pitch % 4 or pitch < 4 * array.shape[1]:
        array = np.ascontiguousarray(array)
        pitch = 4 * array.shape[1]
    return array, pitch // 4
