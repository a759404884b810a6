"""What the averaged weights paint of clips they have not seen: a film strip, and a few figures beside the teacher's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.labels import paint
from ....models.warp import warp
from ..team import bf16_is_faster
from ..translator_metrics.similarity import psnr, sharpness, ssim
from .clips import Clips
from .examples import Draw, examples
from .task import TranslatorTask

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Rollout:
    """One clip, painted from nothing on its own pictures."""

    painted: list[Picture]
    photo: list[Picture]
    warping: float
    """Mean absolute change along the motion, levels of 255, where the past can be believed."""
    teacher_warping: float


@torch.no_grad()
def roll_out(task: TranslatorTask, clips: Clips, clip: int) -> Rollout:
    """Paints a clip with the averaged weights, all parts given."""
    one = Draw(clip, 0, clips.length(clip))
    painted, photo, changes = [], [], []
    before: tuple[Tensor, Tensor] | None = None
    for t in range(one.length):
        example = examples(clips, task.config.conditions, [one], t).to(task.device)
        if before is None:
            warped, valid = torch.zeros_like(example.photo), torch.zeros_like(example.valid)
        else:
            warped, valid = warp(before[0], example.motion), example.valid
        with torch.autocast(task.device.type, torch.bfloat16, enabled=bf16_is_faster(task.device)):
            made = task.ema(example.conditions, warped, valid).picture.clamp(-1, 1)
        if before is not None and bool(valid.any()):
            teacher = (warp(before[1], example.motion) - example.photo).abs() * valid
            own = (warped - made).abs() * valid
            changes.append([float(c.sum() / valid.sum() / 3) * 127.5 for c in (own, teacher)])
        before = (made, example.photo)
        painted.append(_levels(made))
        photo.append(_levels(example.photo))
    own, teacher = np.mean(changes, 0) if changes else (0.0, 0.0)
    return Rollout(painted, photo, float(own), float(teacher))


def previewer(clips: Clips, folder: Path | None, count: int = 6) -> Callable[[TranslatorTask], dict[str, float]]:
    """A `preview` for `TranslatorTask`.

    Args:
        clips: to paint; best of a town that is not learnt from.
        folder: for the strips, `strip-<frames>.png`: maps, first and last painted frame, last photo; None: none.
        count: how many clips, spread over all of them.
    """
    chosen = sorted({round(n) for n in np.linspace(0, len(clips) - 1, min(count, len(clips)))})

    def look(task: TranslatorTask) -> dict[str, float]:
        rows, figures = [], []
        for clip in chosen:
            made = roll_out(task, clips, clip)
            for painted, photo in zip(made.painted[1:], made.photo[1:], strict=True):
                figures.append((psnr(painted, photo), ssim(painted, photo), sharpness(painted) / sharpness(photo)))
            labels = paint(clips.frame(clip, clips.length(clip) - 1).labels.numpy(), "carla")
            rows.append((np.hstack([labels, made.painted[0], made.painted[-1], made.photo[-1]]), made))
        if folder is not None:
            strip = np.vstack([row for row, _ in rows])
            cv2.imwrite(str(folder / f"strip-{task.frames:06d}.png"), strip[..., ::-1])
        own, teacher = (np.mean([getattr(m, name) for _, m in rows]) for name in ("warping", "teacher_warping"))
        likeness = np.mean(figures, 0) if figures else np.zeros(3)
        return {
            "psnr": float(likeness[0]),
            "ssim": float(likeness[1]),
            "sharpness": float(likeness[2]),
            "warping": float(own),
            "warping_ratio": float(own / max(teacher, 1e-6)),
        }

    return look


def _levels(picture: Tensor) -> Picture:
    plain = ((picture[0].permute(1, 2, 0).float().cpu().numpy() + 1) * 127.5).round().clip(0, 255)
    return np.ascontiguousarray(plain.astype(np.uint8))
