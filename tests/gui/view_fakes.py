"""What a window is driven with where no model is wanted: plain frames, a still loop, actions that are written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from neuroview.engine.driving.messages import Control
from neuroview.engine.frame import Frame
from neuroview.engine.state import ViewState
from neuroview.engine.status import LoopStatus, ModelInfo
from neuroview.engine.store import Store
from neuroview.models.base import CameraDefaults, ModelCard
from neuroview.viewer.driving.seat import Seat
from neuroview.viewer.editing.verbs import EditActions
from neuroview.viewer.window import ViewWindow

DEADLINE = 20.0
"""Seconds after which waiting for an event is a failure; far more than it takes, as the machine may be busy."""
INFO = ModelInfo(
    "heads",
    ModelCard("heads", "eg3d", "Stylised heads"),
    CameraDefaults(radius=2.7, fov=0.2333, yaw_range=(-0.6, 0.6), fov_range=(0.05, 1.0)),
    layer_names=tuple(f"layer {i}" for i in range(14)),
)


class RecordingSteering:
    """Stands in for the render loop of a `Seat`: keeps every CONTROL."""

    def __init__(self) -> None:
        self.controls: list[Control] = []

    def steer(self, control: Control) -> None:
        self.controls.append(control)


class RecordingDrive:
    """Stands in for `DriveActions`; its seat is real."""

    def __init__(self, asked: list[tuple[Any, ...]]) -> None:
        self.asked, self.steering = asked, RecordingSteering()
        self.seat = Seat(self.steering)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.asked.append((f"drive.{name}", *arguments))


class RecordingLoop:
    """Stands in for the render loop of `EditActions`: keeps what it is asked for."""

    def __init__(self, asked: list[tuple[Any, ...]]) -> None:
        self.asked, self.status = asked, LoopStatus(activity="Ready")

    def frame_photo(self, photo: Path) -> Future:
        return Future()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: self.asked.append((f"loop.{name}", *arguments, *named.items()))


class RecordingActions:
    """Stands in for `Actions`: remembers what was asked for."""

    def __init__(self, store: Store | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.drive = RecordingDrive(self.asked)
        self.animating = False
        self.edit = EditActions(store or Store(ViewState()), RecordingLoop(self.asked))  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.asked.append((name, *arguments))


def plain_frame(colour: tuple[int, int, int], width: int = 256, height: int = 256) -> Frame:
    """A frame of one colour; its rows and columns can be told apart with `marked_frame`."""
    pixels = torch.tensor([*colour, 255], dtype=torch.uint8).expand(height, width, 4).contiguous()
    none = torch.zeros(1, 1)
    return Frame(ViewState(), none, none, none, none, pixels, "baked", final=False)


def quartered_frame(size: int = 256) -> Frame:
    """Red top left, green top right, blue bottom left, white bottom right."""
    frame, half = plain_frame((255, 255, 255), size, size), size // 2
    frame.pixels[:half, :half, :3] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    frame.pixels[:half, half:, :3] = torch.tensor([0, 255, 0], dtype=torch.uint8)
    frame.pixels[half:, :half, :3] = torch.tensor([0, 0, 255], dtype=torch.uint8)
    return frame


@dataclass
class Desk:
    """A window with everything that it is attached to."""

    window: ViewWindow
    store: Store = field(default_factory=lambda: Store(ViewState()))
    actions: RecordingActions = field(default_factory=RecordingActions)
    status: LoopStatus = field(default_factory=lambda: LoopStatus(activity="Ready", model=INFO))
    frame: Frame | None = None
    presenters: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        edit = self.actions.edit
        edit._store = self.store  # strokes go where the camera is

    def attach(self) -> Desk:
        self.window.attach(
            self.store,
            self.actions,  # type: ignore[arg-type]
            lambda: self.status,
            lambda: self.frame,
            on_presenter=self.presenters.append,
        )
        return self

    def show(self, frame: Frame) -> None:
        """Present `frame` and draw."""
        self.frame = frame
        self.window.run_once(0.01)

    def say(self, **changes: Any) -> None:
        """Change what the loop says."""
        self.status = replace(self.status, **changes)
        self.window.run_once(0.01)

    def until(self, condition: Callable[[], bool]) -> None:
        """Handle events until `condition` holds."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            assert self.window.run_once(0.05), "the window closed"
