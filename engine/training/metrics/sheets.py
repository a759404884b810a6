"""Contact sheets for eyes: student beside teacher, a walk between identities, and the matrix of mixes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ....models.errors import NeuroviewError
from .fidelity import truth
from .views import Subject, held_out_latent, slerp

SIDES = (0.0, 0.6)
"""Yaws of models without a teacher."""
YAW = 0.25
"""Of strips and mixes, beside the middle one of the teacher's yaws."""


def held_out_sheet(subject: Subject, seeds: range = range(6)) -> Tensor:
    """Each held-out identity from two sides: the teacher's picture if there is one, the model's, and the raw rendering
    where super-resolution follows it.

    Returns:
        [3, H, W] in 0..1.
    """
    rows = []
    for seed in seeds:
        z = held_out_latent(seed, subject.z_dim)
        codes, row = subject.codes(z), []
        for yaw in SIDES if subject.teacher is None else subject.teacher.yaws[1:]:
            view = subject.look(codes, subject.pose(yaw))
            side = view.picture.shape[-1]
            if subject.teacher is not None:
                row.append(truth(subject.teacher, z, z, yaw, side)[0])
            row += [view.picture] if view.raw.shape[-1] == side else [view.picture, _enlarged(view.raw, side)]
        rows.append(row)
    return stacked(rows)


def interpolation_strip(subject: Subject, steps: int = 7) -> Tensor:
    """Spherical walks between held-out latents, [3, H, W] in 0..1."""
    pose, rows = subject.pose(_yaw(subject)), []
    for a, b in ((20, 21), (22, 23)):
        walk = slerp(held_out_latent(a, subject.z_dim), held_out_latent(b, subject.z_dim), steps)
        rows.append([subject.look(subject.codes(z), pose).picture for z in walk])
    return stacked(rows)


def mix_matrix(subject: Subject, shapes: range = range(30, 34), looks: range = range(40, 44)) -> Tensor:
    """Rows share a geometry, columns an appearance; the teacher's own mixes stand to the right. [3, H, W] in 0..1."""
    yaw = _yaw(subject)
    pose = subject.pose(yaw)
    latents = {seed: held_out_latent(seed, subject.z_dim) for seed in (*shapes, *looks)}
    left = [[subject.look(subject.codes(latents[i], latents[j]), pose).picture for j in looks] for i in shapes]
    sheet = stacked(left)
    if subject.teacher is None:
        return sheet
    side, teacher = left[0][0].shape[-1], subject.teacher
    right = [[truth(teacher, latents[i], latents[j], yaw, side)[0] for j in looks] for i in shapes]
    return torch.cat([sheet, torch.ones(3, sheet.shape[1], 16), stacked(right)], 2)


def sample_sheet(pictures: Tensor, columns: int) -> Tensor:
    """Pictures [N, 3, H, W] in rows of so many: [3, H rows, W columns]; what does not fill a row is left out."""
    whole = pictures[: len(pictures) // columns * columns]
    return stacked([list(row) for row in whole.split(columns)])


def stacked(rows: list[list[Tensor]]) -> Tensor:
    """Rows of pictures [3, H, W] as one."""
    return torch.cat([torch.cat(row, 2) for row in rows], 1)


def write_png(path: Path, picture: Tensor, width: int | None = None) -> None:
    """Writes [3, H, W] in [0, 1], scaled down to `width` pixels when given.

    Raises:
        NeuroviewError: it cannot be written.
    """
    pixels = (picture.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).numpy()[:, :, ::-1]
    if width is not None and pixels.shape[1] > width:
        height = round(pixels.shape[0] * width / pixels.shape[1])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    if not cv2.imwrite(str(path), np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise NeuroviewError(f"{path} cannot be written; is there room, and may you write there?")


def _yaw(subject: Subject) -> float:
    return YAW + (0.0 if subject.teacher is None else subject.teacher.yaws[1])


def _enlarged(picture: Tensor, size: int) -> Tensor:
    return F.interpolate(picture[None], size=(size, size), mode="nearest")[0]
