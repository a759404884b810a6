"""`Town`: what `build.build_town` makes of a seed; what the simulation and the renderer share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scene import TownScene


@dataclass(frozen=True)
class Body:
    """One style of car."""

    name: str
    """Such as 'saloon'."""
    length: float
    width: float
    """Metres."""


@dataclass(frozen=True)
class Town:
    """A built town; everything in it stands still. Positions lie in 0..SIZE."""

    seed: int
    scene: TownScene
    bodies: tuple[Body, ...]
    """One for each of `scene.cars`. The first is the driver's."""
    parked: tuple[NDArray[np.void], ...]
    """For each body the parked cars: rows [n] of ACTOR, instance ids included."""
    solids: NDArray[np.float32]
    """[n, 5]: x, y, half length, half width, yaw of every footprint that stops a car, parked cars included."""
    solid_names: tuple[str, ...]
    """For each row of `solids` what it is, with its article: 'a house', 'a lamp post', 'a tree', 'a parked car'."""
    next_instance: int
    """The first instance id that the still world does not use; what moves takes its ids from here on."""
