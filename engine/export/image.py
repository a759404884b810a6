"""Pictures that remember: PNG files whose text carries the state, and float arrays as .npz."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ...models.errors import NeuroviewError
from ..frame import Frame
from ..state import ViewState

STATE_KEY = "neuroview:state"
FINGERPRINT_KEY = "neuroview:fingerprint"


class ExportError(NeuroviewError):
    """A picture could not be written, or one that should hold a state does not."""


@dataclass(frozen=True)
class Restored:
    """What a screenshot carries."""

    state: ViewState
    fingerprint: str
    """sha256 of the model's file when the picture was taken; empty when unknown."""


def save_png(path: str | Path, frame: Frame, fingerprint: str = "", notes: Mapping[str, str] | None = None) -> Path:
    """Write the frame's pixels as PNG with its whole state and the model's fingerprint in text chunks.

    Args:
        notes: further text chunks, for whoever looks into the file; they are not read back.

    Raises:
        ExportError: the folder cannot be written to.
    """
    info = PngInfo()
    info.add_itxt(STATE_KEY, frame.state.to_json())
    info.add_text(FINGERPRINT_KEY, fingerprint)
    info.add_text("Software", "neuroview")
    for name, text in (notes or {}).items():
        info.add_itxt(name, text)
    picture = Image.fromarray(np.ascontiguousarray(frame.pixels[..., :3].cpu().numpy()))
    return _write(Path(path), lambda file: picture.save(file, format="PNG", pnginfo=info))


def save_npz(path: str | Path, frame: Frame) -> Path:
    """Write `rgb [H, W, 3]`, `raw [h, w, 3]`, `depth [h, w]`, `alpha [h, w]` as float32, colours not clipped.

    Raises:
        ExportError: the folder cannot be written to.
    """
    rgb, raw, depth, alpha = (
        np.ascontiguousarray(values.float().cpu().numpy())
        for values in (frame.rgb, frame.raw, frame.depth, frame.alpha)
    )
    return _write(Path(path), lambda file: np.savez_compressed(file, rgb=rgb, raw=raw, depth=depth, alpha=alpha))


def read_png(path: str | Path) -> Restored:
    """The state that a screenshot carries. The picture itself is not decoded.

    Raises:
        ExportError: no PNG, or one without a state.
        StateError: the state is of a newer version or has wrong types.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            text = getattr(picture, "text", {})
            state, fingerprint = text.get(STATE_KEY), text.get(FINGERPRINT_KEY, "")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ExportError(f"{path.name} cannot be read as a PNG picture: {error}.") from error
    if state is None:
        raise ExportError(
            f"{path.name} carries no neuroview state; only screenshots taken with neuroview restore a view "
            "(and some programs strip the text when they save again)."
        )
    return Restored(ViewState.from_json(state), fingerprint)


def _write(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Through a temporary file beside it, so that a full disk or a crash leaves no half picture."""
    path = path.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path
