"""The colour of each building, car and walker, from its instance id alone: known to the town and to its painter.

The ids of lamps say what they show: a traffic light's is 1, 2 or 3 where it is lit red, amber or green.

Told only that two ids differ, a painter gives every facade the average colour. So the town takes an instance's base
colour from a hash of its id, and the painter is shown that colour. For ids of another engine the colours are as good as
any: they stay with the instance, and that is what matters from frame to frame.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IDS = 1 << 16
"""Distinct ids; greater ones wrap."""

BUILDING, CAR, PERSON, LIGHT, SIGN = 3, 14, 12, 7, 8
"""CARLA tags (0.9.14 and later) of what is tinted."""


_TINTED = (BUILDING, CAR, PERSON, LIGHT, SIGN)
STYLES = 5
"""Channels of `table`."""


def _colours(*rows: tuple[float, float, float]) -> NDArray[np.float32]:
    return np.asarray(rows, np.float32)


# Linear light. Brick, sandstone, plaster, dark brick, concrete, clay, slate, cream.
_WALLS = _colours(
    (0.55, 0.25, 0.18),
    (0.72, 0.58, 0.42),
    (0.74, 0.70, 0.62),
    (0.42, 0.20, 0.15),
    (0.62, 0.64, 0.66),
    (0.70, 0.48, 0.33),
    (0.50, 0.55, 0.60),
    (0.80, 0.74, 0.55),
)
# Silver, black, red, blue, grey, white, green.
_PAINTS = _colours(
    (0.75, 0.76, 0.78),
    (0.05, 0.05, 0.06),
    (0.55, 0.06, 0.05),
    (0.08, 0.16, 0.42),
    (0.35, 0.36, 0.38),
    (0.85, 0.85, 0.83),
    (0.15, 0.30, 0.22),
)
_CLOTHES = _colours((0.9, 0.8, 0.9))
# Red, amber, green: of ids 1, 2 and 3. A box, or a lamp that is not lit, has none.
_LAMPS = _colours((1.0, 0.06, 0.03), (1.0, 0.55, 0.04), (0.05, 1.0, 0.42))
_SIGNS = _colours((0.62, 0.03, 0.03), (0.03, 0.12, 0.50), (0.80, 0.62, 0.05))


@functools.cache
def codes() -> NDArray[np.float32]:
    """[IDS, 3]: three hashes of each id in 0..1 (PCG's permutation); a shader can compute the same. Read only."""
    ids = np.arange(IDS, dtype=np.uint32)
    made = np.empty((IDS, 3), np.float32)
    for stream in range(3):
        state = ids * np.uint32(747796405) + np.uint32((2891336453 + 1013904223 * stream) & 0xFFFFFFFF)
        word = ((state >> ((state >> np.uint32(28)) + np.uint32(4))) ^ state) * np.uint32(277803737)
        word = (word >> np.uint32(22)) ^ word
        made[:, stream] = (word >> np.uint32(8)).astype(np.float32) / 2**24
    made.flags.writeable = False
    return made


def base_colours(tag: int) -> NDArray[np.float32]:
    """[IDS, 3]: linear RGB of every instance of a tag; black for tags that are not tinted."""
    code = codes()
    if tag == BUILDING:
        made = _WALLS[(code[:, 0] * len(_WALLS)).astype(int)] * (0.85 + 0.35 * code[:, 1:2])
    elif tag == CAR:
        made = _PAINTS[(code[:, 0] * len(_PAINTS)).astype(int)] * (0.8 + 0.4 * code[:, 1:2])
    elif tag == PERSON:
        made = 0.05 + 0.6 * code * _CLOTHES
    elif tag == SIGN:
        made = _SIGNS[np.digitize(code[:, 0], (0.34, 0.67))]
    elif tag == LIGHT:
        made = np.zeros((IDS, 3))
        made[1 : 1 + len(_LAMPS)] = _LAMPS
    else:
        made = np.zeros((IDS, 3))
    return made.astype(np.float32)


@functools.lru_cache(maxsize=4)
def table(device: torch.device) -> Tensor:
    """[6 IDS, STYLES]: tint (gamma 1/2.2) and two more hashes in -1..1 at `group * IDS + id`; group 0 and id 0 are 0.

    Groups are 0: nothing, 1: buildings, 2: cars, 3: people, 4: traffic lights (whose hashes are 1 where a lamp is lit),
    5: signs.
    """
    made = np.zeros((1 + len(_TINTED), IDS, STYLES), np.float32)
    for group, tag in enumerate(_TINTED, 1):
        made[group, :, :3] = base_colours(tag) ** (1 / 2.2) * 2 - 1
        made[group, :, 3:] = codes()[:, 2:0:-1] * 2 - 1
    lamps = made[1 + _TINTED.index(LIGHT)]
    lamps[1 : 1 + len(_LAMPS), 3:] = 1
    lamps[1 + len(_LAMPS) :] = 0
    made[:, 0] = 0
    with torch.inference_mode(False):
        return torch.from_numpy(made.reshape(-1, STYLES)).to(device)


@functools.lru_cache(maxsize=4)
def groups(device: torch.device) -> Tensor:
    """[256] int64: offset into `table` of each tag's group."""
    with torch.inference_mode(False):
        made = torch.zeros(256, dtype=torch.int64)
        for group, tag in enumerate(_TINTED, 1):
            made[tag] = group * IDS
        return made.to(device)
