"""Which part of the scene strokes mean: regions grown over the surface from what lies under them.

A generator says itself what belongs together: under other appearance codes a part changes its colour as one. So a
point's *signature* is its colour under some twenty appearances (and its own), divided by its brightness, which is
shading. Without latents it is the colour as it is, seen from six sides.
"""

from __future__ import annotations

from collections.abc import Generator as Asking
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Generator, RadianceField, Scene
from ..rendering.integrate import activate
from ..rendering.occupancy import OccupancyGrid, densities
from ..rendering.spherical import even_directions
from .errors import EditError
from .grid import Grid, dilated, lattice

NODES = 88
"""Nodes of the lattice along the longest side: on heads one is .8 pixels of the 64 x 64 image apart."""
APPEARANCES = 20
FIRST_APPEARANCE = 1000
"""Seed of the first appearance; any would do, the same ones give the same region."""
CLEAR, OPAQUE = 0.05, 3.0
"""Optical thickness of a lattice cell that counts as something, and as hiding what is behind."""
PROTOTYPES = 8
"""Typical signatures kept of what lies under a stroke."""
LIKE = 0.15
"""Distance of signatures within which two nodes look alike, shading and streaks included."""
FARTHEST = 0.36
"""Distance beyond which a signature is hardly ever of the same part: other parts of heads begin at .4."""
PIECE = 1 << 13
"""Points asked of a field between two pauses."""
GAP = 5
"""Nodes over which a region may jump: a strand of hair behind an ear still belongs to it."""


@dataclass(frozen=True)
class Surface:
    """The nodes of a lattice that a ray can see, with what tells parts apart."""

    bounds: tuple[tuple[float, float, float], tuple[float, float, float]]
    shape: tuple[int, int, int]
    index: Tensor
    """[N] flat indices of the nodes."""
    points: Tensor
    """[N, 3]"""
    signatures: Tensor
    """[N, D], comparable by their distance; 0..2."""
    appearances: tuple[Tensor, Tensor] | None
    """Codes [K, L, W] of the appearances that were tried, and the colours [N, K, 3] under them."""

    @property
    def spacing(self) -> float:
        """Distance between neighbouring nodes, the largest of the three axes'."""
        return max((b - a) / (n - 1) for a, b, n in zip(*self.bounds, self.shape, strict=True))

    def nearest(self, points: Tensor, most: int = 256) -> Tensor:
        """Indices [M] into the surface's nodes: the nearest to each of up to `most` points [P, 3]."""
        if len(points) > most:
            points = points[torch.linspace(0, len(points) - 1, most, device=points.device).long()]
        return torch.cat([torch.cdist(part, self.points).argmin(1) for part in points.split(64)])


@torch.no_grad()
def find_surface(
    generator: Generator, scene: Scene, occupancy: OccupancyGrid, codes: Tensor
) -> Iterator[Surface | None]:
    """The surface of a scene of `codes` [L, W]; yields None between short pieces of work and the surface at last.

    Raises:
        EditError: nothing in the scene is dense enough to be a surface.
    """
    low, high = occupancy.tight
    extent = [b - a for a, b in zip(low, high, strict=True)]
    shape = tuple(max(8, round(NODES * e / max(extent))) for e in extent)
    field = scene.field
    device = occupancy.occupied.device
    points = lattice((low, high), shape, device)
    raw = torch.full((len(points),), -1e4, device=device)
    live = occupancy.contains(points * 0.999999).nonzero()[:, 0]
    for part in live.split(PIECE):
        raw[part] = densities(field, points[part])
        yield None
    step = max(e / (n - 1) for e, n in zip(extent, shape, strict=True))
    thickness = (activate(raw, scene.volume.activation) * step).view(shape)
    hidden = dilated(-(thickness > OPAQUE).float()[None, None], 3)[0, 0] < 0
    index = ((thickness > CLEAR) & ~hidden).view(-1).nonzero()[:, 0]
    if not len(index):
        raise EditError(
            "This scene is haze without any surface, so nothing can be told apart in it. Choose another seed, or open "
            "a model that has been trained."
        )
    points = points[index]
    yield None
    appearances = None
    if generator.num_layers and generator.appearance_layers:
        layers = list(generator.appearance_layers)
        tried, colours = [codes], [(yield from _colours(field, points))]
        for k in range(APPEARANCES):
            other = codes.clone()
            other[layers] = generator.codes(FIRST_APPEARANCE + k).to(codes)[layers]
            tried.append(other)
            own = generator.scene(other, noise="const").field
            yield None
            colours.append((yield from _colours(own, points)))
        seen = torch.stack(colours, 1)  # [N, K, 3]
        signatures = F.normalize(seen.flatten(1), dim=1)
        appearances = (torch.stack(tried), seen)
    else:
        seen = yield from _colours(field, points)
        # Shading counts half: a shadow on a wall is still the wall.
        light = seen.mean(1, keepdim=True)
        signatures = torch.cat([(seen - light) * 1.5 / (0.3 + light), 0.5 * light], dim=1)
    yield Surface((low, high), shape, index, points, signatures, appearances)  # type: ignore[arg-type]


def grow(surface: Surface, strokes: Sequence[Tensor], against: Sequence[Tensor] = ()) -> Iterator[list[Grid] | None]:
    """For each group of strokes the part that it means, as a soft mask [1, nx, ny, nz]; parts do not overlap.

    Yields None between short pieces of work, and the masks at last.

    Args:
        surface: of the scene.
        strokes: positions [P, 3] under each group of strokes.
        against: positions under strokes that keep what they cover.
    """
    groups, scores = [], []
    for points in (*strokes, *against):
        nodes = surface.nearest(points)
        yield None
        apart, meant = _distances(surface.signatures, nodes)
        nodes = nodes[meant]
        scores.append(apart / _threshold(apart, apart[nodes]))
        groups.append(nodes)
        yield None
    score = torch.stack(scores)  # [G, N]
    contest = torch.ones_like(score)
    if len(groups) > 1:
        # Between strokes on one and the same part, the nearer one in space decides.
        away = torch.stack([_nearness(surface.points, surface.points[nodes]) for nodes in groups])
        total = score + away / (4 * surface.spacing) * 0.25
        best_other = torch.stack([torch.cat([total[:g], total[g + 1 :]]).amin(0) for g in range(len(groups))])
        contest = torch.sigmoid((best_other - total) * 4)
        yield None
    masks = []
    for g in range(len(strokes)):
        likely = torch.sigmoid((1 - score[g]) * 8)
        likely = ((likely - 0.05) / 0.9).clamp(0, 1) * ((contest[g] - 0.1) / 0.8).clamp(0, 1)
        connected = torch.zeros_like(likely)
        for reached in _flood(surface, likely > 0.3, groups[g]):
            connected = reached
            yield None
        masks.append(spread(surface, likely * connected))
        yield None
    yield masks


def spread(surface: Surface, values: Tensor, rounds: int = 3) -> Grid:
    """Values [N] on the surface as a grid that goes on a little before and behind it."""
    known = _on_lattice(surface, torch.ones_like(values))
    grid = _on_lattice(surface, values)
    for _ in range(rounds):
        weight = F.avg_pool3d(known, 3, 1, 1)
        grown = F.avg_pool3d(grid * known, 3, 1, 1) / weight.clamp(min=1e-6)
        grid = torch.where(known > 0, grid, grown)
        known = torch.where(known > 0, known, (weight > 0).float())
    return Grid(grid[0], surface.bounds).cropped(1 / 255)


def _colours(field: RadianceField, points: Tensor) -> Asking[None, None, Tensor]:
    """RGB [N, 3] of points [N, 3]; of a view-dependent field the mean from six sides. Pauses now and then."""
    directions = even_directions(6).to(points) if field.view_dependent else None
    out = []
    for part in points.split(PIECE):
        seen = []
        for d in (None,) if directions is None else directions:
            seen.append(field(part, None if d is None else d.expand_as(part))[1][:, :3])
            yield None
        out.append(torch.stack(seen).mean(0))
    return torch.cat(out).clamp(0, 1) if out else points.new_zeros(0, 3)


def _distances(signatures: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """How far each signature is from what is typical under a stroke, and which of the stroke's nodes are meant.

    A hand is not exact: a stroke along the rim of glasses lies half on skin. What is common under the stroke and rare
    elsewhere is what it means.

    Args:
        signatures: [N, D] of all nodes.
        nodes: [M] those under the stroke.

    Returns:
        distances [N], and [M] bool.
    """
    under = signatures[nodes]
    everything = signatures[torch.linspace(0, len(signatures) - 1, 1500, device=nodes.device).long()]
    here = (torch.cdist(under, under) < LIKE).float().mean(1)
    elsewhere = (torch.cdist(under, everything) < LIKE).float().mean(1)
    ratio = here / (elsewhere + 0.02)
    common = here >= min(0.15, float(here.max()))
    meant = common & (ratio >= 0.4 * float(ratio[common].max()))
    sure = under[meant]
    chosen = [sure.median(0).values]
    left = (sure - chosen[0]).norm(dim=1)
    limit = 3 * float(left.median()) + 1e-3
    for _ in range(PROTOTYPES - 1):
        candidates = torch.where(left < limit, left, torch.zeros_like(left))
        worst = int(candidates.argmax())
        if float(candidates[worst]) < 1e-3:
            break
        near = (sure - sure[worst]).norm(dim=1).topk(min(5, len(sure)), largest=False).indices
        chosen.append(sure[near].mean(0))
        left = torch.minimum(left, (sure - chosen[-1]).norm(dim=1))
    return torch.cdist(signatures, torch.stack(chosen)).amin(1), meant


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


def _flood(surface: Surface, allowed: Tensor, start: Tensor) -> Iterator[Tensor]:
    """[N] 1.0 where a node is reached from `start` over allowed ones and small gaps; more at every yield."""
    open_ = _on_lattice(surface, allowed.float())
    seeds = torch.zeros_like(allowed)
    seeds[start] = True
    reached = _on_lattice(surface, (seeds & allowed).float())
    before = -1.0
    while float(reached.sum()) != before:
        before = float(reached.sum())
        for _ in range(4):
            reached = dilated(reached, GAP) * open_
        yield reached.view(-1)[surface.index]


def _on_lattice(surface: Surface, values: Tensor) -> Tensor:
    """Values [N] of the surface's nodes as [1, 1, nx, ny, nz], zero elsewhere."""
    grid = values.new_zeros(surface.shape[0] * surface.shape[1] * surface.shape[2])
    grid[surface.index] = values
    return grid.view(1, 1, *surface.shape)
