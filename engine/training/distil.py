"""Distils the procedural heads into the student: stages on a clock, resumable, one or several processes.

Every step draws its samples from (seed, step, worker) alone, so a resumed run goes on exactly as an unbroken one.
Several workers on a CPU beat several threads: they wait for each other once a step, not in every operator.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .heads_losses import field_loss, image_loss
from .heads_parameters import APPEARANCE_NAMES, Z_DIM, Head, heads_from_latents
from .heads_student import W_APPEARANCE, W_GEOMETRY, draw_planes, new_student
from .sphere_trace import Teacher


@dataclass(frozen=True)
class Recipe:
    """How to train. Stage ends are fractions of the whole run, in time or, with ``max_steps``, in steps."""

    minutes: float = 112.0
    max_steps: int | None = None
    """Counts steps in place of minutes: for tests, where a run must not depend on the clock."""
    seed: int = 0
    mapping_end: float = 0.012
    coarse_end: float = 0.32
    field_end: float = 0.64
    mapping_batch: int = 256
    field_batch: int = 2
    rays: int = 1408
    fine_rays: int = 2048
    """Surface points a head, in the coarse and the fine field stage: they cost little beside 128 x 128 planes."""
    uniform: int = 1024
    image_batch: int = 2
    mapping_rate: float = 1e-2
    field_rate: float = 1e-2
    field_final_rate: float = 2.5e-3
    image_rate: float = 2.5e-3
    fine_scale: float = 2.0
    """Super-resolution's share of the learning rate: it starts in the last stage and has the least time."""
    ema: float = 0.998
    image_ema: float = 0.995
    compile: bool = True

    def stage(self, progress: float) -> str:
        """Name of the stage at a fraction of the run."""
        if progress < self.mapping_end:
            return "mapping"
        if progress < self.coarse_end:
            return "field64"
        return "field128" if progress < self.field_end else "image"

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


def _mapping_targets(z: Tensor) -> tuple[Tensor, Tensor]:
    """All of the teacher's parameters, measures and colours: geometry [B, G] and appearance [B, A]."""
    head: Head = heads_from_latents(z)
    geometry, appearance = [], []
    for name, value in head.items():
        group = appearance if name in APPEARANCE_NAMES or name.startswith("c_") else geometry
        group.append(value.reshape(len(z), -1))
    return torch.cat(geometry, 1), torch.cat(appearance, 1)


class MappingProbe(nn.Module):
    """Throw-away linear heads that read the teacher's parameters off w: what the first stage trains against."""

    geometry_mean: Tensor
    geometry_std: Tensor
    appearance_mean: Tensor
    appearance_std: Tensor

    def __init__(self) -> None:
        super().__init__()
        generator_state = torch.get_rng_state()
        torch.manual_seed(1)
        geometry, appearance = _mapping_targets(torch.randn(8192, Z_DIM))
        torch.set_rng_state(generator_state)
        for name, value in (("geometry", geometry), ("appearance", appearance)):
            self.register_buffer(f"{name}_mean", value.mean(0))
            self.register_buffer(f"{name}_std", value.std(0) + 1e-6)
        self.geometry = nn.Linear(W_GEOMETRY, geometry.shape[1])
        self.appearance = nn.Linear(W_APPEARANCE, appearance.shape[1])

    def forward(self, w: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared errors of the standardised parameters, geometry and appearance."""
        geometry, appearance = _mapping_targets(z)
        g = self.geometry(w[:, :W_GEOMETRY]) - (geometry - self.geometry_mean) / self.geometry_std
        a = self.appearance(w[:, W_GEOMETRY:]) - (appearance - self.appearance_mean) / self.appearance_std
        return g.square().mean(), a.square().mean()


class Distillation:
    """A training run and all its state.

    Args:
        recipe: what to do.
        out: folder for ``checkpoint.pt`` and ``metrics.jsonl``; None keeps everything in memory.
        worker, workers: rank and number of processes; with more than one, ``torch.distributed`` must be initialised.
    """

    def __init__(self, recipe: Recipe, out: Path | None = None, worker: int = 0, workers: int = 1) -> None:
        self.recipe, self.out, self.worker, self.workers = recipe, out, worker, workers
        torch.manual_seed(recipe.seed)
        self.student = new_student()
        self.probe = MappingProbe()
        self.ema = copy.deepcopy(self.student).requires_grad_(False)
        self.teacher = Teacher(compile=recipe.compile)
        self.step, self.stage_step, self.skipped = 0, 0, 0
        self.elapsed, self.stage = 0.0, "mapping"
        self.optimizer = self._new_optimizer()
        self._sums: dict[str, float] = {}
        self._counted, self._since = 0, time.perf_counter()

    def _new_optimizer(self) -> torch.optim.Adam:
        mapping = list(self.student.backbone.mapping.parameters())
        fine = list(self.student.superresolution.parameters())
        apart = {*mapping, *fine}
        rest = [p for p in self.student.parameters() if p not in apart]
        groups: list[dict[str, Any]] = [
            {"params": rest, "scale": 1.0},
            {"params": fine, "scale": self.recipe.fine_scale},
            {"params": mapping, "scale": 0.1},
        ]
        if self.stage == "mapping":
            groups = [{"params": mapping, "scale": 1.0}, {"params": list(self.probe.parameters()), "scale": 0.3}]
        return torch.optim.Adam(groups, lr=1e-3, betas=(0.9, 0.99), foreach=True)

    @property
    def progress(self) -> float:
        """Fraction of the run that is done."""
        if self.recipe.max_steps is not None:
            return self.step / self.recipe.max_steps
        return self.elapsed / (60 * self.recipe.minutes)

    def run(self, *, log_every: int = 50, save_every: float = 180.0, stop_at: int | None = None) -> None:
        """Trains until the recipe's end (or step ``stop_at``), saving every ``save_every`` seconds."""
        began, done, saved = time.perf_counter(), self.elapsed, time.perf_counter()
        while True:
            self.elapsed = self._agree(done + time.perf_counter() - began)
            if self.progress >= 1 or (stop_at is not None and self.step >= stop_at):
                break
            self.one_step()
            if self.worker == 0:
                if self.step % log_every == 0:
                    self._report()
                if self.out is not None and time.perf_counter() - saved > save_every:
                    self.save()
                    saved = time.perf_counter()
        if self.worker == 0 and self.out is not None:
            self.save()

    def one_step(self) -> None:
        """One update; one whose gradient is not finite is skipped."""
        stage = self.recipe.stage(self.progress)
        if stage != self.stage:
            self._enter(stage)
        torch.manual_seed((self.recipe.seed << 40) + self.step * 64 + self.worker)
        rate = self.recipe.rate(stage, self.progress, self.stage_step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        loss, logs = self._loss(stage)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [p for g in self.optimizer.param_groups for p in g["params"] if p.grad is not None]
        self._average_gradients(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        else:
            self.skipped += 1
        decay = min(self.recipe.ema, (1 + self.stage_step) / (10 + self.stage_step))
        if stage == "image":
            decay = self.recipe.image_ema
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.student.parameters()), 1 - decay)
        self.step += 1
        self.stage_step += 1
        for name, value in {**logs, "gradient": float(norm)}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._counted += 1

    def _loss(self, stage: str) -> tuple[Tensor, dict[str, float]]:
        recipe = self.recipe
        if stage == "mapping":
            z = torch.randn(recipe.mapping_batch, Z_DIM)
            geometry, appearance = self.probe(self.student.backbone.mapping.single(z), z)
            logs = {"geometry": float(geometry.detach()), "appearance": float(appearance.detach())}
            return geometry + appearance, logs
        whole = stage == "image" and self.step % 6 == 5
        batch = recipe.field_batch
        if stage == "image":
            batch = max(recipe.image_batch // 4, 1) if whole else recipe.image_batch
        z = torch.randn(batch, Z_DIM)
        head = heads_from_latents(z)
        ws = self.student.mapping(z)
        planes = draw_planes(self.student, ws, 64 if stage == "field64" else 128)
        if stage != "image":
            rays = recipe.rays if stage == "field64" else recipe.fine_rays
            occupancy, colour, logs = field_loss(self.student, planes, self.teacher, head, rays, recipe.uniform)
            return occupancy + 4 * colour, logs
        occupancy, colour, logs = field_loss(
            self.student, planes, self.teacher, head, recipe.rays // 3, recipe.uniform // 2
        )
        picture, more = image_loss(self.student, planes, ws, self.teacher, head, whole)
        return picture + 0.5 * occupancy + colour, {**logs, **more}

    def _enter(self, stage: str) -> None:
        """Starts a stage: the image stage and the first field stage take a fresh Adam."""
        previous, self.stage = self.stage, stage
        if previous == "mapping":
            self._normalise_w()
        if previous == "mapping" or stage == "image":
            self.optimizer = self._new_optimizer()
            self.stage_step = 0
        if self.worker == 0:
            print(f"stage {stage} from step {self.step}, {self.elapsed:.0f} s", flush=True)

    @torch.no_grad()
    def _normalise_w(self) -> None:
        """Scales the mapping network's last layer so that both blocks of w have unit mean square."""
        mapping = self.student.backbone.mapping
        last = getattr(mapping, f"fc{self.student.config.mapping_layers - 1}")
        torch.manual_seed(2)
        w = mapping.single(torch.randn(4096, Z_DIM))
        for rows in (slice(0, W_GEOMETRY), slice(W_GEOMETRY, None)):
            rms = w[:, rows].square().mean().sqrt()
            last.weight[rows] /= rms
            last.bias[rows] /= rms
        self.ema.load_state_dict(self.student.state_dict())

    def _agree(self, elapsed: float) -> float:
        """Worker 0's clock, for all: stages and the end must come at the same step everywhere."""
        if self.workers == 1:
            return elapsed
        clock = torch.tensor([elapsed], dtype=torch.float64)
        dist.broadcast(clock, 0)
        return float(clock)

    def _average_gradients(self, parameters: list[nn.Parameter]) -> None:
        if self.workers == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        flat /= self.workers
        offset = 0
        for g in gradients:
            g.copy_(flat[offset : offset + g.numel()].view_as(g))
            offset += g.numel()

    def _report(self) -> None:
        now = time.perf_counter()
        record: dict[str, Any] = {
            "step": self.step,
            "stage": self.stage,
            "elapsed_s": round(self.elapsed, 1),
            "steps_per_s": round(self._counted / (now - self._since), 3),
            "rate": self.optimizer.param_groups[0]["lr"],
            "skipped": self.skipped,
            **{name: round(total / self._counted, 5) for name, total in self._sums.items()},
        }
        self._sums, self._counted, self._since = {}, 0, now
        line = json.dumps(record)
        print(line, flush=True)
        if self.out is not None:
            with (self.out / "metrics.jsonl").open("a") as file:
                file.write(line + "\n")

    def state(self) -> dict[str, Any]:
        """Everything a run needs to go on: tensors and plain values only."""
        return {
            "recipe": asdict(self.recipe),
            "student": self.student.state_dict(),
            "ema": self.ema.state_dict(),
            "probe": self.probe.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "stage_step": self.stage_step,
            "skipped": self.skipped,
            "elapsed": self.elapsed,
            "stage": self.stage,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continues from what :meth:`state` gave."""
        self.student.load_state_dict(state["student"])
        self.ema.load_state_dict(state["ema"])
        self.probe.load_state_dict(state["probe"])
        for name in ("step", "stage_step", "skipped", "elapsed", "stage"):
            setattr(self, name, state[name])
        self.optimizer = self._new_optimizer()
        self.optimizer.load_state_dict(state["optimizer"])

    def save(self) -> None:
        """Writes ``checkpoint.pt`` whole or not at all."""
        assert self.out is not None
        temporary = self.out / "checkpoint.pt.part"
        torch.save(self.state(), temporary)
        os.replace(temporary, self.out / "checkpoint.pt")


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """The state that :meth:`Distillation.save` wrote; tensors and plain values only, nothing is executed."""
    return torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)


def recipe_of(state: dict[str, Any]) -> Recipe:
    """The recipe a checkpoint was trained by."""
    known = {f.name for f in fields(Recipe)}
    return Recipe(**{k: v for k, v in state["recipe"].items() if k in known})
