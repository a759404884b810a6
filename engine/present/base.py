"""`Presenter`: the way from a frame's pixels to an OpenGL texture, and the texture that every presenter fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from OpenGL import GL

from ...models.errors import NeuroviewError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Pixels = Tensor | np.ndarray


class PresentError(NeuroviewError):
    """Frames cannot reach the window on this path; the text says which step failed and what to use instead."""


@runtime_checkable
class Presenter(Protocol):
    """Shows frames. Every call is made on the thread that owns the GL context; the context is current."""

    name: str
    """In a person's words: 'host upload', 'CUDA texture'."""

    @property
    def texture(self) -> int:
        """GL name of the texture; the same through every size."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the newest picture in pixels; (0, 0) before the first."""
        ...

    def show(self, pixels: Pixels) -> None:
        """Fill the texture with `pixels` `[h, w, 4]` uint8 RGBA, row 0 the picture's top.

        The frame must be finished: whoever rendered it on another CUDA stream has waited for that stream.

        Raises:
            ValueError: `pixels` has another shape or type.
            PresentError: the path broke (a lost GPU, a driver that refuses); the caller falls back to the host path.
        """
        ...

    def close(self) -> None:
        """Give back the texture and what is tied to it; calling it again does nothing."""
        ...


class PictureTexture:
    """A GL_RGBA8 2D texture whose name outlives its size. Row 0 is the picture's top, so texture v points down."""

    def __init__(self) -> None:
        self.size: tuple[int, int] = (0, 0)
        self.name: int = int(GL.glGenTextures(1))
        self.bind()
        # The picture sets the minifying filter when it draws: mipmaps only cost where the picture shrinks.
        for key, value in (
            (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_WRAP_S, GL.GL_CLAMP_TO_EDGE),
            (GL.GL_TEXTURE_WRAP_T, GL.GL_CLAMP_TO_EDGE),
        ):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, key, value)

    def bind(self) -> None:
        GL.glBindTexture(GL.GL_TEXTURE_2D, self.name)

    def allocate(self, width: int, height: int) -> None:
        """Storage for `width` x `height` pixels, contents undefined.

        RGBA8 and not RGB8 or sRGB8: CUDA registers four-channel formats only, and the colours are display-ready.
        """
        self.bind()
        # Every smaller level too: making mipmaps later then changes no storage, which a registered texture forbids.
        for level in range(max(width, height).bit_length()):
            w, h = max(width >> level, 1), max(height >> level, 1)
            GL.glTexImage2D(GL.GL_TEXTURE_2D, level, GL.GL_RGBA8, w, h, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, None)
        GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MAX_LEVEL, max(width, height).bit_length() - 1)
        self.size = (width, height)

    def close(self) -> None:
        if self.name:
            GL.glDeleteTextures([self.name])
            self.name, self.size = 0, (0, 0)


def check_pixels(pixels: Any) -> tuple[int, int]:
    """(width, height) of `pixels`.

    Raises:
        ValueError: it is not `[h, w, 4]` uint8 with at least one pixel.
    """
    shape, kind = tuple(pixels.shape), str(pixels.dtype)
    if len(shape) != 3 or shape[2] != 4 or 0 in shape or not kind.endswith("uint8"):
        raise ValueError(f"pixels: expected [h, w, 4] uint8 RGBA, received {list(shape)} {kind}.")
    return shape[1], shape[0]
