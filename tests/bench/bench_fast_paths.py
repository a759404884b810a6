"""How fast and how faithful the fast paths are, beside the exact renderer in the same run.

    python tests/bench/bench_fast_paths.py [MODEL ...] [--threads N] [--size SIDE]      (default: heads, cars and lego)

Times are the best of several, because others may use the machine; the last column, the ratio to the exact renderer's
time, is the one to compare between machines. PSNR is against the exact renderer: of the volume image's features, of the
final picture after the upsampler, and of the opacity.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.offscreen import NoContextError
from neuroview.engine.rendering.bake import LEVELS, LEVELS_THIN, bake_levels
from neuroview.engine.rendering.exact import render_exact, render_image
from neuroview.engine.rendering.fast import CompiledRenderer
from neuroview.engine.rendering.gl_march import GridMarcher
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.state import first_state
from neuroview.engine.warmup import compile_now
from neuroview.models.base import Scene
from neuroview.models.catalog import open_generator
from rich.console import Console
from rich.table import Table

LEGO = Path(__file__).resolve().parents[3] / "shared/oracles/nerf/lego-lowres/checkpoint199999.ckpt"


def best(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Shortest time in ms, and the last result."""
    shortest, result = float("inf"), None
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        shortest = min(shortest, 1000 * (time.perf_counter() - start))
    return shortest, result


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a.clamp(0, 1) - b.clamp(0, 1)).square().mean() + 1e-12))


@torch.inference_mode()
def measure(reference: str, threads: int, size: int | None) -> Table:
    generator = open_generator(reference)
    state = first_state(reference, generator.camera)
    scene: Scene = generator.scene(generator.codes(state.latents.seed_a))
    thin = generator.num_layers == 0
    side = size or min(scene.resolution, 100)
    matrices = [
        tuple(torch.from_numpy(m).float() for m in camera_matrices(replace(state.camera, yaw=yaw), generator.camera))
        for yaw in (state.camera.yaw, state.camera.yaw + 0.5)
    ]
    exact_ms, exact = best(lambda: [render_exact(scene, *m, resolution=side) for m in matrices], 1)
    exact_ms /= len(matrices)
    title = f"{generator.card.name}: {side} x {side}, {scene.field.features} features, {threads} threads"
    table = Table(
        "path", "built in, s", "ms a view", "features, dB", "picture, dB", "opacity, dB", "exact / ms", title=title
    )
    table.add_row("exact", "", f"{exact_ms:.0f}", "", "", "", "1")

    def row(name: str, built: float, render: Callable[..., Any], times: int) -> None:
        ms, views = best(lambda: [render(*m) for m in matrices], times)
        ms /= len(matrices)
        errors = [
            (
                psnr(v.features, e.features),
                psnr(render_image(scene, v), render_image(scene, e)),
                psnr(v.alpha, e.alpha),
            )
            for v, e in zip(views, exact, strict=True)
        ]
        worst = [f"{min(column):.1f}" for column in zip(*errors, strict=True)]
        table.add_row(name, f"{built:.2f}", f"{ms:.2f}", *worst, f"{exact_ms / ms:.0f}")

    start = time.perf_counter()
    grid = build_occupancy(scene.field, scene.volume, thin=thin)
    built = time.perf_counter() - start
    ways = {"occupancy": {}, "occupancy, half the samples": {"fineness": 0.5}}
    if scene.proposal is not None:
        ways = {"occupancy": {}, "occupancy, quick": {"quick": True}}
    for name, way in ways.items():
        row(
            name,
            built,
            lambda m, k, w=way: render_occupancy(scene, grid, m, k, resolution=side, **w),
            5,
        )
    compile_now()
    quick = CompiledRenderer()
    if quick.exact(scene, *matrices[0], 8) is not None:
        row("exact, compiled", 0.0, lambda m, k: quick.exact(scene, m, k, side), 3)
        row("occupancy, compiled", built, lambda m, k: quick.render(scene, grid, m, k, side), 5)
    marcher = shader()
    levels = bake_levels(
        scene.field,
        scene.volume,
        LEVELS_THIN if thin else LEVELS,
        occupancy=grid,
        channels=None if scene.upsampler else 3,
    )
    start = time.perf_counter()
    for baked in levels:
        built = time.perf_counter() - start
        row(
            f"baked {baked.resolution} ({baked.bricks.bytes / 1e6:.1f} MB, dense {baked.bytes / 1e6:.1f})",
            built,
            lambda m, k, b=baked: render_baked(b, scene.volume, m, k, side, side, threads=threads),
            20,
        )
        if marcher is not None and marcher.fits(baked):
            row(
                f"  by a shader on {marcher.context.info['GL_RENDERER'].split(' (')[0]}, read back",
                0.0,
                lambda m, k, b=baked: marcher.render(b, scene.volume, m, k, side, side),
                3,
            )
        start = time.perf_counter()
    if marcher is not None:
        marcher.close()
    return table


def shader() -> GridMarcher | None:
    """One that marches on whichever OpenGL there is without a window; None where there is none."""
    try:
        return GridMarcher()
    except NoContextError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["heads", "cars", *([str(LEGO)] if LEGO.exists() else [])])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--size", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for reference in arguments.models:
        Console().print(measure(reference, arguments.threads, arguments.size))


if __name__ == "__main__":
    main()
