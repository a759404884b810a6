"""`DriveActions`: the verbs of driving that keys, buttons and dropped files share. Any thread may call any of them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.export.paths import free_name
from ...engine.state import Drive, DriveView, PhotoLook, Viewpoint
from ...engine.store import Store
from .edits import with_drive
from .files import RECORDING, Kind, recordings
from .seat import Seat

if TYPE_CHECKING:
    from ...engine.driving.status import DriveStatus
    from ...engine.loop import RenderLoop

TOWNS = 100_000
"""Seeds of towns are drawn below this: short enough to read out."""
NO_DRIVE = "There is no drive now. F2 starts one"


class DriveActions:
    """What a driver can do besides holding pedals; results are told through the loop's messages.

    Args:
        folder: where recordings go and are looked for.
    """

    def __init__(self, store: Store, loop: RenderLoop, folder: Path) -> None:
        self._store, self._loop, self.folder = store, loop, folder
        self.seat = Seat(loop)
        self._last = Drive()
        """The drive that `toggle` comes back to."""
        self._replayed: Path | None = None

    @property
    def status(self) -> DriveStatus | None:
        """What the loop says of the drive."""
        return self._loop.status.drive

    # ---- in and out

    def toggle(self) -> None:
        """From the generators to the drive, or back."""
        self.start() if self._store.state.drive is None else self.leave()

    def start(self, drive: Drive | None = None, label: str = "Drive") -> None:
        """Drive `drive`, or the one that was left last."""
        self.seat.sit_down()
        drive = drive or self._last
        self._store.update(lambda s: replace(s, drive=drive), label=label)

    def leave(self) -> None:
        """Back to the generators; the drive's settings are kept."""
        self._last = self._store.state.drive or self._last
        self._store.update(lambda s: replace(s, drive=None), label="Leave the drive")

    def leave_for(self, model: str) -> None:
        """Back to the generators because one of them is to be opened."""
        if self._store.state.drive is not None:
            self._last = self._store.state.drive
            self._store.update(lambda s: replace(s, drive=None), label=f"Leave the drive for {Path(model).name}")

    # ---- what the driver does

    def reverse(self) -> None:
        """Reverse gear in or out."""
        if self._driving():
            self.seat.reverse()

    def reset(self) -> None:
        """Back onto the road."""
        if self._driving():
            self.seat.reset()

    def toggle_autopilot(self) -> None:
        """Let the engine drive, or take the wheel."""
        if self._driving():
            self.seat.toggle_autopilot()

    def toggle_pause(self) -> None:
        """Let the world stand still or go on; where the engine was lost, try it again."""
        status = self._driving()
        if status:
            self._loop.pause(status.connection not in ("paused", "lost"))

    def single_step(self) -> None:
        """One step of the engine; a running world is paused first."""
        if self._driving():
            self._loop.single_step()

    # ---- what is looked at

    def set_view(self, view: DriveView) -> None:
        """Painted, labels, photo, split, motion or depth."""
        self._change(f"Show {view}", view=view)

    def set_viewpoint(self, viewpoint: Viewpoint) -> None:
        """Behind the car, on its hood, or from above."""
        self._change("Camera", viewpoint=viewpoint)

    def set_look(self, look: PhotoLook) -> None:
        """How the engine shades its own picture."""
        self._change("Look", photo_look=look)

    def set_size(self, width: int, height: int) -> None:
        """Size of the maps and of the picture; the engine starts anew."""
        self._change("Picture size", width=width, height=height)

    # ---- the world

    def new_town(self, seed: int | None = None) -> None:
        """Another town, or that of `seed`."""
        drawn = random.randrange(TOWNS) if seed is None else seed
        self._change(f"Town {drawn}", engine="town", seed=drawn)

    def set_engine(self, engine: str) -> None:
        """'town', 'carla', 'host:port' or a folder of label maps."""
        self._enter("Engine", engine=engine)

    def set_translator(self, reference: str) -> None:
        """What paints: a shipped name or a checkpoint's path."""
        self._enter("Painter", translator=reference)

    # ---- recordings

    def toggle_record(self) -> None:
        """Write what the driver does to a new file, or stop."""
        status = self._driving()
        if not status:
            return
        if status.recording:
            self._loop.record(None)
            self._loop.tell(f"Recorded {status.recording}")
            return
        drive = self._store.state.drive or self._last
        self.folder.mkdir(parents=True, exist_ok=True)
        self._loop.record(free_name(self.folder, f"drive_{drive.seed}", RECORDING))

    def replay(self, path: str | Path) -> None:
        """Drive what was recorded once more, exactly."""
        path = Path(path)
        if self._store.state.drive is None:
            self.start()
        self._replayed = path
        self._loop.replay(path)

    def replay_last(self) -> None:
        """The newest recording, or the one that was replayed last."""
        path = next(iter(self.recordings()), None) or self._replayed
        if path is None:
            self._loop.tell(f"There is no recording in {self.folder} yet. Ctrl+R records a drive")
        else:
            self.replay(path)

    def recordings(self) -> tuple[Path, ...]:
        """Those in the folder, newest first."""
        return recordings(self.folder)

    # ---- files

    def open(self, path: Path, kind: Kind) -> None:
        """Open what `files.kind_of` recognised."""
        if kind == "recording":
            self.replay(path)
        elif kind == "labels":
            self.set_engine(str(path))
        else:
            self.set_translator(str(path))

    def _driving(self) -> DriveStatus | None:
        if self._store.state.drive is None or self.status is None:
            self._loop.tell(NO_DRIVE)
            return None
        return self.status

    def _change(self, label: str, **changes: object) -> None:
        self._store.update(lambda s: with_drive(s, **changes), label=label)

    def _enter(self, label: str, **changes: object) -> None:
        """Change the drive, and start it where there is none."""
        if self._store.state.drive is None:
            self.start(replace(self._last, **changes), label)  # type: ignore[arg-type]
        else:
            self._change(label, **changes)
