"""Shape without a generator's help: matter pushed away, or swept along a stroke, as residuals on a lattice.

The residuals are constructed and not optimised, so they need neither of the terms by which an optimised one is kept
clean (EditNeRF's entropy of a ray's weights, .01 H(w); a sparsity |density residual|). What the entropy would drive a
ray to, all or nothing, is so by construction: a residual takes a node to the raw density of something opaque, or of
nothing, over a seam of one to three nodes. What the sparsity would keep at zero is zero: the residual ends with the
part's mask, or with the swept body. And no step of it waits for a gradient. An optimised residual (EditNeRF's own
tensors, `parameter_shape`) has both kinds of term.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Scene
from ..rendering.density import opaque_raw
from ..rendering.occupancy import densities
from ..rendering.rays import Bounds
from .grid import Grid, dilated, lattice
from .parts import Surface, piece_of
from .result import Patch

FINE = 64
"""Nodes along the longest side of the box around what changes."""
FADE = 3.0
"""Nodes over which an added surface goes from clear to opaque on either side."""


def widened(mask: Grid, nodes: int, least: float = 0.25) -> Grid:
    """The mask made certain inside and grown by so many nodes, with a soft edge: [1, ...]."""
    pad = nodes + 2
    values = F.pad(mask.values[None], (pad,) * 6)
    hard = (values > least).float()
    grown = dilated(hard, 2 * nodes + 1)
    soft = F.avg_pool3d(grown, 3, 1, 1, count_include_pad=False)[0]
    low = tuple(a - pad * s for a, s in zip(mask.bounds[0], mask.spacing, strict=True))
    high = tuple(b + pad * s for b, s in zip(mask.bounds[1], mask.spacing, strict=True))
    return Grid(torch.maximum(soft, values[0] * 0), (low, high)).cropped()  # type: ignore[arg-type]


@torch.no_grad()
def carved(scene: Scene, surface: Surface, mask: Grid) -> Iterator[Patch | None]:
    """Makes a patch without what the mask covers, and with what comes to light painted like its neighbours.

    Yields None between pieces of work, and the patch at last.

    Args:
        scene: as it is.
        surface: of the scene.
        mask: [1, ...] of the part to go.
    """
    room = widened(mask, 1)
    points = room.nodes
    shape = room.values.shape[1:]
    found = []
    for part in points.split(piece_of(scene.field)):
        found.append(densities(scene.field, part))
        yield None
    raw = torch.cat(found).view(1, *shape)
    empty = -opaque_raw(surface.spacing, scene.volume.activation)
    solid = room.values * (empty - raw.clamp(min=empty))
    # What lies behind was never seen: it takes the features of what is around the part.
    paint_mask = widened(mask, 3)
    yield None
    inside = mask.sample(surface.points)[:, 0] > 0.25
    near = (paint_mask.sample(surface.points)[:, 0] > 0.5) & ~inside
    paint = None
    if int(near.sum()) >= 8 and not scene.field.view_dependent:
        values = scene.field(surface.points[near], None)[1]
        for made in _diffused(paint_mask, surface.points[near], values):
            paint = made
            yield None
    yield Patch(room if paint is not None else mask, paint=paint, density=Grid(solid, room.bounds).cropped(1e-3))


@torch.no_grad()
def swept(scene: Scene, surface: Surface, path: Tensor, radius: float, colour: Tensor) -> Iterator[Patch | None]:
    """Makes a patch with a round body along a path, in one colour, lit as the scene is; None between pieces of work.

    Args:
        scene: as it is.
        surface: of the scene; its light is read off it.
        path: [P, 3] the body's axis, points closer than its radius.
        radius: of the body, world units.
        colour: [3] of the body where it is lit like the scene's mean.
    """
    margin = 2.5 * radius
    low, high = path.amin(0) - margin, path.amax(0) + margin
    least, most = (path.new_tensor(corner) for corner in scene.field.bounds)
    low, high = torch.maximum(low, least), torch.minimum(high, most)
    extent = (high - low).clamp(min=1e-6)
    shape = tuple(max(6, round(float(FINE * e / extent.max()))) for e in extent)
    bounds: Bounds = (tuple(low.tolist()), tuple(high.tolist()))  # type: ignore[assignment]
    points = lattice(bounds, shape, path.device)
    distances, found = [], []
    for part in points.split(piece_of(scene.field)):
        distances.append(_smooth_distance(part, path, radius))
        yield None
        found.append(densities(scene.field, part))
        yield None
    apart, before = torch.cat(distances), torch.cat(found)  # [n], [n]
    spacing = float(extent.max()) / max(shape)
    unit = opaque_raw(FADE * spacing, scene.volume.activation)
    own = (-apart / (FADE * spacing)).clamp(-1, 1) * unit
    added = torch.where(own > 0, (own - before).clamp(min=0), torch.zeros_like(own))
    # The edge itself has to cross zero between nodes, as a distance does.
    edge = (own <= 0) & (apart < FADE * spacing) & (before < own)
    added = torch.where(edge, own - before, added)
    solid = Grid(added.view(1, *shape), bounds)
    mask = ((1.5 * spacing - apart) / spacing).clamp(0, 1)
    # Nodes well inside the old surface keep their looks: the body only covers it.
    features = scene.field(surface.points[:1], _any_direction(scene, surface.points[:1]))[1]
    normals = F.normalize(_gradient(apart.view(shape), spacing), dim=-1).view(-1, 3)
    light = _light(scene, surface)
    shade = (1 + light[0] * (normals @ light[1:])).clamp(0.55, 1.35)
    paint = features.new_zeros(len(points), scene.field.features)
    if scene.field.features > 3:
        paint[:] = _like(scene, surface, colour)
    paint[:, :3] = (colour * shade[:, None]).clamp(0, 1)
    yield Patch(
        Grid(mask.view(1, *shape), bounds).cropped(1 / 255),
        paint=Grid(paint.T.reshape(-1, *shape), bounds),
        density=solid.cropped(1e-3),
    )


def _smooth_distance(points: Tensor, path: Tensor, radius: float) -> Tensor:
    """Distance [N] to a round body about the path: smooth where its balls meet."""
    apart = torch.cdist(points, path)
    k = radius / 5
    return -k * torch.logsumexp(-apart / k, dim=1) + k * 1.2 - radius


def _gradient(values: Tensor, spacing: float) -> Tensor:
    return torch.stack(torch.gradient(values, spacing=spacing), dim=-1)


def _any_direction(scene: Scene, points: Tensor) -> Tensor | None:
    return -F.normalize(points, dim=-1) if scene.field.view_dependent else None


def _light(scene: Scene, surface: Surface) -> Tensor:
    """[4]: how strongly brightness follows the normal, and the unit vector towards the light, fitted to the surface."""
    take = torch.linspace(0, len(surface.points) - 1, min(2000, len(surface.points))).long()
    points = surface.points[take]
    step = surface.spacing
    sides = torch.cat([points + step * axis for axis in torch.eye(3).to(points)] + [points])
    raw = densities(scene.field, sides).view(4, -1)
    normals = F.normalize(-(raw[:3] - raw[3]).T, dim=-1)
    bright = scene.field(points, _any_direction(scene, points))[1][:, :3].mean(1)
    relative = bright / bright.mean().clamp(min=1e-3) - 1
    fit = torch.linalg.lstsq(torch.cat([normals, torch.ones_like(normals[:, :1])], 1), relative[:, None]).solution[
        :3, 0
    ]
    strength = fit.norm()
    return torch.cat([strength.clamp(max=0.35)[None], fit / strength.clamp(min=1e-6)])


def _like(scene: Scene, surface: Surface, colour: Tensor) -> Tensor:
    """Features [C] of the surface where it looks most like a colour: what an up-sampler reads beside rgb."""
    take = torch.linspace(0, len(surface.points) - 1, min(4000, len(surface.points))).long()
    features = scene.field(surface.points[take], _any_direction(scene, surface.points[take]))[1]
    near = (features[:, :3] - colour).square().sum(1).topk(min(32, len(features)), largest=False).indices
    return features[near].mean(0)


def _diffused(room: Grid, points: Tensor, values: Tensor) -> Iterator[Grid | None]:
    """Values [N, C] at points [N, 3] carried to every node of a lattice by repeated averaging: [C, nx, ny, nz].

    None between pieces of work; a round asks only those nodes that have something to learn.
    """
    shape = room.values.shape[1:]
    low = points.new_tensor(room.bounds[0])
    cell = ((points - low) / points.new_tensor(room.spacing)).round().long()
    limit = torch.tensor(shape, device=points.device) - 1
    cell = cell.clamp(min=0).minimum(limit) + 1  # a margin of one node that never is known spares all bounds
    outer = [n + 2 for n in shape]
    flat = (cell[:, 0] * outer[1] + cell[:, 1]) * outer[2] + cell[:, 2]
    grid = values.new_zeros(outer[0] * outer[1] * outer[2], values.shape[1])
    grid.index_add_(0, flat, values)
    known = values.new_zeros(len(grid))
    known.index_add_(0, flat, torch.ones_like(values[:, 0]))
    grid /= known.clamp(min=1)[:, None]
    known = (known > 0).to(values)
    room_inside = F.pad(torch.ones(1, *shape, device=points.device), (1,) * 6).view(-1) > 0
    steps = [(x * outer[1] + y) * outer[2] + z for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]
    around = torch.tensor(steps, device=points.device)
    yield None
    while True:
        reach = dilated(known.view(1, 1, *outer), 3).view(-1)
        fresh = ((reach > 0) & (known == 0) & room_inside).nonzero()[:, 0]
        if not len(fresh):
            break
        for part in fresh.split(1 << 11):
            asked = part[:, None] + around
            weight = known[asked]  # [M, 27]; nodes of the same round do not count yet
            grid[part] = (grid[asked] * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
            yield None
        known[fresh] = 1
    yield Grid(grid.T.reshape(-1, *outer)[:, 1:-1, 1:-1, 1:-1].contiguous(), room.bounds)


def path_of(points: Sequence[Tensor], radius: float) -> Tensor:
    """Points [P, 3] thinned so that neighbours are about a third of the radius apart."""
    every = torch.cat(list(points))
    kept: list[Tensor] = []
    for point in every:
        if not kept or float(torch.stack(kept).sub(point).norm(dim=1).amin()) > 0.35 * radius:
            kept.append(point)
    return torch.stack(kept)
