"""From a picture file to the square photo that a generator can be fitted to, framed as its own pictures are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import torch

from ...models.base import Generator
from ..camera import camera_matrices
from ..rendering.exact import render_exact
from ..state import Camera
from .photo import Box, Photo, Picture, extent, read_picture

SIDE = 48
"""Of the picture in which the generator's own framing is looked up, pixels."""
WAIT = 0.02
"""Seconds that a piece of waiting for a file takes."""
FILLS = 0.95
"""Height in parts of the picture from which on a generator's subject has no outline that could be aligned to."""


@torch.no_grad()
def usual_frame(generator: Generator) -> tuple[float, float, float] | None:
    """Where a generator's average subject stands in its front view: (middle across, top, height), 0..1.

    None where it fills the picture or there is a background: then a photo's middle is as good as any.
    """
    usual = generator.camera
    scene = generator.scene(generator.codes(0, truncation=0.0))
    if scene.background is not None:
        return None
    front = Camera(yaw=0.0, pitch=0.0, radius=usual.radius, fov=usual.fov, pivot=usual.pivot)
    matrices = [torch.from_numpy(m).float() for m in camera_matrices(front, usual)]
    device = generator.codes(0).device
    rendered = render_exact(scene, *matrices, resolution=SIDE, samples=0.5, device=device)
    frame = extent(rendered.alpha.cpu())
    return None if frame[2] > FILLS else frame


def framed_photo(generator: Generator, picture: Picture | str | Path, box: Box | None = None) -> Photo:
    """The photo to give to `invert`.

    Args:
        generator: whose framing is wanted.
        picture: read already, or a file.
        box: the square that a person marked; None: found from the subject's outline, else the middle.

    Raises:
        EditError: the file is no picture that can be read, or the square holds next to nothing.
    """
    found = picture if isinstance(picture, Picture) else read_picture(picture)
    if box is None:
        frame = usual_frame(generator)
        box = None if frame is None else found.framed(frame)
    return found.cut(box)


def framed_file(
    generator: Generator, path: Path, part: tuple[float, float, float, float] | None = None
) -> Iterator[Photo | None]:
    """A file's photo, read on a thread of its own: some take seconds. None while it is at work, the photo in the end.

    Args:
        generator: whose framing is wanted.
        path: of a picture.
        part: left, top, right, bottom of the square that a person marked, 0..1 of the picture's width and height.

    Raises:
        EditError: as `read_picture` and `framed_photo`.
    """
    found: list[Photo] = []
    failed: list[Exception] = []

    def read() -> None:
        try:
            picture = read_picture(path)
            height, width = picture.rgb.shape[1:]
            box = None if part is None else Box(part[0] * width, part[1] * height, (part[2] - part[0]) * width)
            found.append(framed_photo(generator, picture, box))
        except Exception as error:  # told where the photo is waited for
            failed.append(error)

    reader = threading.Thread(target=read, name="neuroview-photo", daemon=True)
    reader.start()
    while reader.is_alive():
        reader.join(WAIT)
        yield None
    if failed:
        raise failed[0]
    yield found[0]
