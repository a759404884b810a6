"""A small world with a real `Simulator`: one car on a straight road. As a script it is an engine's process."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
from neuroview.engine.driving.engines import EngineSpec
from neuroview.engine.driving.messages import Control, DriveFrame, EngineInfo, Event, Vehicle
from neuroview.engine.driving.serve import main
from neuroview.engine.driving.simulator import EngineError, RecordingEndedError

SKY, CAR = 11, 14


class Boxes:
    """Throttle moves the car by that many pixels a step.

    Args:
        rate: steps a second.
        end: steps after which there is no more.
        breaks: step in which it raises an EngineError, once.
    """

    def __init__(self, rate: float = 500.0, end: int | None = None, breaks: int | None = None) -> None:
        self.info = EngineInfo("town", "Boxes", width=64, height=32, rate=rate, parts=("depth", "motion"))
        self.steps, self.x = 0, 0.0
        self.closed = False
        self.went_on = threading.Event()
        """Set by the step after which `until` have been made."""
        self.until = 1
        self.threads: set[int] = set()
        self.spoil: dict[str, Any] = {}
        """Fields of a frame to be replaced."""
        self._end, self._breaks = end, breaks
        self._drawn_at = 0.0
        self._resets = 0
        self._events: list[Event] = []

    def advance(self, control: Control) -> None:
        self.threads.add(threading.get_ident())
        if self._end is not None and self.steps >= self._end:
            raise RecordingEndedError(f"it has ended after {self._end} steps")
        if self.steps + 1 == self._breaks:
            self._breaks = None
            raise EngineError("the road is closed; wait until it is open")
        self.steps += 1
        self.x += control.throttle
        if control.resets > self._resets:
            self._events.append(Event("reset", f"step {self.steps}"))
        self._resets = control.resets
        if self.steps >= self.until:
            self.went_on.set()

    def step(self, control: Control) -> DriveFrame:
        self.advance(control)
        labels = np.full((32, 64), SKY, np.uint8)
        at = int(self.x) % 60
        labels[20:28, at : at + 4] = CAR
        motion = np.zeros((32, 64, 2), np.float32)
        motion[..., 0] = self._drawn_at - self.x
        self._drawn_at = self.x
        events, self._events = tuple(self._events), []
        frame = DriveFrame(
            number=self.steps,
            time=self.steps / self.info.rate,
            labels=labels,
            instances=np.where(labels == CAR, 20, 0).astype(np.uint16),
            depth=np.where(labels == CAR, 5.0, np.inf).astype(np.float32),
            motion=motion,
            vehicle=Vehicle(x=self.x),
            events=events,
            control_serial=control.serial,
        )
        return replace(frame, **self.spoil)

    def state(self) -> dict[str, Any]:
        return {"x": self.x}

    def restore(self, state: dict[str, Any]) -> None:
        if "x" not in state:
            raise EngineError(f"{state} is no state of these boxes; begin anew")
        self.x = self._drawn_at = float(state["x"])

    def close(self) -> None:
        self.closed = True


def _make(spec: EngineSpec) -> Boxes:
    """What `spec.folder` says: a world, or one that goes wrong in that way."""
    if spec.folder == "refuse":
        raise EngineError("there is no OpenGL here; install one")
    if spec.folder == "die":
        print("the disk is full", file=sys.stderr)
        os._exit(3)
    return Boxes(rate=spec.rate)


if __name__ == "__main__":
    sys.exit(main(make=_make))
