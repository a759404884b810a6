"""A screenshot of a drive: the picture as it is shown, with the state that leads back and where the car stood."""

from __future__ import annotations

import json
import math
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine.export.paths import free_name
from ...engine.state import ViewState
from ...models.errors import NeuroviewError

if TYPE_CHECKING:
    from ...engine.driving.status import DriveStatus
    from ...engine.loop import RenderLoop

NOT_YET = "There is no picture of the drive yet; try again in a moment"


def save_shown(loop: RenderLoop, state: ViewState, path: Path | None, folder: Path) -> Future:
    """Save the newest frame as PNG, as `path` or under a free name in `folder`; tells where it went.

    Returns:
        A finished future of the frame; cancelled when there is none of this drive yet.
    """
    from ...engine.export.image import save_png

    future: Future = Future()
    frame, drive = loop.frame, state.drive
    if frame is None or drive is None or frame.state.drive is None:
        loop.tell(NOT_YET)
        future.cancel()
        return future
    shown = replace(frame, state=state)
    target = path or free_name(folder, f"drive_{drive.seed}_{drive.view}", ".png")
    status = loop.status.drive
    try:
        saved = save_png(target, shown, notes={"neuroview:drive": json.dumps(vehicle_notes(status))} if status else {})
    except NeuroviewError as error:
        loop.tell(f"The screenshot was not saved: {error}", "error")
        future.set_exception(error)
    else:
        loop.tell(f"Saved {saved}")
        future.set_result(shown)
    return future


def vehicle_notes(status: DriveStatus) -> dict[str, Any]:
    """Where the car stood and when, for whoever looks at the file; plain JSON values, metres, degrees and km/h."""
    notes: dict[str, Any] = {"engine": status.engine.title if status.engine else "", "painter": status.translator}
    data = status.frame
    if data is not None:
        car = data.vehicle
        numbers = {
            "frame": data.number,
            "seconds": data.time,
            "x": car.x,
            "y": car.y,
            "heading": math.degrees(car.yaw),
            "km/h": 3.6 * car.speed,
            "hour": data.hour,
        }
        notes |= {name: round(value, 3) for name, value in numbers.items() if math.isfinite(value)}
    return notes
