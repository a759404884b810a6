"""Clips of a drive through a town that a painter has not seen: every map, and the photo that it should have painted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from ...driving.messages import Control, DriveFrame, Look, Viewpoint, Weather
from ...driving.simulator import Simulator
from .similarity import MeasureError

BETWEEN = 12.0
"""Seconds driven between two clips, so that each shows another place."""
MOVING = 3.0
"""Metres a second: a clip begins once the car is as fast, since standing pictures say nothing about motion."""
PATIENCE = 60.0
"""Seconds of the simulation after which a clip begins all the same; a red light lasts less."""


@dataclass(frozen=True)
class Clip:
    """One take."""

    viewpoint: Viewpoint
    weather: Weather
    frames: int
    every: int = 2
    """Steps of the engine from frame to frame; 2 of 30 a second is what a painter on two CPU cores keeps up with."""
    look: Look = "photo"
    """How the teacher shades its picture."""

    @property
    def control(self) -> Control:
        """CONTROL while the clip is filmed: the engine's own autopilot drives, by the rules."""
        return Control(autopilot=True, viewpoint=self.viewpoint, weather=self.weather, look=self.look)


def open_town(seed: int, width: int, height: int) -> Simulator:
    """The embedded town, in this process.

    Raises:
        EngineError: there is no OpenGL to draw with.
    """
    from ...driving.town.simulation import TownSimulator

    return TownSimulator(seed, width, height)


def shoot(simulator: Simulator, clip: Clip, between: float = BETWEEN) -> Iterator[DriveFrame]:
    """Drives `between` seconds to another place, then yields the clip's frames, each with its photo. The first one's
    motion refers to a frame that is not part of the clip.

    Raises:
        MeasureError: this engine draws no photos, so there is nothing to compare with.
        EngineError: the engine is gone.
    """
    if not simulator.info.has_photo:
        raise MeasureError(f"{simulator.info.title} draws no photos; a translator is measured beside a teacher's")
    rate = simulator.info.rate
    unseen = clip.control
    seen = dataclasses.replace(unseen, photo=True)
    for _ in range(round(between * rate)):
        simulator.advance(unseen)
    glance = max(1, round(rate))  # steps; drawing is what takes time
    for _ in range(round(PATIENCE * rate) // glance):
        if simulator.step(unseen).vehicle.speed >= MOVING:
            break
        for _ in range(glance - 1):
            simulator.advance(unseen)
    for _ in range(clip.frames):
        for _ in range(clip.every - 1):
            simulator.advance(unseen)
        frame = simulator.step(seen)
        if frame.photo is None:
            raise MeasureError(f"{simulator.info.title} sent a frame without the photo that was asked for")
        yield frame


def drive(simulator: Simulator, clip: Clip, photo_every: int) -> Iterator[DriveFrame]:
    """One uncut drive of `clip.frames` frames; only each `photo_every`-th has its photo, as that is what takes time.

    Raises:
        EngineError: the engine is gone.
    """
    control = clip.control
    for number in range(clip.frames):
        for _ in range(clip.every - 1):
            simulator.advance(control)
        yield simulator.step(dataclasses.replace(control, photo=number % photo_every == 0))
