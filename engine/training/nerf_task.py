"""`NerfTask`: a radiance field of one scene learns from posed pictures, one batch of pixels after the other."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...models.base import Generator, ModelCard
from .descent import Descent, follow
from .nerf_depth import field_loss
from .nerf_hashgrid import HashGridScene
from .nerf_hull import visual_hull
from .nerf_march import Cube
from .nerf_model import RenderedRays, SceneModel, Shown
from .nerf_poses import PoseOffsets
from .nerf_recipe import HashGridSizes, NerfRecipe
from .nerf_vanilla import CELLS, VanillaScene
from .nerf_views import NerfData, Views, camera_of
from .task import Moment

_PREVIEWED = 4
_AT_ONCE = 1 << 13
"""Rays rendered together when nothing is learned."""
_USUAL_SIDE = 3.0


class NerfTask:
    """Training of either kind of NeRF (the `Task` contract).

    Args:
        recipe: sizes, rates, schedules.
        data: pictures and cameras.
    """

    name = "nerf"
    stage = "pictures"
    """What the last update learned from."""

    def __init__(self, recipe: NerfRecipe, data: NerfData) -> None:
        self.recipe = recipe
        if isinstance(recipe.sizes, HashGridSizes):
            self.data = data
            self.model: SceneModel = HashGridScene(recipe.sizes, data.cube, recipe.unfold)
        else:
            self.data = centred(data)
            carved = self.data.behind == "transparent" and not recipe.refine_poses  # wrong cameras carve too much
            possible = visual_hull(self.data.train, self.data.cube, CELLS) if carved else None
            self.model = VanillaScene(recipe.sizes, self.data.cube, possible, taught=self.by_depth_until > 0)
        self.average = copy.deepcopy(self.model)
        self.offsets = PoseOffsets(len(data.train), self.data.cube.side) if recipe.refine_poses else None
        self._optimise()
        self._rays = self.model.first_rays
        self._steps = 0
        self._pictured = 0  # updates from pictures

    @property
    def by_depth_until(self) -> float:
        """Share of the run during which it learns from depth; 0 where the pictures have none."""
        return 0.0 if self.data.train.depth is None else self.recipe.by_depth

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.data.train.pictures.device

    @property
    def cameras(self) -> Tensor:
        """The training cameras as they are believed to stand, cam2world [N, 4, 4]."""
        known = self.data.train.cam2world
        return known if self.offsets is None else self.offsets(known)

    def to(self, device: torch.device) -> None:
        """Moves everything."""
        self.data = self.data.to(device)
        self.model.to(device)
        self.average.to(device)
        if self.offsets is not None:
            self.offsets.to(device)
        state = self._descent.state()
        self._optimise()
        self._descent.load(state)

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """One batch of pixels of all pictures, or, in a run's first part, of their depth."""
        by_depth = moment.progress < self.by_depth_until
        self.stage = "depth" if by_depth else "pictures"
        rate = self.recipe.rate_at(moment.progress)
        figures = self._by_depth(moment, rate) if by_depth else self._by_pictures(moment, rate)
        self._steps += 1
        if self._steps % self.recipe.average_every == 0:
            folded = self._steps / self.recipe.average_every
            follow(self.average, self.model, min(self.recipe.average, (1 + folded) / (10 + folded)))
        return {**figures, "rate": rate}

    def _by_depth(self, moment: Moment, rate: float) -> dict[str, Tensor | float]:
        rays = self.recipe.sizes.samples * 3 // 4  # a pixel is asked at three points, and many show nothing
        with moment.team.autocast():
            loss, error = field_loss(self.model.network, self.data.train, self.data.cube, rays, self.model.step)
            penalty = self.model.penalty()
        loss = loss if penalty is None else loss + penalty
        self._descent.descend(loss, moment.team, rate)
        return {"loss": loss.detach(), "psnr of surfaces": -10 * error.detach().log10()}

    def _by_pictures(self, moment: Moment, rate: float) -> dict[str, Tensor | float]:
        views = self.data.train
        self.model.learn_space(self._pictured, moment.progress)
        self._pictured += 1
        height, width = views.size
        view = torch.randint(len(views), (self._rays,), device=self.device)
        row = torch.randint(height, (self._rays,), device=self.device)
        column = torch.randint(width, (self._rays,), device=self.device)
        within = torch.rand(2, self._rays, device=self.device)  # a pixel is the mean over its area
        origins, directions = views.rays(view, row + within[0], column + within[1], self.cameras)
        with moment.team.autocast():
            made = self.model.render(origins, directions, jitter=True, progress=moment.progress)
            penalty = self.model.penalty()
        colours, coverage = views.colours(view, row, column)
        counted = None if views.counted is None else views.counted[view, row, column]
        error = self._error(made, colours, coverage, counted)
        loss = error if penalty is None else error + penalty
        self._descent.descend(loss, moment.team, rate)
        rays = self._rays
        self._rays = self.model.rays_for(made, rays)
        return {"loss": loss.detach(), "psnr of batches": -10 * error.detach().log10(), "rays": rays}

    def _error(self, made: RenderedRays, colours: Tensor, coverage: Tensor, counted: Tensor | None) -> Tensor:
        """Mean squared error over the pixels that count.

        What is transparent is seen before a colour drawn anew for each ray, so that no paint can stand for a hole.
        """
        match self.data.behind:
            case "white" | "black" as known:
                behind = torch.full_like(colours, float(known == "white"))
            case _:
                behind = torch.rand_like(colours)
        target = torch.lerp(behind, colours, coverage[:, None]) if self.data.behind == "transparent" else colours
        errors = (made.rgb + (1 - made.alpha)[:, None] * behind - target).square().mean(-1)
        share = torch.ones_like(coverage) if counted is None else counted.float()
        return (errors * share).sum() / share.sum().clamp_min(1.0)

    def state(self) -> dict[str, Any]:
        """See `Task.state`."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "offsets": {} if self.offsets is None else self.offsets.state_dict(),
            "descent": self._descent.state(),
            "rays": self._rays,
            "steps": self._steps,
            "pictured": self._pictured,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Task.load`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        if self.offsets is not None:
            self.offsets.load_state_dict(state["offsets"])
        self._descent.load(state["descent"])
        self._rays, self._steps, self._pictured = state["rays"], state["steps"], state["pictured"]

    def generator(self) -> Generator:
        """The averaged weights as a scene; its cameras are the corrected ones."""
        model = copy.deepcopy(self.average).cpu()
        views = self.data.train
        kind = "hash grid" if isinstance(self.recipe.sizes, HashGridSizes) else "perceptrons"
        card = ModelCard(
            name=self.data.name,
            family="hashgrid" if isinstance(self.recipe.sizes, HashGridSizes) else "nerf",
            title=self.data.name,
            summary=f"One scene as a {kind}, learned from {len(views)} pictures of {views.size[1]} x {views.size[0]}.",
            training={"pictures": len(views), "held out": 0 if self.data.held_out is None else len(self.data.held_out)},
        )
        at_home = views if views.cam2world.device.type == "cpu" else views.to(torch.device("cpu"))
        return model.generator(
            Shown(
                card=card,
                camera=camera_of(at_home, self.data.cube),
                poses=at_home.poses(self.cameras.detach().cpu()),
                white=self.data.behind in ("transparent", "white"),
                resolution=max(views.size),
            )
        )

    def preview(self) -> Mapping[str, float]:
        """PSNR on a few held-out pictures, of every second pixel each way."""
        held_out = self.data.held_out
        if held_out is None:
            return {}
        chosen = range(0, len(held_out), max(1, len(held_out) // _PREVIEWED))
        values = [self.psnr(held_out, index, stride=2) for index in chosen]
        return {"held-out PSNR": sum(values) / len(values)}

    @torch.no_grad()
    def psnr(self, views: Views, index: int, stride: int = 1) -> float:
        """dB between one picture and the averaged weights' rendering of it, over white where it is transparent."""
        made, true = self.picture(views, index, stride)
        return -10 * math.log10(max(float((made - true).square().mean()), 1e-12))

    @torch.no_grad()
    def picture(self, views: Views, index: int, stride: int = 1) -> tuple[Tensor, Tensor]:
        """A picture as the averaged weights render it and as it is, [H, W, 3] both, in 0..1."""
        height, width = views.size
        rows = torch.arange(0, height, stride, device=self.device)
        columns = torch.arange(0, width, stride, device=self.device)
        row, column = (values.reshape(-1) for values in torch.meshgrid(rows, columns, indexing="ij"))
        view = torch.full_like(row, index)
        white = float(self.data.behind in ("transparent", "white"))
        parts = []
        for at in torch.arange(len(row), device=self.device).split(_AT_ONCE):
            origins, directions = views.rays(view[at], row[at] + 0.5, column[at] + 0.5)
            made = self.average.render(origins, directions, jitter=False)
            parts.append(made.rgb + white * (1 - made.alpha)[:, None])
        colours, coverage = views.colours(view, row, column)
        true = colours * coverage[:, None] + white * (1 - coverage)[:, None]
        shape = (len(rows), len(columns), 3)
        return torch.cat(parts).clamp(0, 1).view(shape), true.view(shape)

    def _optimise(self) -> None:
        groups: list[dict[str, Any]] = [{"params": list(self.model.parameters())}]
        if self.offsets is not None:
            groups.append(
                {"params": list(self.offsets.parameters()), "scale": self.recipe.pose_rate / self.recipe.rate}
            )
        # eps as in instant-ngp: entries of a hash table see tiny gradients.
        optimizer = torch.optim.Adam(groups, lr=self.recipe.rate, betas=(0.9, 0.99), eps=1e-15, fused=True)
        self._descent = Descent(optimizer, warm_up=self.recipe.warm_up, what="radiance field")


def centred(data: NerfData) -> NerfData:
    """The same scene about the origin and 3 units wide, as positional encoding wants it; unchanged if it nearly is."""
    side = data.cube.side
    centre = torch.tensor(data.cube.low) + side / 2
    if 0.5 * _USUAL_SIDE < side < 1.4 * _USUAL_SIDE and float(centre.abs().max()) < 0.25 * _USUAL_SIDE:
        return data
    factor = _USUAL_SIDE / side

    def moved(views: Views) -> Views:
        matrices = views.cam2world.clone()
        matrices[:, :3, 3] = (matrices[:, :3, 3] - centre) * factor
        return replace(views, cam2world=matrices, depth=None if views.depth is None else views.depth * factor)

    low = -_USUAL_SIDE / 2
    held_out = None if data.held_out is None else moved(data.held_out)
    return replace(data, train=moved(data.train), held_out=held_out, cube=Cube((low, low, low), _USUAL_SIDE))
