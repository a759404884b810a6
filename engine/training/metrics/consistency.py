"""View consistency of a generator: reprojection between pairs of views of held-out identities."""

from __future__ import annotations

from ....models.base import VolumeSettings
from .fidelity import truth
from .reprojection import PAIRS, reprojection_psnr
from .scores import Scores
from .views import Progress, Subject, View, held_out_latent, silent

FIRST = 200
"""Held-out seed of the first identity."""
CENTRED = VolumeSettings(None, None, 1, 0, "softplus", "left", "nerf")
"""How a teacher takes pictures: rays through the middles of pixels, depth along unit rays."""


def consistency(subject: Subject, count: int, progress: Progress = silent) -> dict[str, float]:
    """reprojection_psnr, dB: of the final picture; raw_reprojection_psnr: of the volume renderer's; reprojection_share:
    of the object's pixels that could be compared; teacher_reprojection_psnr: what interpolation alone costs the
    teacher's own pictures of the same size."""
    scores, teacher = Scores(), subject.teacher
    for index in range(count):
        z = held_out_latent(FIRST + index, subject.z_dim)
        codes = subject.codes(z)
        volume = subject.generator.scene(codes).volume
        for left, right in PAIRS:
            poses = subject.pose(left), subject.pose(right)
            a, b = (subject.look(codes, pose) for pose in poses)
            value, share = reprojection_psnr(a, b, *poses, volume)
            raw, _ = reprojection_psnr(raw_of(a), raw_of(b), *poses, volume)
            scores.note(reprojection_psnr=value, reprojection_share=share, raw_reprojection_psnr=raw)
            if teacher is not None and index == 0:
                side = a.picture.shape[-1]
                taken = (truth(teacher, z, z, yaw, side) for yaw in (left, right))
                theirs = [View(rgb, rgb, coverage, depth) for rgb, coverage, depth in taken]
                scores.note(teacher_reprojection_psnr=reprojection_psnr(theirs[0], theirs[1], *poses, CENTRED)[0])
        progress("consistency", index + 1, count)
    return scores.means()


def raw_of(view: View) -> View:
    """The same without the super-resolution."""
    return View(view.raw, view.raw, view.alpha, view.depth)
