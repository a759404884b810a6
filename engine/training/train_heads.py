"""Command: ``python -m neuroview.engine.training.train_heads --minutes 110 --out DIR`` trains the `heads` model."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from .distil import Distillation, Recipe, load_checkpoint, recipe_of


def _work(worker: int, workers: int, recipe: Recipe, out: Path, resume: bool) -> None:
    torch.set_num_threads(1 if workers > 1 else max(os.cpu_count() or 1, 1))
    if workers > 1:
        meeting = f"file://{out.resolve()}/meeting"
        dist.init_process_group("gloo", init_method=meeting, rank=worker, world_size=workers)
    run = Distillation(recipe, out, worker, workers)
    if resume:
        run.load(load_checkpoint(out))
    if worker == 0:
        count = sum(p.numel() for p in run.student.parameters())
        print(f"{count:,} parameters, {workers} worker(s), from step {run.step}", flush=True)
    run.run()
    if workers > 1:
        dist.destroy_process_group()


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="length of the whole run, resumed time included (110)")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt and metrics.jsonl")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--workers", type=int, default=1, help="processes, each on one thread when more than one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile (needs a C++ compiler)")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    recipe = recipe_of(load_checkpoint(given.out)) if given.resume else Recipe(seed=given.seed)
    recipe = replace(recipe, compile=not given.no_compile)
    if given.minutes is not None:
        recipe = replace(recipe, minutes=given.minutes)
    (given.out / "meeting").unlink(missing_ok=True)
    if given.workers == 1:
        _work(0, 1, recipe, given.out, given.resume)
    else:
        mp.spawn(_work, (given.workers, recipe, given.out, given.resume), nprocs=given.workers)


if __name__ == "__main__":
    main()
