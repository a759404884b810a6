"""Colour edits of families without a teacher: what changes under the strokes, what beside them, and how long it takes.

    python tests/bench/bench_edit_families.py [--families NeRF] [--sheet FILE]

One short stroke in the middle of the first view asks for blue. Reported: the distance between the asked colour and the
mean under the stroke, before and after (0..1); the PSNR against the picture before of those pixels that changed by
less than .06, for nobody knows here where the part ends; seconds and milliseconds of CPU as in `bench_edit`.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from bench_edit import timed
from neuroview.engine.editing.colour import edit_colour
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.editing.strokes import cover
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.process import prepare_process
from neuroview.engine.rendering.rays import picture_positions
from neuroview.engine.state import Edits, Stroke, first_state
from neuroview.models.catalog import open_generator
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

ORACLES = Path(__file__).resolve().parents[3] / "shared/oracles"
BLUE = (0.2, 0.4, 0.9)
PATH = ((0.45, 0.45), (0.5, 0.45))
WIDTH = 0.04
TURNS = (0.0, -0.6, 0.6, 1.5, 3.0)
CHANGED = 0.06
MODELS = {
    "NeRF": ("nerf/lego-lowres/checkpoint199999.ckpt", 64),
    "pi-GAN": ("pigan/celeba_spatialsirenbaseline/generator.pth", 32),
    "StyleNeRF": ("stylenerf/small_ffhq_r128_pixelshuffle/network-snapshot-000000.pkl", 32),
}
"""File below the folder of oracles, and the side at which its volume is rendered."""
COLUMNS = ("family", "before", "after", "outside", "CPU s", "clock s", "ms", "p95", "max")


def measure(name: str, path: Path, size: int) -> tuple[list[str], list[Tensor]]:
    """One row, and the pictures [H, W, 3] before and after, by turns."""
    generator = open_generator(str(path))
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(generator, side_files=SideFiles(folder))
        state = first_state(str(path), generator.camera)
        state = replace(state, quality=replace(state.quality, resolution=size))
        drawn = replace(state, edits=Edits((Stroke("colour", PATH, state.camera, WIDTH, BLUE),)))
        pipeline.frame(state, "occupancy")  # as on the screen when an edit begins
        try:
            last, spent = timed(edit_colour(pipeline, drawn, size=size))
        except EditError as error:
            return [name, str(error)], []
        assert last.result is not None
        edited = replace(state, edits=Edits(result=last.result.store(pipeline.side_files)))
        pictures, outside = [], []
        for turn in TURNS:
            camera = replace(state.camera, yaw=state.camera.yaw + turn)
            was, now = (pipeline.frame(replace(s, camera=camera), "occupancy").rgb for s in (state, edited))
            pictures += [was, now]
            away = (was - now).abs().amax(-1) < CHANGED
            outside.append(float(-10 * torch.log10((was - now)[away].square().mean() + 1e-10)))
        height, width = pictures[0].shape[:2]
        positions = picture_positions(height, width, pipeline.scene(state).volume, "cpu")
        under = cover(PATH, WIDTH, positions, 1 / height)[:, None]
        apart = [
            float(((p.reshape(-1, 3) * under).sum(0) / under.sum() - torch.tensor(BLUE)).norm()) for p in pictures[:2]
        ]
    return [name, *(f"{a:.2f}" for a in apart), f"{sum(outside) / len(outside):.1f}", *spent], pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", help="PNG of before and after from five sides")
    parser.add_argument("--families", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", type=int, help="of torch; fewer where other work shares the machine")
    given = parser.parse_args()
    prepare_process()
    torch.set_num_threads(given.threads or torch.get_num_threads())
    table = Table(title="Colour edits of other families")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "family" else "right")
    rows = []
    for name in given.families:
        file, size = MODELS[name]
        row, pictures = measure(name, ORACLES / file, size)
        table.add_row(*row)
        print(*row, sep=" | ", flush=True)
        for k in range(2):
            scaled = [
                torch.nn.functional.interpolate(p.permute(2, 0, 1)[None], size=(256, 256))[0] for p in pictures[k::2]
            ]
            rows += [torch.cat(scaled, 2)] if scaled else []
    Console(width=140).print(table)
    if given.sheet and rows:
        picture = torch.cat(rows, 1).clamp(0, 1).permute(1, 2, 0)
        Image.fromarray((picture * 255).round().byte().numpy()).save(given.sheet)


if __name__ == "__main__":
    main()
