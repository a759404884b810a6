"""What a generator knows of a part: which change of its geometry codes takes it away or brings it, and little else.

Some hundred other identities' geometry codes are tried under this one's colours. Two linear regressions on their
principal components say how the part's presence and how its surroundings answer; the direction that moves the first
and keeps the second solves

    minimise |J d|^2 + ridge |d|^2   with   b . d = 1

and a few steps along it are looked at. No gradient goes through the generator. Where the generator has named
directions ('Hat', 'Glasses'), they are asked before, each at both of its ends: they were found from thousands of
examples, so one that does what is wanted leaves more of the rest alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...models.base import Generator, RadianceField
from .directions import Direction

DONORS = 96
"""Identities tried: 40 components explain 90 % of the variance of a part's presence with them."""
FIRST_DONOR = 5000
COMPONENTS = 40
RIDGE = 10.0
STRIDE = 0.5
FARTHEST = 5.5
"""Lengths tried along the direction, in standard deviations of the codes."""
BROUGHT = (0.5, 0.7, 0.9, 1.1, 1.25)
"""Amounts of a named direction that are tried to bring a part, in parts of its limit; beyond it what is brought is
overdone, so only where within it nothing was."""
REMOVED = tuple(0.5 + 0.125 * step for step in range(9))
"""The same to remove one. A part is gone before what it hid has come back, as the hair under a hat does."""
SETTLED = 0.012
"""Root mean square of what one such step changes where the part was (opacity and twice its colours), by which all has
come back: steps that still take away a part change some .1, and one that only carries the whole head along .01."""
ENOUGH_ABSENT, ENOUGH_PRESENT = 0.06, 0.9
"""Presence at which a search ends."""
NAMED_ABSENT, NAMED_PRESENT = 0.25, 0.35
"""Presence at which a named direction has done what is wanted, and donors need not be asked."""
HALF_ABSENT = 0.5
"""The same where nothing moves any more: hair as dark as the hat above it passes for a third of one."""
DISTURBED = 0.5
"""How much a change beside the part counts against a named direction."""


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


class _Answer(NamedTuple):
    """Of one field."""

    presence: float
    """Of the part."""
    inside: Tensor
    """[M, 4] opacity, and twice the colour as far as it is seen, where the part is."""
    beside: Tensor
    """Raw densities and colours beside it, flat."""


@torch.no_grad()
def search(
    generator: Generator, codes: Tensor, wanted: Presence, present: bool, named: Sequence[Direction] = ()
) -> Iterator[Found | None]:
    """The change of the geometry codes that makes the part present, or absent; None between pieces of work.

    Args:
        generator: with geometry layers.
        codes: [L, W] of the scene.
        wanted: which part, and what stays.
        present: whether it is to be brought.
        named: directions of the generator, which are asked first; those of colour are passed over.

    Yields:
        None, and at last what was found, however good.
    """
    layers = list(generator.geometry_layers)

    def ask(own: Tensor) -> _Answer:
        field = generator.scene(own).field
        raw, features = _query(field, wanted.points)
        opacity = (raw / wanted.unit).clamp(0, 1)[:, None]
        beside_raw, beside = _query(field, wanted.around)
        return _Answer(
            wanted.measure(raw, features),
            torch.cat([opacity, 2 * opacity * features[:, :3]], 1),
            torch.cat([(beside_raw / wanted.unit).clamp(-1, 1), 2 * beside[:, :3].flatten()]),
        )

    now = ask(codes)
    share = now.presence
    if share > ENOUGH_PRESENT if present else share < NAMED_ABSENT:
        # Only an earlier edit had put it there, or taken it away.
        yield Found(torch.zeros_like(codes), share)
        return
    shapes = [direction for direction in named if direction.about == "shape"]
    if shapes:
        best: Found | None = None
        for found in _named(shapes, codes, now, ask, present):
            best = found
            yield None
        if best is not None:
            yield best
            return
    tried, presence, answers = [], [], []
    for k in range(DONORS):
        other = codes.clone()
        other[layers] = generator.codes(FIRST_DONOR + k).to(codes)[layers]
        yield None
        answer = ask(other)
        tried.append(other[layers].flatten())
        presence.append(answer.presence)
        answers.append(answer.beside)
        yield None
    stacked = torch.stack(tried)
    mean = stacked.mean(0)
    yield None
    # Principal axes by way of the donors' products, of which there are fewer than codes have numbers.
    squares, turns = torch.linalg.eigh((stacked - mean) @ (stacked - mean).T)
    order = squares.argsort(descending=True)[:COMPONENTS]
    order = order[squares[order] > 1e-6 * squares.max()]  # what is less is rounding
    sizes = squares[order].sqrt()
    axes = turns[:, order].T @ (stacked - mean) / sizes[:, None]
    count = len(sizes)
    sigma = (sizes / len(tried) ** 0.5).clamp(min=1e-6)
    axes = axes * sigma[:, None]  # a step of 1 is one standard deviation
    yield None
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
    best = None
    stride = STRIDE
    while stride <= FARTHEST:
        delta = torch.zeros_like(codes)
        delta[layers] = (stride * step @ axes).view(len(layers), -1)
        share = ask(codes + delta).presence
        if best is None or (share > best.presence if present else share < best.presence):
            best = Found(delta, share)
        if share > ENOUGH_PRESENT if present else share < ENOUGH_ABSENT:
            break
        yield None
        stride += STRIDE
    yield best


def _named(
    directions: Sequence[Direction], codes: Tensor, now: _Answer, ask: Callable[[Tensor], _Answer], present: bool
) -> Iterator[Found | None]:
    """The named direction that does most for the part and least beside it, at the amount at which it has done what is
    wanted; None between pieces of work, and at last where none does it."""
    best, most = None, 0.0
    for direction in directions:
        for end in (direction.limit, -direction.limit):
            delta = end * direction.delta.to(codes)
            answer = ask(codes + delta)
            gain = (answer.presence - now.presence) * (1 if present else -1)
            gain -= DISTURBED * _change(answer.beside, now.beside)
            if gain > most:
                best, most = delta, gain
            yield None
    if best is None:
        return
    found: Found | None = None
    for step in (_brought if present else _removed)(best, codes, ask):
        found = step
        yield None
    yield found


def _brought(delta: Tensor, codes: Tensor, ask: Callable[[Tensor], _Answer]) -> Iterator[Found | None]:
    """How far to go along `delta` until a part is there: the last of what is given, None if it never is."""
    best: Found | None = None
    for amount in BROUGHT:
        share = ask(codes + amount * delta).presence
        if share > NAMED_PRESENT and (best is None or share > best.presence):
            best = Found(amount * delta, share)
        yield best
        if share > ENOUGH_PRESENT or (best is not None and amount >= 0.9):
            return


def _removed(delta: Tensor, codes: Tensor, ask: Callable[[Tensor], _Answer]) -> Iterator[Found | None]:
    """How far to go along `delta` until a part is gone and all that it hid is back, as `_brought`."""
    best: Found | None = None
    before: Tensor | None = None
    for amount in REMOVED:
        answer = ask(codes + amount * delta)
        settled = before is not None and _change(answer.inside, before) < SETTLED
        if settled and answer.presence < HALF_ABSENT and amount >= 1:
            yield Found(amount * delta, answer.presence)
            return
        before = answer.inside
        # What never settles, changes with everything else: gone is enough then, at the direction's limit.
        if answer.presence < NAMED_ABSENT and amount <= 1:
            best = Found(amount * delta, answer.presence)
        yield best


def _change(after: Tensor, before: Tensor) -> float:
    """Root mean square."""
    return float((after - before).square().mean().sqrt())


def _query(field: RadianceField, points: Tensor) -> tuple[Tensor, Tensor]:
    directions = None
    if field.view_dependent:
        directions = -torch.nn.functional.normalize(points, dim=-1)
    return field(points, directions)
