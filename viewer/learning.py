"""`neuroview train ...` and `neuroview evaluate ...`: their place on the command line.

Their options are defined beside the code that obeys them, which loads torch; so that is imported only when one of them
was typed, and never while the window is being opened.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

_TRAINING = "..engine.training"
_TRANSLATOR = f"{_TRAINING}.translator"
LEARNING: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "train": (
        "train a generator, a radiance field or a translator, resumably, on one processor or many",
        {
            "eg3d": ("Trains a 3D-aware generator of EG3D's layout.", f"{_TRAINING}.heads_command"),
            "pigan": ("Trains a 3D-aware generator of pi-GAN's layout.", f"{_TRAINING}.cars_command"),
            "nerf": ("Trains a radiance field of one scene.", f"{_TRAINING}.nerf_command"),
            "translator": ("Trains a painter on clips, resumably.", f"{_TRANSLATOR}.command"),
            "pictures": ("Renders pictures of a procedural teacher to learn from.", f"{_TRAINING}.teacher_pictures"),
            "clips": ("Renders clips of the embedded town.", f"{_TRANSLATOR}.render_clips"),
            "cityscapes": ("Makes clips of a folder laid out as Cityscapes is.", f"{_TRANSLATOR}.cityscapes_clips"),
        },
    ),
    "evaluate": (
        "measure a model on what no training has seen",
        {
            "eg3d": ("Measures an EG3D against its teacher or pictures.", f"{_TRAINING}.metrics.command"),
            "pigan": ("Measures a pi-GAN against its teacher or pictures.", f"{_TRAINING}.metrics.command"),
            "nerf": ("Measures a radiance field against pictures.", f"{_TRAINING}.metrics.command"),
            "translator": ("Paints an unseen town and compares.", f"{_TRAINING}.translator_metrics.command"),
        },
    ),
}
"""Each command: its help, and what it can be told to do, with the module that does it."""


def add_learning_commands(commands: argparse._SubParsersAction, typed: Sequence[str]) -> None:
    """Adds them all; `typed` is the line, and only what stands on it is imported and gets its options."""
    for name, (text, kinds) in LEARNING.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        choices = command.add_subparsers(dest="what", metavar="WHAT", required=True)
        for what, (does, module) in kinds.items():
            parser = choices.add_parser(what, help=does, description=does)
            if tuple(typed[:2]) == (name, what):
                _add_options(parser, module)


def _add_options(parser: argparse.ArgumentParser, module: str) -> None:
    found = import_module(module, __package__)
    found.add_arguments(parser)
    parser.set_defaults(run=lambda options: found.main(options) or 0)
