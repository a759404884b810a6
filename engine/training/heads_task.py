"""`HeadsTask`: distils the procedural heads into an EG3D generator, stage by stage."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ...models.eg3d_generator import EG3DGenerator
from .descent import Descent, follow
from .evaluate_heads import Judge, camera, latent, psnr
from .export_heads import generator_of, shipped_network
from .heads_losses import field_loss, image_loss
from .heads_parameters import Z_DIM, Head, heads_from_latents, wearing
from .heads_probe import heads_probe, mapping_latents
from .heads_student import W_GEOMETRY, draw_planes, new_student
from .sphere_trace import Teacher
from .task import Moment

CLIP = 5.0
"""Greatest norm of the gradient."""
WHOLE_EVERY = 6
"""Every so many steps of the image stages a whole picture is drawn in place of windows."""
WORN = 0.25
"""Share of heads that are given glasses beside the third that has them: rims are thin, and learned last."""


@dataclass(frozen=True)
class HeadsRecipe:
    """How to train. Ends of stages are shares of the whole run."""

    mapping_end: float = 0.03
    coarse_end: float = 0.32
    field_end: float = 0.64
    image_end: float = 1.0
    """From here on adversarially, where there is an `AdversarialStage`."""
    mapping_batch: int = 512
    field_batch: int = 2
    rays: int = 1408
    fine_rays: int = 2048
    """Surface points a head, in the coarse and the fine field stage: they cost little beside 128 x 128 planes."""
    uniform: int = 1024
    image_batch: int = 2
    mapping_rate: float = 1e-2
    field_rate: float = 1e-2
    field_final_rate: float = 5e-4
    image_rate: float = 2.5e-3
    fine_scale: float = 2.0
    """Share of the learning rate of super-resolution and refiner: they start in the last stage, with the least time."""
    ema: float = 0.998
    image_ema: float = 0.995

    def stage(self, progress: float) -> str:
        """Name of the stage at a share of the run."""
        ends = (("mapping", self.mapping_end), ("field64", self.coarse_end), ("field128", self.field_end))
        named = next((name for name, end in ends if progress < end), None)
        return named or ("image" if progress < self.image_end else "gan")

    def rate(self, stage: str, progress: float, stage_steps: int) -> float:
        """Learning rate: high and flat, then falling; a short warm-up in each stage that starts Adam afresh."""
        warm = min(1.0, (stage_steps + 1) / 100)
        if stage == "mapping":
            return self.mapping_rate * min(1.0, (stage_steps + 1) / 50) * max(1 - progress / self.mapping_end, 1e-3)
        if stage == "field64":
            return self.field_rate * warm
        if stage == "field128":
            t = (progress - self.coarse_end) / (self.field_end - self.coarse_end)
            return self.field_rate + (self.field_final_rate - self.field_rate) * t
        t = (progress - self.field_end) / max(1 - self.field_end, 1e-9)
        return self.image_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(t, 1.0))))


class AdversarialStage(Protocol):
    """What the stage 'gan' adds to the image stage: a discriminator that has seen the teacher's pictures."""

    def loss(self, task: HeadsTask, head: Head, ws: Tensor, planes: Tensor, moment: Moment) -> Tensor:
        """What the student is to lower beside the losses of the image stage; it renders what it needs.

        Args:
            task: with the student and the teacher.
            head: the teacher's parameters of B heads.
            ws: of the same heads [B, 12, w_dim].
            planes: of the same heads, as `draw_planes` gives them.
            moment: of the update.
        """
        ...

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """One step of the discriminator, on the pictures that `loss` drew; what is to be logged."""
        ...

    def to(self, device: torch.device) -> None:
        """Moves it."""
        ...

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` gave."""
        ...


class HeadsTask:
    """The student, its average, and the teacher that both are held against.

    Args:
        recipe: what to do.
        seed: of the student's first weights.
        compile: whether torch compiles the teacher, about 8x faster; None: where there is a C++ compiler.
        adversary: for the stage 'gan'; None: the image stage lasts to the end.
    """

    name = "eg3d heads"

    def __init__(
        self,
        recipe: HeadsRecipe,
        *,
        seed: int = 0,
        compile: bool | None = None,
        adversary: AdversarialStage | None = None,
    ) -> None:
        self.recipe, self.adversary = recipe, adversary
        torch.manual_seed(seed)
        self.student = new_student()
        self.probe = heads_probe()
        self.ema = copy.deepcopy(self.student).requires_grad_(False)
        self.teacher = Teacher(compile=_has_compiler() if compile is None else compile)
        self.stage, self._stage_step = "mapping", 0
        self._device = torch.device("cpu")
        self.descent = self._new_descent()

    def to(self, device: torch.device) -> None:
        """See `Task`."""
        self._device = device
        for network in (self.student, self.probe, self.ema):
            network.to(device)
        if self.adversary is not None:
            self.adversary.to(device)

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """See `Task`."""
        recipe = self.recipe
        stage = recipe.stage(moment.progress)
        if stage == "gan" and self.adversary is None:
            stage = "image"
        with self._here():
            if stage != self.stage:
                self._enter(stage)
            loss, logs = self._loss(stage, moment)
            rate = recipe.rate(stage, moment.progress, self._stage_step)
            taken = self.descent.descend(loss, moment.team, rate)
            if stage == "gan" and self.adversary is not None:
                logs = {**logs, **self.adversary.update(moment)}
        decay = min(recipe.ema, (1 + self._stage_step) / (10 + self._stage_step))
        follow(self.ema, self.student, recipe.image_ema if stage in ("image", "gan") else decay)
        self._stage_step += 1
        return {**logs, "gradient": self.descent.norm, "rate": rate, "skipped": float(not taken)}

    def state(self) -> dict[str, Any]:
        """See `Task`."""
        return {
            "student": self.student.state_dict(),
            "ema": self.ema.state_dict(),
            "probe": self.probe.state_dict(),
            "descent": self.descent.state(),
            "stage": self.stage,
            "stage_step": self._stage_step,
            **({"adversary": self.adversary.state()} if self.adversary is not None else {}),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Task`."""
        self.student.load_state_dict(state["student"])
        self.ema.load_state_dict(state["ema"])
        self.probe.load_state_dict(state["probe"])
        self.stage, self._stage_step = state["stage"], state["stage_step"]
        self.descent = self._new_descent()
        self.descent.load(state["descent"])
        if self.adversary is not None and "adversary" in state:
            self.adversary.load(state["adversary"])

    def generator(self) -> EG3DGenerator:
        """See `Task`."""
        return generator_of(self.ema.state_dict())

    def preview(self) -> Mapping[str, float]:
        """PSNR in dB against the teacher: of the super-resolved picture and of the raw one, over four held-out heads
        seen a little from the side."""
        judge = Judge(shipped_network(self.ema.state_dict()), Teacher())
        fine, raw, view = [], [], camera(0.35)
        for seed in range(4):
            z = latent(seed)
            made, (rgb, _) = judge.student(z, z, view), judge.truth(z, z, view)
            fine.append(psnr(made.picture, rgb))
            raw.append(psnr(made.raw, torch.nn.functional.avg_pool2d(rgb[None], judge.size // len(made.alpha))[0]))
        return {"psnr": sum(fine) / len(fine), "raw_psnr": sum(raw) / len(raw)}

    def _loss(self, stage: str, moment: Moment) -> tuple[Tensor, dict[str, Tensor | float]]:
        recipe = self.recipe
        if stage == "mapping":
            z = mapping_latents(recipe.mapping_batch)
            geometry, appearance = self.probe(self.student.backbone.mapping.single(z), z)
            return geometry + appearance, {"geometry": geometry.detach(), "appearance": appearance.detach()}
        pictures = stage in ("image", "gan")
        whole = pictures and moment.step % WHOLE_EVERY == WHOLE_EVERY - 1
        batch = recipe.field_batch
        if pictures:
            batch = max(recipe.image_batch // 4, 1) if whole else recipe.image_batch
        z = wearing(torch.randn(batch, Z_DIM), WORN)
        head = heads_from_latents(z)
        ws = self.student.mapping(z)
        planes = draw_planes(self.student, ws, 64 if stage == "field64" else 128)
        if not pictures:
            rays = recipe.rays if stage == "field64" else recipe.fine_rays
            occupancy, colour, logs = field_loss(self.student, planes, self.teacher, head, rays, recipe.uniform)
            return occupancy + 4 * colour, {**logs}
        occupancy, colour, logs = field_loss(
            self.student, planes, self.teacher, head, recipe.rays // 3, recipe.uniform // 2
        )
        picture, more = image_loss(self.student, planes, ws, self.teacher, head, whole)
        loss = picture + 0.5 * occupancy + colour
        if stage == "gan" and self.adversary is not None:
            adversarial = self.adversary.loss(self, head, ws, planes, moment)
            loss, more = loss + adversarial, {**more, "adversary": float(adversarial.detach())}
        return loss, {**logs, **more}

    def _new_descent(self) -> Descent:
        mapping = list(self.student.backbone.mapping.parameters())
        assert self.student.refiner is not None
        fine = [*self.student.superresolution.parameters(), *self.student.refiner.parameters()]
        apart = {*mapping, *fine}
        rest = [p for p in self.student.parameters() if p not in apart]
        groups: list[dict[str, Any]] = [
            {"params": rest, "scale": 1.0},
            {"params": fine, "scale": self.recipe.fine_scale},
            {"params": mapping, "scale": 0.3},
        ]
        if self.stage == "mapping":
            groups = [{"params": mapping, "scale": 1.0}, {"params": list(self.probe.parameters()), "scale": 0.3}]
        adam = torch.optim.Adam(groups, lr=1e-3, betas=(0.9, 0.99), foreach=True)
        return Descent(adam, clip=CLIP, what="student")

    def _enter(self, stage: str) -> None:
        """Starts a stage: the image stage and the first field stage take a fresh Adam."""
        previous, self.stage = self.stage, stage
        if previous == "mapping":
            self._normalise_w()
        if previous == "mapping" or stage == "image":
            self.descent = self._new_descent()
            self._stage_step = 0

    @torch.no_grad()
    def _normalise_w(self) -> None:
        """Scales the mapping network's last layer so that both blocks of w have unit mean square."""
        mapping = self.student.backbone.mapping
        last = getattr(mapping, f"fc{self.student.config.mapping_layers - 1}")
        z = torch.randn(4096, Z_DIM, generator=torch.Generator("cpu").manual_seed(2), device="cpu")
        w = mapping.single(z.to(self._device))
        for rows in (slice(0, W_GEOMETRY), slice(W_GEOMETRY, None)):
            rms = w[:, rows].square().mean().sqrt()
            last.weight[rows] /= rms
            last.bias[rows] /= rms
        self.ema.load_state_dict(self.student.state_dict())

    def _here(self) -> AbstractContextManager[object]:
        """The teacher and the losses make tensors wherever torch makes them by default."""
        return nullcontext() if self._device.type == "cpu" else self._device


def _has_compiler() -> bool:
    return any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))
