"""How close a radiance field of one scene comes to photographs that it was not trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from ....models.base import Generator, Scene
from ..nerf_views import NerfData, Views
from .pictures import psnr, ssim
from .reprojection import reprojection_psnr
from .scores import Scores
from .views import Pose, Progress, View, look, silent


def scene_of(generator: Generator) -> Scene:
    """The only scene of a generator without latents."""
    with torch.inference_mode():
        return generator.scene(torch.zeros(generator.num_layers, 0))


def held_out_views(
    generator: Generator, data: NerfData, count: int, progress: Progress = silent
) -> tuple[dict[str, float], list[tuple[Tensor, Tensor]]]:
    """Measures up to `count` held-out views, evenly chosen; the training views where none are held out.

    Returns:
        psnr (dB), ssim, views and reprojection_psnr (between views that neighbour in the list); and pairs of the
        photograph and the rendering, [3, H, W] in 0..1.
    """
    scene, scores = scene_of(generator), Scores()
    views = data.held_out if data.held_out is not None else data.train
    chosen = torch.linspace(0, len(views) - 1, min(count, len(views))).round().int().tolist()
    shown: list[tuple[Tensor, Tensor]] = []
    before: tuple[View, Pose] | None = None
    for done, index in enumerate(chosen):
        photo = photograph(views, index, scene.volume.white_background)
        pose = Pose(views.cam2world[index], views.intrinsics[index])
        view = look(scene, pose, resolution=views.size)
        scores.note(psnr=psnr(view.picture, photo), ssim=ssim(view.picture, photo))
        square = views.size[0] == views.size[1]
        if before is not None and square:
            value, share = reprojection_psnr(view, before[0], pose, before[1], scene.volume)
            if share > 0.1:
                scores.note(reprojection_psnr=value, reprojection_share=share)
        before = view, pose
        shown.append((photo, view.picture))
        progress("held-out views", done + 1, len(chosen))
    held_out = 1.0 if data.held_out is not None else 0.0
    return {**scores.means(), "views": float(len(chosen)), "held_out": held_out}, shown


def photograph(views: Views, index: int, white: bool) -> Tensor:
    """One picture [3, H, W] in 0..1, over white or black where it has coverage."""
    pixels = views.pictures[index].float().permute(2, 0, 1) / 255
    if len(pixels) == 3:
        return pixels
    return pixels[:3] * pixels[3:] + (1 - pixels[3:]) * float(white)
