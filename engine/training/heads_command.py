"""`neuroview train eg3d`: distils the procedural heads, or learns from a folder or zip of pictures alone."""

from __future__ import annotations

import argparse

from .command import add_run_options, run_task
from .gan_command import add_gan_options, gan_task

HEADS = "heads"
MOST_ADVERSARIAL = 0.3
"""Share of a run that can be adversarial; the stages before it take the rest."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `neuroview train eg3d`."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="heads (the procedural teacher), or a folder or .zip of pictures, laid out as EG3D's (dataset.json)",
    )
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile for the teacher")
    parser.add_argument(
        "--adversarial",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="part of the run, at its end, in which a discriminator judges the heads beside their teacher (0)",
    )
    add_gan_options(parser)
    add_run_options(parser, minutes=110.0)


def main(options: argparse.Namespace) -> int:
    """Trains.

    Raises:
        NeuroviewError: the data cannot be read, or the run went wrong.
    """
    if options.data != HEADS:
        return run_task(gan_task(options, "eg3d"), options)
    from .heads_adversary import HeadsAdversary
    from .heads_task import HeadsRecipe, HeadsTask

    task = HeadsTask(
        HeadsRecipe(image_end=1 - options.adversarial),
        seed=options.seed,
        compile=False if options.no_compile else None,
        adversary=HeadsAdversary() if options.adversarial else None,
    )
    return run_task(task, options)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MOST_ADVERSARIAL:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..{MOST_ADVERSARIAL}: pictures have to be learned first")
    return value
