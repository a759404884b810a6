"""Measures cars against their teacher on latents never trained on, and draws contact sheets.

Command: ``python -m neuroview.engine.training.cars_evaluate --model FILE --out DIR``; writes ``metrics.json`` and PNGs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ...models.base import Scene
from ...models.formats import native
from ..rendering.exact import render_rays
from ..rendering.rays import box_limits, camera_rays
from .metrics.disentanglement import extent
from .metrics.fidelity import compared
from .metrics.pictures import overlap, psnr
from .metrics.scores import Scores
from .metrics.views import Pose, Subject, View, held_out_latent, slerp
from .picture_teachers import CarsTeacher

COUNT = 20
"""Latents measured; each from all `VIEWS`."""
VIEWS = ((0.6, 0.30), (2.4, 0.25), (4.4, 0.60))
"""Yaw and pitch of measured cameras, radians: half from the front, half from behind, from above on the other side."""
MIX_VIEW = (0.7, 0.35)
LOOKS = 3
"""Appearances given to each measured shape."""
RAYS = 1024
"""Rendered at once."""
FIRST_MIX = 50
"""Held-out seed of the first mixed shape."""


class Judge:
    """Renders both sides of a comparison.

    Args:
        subject: the cars under measurement, with their teacher.
        size: side of the pictures in pixels; None: the model's own.
    """

    def __init__(self, subject: Subject, size: int | None = None) -> None:
        self.subject, self.size = subject, size

    def pose(self, view: tuple[float, float]) -> Pose:
        """The camera of a yaw and a pitch."""
        return self.subject.pose(*view)

    def student(self, geometry: Tensor, appearance: Tensor, view: tuple[float, float]) -> View:
        """The student's view of a shape latent [1, z_dim] in the colours of another."""
        with torch.inference_mode():
            scene = self.subject.generator.scene(self.subject.codes(geometry, appearance))
            return look_at_box(scene, self.pose(view), self.size or scene.resolution)

    def truth(
        self, geometry: Tensor, appearance: Tensor, view: tuple[float, float], size: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The teacher's picture [3, size, size], coverage and distance [size, size]."""
        teacher = self.subject.teacher
        assert teacher is not None
        rgb, coverage, depth = teacher.render(geometry, appearance, teacher.camera(*view), size)
        return rgb[0], coverage[0], depth[0]

    def pair(self, geometry: Tensor, appearance: Tensor, view: tuple[float, float]) -> list[Tensor]:
        """The teacher's and the student's picture."""
        shown = self.student(geometry, appearance, view)
        return [self.truth(geometry, appearance, view, shown.picture.shape[-1])[0], shown.picture]


def look_at_box(scene: Scene, pose: Pose, size: int) -> View:
    """One exactly rendered view; rays that miss the field's bounds, two thirds of them, are white unasked."""
    origins, directions = camera_rays(pose.cam2world, pose.intrinsics, size, size, scene.volume)
    near, far, hit = box_limits(origins, directions, scene.field.bounds)
    rgb, alpha, depth = torch.ones(size * size, 3), torch.zeros(size * size), torch.zeros(size * size)
    for rays in hit.nonzero()[:, 0].split(RAYS):
        seen = render_rays(scene, scene.volume, origins[rays], directions[rays], near[rays], far[rays])
        rgb[rays], alpha[rays], depth[rays] = seen.features[:, :3], seen.alpha, seen.depth.nan_to_num()
    picture = rgb.T.reshape(3, size, size).clamp(0, 1)
    return View(picture, picture, alpha.view(size, size), depth.view(size, size))


def measure(judge: Judge, count: int = COUNT) -> dict[str, float]:
    """Fidelity on held-out latents from all sides, and how far geometry and appearance are apart.

    Returns:
        psnr, foreground_psnr (dB), ssim, iou, depth_error (scene units) of single cars; mix_silhouette_iou,
        mix_depth_relative (of the car's smallest extent) under another appearance; mix_psnr of mixes.
    """
    scores = Scores()
    for seed in range(count):
        z = held_out_latent(seed, judge.subject.z_dim)
        for view in VIEWS:
            shown = judge.student(z, z, view)
            truth = judge.truth(z, z, view, shown.picture.shape[-1])
            found = compared(shown, *truth)
            scores.note(**{k: v for k, v in found.items() if not k.startswith("raw_")})
    pose = judge.pose(MIX_VIEW)
    for index in range(max(count // 4, 1)):
        shape = held_out_latent(FIRST_MIX + index, judge.subject.z_dim)
        looks = [held_out_latent(FIRST_MIX + 30 + LOOKS * index + j, judge.subject.z_dim) for j in range(LOOKS)]
        first, *others = (judge.student(shape, each, MIX_VIEW) for each in looks)
        volume = judge.subject.generator.scene(judge.subject.codes(shape)).volume
        size = extent(first, pose, volume)
        for other in others:
            a, b = first.alpha > 0.5, other.alpha > 0.5
            moved = (first.depth - other.depth)[a & b].abs().mean()
            scores.note(mix_silhouette_iou=overlap(a, b), mix_depth_relative=float(moved) / size)
        truth = judge.truth(shape, looks[0], MIX_VIEW, first.picture.shape[-1])[0]
        scores.note(mix_psnr=psnr(first.picture, truth))
    return scores.means()


def contact_sheet(judge: Judge, seeds: Sequence[int] = range(8)) -> Tensor:
    """For each held-out car, from three sides: teacher, student."""
    latents = [held_out_latent(seed, judge.subject.z_dim) for seed in seeds]
    return grid([[p for view in VIEWS for p in judge.pair(z, z, view)] for z in latents])


def interpolation_strip(judge: Judge, steps: int = 7) -> Tensor:
    """Walks between held-out latents."""
    rows = []
    for a, b in ((20, 21), (22, 23)):
        walk = slerp(held_out_latent(a, judge.subject.z_dim), held_out_latent(b, judge.subject.z_dim), steps)
        rows.append([judge.student(z, z, MIX_VIEW).picture for z in walk])
    return grid(rows)


def mix_matrix(judge: Judge, shapes: Sequence[int] = range(30, 34), looks: Sequence[int] = range(40, 44)) -> Tensor:
    """Rows share a geometry, columns an appearance: student left, teacher right."""
    latent = {seed: held_out_latent(seed, judge.subject.z_dim) for seed in (*shapes, *looks)}
    pairs = [[judge.pair(latent[i], latent[j], MIX_VIEW) for j in looks] for i in shapes]
    left, right = (grid([[pair[side] for pair in row] for row in pairs]) for side in (1, 0))
    return torch.cat([left, torch.ones(3, left.shape[1], 16), right], 2)


def orbit(judge: Judge, seeds: Sequence[int] = (1, 5, 9), steps: int = 8) -> Tensor:
    """Each car from all around."""
    views = [(0.2 + 2 * np.pi * i / steps, 0.25) for i in range(steps)]
    latents = [held_out_latent(seed, judge.subject.z_dim) for seed in seeds]
    return grid([[judge.student(z, z, view).picture for view in views] for z in latents])


SHEETS = {
    "cars_held_out": contact_sheet,
    "cars_interpolation": interpolation_strip,
    "cars_mix": mix_matrix,
    "cars_orbit": orbit,
}


def grid(rows: list[list[Tensor]], margin: float = 0.14) -> Tensor:
    """Pictures [3, S, S] side by side, cut by a margin above and below, where there is never a car."""
    cut = round(margin * rows[0][0].shape[1])
    return torch.cat([torch.cat([p[:, cut : p.shape[1] - cut] for p in row], 2) for row in rows], 1)


def write_png(path: Path, picture: Tensor) -> None:
    """Writes a picture [3, H, W] in [0, 1]."""
    pixels = (picture.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).numpy()[:, :, ::-1]
    cv2.imwrite(str(path), np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, measures and draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="cars.safetensors, its .json beside it")
    parser.add_argument("--out", type=Path, required=True, help="folder for metrics.json and pictures")
    parser.add_argument("--count", type=int, default=COUNT, help="held-out latents to measure; 0 draws only")
    parser.add_argument("--size", type=int, help="side of the pictures (the model's own)")
    parser.add_argument("--sheets", nargs="*", choices=SHEETS, default=list(SHEETS), help="which to draw (all)")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    judge = Judge(Subject(native.open_generator(given.model), CarsTeacher()), given.size)
    if given.count:
        metrics = measure(judge, given.count)
        print(json.dumps(metrics, indent=1))
        (given.out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    for name in given.sheets:
        write_png(given.out / f"{name}.png", SHEETS[name](judge))


if __name__ == "__main__":
    main()
