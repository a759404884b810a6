"""Which presenter: a self test at start walks from the fastest path to the one that always works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from OpenGL import GL

from .base import Presenter, PresentError
from .host import HostPresenter
from .texture import TexturePresenter, cuda_runtime, gl_devices

PresentKind = Literal["auto", "texture", "host"]

OFFLOAD = "__NV_PRIME_RENDER_OFFLOAD=1 __GLX_VENDOR_LIBRARY_NAME=nvidia"
"""What puts OpenGL onto the NVIDIA GPU of a hybrid laptop; suggested, never set silently."""


@dataclass(frozen=True)
class Choice:
    """The presenter that passed, and one line for the log and the performance section."""

    presenter: Presenter
    line: str


def choose(kind: PresentKind = "auto", device: str = "cpu", *, runtime: Any = None) -> Choice:
    """Pick the way to the screen. Needs a current GL context on this thread; 'auto' always finds one.

    Args:
        kind: 'auto' tests the paths from the fastest on; 'texture' and 'host' force one.
        device: where frames are rendered, a torch device name: 'cpu', 'cuda', 'cuda:1'.
        runtime: stands in for `cuda.bindings.runtime` in tests.

    Raises:
        ValueError: an unknown `kind`.
        PresentError: the forced path does not work here; the text says why and what to use.
    """
    if kind not in get_args(PresentKind):
        raise ValueError(f"present: expected one of {', '.join(get_args(PresentKind))}, received {kind!r}.")
    if kind == "host":
        return Choice(HostPresenter(), "Frames reach the window by host upload, as asked.")
    try:
        if not device.startswith("cuda"):
            raise PresentError(f"the model runs on the {device.upper()}")
        return Choice(_tested_texture(device, runtime), f"Frames reach the window as a CUDA texture ({device}).")
    except PresentError as error:
        reason = str(error).rstrip(".")
    except Exception as error:  # a driver can fail in ways nobody listed, and none of them may keep the window away
        reason = f"{type(error).__name__}: {error}".rstrip(".")
    if kind == "texture":
        raise PresentError(
            f"--present texture does not work here: {reason}. Use --present auto, which falls back to host upload."
        )
    return Choice(HostPresenter(), f"Frames reach the window by host upload: {reason}.")


def _tested_texture(device: str, runtime: Any) -> TexturePresenter:
    """A texture presenter that has carried one pattern from the GPU to the texture and back.

    Raises:
        PresentError: it did not arrive.
    """
    runtime = runtime if runtime is not None else cuda_runtime()
    ordinal = int(device.partition(":")[2] or 0)
    drawing = gl_devices(runtime)
    if ordinal not in drawing:
        where = f"CUDA device {drawing[0]}" if drawing else "no CUDA device"
        raise PresentError(f"the model runs on {device} but OpenGL on {where}; on a hybrid laptop start with {OFFLOAD}")
    presenter = TexturePresenter(runtime)
    try:
        _self_test(presenter, lambda pattern: _to_device(pattern, device))
    except BaseException:
        presenter.close()
        raise
    return presenter


def _to_device(pattern: np.ndarray, device: str) -> Any:
    import torch

    tensor = torch.from_numpy(pattern).to(device)
    torch.cuda.synchronize(tensor.device)
    return tensor


def _self_test(presenter: Presenter, to_device: Callable[[np.ndarray], Any]) -> None:
    """Show a pattern and read it back through GL.

    Raises:
        PresentError: a step failed, or other pixels came back.
    """
    pattern = np.arange(8 * 16 * 4, dtype=np.uint16).astype(np.uint8).reshape(8, 16, 4)
    presenter.show(to_device(pattern))
    if not np.array_equal(read_texture(presenter), pattern):
        raise PresentError("the self test read back other pixels than it showed")


def read_texture(presenter: Presenter) -> np.ndarray:
    """The texture's pixels `[h, w, 4]` uint8, row 0 the picture's top. Slow; for self tests."""
    width, height = presenter.size
    GL.glBindTexture(GL.GL_TEXTURE_2D, presenter.texture)
    GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 4)
    data = GL.glGetTexImage(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, outputType=bytes)
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)
