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
) -> Iterator[tuple[Tensor, float]]:
    """Codes under which the nodes' mean colour is the wanted one: yields (delta [L, W], squared error), best so far.

    The appearances tried for the signatures give a first mixture (near colours first) and the slopes for a secant
    search, so that no gradient through the generator is needed.
    """
    assert surface.appearances is not None
    tried, seen = surface.appearances
    deltas = (tried[1:] - tried[0]).flatten(1)  # [K, L * W]
    colours = seen[nodes].mean(0)  # [K + 1, 3]
    steps = colours[1:] - colours[0]
    price = LOCALITY * (1 + 30 * (colours[1:] - wanted).square().sum(1))  # [K]

    def mixture(change: Tensor) -> Tensor:
        """The cheapest weights [K] whose mixture changes the colour by `change` [3]."""
        scaled = steps / price[:, None]  # [K, 3]
        normal = steps.T @ scaled + 1e-3 * torch.eye(3, device=steps.device)
        return scaled @ torch.linalg.solve(normal, change)

    points = surface.points[nodes]
    share, best, least = mixture(wanted - colours[0]), None, float("inf")
    rate = 1.0
    for _ in range(SEARCH):
        # Beyond what was seen in training a generator answers anything.
        share = share * min(1.0, 1.5 / max(float(share.norm()), 1e-6))
        delta = (share @ deltas).view(codes.shape)
        with torch.no_grad():
            found = generator.scene(codes + delta, noise="const").field
            directions = None if not found.view_dependent else -F.normalize(points, dim=-1)
            colour = found(points, directions)[1][:, :3].mean(0)
        loss = float((colour - wanted).square().mean())
        if loss < least:
            best, least = (delta, share), loss
        elif best is not None:
            rate, share = 0.5 * rate, best[1]
        yield best[0] if best is not None else delta, least
        if least < CLOSE**2:
            return
        share = share + rate * mixture(wanted - colour)


def whole(mask: Grid) -> Grid:
    """The part with all of its blurred seam: under other codes each node of it changes by its own share of the part."""
    return Grid((3 * mask.values).clamp(0, 1), mask.bounds)
