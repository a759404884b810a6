"""EG3D at the size of the released ffhq512-128 on CPUs: frames by the official operations in torch, and by what we do.

    python tests/bench/bench_official.py [--threads N] [--rounds N]

No official weights are needed, and none are here. 'fog' has random weights: density everywhere, so nothing can be
skipped; 'ball' has the same networks and a density that is a ball's, of the size of a head. The torch path is the exact
renderer as it is written down, with three planes, and the super-resolution as its modules are, its weights modulated in
every frame. Both are measured in turns. CPU seconds are the figure to compare where others use the machine; divided by
the threads they are the time of a frame where nobody does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.model import Model
from neuroview.engine.process import prepare_process
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.state import ViewState
from neuroview.engine.warmup import compile_now
from neuroview.models.base import ModelCard, NoiseMode, Scene
from neuroview.models.eg3d import TriPlaneField, TriPlaneGenerator
from neuroview.models.eg3d_config import EG3DConfig
from neuroview.models.eg3d_generator import EG3DGenerator, volume_settings
from rich.console import Console
from rich.table import Table
from torch import Tensor

RADIUS, STEEPNESS = 0.3, 250.0


class Official(EG3DGenerator):
    """Random weights; `ball`: the density of one."""

    def __init__(self, ball: bool) -> None:
        torch.manual_seed(0)
        network = TriPlaneGenerator(EG3DConfig()).eval().requires_grad_(False)
        super().__init__(network, ModelCard("official", "eg3d", "EG3D ffhq512-128, random weights"))
        self.ball = ball
        if ball:
            first, last = network.decoder.net[0], network.decoder.net[2]
            # softplus(s) - softplus(-s) = s: two hidden units carry the first channel to the density as it is.
            for unit, sign in ((0, 1.0), (1, -1.0)):
                first.weight[unit] = 0.0  # type: ignore[index]
                first.weight[unit, 0] = sign * 3.0 / first.weight_gain  # type: ignore[index]
                first.bias[unit] = 0.0  # type: ignore[index]
            last.weight[0] = 0.0  # type: ignore[index]
            last.weight[0, 0], last.weight[0, 1] = 1.0 / last.weight_gain, -1.0 / last.weight_gain  # type: ignore[index]

    def planes(self, codes: Tensor) -> Tensor:
        """The three planes [1, 3, C, R, R], unmerged."""
        planes = self.network.planes(codes[None], "const").clone()
        if self.ball:
            side = planes.shape[-1]
            axis = ((torch.arange(side) + 0.5) / side - 0.5) * self.network.config.rendering.box_warp
            rows, columns = torch.meshgrid(axis, axis, indexing="ij")
            planes[0, :, 0] = 0.0
            planes[0, 0, 0] = STEEPNESS * (RADIUS**2 - 0.5 * columns**2 - rows**2)  # x, y
            planes[0, 1, 0] = -STEEPNESS * (0.5 * columns**2 + rows**2)  # x, z
        return planes

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """As the generator's, of these planes."""
        field = TriPlaneField(self.planes(codes), self.network.decoder, 1.0, merged=True)
        return replace(super().scene(codes, noise=noise, noise_seed=noise_seed), field=field)


@dataclass
class Timed:
    """Shortest time of several rounds, seconds, and the last result."""

    wall: float = float("inf")
    cpu: float = float("inf")
    result: Any = None

    def run(self, work: Callable[[], Any]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.result = work()
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.cpu = min(self.cpu, time.process_time() - cpu)


@torch.inference_mode()
def measure(ball: bool, rounds: int, threads: int) -> Table:
    generator = Official(ball)
    model = Model("official", generator)
    pipeline, first = model.pipeline, model.first_state()
    codes = generator.codes(first.latents.seed_a, truncation=first.latents.truncation)
    plain = Scene(
        TriPlaneField(generator.planes(codes), generator.network.decoder, 1.0),
        volume_settings(generator.network.config),
        128,
        512,
    )

    def state(turn: int) -> ViewState:
        return replace(first, camera=replace(first.camera, yaw=first.camera.yaw + 0.02 * turn))

    def official() -> Tensor:
        matrices = [torch.from_numpy(m).float() for m in camera_matrices(state(0).camera, generator.camera)]
        volume = render_exact(plain, *matrices)
        return generator.network.upsample(volume.features[None] * 2 - 1, codes[None])[0] * 0.5 + 0.5

    pipeline.scene(first)
    build = Timed()
    build.run(lambda: next(iter(pipeline.bake(first)), None))
    turn = iter(range(1, 10_000))
    ways: dict[str, Callable[[], Any]] = {
        "exact, official operations in torch": official,
        "exact": lambda: pipeline.frame(state(next(turn)), "exact"),
    }
    live = [("baked", 1.0), ("baked", 0.5), ("baked", 0.375)]
    live += [] if pipeline.is_fog(first) else [("occupancy", 1.0), ("occupancy", 0.5)]
    for rung, scale in live:
        ways[f"{rung}, volume image {round(128 * scale)} x {round(128 * scale)}, moving"] = lambda r=rung, s=scale: (
            pipeline.frame(state(next(turn)), r, scale=s, live=True)
        )
    timed = {name: Timed() for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            for _ in range(1 if name.startswith("exact") else 4):
                timed[name].run(work)
    base = timed["exact, official operations in torch"]
    exact = pipeline.frame(state(0), "exact").rgb.permute(2, 0, 1)
    error = -10 * torch.log10((exact - base.result).square().mean())
    kind = "ball" if ball else "fog"
    title = f"{kind}: {threads} threads; exact rung against the official operations: {error:.0f} dB"
    table = Table("frame", "picture", "s", "CPU s", "times faster (CPU)", "frames/s of an idle machine", title=title)
    for name, times in timed.items():
        made = times.result
        side = made.shape[-1] if isinstance(made, Tensor) else made.rgb.shape[0]
        numbers = (f"{times.wall:.3f}", f"{times.cpu:.3f}", f"{base.cpu / times.cpu:.1f}", f"{threads / times.cpu:.1f}")
        table.add_row(name, f"{side}²", *numbers)
    table.add_row("first baked grid", "", f"{build.wall:.3f}", f"{build.cpu:.3f}", "", "")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    threads = prepare_process(options.threads)
    compile_now()
    for ball in (False, True):
        Console(width=150).print(measure(ball, options.rounds, threads))


if __name__ == "__main__":
    main()
