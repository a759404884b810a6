"""A town without geometry: what drives and walks needs only bodies and footprints."""

from __future__ import annotations

import numpy as np
from neuroview.engine.driving.town.scene import ACTOR, VERTEX, Mesh, TownScene
from neuroview.engine.driving.town.town import Body, Town


def bare_town(*solids: tuple[str, float, float, float, float]) -> Town:
    """`solids`: name, x, y, half length, half width."""
    empty = Mesh(np.zeros(0, VERTEX), np.zeros(0, np.uint32))
    return Town(
        seed=1,
        scene=TownScene(empty, (), (empty, empty), (empty, empty)),
        bodies=(Body("saloon", 4.4, 1.8), Body("van", 5.2, 1.95)),
        parked=(np.zeros(0, ACTOR), np.zeros(0, ACTOR)),
        solids=np.array([(*s[1:], 0.0) for s in solids], np.float32).reshape(-1, 5),
        solid_names=tuple(s[0] for s in solids),
        next_instance=100,
    )
