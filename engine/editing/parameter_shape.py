"""Shape edits by the layers that turn a conditional field's features into density: EditNeRF's own way.

Liu et al. 2021, "Editing Conditional Radiance Fields", section 3.3: of a removal, the fusion and density layers are
trained, near their old weights, and the entropy of each ray's weights keeps haze from staying behind. What stands
before those layers is computed once for every ray and kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...models.base import Scene, VolumeSettings
from ..rendering.density import opaque_raw
from .adam import falling
from .errors import EditError
from .parameter_edit import STAY, LayerTuning, Recolourable, colour_names, retuned_scene
from .progress import EditProgress, Pace
from .result import EditResult
from .stroke_rays import SIZE, StrokeRays, check_hits, pieces, sample_depths, sample_weights, stroke_rays

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

ENTROPY = 0.01
"""Weight of the entropy of a ray's weights, as published."""
REMOVAL, ADDITION = 120, 240
"""Steps; growing something out of nothing takes longer."""
KEEP = 4.0
"""Weight of the rays that stay as they are."""
LITTLE = 0.1
"""Slope with which a density below nothing counts."""
GROW = 2.0
"""Weight of density that is asked for and not there."""
RATE = 0.02
"""What a tensor moves by in a step, in parts of its own typical size, at first."""
SHOWS = 0.02
"""Weight from which a thing on a ray counts as seen."""
SAMPLES = 32
"""Coarse samples of a ray, and fine ones, at the most: enough to find what is there."""
BATCH = 10
"""Rays a step of each sort: struck, and kept."""
SHOWN = 5
"""Steps between two results."""


@runtime_checkable
class Reshapable(Recolourable, Protocol):
    """A field whose density comes late: `shape_features` do not depend on `shape_parameters`."""

    def shape_features(self, points: Tensor) -> Tensor:
        """points [N, 3] -> [N, F]"""
        ...

    def fuse(self, shape_features: Tensor) -> tuple[Tensor, Tensor]:
        """[N, F] -> raw density [N] and what the colour layers read [N, H]."""
        ...

    def shape_parameters(self) -> Mapping[str, nn.Parameter]:
        """The network's tensors that a shape edit trains, by name."""
        ...


def by_parameters(pipeline: Pipeline, state: ViewState) -> bool:
    """Whether a state's scene is edited by its network's own layers, as a conditional radiance field is."""
    return isinstance(pipeline.unedited_scene(state).field, Reshapable)


@dataclass(frozen=True)
class ShapeRays:
    """All that a shape edit needs of traced rays, and how they looked before it."""

    volume: VolumeSettings
    features: Tensor
    """[N, S, F] what the trained layers read."""
    depths: Tensor
    """[N, S]"""
    inside: Tensor
    """[N, S] bool: within the field's bounds; beyond them a network may have painted its background."""
    directions: Tensor
    """[N, 3], as `unit_rays` says."""
    raw: Tensor
    """[N, S] raw density before the edit."""
    weights: Tensor
    """[N, S] before the edit."""
    colours: Tensor
    """[N, 3] before the edit."""

    @property
    def alpha(self) -> Tensor:
        """[N] before the edit, of what lies within the bounds."""
        return (self.weights * self.inside).sum(1)

    @property
    def depth(self) -> Tensor:
        """[N] expected depth before the edit, of what lies within the bounds."""
        weights = self.weights * self.inside
        return (weights * self.depths).sum(1) / weights.sum(1).clamp(min=1e-6)

    def now(self, field: Reshapable, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw density [n, S], weights [n, S] and colours [n, 3] under the layers as they are now."""
        features, depths, directions = self.features[chosen], self.depths[chosen], self.directions[chosen]
        return _rendered(field, self.volume, features, depths, directions)


def trace_shapes(scene: Scene, rays: StrokeRays) -> Iterator[ShapeRays | None]:
    """Traces rays for a shape edit: yields None between pieces of work and the whole at last."""
    field, given = scene.field, scene.volume
    assert isinstance(field, Reshapable)
    volume = replace(given, coarse=min(given.coarse, SAMPLES), fine=min(given.fine, SAMPLES))
    low, high = (rays.origins.new_tensor(corner) for corner in scene.field.bounds)
    scene, parts = replace(scene, volume=volume), []
    for chosen in pieces(len(rays)):
        depths = sample_depths(scene, rays, chosen)
        directions = rays.directions[chosen]
        points = rays.origins[chosen][:, None] + depths[..., None] * directions[:, None]
        with torch.no_grad():
            features = field.shape_features(points.view(-1, 3)).view(*depths.shape, -1)
            raw, weights, colours = _rendered(field, volume, features, depths, directions)
        inside = ((points > low) & (points < high)).all(-1)
        parts.append((features, depths, inside, directions, raw, weights, colours))
        yield None
    yield ShapeRays(volume, *(torch.cat(column) for column in zip(*parts, strict=True)))


def edit_shape_parameters(
    pipeline: Pipeline, state: ViewState, *, size: int | None = None, steps: int | None = None
) -> Iterator[EditProgress]:
    """Takes away what remove strokes show and lets add strokes grow, by the layers that carry shape.

    Args:
        pipeline: of the state's generator; its scene's field is `Reshapable`.
        state: its `edits.strokes` are read; an edit that it names already is built upon.
        size: side in pixels at which strokes are read.
        steps: of the optimiser; None: `REMOVAL`, or `ADDITION` where something is added.

    Yields:
        Progress after each short piece of work, every few with a result; the last is `done`.

    Raises:
        EditError: nothing is drawn, strokes lie on nothing or contradict each other.
    """
    generator, codes = pipeline.tuned_for(state), pipeline.codes(state)
    field = pipeline.unedited_scene(state).field
    assert isinstance(field, Reshapable)
    adds = any(stroke.on and stroke.kind == "add" for stroke in state.edits.strokes)
    # What is added has a colour of its own, which what the layers have learned may not give.
    colours = colour_names(field) if adds else ()
    tuning = LayerTuning(generator, (*field.shape_parameters(), *colours))
    scene, base = retuned_scene(tuning, codes), pipeline.edit(state) or EditResult()
    rays = stroke_rays(pipeline, state, scene, ("remove", "add"), SIZE if size is None else size)
    if not rays.strokes:
        raise EditError("No remove or add stroke is drawn. Draw over what is to go, or where something is to grow.")
    steps = steps or (ADDITION if adds else REMOVAL)
    pace = Pace(len(list(pieces(len(rays)))) + steps + 3)
    yield pace.next("Looking at the strokes")
    seen = yield from pace.through("Looking at the strokes", trace_shapes(scene, rays))
    check_hits(rays, seen.alpha, seen.depth)
    field = scene.field
    assert isinstance(field, Reshapable)
    adding = rays.stroke.new_tensor([entry.stroke.kind == "add" for entry in rays.strokes]) > 0
    sorts = _sorts(rays, adding)
    window, wanted = _where(rays, seen, adding)
    adam = tuning.adam(RATE)
    source = torch.Generator().manual_seed(0)
    says = "Adding" if adds else "Taking it away"
    for step in range(steps):
        removed, added, kept = (_drawn(group, source) for group in sorts)
        raw, weights, colour = seen.now(field, torch.cat([removed, added, kept]))
        ends = len(removed), len(removed) + len(added)
        asked = colour.new_zeros(())
        if len(removed):
            gone = _still_there(seen, removed, raw[: ends[0]])
            asked = asked + gone + ENTROPY * _entropy(weights[: ends[0]])
        if len(added):
            part = slice(*ends)
            asked = asked + GROW * _missing(raw[part], window[added]) + (colour[part] - wanted[added]).square().mean()
        rest = slice(ends[1], None)
        stays = (colour[rest] - seen.colours[kept]).square().mean()
        stays = stays + _moved(seen, kept, raw[rest])
        adam.forget()
        (asked + KEEP * stays + STAY * tuning.moved()).backward()
        adam.step(falling(step, steps))
        show = step % SHOWN == SHOWN - 1
        yield pace.next(says, tuning.result(base, colours) if show else None, loss=float(asked.detach()))
    numbers = ", ".join(str(entry.number) for entry in rays.strokes)
    yield pace.last(replace(tuning.result(base, colours), about={**base.about, "what": "shape", "strokes": numbers}))


def _rendered(
    field: Reshapable, volume: VolumeSettings, features: Tensor, depths: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    rays, samples = depths.shape
    lengths = directions.norm(dim=-1)
    raw, told = field.fuse(features.reshape(rays * samples, -1))
    raw = raw.view(rays, samples)
    views = (directions / lengths[:, None])[:, None].expand(-1, samples, -1).reshape(-1, 3)
    rgb = field.colour(told, views)[:, :3].view(rays, samples, 3)
    weights = sample_weights(volume, depths, raw, lengths)
    plain = float(volume.white_background) * (1 - weights.sum(1, keepdim=True))
    return raw, weights, (weights[..., None] * rgb).sum(1) + plain


def _sorts(rays: StrokeRays, adding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of the rays that are to be emptied, those that are to be filled, and those that stay."""
    meant = rays.stroke >= 0
    fills = meant & adding[rays.stroke.clamp(min=0)]
    empties = meant & ~fills
    return empties.nonzero()[:, 0], fills.nonzero()[:, 0], (~meant).nonzero()[:, 0]


def _still_there(seen: ShapeRays, rays: Tensor, raw: Tensor) -> Tensor:
    """How much raw density is left of what the rays showed, about 0..1: from where it begins to where it ends."""
    before = seen.raw[rays]
    dense = (before > 0) & seen.inside[rays]
    # Samples in a row are one thing, and what is seen of it in front takes along what it hides of itself.
    begins = dense & ~F.pad(dense, (1, 0))[:, :-1]
    thing = begins.cumsum(1)
    shown = torch.zeros_like(before).scatter_add(1, thing.clamp(max=thing.shape[1] - 1), seen.weights[rays] * dense)
    gone = dense & (shown.gather(1, thing) > SHOWS)
    return raw.clamp(min=0)[gone].sum() / before[gone].sum().clamp(min=1e-6)


def _missing(raw: Tensor, wanted: Tensor) -> Tensor:
    """How much of the raw density that is wanted [n, S] (0: none is) is not there, 0..1 and more.

    Asked of the density itself, as `_moved`: where nothing is, opacity has no slope.
    """
    return ((wanted - raw) / wanted.clamp(min=1e-6)).clamp(min=0)[wanted > 0].square().mean()


def _moved(seen: ShapeRays, rays: Tensor, raw: Tensor) -> Tensor:
    """How far the raw density [n, S] has moved, in parts of its own size; how negative it is where nothing is counts
    little.

    Weights would not do: behind an activation such as ReLU what has once gone could never come back.
    """
    before = F.leaky_relu(seen.raw[rays], LITTLE)
    return (F.leaky_relu(raw, LITTLE) - before).square().mean() / before.square().mean().clamp(min=1e-6)


def _entropy(weights: Tensor) -> Tensor:
    """Mean entropy of rays' weights [n, S]: low where light is stopped at one place or nowhere."""
    share = weights / weights.sum(1, keepdim=True).clamp(min=1e-6)
    return -(share * (share + 1e-8).log()).sum(1).mean()


def _where(rays: StrokeRays, seen: ShapeRays, adding: Tensor) -> tuple[Tensor, Tensor]:
    """The raw density [N, S] that is to be added on each ray, as far away as what is nearest, and its colour [N, 3]."""
    window, wanted = torch.zeros_like(seen.weights), seen.colours.clone()
    solid = seen.alpha > 0.5 * seen.alpha.max()
    for number, entry in enumerate(rays.strokes):
        mine = (rays.stroke == number).nonzero()[:, 0]
        if not bool(adding[number]) or not len(mine):
            continue
        view = rays.views[int(rays.view[mine[0]])]
        there = (solid & (rays.view == rays.view[mine[0]])).nonzero()[:, 0]
        places = torch.stack([rays.pixel // view.size, rays.pixel % view.size], 1).float()
        depth = (
            seen.depth[there[torch.cdist(places[mine], places[there]).argmin(1)]] if len(there) else seen.depth[mine]
        )
        # As deep as it is wide, and never thinner than the samples are apart.
        radius = 0.5 * entry.stroke.width * float(depth.mean()) / float(view.intrinsics[1, 1])
        radius = max(radius, float(seen.depths.diff(dim=1).mean()))
        length = 2 * radius * float(seen.directions[mine].norm(dim=1).mean())
        within = (seen.depths[mine] - depth[:, None]).abs() < radius
        window[mine] = within * opaque_raw(length, seen.volume.activation)
        wanted[mine] = wanted.new_tensor(entry.stroke.colour)
    return window, wanted


def _drawn(group: Tensor, source: torch.Generator) -> Tensor:
    if len(group) <= BATCH:
        return group
    return group[torch.randperm(len(group), generator=source)[:BATCH].to(group.device)]
