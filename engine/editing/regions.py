"""Which part of the scene strokes mean: regions grown over the surface from what lies under them.

The signatures of a scene's surface (`parts`) gather about a few *modes*, one or more to a part. Modes that are more
common under a stroke than elsewhere are what it means; a node belongs to the part as far as its signature is nearer to
those than to the others, which for a mixture of two parts (a blurred seam) is its share of the part:

    c = a F + (1 - a) B   gives   a = |c - B| / (|c - F| + |c - B|)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .grid import Grid, dilated
from .parts import Surface, on_lattice

ASKED = 1500
"""Nodes of the whole surface whose signatures stand for all."""
MODES = 24
LIKE = 0.15
"""Distance of signatures within which two nodes look alike, shading and streaks included."""
SAME = 0.2
"""Distance under which two modes are of one part, as the crown and the paler brim of a hat: half of that at which other
parts of heads begin."""
RARE = 0.03
"""Share of a stroke's nodes, or of the surface's, under which a mode is noise."""
MEANT = 1.25
"""How much more common a mode must be under a stroke than elsewhere to be meant."""
BETWEEN = 1.05
"""Detour by way of a mode, from a part to another, under which it is a mixture of both."""
FARTHEST = 0.36
"""Distance beyond which a signature is hardly ever of the same part: other parts of heads begin at .4."""
GAP = 5
"""Nodes over which a region may jump: a strand of hair behind an ear still belongs to it."""


@dataclass(frozen=True)
class Meaning:
    """What a stroke means, in signatures."""

    nodes: Tensor
    """[M] indices of the nodes under the stroke that are of the part."""
    apart: Tensor
    """[N] distance of every node to the part."""
    share: Tensor
    """[N] of the part in every node, 0..1."""


def grow(surface: Surface, strokes: Sequence[Tensor], against: Sequence[Tensor] = ()) -> Iterator[list[Grid] | None]:
    """For each group of strokes the part that it means, as a soft mask [1, nx, ny, nz]; parts do not overlap.

    Yields None between short pieces of work, and the masks at last.

    Args:
        surface: of the scene.
        strokes: positions [P, 3] under each group of strokes.
        against: positions under strokes that keep what they cover.
    """
    groups = []
    for points in (*strokes, *against):
        groups.append(surface.nearest(points))
        yield None
    yield from _grown(surface, groups, len(strokes))


def grow_nodes(surface: Surface, nodes: Tensor) -> Iterator[Grid | None]:
    """As `grow`, for one part of which some nodes [M] of the surface are known."""
    for masks in _grown(surface, [nodes], 1):
        yield None if masks is None else masks[0]


def _grown(surface: Surface, groups: Sequence[Tensor], count: int) -> Iterator[list[Grid] | None]:
    """The masks of the first `count` groups of nodes; the others only bound them."""
    found = []
    for nodes in groups:
        found.append(meaning(surface.signatures, nodes))
        yield None
    score = torch.stack([m.apart / _threshold(m.apart, m.apart[m.nodes]) for m in found])  # [G, N]
    contest = torch.ones_like(score)
    if len(found) > 1:
        # Between strokes on one and the same part, the nearer one in space decides.
        away = torch.stack([_nearness(surface.points, surface.points[m.nodes]) for m in found])
        total = score + away / (4 * surface.spacing) * 0.25
        best_other = torch.stack([torch.cat([total[:g], total[g + 1 :]]).amin(0) for g in range(len(found))])
        contest = torch.sigmoid((best_other - total) * 4)
        yield None
    masks = []
    for g in range(count):
        likely = torch.sigmoid((1 - score[g]) * 8)
        likely = ((likely - 0.05) / 0.9).clamp(0, 1) * ((contest[g] - 0.1) / 0.8).clamp(0, 1)
        likely = likely * ((found[g].share - 0.2) / 0.4).clamp(0, 1)
        connected = torch.zeros_like(likely)
        for reached in flood(surface, likely > 0.3, found[g].nodes):
            connected = reached
            yield None
        masks.append(spread(surface, likely * connected))
        yield None
    yield masks


def meaning(signatures: Tensor, nodes: Tensor) -> Meaning:
    """What is common under a stroke and rare elsewhere: a hand is not exact, and half a stroke along the rim of glasses
    lies on skin.

    Args:
        signatures: [N, D] of all nodes.
        nodes: [M] those under the stroke.
    """
    under = signatures[nodes]
    everything = signatures[torch.linspace(0, len(signatures) - 1, ASKED, device=nodes.device).long()]
    centres = _modes(under, everything)
    where = torch.cdist(under, centres).argmin(1)
    here = torch.bincount(where, minlength=len(centres)) / len(under)
    elsewhere = torch.cdist(everything, centres).argmin(1)
    elsewhere = torch.bincount(elsewhere, minlength=len(centres)) / len(everything)
    ratio = here / (elsewhere + 0.01) * (here >= min(RARE, float(here.max())))
    meant = ratio >= min(MEANT, float(ratio.max()))
    ways = torch.cdist(centres, centres)
    meant |= (here >= RARE) & (ways[:, meant].amin(1) < SAME)
    other = ~meant & (elsewhere > RARE)
    if bool(other.any()):
        # Signatures of length 1 lie on a sphere, where a mixture is on the arc and not on the chord.
        sphere = bool(((centres.norm(dim=1) - 1).abs() < 0.05).all())
        lengths = 2 * torch.asin((ways / 2).clamp(max=1)) if sphere else ways
        detour = lengths[:, :, None] + lengths[None]  # [from, by, to]
        mixed = detour < BETWEEN * lengths[:, None, :]
        larger = (here[:, None] > here[None]) & (ways >= SAME)  # [from, by]
        mixed &= (meant[:, None] & larger)[..., None] & other[None, None]
        meant &= ~mixed.any(0).any(1)
        other &= ways[:, meant].amin(1) > SAME
    apart = torch.cdist(signatures, centres[meant]).amin(1)
    share = torch.ones_like(apart)
    if bool(other.any()):
        beside = torch.cdist(signatures, centres[other]).amin(1)
        share = beside / (apart + beside).clamp(min=1e-6)
    sure = meant[where]
    return Meaning(nodes[sure], apart, share)


def _modes(under: Tensor, everything: Tensor) -> Tensor:
    """Centres [K, D] of what is common: the densest first, then the densest of what is unlike it.

    Args:
        under: [M, D] a stroke; as heavy in all as the rest.
        everything: [ASKED, D] all over the surface.
    """
    both = torch.cat([under, everything])
    weights = torch.cat([under.new_full((len(under),), 1 / len(under)), under.new_full((len(everything),), 1 / ASKED)])
    alike = torch.cdist(both, both) < 0.5 * LIKE
    left = torch.ones(len(both), dtype=torch.bool, device=both.device)
    centres: list[Tensor] = []
    while len(centres) < MODES and bool(left.any()):
        mass = alike.to(weights) @ (weights * left)
        centre = int((mass * left).argmax())
        members = alike[centre] & left
        if centres and float(mass[centre]) < 0.5 * RARE:
            break
        centres.append((both[members] * weights[members, None]).sum(0) / weights[members].sum())
        left &= ~alike[centre]
    return torch.stack(centres)


def spread(surface: Surface, values: Tensor, rounds: int = 3) -> Grid:
    """Values [N] on the surface as a grid that goes on a little before and behind it."""
    known = on_lattice(surface, torch.ones_like(values))
    grid = on_lattice(surface, values)
    for _ in range(rounds):
        weight = F.avg_pool3d(known, 3, 1, 1)
        grown = F.avg_pool3d(grid * known, 3, 1, 1) / weight.clamp(min=1e-6)
        grid = torch.where(known > 0, grid, grown)
        known = torch.where(known > 0, known, (weight > 0).float())
    return Grid(grid[0], surface.bounds).cropped(1 / 255)


def _threshold(apart: Tensor, under: Tensor) -> float:
    """The distance that parts like from unlike: the emptiest place in the histogram beyond the stroke's own spread."""
    start = max(1.2 * float(under.quantile(0.75)), 0.03)
    end = max(2.5 * start, FARTHEST)
    counts = torch.histc(apart, 40, start, end)
    counts = torch.nn.functional.pad(counts[None, None], (2, 2), mode="replicate")
    smooth = torch.nn.functional.conv1d(counts, counts.new_tensor([[[1.0, 2.0, 3.0, 2.0, 1.0]]]))[0, 0]
    return start + (int(smooth.argmin()) + 0.5) / 40 * (end - start)


def _nearness(points: Tensor, under: Tensor) -> Tensor:
    """Distance [N] in space from each point to the nearest under a stroke."""
    return torch.cat([torch.cdist(part, under).amin(1) for part in points.split(8192)])


def flood(surface: Surface, allowed: Tensor, start: Tensor) -> Iterator[Tensor]:
    """[N] 1.0 where a node is reached from `start` over allowed ones and small gaps; more at every yield."""
    open_ = on_lattice(surface, allowed.float())
    seeds = torch.zeros_like(allowed)
    seeds[start] = True
    reached = on_lattice(surface, (seeds & allowed).float())
    before = -1.0
    while float(reached.sum()) != before:
        before = float(reached.sum())
        for _ in range(4):
            reached = dilated(reached, GAP) * open_
        yield reached.view(-1)[surface.index]
