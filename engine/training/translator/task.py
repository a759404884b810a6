"""`TranslatorTask`: a painter, its critics and their optimisers, trained on sequences of clips."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor

from ....models.painter import PainterConfig
from ....models.warp import warp
from ..descent import Descent, follow
from ..task import Moment, Team, TrainingError
from .aligned_past import AlignedPast
from .clips import Clips
from .discriminator import Judgement, PictureCritic, VideoCritic, shown
from .examples import Draw, Example, draw, examples, past_photos, spoilt
from .losses import adversarial_loss, critic_loss, feature_loss, laplacian_loss, structure_loss, warp_loss
from .schedule import Recipe, Stage

NAME = "translator"
_LONGEST_WAIT = 16
"""Frames at a standstill that are painted, untrained, in front of a sequence."""
_CLIP = 5.0
"""Greatest norm of the painter's gradient."""
_WARM_UP = 100
"""Frames over which the learning rates rise from zero."""


@dataclass
class _Frame:
    """One frame while it is being trained on."""

    example: Example
    warped: Tensor
    """The painted past, seen from here."""
    real_warped: Tensor
    valid: Tensor
    own: bool
    """Whether the past was painted rather than real."""


class TranslatorTask:
    """A `Task` whose update is a sequence: one step of painter and critics for each of its frames.

    Args:
        recipe: what to do.
        config: of the painter; without a network that guesses motion.
        clips: what to learn from.
        seed: of the first weights.
        look: draws what the averaged weights paint, and returns figures: the preview; None: there is none.
        critic_width: channels of the critics' first layers.

    Raises:
        TrainingError: the painter guesses motion, or the clips are of a size that it cannot paint.
    """

    name = NAME

    def __init__(
        self,
        recipe: Recipe,
        config: PainterConfig,
        clips: Clips,
        *,
        seed: int = 0,
        look: Callable[[TranslatorTask], Mapping[str, float]] | None = None,
        critic_width: int = 24,
    ) -> None:
        if config.flow_width:
            raise TrainingError(f"flow_width is {config.flow_width}; motion comes with the clips here, expected 0")
        if any(side % 32 for side in clips.size):
            raise TrainingError(f"clips of {clips.size} (height, width); expected multiples of 32 pixels")
        self.recipe, self.config, self.clips, self.look = recipe, config, clips, look
        self.device = torch.device("cpu")
        torch.manual_seed(seed)
        self._shown = shown(config.conditions)
        self.network = _placed(config.network(), self.device)
        self.ema = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.picture_critic = _placed(PictureCritic(len(self._shown), critic_width), self.device)
        self.video_critic = _placed(VideoCritic(len(self._shown), critic_width), self.device)
        self._critics = [*self.picture_critic.parameters(), *self.video_critic.parameters()]
        painting = torch.optim.Adam(self.network.parameters(), betas=(0.5, 0.99), fused=True)
        judging = torch.optim.Adam(self._critics, betas=(0.0, 0.99), fused=True)
        self.painting = Descent(painting, clip=_CLIP, what="painter")
        self.judging = Descent(judging, what="critics")
        self.frames = 0
        """That were trained on, in each process."""

    def to(self, device: torch.device) -> None:
        """See `Task`."""
        self.device = device
        for network in (self.network, self.ema, self.picture_critic, self.video_critic):
            _placed(network, device)

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """See `Task`; gradients do not reach into the frame before."""
        stage, team = self.recipe.stage(moment.progress), moment.team
        random = Random(int(torch.randint(2**62, ())))
        sums: dict[str, list[Tensor | float]] = {}
        before = 1 if random.random() < stage.real_past else 0
        chances = self.recipe.chances
        draws = [draw(random, self.clips, stage.length, before, chances, stage.half) for _ in range(self.recipe.batch)]
        length = min(one.length for one in draws)
        waits = stage.length > 1 and random.random() < self.recipe.waiting
        still = waits and random.random() < 0.5
        draws = [replace(one, length=length, still=still) for one in draws]
        if waits:
            painted, real = self._waited(draws, random.randint(1, _LONGEST_WAIT), team)
        else:
            real = past_photos(self.clips, draws).to(self.device) if before else None
            painted = None if real is None else spoilt(real)
        past = AlignedPast()
        if painted is not None and real is not None:
            past.push(painted, real)
        for t in range(length):
            example = examples(self.clips, self.config.conditions, draws, t).to(self.device)
            frame = self._frame(example, painted, real, own=waits or t > 0)
            past.move(example.motion, frame.valid)
            picture, logs = self._frame_update(frame, past, stage, random, team)
            for name, value in logs.items():
                sums.setdefault(name, []).append(value)
            painted, real = picture, example.photo
            past.push(painted, real)
        return {name: sum(values) / len(values) for name, values in sums.items()}

    def state(self) -> dict[str, Any]:
        """See `Task`."""
        return {
            "config": asdict(self.config),
            "size": list(self.clips.size),
            "notes": self.clips.notes,
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "picture_critic": self.picture_critic.state_dict(),
            "video_critic": self.video_critic.state_dict(),
            "painting": self.painting.state(),
            "judging": self.judging.state(),
            "frames": self.frames,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Task`.

        Raises:
            TrainingError: it is of another painter.
        """
        self.start_from(state)
        self.painting.load(state["painting"])
        self.judging.load(state["judging"])
        self.frames = state["frames"]

    def start_from(self, state: Mapping[str, Any]) -> None:
        """Takes networks over, and nothing of their past: to go on at another size or with another look.

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

    def generator(self) -> NoReturn:
        """A painter is none.

        Raises:
            TrainingError: always.
        """
        raise TrainingError("a painter is no generator; `neuroview drive --translator FILE` shows what --export writes")

    def preview(self) -> Mapping[str, float]:
        """See `Task`."""
        return {} if self.look is None else self.look(self)

    @torch.no_grad()
    def _waited(self, draws: Sequence[Draw], frames: int, team: Team) -> tuple[Tensor, Tensor]:
        """What is painted in front of the sequences after some frames at a standstill, and the picture of that.

        A drive waits at red lights for hundreds of frames, and whatever a painter exaggerates it exaggerates again.
        """
        here = [replace(one, first=one.first if one.still else max(one.first - 1, 0), still=True) for one in draws]
        example = examples(self.clips, self.config.conditions, here, 0).to(self.device)
        painted, valid = torch.zeros_like(example.photo), torch.zeros_like(example.valid)
        for _ in range(frames):
            with team.autocast():
                painted = self.network(example.conditions, painted, valid).picture.clamp(-1, 1)
            valid = example.valid
        return torch.nan_to_num(painted), example.photo

    def _frame(self, example: Example, painted: Tensor | None, real: Tensor | None, own: bool) -> _Frame:
        if painted is None or real is None:
            nothing = torch.zeros_like(example.photo)
            return _Frame(example, nothing, nothing, torch.zeros_like(example.valid), False)
        moved = warp(torch.cat([painted, real], 1), example.motion)
        warped, real_warped = (
            part.contiguous(memory_format=torch.channels_last) for part in (moved[:, :3], moved[:, 3:])
        )
        return _Frame(example, warped, real_warped, example.valid, own)

    def _frame_update(
        self, frame: _Frame, past: AlignedPast, stage: Stage, random: Random, team: Team
    ) -> tuple[Tensor, dict[str, Tensor | float]]:
        """One step of critics and painter; what was painted [N, 3, H, W], in -1..1, and the figures."""
        recipe, example = self.recipe, frame.example
        rate = recipe.rate * stage.rate * min(1.0, (self.frames + 1) / _WARM_UP)
        with team.autocast():
            made = self.network(example.conditions, frame.warped, frame.valid)
        picture, raw = made.picture, made.raw
        near = laplacian_loss(picture, example.photo, frame.own)
        structure = structure_loss(picture, example.photo)
        loss = recipe.laplacian * near + recipe.structure * structure
        logs = {"laplacian": near, "structure": structure}
        if bool(frame.valid.any()):
            loss = loss + recipe.raw * recipe.laplacian * laplacian_loss(raw, example.photo, frame.own)
            logs["mask"] = made.mask.sum() / frame.valid.sum()
            if frame.own:
                change = warp_loss(picture, frame.warped, frame.valid)
                loss, logs = loss + recipe.warp * change, {**logs, "warp": change}
        gradient = torch.zeros_like(picture)
        if stage.critics and random.random() < recipe.judged:
            weight = stage.critics / recipe.judged
            gradient = self._judged(frame, picture.detach(), past, weight, rate, random, team, logs)
        self.painting.forget()
        torch.autograd.backward([loss, picture], [None, gradient])
        taken = self.painting.step(team, rate)
        if taken:
            follow(self.ema, self.network, min(recipe.ema, (1 + self.frames) / (10 + self.frames)))
        self.frames += 1
        figures = {name: value.detach() for name, value in logs.items()}
        told = {"gradient": self.painting.norm, "rate": rate, "skipped": float(not taken)}
        return torch.nan_to_num(picture.detach()).clamp(-1, 1), {**figures, **told}

    def _judged(
        self,
        frame: _Frame,
        picture: Tensor,
        past: AlignedPast,
        weight: float,
        rate: float,
        random: Random,
        team: Team,
        logs: dict[str, Tensor],
    ) -> Tensor:
        """Updates the critics and returns what they say of `picture` as its gradient.

        Real and painted pictures go through each critic once, together: the painter's gradient is taken before the
        critic's own, from the same pass.
        """
        recipe, example = self.recipe, frame.example
        maps = example.conditions[:, self._shown]
        count = len(picture)
        leaf = picture.clone().requires_grad_(True)
        judged: list[tuple[float, list[Judgement]]] = []
        with team.autocast():
            warped = torch.cat([frame.real_warped, frame.warped]) * frame.valid.repeat(2, 1, 1, 1)
            pictures = torch.cat([example.photo, leaf])
            judged.append((1.0, self.picture_critic(maps, frame.valid, warped, pictures)))
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
            matched = recipe.features * (0.6 if frame.own else 1.0)
            total = total + share * (recipe.adversary * adversary + matched * features)
            own = own + critic_loss(real, painted)
            name = "" if share == 1.0 else "video_"
            logs |= {
                f"{name}adversary": adversary,
                f"{name}features": features,
                f"{name}critic": critic_loss(real, painted),
            }
        (gradient,) = torch.autograd.grad(weight * total, leaf, retain_graph=True)
        self.judging.forget()
        own.backward(inputs=self._critics)
        self.judging.step(team, rate)
        return gradient


def _placed(network: Any, device: torch.device) -> Any:
    return network.to(device=device, memory_format=torch.channels_last)
