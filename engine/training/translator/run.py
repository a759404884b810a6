"""A painter's training run: networks, optimisers and clock, resumable, in one or several processes.

Every sequence is drawn from (seed, sequence, worker) alone, so a resumed run goes on exactly as an unbroken one.
Several workers on a CPU beat several threads: they wait for each other once a step, not in every operator.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from ....models.painter import PainterConfig
from ....models.warp import warp
from .aligned_past import AlignedPast
from .clips import Clips
from .discriminator import Judgement, PictureCritic, VideoCritic, shown
from .examples import Draw, Example, draw, examples, past_photos, spoilt
from .journal import Journal
from .losses import adversarial_loss, critic_loss, feature_loss, laplacian_loss, structure_loss, warp_loss
from .schedule import Recipe, Stage, TrainingError

CHECKPOINT = "checkpoint.pt"
_LONGEST_WAIT = 16
"""Frames at a standstill that are painted, untrained, in front of a sequence."""
_CLIP = 5.0
"""Greatest norm of the painter's gradient."""
_MOST_SKIPPED = 50
"""Steps in a row without a finite gradient, after which a run is given up."""


@dataclass
class _Moment:
    """One frame while it is being trained on."""

    example: Example
    warped: Tensor
    """The painted past, seen from here."""
    real_warped: Tensor
    valid: Tensor
    own: bool
    """Whether the past was painted rather than real."""


class TranslatorTraining:
    """A training run and all its state.

    Args:
        recipe: what to do.
        config: of the painter; without a network that guesses motion.
        clips: what to learn from.
        out: folder for `checkpoint.pt` and `metrics.jsonl`; None keeps everything in memory.
        device: where to compute, 'cpu' or 'cuda:0'.
        worker, workers: rank and number of processes; with more than one, `torch.distributed` must be initialised.
        critic_width: channels of the critics' first layers.
    """

    def __init__(
        self,
        recipe: Recipe,
        config: PainterConfig,
        clips: Clips,
        out: Path | None = None,
        device: str = "cpu",
        worker: int = 0,
        workers: int = 1,
        critic_width: int = 24,
    ) -> None:
        if config.flow_width:
            raise TrainingError(f"flow_width is {config.flow_width}; motion comes with the clips here, expected 0")
        if any(side % 32 for side in clips.size):
            raise TrainingError(f"clips of {clips.size} (height, width); expected multiples of 32 pixels")
        self.recipe, self.config, self.clips, self.out = recipe, config, clips, out
        self.worker, self.workers, self.device = worker, workers, torch.device(device)
        torch.manual_seed(recipe.seed)
        self._shown = shown(config.conditions)
        self.network = self._placed(config.network())
        self.ema = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.picture_critic = self._placed(PictureCritic(len(self._shown), critic_width))
        self.video_critic = self._placed(VideoCritic(len(self._shown), critic_width))
        self.painting = torch.optim.Adam(self.network.parameters(), betas=(0.5, 0.99), fused=True)
        self._critics = [*self.picture_critic.parameters(), *self.video_critic.parameters()]
        self.judging = torch.optim.Adam(self._critics, betas=(0.0, 0.99), fused=True)
        self.step, self.sequence, self.skipped, self.elapsed = 0, 0, 0, 0.0
        self.figures: dict[str, float] = {}
        """Of the last preview."""
        self._skipped_in_a_row = 0
        self.journal = Journal(out)

    def _placed(self, network: Any) -> Any:
        return network.to(device=self.device, memory_format=torch.channels_last)

    @property
    def progress(self) -> float:
        """Fraction of the run that is done."""
        if self.recipe.max_steps is not None:
            return self.step / self.recipe.max_steps
        return self.elapsed / max(60 * self.recipe.minutes, 1e-9)

    def run(
        self,
        *,
        log_every: float = 30.0,
        save_every: float = 120.0,
        preview_every: float = 240.0,
        preview: Callable[[TranslatorTraining], dict[str, float]] | None = None,
        stop_at: int | None = None,
    ) -> None:
        """Trains until the recipe's end (or step `stop_at`); the periods are seconds.

        `preview` draws what the averaged weights paint; its figures are logged.

        Raises:
            TrainingError: the losses are not finite any more.
        """
        began = time.perf_counter() - self.elapsed
        logged = saved = shown_at = time.perf_counter()
        while True:
            self.elapsed = self._agree(time.perf_counter() - began)
            if self.progress >= 1 or (stop_at is not None and self.step >= stop_at):
                break
            self.one_sequence()
            now = time.perf_counter()
            if self.worker == 0 and now - logged > log_every:
                self._report({})
                logged = now
            if self.worker == 0 and self.out is not None and now - saved > save_every:
                self.save()
                saved = now
            if self.worker == 0 and preview is not None and now - shown_at > preview_every:
                self.figures = preview(self)
                self._report(self.figures)
                shown_at = time.perf_counter()
        if self.worker == 0:
            self.figures = {} if preview is None else preview(self)
            self._report(self.figures)
            if self.out is not None:
                self.save()

    def one_sequence(self) -> None:
        """One update for each frame of a sequence; gradients do not reach into the frame before."""
        stage = self.recipe.stage(self.progress)
        random = Random(f"{self.recipe.seed} {self.sequence} {self.worker}")
        torch.manual_seed((self.recipe.seed << 40) + self.sequence * 64 + self.worker)
        before = 1 if random.random() < stage.real_past else 0
        chances = self.recipe.chances
        draws = [draw(random, self.clips, stage.length, before, chances, stage.half) for _ in range(self.recipe.batch)]
        length = min(one.length for one in draws)
        waits = stage.length > 1 and random.random() < self.recipe.waiting
        still = waits and random.random() < 0.5
        draws = [replace(one, length=length, still=still) for one in draws]
        if waits:
            painted, real = self._waited(draws, random.randint(1, _LONGEST_WAIT))
        else:
            real = past_photos(self.clips, draws).to(self.device) if before else None
            painted = None if real is None else spoilt(real)
        past = AlignedPast()
        if painted is not None and real is not None:
            past.push(painted, real)
        for t in range(length):
            example = examples(self.clips, self.config.conditions, draws, t).to(self.device)
            moment = self._moment(example, painted, real, own=waits or t > 0)
            past.move(example.motion, moment.valid)
            painted, real = self._update(moment, past, stage, random), example.photo
            past.push(painted, real)
        self.sequence += 1

    @torch.no_grad()
    def _waited(self, draws: Sequence[Draw], frames: int) -> tuple[Tensor, Tensor]:
        """What is painted in front of the sequences after some frames at a standstill, and the picture of that.

        A drive waits at red lights for hundreds of frames, and whatever a painter exaggerates it exaggerates again.
        """
        here = [replace(one, first=one.first if one.still else max(one.first - 1, 0), still=True) for one in draws]
        example = examples(self.clips, self.config.conditions, here, 0).to(self.device)
        painted, valid = torch.zeros_like(example.photo), torch.zeros_like(example.valid)
        for _ in range(frames):
            with self._precision():
                painted = self.network(example.conditions, painted, valid).picture.clamp(-1, 1)
            valid = example.valid
        return torch.nan_to_num(painted), example.photo

    def _moment(self, example: Example, painted: Tensor | None, real: Tensor | None, own: bool) -> _Moment:
        if painted is None or real is None:
            nothing = torch.zeros_like(example.photo)
            return _Moment(example, nothing, nothing, torch.zeros_like(example.valid), False)
        moved = warp(torch.cat([painted, real], 1), example.motion)
        warped, real_warped = (
            part.contiguous(memory_format=torch.channels_last) for part in (moved[:, :3], moved[:, 3:])
        )
        return _Moment(example, warped, real_warped, example.valid, own)

    def _update(self, moment: _Moment, past: AlignedPast, stage: Stage, random: Random) -> Tensor:
        """One step of critics and painter; what was painted [N, 3, H, W], in -1..1."""
        recipe, example = self.recipe, moment.example
        warm = min(1.0, (self.step + 1) / 100)
        for optimizer in (self.painting, self.judging):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * stage.rate * warm
        with self._precision():
            made = self.network(example.conditions, moment.warped, moment.valid)
        picture, raw = made.picture, made.raw
        near = laplacian_loss(picture, example.photo, moment.own)
        structure = structure_loss(picture, example.photo)
        loss = recipe.laplacian * near + recipe.structure * structure
        logs = {"laplacian": near, "structure": structure}
        if bool(moment.valid.any()):
            loss = loss + recipe.raw * recipe.laplacian * laplacian_loss(raw, example.photo, moment.own)
            logs["mask"] = made.mask.sum() / moment.valid.sum()
            if moment.own:
                change = warp_loss(picture, moment.warped, moment.valid)
                loss, logs = loss + recipe.warp * change, {**logs, "warp": change}
        gradient = torch.zeros_like(picture)
        if stage.critics and random.random() < recipe.judged:
            gradient = self._judged(moment, picture.detach(), past, stage.critics / recipe.judged, random, logs)
        self.painting.zero_grad(set_to_none=True)
        torch.autograd.backward([loss, picture], [None, gradient])
        parameters = list(self.network.parameters())
        self._average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, _CLIP)
        self._count(bool(torch.isfinite(norm)) and bool(torch.isfinite(loss)))
        if not self._skipped_in_a_row:
            self.painting.step()
            decay = min(recipe.ema, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(list(self.ema.parameters()), list(self.network.parameters()), 1 - decay)
        self.step += 1
        self.journal.note({name: float(value.detach()) for name, value in logs.items()} | {"gradient": float(norm)})
        return torch.nan_to_num(picture.detach()).clamp(-1, 1)

    def _judged(
        self,
        moment: _Moment,
        picture: Tensor,
        past: AlignedPast,
        weight: float,
        random: Random,
        logs: dict[str, Tensor],
    ) -> Tensor:
        """Updates the critics and returns what they say of `picture` as its gradient.

        Real and painted pictures go through each critic once, together: the painter's gradient is taken before the
        critic's own, from the same pass.
        """
        recipe, example = self.recipe, moment.example
        maps = example.conditions[:, self._shown]
        count = len(picture)
        leaf = picture.clone().requires_grad_(True)
        judged: list[tuple[float, list[Judgement]]] = []
        with self._precision():
            warped = torch.cat([moment.real_warped, moment.warped]) * moment.valid.repeat(2, 1, 1, 1)
            pictures = torch.cat([example.photo, leaf])
            judged.append((1.0, self.picture_critic(maps, moment.valid, warped, pictures)))
            distance = 2 if random.random() < 0.5 and len(past) >= 4 else 1
            pair = past.pair(distance)
            if pair is not None:
                painted_past, real_past, seen = pair
                both = torch.cat([real_past, painted_past]) * seen.repeat_interleave(3, 1).repeat(2, 1, 1, 1)
                pictures = torch.cat([F.avg_pool2d(pictures, 2), both], 1)
                small = F.avg_pool2d(maps, 2)
                judged.append((recipe.video, self.video_critic(distance, small, seen, pictures)))
        total = leaf.new_zeros(())
        own = leaf.new_zeros(())
        for share, said in judged:
            real = [Judgement([f[:count] for f in j.features], j.score[:count]) for j in said]
            painted = [Judgement([f[count:] for f in j.features], j.score[count:]) for j in said]
            adversary, features = adversarial_loss(painted), feature_loss(real, painted)
            matched = recipe.features * (0.6 if moment.own else 1.0)
            total = total + share * (recipe.adversary * adversary + matched * features)
            own = own + critic_loss(real, painted)
            name = "" if share == 1.0 else "video_"
            logs |= {
                f"{name}adversary": adversary,
                f"{name}features": features,
                f"{name}critic": critic_loss(real, painted),
            }
        (gradient,) = torch.autograd.grad(weight * total, leaf, retain_graph=True)
        self.judging.zero_grad(set_to_none=True)
        own.backward(inputs=self._critics)
        if self.workers > 1:
            for parameter in self._critics:  # so that all workers average the same ones
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        self._average_gradients(self._critics)
        if all(bool(torch.isfinite(p.grad).all()) for p in self._critics if p.grad is not None):
            self.judging.step()
        return gradient

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)

    def _count(self, finite: bool) -> None:
        self._skipped_in_a_row = 0 if finite else self._skipped_in_a_row + 1
        self.skipped += not finite
        if self._skipped_in_a_row >= _MOST_SKIPPED:
            raise TrainingError(
                f"the losses of {_MOST_SKIPPED} steps in a row were not finite (step {self.step}): the clips hold "
                "broken pictures or maps, or the rate is too high. Look at the clips; resume with a lower --rate"
            )

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

    def _report(self, figures: dict[str, float]) -> None:
        plain = {
            "step": self.step,
            "progress": round(self.progress, 4),
            "elapsed_s": round(self.elapsed, 1),
            "rate": self.painting.param_groups[0]["lr"],
            "skipped": self.skipped,
        }
        self.journal.write(plain, figures)

    def state(self) -> dict[str, Any]:
        """Everything a run needs to go on: tensors and plain values only."""
        return {
            "recipe": asdict(self.recipe),
            "config": asdict(self.config),
            "size": list(self.clips.size),
            "notes": self.clips.notes,
            "figures": dict(self.figures),
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "picture_critic": self.picture_critic.state_dict(),
            "video_critic": self.video_critic.state_dict(),
            "painting": self.painting.state_dict(),
            "judging": self.judging.state_dict(),
            "step": self.step,
            "sequence": self.sequence,
            "skipped": self.skipped,
            "elapsed": self.elapsed,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continues from what `state` gave.

        Raises:
            TrainingError: it is of another painter.
        """
        self.start_from(state)
        for name in ("step", "sequence", "skipped", "elapsed"):
            setattr(self, name, state[name])
        self.painting.load_state_dict(state["painting"])
        self.judging.load_state_dict(state["judging"])

    def start_from(self, state: dict[str, Any]) -> None:
        """Takes networks over, and nothing of their clock: to go on at another size or with another look.

        Args:
            state: as of `state`; of critics and of the current weights, what is missing is left as it is.

        Raises:
            TrainingError: it is of another painter.
        """
        try:
            self.ema.load_state_dict(state["ema"])
            self.network.load_state_dict(state.get("network", state["ema"]))
            for name in ("picture_critic", "video_critic"):
                if name in state:
                    getattr(self, name).load_state_dict(state[name])
        except (RuntimeError, KeyError) as error:
            first = str(error).strip().splitlines()[-1].strip()
            raise TrainingError(f"these weights are of another painter ({first}); give those sizes") from error

    def save(self) -> None:
        """Writes `checkpoint.pt` whole or not at all."""
        assert self.out is not None
        temporary = self.out / f"{CHECKPOINT}.part"
        torch.save(self.state(), temporary)
        os.replace(temporary, self.out / CHECKPOINT)
