"""A drive for tests: a small town's engine, frames, and a loop that writes down what it is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from neuroview.engine.driving.messages import Actor, Control, DriveFrame, EngineInfo, Event, Vehicle
from neuroview.engine.driving.status import DriveStatus
from neuroview.engine.status import LoopStatus

TOWN = EngineInfo(
    "town",
    "Embedded town, seed 7",
    has_photo=True,
    roads=(((0.0, 0.0), (0.0, 448.0)), ((0.0, 0.0), (448.0, 0.0))),
    period=448.0,
)


def frame(number: int = 1, *events: Event, actors: tuple[Actor, ...] = (), **vehicle: float) -> DriveFrame:
    """A moment of a drive; nobody looks at its maps."""
    labels = np.zeros((4, 8), np.uint8)
    return DriveFrame(
        number,
        number / 30,
        labels,
        labels.astype(np.uint16),
        vehicle=Vehicle(**vehicle),  # type: ignore[arg-type]
        actors=actors,
        events=events,
    )


def running(**changes: Any) -> DriveStatus:
    """A drive that goes well."""
    return replace(DriveStatus("running", engine=TOWN, frame=frame(), translator="Town by day"), **changes)


class FakeLoop:
    """Writes down what the verbs of driving ask of the render loop."""

    def __init__(self) -> None:
        self.status = LoopStatus(drive=running())
        self.frame = None
        self.asked: list[tuple[Any, ...]] = []
        self.told: list[str] = []
        self.controls: list[Control] = []

    def steer(self, control: Control) -> None:
        self.controls.append(control)

    def pause(self, paused: bool) -> None:
        self.asked.append(("pause", paused))

    def single_step(self) -> None:
        self.asked.append(("single_step",))

    def record(self, path: Path | None) -> None:
        self.asked.append(("record", path))

    def replay(self, path: Path) -> None:
        self.asked.append(("replay", path))

    def open(self, reference: str) -> None:
        self.asked.append(("open", reference))

    def tell(self, text: str, level: str = "info") -> None:
        self.told.append(text)

    def say(self, **changes: Any) -> None:
        """Change how the drive stands."""
        assert self.status.drive is not None
        self.status = replace(self.status, drive=replace(self.status.drive, **changes))
