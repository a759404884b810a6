"""`DriveStatus`: all that the window and the panel say about a running drive; an immutable value, newest wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .messages import Control, DriveFrame, EngineInfo

Connection = Literal["starting", "running", "paused", "lost"]
PainterState = Literal["unused", "opening", "ready", "missing"]
"""'unused': the view needs none; 'missing': it could not be opened, and the labels stand in for its pictures."""


@dataclass(frozen=True, eq=False)
class DriveStatus:
    """What is known of a drive at this moment."""

    connection: Connection = "starting"
    text: str = ""
    """In a person's words: what it waits for, or why it was lost and what to do."""
    engine: EngineInfo | None = None
    frame: DriveFrame | None = None
    """The newest one of the engine, painted or not: speed, clock, other cars."""
    control: Control = field(default_factory=Control)
    """The last CONTROL that was sent."""
    engine_fps: float = 0.0
    painter_fps: float = 0.0
    painter_ms: float = 0.0
    latency_ms: float = 0.0
    """From a CONTROL's sending to the painted picture of a world that obeys it."""
    dropped: int = 0
    """Frames of the engine that were never painted."""
    painter: PainterState = "unused"
    painter_text: str = ""
    """Why it is missing, in a person's words; '' while it is not."""
    translator: str = ""
    """Title of what paints; '' while none is open."""
    recording: str = ""
    """File that CONTROL is being written to; '': none."""
    replaying: bool = False
    """Whether the CONTROL comes from a file."""
    autopilot: bool = False
    distance: float = 0.0
    """Metres driven."""
