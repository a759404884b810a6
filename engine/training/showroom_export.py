"""Writes a trained showroom as a shipped model: weights in half precision, measured card, contact sheet.

Command: ``python -m neuroview.engine.training.showroom_export --run DIR --data DIR --out DIR [--name showroom]``.
What is measured and drawn is the file that ships, opened again, in the exact renderer; with ``--rung occupancy`` where
the exact one would take too long, as a perceptron's does on a few cores.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from ...models.base import Generator
from ...models.catalog import open_generator
from ...models.formats.plain_json import from_plain
from ..rendering.exact import render_exact
from ..rendering.occupancy import build_occupancy
from ..rendering.occupancy_march import render_occupancy
from . import checkpoint
from .live import write_model
from .metrics.pictures import psnr, ssim
from .metrics.scene_views import photograph, scene_of
from .nerf_dataset import load
from .nerf_recipe import HashGridSizes, NerfRecipe, VanillaSizes
from .nerf_task import NerfTask
from .nerf_views import NerfData

Rung = Literal["exact", "occupancy"]
_SHOWN = 4
_TITLES = {"showroom": "Showroom", "showroom_vanilla": "Showroom, vanilla NeRF"}
_KINDS = {
    HashGridSizes: "a multi-resolution hash grid with two small perceptrons (instant-ngp's field)",
    VanillaSizes: "a perceptron of encoded positions (NeRF's own, with one network)",
}
_COMMANDS = {
    HashGridSizes: "neuroview train nerf --data showroom",
    VanillaSizes: "neuroview train nerf --data showroom --kind vanilla",
}
_BY_PICTURES = (
    "Pixels of all pictures at random, before a background drawn anew for each ray; empty space is learned beside the "
    "field and skipped; Adam, exponentially falling rate, averaged weights."
)


def trained(run: Path, data: NerfData) -> tuple[NerfTask, dict[str, Any]]:
    """The task of a run as its checkpoint left it, and the checkpoint.

    Raises:
        TrainingError: there is none, or it is no NeRF's.
    """
    found = checkpoint.load(run)
    recipe = dict(found["recipe"])
    sizes = recipe.pop("sizes")
    kind = HashGridSizes if "levels" in sizes else VanillaSizes
    task = NerfTask(replace(from_plain(NerfRecipe, recipe, "recipe"), sizes=from_plain(kind, sizes, "sizes")), data)
    checkpoint.check_same_run(found, task.name, task.recipe)
    task.load(found["state"])
    return task, found


@torch.inference_mode()
def measured(generator: Generator, data: NerfData, rung: Rung = "exact") -> tuple[dict[str, float], Tensor]:
    """PSNR (dB) and SSIM of all held-out views, and a sheet [3, H, W] of some: pictures above, renderings below."""
    views, scene = data.held_out or data.train, scene_of(generator)
    grid = build_occupancy(scene.field, scene.volume, thin=True) if rung == "occupancy" else None
    values, pairs = [], []
    for index in range(len(views)):
        true = photograph(views, index, scene.volume.white_background)
        camera = (views.cam2world[index], views.intrinsics[index])
        if grid is None:
            made = render_exact(scene, *camera, resolution=views.size)
        else:
            made = render_occupancy(scene, grid, *camera, resolution=views.size)
        made = made.features[:3].clamp(0, 1)
        values.append((psnr(made, true), ssim(made, true)))
        if index % max(1, len(views) // _SHOWN) == 0 and len(pairs) < _SHOWN:
            pairs.append(torch.cat([true, made], 1))
    mean = torch.tensor(values, dtype=torch.float64).mean(0)
    figures = {"held-out PSNR": round(float(mean[0]), 2), "held-out SSIM": round(float(mean[1]), 3)}
    return {**figures, "worst view": round(min(value for value, _ in values), 2)}, torch.cat(pairs, 2)


def card_text(
    name: str, task: NerfTask, found: dict[str, Any], figures: dict[str, float], size: int, how: str, rung: Rung
) -> str:
    """The model card."""
    views, held_out = task.data.train, task.data.held_out
    numbers = sum(p.numel() for p in task.model.parameters())
    kind, title = _KINDS[type(task.recipe.sizes)], _TITLES.get(name, name)
    rows = "\n".join(f"| {key} | {value} |" for key, value in figures.items())
    return "\n\n".join(
        (
            f"# {title}",
            "One scene: an armillary sphere on a lacquered plinth, a chrome ball, a lacquer ring, a wire cube with a "
            "pearl in it and an emerald block on a chequered wooden disc. "
            f"{numbers / 1e6:.2f} million parameters, {size / 2**20:.1f} MiB in half precision.",
            f"![Held-out views: the teacher's pictures above, the model below]({name}_held_out.png)",
            f"## What it is\nA radiance field of {kind}. Colour depends on the direction: highlights move with the "
            "camera.",
            "## Data\nNo photographs, no downloaded data. The teacher is a program of ours, a signed distance and a "
            f"colour that turns with the view (`engine/training/showroom_scene.py`); {len(views)} pictures of "
            f"{views.size[1]} x {views.size[0]} with coverage, from evenly spread cameras above the floor, four rays a "
            f"pixel. {0 if held_out is None else len(held_out)} more were held out.",
            f"## Recipe\n`{how}`: {found['step']:,} updates in {found['elapsed'] / 60:.0f} minutes on "
            f"{found.get('device', 'cpu')}, {found.get('processes', 1)} process(es). {_recipe_text(task)}",
            f"## Measured\nThe shipped file, in the {rung} renderer, beside the teacher's own pictures.\n\n"
            f"| | |\n|---|---|\n{rows}",
            "## Limits\nTrained on one scene from above its floor: from below it is a guess. Mirrored light is painted "
            "on as a smooth function of the direction, so sharp reflections come out soft. Thin parts are as fine as "
            "the pictures were.",
            "## Licence\nMIT, as the rest of neuroview: weights, teacher and pictures are ours.\n",
        )
    )


def _recipe_text(task: NerfTask) -> str:
    """How it learned, in sentences."""
    sizes = task.recipe.sizes
    if isinstance(sizes, HashGridSizes):
        return _BY_PICTURES
    shape = f"{sizes.depth} layers of {sizes.width} neurons, {sizes.octaves} octaves."
    if not task.by_depth_until:
        return f"{shape} {_BY_PICTURES}"
    return (
        f"{shape} The first {100 * task.by_depth_until:.0f} % of the run learned from the pictures' depth, which the "
        "teacher knows: at the surface that a pixel shows the field is told to be opaque and of the pixel's colour, "
        f"and to be empty before it. Then from the pictures: {_BY_PICTURES[0].lower()}{_BY_PICTURES[1:]} Cells that "
        "the silhouettes show to be empty are told to be so throughout."
    )


def export(
    run: Path, data: NerfData, out: Path, name: str, how: str | None = None, rung: Rung = "exact"
) -> dict[str, float]:
    """Writes NAME.safetensors, .json, .md and _held_out.png into `out`; returns what was measured.

    Args:
        run: folder of the run.
        data: what it learned from.
        out: where the files go.
        name: of the files.
        how: the command, for the card; None: the usual one.
        rung: what measures.

    Raises:
        NeuroviewError: the run has no usable checkpoint, or files cannot be written.
    """
    task, found = trained(run, data)
    generator = task.generator()
    kind, how = _KINDS[type(task.recipe.sizes)], how or _COMMANDS[type(task.recipe.sizes)]
    summary = f"Polished and thin things on a turntable, as {kind}; learned from pictures of a procedural scene."
    title = _TITLES.get(name, name)
    generator.card = replace(generator.card, name=name, title=title, summary=summary, licence="MIT")
    path = out / f"{name}.safetensors"
    facts = {
        "data": "engine/training/showroom_scene.py, no photographs",
        "command": how,
        "steps": found["step"],
        "minutes": round(found["elapsed"] / 60, 1),
    }
    write_model(generator, path, facts)
    figures, sheet = measured(open_generator(str(path)), data, rung)
    write_model(generator, path, {"metrics": figures})
    pixels = (sheet.permute(1, 2, 0) * 255).round().byte().cpu().numpy()
    Image.fromarray(pixels).save(out / f"{name}_held_out.png", optimize=True)
    text = card_text(name, task, found, figures, path.stat().st_size, how, rung)
    path.with_suffix(".md").write_text(text, "utf-8")
    return figures


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and exports a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--data", type=Path, required=True, help="the pictures that it learned from")
    parser.add_argument("--out", type=Path, required=True, help="where the files go")
    parser.add_argument("--name", default="showroom", help="of the files (showroom)")
    parser.add_argument("--how", help="the command, for the card (the usual one)")
    parser.add_argument("--rung", choices=("exact", "occupancy"), default="exact", help="what measures (exact)")
    options = parser.parse_args(arguments)
    print(export(options.run, load(options.data), options.out, options.name, options.how, options.rung))


if __name__ == "__main__":
    main()
