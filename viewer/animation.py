"""Cameras that move by themselves: a swing about the subject and a flight past the training cameras, on one runner."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from time import perf_counter
from typing import Any, Protocol

from ..engine.camera import between
from ..engine.state import Camera, ViewState
from ..engine.store import Store
from ..models.base import CameraDefaults, Pose
from .input import as_orbit


class Motion(Protocol):
    """Where the camera is at which time: a pure function of the seconds since the start."""

    label: str
    """What undo calls it."""
    lasts: float
    """Seconds; infinite: until somebody ends it."""

    def at(self, seconds: float) -> dict[str, Any]:
        """The camera's entries that are this motion's own. Somebody else who changes one of them takes over."""
        ...

    def prepared(self, state: ViewState) -> Camera:
        """The state's camera in the form in which the entries of `at` mean something."""
        ...


class Swing:
    """Slowly through the trusted yaw range, or round and round where all of it is trusted."""

    PERIOD = 8.0
    label = "Animate"
    lasts = math.inf

    def __init__(self, state: ViewState, defaults: CameraDefaults) -> None:
        self._defaults = defaults
        low, high = defaults.yaw_range
        self._start = self.prepared(state).yaw
        self._around = high - low > 6.0
        self._middle, self._reach = (low + high) / 2, (high - low) / 2
        self._phase = math.asin(max(-1.0, min(1.0, (self._start - self._middle) / max(self._reach, 1e-6))))

    def at(self, seconds: float) -> dict[str, Any]:
        turn = 2 * math.pi * seconds / self.PERIOD
        if self._around:
            yaw = math.remainder(self._start + turn, 2 * math.pi)
        else:
            yaw = self._middle + self._reach * math.sin(self._phase + turn)
        return {"yaw": yaw, "cam2world": None}

    def prepared(self, state: ViewState) -> Camera:
        return as_orbit(state, self._defaults)  # also from an exact matrix it goes on without a jump


class Flight:
    """From one training camera to the next, a second each; long lists are thinned out evenly to `LONGEST` seconds."""

    LONGEST = 60
    label = "Fly"

    def __init__(self, poses: Sequence[Pose], start: int = 0) -> None:
        """`poses`: at least one; the flight goes from number `start` to the last."""
        steps = min(len(poses) - 1 - start, self.LONGEST)
        self._stops = [poses[start + round(i * (len(poses) - 1 - start) / max(steps, 1))] for i in range(steps + 1)]
        self.lasts = float(steps)

    def at(self, seconds: float) -> dict[str, Any]:
        index = min(int(seconds), len(self._stops) - 1)
        pose = between(self._stops[index], self._stops[min(index + 1, len(self._stops) - 1)], seconds - index)
        return {"cam2world": tuple(chain(*pose.cam2world)), "intrinsics": tuple(chain(*pose.intrinsics))}

    def prepared(self, state: ViewState) -> Camera:
        return state.camera


class Animation:
    """Lets a motion lead the camera, on a thread of its own.

    Time-based, so that it is as fast on every machine; one undo step for the whole of it. It ends when the motion is
    over, or by itself when somebody else moves the camera.
    """

    RATE = 60.0

    def __init__(self, store: Store, motion: Motion) -> None:
        self.motion = motion
        self._store = store
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="neuroview-animation", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """End it where it is."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        begin = perf_counter()
        gesture = f"animation {begin}"
        camera = self._store.state.camera
        mine = {name: getattr(camera, name) for name in self.motion.at(0.0)}
        while not self._stopped.wait(1 / self.RATE):
            seconds = min(perf_counter() - begin, self.motion.lasts)
            new = self.motion.at(seconds)
            step = partial(_led, self.motion, mine, new)
            followed = _holds(self._store.update(step, label=self.motion.label, gesture=gesture).camera, new)
            if not followed or seconds >= self.motion.lasts:  # a hand took over, or it is over
                return
            mine = new


def _led(motion: Motion, mine: dict[str, Any], new: dict[str, Any], state: ViewState) -> ViewState:
    """The next state of a motion that left the camera with the entries `mine`; the same state if it is not so now.

    The store asks under its lock, so that what a hand does in between is never overwritten.
    """
    return replace(state, camera=replace(motion.prepared(state), **new)) if _holds(state.camera, mine) else state


def _holds(camera: Camera, entries: dict[str, Any]) -> bool:
    return all(getattr(camera, name) == value for name, value in entries.items())
