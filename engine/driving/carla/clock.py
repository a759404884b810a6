"""`WorldClock`: takes a server's time into our hands for the length of a drive, and gives it back."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from ..simulator import EngineError
from .connection import Connection

SUBSTEP = 0.01
"""Longest step of CARLA's physics, seconds."""
MOST_SUBSTEPS = 16
"""CARLA allows no more in one tick."""
ORPHAN_WAIT = 1.5
"""Seconds in which a server that somebody else steps has shown it."""


class WorldClock:
    """A world in synchronous mode: it stands still until `tick`."""

    def __init__(self, connection: Connection, rate: float, timeout: float) -> None:
        """Take the clock.

        Args:
            connection: the server.
            rate: ticks a second of the simulation.
            timeout: seconds that a tick may take.

        Raises:
            EngineError: somebody else steps this world, or the rate is too low for CARLA's physics.
            RuntimeError: the server is gone.
        """
        slowest = math.ceil(1 / (SUBSTEP * MOST_SUBSTEPS))
        if not slowest <= rate <= 240:
            raise EngineError(f"CARLA was asked for {rate:g} steps a second; expected {slowest} to 240")
        self._world, self._timeout = connection.world, timeout
        self._address = connection.address
        self._previous = self._world.get_settings()
        self.orphaned = bool(self._previous.synchronous_mode)
        """Whether the world was left waiting for a client that is no more."""
        if self.orphaned and self._ticks_by_itself():
            raise EngineError(
                f"another program steps the CARLA server at {self._address}; two cannot. End that one, or start a "
                "server for this drive on a port of its own"
            )
        settings = self._world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = 1 / rate
        settings.no_rendering_mode = False
        settings.substepping = True
        settings.max_substep_delta_time = SUBSTEP
        settings.max_substeps = min(MOST_SUBSTEPS, max(10, math.ceil(1 / rate / SUBSTEP)))
        self._world.apply_settings(settings)
        self._taken = True

    def tick(self) -> int:
        """Let one step pass; the number of the frame that it made. Raises RuntimeError where the server is gone."""
        return int(self._world.tick(self._timeout))

    def give_back(self) -> None:
        """Let the world run as it did before; once is enough. Raises RuntimeError where the server is gone."""
        if not self._taken:
            return
        self._taken = False
        if self.orphaned:
            # As it was found it would wait forever.
            self._previous.synchronous_mode = False
            self._previous.fixed_delta_seconds = None
        self._world.apply_settings(self._previous)

    def _ticks_by_itself(self) -> bool:
        with contextlib.suppress(RuntimeError):
            self._world.wait_for_tick(ORPHAN_WAIT)
            return True
        return False


def frame_of(data: Any) -> int:
    """The frame that a sensor's data belongs to."""
    return int(data.frame)
