"""Whether a walk between two latents is smooth: the largest jump between neighbouring frames beside the usual one."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from .scores import Scores
from .views import Progress, Subject, held_out_latent, silent, slerp

FRAMES = 24
WALKS = ((20, 21), (22, 23), (24, 25))
"""Held-out seeds between which is walked."""
YAW = 0.25


def jumps(frames: list[Tensor]) -> Tensor:
    """Root mean square difference of neighbouring frames [3, H, W]: [frames - 1]."""
    return torch.stack([(b - a).square().mean().sqrt() for a, b in itertools.pairwise(frames)])


def worst_jump(frames: list[Tensor]) -> float:
    """Largest difference between neighbours over their median: 1 where all are equal, large where something pops."""
    steps = jumps(frames)
    return float(steps.max() / steps.median().clamp_min(1e-8))


def smoothness(subject: Subject, frames: int = FRAMES, progress: Progress = silent) -> dict[str, float]:
    """interpolation_pop: `worst_jump` of spherical walks between held-out latents, mean; with a teacher also its own
    (teacher_pop), as some parts come and go quickly there too."""
    scores, pose = Scores(), subject.pose(YAW)
    for index, (a, b) in enumerate(WALKS):
        walk = slerp(held_out_latent(a, subject.z_dim), held_out_latent(b, subject.z_dim), frames)
        shown = [subject.look_raw(subject.codes(z), pose) for z in walk]
        scores.note(interpolation_pop=worst_jump(shown))
        if subject.teacher is not None:
            side = shown[0].shape[-1]
            z = torch.cat(walk)
            cameras = pose.cam2world.expand(len(walk), 4, 4)
            theirs, _, _ = subject.teacher.render(z, z, cameras, 2 * side)
            theirs = torch.nn.functional.avg_pool2d(theirs, 2)
            scores.note(teacher_pop=worst_jump(list(theirs)))
        progress("interpolation", index + 1, len(WALKS))
    return scores.means()
