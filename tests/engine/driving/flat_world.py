"""A world that needs no graphics: a road with a horizon, a car that answers, and time that only a test lets pass."""

from __future__ import annotations

import threading

import numpy as np
from neuroview.engine.driving.link import Delivery
from neuroview.engine.driving.messages import DriveFrame, EngineInfo, Vehicle
from neuroview.engine.driving.simulator import EngineError

H, W = 32, 48


class FlatWorld:
    """A `Simulator`: throttle moves the car on, steering shifts the horizon."""

    def __init__(self, height=H, width=W, has_photo=True):
        self.info = EngineInfo("flat", "Flat world", width=width, height=height, has_photo=has_photo)
        self.number, self.x, self.speed, self.bend = 0, 0.0, 0.0, 0.0
        self.closed = False
        self._cut = True

    def advance(self, control):
        self.number += 1
        self.speed += control.throttle - 0.1 * self.speed
        self.bend += control.steer
        self.x += self.speed / self.info.rate

    def step(self, control):
        self.advance(control)
        height, width = self.info.height, self.info.width
        horizon = height / 2 + self.bend
        rows = np.arange(height, dtype=np.float32)[:, None] + np.zeros(width, np.float32)
        depth = np.where(rows > horizon, 100 / np.maximum(rows - horizon, 1), np.inf).astype(np.float32)
        shaded = np.full((height, width, 3), self.number % 256, np.uint8) if control.photo else None
        cut, self._cut = self._cut, False
        return DriveFrame(
            self.number,
            self.number / self.info.rate,
            np.where(rows > horizon, 1, 11).astype(np.uint8),
            np.zeros((height, width), np.uint16),
            depth,
            np.zeros((height, width, 2), np.float32),
            depth,
            vehicle=Vehicle(x=self.x, speed=self.speed),
            photo=shaded,
            control_serial=control.serial,
            cut=cut,
        )

    def state(self):
        return {"number": self.number, "x": self.x, "speed": self.speed, "bend": self.bend}

    def restore(self, state):
        vars(self).update(state)
        self._cut = True

    def close(self):
        self.closed = True


class FlatLink:
    """A `Link` to a flat world, in which `run` lets time pass, as the real engine's own clock does."""

    def __init__(self, world, notify, state, clock):
        self.info, self.world = world.info, world
        self.clock, self.sent, self.closed, self.error = clock, [], False, None
        self._notify, self._lock = notify, threading.Lock()
        self._fresh, self._obeyed, self._last = None, [], None
        self.parts = None
        self._steps = self._made = self._step = 0
        if state is not None:
            world.restore(state)

    def send(self, control, clock, steps):
        with self._lock:
            self.sent.append(control)
            self.clock, self._steps = clock, max(self._steps, steps)
            if clock == "synchronous":
                self._pass(True)
        self.run(0)

    def want(self, parts):
        self.parts = tuple(parts)

    def run(self, steps=1):
        """Free running, time passes; paused, the single steps that were asked for are made."""
        with self._lock:
            for _ in range(steps if self.clock == "free running" else 0):
                self._pass(self._fresh is None)
            while self.clock == "paused" and self._made < self._steps and self._fresh is None:
                self._made += 1
                self._pass(True)
        self._notify()

    def die(self, error):
        with self._lock:
            self.error = error
        self._notify()

    def take(self):
        with self._lock:
            if self._fresh is None and self.error is not None:
                raise self.error
            taken, self._fresh = self._fresh, None
            return taken

    def state(self):
        return self.world.state()

    def close(self):
        self.closed = True
        self.world.close()

    def _pass(self, draw):
        control = self.sent[-1]
        if self._last is None or control != self._last:
            self._obeyed.append((self._step, control))
            self._last = control
        self._step += 1
        if draw:
            obeyed, self._obeyed = tuple(self._obeyed), []
            self._fresh = Delivery(self.world.step(control), self._step, obeyed)
        else:
            self.world.advance(control)


class FlatWorlds:
    """Makes links on demand, as `supervise.connect` does, and remembers them."""

    def __init__(self, **world):
        self.links, self.drives, self.states, self.refuse = [], [], [], None
        self._world = world

    def __call__(self, drive, notify, state, clock, abandon=None):
        self.drives.append(drive)
        self.states.append(state)
        if self.refuse:
            raise EngineError(self.refuse)
        made = FlatWorld(**{"height": drive.height, "width": drive.width, **self._world})
        self.links.append(FlatLink(made, notify, state, clock))
        return self.links[-1]
