"""What a generator knows of a part: which change of its geometry codes takes it away or brings it, and little else.

Some hundred other identities' geometry codes are tried under this one's colours. Two linear regressions on their
principal components say how the part's presence and how its surroundings answer; the direction that moves the first
and keeps the second solves

    minimise |J d|^2 + ridge |d|^2   with   b . d = 1

and a few steps along it are looked at. No gradient goes through the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...models.base import Generator, RadianceField

DONORS = 96
"""Identities tried: 40 components explain 90 % of the variance of a part's presence with them."""
FIRST_DONOR = 5000
COMPONENTS = 40
RIDGE = 10.0
STRIDE = 0.5
FARTHEST = 5.5
"""Lengths tried along the direction, in standard deviations of the codes."""


@dataclass(frozen=True)
class Presence:
    """What is asked of each donor's field."""

    points: Tensor
    """[M, 3] where the part is, or shall be."""
    measure: Callable[[Tensor, Tensor], float]
    """(raw [M], features [M, C]) -> how much of the part is there, 0..1."""
    around: Tensor
    """[R, 3] beside the part: what should not move."""
    unit: float
    """Raw density of something opaque."""


@dataclass(frozen=True)
class Found:
    """A change of the codes, and what it achieves."""

    delta: Tensor
    """[L, W]"""
    presence: float
    """Of the part after it."""


@torch.no_grad()
def search(generator: Generator, codes: Tensor, wanted: Presence, present: bool) -> Iterator[Found | None]:
    """The change of the geometry codes that makes the part present, or absent; None between pieces of work.

    Args:
        generator: with geometry layers.
        codes: [L, W] of the scene.
        wanted: which part, and what stays.
        present: whether it is to be brought.

    Yields:
        None, and at last what was found, however good.
    """
    layers = list(generator.geometry_layers)

    def ask(own: Tensor) -> tuple[float, Tensor]:
        field = generator.scene(own).field
        raw, features = _query(field, wanted.points)
        beside_raw, beside = _query(field, wanted.around)
        answer = torch.cat([(beside_raw / wanted.unit).clamp(-1, 1), 2 * beside[:, :3].flatten()])
        return wanted.measure(raw, features), answer

    tried, presence, answers = [], [], []
    for k in range(DONORS):
        other = codes.clone()
        other[layers] = generator.codes(FIRST_DONOR + k).to(codes)[layers]
        yield None
        share, answer = ask(other)
        tried.append(other[layers].flatten())
        presence.append(share)
        answers.append(answer)
        yield None
    stacked = torch.stack(tried)
    mean = stacked.mean(0)
    _, sizes, axes = torch.linalg.svd(stacked - mean, full_matrices=False)
    count = min(COMPONENTS, len(sizes))
    sigma = (sizes[:count] / len(tried) ** 0.5).clamp(min=1e-6)
    axes = axes[:count] * sigma[:, None]  # a step of 1 is one standard deviation
    z = (stacked - mean) @ axes.T / sigma.square()  # [K, count]
    ridge = RIDGE * torch.eye(count).to(z)
    inverse = torch.linalg.inv(z.T @ z + ridge)
    shares = torch.tensor(presence).to(z)
    slope = inverse @ z.T @ (shares - shares.mean())
    reply = torch.stack(answers)
    jacobian = inverse @ z.T @ (reply - reply.mean(0)) / reply.shape[1] ** 0.5  # [count, R]
    cost = jacobian @ jacobian.T
    # What is brought presses its surroundings aside (a hat the hair under it), so they count less then.
    cost = cost / cost.diagonal().mean().clamp(min=1e-9) + (3.0 if present else 0.3) * torch.eye(count).to(z)
    step = torch.linalg.solve(cost, slope)
    step = step / step.norm().clamp(min=1e-9) * (1.0 if present else -1.0)
    yield None
    best: Found | None = None
    stride = STRIDE
    while stride <= FARTHEST:
        delta = torch.zeros_like(codes)
        delta[layers] = (stride * step @ axes).view(len(layers), -1)
        share, _ = ask(codes + delta)
        better = best is None or (share > best.presence if present else share < best.presence)
        if better:
            best = Found(delta, share)
        if (share > 0.9) if present else (share < 0.06):
            break
        yield None
        stride += STRIDE
    yield best


def _query(field: RadianceField, points: Tensor) -> tuple[Tensor, Tensor]:
    directions = None
    if field.view_dependent:
        directions = -torch.nn.functional.normalize(points, dim=-1)
    return field(points, directions)
