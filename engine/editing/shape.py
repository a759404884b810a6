"""Shape edits: what is under a remove stroke goes, what an add stroke asks for comes, and all else stays.

A generator with geometry codes is asked first (`donors.search`): it knows what is behind glasses and how a hat sits.
Only the part's surroundings are taken from the scene that it answers with. Where no codes explain the strokes, and for
scenes without latents, matter is pushed away or swept along the stroke (`blobs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Scene
from ..rendering.density import opaque_raw
from .blobs import carved, path_of, swept, widened
from .bringing import Brought
from .directions import directions_of
from .donors import DONORS, HALF_ABSENT, NAMED_PRESENT, Presence, search
from .errors import EditError
from .grid import Grid
from .parameter_shape import by_parameters, edit_shape_parameters
from .parts import Surface, find_surface
from .progress import EditProgress, Pace
from .regions import grow
from .reshaped import codes_at, reshaped
from .result import EditResult, Patch
from .strokes import HIT, StrokePixels, StrokeView, by_camera, effective, reading_strokes

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

MOST_ASKED = 600
"""Points asked of each donor, at the part and beside it."""
DEEP = 8
"""Places asked along each ray in front of the surface for what is to be added."""
NOVEL = 0.2
"""Distance between a stroke's colour and what it is drawn on from which it means something new."""
BESIDE = (1.5, 6.0)
"""Nodes from the part within which its surroundings are watched."""


def edit_shape(pipeline: Pipeline, state: ViewState, *, size: int | None = None) -> Iterator[EditProgress]:
    """Takes away what remove strokes mean and adds what add strokes ask for.

    Args:
        pipeline: of the state's generator; only asked, not changed.
        state: its `edits.strokes` are read; an edit that it names already is built upon.
        size: side in pixels at which strokes are read; None: the scene's own resolution.

    Yields:
        Progress after each short piece of work; the last is `done` and holds the result.

    Raises:
        EditError: nothing is drawn, strokes lie on nothing or contradict each other.
    """
    if by_parameters(pipeline, state):
        yield from edit_shape_parameters(pipeline, state, size=size)
        return
    strokes = [stroke for drawn in by_camera(state).values() for _, stroke in drawn]
    if not any(stroke.kind in ("remove", "add") for stroke in strokes):
        raise EditError("No remove or add stroke is drawn. Draw over what is to go, or where something is to grow.")
    scene, codes, generator = pipeline.scene(state), pipeline.codes(state), pipeline.tuned_for(state)
    asks = generator.num_layers > 0 and len(generator.geometry_layers) > 0
    rounds = len({stroke.colour for stroke in strokes if stroke.kind == "add"}) + any(
        stroke.kind == "remove" for stroke in strokes
    )
    pace = Pace(160 + rounds * (2 * DONORS + 160 if asks else 20))
    reading = reading_strokes(pipeline, state, scene.resolution if size is None else size)
    views = yield from pace.through("Looking at the strokes", reading)
    drawn = [(view, pixels, left) for view in views for pixels, left in effective(view)]
    removes = [entry for entry in drawn if entry[1].stroke.kind == "remove"]
    adds = [entry for entry in drawn if entry[1].stroke.kind == "add"]
    kept = [view.surface_points(left) for view, pixels, left in drawn if pixels.stroke.kind == "keep"]
    occupancy = pipeline.occupancy(state)
    base = pipeline.edit(state) or EditResult()
    finding = find_surface(reshaped(generator, base), scene, occupancy, codes)
    surface = yield from pace.through("Finding the parts", finding)
    patches: list[Patch] = []
    # None are made here: principal directions, which can be made for any generator, know nothing of single parts.
    named = directions_of(generator, state.model, pipeline.side_files, compute=False) if asks else ()
    if removes:
        points = torch.cat([view.surface_points(left) for view, _, left in removes])
        if not len(points):
            raise EditError("Later strokes cover all remove strokes. Draw with the remove brush where nothing else is.")
        growing = grow(surface, [points], [torch.cat(kept)] if kept and sum(map(len, kept)) else [])
        masks = yield from pace.through("Finding the parts", growing)
        found = None
        if asks:
            inside = _within(surface, masks[0])
            own = codes_at(surface.points[inside], codes, base)
            part = _part(scene, generator.scene(own), surface, inside)
            for found in search(generator, own, part, False, named):
                yield pace.next("Asking the generator", loss=None if found is None else found.presence)
        if found is not None and found.presence < HALF_ABSENT:
            patches.append(Patch(widened(masks[0], 2), codes=own + found.delta - codes, shape=True))
        else:
            patches.append((yield from pace.through("Taking it away", carved(scene, surface, masks[0]))))
        yield pace.next("Taking it away", base.with_patch(*patches))
    for group in _by_colour(adds):
        wanted, path, radius = _space(scene, surface, group)
        colour = path.new_tensor(group[0][1].stroke.colour)
        added: list[Patch] = []
        if asks:
            found = None
            for found in search(generator, surface.telling(codes), wanted, True, named):
                yield pace.next("Asking the generator", loss=None if found is None else 1 - found.presence)
            if found is not None and found.presence > NAMED_PRESENT:
                part = Brought(generator, scene, occupancy, surface, codes, found, wanted)
                for made in part.patches(colour, [(view, left) for view, _, left in group]):
                    added = made or added
                    result = base.with_patch(*patches, *made) if made else None
                    yield pace.next("Cutting it out", result)
        if not added:
            added = [(yield from pace.through("Adding", swept(scene, surface, path, radius, colour)))]
        patches += added
        yield pace.next("Adding", base.with_patch(*patches))
    numbers = ", ".join(str(pixels.number) for _, pixels, _ in (*removes, *adds))
    yield pace.last(replace(base.with_patch(*patches), about={**base.about, "what": "shape", "strokes": numbers}))


_Drawn = tuple[StrokeView, StrokePixels, Tensor]


def _by_colour(adds: Sequence[_Drawn]) -> list[list[_Drawn]]:
    """Add strokes of one colour are one thing (both rims of a pair of glasses)."""
    groups: dict[tuple[float, float, float], list[_Drawn]] = {}
    for entry in adds:
        groups.setdefault(entry[1].stroke.colour, []).append(entry)
    return list(groups.values())


def _some(points: Tensor, most: int = MOST_ASKED) -> Tensor:
    return points[torch.linspace(0, len(points) - 1, min(most, len(points)), device=points.device).long()]


def _within(surface: Surface, mask: Grid) -> Tensor:
    """Which of the surface's nodes [N] belong to a part."""
    share = mask.sample(surface.points)[:, 0]
    inside = share > 0.5
    return inside if bool(inside.any()) else share >= 0.5 * share.max()


@torch.no_grad()
def _part(scene: Scene, plain: Scene, surface: Surface, inside: Tensor) -> Presence:
    """How much of a part, the surface's nodes [N] that are `inside`, is still there: opaque, and in its own colours.

    Those are the ones that the generator itself gives it in the `plain` scene, as it will answer: a hat that was
    painted green is still its blue one.
    """
    points = _some(surface.points[inside])
    directions = -F.normalize(points, dim=-1) if scene.field.view_dependent else None
    own = plain.field(points, directions)[1][:, :3]
    unit = opaque_raw(surface.spacing, scene.volume.activation)
    there = torch.sigmoid(scene.field(points, directions)[0] / (0.1 * unit)).mean().clamp(min=1e-3)

    def measure(raw: Tensor, features: Tensor) -> float:
        alike = torch.exp(-(features[:, :3] - own).square().sum(1) / 0.05)
        return float((torch.sigmoid(raw / (0.1 * unit)) * alike).mean() / there)

    return Presence(points, measure, _beside(surface, surface.points[inside], ~inside), unit)


def _beside(surface: Surface, part: Tensor, allowed: Tensor) -> Tensor:
    """Points [R, 3] of the surface around a part."""
    few = _some(part, MOST_ASKED)
    nodes = _some(allowed.nonzero()[:, 0], 20 * MOST_ASKED)
    points = surface.points[nodes]
    away = torch.cat([torch.cdist(piece, few).amin(1) for piece in points.split(4096)])
    near, far = (steps * surface.spacing for steps in BESIDE)
    ring = points[(away > near) & (away < far)]
    return _some(ring if len(ring) >= 50 else surface.points)


@torch.no_grad()
def _space(scene: Scene, surface: Surface, strokes: Sequence[_Drawn]) -> tuple[Presence, Tensor, float]:
    """The room in front of the surface that add strokes ask to fill, and a body's axis [P, 3] and radius for it."""
    rays, places, looks, axis, radii = [], [], [], [], []
    for view, pixels, left in strokes:
        origins, directions = view.rays
        distance = float(view.cam2world[:3, 3].norm())
        radius = 0.5 * pixels.stroke.width * distance / float(view.intrinsics[1, 1])
        radii.append(radius)
        covered = (left > 0.5).nonzero()[:, 0]
        covered = covered if len(covered) else left.topk(1).indices
        solid = view.alpha[covered] > HIT
        # Beside the object it stands as far away as the nearest pixel of the object.
        hit = (view.alpha > HIT).nonzero()[:, 0]
        place = torch.stack([torch.arange(len(left)) // view.size, torch.arange(len(left)) % view.size], 1).to(left)
        nearest = hit[torch.cdist(place[covered], place[hit]).argmin(1)]
        depth = view.rendered.depth.reshape(-1)[nearest]
        looks.append(view.rendered.features[:3].flatten(1).T[nearest])
        o, d = origins[covered], directions[covered]
        # A body half sunk where it lies on something, whole where it stands free.
        axis.append(o + (depth - torch.where(solid, 0.4 * radius, 0.0))[:, None] * d)
        forward = torch.linspace(0.6, 4.0, DEEP).to(depth) * min(radius, 2.5 * surface.spacing)
        before = torch.where(solid[:, None], forward, forward - forward.mean())
        rays.append(o[:, None] + (depth[:, None] - before)[..., None] * d[:, None])
        places.append(o + depth[:, None] * d)
    samples, hits, own = torch.cat(rays), torch.cat(places), torch.cat(looks)  # [P, DEEP, 3], [P, 3], [P, 3]
    take = torch.linspace(0, len(samples) - 1, min(120, len(samples))).long()
    samples, hits, own = samples[take], hits[take], own[take]
    unit = opaque_raw(surface.spacing, scene.volume.activation)
    colour = own.new_tensor(strokes[0][1].stroke.colour)
    # In another colour than what it is drawn on, something new is meant, and thicker hair will not do for a hat.
    novel = float((own - colour).norm(dim=1).median()) > NOVEL
    own = surface.telling_colours(hits) if surface.appearances is not None else own

    def measure(raw: Tensor, features: Tensor) -> float:
        there = torch.sigmoid(raw.view(samples.shape[:2]) / (0.1 * unit))
        if novel:
            unlike = (features[:, :3].view(samples.shape) - own[:, None]).square().sum(-1)
            there = there * (1 - torch.exp(-unlike / 0.02))
        return float(there[:, 1:].amax(1).mean())

    points = samples.reshape(-1, 3)
    beside = _beside(surface, points, torch.ones(len(surface.points), dtype=torch.bool, device=points.device))
    radius = sum(radii) / len(radii)
    return Presence(points, measure, beside, unit), path_of(axis, radius), radius
