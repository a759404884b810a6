"""`neuroview train translator`: trains a painter on clips, goes on with a run, or writes its weights as files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ....models.errors import NeuroviewError
from ....models.painter import PainterConfig
from ....models.painter_conditions import PARTS, ConditionLayout
from ..command import add_run_options, run_task
from ..task import TrainingError
from .clips import Clips
from .export import beginning, blended, config_of, export, load_checkpoint
from .preview import previewer
from .schedule import Recipe, recipe_from
from .task import TranslatorTask

DEFAULT = PainterConfig(
    ConditionLayout(parts=tuple(PARTS)), width=16, maps=32, past=16, refine=12, detail=32, trust=0.8
)
"""What ships for CPUs: about 12 ms a frame of 256 x 128 on one thread."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `neuroview train translator`."""
    parser.add_argument("--data", type=Path, help="clips, made by `neuroview train clips` or `... cityscapes`")
    parser.add_argument("--held-out", type=Path, help="clips of another town, for strips and figures")
    parser.add_argument("--init", type=Path, help="start from these weights: a run's folder, or a .safetensors")
    parser.add_argument(
        "--blend",
        nargs=2,
        metavar=("RUN", "SHARE"),
        help="export weights that are, by SHARE (0..1), those of another run from which or to which this one went on",
    )
    parser.add_argument("--title", default="", help="of the exported painter")
    parser.add_argument("--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="that the clips must have")
    parser.add_argument("--look", help="that the clips must have, such as photo or drawn")
    parser.add_argument("--batch", type=int, help="sequences at a time (1; on a GPU 8)")
    parser.add_argument("--rate", type=float, help="learning rate (0.0005)")
    parser.add_argument("--adversary", type=float, help="weight of the critics' opinion")
    parser.add_argument("--features", type=float, help="weight of the critics' features")
    parser.add_argument("--structure", type=float, help="weight of 1 - SSIM")
    parser.add_argument("--laplacian", type=float, help="weight of the pyramid's differences")
    parser.add_argument("--warp", type=float, help="weight of what changes from frame to frame beside the motion (1)")
    parser.add_argument("--width", type=int, help="of the painter: 16 to 24 for CPUs, 32 to 48 for GPUs (16)")
    add_run_options(parser, minutes=85.0)


def main(options: argparse.Namespace) -> int:
    """Does what the options say; --export without --data only writes what a run has learned.

    Raises:
        NeuroviewError: they do not fit together, or a file cannot be read; the message says which.
    """
    if options.data is None:
        if options.export is None:
            raise TrainingError("nothing to do: give --data to train, or --export to write a run's weights as files")
        _export(options)
        return 0
    if options.resume and options.init:
        raise TrainingError("--resume goes on with the run in --out, --init starts another one: give one of both")
    given = {name: getattr(options, name) for name in _RECIPE if getattr(options, name) is not None}
    return run_task(
        _task(options, given),
        options,
        changed=given,
        export=lambda trainer, path: _export(options),
        viewable=False,
    )


def _export(options: argparse.Namespace) -> None:
    found = load_checkpoint(options.out)
    if options.blend is not None:
        folder, share = options.blend
        try:
            found = blended(found, load_checkpoint(Path(folder)), float(share))
        except ValueError as error:
            raise TrainingError(f"--blend {folder} {share}: expected a run's folder and a number 0..1") from error
    export(found, options.export, options.title)


def _task(options: argparse.Namespace, given: Mapping[str, Any]) -> TranslatorTask:
    config, recipe, start = DEFAULT, Recipe(), None
    if options.width:
        config = replace(config, width=options.width)
    if options.resume:
        found = load_checkpoint(options.out)
        config, recipe = config_of(found["state"]), recipe_from(found["recipe"])
    elif options.init:
        start = beginning(options.init)
        config, recipe = config_of(start), recipe.continued()
    if options.batch is None and not options.resume and (options.device != "cpu" and torch.cuda.is_available()):
        recipe = replace(recipe, batch=8)
    clips = Clips(options.data)
    _check(clips, None if options.size is None else (options.size[1], options.size[0]), options.look)
    shown = Clips(options.held_out) if options.held_out is not None else clips
    look = previewer(shown, options.out)
    task = TranslatorTask(replace(recipe, **given), config, clips, seed=options.seed, look=look)
    if start is not None:
        task.start_from(start)
    return task


_RECIPE = ("batch", "rate", "adversary", "features", "structure", "laplacian", "warp")


def _check(clips: Clips, size: tuple[int, int] | None, look: str | None) -> None:
    if size is not None and clips.size != size:
        raise TrainingError(f"the clips are {clips.size[1]} x {clips.size[0]}, --size says {size[1]} x {size[0]}")
    looks = {str(notes["look"]) for notes in clips.notes if "look" in notes}
    if look is not None and looks - {look}:
        raise TrainingError(f"the clips look {', '.join(sorted(looks))}, --look says {look}")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of `python -m neuroview.engine.training.translator`."""
    parser = argparse.ArgumentParser(prog="neuroview train translator", description=__doc__)
    add_arguments(parser)
    return parser.parse_args(arguments)


def run_as_module() -> int:
    """Runs the command line and says in a sentence what is wrong with it."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        return main(parse())
    except NeuroviewError as error:
        print(f"neuroview: {error}", file=sys.stderr)
        return 2
