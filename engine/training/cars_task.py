"""`CarsTask`: a small pi-GAN learns the procedural cars, first their parameters, then their field, then pictures."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...models.pigan_generator import PiGANGenerator
from .cars_export import generator_of
from .cars_losses import cars_probe, field_loss, mapping_loss, picture_loss
from .cars_parameters import Z_DIM, cars_from_latents
from .cars_student import MAPPING_GEOMETRY, fold, new_student
from .cars_teacher import CarTeacher
from .descent import Descent, follow
from .metrics.fidelity import truth
from .metrics.pictures import psnr
from .metrics.views import Subject, held_out_latent, look
from .picture_teachers import CarsTeacher
from .task import Moment, Team

RESOLUTIONS = (64, 128, 256)
"""Of the pictures, in turn: pi-GAN's progressive growing. The teacher's silhouettes fade over the pixel beyond them, so
coarse pictures teach a haze about the car: they are short, and the last ones finer than the model's own."""


PREVIEW = 64
"""Side of the pictures that are measured while training."""


@dataclass(frozen=True)
class CarsRecipe:
    """How to train. Ends of stages are shares of the whole run; batches are those of one process."""

    width: int = 128
    mapping_end: float = 0.02
    field_end: float = 0.62
    pictures_at: tuple[float, float, float] = (0.62, 0.64, 0.68)
    """From when on pictures of 64, 128 and 256 rays a side are drawn."""
    mapping_batch: int = 512
    field_batch: int = 8
    rays: int = 448
    uniform: int = 448
    """Surface points and points in space, of each car, in the field stage."""
    picture_batch: int = 4
    picture_rays: int = 256
    picture_uniform: int = 384
    """The same beside pictures, where the field is still held."""
    mapping_rate: float = 2e-3
    rate: float = 5e-4
    mapping_scale: float = 2.0
    """Factor on the rate of the mapping network after its own stage."""
    flat: float = 0.10
    """Share of the run after which the rate falls, exponentially, to `last_rate` of itself: a field that had come to
    rest at half of `rate` lost a third of its error within a minute at a quarter of it."""
    last_rate: float = 0.03
    clip: float = 2.0
    ema: float = 0.998
    watch_every: int = 50
    """Field steps after which it is looked whether the network has blown up."""

    def stage(self, progress: float) -> str:
        """Name of the stage at a share of the run."""
        if progress < self.mapping_end:
            return "mapping"
        return "field" if progress < self.field_end else "pictures"

    def resolution(self, progress: float) -> int:
        """Of the pictures at a share of the run."""
        reached = sum(progress >= begin for begin in self.pictures_at)
        return RESOLUTIONS[max(reached, 1) - 1]

    def rate_at(self, progress: float) -> float:
        """Learning rate: flat, then falling exponentially; the mapping stage falls straight."""
        if progress < self.mapping_end:
            return self.mapping_rate * max(1 - progress / self.mapping_end, 1e-3)
        return self.rate * self.last_rate ** min(max((progress - self.flat) / (1 - self.flat), 0.0), 1.0)


class CarsTask:
    """A run and all its state but the clock; see `task.Task`.

    Args:
        recipe: what to do.
        compile: whether torch compiles the teacher, which costs a minute and saves most of its time from then on;
            None: where there is a C++ compiler.
        seed: of the first weights.
    """

    name = "cars"

    def __init__(self, recipe: CarsRecipe, *, compile: bool | None = None, seed: int = 0) -> None:
        self.recipe, self.stage = recipe, "mapping"
        torch.manual_seed(seed)
        self.student, self.probe = new_student(recipe.width), cars_probe()
        self.average = copy.deepcopy(self.student).requires_grad_(False)
        self.teacher = CarTeacher(shutil.which("g++") is not None if compile is None else compile)
        self.descent = self._new_descent()
        self._scale, self._best = 1.0, math.inf
        self._recent: list[float] = []
        self._kept: dict[str, Any] | None = None

    def _new_descent(self) -> Descent:
        mapping = list(self.student.mapping_network.parameters())
        if self.stage == "mapping":
            groups = [{"params": mapping[:-2]}, {"params": list(self.probe.parameters())}]
            return Descent(torch.optim.Adam(groups, betas=(0.9, 0.99), foreach=True), what="mapping network")
        apart = set(mapping)
        rest = [p for p in self.student.parameters() if p not in apart]
        groups = [{"params": rest}, {"params": mapping, "scale": self.recipe.mapping_scale}]
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), foreach=True)
        return Descent(optimizer, clip=self.recipe.clip, warm_up=100, what="student")

    def to(self, device: torch.device) -> None:
        """See `task.Task.to`."""
        for module in (self.student, self.average, self.probe):
            module.to(device)

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """See `task.Task.update`."""
        recipe, team = self.recipe, moment.team
        stage = recipe.stage(moment.progress)
        if stage != self.stage:
            self._enter(stage)
        rate = recipe.rate_at(moment.progress) * self._scale
        if stage == "mapping":
            z = torch.randn(recipe.mapping_batch, Z_DIM, device=team.device)
            loss, logs = mapping_loss(self.student, self.probe, z)
            self.descent.descend(loss, team, rate)
            return logs
        pictures = stage == "pictures"
        z = torch.randn(recipe.picture_batch if pictures else recipe.field_batch, Z_DIM, device=team.device)
        car, folded = cars_from_latents(z), fold(self.student, z)
        rays, uniform = (recipe.picture_rays, recipe.picture_uniform) if pictures else (recipe.rays, recipe.uniform)
        occupancy, shade, logs = field_loss(self.student, folded, self.teacher, car, rays, uniform, team)
        if pictures:
            resolution = recipe.resolution(moment.progress)
            picture, more = picture_loss(self.student, folded, self.teacher, car, resolution, team)
            loss, logs = 0.7 * occupancy + 2 * shade + picture, {**logs, **more}
        else:
            loss = occupancy + 4 * shade
        self.descent.descend(loss, team, rate)
        done = self.descent.steps
        follow(self.average, self.student, min(recipe.ema, (1 + done) / (10 + done)))
        if not pictures:
            self._watch(logs["occupancy"], team)
        return {**logs, "gradient": self.descent.norm, "rate": rate}

    def _enter(self, stage: str) -> None:
        before, self.stage = self.stage, stage
        if before == "mapping":
            self._normalise()
            self.descent = self._new_descent()

    @torch.no_grad()
    def _normalise(self) -> None:
        """Scales the mapping network's last hidden layer so that both blocks have unit mean square; averages begin."""
        body = self.student.mapping_network.network[:-1]
        assert isinstance(body, nn.Sequential)
        last = body[-2]
        assert isinstance(last, nn.Linear)
        z = torch.randn(4096, Z_DIM, generator=torch.Generator().manual_seed(2)).to(last.weight.device)
        hidden = body(z)
        for rows in (slice(0, MAPPING_GEOMETRY), slice(MAPPING_GEOMETRY, None)):
            size = hidden[:, rows].square().mean().sqrt()
            last.weight[rows] /= size
            last.bias[rows] /= size
        self.average.load_state_dict(self.student.state_dict())

    def _watch(self, occupancy: float, team: Team) -> None:
        """Returns to the best state, at half the rate, when the sines have blown up, as those of a SIREN may."""
        self._recent.append(occupancy)
        if len(self._recent) < self.recipe.watch_every:
            return
        # Processes that train together see different losses; averaged like a gradient, all decide alike.
        shared = nn.Parameter(torch.zeros(1, device=team.device))
        shared.grad = torch.full_like(shared, sum(self._recent) / len(self._recent))
        team.average([shared])
        mean, self._recent = float(shared.grad), []
        if mean < self._best:
            self._best = mean
            self._kept = copy.deepcopy(self._networks())
        elif mean > 1.3 * self._best + 0.004 and self._kept is not None:
            self._scale *= 0.5
            self._best = min(1.1 * self._best, mean)
            self._restore(copy.deepcopy(self._kept))

    def _networks(self) -> dict[str, Any]:
        return {
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "descent": self.descent.state(),
        }

    def _restore(self, networks: Mapping[str, Any]) -> None:
        self.student.load_state_dict(networks["student"])
        self.average.load_state_dict(networks["average"])
        self.descent.load(networks["descent"])

    def state(self) -> dict[str, Any]:
        """See `task.Task.state`."""
        return {
            **self._networks(),
            "probe": self.probe.state_dict(),
            "stage": self.stage,
            "scale": self._scale,
            "best": self._best,
            "recent": list(self._recent),
            "kept": self._kept,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """See `task.Task.load`."""
        if state["stage"] != self.stage:
            self.stage = state["stage"]
            self.descent = self._new_descent()
        self._restore(state)
        self.probe.load_state_dict(state["probe"])
        self._scale, self._best = state["scale"], state["best"]
        self._recent, self._kept = list(state["recent"]), state["kept"]

    def generator(self) -> PiGANGenerator:
        """See `task.Task.generator`."""
        return generator_of(self.average)

    def preview(self) -> Mapping[str, float]:
        """PSNR in dB against the teacher at 64 x 64, over three held-out cars from three sides."""
        teacher = CarsTeacher()
        subject = Subject(self.generator(), teacher)
        found = []
        for seed, yaw in enumerate(teacher.yaws):
            z = held_out_latent(seed, Z_DIM)
            shown = look(subject.generator.scene(subject.codes(z)), subject.pose(yaw), PREVIEW)
            found.append(psnr(shown.picture, truth(teacher, z, z, yaw, PREVIEW)[0]))
        return {"psnr": sum(found) / len(found)}
