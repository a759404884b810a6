"""`neuroview train nerf`: a radiance field of one scene, from a transforms.json of any kind or of our own showroom."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from .command import add_run_options, run_task
from .nerf_dataset import load
from .nerf_recipe import HashGridSizes, NerfRecipe, recipe_of
from .nerf_task import NerfTask
from .showroom_data import write_showroom
from .task import TrainingError

SHOWROOM = "showroom"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `neuroview train nerf`."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="a folder with transforms.json (NeRF's synthetic scenes, instant-ngp, nerfstudio), that file, an .npz of "
        "pictures and poses, or showroom: our procedural scene, rendered into --out first; depth that it names teaches "
        "--kind vanilla before the pictures do",
    )
    parser.add_argument(
        "--kind",
        choices=("hashgrid", "vanilla"),
        default="hashgrid",
        help="hash grid (instant-ngp's), or NeRF's own perceptron",
    )
    parser.add_argument("--refine-poses", action="store_true", help="also learn a correction of each training camera")
    parser.add_argument("--shrink", type=int, metavar="N", help="reduce pictures N times (as far as memory asks for)")
    parser.add_argument(
        "--room",
        type=float,
        metavar="FACTOR",
        help="on the side of the learned cube, which is as wide as the pictures are where the cameras look (1; 4 where "
        "pictures show a place all around)",
    )
    parser.add_argument(
        "--table", type=int, metavar="LOG2", help="of the vectors in a level of the hash grid (by the pictures)"
    )
    add_run_options(parser, minutes=10.0)


def main(options: argparse.Namespace) -> int:
    """Trains.

    Raises:
        NeuroviewError: the data cannot be read, or the run went wrong.
    """
    if options.room is not None and not 0 < options.room <= 1000:
        raise TrainingError(f"--room {options.room:g}; expected a factor above 0, such as 1 or 4")
    path = Path(options.data)
    if options.data == SHOWROOM and not path.exists():
        path = write_showroom(options.out / SHOWROOM, told=lambda line: print(line, flush=True))
    data = load(path, shrink=options.shrink, room=options.room)
    torch.manual_seed(options.seed)  # of the weights that it begins with
    return run_task(NerfTask(_recipe(options, max(data.train.size)), data), options)


def _recipe(options: argparse.Namespace, side: int) -> NerfRecipe:
    recipe = recipe_of(options.kind, side, refine_poses=options.refine_poses)
    if options.table is None:
        return recipe
    if not isinstance(recipe.sizes, HashGridSizes) or not 8 <= options.table <= 24:
        raise TrainingError(f"--table {options.table}: expected 8 to 24, and --kind hashgrid")
    return replace(recipe, sizes=replace(recipe.sizes, log2_size=options.table))
