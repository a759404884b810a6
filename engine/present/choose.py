"""Which presenter: a self test at start walks from the fastest path to the one that always works."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from OpenGL import GL

from .base import Presenter, PresentError
from .cuda import cuda_runtime, gl_devices
from .host import HostPresenter
from .pbo import PboPresenter
from .texture import TexturePresenter

PresentKind = Literal["auto", "texture", "pbo", "host"]
Path = Literal["texture", "pbo", "host"]

OFFLOAD = "__NV_PRIME_RENDER_OFFLOAD=1 __GLX_VENDOR_LIBRARY_NAME=nvidia"
"""What puts OpenGL onto the NVIDIA GPU of a hybrid laptop; suggested, never set silently."""


@dataclass(frozen=True)
class Choice:
    """The presenter that passed, and one line for the log and the performance section."""

    presenter: Presenter
    line: str
    path: Path = "host"


def choose(
    kind: PresentKind = "auto", device: str = "cpu", *, given_up: Collection[Path] = (), runtime: Any = None
) -> Choice:
    """Pick the way to the screen. Needs a current GL context on this thread; 'auto' always finds one.

    Args:
        kind: 'auto' tests the paths from the fastest on (texture, pbo, host); any other one is forced.
        device: where frames are rendered, a torch device name: 'cpu', 'cuda', 'cuda:1'.
        given_up: paths that have failed while they were used, and are not tried again.
        runtime: stands in for `cuda.bindings.runtime` in tests.

    Raises:
        ValueError: an unknown `kind`.
        PresentError: the forced path does not work here; the text says why and what to use.
    """
    if kind not in get_args(PresentKind):
        raise ValueError(f"present: expected one of {', '.join(get_args(PresentKind))}, received {kind!r}.")
    if kind == "host":
        return Choice(HostPresenter(), "Frames reach the window by host upload, as asked.")
    reasons: list[str] = []
    try:
        if not device.startswith("cuda"):
            raise PresentError(f"the model runs on the {device.upper()}")
        runtime = runtime if runtime is not None else cuda_runtime()
        ordinal = _drawing(device, runtime)
    except Exception as error:  # a driver can fail in ways nobody listed, and none of them may keep the window away
        reasons.append(_words(error))
    else:
        paths: tuple[tuple[Path, type[TexturePresenter] | type[PboPresenter], str], ...] = (
            ("texture", TexturePresenter, "as a CUDA texture"),
            ("pbo", PboPresenter, "through a CUDA pixel buffer"),
        )
        for path, make, words in paths:
            if kind not in ("auto", path):
                continue
            if path in given_up:
                reasons.append(f"the {path} path has failed before")
                continue
            try:
                presenter = _tested(make, runtime, ordinal)
            except Exception as error:  # as above
                reasons.append(_words(error))
                continue
            why = f": {'; '.join(reasons)}" if reasons else ""
            return Choice(presenter, f"Frames reach the window {words} ({device}){why}.", path)
    reason = "; ".join(reasons)
    if kind != "auto":
        raise PresentError(
            f"--present {kind} does not work here: {reason}. Use --present auto, which falls back to host upload."
        )
    return Choice(HostPresenter(), f"Frames reach the window by host upload: {reason}.")


def _words(error: Exception) -> str:
    text = str(error) if isinstance(error, PresentError) else f"{type(error).__name__}: {error}"
    return text.rstrip(".")


def _drawing(device: str, runtime: Any) -> int:
    """The ordinal of the model's GPU.

    Raises:
        PresentError: another one draws the window, or none.
    """
    ordinal = int(device.partition(":")[2] or 0)
    drawing = gl_devices(runtime)
    if ordinal not in drawing:
        where = f"CUDA device {drawing[0]}" if drawing else "no CUDA device"
        raise PresentError(f"the model runs on {device} but OpenGL on {where}; on a hybrid laptop start with {OFFLOAD}")
    return ordinal


def _tested(make: type[TexturePresenter] | type[PboPresenter], runtime: Any, ordinal: int) -> Presenter:
    """A presenter that has carried patterns of two sizes from the GPU to the texture and back.

    Raises:
        PresentError: one did not arrive.
    """
    presenter = make(runtime, ordinal)
    try:
        _self_test(presenter, lambda pattern: _to_device(pattern, ordinal))
    except BaseException:
        presenter.close()
        raise
    return presenter


def _to_device(pattern: np.ndarray, ordinal: int) -> Any:
    import torch

    tensor = torch.from_numpy(pattern).to(f"cuda:{ordinal}")
    torch.cuda.synchronize(tensor.device)
    return tensor


def _self_test(presenter: Presenter, to_device: Callable[[np.ndarray], Any]) -> None:
    """Show patterns and read them back through GL; the second has another size, as resizing is where drivers differ.

    Raises:
        PresentError: a step failed, or other pixels came back.
    """
    for height, width in ((8, 16), (5, 12)):
        pattern = np.arange(height * width * 4, dtype=np.uint16).astype(np.uint8).reshape(height, width, 4)
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
