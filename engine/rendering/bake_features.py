"""What a baked grid keeps of a field's features: harmonics of the viewing direction, as bytes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import RadianceField
from .cancel import Checkpoint, never
from .occupancy import POINTS_PER_CHUNK
from .spherical import basis, even_directions

HIDDEN_WEIGHT = 0.1
"""Weight of a direction from which a node cannot be seen, where one seen head-on has 1."""

RIDGE = 0.01
"""Pull of the view-dependent harmonics towards 0, relative to the mean square of the harmonics."""

LANES = 16
"""Bytes in which the march reads a node's features at a time."""

LEAST_LOOKS = 16
"""Directions from which a node is looked at, at the least: 8 for four harmonics leave highlights between them (lego at
256 nodes loses 0.5 dB), 32 bring nothing more."""


@runtime_checkable
class SplitField(Protocol):
    """A field that can be asked for density and colour apart, so that one point's trunk serves many directions."""

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """points [N, 3] -> raw density [N] and what the colour layers read [N, H]."""
        ...

    def colour(self, hidden: Tensor, directions: Tensor | None) -> Tensor:
        """hidden [N, H] and unit directions [N, 3] -> features [N, C]."""
        ...


def ask(field: RadianceField, points: Tensor, channels: int, checkpoint: Checkpoint = never) -> tuple[Tensor, Tensor]:
    """Raw density [N] and the first `channels` features [N, C] of a field at points [N, 3], in chunks."""
    raw, features = [points.new_zeros(0)], [points.new_zeros(0, channels)]
    for chunk in points.split(POINTS_PER_CHUNK):
        checkpoint()
        r, f = field(chunk, None)
        raw.append(r.float())
        features.append(f[:, :channels].float())
    return torch.cat(raw), torch.cat(features)


def outward_normals(values: Tensor, nodes: Tensor) -> Tensor:
    """Unit vectors [N, 3] from dense to empty at nodes of a grid [nx, ny, nz] with flat indices [N].

    They say where a node is seen from. Differences with the neighbours only there: a gradient of the whole grid would
    be three more grids.
    """
    flat, slopes = values.view(-1), []
    for axis in range(3):
        stride, count = values.stride(axis), values.shape[axis]
        place = nodes // stride % count
        before, after = nodes - stride * (place > 0), nodes + stride * (place < count - 1)
        slopes.append(flat[before] - flat[after])
    return F.normalize(torch.stack(slopes, -1), dim=-1)


def harmonic_features(
    field: RadianceField, points: Tensor, outward: Tensor, channels: int, degree: int, checkpoint: Checkpoint = never
) -> Tensor:
    """Features as harmonics [N, K * C]: weighted least squares over evenly spread directions.

    Directions from which a node can be seen count most; what a network answers for others was never trained.
    """
    looks = even_directions(max(LEAST_LOOKS, 2 * (degree + 1) ** 2) if degree else 6).to(points.device)  # [D, 3]
    values = basis(looks, degree)  # [D, K]
    products = (values[:, :, None] * values[:, None]).flatten(1)  # [D, K * K]
    ridge = RIDGE * torch.eye(values.shape[1], device=points.device)
    ridge[0, 0] = 0.0
    out = torch.empty(len(points), values.shape[1] * channels)  # on the CPU, where it is wanted
    at_once = POINTS_PER_CHUNK // 4
    for start in range(0, len(points), at_once):
        checkpoint()
        chunk, normal = points[start : start + at_once], outward[start : start + at_once].to(points)
        split = field if isinstance(field, SplitField) else None
        hidden = chunk if split is None else split.trunk(chunk)[1]
        weights = (-normal @ looks.T).clamp(min=0.0) + HIDDEN_WEIGHT  # [n, D]
        weights = weights / weights.sum(1, keepdim=True)
        sums = chunk.new_zeros(len(chunk), values.shape[1], channels)
        for look, harmonics, weight in zip(looks, values, weights.T, strict=True):
            directions = look.expand_as(chunk)
            seen = field(chunk, directions)[1] if split is None else split.colour(hidden, directions)
            sums += harmonics[:, None] * (weight[:, None] * seen[:, :channels])[:, None]
        normal_matrix = (weights @ products).view(-1, values.shape[1], values.shape[1]) + ridge
        out[start : start + at_once] = torch.linalg.solve(normal_matrix, sums).flatten(1)
    return out


def to_bytes(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[M, D] -> bytes [M, V], and the offset [D] and scale [D] that undo it; V: D padded for LANES."""
    count, width = values.shape
    rows = torch.zeros(count, -(-width // LANES) * LANES, dtype=torch.uint8)
    if not count:
        return rows, torch.zeros(width), torch.zeros(width)
    low, high = values.aminmax(dim=0)
    scale = (high - low).clamp(min=1e-8) / 255
    for line, part in zip(rows.split(POINTS_PER_CHUNK), values.split(POINTS_PER_CHUNK), strict=True):
        line[:, :width] = ((part - low) / scale).round_().clamp_(0, 255)
    return rows, low, scale
