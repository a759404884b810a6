"""`neuroview train pigan`: distils the procedural cars, or learns from a folder or zip of pictures alone."""

from __future__ import annotations

import argparse

from .command import add_run_options, run_task
from .gan_command import add_gan_options, gan_task
from .task import TrainingError

CARS = "cars"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `neuroview train pigan`."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="cars (the procedural teacher), or a folder or .zip of pictures, laid out as EG3D's (dataset.json)",
    )
    parser.add_argument("--width", type=int, metavar="N", help="neurons of each layer, for the cars (128)")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile for the teacher")
    add_gan_options(parser)
    add_run_options(parser, minutes=70.0)


def main(options: argparse.Namespace) -> int:
    """Trains.

    Raises:
        NeuroviewError: the data or the width is none that can be trained, or the run went wrong.
    """
    if options.data != CARS:
        return run_task(gan_task(options, "pigan"), options)
    from .cars_task import CarsRecipe, CarsTask

    recipe = CarsRecipe() if options.width is None else CarsRecipe(width=options.width)
    if not 8 <= recipe.width <= 1024:
        raise TrainingError(f"--width {recipe.width}; expected 8 to 1024 neurons a layer")
    compile = False if options.no_compile else None
    return run_task(CarsTask(recipe, compile=compile, seed=options.seed), options)
