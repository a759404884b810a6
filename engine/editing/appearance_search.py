"""Appearance codes under which a part has another colour, within what the generator has learned."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Generator
from .grid import Grid
from .matching import CLOSE
from .parts import Surface

SEARCH = 8
"""Codes tried by the secant search; its error falls by about a third with each."""
LOCALITY = 0.02
"""How dear it is to mix in an appearance whose part is of quite another colour."""


def colour_codes(
    generator: Generator, surface: Surface, nodes: Tensor, wanted: Tensor, codes: Tensor
) -> Iterator[tuple[Tensor, float] | None]:
    """Codes under which the nodes' mean colour is the wanted one: yields (delta [L, W], squared error), best so far.
    None is yielded before they are nearer to it than the codes as they are, for a step to a colour that nobody has
    (red skin) may lead anywhere.

    The appearances tried for the signatures give a first mixture (near colours first) and the slopes for a secant
    search, so that no gradient through the generator is needed.
    """
    assert surface.appearances is not None
    tried, seen = surface.appearances
    deltas = (tried[1:] - tried[0]).flatten(1)  # [K, L * W]
    points = surface.points[nodes]

    @torch.no_grad()
    def colour_of(codes: Tensor) -> Tensor:
        """The nodes' mean colour [3] without edits, as those of the other appearances are."""
        field = generator.scene(codes, noise="const").field
        directions = None if not field.view_dependent else -F.normalize(points, dim=-1)
        return field(points, directions)[1][:, :3].mean(0)

    colours = seen[nodes].mean(0)  # [K + 1, 3]
    colours[0] = colour_of(codes)
    steps = colours[1:] - colours[0]
    price = LOCALITY * (1 + 30 * (colours[1:] - wanted).square().sum(1))  # [K]

    def mixture(change: Tensor) -> Tensor:
        """The cheapest weights [K] whose mixture changes the colour by `change` [3]."""
        scaled = steps / price[:, None]  # [K, 3]
        normal = steps.T @ scaled + 1e-3 * torch.eye(3, device=steps.device)
        return scaled @ torch.linalg.solve(normal, change)

    best, nearest = torch.zeros_like(price), colours[0]
    found, least = None, float((nearest - wanted).square().mean())
    share, rate = mixture(wanted - nearest), 1.0
    for _ in range(SEARCH):
        # Beyond what was seen in training a generator answers anything.
        share = share * min(1.0, 1.5 / max(float(share.norm()), 1e-6))
        delta = (share @ deltas).view(codes.shape)
        colour = colour_of(codes + delta)
        loss = float((colour - wanted).square().mean())
        if loss < least:
            found, best, nearest, least = delta, share, colour, loss
        else:
            rate = 0.5 * rate
        yield None if found is None else (found, least)
        if least < CLOSE**2:
            return
        share = best + rate * mixture(wanted - nearest)


def whole(mask: Grid) -> Grid:
    """The part with all of its blurred seam: under other codes each node of it changes by its own share of the part."""
    return Grid((3 * mask.values).clamp(0, 1), mask.bounds)
