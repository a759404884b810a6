"""The surface of a scene, and what tells its parts apart.

A generator says itself what belongs together: under other appearance codes a part changes its colour as one. So a
point's *signature* is its colour under some twenty appearances (and its own), divided by its brightness, which is
shading. Without latents it is the colour as it is, seen from six sides.
"""

from __future__ import annotations

from collections.abc import Generator as Asking
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Generator, RadianceField, Scene
from ..rendering.integrate import activate
from ..rendering.occupancy import OccupancyGrid, densities
from ..rendering.spherical import even_directions
from .errors import EditError
from .grid import dilated, lattice
from .guided_render import affordable

NODES = 88
"""Nodes of the lattice along the longest side: on heads one is .8 pixels of the 64 x 64 image apart."""
APPEARANCES = 20
COSTLY_NODES, COSTLY_APPEARANCES = 44, 6
"""The same for a generator whose field runs a network at every point (pi-GAN): seconds in place of a minute."""
FIRST_APPEARANCE = 1000
"""Seed of the first appearance; any would do, the same ones give the same region."""
CLEAR, OPAQUE = 0.05, 3.0
"""Optical thickness of a lattice cell that counts as something, and as hiding what is behind."""
PIECE = 1 << 13
"""Points asked of a field between two pauses, at most."""


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

    def telling(self, codes: Tensor) -> Tensor:
        """Codes [L, W] of the same shape, in the one of the appearances tried that tells its parts apart best: brown
        glasses cannot be told from brown skin. Without appearances the codes themselves."""
        return codes if self.appearances is None else self.appearances[0][self._most_varied]

    def telling_colours(self, points: Tensor) -> Tensor:
        """Colours [P, 3] of the surface nearest to points [P, 3], under the appearance of `telling`.

        Raises:
            ValueError: no appearances were tried.
        """
        if self.appearances is None:
            raise ValueError("a surface without appearances has no more telling one")
        return self.appearances[1][self.nearest(points, len(points)), self._most_varied]

    @property
    def _most_varied(self) -> int:
        assert self.appearances is not None
        return int(self.appearances[1].var(0).sum(-1).argmax())

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
    field = scene.field
    costly = generator.num_layers > 0 and affordable(field) < PIECE
    nodes, count = (COSTLY_NODES, COSTLY_APPEARANCES) if costly else (NODES, APPEARANCES)
    shape = tuple(max(8, round(nodes * e / max(extent))) for e in extent)
    device = occupancy.occupied.device
    points = lattice((low, high), shape, device)
    raw = torch.full((len(points),), -1e4, device=device)
    live = occupancy.contains(points * 0.999999).nonzero()[:, 0]
    for part in live.split(piece_of(field)):
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
        tried, colours = [codes], [(yield from _colours(field, points, costly))]
        for k in range(count):
            other = codes.clone()
            other[layers] = generator.codes(FIRST_APPEARANCE + k).to(codes)[layers]
            tried.append(other)
            own = generator.scene(other, noise="const").field
            yield None
            colours.append((yield from _colours(own, points, costly)))
        seen = torch.stack(colours, 1)  # [N, K, 3]
        signatures = F.normalize(seen.flatten(1), dim=1)
        appearances = (torch.stack(tried), seen)
    else:
        seen = yield from _colours(field, points, costly)
        # Shading counts half: a shadow on a wall is still the wall.
        light = seen.mean(1, keepdim=True)
        signatures = torch.cat([(seen - light) * 1.5 / (0.3 + light), 0.5 * light], dim=1)
    yield Surface((low, high), shape, index, points, signatures, appearances)  # type: ignore[arg-type]


def piece_of(field: RadianceField) -> int:
    """Points that a field is asked at between two pauses."""
    return min(PIECE, affordable(field))


def _colours(field: RadianceField, points: Tensor, once: bool) -> Asking[None, None, Tensor]:
    """RGB [N, 3] of points [N, 3]. Of a view-dependent field the mean from six sides, or `once` from outside only.
    Pauses now and then."""
    out = []
    for part in points.split(piece_of(field)):
        sides: list[Tensor | None] = [None]
        if field.view_dependent:
            sides = [-F.normalize(part, dim=-1)] if once else [d.expand_as(part) for d in even_directions(6).to(part)]
        seen = []
        for directions in sides:
            seen.append(field(part, directions)[1][:, :3])
            yield None
        out.append(torch.stack(seen).mean(0))
    return torch.cat(out).clamp(0, 1) if out else points.new_zeros(0, 3)


def on_lattice(surface: Surface, values: Tensor) -> Tensor:
    """Values [N] of the surface's nodes as [1, 1, nx, ny, nz], zero elsewhere."""
    grid = values.new_zeros(surface.shape[0] * surface.shape[1] * surface.shape[2])
    grid[surface.index] = values
    return grid.view(1, 1, *surface.shape)
