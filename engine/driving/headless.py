"""A drive without a window: every step of the engine drawn, painted and written as pictures."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...models.errors import NeuroviewError
from ..state import Drive
from .cockpit import PAINTED_VIEWS
from .helm import PHOTO_VIEWS
from .link import Connect, Link
from .messages import Control, DriveFrame, Weather
from .painting import Painting
from .simulator import EngineError, RecordingEndedError
from .views import compose

RATE = 30.0
"""Steps and pictures a second of a town's world: what is written is to be looked at as a film."""
ACROSS, MOST = 4, 16
"""Pictures in a row of a sheet, and in all of it."""
PATIENCE = 60.0
"""Seconds that one step of an engine may take."""


class DriveExportError(NeuroviewError):
    """Pictures of a drive cannot be written."""


def drive_headless(
    drive: Drive,
    frames: int,
    out: Path,
    autopilot: bool = True,
    *,
    device: str = "cpu",
    connect: Connect | None = None,
) -> list[Path]:
    """Drives `frames` steps and writes what `drive.view` shows of them.

    Every step is drawn and painted, however long that takes: the same drive gives the same pictures.

    Args:
        drive: which world, what paints it, and what is looked at.
        frames: how many steps, 1 or more; a recorded sequence may end earlier.
        out: a folder, which gets `frame_00000.png` and so on; or a .png, a sheet of at most 16 of them.
        autopilot: whether the engine drives; else the car stands.
        device: where the painter computes.
        connect: how the engine is reached; None: `supervise.connect`.

    Returns:
        The files written, in order.

    Raises:
        EngineError: the engine cannot be reached or has gone.
        CheckpointError: there is no such translator; views that need none do not ask for one.
        FrameError: the translator does not take such maps.
        DriveExportError: the pictures cannot be written, or `frames` is less than 1.
    """
    drive = replace(drive, rate=RATE)
    if frames < 1:
        raise DriveExportError(f"{frames} frames were asked for; expected 1 or more.")
    painting = None
    if drive.view in PAINTED_VIEWS:
        painting = Painting.open(drive.translator, drive.height, drive.width, device)
    sheet = out.suffix.lower() == ".png"
    chosen = {round(i * (frames - 1) / max(1, MOST - 1)) for i in range(MOST)} if sheet else set(range(frames))
    kept: list[NDArray[np.uint8]] = []
    written: list[Path] = []
    try:
        (out.parent if sheet else out).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(_pictures(drive, frames, autopilot, painting, connect)):
            if sheet and number in chosen:
                kept.append(picture)
            elif not sheet:
                written.append(out / f"frame_{number:05}.png")
                Image.fromarray(picture).save(written[-1])
        if kept:
            Image.fromarray(_sheet(kept)).save(out)
            written.append(out)
    except OSError as error:
        raise DriveExportError(f"{out} cannot be written: {error.strerror or error}.") from error
    return written


def _pictures(
    drive: Drive, frames: int, autopilot: bool, painting: Painting | None, connect: Connect | None
) -> Iterator[NDArray[np.uint8]]:
    """What is seen after each step, [H, W, 3]."""
    if connect is None:
        from .supervise import connect
    changed = threading.Event()
    link = connect(drive, changed.set, None, "synchronous")
    try:
        for number in range(1, frames + 1):
            control = Control(
                autopilot=autopilot,
                hand_brake=not autopilot,
                viewpoint=drive.viewpoint,
                weather=Weather(drive.hour, drive.clouds, drive.fog),
                photo=link.info.has_photo and drive.view in PHOTO_VIEWS,
                look=drive.photo_look,
                serial=number,
            )
            link.send(control, "synchronous", 0)
            try:
                frame = _next(link, changed)
            except RecordingEndedError:
                return
            label_set = link.info.label_set
            painted = None if painting is None else painting.paint(frame, label_set)
            yield compose(drive.view, drive.split, frame, label_set, painted)[..., :3]
    finally:
        link.close()


def _next(link: Link, changed: threading.Event) -> DriveFrame:
    while True:
        changed.clear()
        delivery = link.take()
        if delivery is not None:
            return delivery.frame
        if not changed.wait(PATIENCE):
            raise EngineError(f"the engine drew nothing within {PATIENCE:g} s; it is busy or hangs")


def _sheet(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures [H, W, 3] in rows of `ACROSS`, in the order of reading."""
    height, width = pictures[0].shape[:2]
    made = np.zeros((math.ceil(len(pictures) / ACROSS) * height, min(ACROSS, len(pictures)) * width, 3), np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, ACROSS)
        made[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return made
