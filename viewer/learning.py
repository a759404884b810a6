"""`neuroview train ...` and `neuroview evaluate ...`: their place on the command line.

Their options are defined beside the code that obeys them, which loads torch; so that is imported only when one of them
was typed, and never while the window is being opened.
"""

from __future__ import annotations

import argparse
from importlib import import_module

_TRANSLATOR = "..engine.training.translator"
LEARNING: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "train": (
        "train a translator, or make the clips that it learns from",
        {
            "translator": ("Trains a painter on clips, resumably.", f"{_TRANSLATOR}.command"),
            "clips": ("Renders clips of the embedded town.", f"{_TRANSLATOR}.render_clips"),
            "cityscapes": ("Makes clips of a folder laid out as Cityscapes is.", f"{_TRANSLATOR}.cityscapes_clips"),
        },
    ),
    "evaluate": (
        "measure a translator on a town that it has not seen",
        {"translator": ("Paints an unseen town and compares.", "..engine.training.translator_metrics.command")},
    ),
}
"""Each command: its help, and what it can be told to do, with the module that does it."""


def add_learning_commands(commands: argparse._SubParsersAction, typed: str) -> None:
    """Adds them all; `typed` is the command on the line, and only that one gets its options."""
    for name, (text, kinds) in LEARNING.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == typed:
            choices = command.add_subparsers(dest="what", metavar="WHAT", required=True)
            for what, (does, module) in kinds.items():
                _add(choices, what, does, module)


def _add(choices: argparse._SubParsersAction, what: str, does: str, module: str) -> None:
    found = import_module(module, __package__)
    parser = choices.add_parser(what, help=does, description=does)
    found.add_arguments(parser)
    parser.set_defaults(run=lambda options: found.main(options) or 0)
