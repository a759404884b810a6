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
from .nerf_hashgrid import HashGridScene
from .nerf_march import Cube
from .nerf_model import RenderedRays, SceneModel, Shown
from .nerf_poses import PoseOffsets
from .nerf_recipe import HashGridSizes, NerfRecipe
from .nerf_vanilla import VanillaScene
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

    def __init__(self, recipe: NerfRecipe, data: NerfData) -> None:
        self.recipe = recipe
        if isinstance(recipe.sizes, HashGridSizes):
            self.data = data
            self.model: SceneModel = HashGridScene(recipe.sizes, data.cube, recipe.unfold)
        else:
            self.data = centred(data)
            self.model = VanillaScene(recipe.sizes, self.data.cube)
        self.average = copy.deepcopy(self.model)
        self.offsets = PoseOffsets(len(data.train), self.data.cube.side) if recipe.refine_poses else None
        self._optimise()
        self._rays = self.model.first_rays
        self._steps = 0

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
        """One batch of pixels of all pictures."""
        recipe, views = self.recipe, self.data.train
        self.model.learn_space(moment.step, moment.progress)
        height, width = views.size
        view = torch.randint(len(views), (self._rays,), device=self.device)
        row = torch.randint(height, (self._rays,), device=self.device)
        column = torch.randint(width, (self._rays,), device=self.device)
        within = torch.rand(2, self._rays, device=self.device)  # a pixel is the mean over its area
        origins, directions = views.rays(view, row + within[0], column + within[1], self.cameras)
        with moment.team.autocast():
            made = self.model.render(origins, directions, jitter=True, progress=moment.progress)
        colours, coverage = views.colours(view, row, column)
        counted = None if views.counted is None else views.counted[view, row, column]
        loss, error = self._loss(made, colours, coverage, counted)
        rate = recipe.rate_at(moment.progress)
        self._descent.descend(loss, moment.team, rate)
        self._steps += 1
        if self._steps % recipe.average_every == 0:
            folded = self._steps / recipe.average_every
            follow(self.average, self.model, min(recipe.average, (1 + folded) / (10 + folded)))
        rays = self._rays
        self._rays = self.model.rays_for(made, rays)
        return {"loss": loss.detach(), "psnr of batches": -10 * error.detach().log10(), "rays": rays, "rate": rate}

    def _loss(
        self, made: RenderedRays, colours: Tensor, coverage: Tensor, counted: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Mean squared error over the pixels that count, that of the placing network included; and without it.

        What is transparent is seen before a colour drawn anew for each ray, so that no paint can stand for a hole.
        """
        match self.data.behind:
            case "white" | "black" as known:
                behind = torch.full_like(colours, float(known == "white"))
            case _:
                behind = torch.rand_like(colours)
        target = torch.lerp(behind, colours, coverage[:, None]) if self.data.behind == "transparent" else colours
        errors = [
            (rgb + (1 - alpha)[:, None] * behind - target).square().mean(-1)
            for rgb, alpha in ((made.rgb, made.alpha), *([] if made.coarse is None else [made.coarse]))
        ]
        share = torch.ones_like(coverage) if counted is None else counted.float()
        means = [(error * share).sum() / share.sum().clamp_min(1.0) for error in errors]
        return torch.stack(means).sum(), means[0]

    def state(self) -> dict[str, Any]:
        """See `Task.state`."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "offsets": {} if self.offsets is None else self.offsets.state_dict(),
            "descent": self._descent.state(),
            "rays": self._rays,
            "steps": self._steps,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Task.load`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        if self.offsets is not None:
            self.offsets.load_state_dict(state["offsets"])
        self._descent.load(state["descent"])
        self._rays, self._steps = state["rays"], state["steps"]

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
        return replace(views, cam2world=matrices)

    low = -_USUAL_SIDE / 2
    held_out = None if data.held_out is None else moved(data.held_out)
    return replace(data, train=moved(data.train), held_out=held_out, cube=Cube((low, low, low), _USUAL_SIDE))
