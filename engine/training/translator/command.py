"""`neuroview train translator`: trains a painter on clips, goes on with a run, or writes its weights as files."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ....models.errors import NeuroviewError
from ....models.painter import PainterConfig
from ....models.painter_conditions import PARTS, ConditionLayout
from .clips import Clips
from .export import beginning, blended, config_of, export, load_checkpoint
from .preview import previewer
from .run import TranslatorTraining
from .schedule import Recipe, TrainingError, recipe_from

DEFAULT = PainterConfig(
    ConditionLayout(parts=tuple(PARTS)), width=16, maps=32, past=16, refine=12, detail=32, trust=0.8
)
"""What ships for CPUs: about 12 ms a frame of 256 x 128 on one thread."""


@dataclass(frozen=True)
class Job:
    """All that a worker needs."""

    recipe: Recipe
    config: PainterConfig
    data: Path
    held_out: Path | None
    out: Path
    device: str
    workers: int
    resume: bool
    init: Path | None
    size: tuple[int, int] | None
    threads: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `neuroview train translator`."""
    parser.add_argument("--data", type=Path, help="clips, made by `neuroview train clips` or `... cityscapes`")
    parser.add_argument("--held-out", type=Path, help="clips of another town, for strips and figures")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt, metrics.jsonl and strips")
    parser.add_argument("--minutes", type=float, help="length of the whole run, resumed time included (85)")
    parser.add_argument("--steps", type=int, help="length in frames in place of minutes")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--init", type=Path, help="start from these weights: a run's folder, or a .safetensors")
    parser.add_argument("--export", type=Path, help="write .safetensors and .json here; without --data, only that")
    parser.add_argument(
        "--blend",
        nargs=2,
        metavar=("RUN", "SHARE"),
        help="export weights that are, by SHARE (0..1), those of another run from which or to which this one went on",
    )
    parser.add_argument("--title", default="", help="of the exported painter")
    parser.add_argument("--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="that the clips must have")
    parser.add_argument("--look", help="that the clips must have, such as photo or drawn")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work, one thread each")
    parser.add_argument("--threads", type=int, help="of a single worker (1)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:0 (auto)")
    parser.add_argument("--batch", type=int, help="sequences at a time (1; on a GPU 8)")
    parser.add_argument("--rate", type=float, help="learning rate (0.0005)")
    parser.add_argument("--adversary", type=float, help="weight of the critics' opinion")
    parser.add_argument("--features", type=float, help="weight of the critics' features")
    parser.add_argument("--structure", type=float, help="weight of 1 - SSIM")
    parser.add_argument("--laplacian", type=float, help="weight of the pyramid's differences")
    parser.add_argument("--warp", type=float, help="weight of what changes from frame to frame beside the motion (1)")
    parser.add_argument("--seed", type=int, help="of everything random (0)")
    parser.add_argument("--width", type=int, help="of the painter: 16 to 24 for CPUs, 32 to 48 for GPUs (16)")


def main(options: argparse.Namespace) -> None:
    """Does what the options say.

    Raises:
        NeuroviewError: they do not fit together, or a file cannot be read; the message says which.
    """
    if options.data is None:
        if options.export is None:
            raise TrainingError("nothing to do: give --data to train, or --export to write a run's weights as files")
        _export(options)
        return
    job = _job(options)
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.resume and (options.out / "checkpoint.pt").exists():
        raise TrainingError(f"{options.out} already holds a run: go on with --resume, or give another folder")
    (job.out / "meeting").unlink(missing_ok=True)
    if job.workers == 1:
        _work(0, job)
    else:
        mp.spawn(_work, (job,), nprocs=job.workers)
    if options.export is not None:
        _export(options)


def _export(options: argparse.Namespace) -> None:
    state = load_checkpoint(options.out)
    if options.blend is not None:
        folder, share = options.blend
        try:
            state = blended(state, load_checkpoint(Path(folder)), float(share))
        except ValueError as error:
            raise TrainingError(f"--blend {folder} {share}: expected a run's folder and a number 0..1") from error
    export(state, options.export, options.title)


def _job(options: argparse.Namespace) -> Job:
    if options.resume and options.init:
        raise TrainingError("--resume goes on with the run in --out, --init starts another one: give one of both")
    config, recipe = DEFAULT, Recipe()
    if options.width:
        config = replace(config, width=options.width)
    if options.resume:
        state = load_checkpoint(options.out)
        config, recipe = config_of(state), recipe_from(state["recipe"])
    elif options.init:
        config, recipe = config_of(beginning(options.init)), recipe.continued()
    given = {name: getattr(options, name) for name in _RECIPE if getattr(options, name) is not None}
    if options.steps is not None:
        given["max_steps"] = options.steps
    device = options.device
    if device == "auto":
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and options.batch is None and not options.resume:
        given["batch"] = 8
    if options.workers > 1 and device != "cpu":
        raise TrainingError(f"--workers {options.workers} is for CPUs; use one worker and a larger --batch on {device}")
    size = None if options.size is None else (options.size[1], options.size[0])
    clips = Clips(options.data)
    _check(clips, size, options.look)
    return Job(
        recipe=replace(recipe, **given),
        config=config,
        data=options.data,
        held_out=options.held_out,
        out=options.out,
        device=device,
        workers=options.workers,
        resume=options.resume,
        init=options.init,
        size=size,
        threads=options.threads or 1,
    )


_RECIPE = ("minutes", "seed", "batch", "rate", "adversary", "features", "structure", "laplacian", "warp")


def _check(clips: Clips, size: tuple[int, int] | None, look: str | None) -> None:
    if size is not None and clips.size != size:
        raise TrainingError(f"the clips are {clips.size[1]} x {clips.size[0]}, --size says {size[1]} x {size[0]}")
    looks = {str(notes["look"]) for notes in clips.notes if "look" in notes}
    if look is not None and looks - {look}:
        raise TrainingError(f"the clips look {', '.join(sorted(looks))}, --look says {look}")


def _work(worker: int, job: Job) -> None:
    torch.set_num_threads(1 if job.workers > 1 else job.threads)
    if job.workers > 1:
        meeting = f"file://{job.out.resolve()}/meeting"
        dist.init_process_group("gloo", init_method=meeting, rank=worker, world_size=job.workers)
    clips = Clips(job.data)
    run = TranslatorTraining(job.recipe, job.config, clips, job.out, job.device, worker, job.workers)
    state: dict[str, Any] | None = None
    if job.resume:
        state = load_checkpoint(job.out)
        run.load(state)
    elif job.init is not None:
        run.start_from(beginning(job.init))
    preview = None
    if worker == 0:
        shown = Clips(job.held_out) if job.held_out is not None else clips
        preview = previewer(shown, job.out)
        count = sum(p.numel() for p in run.network.parameters())
        print(
            f"{count:,} parameters, {clips.frames:,} frames of {clips.size[1]} x {clips.size[0]} on {job.device}, "
            f"{job.workers} worker(s), from step {run.step}",
            flush=True,
        )
    run.run(preview=preview)
    if job.workers > 1:
        dist.destroy_process_group()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of `python -m neuroview.engine.training.translator`."""
    parser = argparse.ArgumentParser(prog="neuroview train translator", description=__doc__)
    add_arguments(parser)
    return parser.parse_args(arguments)


def run_as_module() -> int:
    """Runs the command line and says in a sentence what is wrong with it."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        main(parse())
    except NeuroviewError as error:
        print(f"neuroview: {error}", file=sys.stderr)
        return 2
    return 0
