"""Unpacks the whole numbers that `glsl/maps.frag` writes into maps; each 16-bit code is looked up in a table."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .plan import SIZE

_CODES = np.arange(1 << 16, dtype=np.float64)


def _table(values: NDArray[np.float64], **at: float) -> NDArray[np.float32]:
    made = values.astype(np.float32)
    for code, value in at.items():
        made[int(code[1:])] = value
    made.flags.writeable = False
    return made


# The inverses of `log_code` and `fixed_code`; 65535 stands for what lies nowhere.
_DEPTH: Final = _table(2 ** (_CODES / 3000 - 7), _0=-1, _65535=np.inf)
_HEIGHT: Final = _table(_CODES / 512 - 8, _65535=np.nan)
_PHASE: Final = _table(_CODES / 1000 - 4, _65535=np.nan)
_GROUND: Final = _table((_CODES + 0.5) * (SIZE / 65536))
SHADOW, GROUND = 1, 2
"""Flags."""


def base_maps(
    seen: NDArray[np.uint32],
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Labels, instances, depth, motion and expected depth of the packed [H, W, 4]."""
    codes = seen.view(np.uint16)
    labels = seen.view(np.uint8)[..., 0].copy()
    motion = seen.view(np.float32)[..., 1:3].copy()
    return labels, codes[..., 1].copy(), _DEPTH[codes[..., 6]], motion, _DEPTH[codes[..., 7]]


def geometry_maps(seen: NDArray[np.uint32], known: NDArray[np.uint32]) -> dict[str, NDArray[np.float32]]:
    """`height`, `storey`, `bay`, `normals`, `shadow` and `ground` of the packed [H, W, 4] each; see `Geometry`."""
    codes = known.view(np.uint16)
    flags = seen.view(np.uint8)[..., 1]
    sky = codes[..., 0] == 65535
    ground = _GROUND[codes[..., 4:6]]
    ground[(flags & GROUND) == 0] = np.nan
    shadow = (flags & SHADOW).astype(np.float32)
    shadow[sky] = np.nan
    packed = known[..., 3]
    normals = np.empty((*packed.shape, 3), np.float32)
    for axis in range(3):
        normals[..., axis] = (packed >> np.uint32(10 * axis)) & np.uint32(1023)
    normals = (normals - 512) * np.float32(1 / 511)
    normals[sky] = np.nan
    return {
        "height": _HEIGHT[codes[..., 0]],
        "storey": _PHASE[codes[..., 1]],
        "bay": _PHASE[codes[..., 2]],
        "normals": normals,
        "shadow": shadow,
        "ground": ground,
    }
