"""What a GPU gains: CUDA graphs and half precision beside plain calls, and kernels beside torch; medians of events.

    python tests/bench/bench_gpu.py [--device cuda:0]

EG3D is of the official size (ffhq512-128) and the painter of the shipped layout at 1024 x 512, both with random
weights: speed means something, pictures do not. Floors on an H200: 0.27 ms a camera-only frame, 0.39 ms a latent one
(arithmetic alone). `--device cpu` runs the same at a toy size, which only shows that the script works.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.kernels.launch import FusedRenderer
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.state import first_state
from neuroview.models.base import ModelCard
from neuroview.models.captured import CudaRecorder, Recorder
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d import TriPlaneGenerator
from neuroview.models.eg3d_config import EG3DConfig
from neuroview.models.eg3d_folded import FoldedBackbone, FoldedSuperResolution
from neuroview.models.painter import Painter, PainterConfig
from neuroview.models.painter_conditions import PARTS, ConditionLayout
from rich.console import Console
from rich.table import Table
from torch import Tensor

CALLS, WARM = 60, 8


class NoRecorder(CudaRecorder):
    """Records nothing: operations are launched one by one."""

    def suits(self, inputs: tuple[Tensor, ...]) -> bool:
        return False


def median(work: Callable[[int], object], device: str, calls: int = CALLS) -> float:
    """Milliseconds of a call; `work` gets the call's number, for inputs that are not the last ones."""
    toy = device == "cpu"
    for number in range(1 if toy else WARM):
        work(number)
    times = []
    for number in range(min(calls, 3) if toy else calls):
        if toy:
            start = time.perf_counter()
            work(number)
            times.append(1000 * (time.perf_counter() - start))
            continue
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work(number)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


class Report:
    """The one table."""

    def __init__(self, title: str) -> None:
        self.table = Table(title=title)
        for column in ("what", "plain ms", "ms", "times", "a second", "more"):
            self.table.add_column(column, justify="left" if column in ("what", "more") else "right")

    def add(self, what: str, plain: float, fast: float, more: str = "") -> None:
        self.table.add_row(
            what, f"{plain:.3f}", f"{fast:.3f}", f"{plain / fast:.2f}", f"{1000 / fast:.0f}", more or "-"
        )


def networks(report: Report, device: str, toy: bool) -> None:
    """EG3D's backbone and super-resolution: one by one in float32, and as graphs."""
    torch.manual_seed(0)
    config = EG3DConfig()
    if toy:
        config = replace(config, channel_base=1024, channel_max=16, sr_channels=(16, 8))
    network = TriPlaneGenerator(config).eval().requires_grad_(False).to(device)
    label = None if not config.c_dim else torch.zeros(1, config.c_dim, device=device)
    codes = [network.mapping(torch.randn(1, config.z_dim, device=device), label)[0] for _ in range(4)]
    side = config.neural_rendering_resolution
    features = [torch.rand(1, config.decoder_features, side, side, device=device) * 2 - 1 for _ in range(4)]

    def latent(recorder: Recorder, dtype: torch.dtype) -> Callable[[int], object]:
        backbone = FoldedBackbone(network.backbone.synthesis, dtype=dtype, recorder=recorder)

        def call(number: int) -> Tensor:
            backbone.bind(codes[number % 4].clone(), ("const", 0))
            return backbone()

        return call

    def camera(recorder: Recorder, dtype: torch.dtype) -> Callable[[int], object]:
        enlarging = FoldedSuperResolution(network.superresolution, codes[0][-1:], dtype=dtype, recorder=recorder)
        return lambda number: enlarging(features[number % 4])

    half = torch.float16 if device != "cpu" else torch.bfloat16
    for what, make, readable in (
        ("backbone, another latent", latent, lambda n: network.planes(codes[n % 4][None], "const")),
        ("super-resolution, latent stands", camera, lambda n: network.upsample(features[n % 4], codes[0][None])),
    ):
        plain = median(readable, device)
        for name, recorder, dtype in (
            ("folded float32", NoRecorder(), torch.float32),
            ("graph float32", CudaRecorder(), torch.float32),
            ("folded half", NoRecorder(), half),
            ("graph half", CudaRecorder(), half),
        ):
            report.add(f"{what}: {name}", plain, median(make(recorder, dtype), device))


def kernels(report: Report, device: str, toy: bool) -> None:
    """The shipped heads: the fused kernel beside torch, and the march on the GPU beside the CPU's."""
    generator = open_generator("heads").to(device)
    state, side = first_state("heads", generator.camera), 32 if toy else 256
    fused = FusedRenderer(device) if device != "cpu" else None
    views = []
    for step in range(8):
        camera = replace(state.camera, yaw=0.1 * step)
        views.append([torch.from_numpy(m).float() for m in camera_matrices(camera, generator.camera)])
    with torch.inference_mode():
        scene = generator.scene(generator.codes(22))
        grid = build_occupancy(scene.field, scene.volume)
        bricks = bake(scene.field, scene.volume, 32 if toy else 128).bricks
        plain = median(lambda n: render_occupancy(scene, grid, *views[n % 8], resolution=side), device, 12)
        marched = median(lambda n: render_baked(bricks, scene.volume, *views[n % 8], side, side), "cpu", 12)
        if fused is None:
            report.add(f"heads {side}²: torch", plain, plain)
            report.add(f"heads {side}² baked: CPU", marched, marched)
            return
        for what, before, call in (
            ("occupancy", plain, lambda n: fused.render(scene, grid, *views[n % 8], side)),
            (
                "baked, beside the CPU's march",
                marched,
                lambda n: fused.march(bricks, scene.volume, *views[n % 8], side),
            ),
        ):
            found = call(0)
            report.add(f"heads {side}²: {what}", before, median(call, device), fused.trouble or str(found is not None))


def painter(report: Report, device: str, toy: bool) -> None:
    """vid2vid + SPADE at 1024 x 512: the network alone, launched one by one and as a graph, and all of a frame."""
    torch.manual_seed(0)
    height, width = (32, 64) if toy else (512, 1024)
    config = PainterConfig(ConditionLayout(parts=tuple(PARTS)), width=16, refine=12, detail=32, trust=0.8)
    labels = torch.randint(1, 4, (height // 8, width // 8)).repeat_interleave(8, 0).repeat_interleave(8, 1)
    labels = labels.to(torch.uint8).to(device)
    times = {}
    for name, recorder in (("plain", NoRecorder()), ("graph", CudaRecorder())):
        made = Painter(config.network(), config, ModelCard("random", "vid2vid+spade", ""), recorder=recorder)
        made.to(device).prepare(torch.bfloat16)
        motion, memory = torch.full((height, width, 2), 0.4, device=device), None

        def frame(_: int, made: Painter = made, motion: Tensor = motion) -> None:
            nonlocal memory
            _, memory = made(labels, labels.int(), motion, memory)

        times[name] = median(frame, device)
    report.add(f"painter {width} x {height}, a whole frame", times["plain"], times["graph"], ">= 60 a second is asked")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    given, _ = parser.parse_known_args()  # `make bench ARGS=...` gives every script the same
    if given.device != "cpu" and not torch.cuda.is_available():
        print("bench_gpu.py: no CUDA here; nothing is measured.")
        sys.exit(0)
    toy = given.device == "cpu"
    name = "CPU, toy sizes: these figures mean nothing" if toy else torch.cuda.get_device_name(given.device)
    report = Report(f"On a GPU ({name})")
    with torch.no_grad():
        networks(report, given.device, toy)
        painter(report, given.device, toy)
    kernels(report, given.device, toy)
    Console(width=140).print(report.table)


if __name__ == "__main__":
    main()
