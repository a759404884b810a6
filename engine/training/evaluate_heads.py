"""Measures exported heads against their teacher on latents never trained on, and draws contact sheets.

Command: ``python -m neuroview.engine.training.evaluate_heads --model DIR --out DIR``; writes ``metrics.json`` and PNGs.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.eg3d import TriPlaneGenerator, merge_planes
from .export_heads import load_exported
from .heads_parameters import Z_DIM, heads_from_latents
from .heads_student import APPEARANCE_LAYERS
from .sphere_trace import Teacher, look_at_origin, render, window_rays

HELD_OUT = 24
"""Latents measured; each from three sides."""
YAWS = (-0.6, 0.0, 0.6)
PITCH = 0.08
DENSE = 96
"""Uniform samples a ray here: finer than the shipped setting's coarse pass, so that sampling hides no fault."""


def latent(seed: int) -> Tensor:
    """A held-out latent [1, 64]; training draws from other seeds' streams."""
    return torch.randn(1, Z_DIM, generator=torch.Generator().manual_seed(10_000 + seed))


def camera(yaw: float, pitch: float = PITCH) -> Tensor:
    """One camera [1, 4, 4] that looks at the origin; radians."""
    return look_at_origin(torch.tensor([yaw]), torch.tensor([pitch]))


@dataclass(frozen=True)
class View:
    """A rendered head: pictures [3, H, W] in [0, 1], accumulated weight and depth [64, 64]."""

    raw: Tensor
    fine: Tensor
    alpha: Tensor
    depth: Tensor


@torch.inference_mode()
def mixed_ws(generator: TriPlaneGenerator, geometry: Tensor, appearance: Tensor) -> Tensor:
    """ws [1, 12, w_dim] with the geometry layers of one latent and the appearance layers of another."""
    ws = generator.mapping(geometry).clone()
    ws[:, list(APPEARANCE_LAYERS)] = generator.mapping(appearance)[:, list(APPEARANCE_LAYERS)]
    return ws


@torch.inference_mode()
def render_student(generator: TriPlaneGenerator, ws: Tensor, cam2world: Tensor, samples: int = DENSE) -> View:
    """Renders one head by uniform samples along every ray (EG3D's marcher, white behind)."""
    config = generator.config
    r, n = config.rendering, config.neural_rendering_resolution
    planes = merge_planes(generator.planes(ws, "none"))
    origins, directions = window_rays(cam2world, n, torch.zeros(1, 2, dtype=torch.long), n)
    t = torch.linspace(float(r.ray_start), float(r.ray_end), samples)
    points = (origins[0, :, None] + directions[0, :, None] * t[:, None]).reshape(-1, 3)
    inside = (points.abs() < r.box_warp / 2).all(1).nonzero()[:, 0]
    raw = torch.full((len(points),), -100.0)
    features = torch.zeros(len(points), config.decoder_features)
    for part in inside.split(65536):
        density, colour = generator.query(planes, points[None, part])
        raw[part], features[part] = density[0], colour[0]
    raw, features = raw.view(-1, samples), features.view(-1, samples, config.decoder_features)
    middle = (features[:, 1:] + features[:, :-1]) / 2
    density = F.softplus((raw[:, 1:] + raw[:, :-1]) / 2 - 1)
    alpha = 1 - torch.exp(-density * (t[1:] - t[:-1]))
    weights = alpha * torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10], 1), 1)[:, :-1]
    total = weights.sum(1)
    image = (weights[..., None] * middle).sum(1) + 1 - total[:, None]
    depth = (weights * (t[1:] + t[:-1]) / 2).sum(1) / total.clamp(min=1e-3)
    image = (image * 2 - 1).t().reshape(1, -1, n, n)
    fine = generator.upsample(image, ws)
    return View(
        ((image[0, :3] + 1) / 2).clamp(0, 1), ((fine[0] + 1) / 2).clamp(0, 1), total.view(n, n), depth.view(n, n)
    )


class Judge:
    """Renders both sides of a comparison."""

    def __init__(self, generator: TriPlaneGenerator, teacher: Teacher) -> None:
        self.generator, self.teacher = generator, teacher
        self.size = generator.config.image_resolution

    def student(self, geometry: Tensor, appearance: Tensor, cam2world: Tensor) -> View:
        """The student's view of a geometry latent under an appearance latent."""
        return render_student(self.generator, mixed_ws(self.generator, geometry, appearance), cam2world)

    def truth(self, geometry: Tensor, appearance: Tensor, cam2world: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's picture [3, 256, 256] and coverage [256, 256]."""
        rgb, coverage, _ = render(self.teacher, heads_from_latents(geometry, appearance), cam2world, self.size)
        return rgb[0], coverage[0]


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1]."""
    return float(-10 * torch.log10((a - b).square().mean() + 1e-10))


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) of grey pictures: 11 x 11 Gaussian window, sigma 1.5."""
    x, y = (p.mean(0).double().numpy() for p in (a, b))

    def blur(p: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(p, (11, 11), 1.5)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    score = ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    return float(score.mean())


def overlap(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two boolean masks."""
    return float((a & b).sum() / (a | b).sum().clamp(min=1))


def measure(judge: Judge, count: int = HELD_OUT) -> dict[str, float]:
    """Fidelity on held-out latents from three sides, and how far geometry and appearance are apart."""
    scores: dict[str, list[float]] = {}

    def note(**values: float) -> None:
        for name, value in values.items():
            scores.setdefault(name, []).append(value)

    for seed in range(count):
        z = latent(seed)
        for yaw in YAWS:
            view, (rgb, coverage) = judge.student(z, z, camera(yaw)), judge.truth(z, z, camera(yaw))
            factor = judge.size // len(view.alpha)
            small = F.avg_pool2d(rgb[None], factor)[0]
            mask = F.avg_pool2d(coverage[None, None], factor)[0, 0] > 0.5
            note(
                raw_psnr=psnr(view.raw, small),
                raw_ssim=ssim(view.raw, small),
                sr_psnr=psnr(view.fine, rgb),
                sr_ssim=ssim(view.fine, rgb),
                iou=overlap(view.alpha > 0.5, mask),
                foreground_sr_psnr=psnr(view.fine[:, coverage > 0.5], rgb[:, coverage > 0.5]),
            )
    for seed in range(count // 3):
        shape = latent(50 + seed)
        views = [judge.student(shape, latent(80 + 3 * seed + j), camera(0.25)) for j in range(3)]
        for other in views[1:]:
            a, b = views[0].alpha > 0.5, other.alpha > 0.5
            note(
                mix_silhouette_iou=overlap(a, b),
                mix_depth_change=float((views[0].depth - other.depth)[a & b].abs().mean()),
            )
        rgb, _ = judge.truth(shape, latent(80 + 3 * seed), camera(0.25))
        note(mix_sr_psnr=psnr(views[0].fine, rgb))
    return {name: round(float(np.mean(values)), 4) for name, values in scores.items()}


def _stack(rows: list[list[Tensor]]) -> Tensor:
    return torch.cat([torch.cat(row, 2) for row in rows], 1)


def _enlarge(picture: Tensor, size: int) -> Tensor:
    return F.interpolate(picture[None], size=(size, size), mode="nearest")[0]


def contact_sheet(judge: Judge, seeds: range = range(6)) -> Tensor:
    """For each held-out head, from two sides: teacher, super-resolved, raw."""
    rows = []
    for seed in seeds:
        row: list[Tensor] = []
        for yaw in (0.0, 0.6):
            view = judge.student(latent(seed), latent(seed), camera(yaw))
            row += [judge.truth(latent(seed), latent(seed), camera(yaw))[0], view.fine, _enlarge(view.raw, judge.size)]
        rows.append(row)
    return _stack(rows)


def interpolation_strip(judge: Judge, steps: int = 7) -> Tensor:
    """Spherical walks between held-out latents."""
    rows = []
    for a, b in ((20, 21), (22, 23)):
        angles = [math.pi / 2 * i / (steps - 1) for i in range(steps)]
        walk = [math.cos(t) * latent(a) + math.sin(t) * latent(b) for t in angles]
        rows.append([judge.student(z, z, camera(0.25)).fine for z in walk])
    return _stack(rows)


def mix_matrix(judge: Judge, shapes: range = range(30, 34), looks: range = range(40, 44)) -> Tensor:
    """Rows share a geometry, columns an appearance: student left, teacher right."""
    left = [[judge.student(latent(i), latent(j), camera(0.25)).fine for j in looks] for i in shapes]
    right = [[judge.truth(latent(i), latent(j), camera(0.25))[0] for j in looks] for i in shapes]
    return torch.cat([_stack(left), torch.ones(3, judge.size * len(shapes), 16), _stack(right)], 2)


def write_png(path: Path, picture: Tensor, width: int | None = None) -> None:
    """Writes [3, H, W] in [0, 1], scaled down to ``width`` pixels when given."""
    pixels = (picture.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).numpy()[:, :, ::-1]
    if width is not None and pixels.shape[1] > width:
        height = round(pixels.shape[0] * width / pixels.shape[1])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, measures and draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder with heads.safetensors and heads.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for metrics.json and pictures")
    parser.add_argument("--count", type=int, default=HELD_OUT, help="held-out latents to measure; 0 draws only")
    parser.add_argument("--no-pictures", action="store_true")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    judge = Judge(load_exported(given.model), Teacher(compile=not given.no_compile))
    if not given.no_pictures:
        write_png(given.out / "heads_held_out.png", contact_sheet(judge), 1152)
        write_png(given.out / "heads_interpolation.png", interpolation_strip(judge), 1120)
        write_png(given.out / "heads_mix.png", mix_matrix(judge), 1152)
    if given.count:
        metrics = measure(judge, given.count)
        print(json.dumps(metrics, indent=1))
        (given.out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")


if __name__ == "__main__":
    main()
