"""How near an edit comes to the truth: the shipped heads against their procedural teacher with the same thing changed.

    python tests/bench/bench_edit.py [--sheet FILE]

Strokes are a zig-zag over about 15 % of the part in the front view, as the teacher sees it, in the mean colour that
the part has under them in the teacher's edited picture. Measured in five other views: inside (pixels that the
teacher's edit changes) against the teacher's edit, in the exact picture, which is what stands still, there without 2
pixels of rim (core; at the rim a blurred outline meets the background), and in the 64 x 64 volume rendering (raw),
each with the model's own error without any edit on the same pixels as the floor beside it; outside (2 pixels farther)
against the model before the edit. Seconds are of CPU, over all threads; on a machine with nothing else to do the clock
shows less. The last three columns are milliseconds of CPU that one piece of work (one `next()`) takes: median, 95th
percentile, most.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from neuroview.engine.editing.colour import edit_colour
from neuroview.engine.editing.progress import EditProgress
from neuroview.engine.editing.shape import edit_shape
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.editing.strokes import cover
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.process import prepare_process
from neuroview.engine.state import Camera, Edits, Stroke, ViewState, first_state
from neuroview.engine.training.heads_parameters import GLASS, Head, bezier, heads_from_latents
from neuroview.engine.training.heads_sdf import MATERIALS, material_distances
from neuroview.engine.training.sphere_trace import FOCAL, Teacher, look_at_origin, render, window_rays
from neuroview.models.catalog import open_generator
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

SIDE = 128
"""Of the pictures compared: the delivered 256 x 256 are averaged to it."""
ACROSS = 4
"""Rays on a side of a pixel of the truth. One a pixel draws silhouettes a quarter of a pixel too fat, as measured by
their area: the teacher fades them by how near a ray passes, outwards only."""
UNSEEN = ((-0.9, 0.08), (-0.45, 0.25), (0.45, 0.0), (0.9, 0.2), (1.6, 0.08))
"""Yaw and pitch of the views that are measured; strokes are drawn from the front."""
CHANGED = 0.06
COLUMNS = (
    "edit",
    "seed",
    "by",
    "inside",
    "(floor)",
    "core",
    "(floor)",
    "raw",
    "(floor)",
    "outside",
    "CPU s",
    "clock s",
    "ms",
    "p95",
    "max",
)


@dataclass(frozen=True)
class Case:
    """One edit, and how the teacher does the same."""

    name: str
    seed: int
    kind: str
    material: str
    change: Callable[[Head], None]
    width: float = 0.03


def _set(name: str, *values: float) -> Callable[[Head], None]:
    def change(head: Head) -> None:
        head[name] = torch.tensor(values).view(1, 1, 3) if len(values) == 3 else torch.tensor([values])

    return change


def _tinted(head: Head) -> None:
    head["gl"] = torch.ones(1, 1)
    head["c_glass"] = bezier(torch.tensor([[0.6]]), GLASS)


CASES = (
    Case("hair, black to blue", 4, "colour", "hair", _set("c_hair", 0.2, 0.35, 0.85)),
    Case("hair, pink to blond", 11, "colour", "hair", _set("c_hair", 0.93, 0.8, 0.5)),
    Case("shirt, orange to green", 11, "colour", "shirt", _set("c_shirt", 0.2, 0.6, 0.35)),
    Case("hat, blue to red", 22, "colour", "hat", _set("c_hat", 0.75, 0.2, 0.2)),
    Case("glasses off", 0, "remove", "glasses", _set("gl", 0.0), 0.012),
    Case("hat off", 22, "remove", "hat", _set("hat_on", 0.0)),
    Case("glasses on", 4, "add", "glasses", _tinted, 0.012),
    Case("hat on", 11, "add", "hat", _set("hat_on", 1.0)),
)


def head_of(seed: int) -> Head:
    """The teacher's head of a seed, as the generator understands seeds."""
    return heads_from_latents(torch.from_numpy(np.random.RandomState(seed).randn(1, 64)).float())


def truth(teacher: Teacher, head: Head, camera: Camera) -> tuple[Tensor, Tensor]:
    """The teacher's picture [3, SIDE, SIDE] and the number of the material in each pixel, -1 for none."""
    pose = look_at_origin(torch.tensor([camera.yaw]), torch.tensor([camera.pitch]))
    rgb = F.avg_pool2d(render(teacher, head, pose, SIDE * ACROSS)[0], ACROSS)
    _, coverage, depth = render(teacher, head, pose, SIDE)
    origins, directions = window_rays(pose, SIDE, torch.zeros(1, 2, dtype=torch.long), SIDE)
    points = (origins + directions * depth.reshape(1, -1, 1)).unbind(-1)
    material = (
        torch.stack(material_distances(head, *(p.contiguous() for p in points)), -1)[0].argmin(-1).view(SIDE, SIDE)
    )
    material[coverage[0] < 0.5] = -1
    return rgb[0], material


def zigzag(mask: Tensor, width: float, share: float = 0.15) -> list[tuple[tuple[float, float], ...]]:
    """Brush paths along rows that cover about `share` of a mask [SIDE, SIDE]."""
    rows = mask.any(1).nonzero()[:, 0].tolist()
    gap = max(2, int(width * SIDE / share))
    paths = []
    for row in range(rows[0] + gap // 3, rows[-1] + 1, gap):
        runs = np.split(
            np.flatnonzero(mask[row].numpy()), np.flatnonzero(np.diff(np.flatnonzero(mask[row].numpy())) > 1) + 1
        )
        for run in (r for r in runs if len(r)):
            inset = min(int(width * SIDE / 2), len(run) // 2)
            a, b = (int(run[0]) + inset) / SIDE, (int(run[-1]) - inset) / SIDE
            paths.append(((a, (row + 0.5) / SIDE), (max(a, b), (row + 0.5) / SIDE)))
    return paths


def painted(paths: list[tuple[tuple[float, float], ...]], width: float) -> Tensor:
    """What brush paths cover of each pixel, [SIDE, SIDE]."""
    middle = (torch.arange(SIDE) + 0.5) / SIDE
    positions = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), -1).view(-1, 2)
    return torch.stack([cover(path, width, positions, 1 / SIDE) for path in paths]).amax(0).view(SIDE, SIDE)


def psnr(a: Tensor, b: Tensor, where: Tensor) -> float:
    """dB over the pixels [H, W] of pictures [3, H, W]."""
    return float(-10 * torch.log10((a - b)[:, where].square().mean() + 1e-10))


def timed(steps: Iterator[EditProgress]) -> tuple[EditProgress, list[str]]:
    """Runs an edit to its end: its last step, and seconds (CPU, clock) and milliseconds of CPU a piece (median, 95th
    percentile, most)."""
    wall, pieces, last = time.perf_counter(), [], None
    while True:
        begun = time.process_time()
        step = next(steps, None)
        pieces.append(time.process_time() - begun)
        if step is None:
            break
        last = step
    assert last is not None
    each = [f"{1000 * float(np.percentile(pieces, share)):.0f}" for share in (50, 95, 100)]
    return last, [f"{sum(pieces):.1f}", f"{time.perf_counter() - wall:.1f}", *each]


def measure(pipeline: Pipeline, teacher: Teacher, case: Case, start: ViewState) -> tuple[list[str], list[Tensor]]:
    """One row of the table, and pictures of each view: teacher's before, ours before, ours after, teacher's after."""
    before, after = head_of(case.seed), head_of(case.seed)
    case.change(after)
    state = replace(start, latents=replace(start.latents, seed_a=case.seed, truncation=1.0))
    front = replace(start.camera, yaw=0.0, pitch=0.08)
    (old, old_material), (new, new_material) = (truth(teacher, head, front) for head in (before, after))
    mask = (new_material if case.kind == "add" else old_material) == MATERIALS.index(case.material)
    paths = zigzag(mask, case.width)
    under = painted(paths, case.width) * mask
    red, green, blue = ((new * under).sum((1, 2)) / under.sum()).tolist()
    kind = {"colour": "colour", "remove": "remove", "add": "add"}[case.kind]
    strokes = tuple(
        Stroke(kind, path, front, case.width, (red, green, blue))  # type: ignore[arg-type]
        for path in paths
    )
    drawn = replace(state, edits=Edits(strokes))
    pipeline.frame(state, "occupancy")  # as on the screen when an edit begins
    last, spent = timed((edit_colour if case.kind == "colour" else edit_shape)(pipeline, drawn))
    assert last.result is not None
    edited = replace(state, edits=Edits(result=last.result.store(pipeline.side_files)))
    inside, floor, core, floor_core, inside_raw, floor_raw, outside, pictures = [], [], [], [], [], [], [], []
    for yaw, pitch in UNSEEN:
        camera = replace(front, yaw=yaw, pitch=pitch)
        old, new = (truth(teacher, head, camera)[0] for head in (before, after))
        frames = [pipeline.frame(replace(s, camera=camera), "exact") for s in (state, edited)]
        was, now = (F.adaptive_avg_pool2d(f.rgb.permute(2, 0, 1).clamp(0, 1), SIDE) for f in frames)
        changed = (new - old).abs().amax(0) > CHANGED
        far = F.max_pool2d(changed.float()[None, None], 5, 1, 2)[0, 0] < 0.5
        pictures += [old, was, now, new]
        outside.append(psnr(now, was, far))
        if int(changed.sum()) < 12:
            continue
        inside.append(psnr(now, new, changed))
        floor.append(psnr(was, old, changed))
        deep = F.max_pool2d(1 - changed.float()[None, None], 5, 1, 2)[0, 0] < 0.5
        if int(deep.sum()) >= 12:
            core.append(psnr(now, new, deep))
            floor_core.append(psnr(was, old, deep))
        small = [F.avg_pool2d(p[None], SIDE // f.raw.shape[0])[0] for p, f in ((old, frames[0]), (new, frames[1]))]
        less = F.avg_pool2d(changed.float()[None, None], SIDE // frames[0].raw.shape[0])[0, 0] > 0.5
        floor_raw.append(psnr(frames[0].raw.permute(2, 0, 1), small[0], less))
        inside_raw.append(psnr(frames[1].raw.permute(2, 0, 1), small[1], less))
    measured = (inside, floor, core, floor_core, inside_raw, floor_raw, outside)
    figures = [sum(v) / len(v) if v else math.nan for v in measured]
    how = "codes" if any(p.codes is not None for p in last.result.patches) else "residual"
    return [case.name, str(case.seed), how, *(f"{v:.1f}" for v in figures), *spent], pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sheet", help="PNG of the teacher's before, ours before, ours after and the teacher's after; a view a column"
    )
    parser.add_argument("--cases", type=int, nargs="*", help="numbers of the cases to run, from 0; all when omitted")
    parser.add_argument("--threads", type=int, help="of torch; fewer where other work shares the machine")
    given = parser.parse_args()
    prepare_process()
    torch.set_num_threads(given.threads or torch.get_num_threads())
    table = Table(title="Edits of the shipped heads, PSNR in dB over five unseen views")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("edit", "by") else "right")
    sheets = []
    with tempfile.TemporaryDirectory() as folder:
        generator = open_generator("heads")
        pipeline, teacher = Pipeline(generator, side_files=SideFiles(folder)), Teacher()
        start = first_state("heads", generator.camera)
        start = replace(start, camera=replace(start.camera, fov=2 * math.atan(0.5 / FOCAL)))
        for case in CASES if given.cases is None else [CASES[i] for i in given.cases]:
            row, pictures = measure(pipeline, teacher, case, start)
            table.add_row(*row)
            print(*row, sep=" | ", flush=True)
            sheets.append(torch.cat([torch.cat(pictures[k::4], 2) for k in range(4)], 1))
    Console(width=140).print(table)
    if given.sheet:
        picture = torch.cat(sheets, 1).permute(1, 2, 0)
        Image.fromarray((picture * 255).round().byte().numpy()).save(given.sheet)


if __name__ == "__main__":
    main()
