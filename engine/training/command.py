"""What all of `neuroview train ...` have in common: the options of a run, and running a task by them.

A family's command is short:

    def add_arguments(parser):
        parser.add_argument("--data", ...)
        add_run_options(parser, minutes=60)

    def main(options):
        return run_task(MyTask(MyRecipe(...)), options)
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from . import checkpoint
from .live import LIVE, write_model
from .task import Task, TrainingError
from .team import launch
from .trainer import Trainer

INTERRUPTED = 130
"""Exit code of a run that was asked to stop: it can be gone on with."""
LIVE_EVERY = 10.0
"""Seconds, at least, between two writings of the model that `--follow` shows."""


def add_run_options(parser: argparse.ArgumentParser, minutes: float = 60.0) -> None:
    """Adds --minutes, --steps, --out, --resume, --export, --watch, --device, --workers, --threads and --seed.

    Args:
        parser: of a family's command.
        minutes: length of a run of which nothing is said.
    """
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for checkpoint, metrics and live model"
    )
    run.add_argument("--minutes", type=_length, help=f"of the whole run, resumed time included ({minutes:g})")
    run.add_argument("--steps", type=_count, help="length in updates, in place of minutes")
    run.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    run.add_argument("--export", type=Path, metavar="FILE", help="at the end, write FILE.safetensors and FILE.json")
    run.add_argument("--watch", action="store_true", help="open the window on the model while it trains")
    run.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:0 (auto)")
    run.add_argument("--workers", type=_count, default=1, help="processes that share the work; on GPUs, one for each")
    run.add_argument("--threads", type=_count, help="of each process on a CPU (all cores; of several workers, one)")
    run.add_argument("--seed", type=_seed, default=0, help="of everything random (0)")
    parser.set_defaults(default_minutes=minutes)


def run_task(
    task: Task,
    options: argparse.Namespace,
    *,
    changed: Collection[str] = (),
    export: Callable[[Trainer, Path], None] | None = None,
    viewable: bool = True,
) -> int:
    """Trains a task as the options say. With several processes each of them comes here with a task of its own.

    Args:
        task: what to train, on the CPU; where its weights differ from process to process, those of the first count.
        options: what `add_run_options` has added.
        changed: fields of the recipe in which a resumed run may differ from what it was, because it was asked for.
        export: writes what is trained to --export; None: the task's generator, in half precision.
        viewable: whether the task has a generator, to be looked at while it trains.

    Returns:
        Exit code: 0 done, 130 stopped before the end and saved.

    Raises:
        TrainingError: the folder holds another run, the run went wrong, or a file cannot be written.
    """
    out: Path = options.out
    if not options.resume and (out / checkpoint.NAME).exists():
        raise TrainingError(f"{out} already holds a run: go on with --resume, or give another folder")
    if options.resume:  # what does not fit is said before other processes are started
        checkpoint.check_same_run(checkpoint.load(out), task.name, task.recipe, changed)
    if options.watch and not viewable:
        raise TrainingError(f"--watch shows generators and radiance fields; {task.name} trains none")
    if options.steps is not None and options.minutes is not None:
        raise TrainingError(f"--minutes {options.minutes:g} and --steps {options.steps}: give one of both")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"--out {out} cannot be made: {error.strerror}") from error
    team = launch(options.device, options.workers, options.threads)
    try:
        minutes = None if options.steps is not None else options.minutes or options.default_minutes
        trainer = Trainer(
            task,
            out,
            minutes=minutes,
            steps=options.steps,
            seed=options.seed,
            team=team,
            live_every=LIVE_EVERY if viewable else None,
        )
        if options.resume:
            trainer.resume(changed)
        if team.rank == 0:
            _greet(trainer)
            if options.watch:
                _watch(trainer)
        done = trainer.run()
        if team.rank > 0:
            return 0  # Fabric ends the run when one of its processes says that it failed
        if not done:
            trainer.journal.say(f"Stopped at step {trainer.step:,} and saved; go on with --resume.")
            return INTERRUPTED
        trainer.journal.say(f"Done: {trainer.step:,} steps in {trainer.elapsed / 60:.1f} minutes, in {out}")
        if options.export is not None:
            if export is not None:
                export(trainer, options.export)
            else:
                write_model(task.generator(), options.export, trainer.facts())
    finally:
        team.leave()
    return 0


def _greet(trainer: Trainer) -> None:
    team, begin = trainer.team, f"goes on from step {trainer.step:,}" if trainer.step else "begins"
    length = f"{trainer.steps:,} steps" if trainer.steps is not None else f"{trainer.minutes:g} minutes"
    on = f"{team.device} ({'bf16' if team.bf16 else 'fp32'}), {team.size} process(es)"
    trainer.journal.say(f"{trainer.task.name} {begin}: {length} on {on}, in {trainer.out}")


def _watch(trainer: Trainer) -> None:
    """Opens the window on the model, a process of its own that neither Ctrl-C here nor the end of the run closes."""
    assert trainer.out is not None
    trainer.write_live()
    line = [sys.executable, "-m", "neuroview.viewer", str(trainer.out / LIVE), "--follow"]
    subprocess.Popen(line, stdin=subprocess.DEVNULL, start_new_session=True)


def _length(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no number of minutes")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value < 10**9:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..4294967295")
    return value
