"""What other codes brought, cut out of their scene, put into this one, and given the colour that was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ...models.base import Generator, Scene
from ..rendering.occupancy import OccupancyGrid, build_occupancy, densities
from .appearance_search import colour_codes, whole
from .blobs import widened
from .donors import Found, Presence
from .edited_field import EditedField, patch_codes, with_patch
from .errors import EditError
from .grid import Grid
from .looking import looking
from .matching import SURE, Target, matching
from .parts import Surface, find_surface
from .regions import LIKE, flood, grow_nodes
from .result import Patch
from .strokes import StrokeView

FEWEST = 3
"""Points that make a part."""
COMPARED, NEIGHBOURS = 4000, 4
"""Nodes that stand for the surface as it was, and how many of them a new node is compared with."""
LOOKS = 1500
"""Nodes that stand for all looks of the surface as it was."""
STANDING = 600
"""Nodes that stand for what is new."""
NEAR = 1.6
"""Factor on a channel up to which a colour is reached by scaling it."""
ASKED_AT_ONCE = 1 << 11


class Brought:
    """A part of another scene.

    Args:
        generator: of both scenes.
        scene: that receives the part.
        occupancy: of it.
        surface: of it.
        codes: [L, W] of it.
        found: the change of the codes that brings the part.
        wanted: where it was asked for.
    """

    def __init__(
        self,
        generator: Generator,
        scene: Scene,
        occupancy: OccupancyGrid,
        surface: Surface,
        codes: Tensor,
        found: Found,
        wanted: Presence,
    ) -> None:
        self._generator, self._scene, self._occupancy, self._surface = generator, scene, occupancy, surface
        self._codes, self._found, self._wanted = codes + found.delta, found, wanted

    def patches(self, colour: Tensor, strokes: Sequence[tuple[StrokeView, Tensor]]) -> Iterator[list[Patch]]:
        """The patches that bring it, better and better, in the strokes' colour [3]; an empty list between pieces of
        work, and nothing else where the codes bring nothing new.

        Args:
            colour: of the strokes, sRGB, 0..1.
            strokes: views with what is covered in them [size * size].
        """
        other = self._generator.scene(self._codes)
        yield []
        with torch.no_grad():
            occupancy = build_occupancy(other.field, other.volume)
        yield []
        surface: Surface | None = None
        for step in find_surface(self._generator, other, occupancy, self._codes):
            surface = step
            yield []
        assert surface is not None
        nodes: Tensor | None = None
        for made in self._new(other, surface):
            nodes = made
            yield []
        if nodes is None or len(nodes) < FEWEST:
            return
        mask: Grid | None = None
        for grown in grow_nodes(surface, nodes):
            mask = grown
            yield []
        assert mask is not None
        # What is brought may press aside what was there (hair under a hat), so a little around it comes along.
        brought = Patch(widened(mask, 1), codes=self._found.delta, shape=True)
        yield [brought]
        scene = replace(self._scene, field=EditedField(self._scene.field, ((brought, other.field),)))
        both = _either(self._occupancy, occupancy)
        seen = []
        for view, coverage in strokes:
            rendered = view.rendered
            for made in looking(scene, both, view.volume, view.cam2world, view.intrinsics, view.size):
                rendered = made or rendered
                yield []
            seen.append(_visible(replace(view, rendered=rendered), coverage, mask))
        patches = [brought]
        solid = (mask.sample(surface.points)[:, 0] > 0.8).nonzero()[:, 0]
        if surface.appearances is not None and len(solid) >= FEWEST and _far(surface.appearances[1][solid, 0], colour):
            tinted = None
            for step in colour_codes(self._generator, surface, _some(solid, LOOKS), colour, self._codes):
                tinted = tinted if step is None else Patch(whole(mask), codes=self._found.delta + step[0])
                yield [] if tinted is None else [brought, tinted]
            if tinted is not None:
                patches.append(tinted)
                own = self._generator.scene(patch_codes(tinted, self._codes - self._found.delta)).field
                scene = replace(scene, field=EditedField(scene.field, ((tinted, own),)))
                yield []
        # The colour's own edge is sharper, or it would run out over what the part touches.
        crisp = Patch(Grid(((mask.values - 0.5) / 0.5).clamp(0, 1), mask.bounds))
        try:
            for step in matching(partial(with_patch, scene), crisp, both, Target(colour, tuple(seen))):
                yield [] if step is None else [*patches, step[0]]
        except EditError:  # the up-sampler paints it by itself: it is there all the same
            yield patches

    @torch.no_grad()
    def _new(self, other: Scene, surface: Surface) -> Iterator[Tensor | None]:
        """Nodes of the other surface that are of what was asked for; None between pieces of work.

        Something new is of a material that was not there, and reaches as far as that hangs together with what fills the
        asked room. Where there is none (longer hair), it is what fills the room, where it looks unlike what was there.
        """
        after = densities(other.field, self._wanted.points)
        before = densities(self._scene.field, self._wanted.points)
        filled = self._wanted.points[(after > 0) & (before < 0) & (after - before > 0.1 * self._wanted.unit)]
        if len(filled) < FEWEST:
            return
        old = self._surface
        places, looks = (_some(values, COMPARED) for values in (old.points, old.signatures))
        unlike = []
        for points, signatures in zip(
            surface.points.split(ASKED_AT_ONCE), surface.signatures.split(ASKED_AT_ONCE), strict=True
        ):
            near = torch.cdist(points, places).topk(NEIGHBOURS, largest=False).indices
            unlike.append((signatures[:, None] - looks[near]).norm(dim=-1).amin(1) > LIKE)
            yield None
        changed = torch.cat(unlike)
        novel = changed.clone()
        for nodes in changed.nonzero()[:, 0].split(ASKED_AT_ONCE):
            novel[nodes] = torch.cdist(surface.signatures[nodes], _some(old.signatures, LOOKS)).amin(1) > LIKE
            yield None
        start = surface.nearest(filled)
        if int(novel[start].sum()) < FEWEST:
            yield start[changed[start]] if int(changed[start].sum()) >= FEWEST else start
            return
        reached = novel.float()
        for made in flood(surface, novel, start[novel[start]]):
            reached = made
            yield None
        yield _some((reached > 0).nonzero()[:, 0], STANDING)


def _some(values: Tensor, most: int) -> Tensor:
    """Up to `most` of the rows, evenly."""
    return values[torch.linspace(0, len(values) - 1, min(most, len(values)), device=values.device).long()]


def _far(colours: Tensor, wanted: Tensor) -> bool:
    """Whether colours [N, 3] would have to be stretched to the wanted one, so that codes are asked first."""
    return float(((wanted + 0.02) / (colours.mean(0) + 0.02)).log().abs().max()) > math.log(NEAR)


def _visible(view: StrokeView, coverage: Tensor, mask: Grid) -> tuple[StrokeView, Tensor]:
    """The pixels [size * size] that show a part. Those under the strokes if there are enough: what a generator brings
    stands a little beside where it was drawn."""
    origins, directions = view.rays
    points = origins + view.rendered.depth.reshape(-1, 1) * directions
    part = (view.alpha > SURE) * ((mask.sample(points)[:, 0] - 0.5) / 0.5).clamp(0, 1)
    under = part * coverage
    return view, under if float(under.sum()) > 0.5 * float(coverage.sum()) else part


def _either(one: OccupancyGrid, other: OccupancyGrid) -> OccupancyGrid:
    """What may hold something in one scene or the other, both of one generator."""
    low = tuple(min(a, b) for a, b in zip(one.tight[0], other.tight[0], strict=True))
    high = tuple(max(a, b) for a, b in zip(one.tight[1], other.tight[1], strict=True))
    return replace(one, occupied=one.occupied | other.occupied, tight=(low, high))
