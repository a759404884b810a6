"""Colour edits: the part under a stroke takes the stroke's colour from every side, its shading and all else stay.

1. Strokes say which part is meant (`parts.grow`).
2. A generator with appearance codes is asked for that part under other codes: those whose colour there comes nearest,
   within what it has learned, so that shading, detail and the features that a super-resolution reads stay its own.
3. What codes cannot reach is left to an affine map of the part's colours, which keeps its light and dark.

Both only within the part's mask: outside, the field is what it was, bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...models.base import Generator, Scene
from ..rendering.exact import render_image
from ..rendering.occupancy import OccupancyGrid
from ..rendering.rays import picture_positions
from .edited_field import edited_scene
from .errors import EditError
from .grid import Grid
from .parts import Surface, find_surface, grow
from .progress import EditProgress, Pace
from .result import EditResult, Patch
from .strokes import ALIKE, StrokeView, cover, effective, look, stroke_views

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

SEARCH = 8
"""Codes tried by the secant search; its error falls by about a third with each."""
CLOSE = 0.012
"""Mean difference of colours (0..1) that nobody sees: three steps of 8-bit output."""
LOCALITY = 0.02
"""How dear it is to mix in an appearance whose part is of quite another colour."""
MATCHES = 2
"""Corrections of the colour by what the finished picture shows of it."""
LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class ColourGroup:
    """Strokes that ask for one colour."""

    colour: Tensor
    """[3] in 0..1."""
    points: Tensor
    """[P, 3] on the surface."""
    numbers: tuple[int, ...]
    """Of the strokes."""


def edit_colour(pipeline: Pipeline, state: ViewState, *, size: int | None = None) -> Iterator[EditProgress]:
    """Recolours what the state's colour strokes mean; strokes of kind 'keep' say where that ends.

    Args:
        pipeline: of the state's generator; only asked, not changed.
        state: its `edits.strokes` are read; an edit that it names already is built upon.
        size: side in pixels at which strokes are read; None: the scene's own resolution.

    Yields:
        Progress after each short piece of work; the last is `done` and holds the result.

    Raises:
        EditError: nothing is drawn, strokes lie on nothing or contradict each other.
    """
    pace = Pace(2 * 30 + 12)
    scene, codes = pipeline.scene(state), pipeline.codes(state)
    occupancy, generator = pipeline.occupancy(state), pipeline.tuned_for(state)
    views = stroke_views(pipeline, state, scene.resolution if size is None else size)
    groups, keep = colour_groups(views)
    if not groups:
        raise EditError("No colour stroke is drawn. Draw with the colour brush over the part that is to change.")
    yield pace.next("Looking at the strokes")
    surface = yield from pace.through("Finding the parts", find_surface(generator, scene, occupancy, codes))
    growing = grow(surface, [group.points for group in groups], [keep] if len(keep) else [])
    masks = yield from pace.through("Finding the parts", growing)
    base = pipeline.edit(state) or EditResult()
    plain = pipeline.unedited_scene(state)

    def edited(patches: Sequence[Patch]) -> Scene:
        result = base.with_patch(*patches)
        return edited_scene(generator, plain, result, codes, state.latents.noise, state.latents.noise_seed)

    patches = [Patch(mask, recolour=None) for mask in masks]
    for g, group in enumerate(groups):
        nodes = surface.nearest(group.points)
        if surface.appearances is not None:
            for delta, loss in _search(generator, surface, nodes, group.colour, codes):
                patches[g] = replace(patches[g], codes=delta)
                yield pace.next("Asking the generator", base.with_patch(*patches[: g + 1]), loss=loss)
        wanted = group.colour
        for _ in range(MATCHES + 1):
            before = patches[g] = replace(patches[g], recolour=None)
            seen = edited([*patches[:g], before]).field
            directions = None
            if seen.view_dependent:
                eye = views[0].cam2world[:3, 3]
                directions = torch.nn.functional.normalize(group.points - eye, dim=-1)
            with torch.no_grad():
                colours = seen(group.points, directions)[1][:, :3].clamp(0, 1)
            patches[g] = replace(before, recolour=recolouring(colours.mean(0), wanted, colours))
            shown = _shown(edited(patches[: g + 1]), occupancy, views, group)
            error = group.colour - shown
            yield pace.next(
                "Matching the colour", base.with_patch(*patches[: g + 1]), loss=float(error.square().mean())
            )
            if float(error.abs().max()) < CLOSE:
                break
            wanted = (wanted + error.clamp(-0.2, 0.2)).clamp(-0.1, 1.15)
    words = {"what": "colour", "strokes": ", ".join(str(n) for group in groups for n in group.numbers)}
    yield pace.last(replace(base.with_patch(*patches), about={**base.about, **words}))


def colour_groups(views: Sequence[StrokeView]) -> tuple[list[ColourGroup], Tensor]:
    """Colour strokes by their colour, and the positions [P, 3] under those that keep."""
    found: list[ColourGroup] = []
    kept = []
    for view in views:
        for pixels, coverage in effective(view):
            points = view.surface_points(coverage) if bool((coverage > 0).any()) else coverage.new_zeros(0, 3)
            if not len(points):
                continue
            if pixels.stroke.kind == "keep":
                kept.append(points)
            if pixels.stroke.kind != "colour":
                continue
            colour = points.new_tensor(pixels.stroke.colour)
            for i, group in enumerate(found):
                if float((group.colour - colour).abs().max()) < ALIKE:
                    both = torch.cat([group.points, points])
                    found[i] = ColourGroup(group.colour, both, (*group.numbers, pixels.number))
                    break
            else:
                found.append(ColourGroup(colour, points, (pixels.number,)))
    return found, torch.cat(kept) if kept else torch.zeros(0, 3)


def recolouring(mean: Tensor, wanted: Tensor, colours: Tensor) -> Tensor:
    """The affine map [3, 4] that takes the part's mean colour to the wanted one and keeps its light and dark.

    Near colours are scaled channel by channel, so that a pattern stays a pattern. Where that would blow a dark channel
    up, luminance alone is kept: c' = wanted (1 + s (L - mean L)).

    Args:
        mean: [3] under the stroke.
        wanted: [3]
        colours: [N, 3] under the stroke, whose spread bounds the contrast.
    """
    gain = (wanted.clamp(min=0.0) + 0.02) / (mean + 0.02)
    scaled = torch.diag(gain)
    weights = mean.new_tensor(LUMINANCE)
    light = float(mean @ weights)
    # Dark things have a relative contrast that nothing bright has.
    spread = float((colours @ weights).std()) if len(colours) > 1 else 0.0
    contrast = min(1 / max(light, 1e-3), 0.25 / max(spread, 1e-3), 2.5)
    shaded = contrast * wanted[:, None] * weights[None]
    stretch = float(gain.log().abs().max())
    far = min(max((stretch - math.log(1.6)) / math.log(2.0), 0.0), 1.0)
    matrix = (1 - far) * scaled + far * shaded
    return torch.cat([matrix, (wanted - matrix @ mean)[:, None]], dim=1)


def _search(
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
            directions = None if not found.view_dependent else -torch.nn.functional.normalize(points, dim=-1)
            colour = found(points, directions)[1][:, :3].mean(0)
        loss = float((colour - wanted).square().mean())
        if loss < least:
            best, least = (delta, share), loss
        else:
            rate, share = rate * 0.5, best[1] if best is not None else share
            colour = wanted - (wanted - colour) if best is None else colour
        yield best[0] if best is not None else delta, least
        if least < CLOSE**2:
            return
        share = share + rate * mixture(wanted - colour)


@torch.no_grad()
def _shown(scene: Scene, occupancy: OccupancyGrid, views: Sequence[StrokeView], group: ColourGroup) -> Tensor:
    """The mean colour [3] that the finished picture shows under the group's strokes."""
    total, weight = torch.zeros(3), 0.0
    for view in views:
        strokes = [pixels.stroke for pixels in view.strokes if pixels.number in group.numbers]
        if not strokes:
            continue
        rendered = look(scene, occupancy, view.volume, view.cam2world, view.intrinsics, view.size)
        picture = render_image(scene, rendered).clamp(0, 1)
        side = picture.shape[-1]
        positions = picture_positions(side, side, view.volume, picture.device)
        alpha = torch.nn.functional.interpolate(
            rendered.alpha[None, None], size=(side, side), mode="bilinear", align_corners=False
        ).reshape(-1)
        for stroke in strokes:
            covered = cover(stroke.points, stroke.width, positions, 1 / side) * (alpha > 0.97)
            total = total + (picture.flatten(1) @ covered).to(total)
            weight += float(covered.sum())
    return (total / weight if weight else group.colour).to(group.colour)


def region_mask(pipeline: Pipeline, state: ViewState, kinds: tuple[str, ...]) -> Iterator[Grid | None]:
    """The part that all strokes of the given kinds mean together; yields None between pieces of work.

    Raises:
        EditError: as `edit_colour`.
    """
    scene = pipeline.scene(state)
    views = stroke_views(pipeline, state, scene.resolution)
    inside, kept = [], []
    for view in views:
        for pixels, coverage in effective(view):
            points = view.surface_points(coverage) if bool((coverage > 0).any()) else coverage.new_zeros(0, 3)
            (inside if pixels.stroke.kind in kinds else kept if pixels.stroke.kind == "keep" else []).append(points)
    if not inside or not sum(len(points) for points in inside):
        raise EditError(f"No stroke of kind {' or '.join(kinds)} is drawn. Draw one over the part that is meant.")
    surface: Surface | None = None
    steps = find_surface(pipeline.tuned_for(state), scene, pipeline.occupancy(state), pipeline.codes(state))
    for made in steps:
        surface = made
        yield None
    assert surface is not None
    against = [torch.cat(kept)] if sum(len(points) for points in kept) else []
    for masks in grow(surface, [torch.cat(inside)], against):
        yield None if masks is None else masks[0]
