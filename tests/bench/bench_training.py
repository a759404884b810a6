"""Training's speed and memory: one process beside two, for each task and stage, in one run.

Two processes see twice as many samples a step; 'gain' is how many more samples a second they see together. Memory is
one process's peak, and how much of it came with the steps (networks' gradients and optimisers' state included).

    python tests/bench/bench_training.py [--seconds 5] [--device auto] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

WARM_UP = 3
"""Steps that are not counted."""
SIDE = 64
"""Of the pictures that NeRFs and GANs learn from."""
_KEPT = tempfile.TemporaryDirectory()  # a zip of pictures is read while it is learned from


def heads(**ends: float) -> Callable:
    """The heads in one stage: `ends` of the stages before it lie before the beginning."""

    def make():
        from neuroview.engine.training.heads_task import HeadsRecipe, HeadsTask

        return HeadsTask(replace(HeadsRecipe(), mapping_end=-1.0, **ends))

    return make


def cars(**ends: float) -> Callable:
    """The cars, likewise."""

    def make():
        from neuroview.engine.training.cars_task import CarsRecipe, CarsTask

        return CarsTask(replace(CarsRecipe(), mapping_end=-1.0, **ends))

    return make


def nerf(kind: Literal["hashgrid", "vanilla"]) -> Callable:
    """A ball, seen from eight sides."""

    def make():
        from neuroview.engine.training.nerf_dataset import load
        from neuroview.engine.training.nerf_recipe import recipe_of
        from neuroview.engine.training.nerf_task import NerfTask
        from neuroview.engine.training.sphere_trace import look_at_origin

        across = torch.linspace(-1, 1, SIDE)
        ball = (across[:, None] ** 2 + across**2 < 0.6).byte() * 255
        opengl = look_at_origin(torch.arange(8) * 0.78, torch.full((8,), 0.3), 4.0) * torch.tensor([1.0, -1, -1, 1])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ball.npz"
            pictures = ball[None, :, :, None].expand(8, SIDE, SIDE, 4)
            np.savez(file, images_u8=pictures.numpy(), poses_c2w=opengl.numpy(), focal=np.float64(1.5 * SIDE))
            return NerfTask(recipe_of(kind), load(file))

    return make


def pictures(family: str) -> Callable:
    """Sixteen pictures of noise."""

    def make():
        from neuroview.engine.training.gan_command import add_arguments, gan_task
        from neuroview.engine.training.gan_poses import PosePrior
        from neuroview.engine.training.image_folder import PictureWriter

        parser = argparse.ArgumentParser()
        add_arguments(parser)
        torch.manual_seed(0)
        file = Path(_KEPT.name) / "noise.zip"
        with PictureWriter(file) as writer:
            for label in PosePrior().draw(16):
                writer.add(torch.rand(3, SIDE, SIDE), label)
        return gan_task(parser.parse_args(["--data", str(file), "--out", _KEPT.name]), family)

    return make


TASKS: dict[str, Callable] = {
    "heads field64": heads(coarse_end=2.0),
    "heads field128": heads(coarse_end=-1.0, field_end=2.0),
    "heads image": heads(coarse_end=-1.0, field_end=-1.0),
    "cars field": cars(field_end=2.0),
    "cars pictures": cars(field_end=-1.0),
    "nerf hash grid": nerf("hashgrid"),
    "nerf vanilla": nerf("vanilla"),
    "eg3d pictures": pictures("eg3d"),
    "pigan pictures": pictures("pigan"),
}


def resident() -> float:
    """What this process holds now, MB; NaN where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError):
        return float("nan")
    import resource

    return pages * resource.getpagesize() / 1e6


def peak() -> float:
    """The most that it has held, MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measure(name: str, workers: int, seconds: float, device: str, out: Path) -> None:
    """In each process of a team; the first writes down what it found."""
    from neuroview.engine.training.team import launch
    from neuroview.engine.training.trainer import Trainer

    team = launch(device, workers, None if workers > 1 else 1)
    trainer = Trainer(TASKS[name](), minutes=60.0, team=team, quiet=True)
    held = resident()
    trainer.run(stop_at=WARM_UP)
    begin, busy, first = time.perf_counter(), time.process_time(), trainer.step
    while team.greatest([time.perf_counter() - begin])[0] < seconds:
        trainer.one_step()
    took, steps = time.perf_counter() - begin, trainer.step - first
    if team.rank == 0:
        on_gpu = team.device.type == "cuda"
        most = torch.cuda.max_memory_allocated() / 1e6 if on_gpu else peak()
        cpu = (time.process_time() - busy) / steps
        found = {"steps_per_s": steps / took, "cpu": cpu, "peak": most, "grown": most if on_gpu else most - held}
        out.write_text(json.dumps(found))
    team.leave()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of tasks; all without")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured for each (5)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--measure", nargs=2, metavar=("WORKERS", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        workers, file = given.measure
        measure(given.names[0], int(workers), given.seconds, given.device, Path(file))
        return 0
    names = [name for name in TASKS if not given.names or any(word in name for word in given.names)]
    print(f"{'':16}{'steps/s':>17}{'CPU s a step':>17}{'gain':>7}{'peak MB':>16}{'of these grown':>18}")
    print(f"{'processes':16}{'1':>9}{'2':>8}{'1':>9}{'2':>8}{'':>7}{'1':>8}{'2':>8}{'1':>10}{'2':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            one, two = (_found(name, workers, given, Path(folder) / "found.json") for workers in (1, 2))
            print(
                f"{name:16}{one['steps_per_s']:9.2f}{two['steps_per_s']:8.2f}{one['cpu']:9.3f}{two['cpu']:8.3f}"
                f"{2 * two['steps_per_s'] / one['steps_per_s']:7.2f}{one['peak']:8.0f}{two['peak']:8.0f}"
                f"{one['grown']:10.0f}{two['grown']:8.0f}",
                flush=True,
            )
    return 0


def _found(name: str, workers: int, given: argparse.Namespace, file: Path) -> dict[str, float]:
    line = [sys.executable, __file__, name, "--seconds", str(given.seconds), "--device", given.device]
    subprocess.run([*line, "--measure", str(workers), str(file)], check=True)
    return json.loads(file.read_text())


if __name__ == "__main__":
    sys.exit(main())
