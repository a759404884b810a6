"""What the town's renderer draws, a still mesh in chunks and meshes that move: contract of geometry and shaders."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

VERTEX = np.dtype(
    [
        ("position", np.float32, 3),
        ("normal", np.float32, 3),
        ("uv", np.float32, 2),
        ("material", np.float32),
        ("tag", np.float32),
        ("instance", np.float32),
    ]
)
"""44 bytes. `tag` is a CARLA tag (0.9.14 and later), `instance` a whole number below 65536, 0: none. `uv` depends on
the material: bays and storeys of a facade (both whole at corners and floors), metres elsewhere. A moving mesh is in
its own frame (x forward, y left, z up) and has instance 0: that of its row counts."""

ACTOR = np.dtype(
    [
        ("now", np.float32, 4),
        ("before", np.float32, 4),
        ("instance", np.float32),
        ("length", np.float32),
        ("height", np.float32),
        ("state", np.float32),
    ]
)
"""48 bytes, one row for each thing that moves. `now` and `before`: x, y, z, yaw in this frame and in the previous one.
`length`, `height`: scales of the mesh along x and z. `state`: of a car 1 when it brakes, of a person the phase of the
walk in 0..1 (standing: 0)."""

LAMPS = {"red": 1, "amber": 2, "green": 3}
"""Instance id of a lit lamp (tag 7, traffic light): so that a painter, told nothing else, sees which one is lit. Ids
below 16 are kept for this; everything else in the town starts at 16."""
EGO = 65000
"""Instance id of the driver's own car."""


class Material(IntEnum):
    """What a surface is made of; the shaders know these numbers."""

    ROAD = 0
    SIDEWALK = 1
    KERB = 2
    FACADE = 3
    ROOF = 4
    LEAVES = 5
    TRUNK = 6
    METAL = 7
    GRASS = 8
    PAINT = 9
    """A car's body; its colour comes from its instance."""
    GLASS = 10
    TYRE = 11
    HEADLIGHT = 12
    TAILLIGHT = 13
    SIGNAL_BOX = 14
    SIGN = 15
    CLOTH = 16
    SKIN = 17
    FENCE = 18
    TRIM = 19
    """Cornices, sills and door frames."""
    AWNING = 20
    LEGS = 21
    HEDGE = 22
    LAMP = 23
    """A lamp of a traffic light: uv.x is 0 red, 1 amber, 2 green; uv.y its signal group (see `signals.py`)."""
    HUB = 24
    """The middle of a wheel."""
    WATER = 25
    STREET_LAMP = 26
    """Lit from dusk to dawn."""


@dataclass(frozen=True)
class Mesh:
    """Triangles."""

    vertices: NDArray[np.void]
    """[V] of VERTEX."""
    indices: NDArray[np.uint32]
    """[3 T], whole triangles, counter-clockwise seen from outside where that is known; nothing is culled."""


@dataclass(frozen=True)
class Chunk:
    """A piece of the still mesh that is drawn or left out as a whole, at the copy nearest to the camera."""

    x: float
    y: float
    radius: float
    """Centre and reach, metres."""
    first: int
    count: int
    """Its part of `still.indices`."""
    far: tuple[tuple[float, int, int], ...] = ()
    """Simpler parts that stand for it: from how far (metres, rising), `first`, `count`. Their triangles are seen from
    outside only: of those that face away, nothing is drawn."""


@dataclass(frozen=True)
class TownScene:
    """Everything that can be drawn; `Actors` say what stands where."""

    still: Mesh
    chunks: tuple[Chunk, ...]
    cars: tuple[Mesh, ...]
    """One mesh for each body style."""
    people: tuple[Mesh, ...]
    """One mesh for each kind of walker, standing, legs as LEGS (left leg uv.x 1, right leg -1, uv.y the height above
    the ground, so that the shader can swing them about the hip at 0.9 m; everything else has uv.x 0)."""
    far_cars: tuple[Mesh, ...] = ()
    far_people: tuple[Mesh, ...] = ()
    """Simpler meshes that stand for those of the same place when far away; none: the others are drawn."""


@dataclass(frozen=True)
class Actors:
    """What moves, at one moment."""

    cars: tuple[NDArray[np.void], ...] = ()
    """For each of `TownScene.cars` the rows [n] of ACTOR."""
    people: tuple[NDArray[np.void], ...] = ()
    """For each of `TownScene.people` the rows [n] of ACTOR."""
    signals: NDArray[np.int32] = field(default_factory=lambda: np.zeros(2, np.int32))
    """[groups]: 0 red, 1 amber, 2 green; what each signal group shows."""
