"""Cameras as EG3D writes them: 25 numbers, checked, taken apart, put together and mirrored.

cam2world 4 x 4 row by row (OpenCV axes: x right, y down, z forward), then intrinsics 3 x 3 in units of the picture's
side.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...models.errors import NeuroviewError

LABEL_WIDTH = 25
# How far a rotation's columns may be from orthonormal: published labels carry rounding, a scale would be far more.
_ROUNDING = 5e-3


class DataError(NeuroviewError):
    """Pictures or cameras that cannot be learned from; the message names the file and says what to do."""


def label_of(numbers: Any, where: str = "camera") -> Tensor:
    """A camera label [25] from plain numbers, checked.

    Raises:
        DataError: not 25 finite numbers, no rotation, or an impossible lens; the message begins with `where`.
    """
    try:
        label = torch.tensor(numbers, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DataError(f"{where} is no list of {LABEL_WIDTH} numbers.") from error
    if label.shape != (LABEL_WIDTH,) or not torch.isfinite(label).all():
        raise DataError(f"{where} has shape {list(label.shape)}; expected {LABEL_WIDTH} finite numbers.")
    cam2world, lens = split_label(label)
    rotation = cam2world[:3, :3]
    if float((rotation.T @ rotation - torch.eye(3, dtype=torch.float64)).abs().max()) > _ROUNDING:
        raise DataError(f"{where}: the first 16 numbers hold no rotation; expected cam2world, row by row.")
    if float(torch.linalg.det(rotation)) < 0:
        raise DataError(f"{where} mirrors the world; expected OpenCV axes (x right, y down, z forward).")
    if cam2world[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
        raise DataError(f"{where}: the last row of cam2world is {cam2world[3].tolist()}; expected 0, 0, 0, 1.")
    if not (0 < float(lens[0, 0]) < 100 and 0 < float(lens[1, 1]) < 100 and lens[2].tolist() == [0.0, 0.0, 1.0]):
        raise DataError(
            f"{where}: the lens has focal lengths {float(lens[0, 0]):g}, {float(lens[1, 1]):g}; expected 3 x 3 "
            "intrinsics divided by the picture's side in pixels."
        )
    return label.float()


def split_label(labels: Tensor) -> tuple[Tensor, Tensor]:
    """cam2world [..., 4, 4] and intrinsics [..., 3, 3] of labels [..., 25]."""
    return labels[..., :16].unflatten(-1, (4, 4)), labels[..., 16:].unflatten(-1, (3, 3))


def joined_label(cam2world: Tensor, intrinsics: Tensor) -> Tensor:
    """Labels [N, 25] of cam2world [N, 4, 4] and intrinsics [N or 1, 3, 3]."""
    return torch.cat([cam2world.flatten(1), intrinsics.expand(len(cam2world), 3, 3).flatten(1)], 1)


def mirrored(labels: Tensor) -> Tensor:
    """Cameras [N, 25] that see the mirrored world (x -> -x) as mirrored pictures: M C M with M = diag(-1, 1, 1, 1)."""
    cam2world, lens = split_label(labels)
    mirror = labels.new_tensor([-1.0, 1.0, 1.0, 1.0])
    lens = lens.clone()
    lens[:, 0, 2], lens[:, 0, 1] = 1 - lens[:, 0, 2], -lens[:, 0, 1]
    return joined_label(cam2world * mirror[:, None] * mirror, lens)


def lens_of(focal: float) -> Tensor:
    """Normalised intrinsics [3, 3] of a focal length in picture sides, centred."""
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])
