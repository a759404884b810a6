"""What training a NeRF costs: python tests/bench/bench_nerf.py [--seconds 600] [--kind hashgrid] [DATA]

    1. one update of each kind, and where a hash grid's time goes (compiled encoding beside its torch twin)
    2. with --seconds: DATA (the lego pictures in ../shared/oracles by default) for so many seconds of processor time,
       PSNR of all held-out views at the end

Seconds are of the processor, summed over threads: on a machine of one's own with two cores the clock shows half, so
what is asked of the hash grid, 27 dB in five minutes on two cores, is `--seconds 600`.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch
from neuroview.engine.training.nerf_dataset import load
from neuroview.engine.training.nerf_encoding import encode
from neuroview.engine.training.nerf_recipe import HashGridSizes, recipe_of
from neuroview.engine.training.nerf_task import NerfTask
from neuroview.engine.training.task import Moment
from neuroview.engine.training.team import Solo
from neuroview.models.hashgrid import HashGrid

LEGO = Path(__file__).resolve().parents[2].parent / "shared" / "oracles" / "nerf" / "lego_gt_100x100.npz"
POINTS = 1 << 14


def processor(work: Callable[[], object], times: int) -> float:
    """Milliseconds of processor time, once it has run before."""
    work()
    begin = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begin) / times * 1e3


def _task(kind: str, data: Path) -> NerfTask:
    torch.manual_seed(0)
    pictures = load(data)
    return NerfTask(recipe_of(kind, max(pictures.train.size)), pictures)


def encoding() -> None:
    """Forward and backward at 16,384 points."""
    layout = HashGridSizes().layout
    table = torch.randn(layout.parameters // 2, 2, requires_grad=True)
    points, upstream = torch.rand(POINTS, 3), torch.randn(POINTS, layout.width)
    for name, once in (
        ("compiled", lambda: encode(layout, table, points)),
        ("torch twin", lambda: HashGrid.from_flat(layout, table.reshape(-1))(points)),
    ):
        forward = processor(once, 5)
        both = processor(lambda once=once: torch.autograd.grad((once() * upstream).sum(), table), 5)
        print(f"encoding of {POINTS:,} points, {name:<10} forward {forward:6.1f} ms, with backward {both:6.1f} ms")


def updates(data: Path) -> None:
    """An update of each kind, early and after the empty space is known."""
    for kind in ("hashgrid", "vanilla"):
        task, team = _task(kind, data), Solo()
        step = 0

        def once(task: NerfTask = task, team: Solo = team) -> None:
            nonlocal step
            task.update(Moment(step, step / 1000, team))
            step += 1

        for label, times in (("first", 10), ("later", 20)):
            each = processor(once, times)
            print(f"{kind:<9} {label} updates {each:7.1f} ms, {task._rays:5d} rays")
            for _ in range(100 if kind == "hashgrid" and label == "first" else 0):
                once()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def quality(kind: str, data: Path, seconds: float) -> None:
    """Held-out PSNR after so many seconds of processor time."""
    task, team = _task(kind, data), Solo()
    _task(kind, data).update(Moment(0, 0.0, team))  # compiles
    clock, begin, step = time.perf_counter(), time.process_time(), 0
    while (spent := time.process_time() - begin) < seconds:
        task.update(Moment(step, spent / seconds, team))
        step += 1
    clock = time.perf_counter() - clock
    held_out = task.data.held_out
    assert held_out is not None
    values = [task.psnr(held_out, index) for index in range(len(held_out))]
    print(
        f"{data.name}, {kind}: {sum(values) / len(values):.2f} dB on {len(values)} held-out views "
        f"({min(values):.1f} to {max(values):.1f}) after {seconds:.0f} s of processor time, "
        f"{clock:.0f} s by the clock, {step:,} updates"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=LEGO)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--kind", choices=("hashgrid", "vanilla"), default="hashgrid", help="with --seconds")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.seconds:
        quality(options.kind, options.data, options.seconds)
    else:
        encoding()
        updates(options.data)


if __name__ == "__main__":
    main()
