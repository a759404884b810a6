"""Frames a second and fidelity of every rung, beside the exact torch path in the same run; and whether memory grows.

    python tests/bench/bench_frames.py [MODEL ...]

What `neuroview bench` prints, for the shipped models and, where the oracles are, the trained lego scene at 200 x 200
and a pi-GAN of the official size at 128 x 128 (random weights: its speed means something, its picture does not). Moving
pictures have one ray a pixel; PSNR is against the exact picture of the same rays.
"""

from __future__ import annotations

import math
import resource
import sys
from dataclasses import replace
from pathlib import Path

from neuroview.engine.benchmark import benchmark
from neuroview.engine.model import Model, open_model
from neuroview.engine.process import prepare_process
from neuroview.engine.state import ViewState
from neuroview.models.catalog import shipped
from neuroview.viewer.bench import report_lines, report_table
from rich.console import Console

ORACLES = Path(__file__).resolve().parents[3] / "shared/oracles"
LEGO = ORACLES / "nerf/lego-lowres/checkpoint199999.ckpt"
PIGAN = ORACLES / "pigan/celeba_spatialsirenbaseline/generator.pth"


def turned(state: ViewState, yaw: float) -> ViewState:
    return replace(state, camera=replace(state.camera, yaw=state.camera.yaw + yaw))


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
            model.pipeline.frame(state, "baked" if model.pipeline.baked(state) else "occupancy", live=True)

    run(200)
    before = resident()
    run(frames)
    after = resident()
    return f"memory: {before:.0f} MiB after 200 frames, {after:.0f} MiB after {frames} more ({after - before:+.1f})"


def main(references: list[str]) -> None:
    console = Console(width=200, highlight=False)
    prepare_process()
    console.print(f"load {Path('/proc/loadavg').read_text().split()[0]}")
    for reference in references or [*shipped(), *(str(p) for p in (LEGO, PIGAN) if p.exists())]:
        model = open_model(reference, "cpu")
        report = benchmark(model, size=200 if not model.info.layer_names else 128)
        for line in report_lines(report):
            console.print(line, markup=False)
        console.print(report_table(report))
        if reference == "heads":
            console.print(growth(model))


if __name__ == "__main__":
    main(sys.argv[1:])
