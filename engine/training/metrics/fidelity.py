"""How close a student comes to its teacher on held-out latents: pictures, silhouettes and depth from three sides."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ..picture_teachers import PictureTeacher
from .pictures import overlap, psnr, ssim
from .scores import Scores
from .views import Progress, Subject, View, held_out_latent, silent

Truth = tuple[Tensor, Tensor, Tensor]


def truth(teacher: PictureTeacher, geometry: Tensor, appearance: Tensor, yaw: float, size: int) -> Truth:
    """The teacher's picture [3, size, size], coverage [size, size] and distance [size, size]."""
    rgb, coverage, depth = teacher.render(geometry, appearance, teacher.camera(yaw, teacher.pitch), size)
    return rgb[0].cpu(), coverage[0].cpu(), depth[0].cpu()


def fidelity(subject: Subject, count: int, progress: Progress = silent) -> dict[str, float]:
    """Means over `count` latents and the teacher's three yaws.

    Returns:
        psnr, ssim: of the final picture; raw_psnr, raw_ssim: of the volume renderer's, against the teacher's reduced;
        foreground_psnr: where the teacher covers; iou: of silhouettes; depth_error: mean absolute difference of the
        distance, scene units, where both are covered.
    """
    teacher = subject.teacher
    assert teacher is not None, "there is nothing to be true to"
    scores = Scores()
    for seed in range(count):
        z = held_out_latent(seed, subject.z_dim)
        codes = subject.codes(z)
        for yaw in teacher.yaws:
            view = subject.look(codes, subject.pose(yaw))
            scores.note(**compared(view, *truth(teacher, z, z, yaw, view.picture.shape[-1])))
        progress("fidelity", seed + 1, count)
    return scores.means()


def compared(view: View, rgb: Tensor, coverage: Tensor, depth: Tensor) -> dict[str, float]:
    """One view against the teacher's picture, coverage and distance at the picture's size."""
    side = len(view.alpha)
    factor = rgb.shape[-1] // side
    small = F.avg_pool2d(rgb[None], factor)[0]
    cover = F.avg_pool2d(coverage[None, None], factor)[0, 0]
    # Where a raw pixel is covered whole, the mean of its distances is the distance of its middle.
    far = F.avg_pool2d(depth[None, None], factor)[0, 0]
    whole = (-F.max_pool2d(-coverage[None, None], factor)[0, 0] >= 1) & (view.alpha > 0.95)
    mask, covered = cover > 0.5, coverage > 0.5
    found = {
        "raw_psnr": psnr(view.raw, small),
        "raw_ssim": ssim(view.raw, small),
        "psnr": psnr(view.picture, rgb),
        "ssim": ssim(view.picture, rgb),
        "iou": overlap(view.alpha > 0.5, mask),
    }
    if bool(covered.any()):
        found["foreground_psnr"] = psnr(view.picture[:, covered], rgb[:, covered])
    if bool(whole.any()):
        found["depth_error"] = float((view.depth - far)[whole].abs().mean())
    return found
