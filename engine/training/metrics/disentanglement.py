"""Whether geometry and appearance are apart: what a change of the one does to the other."""

from __future__ import annotations

import torch
from torch import Tensor

from ....models.base import VolumeSettings
from ...rendering.rays import camera_rays
from .fidelity import truth
from .pictures import overlap, psnr
from .scores import Scores
from .views import Pose, Progress, Subject, View, held_out_latent, silent

YAW = 0.25
LOOKS = 3
"""Appearances given to each shape."""
FIRST_SHAPE, FIRST_LOOK = 50, 80
"""Held-out seeds of the mixes."""


def disentanglement(subject: Subject, shapes: int, progress: Progress = silent) -> dict[str, float]:
    """Mixes of held-out latents, from one side.

    Returns:
        mix_silhouette_iou, mix_depth_change: what is left of a silhouette, and how far the depth moves (scene units,
        mean over the pixels that are covered in both), when only the appearance changes; mix_depth_relative: that, as a
        part of the object's smallest extent; geometry_mix_colour: how far the object's mean colour moves, 0..1, when
        only the geometry changes, which more or less hair may rightly do; with a teacher, teacher_mix_colour: the same
        of the teacher's own mixes, mix_colour_error: how far the student's mean colour is from the teacher's in the
        same mix; and mix_psnr, dB.
    """
    scores, teacher = Scores(), subject.teacher
    pose = subject.pose(YAW)
    volume = None
    for index in range(shapes):
        shape = held_out_latent(FIRST_SHAPE + index, subject.z_dim)
        looks = [held_out_latent(FIRST_LOOK + LOOKS * index + j, subject.z_dim) for j in range(LOOKS)]
        views = [subject.look(subject.codes(shape, look), pose) for look in looks]
        if volume is None:
            volume = subject.generator.scene(subject.codes(shape)).volume
        first, size = views[0], extent(views[0], pose, volume)
        for other in views[1:]:
            a, b = first.alpha > 0.5, other.alpha > 0.5
            moved = float((first.depth - other.depth)[a & b].abs().mean()) if bool((a & b).any()) else float("nan")
            scores.note(mix_silhouette_iou=overlap(a, b), mix_depth_change=moved, mix_depth_relative=moved / size)
        other_shape = held_out_latent(FIRST_SHAPE + shapes + index, subject.z_dim)
        other_view = subject.look(subject.codes(other_shape, looks[0]), pose)
        mine, moved_to = mean_colour(first), mean_colour(other_view)
        scores.note(geometry_mix_colour=float((mine - moved_to).abs().mean()))
        if teacher is not None:
            side = first.picture.shape[-1]
            there, cover, _ = truth(teacher, shape, looks[0], YAW, side)
            also, also_cover, _ = truth(teacher, other_shape, looks[0], YAW, side)
            theirs, theirs_moved = (p[:, c > 0.5].mean(1) for p, c in ((there, cover), (also, also_cover)))
            scores.note(
                mix_psnr=psnr(first.picture, there),
                teacher_mix_colour=float((theirs - theirs_moved).abs().mean()),
                mix_colour_error=0.5 * float((mine - theirs).abs().mean() + (moved_to - theirs_moved).abs().mean()),
            )
        progress("disentanglement", index + 1, shapes)
    return scores.means()


def mean_colour(view: View) -> Tensor:
    """Mean colour [3] of the object in the volume renderer's picture; the background's where there is none."""
    mask = view.alpha > 0.5
    return view.raw[:, mask].mean(1) if bool(mask.any()) else view.raw.flatten(1).mean(1)


def extent(view: View, pose: Pose, volume: VolumeSettings) -> float:
    """The smallest side of the box about what a view shows of an object: a face's depth, a car's height; scene units.

    Half of an object is hidden from one side; so the figure is careful, as a denominator of a relative error.
    """
    side = len(view.alpha)
    origins, directions = camera_rays(pose.cam2world, pose.intrinsics, side, side, volume)
    points = (origins + view.depth.flatten()[:, None] * directions)[view.alpha.flatten() > 0.5]
    if len(points) < 2:
        return float("nan")
    low, high = torch.quantile(points, 0.01, dim=0), torch.quantile(points, 0.99, dim=0)
    return float((high - low).min())
