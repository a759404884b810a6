"""Frames a second and fidelity of every rung, beside the exact torch path in the same run.

    python tests/bench/bench_frames.py [MODEL ...]

Default: the shipped heads and, where the oracles are, the trained lego scene at 200 x 200 and a pi-GAN of the official
size at 128 x 128 (random weights: its speed means something, its picture does not). Every figure is a median; PSNR is
against the exact picture of the same state.
"""

from __future__ import annotations

import math
import resource
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from neuroview.engine.model import Model, open_model
from neuroview.engine.process import prepare_process
from neuroview.engine.state import ViewState
from rich.console import Console
from rich.table import Table

ORACLES = Path(__file__).resolve().parents[3] / "shared/oracles"
LEGO = ORACLES / "nerf/lego-lowres/checkpoint199999.ckpt"
PIGAN = ORACLES / "pigan/celeba_spatialsirenbaseline/generator.pth"


def turned(state: ViewState, yaw: float) -> ViewState:
    return replace(state, camera=replace(state.camera, yaw=state.camera.yaw + yaw))


def milliseconds(model: Model, states: list[ViewState], rung: str, warm: int = 2) -> float:
    for state in states[:warm]:
        model.render(state, rung)
    times = []
    for state in states[warm:]:
        start = time.perf_counter()
        model.render(state, rung)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a.clamp(0, 1) - b.clamp(0, 1)).square().mean() + 1e-12))


def orbit_table(model: Model, size: int | None, frames: int, views: int) -> Table:
    first = model.first_state()
    if size is not None:
        first = replace(first, output=replace(first.output, size=size))
    low, high = model.info.camera.yaw_range
    reach = min((high - low) / 2, math.pi)
    start = time.perf_counter()
    levels = []
    for grid in model.pipeline.bake(first):
        levels.append(f"{grid.resolution}³ {time.perf_counter() - start:.2f} s")
    few = [turned(first, reach * (2 * i / views - 1)) for i in range(views)]
    many = [turned(first, reach * math.sin(2 * math.pi * i / frames)) for i in range(frames)]
    exact = [model.render(state, "exact") for state in few]
    side = exact[0].rgb.shape[0]
    table = Table(title=f"{model.info.card.name}: orbiting at {side} x {side}; baked {', '.join(levels)}")
    for column in ("rung", "ms", "frames/s", "x exact", "PSNR to exact, dB", "worst"):
        table.add_column(column, justify="right")
    base = milliseconds(model, few[:4], "exact", warm=1)
    for rung, states in (("exact", None), ("occupancy", many[: max(12, frames // 4)]), ("baked", many)):
        ms = base if states is None else milliseconds(model, states, rung)
        quality = [psnr(model.render(s, rung).rgb, e.rgb) for s, e in zip(few, exact, strict=True)]
        shown = ("-", "-") if rung == "exact" else (f"{statistics.mean(quality):.1f}", f"{min(quality):.1f}")
        table.add_row(rung, f"{ms:.2f}", f"{1000 / ms:.1f}", f"{base / ms:.1f}", *shown)
    return table


def latent_table(model: Model, frames: int = 16) -> Table:
    first = model.first_state()
    states = [
        replace(first, latents=replace(first.latents, seed_b=5, mix_geometry=i / frames, mix_appearance=i / frames))
        for i in range(1, frames)
    ]
    table = Table(title=f"{model.info.card.name}: dragging a latent slider (both mixes)")
    for column in ("rung", "ms", "frames/s", "x exact", "stages, ms"):
        table.add_column(column, justify="right")
    base = milliseconds(model, states[:4], "exact", warm=1)
    for rung in ("exact", "occupancy"):
        ms = base if rung == "exact" else milliseconds(model, states, rung)
        stages = ", ".join(f"{n} {t:.1f}" for n, t in model.render(states[0], rung).stages.items())
        table.add_row(rung, f"{ms:.1f}", f"{1000 / ms:.1f}", f"{base / ms:.1f}", stages)
    return table


def growth(model: Model, frames: int = 2000) -> str:
    """Resident memory before and after many frames of a moving camera, with a new identity now and then."""
    first = model.first_state()

    def resident() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def run(count: int) -> None:
        for i in range(count):
            state = turned(first, 0.3 * math.sin(i / 20))
            if model.info.layer_names and i % 100 == 0:
                first_ = replace(first, latents=replace(first.latents, seed_a=i))
                for _ in model.pipeline.bake(first_):
                    break
                state = replace(state, latents=first_.latents)
            model.render(state, "baked" if model.pipeline.baked(state) else "occupancy")

    run(200)
    before = resident()
    run(frames)
    after = resident()
    return f"memory: {before:.0f} MiB after 200 frames, {after:.0f} MiB after {frames} more ({after - before:+.1f})"


def main(references: list[str]) -> None:
    console = Console(width=140)
    threads = prepare_process()
    console.print(f"torch {torch.__version__}, {threads} threads, load {Path('/proc/loadavg').read_text().split()[0]}")
    for reference in references or ["heads", *(str(p) for p in (LEGO, PIGAN) if p.exists())]:
        model = open_model(reference, "cpu")
        shipped = reference == "heads"
        size = None if model.info.has_upsampler else 200 if not model.info.layer_names else 128
        console.print(orbit_table(model, size, 120 if shipped else 40, 8 if shipped else 4))
        if shipped:
            console.print(latent_table(model))
            console.print(growth(model))


if __name__ == "__main__":
    main(sys.argv[1:])
