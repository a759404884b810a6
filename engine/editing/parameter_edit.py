"""Colour edits by the few tensors of a network that carry colour: EditNeRF's own way, which needs no surface.

Liu et al. 2021, "Editing Conditional Radiance Fields", sections 3.2 and 3.3: the last colour layers are trained on the
strokes' rays, with

    L = mean (C(r) - wanted)^2 + lambda sum over layers of mean (w - w_0)^2,  published with lambda 10

Density cannot change with them, nor anything behind which they stand. So each ray is traced once, its weights and what
the colour layers are told are kept, and a step costs the colour layers alone on the samples that are seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ...models.base import Generator, RadianceField, Scene
from .adam import Adam, falling
from .errors import EditError
from .pivotal import copied, network_of
from .progress import EditProgress, Pace
from .result import EditResult
from .stroke_rays import FAINT, SIZE, StrokeRays, check_hits, pieces, sample_depths, sample_weights, stroke_rays

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

STAY = 5.0
"""Weight of the layers' own mean squared change: half of what is published, since rays from all sides hold the rest."""
STEPS = 240
RATE = 0.02
"""What a tensor moves by in a step, in parts of its own typical size, at first."""
SEEN = 32
"""Samples kept of a ray, those that it shows most of; the others keep the colour that they had."""
BATCH = 48
"""Rays a step of each sort: struck, kept because a stroke says so, kept because they look otherwise."""
LIKE = 0.12
"""Distance of colours within which a ray that no stroke means may follow the strokes: the rest of what is painted."""
AROUND = 3
"""Views from other sides that keep their colours where they look otherwise."""
SOLID = 0.2
"""Weight from which a sample is something that its ray shows."""
KEEP = 3.0
"""Weight of the rays that keep their colour."""
SHOWN = 4
"""Pieces of work between two results."""
PIECE = 3
"""Steps in a piece of work."""


@runtime_checkable
class Recolourable(Protocol):
    """A field whose colour comes last: what `trunk` gives does not depend on `colour_parameters`."""

    network: nn.Module

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """points [N, 3] -> raw density [N] and what the colour layers read [N, H]."""
        ...

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """[N, H] and unit directions [N, 3] -> features [N, C]."""
        ...

    def colour_parameters(self) -> Mapping[str, nn.Parameter]:
        """The network's tensors that a colour edit trains, by name."""
        ...


class LayerTuning:
    """Some layers of a generator's own copy while an edit trains them.

    Args:
        generator: stays as it is.
        names: of tensors of the network that is its scene.
    """

    def __init__(self, generator: Generator, names: Sequence[str]) -> None:
        self.generator = copied(generator)
        network = network_of(self.generator)
        network.requires_grad_(False)
        self._trained = {n: p.requires_grad_(True) for n, p in network.named_parameters() if n in set(names)}
        self._start = {n: p.detach().clone() for n, p in self._trained.items()}

    def adam(self, rate: float) -> Adam:
        """Adam over the tensors, each moving by about `rate` of its own typical size a step."""
        sizes = {n: float(start.square().mean().sqrt().clamp(1e-3, 1.0)) for n, start in self._start.items()}
        return Adam([(tensor, rate * sizes[name]) for name, tensor in self._trained.items()])

    def deltas(self) -> dict[str, Tensor]:
        """What has changed so far, fp16, by name."""
        return {n: (p.detach() - self._start[n]).half() for n, p in self._trained.items()}

    def moved(self) -> Tensor:
        """Sum over the weights (biases are free, as published) of mean (w - w_0)^2."""
        changes = [(p - self._start[n]).square().mean() for n, p in self._trained.items() if n.endswith("weight")]
        return torch.stack(changes).sum()

    def result(self, base: EditResult, colour: Sequence[str] = ()) -> EditResult:
        """`base` with what has changed so far; `colour`: names of tensors on which no density depends."""
        parameters = dict(base.parameters)
        for name, delta in self.deltas().items():
            before = parameters.get(name)
            parameters[name] = delta if before is None else before.to(delta.device) + delta.float()
        return replace(base, parameters=parameters, colour_parameters=tuple(sorted({*base.colour_parameters, *colour})))


def retuned_scene(tuning: LayerTuning, codes: Tensor) -> Scene:
    """The scene of the tensors as they are now, differentiable in those that are trained."""
    return tuning.generator.scene(codes.clone())


@dataclass(frozen=True)
class SeenColours:
    """All that a colour edit needs of traced rays."""

    told: Tensor
    """[N, K, H] what the colour layers read at the samples that are seen most of."""
    directions: Tensor
    """[N, 3] unit"""
    weights: Tensor
    """[N, K] how much of each is seen."""
    rest: Tensor
    """[N, 3] what the other samples and the background add, as it was."""
    before: Tensor
    """[N, 3] the colours before the edit."""
    shown: Tensor
    """[N, K, 3] the samples' own colours before the edit."""
    alpha: Tensor
    """[N]"""
    depth: Tensor
    """[N]"""

    @property
    def solid(self) -> Tensor:
        """[N] bool: whether there is a sample that the ray shows most of; not so in haze."""
        return self.weights[:, 0] > SOLID

    @property
    def look(self) -> Tensor:
        """[N, 3] the colour before the edit of what the ray shows most of; in haze the whole ray's."""
        return torch.where(self.solid[:, None], self.shown[:, 0], self.before)

    def colours(self, field: Recolourable, chosen: Tensor) -> Tensor:
        """The rays' colours [n, 3] under the layers as they are now."""
        weights, told = self.weights[chosen], self.told[chosen]
        rays, samples = weights.shape
        views = self.directions[chosen][:, None].expand(-1, samples, -1).reshape(-1, 3)
        rgb = field.colour(told.reshape(rays * samples, -1), views)[:, :3].view(rays, samples, 3)
        return (weights[..., None] * rgb).sum(1) + self.rest[chosen]


def trace_colours(scene: Scene, rays: StrokeRays, most: int = SEEN) -> Iterator[SeenColours | None]:
    """Traces rays for a colour edit: yields None between pieces of work and the whole at last."""
    field, volume = scene.field, scene.volume
    assert isinstance(field, Recolourable)
    parts = []
    for chosen in pieces(len(rays)):
        depths = sample_depths(scene, rays, chosen)
        origins, directions = rays.origins[chosen], rays.directions[chosen]
        lengths = directions.norm(dim=-1)
        unit = directions / lengths[:, None]
        points = (origins[:, None] + depths[..., None] * directions[:, None]).view(-1, 3)
        views = unit[:, None].expand(-1, depths.shape[1], -1).reshape(-1, 3)
        # With gradients on, as in the steps: a field may then tell its colour layers something else.
        raw, told = (values.detach() for values in field.trunk(points))
        rgb = field.colour(told, views)[:, :3].detach().view(*depths.shape, 3)
        weights = sample_weights(volume, depths, raw.view(depths.shape), lengths)
        alpha = weights.sum(-1)
        before = (weights[..., None] * rgb).sum(1) + (float(volume.white_background) * (1 - alpha))[:, None]
        depth = (weights * depths).sum(-1) / alpha.clamp(min=1e-6)
        best = weights.topk(min(most, weights.shape[1])).indices
        kept = weights.gather(1, best)
        colours = rgb.gather(1, best[..., None].expand(-1, -1, 3))
        rest = before - (kept[..., None] * colours).sum(1)
        told = told.view(*depths.shape, -1)
        told = told.gather(1, best[..., None].expand(-1, -1, told.shape[-1]))
        parts.append((told, unit, kept, rest, before, colours, alpha, depth))
        yield None
    yield SeenColours(*(torch.cat(column) for column in zip(*parts, strict=True)))


def edit_colour_parameters(
    pipeline: Pipeline, state: ViewState, *, size: int | None = None, steps: int = STEPS
) -> Iterator[EditProgress]:
    """Recolours what the state's colour strokes mean by the layers that carry colour.

    What looks like it before the edit follows, as the colour layers are told the same of it; rays through keep strokes
    and through what looks otherwise keep their colour.

    Args:
        pipeline: of the state's generator; its scene's field is `Recolourable`.
        state: its `edits.strokes` are read; an edit that it names already is built upon.
        size: side in pixels at which strokes are read.
        steps: of the optimiser.

    Yields:
        Progress after each short piece of work, every few with a result; the last is `done`.

    Raises:
        EditError: nothing is drawn, strokes lie on nothing or contradict each other.
    """
    generator, codes = pipeline.tuned_for(state), pipeline.codes(state)
    names = colour_names(pipeline.unedited_scene(state).field)
    tuning = LayerTuning(generator, names)
    scene, base = retuned_scene(tuning, codes), pipeline.edit(state) or EditResult()
    rays = stroke_rays(pipeline, state, scene, ("colour",), SIZE if size is None else size, AROUND)
    if not rays.strokes:
        raise EditError("No colour stroke is drawn. Draw with the colour brush over the part that is to change.")
    pace = Pace(len(list(pieces(len(rays)))) + -(-steps // PIECE) + 3)
    yield pace.next("Looking at the strokes")
    seen = yield from pace.through("Looking at the strokes", trace_colours(scene, rays))
    check_hits(rays, seen.alpha, seen.depth)
    wanted, weights = wanted_colours(rays, seen)
    field = scene.field
    assert isinstance(field, Recolourable)
    struck = (rays.stroke >= 0).nonzero()[:, 0]
    # Where nothing is, nothing can change its colour, and the mean would forget those that can.
    held = (rays.stroke < 0) & (weights > 0) & (seen.alpha > FAINT)
    asked, kept = (group.nonzero()[:, 0] for group in (held & rays.asked, held & ~rays.asked))
    adam, source = tuning.adam(RATE), torch.Generator().manual_seed(0)
    for first in range(0, steps, PIECE):
        loss = float("nan")
        for step in range(first, min(first + PIECE, steps)):
            batch = torch.cat([_drawn(group, source) for group in (struck, asked, kept)])
            error = (seen.colours(field, batch) - wanted[batch]).square().mean(1)
            mine = rays.stroke[batch] >= 0
            total = error[mine].mean() + STAY * tuning.moved()
            if bool((~mine).any()):
                total = total + KEEP * (weights[batch] * error)[~mine].mean()
            adam.forget()
            total.backward()
            adam.step(falling(step, steps))
            loss = float(error[mine].detach().mean())
        show = first // PIECE % SHOWN == SHOWN - 1
        yield pace.next("Matching the colour", tuning.result(base, names) if show else None, loss=loss)
    numbers = ", ".join(str(entry.number) for entry in rays.strokes)
    about = {**base.about, "what": "colour", "strokes": numbers}
    yield pace.last(replace(tuning.result(base, names), about=about))


def colour_names(field: RadianceField) -> tuple[str, ...]:
    """Names of the tensors that a colour edit of a field trains."""
    assert isinstance(field, Recolourable)
    return tuple(field.colour_parameters())


def wanted_colours(rays: StrokeRays, seen: SeenColours) -> tuple[Tensor, Tensor]:
    """The colour [N, 3] that each ray is to have, and how much it counts [N]: 0 for one that may do as it likes.

    Under a stroke that is the stroke's colour, darker or brighter as the ray was beside the others: shading stays.
    """
    wanted, weights = seen.before.clone(), torch.ones_like(seen.alpha)
    free = torch.zeros_like(rays.asked)
    for number, entry in enumerate(rays.strokes):
        mine = rays.stroke == number
        if not bool(mine.any()):
            continue
        # A stroke may reach out over the rim: what is behind has no say in how bright the part is.
        there = mine & (seen.alpha > FAINT) if bool((mine & (seen.alpha > FAINT)).any()) else mine
        light = seen.look[mine].mean(1, keepdim=True)
        usual = seen.look[there].mean().clamp(min=0.05)
        colour = light.new_tensor(entry.stroke.colour)
        asked = (colour * (light / usual).clamp(0.6, 1.4)).clamp(0, 1)
        # Only what is there can change its colour, not what shines through.
        through = seen.before[mine] + seen.alpha[mine, None] * (asked - seen.look[mine])
        wanted[mine] = torch.where(seen.solid[mine, None], through.clamp(0, 1), asked)
        free |= (rays.stroke < 0) & ~rays.asked & _alike(seen, there)
    weights[free] = 0.0
    return wanted, weights


def _alike(seen: SeenColours, struck: Tensor) -> Tensor:
    """Which rays [N] show something of the colour that struck ones [N] show, if only at its rim before another."""
    look = seen.look
    apart = torch.cdist(seen.shown.flatten(0, 1), look[struck]).amin(1).view(seen.weights.shape)
    return ((apart < LIKE) & (seen.weights > SOLID)).any(1) | (torch.cdist(look, look[struck]).amin(1) < LIKE)


def _drawn(group: Tensor, source: torch.Generator) -> Tensor:
    if len(group) <= BATCH:
        return group
    return group[torch.randperm(len(group), generator=source)[:BATCH].to(group.device)]
