"""Colour edits: the part under a stroke takes the stroke's colour from every side, its shading and all else stay.

1. Strokes say which part is meant (`regions.grow`).
2. A generator with appearance codes is asked for that part under other codes: those whose colour there comes nearest,
   within what it has learned, so that shading, detail and the features that a super-resolution reads stay its own.
3. What codes cannot reach is left to an affine map of the part's colours, which keeps its light and dark.

Both only within the part's mask: outside, the field is what it was, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...models.base import Scene
from .appearance_search import colour_codes, whole
from .edited_field import edited_scene, with_patch
from .errors import EditError
from .grid import Grid
from .matching import matching, target_of
from .parameter_edit import edit_colour_parameters
from .parameter_shape import by_parameters
from .parts import Surface, find_surface
from .progress import EditProgress, Pace
from .regions import grow
from .reshaped import codes_at, reshaped
from .result import EditResult, Patch
from .strokes import ALIKE, StrokeView, by_camera, effective, reading_strokes

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

STEPS = 240
"""Pieces of work, about."""


@dataclass(frozen=True)
class ColourGroup:
    """Strokes that ask for one colour."""

    colour: Tensor
    """[3] in 0..1."""
    points: Tensor
    """[P, 3] on the surface."""
    seen: tuple[tuple[StrokeView, Tensor], ...]
    """Views, each with what the strokes cover of it [size * size]."""
    numbers: tuple[int, ...]
    """Of the strokes."""

    def joined(self, other: ColourGroup) -> ColourGroup:
        """Both, in this one's colour."""
        points = torch.cat([self.points, other.points])
        return ColourGroup(self.colour, points, (*self.seen, *other.seen), (*self.numbers, *other.numbers))


def edit_colour(pipeline: Pipeline, state: ViewState, *, size: int | None = None) -> Iterator[EditProgress]:
    """Recolours what the state's colour strokes mean; strokes of kind 'keep' say where that ends.

    Args:
        pipeline: of the state's generator; only asked, not changed.
        state: its `edits.strokes` are read; an edit that it names already is built upon.
        size: side in pixels at which strokes are read; None: the scene's own resolution.

    Yields:
        Progress after each short piece of work; the last is `done` and holds the result.

    Raises:
        EditError: nothing is drawn, strokes lie on nothing or contradict each other, or the picture does not follow
            the volume's colours.
    """
    if by_parameters(pipeline, state):
        yield from edit_colour_parameters(pipeline, state, size=size)
        return
    if not any(stroke.kind == "colour" for strokes in by_camera(state).values() for _, stroke in strokes):
        raise EditError("No colour stroke is drawn. Draw with the colour brush over the part that is to change.")
    pace = Pace(STEPS)
    scene, codes = pipeline.scene(state), pipeline.codes(state)
    occupancy, generator = pipeline.occupancy(state), pipeline.tuned_for(state)
    reading = reading_strokes(pipeline, state, scene.resolution if size is None else size)
    views = yield from pace.through("Looking at the strokes", reading)
    groups, keep = colour_groups(views)
    if not groups:
        raise EditError("Keep strokes cover all colour strokes. Draw with the colour brush where nothing is kept.")
    base = pipeline.edit(state) or EditResult()
    asked_of = reshaped(generator, base)
    surface = yield from pace.through("Finding the parts", find_surface(asked_of, scene, occupancy, codes))
    growing = grow(surface, [group.points for group in groups], [keep] if len(keep) else [])
    masks = yield from pace.through("Finding the parts", growing)
    plain = pipeline.unedited_scene(state)

    def edited(patches: Sequence[Patch]) -> Scene:
        result = base.with_patch(*patches)
        return edited_scene(generator, plain, result, codes, state.latents.noise, state.latents.noise_seed)

    patches: list[Patch] = []
    for group, mask in zip(groups, masks, strict=True):
        if surface.appearances is not None:
            asked = None
            inside = surface.points[mask.sample(surface.points)[:, 0] > 0.5]
            own = codes_at(inside if len(inside) else group.points, codes, base) - codes
            for step in colour_codes(asked_of, surface, _meant(surface, group, mask), group.colour, codes):
                if step is None:
                    yield pace.next("Asking the generator")
                    continue
                asked = Patch(whole(mask), codes=own + step[0])
                yield pace.next("Asking the generator", base.with_patch(*patches, asked), loss=step[1])
            patches += [] if asked is None else [asked]
        before, made, so_far = tuple(patches), None, edited(patches)
        yield pace.next("Matching the colour")
        laid = partial(with_patch, so_far)
        for step in matching(laid, Patch(mask), occupancy, target_of(group.colour, group.seen, mask)):
            made = made if step is None else step[0]
            result = None if step is None else base.with_patch(*before, step[0])
            yield pace.next("Matching the colour", result, loss=None if step is None else step[1])
        patches += [] if made is None else [made]
    words = {"what": "colour", "strokes": ", ".join(str(n) for group in groups for n in group.numbers)}
    yield pace.last(replace(base.with_patch(*patches), about={**base.about, **words}))


def _meant(surface: Surface, group: ColourGroup, mask: Grid) -> Tensor:
    """Nodes [M] under a group's strokes that are of its part: a stroke that strays is not to be made up for."""
    under = surface.nearest(group.points)
    of_part = under[mask.sample(surface.points[under])[:, 0] > 0.5]
    return of_part if len(of_part) else under


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
            own = ColourGroup(colour, points, ((view, coverage),), (pixels.number,))
            for i, group in enumerate(found):
                if float((group.colour - colour).abs().max()) < ALIKE:
                    found[i] = group.joined(own)
                    break
            else:
                found.append(own)
    return found, torch.cat(kept) if kept else torch.zeros(0, 3)
