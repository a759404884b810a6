"""Transfers: the shape or the colours of another identity, for the part that region strokes mean, or for all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ...models.base import Generator
from ..rendering.occupancy import build_occupancy
from .appearance_search import whole
from .blobs import widened
from .errors import EditError
from .grid import Grid, lattice
from .parts import Surface, find_surface
from .progress import EditProgress, Pace
from .regions import grow, grow_nodes
from .reshaped import codes_at, reshaped
from .result import EditResult, Patch
from .strokes import StrokeView, effective, reading_strokes

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

STANDING = 600
"""Nodes that stand for a part."""
What = Literal["shape", "colour", "both"]


def transfer(pipeline: Pipeline, state: ViewState, donor: int, what: What = "both") -> Iterator[EditProgress]:
    """Gives the part under the state's region strokes the shape, the colours or both of another seed.

    The part's field is that of the donor's codes, faded into the rest by a soft mask; of a shape the mask is that of
    the part as it was and as it is with the donor. Without a region stroke it is everything: the donor's codes take
    the place of the scene's in the layers that decide what is wanted.

    Args:
        pipeline: of the state's generator; only asked, not changed.
        state: its `edits.strokes` of kind 'region' (and 'keep') are read; its latents say how a seed is understood.
        donor: seed.
        what: which layers are the donor's.

    Raises:
        EditError: the model has no latents, or the region strokes meet nothing.
    """
    generator, latents = pipeline.tuned_for(state), state.latents
    if generator.num_layers == 0:
        raise EditError("This model is one scene and has no other identities: there is nobody to transfer from.")
    layers = sorted(
        {
            *(generator.geometry_layers if what in ("shape", "both") else ()),
            *(generator.appearance_layers if what in ("colour", "both") else ()),
        }
    )
    if not layers:
        raise EditError(f"This model does not say which of its codes decide the {what}; transfer both.")
    pace = Pace(340 if what != "colour" else 170)
    base = pipeline.edit(state) or EditResult()
    about = {**base.about, "what": f"transfer {what}", "donor": str(donor)}
    codes = generator.codes(
        donor, truncation=latents.truncation, cutoff=latents.cutoff, conditioning=latents.conditioning
    )
    own = torch.zeros_like(codes)
    if not any(stroke.on and stroke.kind == "region" for stroke in state.edits.strokes):
        own[layers] = codes[layers] - pipeline.codes(state)[layers]
        yield pace.last(replace(base, codes=own if base.codes is None else base.codes + own, about=about))
        return
    mask = yield from pace.through("Finding the part", _region(pipeline, state, ("region",)))
    patches = []
    if what != "colour":
        # Only what belongs to the part takes the donor's colours too: what the other shape bares is still one's own.
        geometry = list(generator.geometry_layers) or layers
        own[geometry] = codes[geometry]
        shaped = pipeline.codes(state).clone()
        shaped[geometry] = codes[geometry]
        there = yield from pace.through("Finding the other's part", _counterpart(generator, shaped, mask))
        room = widened(_joined(mask, there), 1)
        patches.append(Patch(room, codes=own.clone(), replaced=tuple(geometry), shape=True))
        mask = there
    if what != "shape":
        if what == "colour":  # of the shape that earlier edits have left
            now = pipeline.codes(state)
            own = codes_at(_inside(mask), now, base) - now
        own[layers] = codes[layers]
        patches.append(Patch(whole(mask), codes=own, replaced=tuple(layers)))
    yield pace.last(replace(base.with_patch(*patches), about=about))


def _counterpart(generator: Generator, codes: Tensor, mask: Grid) -> Iterator[Grid | None]:
    """The part that stands where `mask` is in the scene of other codes [L, W], as far as it reaches there; the mask
    itself where nothing does. Yields None between pieces of work."""
    scene = generator.scene(codes)
    yield None
    occupancy = build_occupancy(scene.field, scene.volume)
    yield None
    surface: Surface | None = None
    for made in find_surface(generator, scene, occupancy, codes):
        surface = made
        yield None
    assert surface is not None
    nodes = (mask.sample(surface.points)[:, 0] > 0.6).nonzero()[:, 0]
    if not len(nodes):
        yield mask
        return
    few = torch.linspace(0, len(nodes) - 1, min(STANDING, len(nodes)), device=nodes.device).long()
    yield from grow_nodes(surface, nodes[few])


def _inside(mask: Grid) -> Tensor:
    """Positions [N, 3] of the nodes of a mask that belong to its part."""
    values = mask.values[0]
    points = lattice(mask.bounds, tuple(values.shape), values.device)  # type: ignore[arg-type]
    return points[values.flatten() > 0.5 * values.max()]


def _joined(one: Grid, other: Grid) -> Grid:
    """The larger of two masks, on nodes as close as the first's."""
    low = tuple(min(a, b) for a, b in zip(one.bounds[0], other.bounds[0], strict=True))
    high = tuple(max(a, b) for a, b in zip(one.bounds[1], other.bounds[1], strict=True))
    shape = tuple(max(2, round((b - a) / s) + 1) for a, b, s in zip(low, high, one.spacing, strict=True))
    points = lattice((low, high), shape, one.values.device)  # type: ignore[arg-type]
    values = torch.maximum(one.sample(points), other.sample(points))
    return Grid(values.T.reshape(1, *shape), (low, high))  # type: ignore[arg-type]


def _region(pipeline: Pipeline, state: ViewState, kinds: tuple[str, ...]) -> Iterator[Grid | None]:
    """The part that all strokes of the given kinds mean together; yields None between pieces of work.

    Raises:
        EditError: as `edit_colour`.
    """
    scene = pipeline.scene(state)
    views: Sequence[StrokeView] | None = None
    for read in reading_strokes(pipeline, state, scene.resolution):
        views = read
        yield None
    assert views is not None
    inside, kept = [], []
    for view in views:
        for pixels, coverage in effective(view):
            points = view.surface_points(coverage) if bool((coverage > 0).any()) else coverage.new_zeros(0, 3)
            (inside if pixels.stroke.kind in kinds else kept if pixels.stroke.kind == "keep" else []).append(points)
    if not inside or not sum(len(points) for points in inside):
        raise EditError(f"No stroke of kind {' or '.join(kinds)} is drawn. Draw one over the part that is meant.")
    surface: Surface | None = None
    generator = reshaped(pipeline.tuned_for(state), pipeline.edit(state) or EditResult())
    for made in find_surface(generator, scene, pipeline.occupancy(state), pipeline.codes(state)):
        surface = made
        yield None
    assert surface is not None
    against = [torch.cat(kept)] if sum(len(points) for points in kept) else []
    for masks in grow(surface, [torch.cat(inside)], against):
        yield None if masks is None else masks[0]
