"""The published colour edit of an EditNeRF and ours, on the official code's own checkpoint, in one run.

    python tests/bench/bench_editnerf.py [--sheet FILE]

The published procedure (Liu et al. 2021): 100 iterations, up to 64 rays, Adam at 1e-3, mean squared error and 10 times
the layers' mean squared change, every ray traced anew through both networks in every iteration. It takes the rays that
the official code drew when the oracle was made, and its losses and picture are compared with the official ones, so that
what stands in the table is the official edit. Ours: `edit_colour` with the same pixels as strokes and keep strokes.

PSNR in dB of 32 x 32 pictures: inside the strokes to the colour asked for, which haze of that opacity can only come
near to; under keep strokes, outside of all colour strokes and in four other views to the picture before, for nobody
asked for a change there. Updates a second: how often the edited picture can be shown while the edit runs, 32 x 32, from
the optimiser's newest tensors to pixels. Times are of one core; CPU seconds count where others use the machine too.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from neuroview.engine.editing.colour import edit_colour
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.process import prepare_process
from neuroview.engine.rendering.exact import render_rays
from neuroview.engine.rendering.rays import camera_rays, ray_limits
from neuroview.engine.state import Camera, Edits, Stroke, ViewState, first_state
from neuroview.models.base import Scene
from neuroview.models.editnerf_field import EditNeRFField
from neuroview.models.editnerf_generator import EditNeRFGenerator
from neuroview.models.formats.editnerf_checkpoint import open_generator
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracles" / "editnerf"
SIDE = 32
ITERATIONS, RATE, STAY = 100, 1e-3, 10.0
FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
TURNS = (-0.6, -0.3, 0.3, 0.6)
"""Radians about the up axis at which the other views stand."""


@dataclass(frozen=True)
class Measured:
    """One row of the table."""

    name: str
    picture: Tensor
    """[SIDE, SIDE, 3] after the edit, from where it was painted."""
    others: Tensor
    """[4, SIDE, SIDE, 3] from the other views."""
    seconds: float
    cpu: float
    update: float
    """Seconds from newest tensors to pixels."""
    longest: float
    """Seconds of the longest piece of work: as long the window waits."""


class Case:
    """The oracle's instance 0, its camera, and what was painted."""

    def __init__(self, folder: Path) -> None:
        generator = open_generator(folder / "model.tar")
        assert isinstance(generator, EditNeRFGenerator)
        with np.load(folder / "oracle.npz") as values:
            self.oracle = dict(values)
        given = self.oracle
        # The pictures were made with fewer samples than a data set's.
        volume = replace(
            generator.setting.volume,
            near=float(given["near"]),
            far=float(given["far"]),
            coarse=int(given["N_samples"]),
            fine=int(given["N_importance"]),
        )
        setting = replace(generator.setting, volume=volume, resolution=SIDE)
        self.generator = EditNeRFGenerator(generator.coarse, generator.fine, generator.styles, generator.card, setting)
        self.pose, focal = given["pose"] @ FROM_OPENGL, float(given["focal"]) / SIDE
        self.others = [turned(given["pose"], angle) @ FROM_OPENGL for angle in TURNS]
        self.lens = np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
        self.struck, self.kept = (torch.from_numpy(given[f"coloredit_{sort}"] > 0) for sort in ("pos", "neg"))
        self.wanted = torch.from_numpy(given["coloredit_target"])
        coordinates = torch.from_numpy(given["coloredit_ray_coords_first"])
        self.rays = coordinates[:, 0] * SIDE + coordinates[:, 1]

    def scene(self) -> Scene:
        """The instance under networks of its own, which may be trained."""
        scene = self.generator.scene(self.generator.codes(0))
        assert isinstance(scene.field, EditNeRFField)
        return replace(scene, field=scene.field.copy())

    def trace(self, scene: Scene, chosen: Tensor, pose: np.ndarray | None = None) -> Tensor:
        """Colours [n, 3] of pixels, by the exact renderer; `pose`: other than the painted view's."""
        pose = self.pose if pose is None else pose
        origins, directions = camera_rays(pose, self.lens, SIDE, SIDE, scene.volume)
        near, far = ray_limits(origins, directions, scene.volume, scene.field.bounds)
        rays = (values[chosen] for values in (origins, directions, near, far))
        return render_rays(scene, scene.volume, *rays).features

    def picture(self, scene: Scene, pose: np.ndarray | None = None) -> Tensor:
        """[SIDE, SIDE, 3] without gradients."""
        with torch.inference_mode():
            rows = [self.trace(scene, part, pose) for part in torch.arange(SIDE * SIDE).split(256)]
        return torch.cat(rows).view(SIDE, SIDE, 3)

    def around(self, scene: Scene) -> Tensor:
        """[4, SIDE, SIDE, 3] from the other views."""
        return torch.stack([self.picture(scene, pose) for pose in self.others])


def published(case: Case) -> Measured:
    """The official procedure, as it is published: nothing is kept between iterations."""
    scene = case.scene()
    field = scene.field
    assert isinstance(field, EditNeRFField)
    trained = {name: p.requires_grad_(True) for name, p in field.colour_parameters().items()}
    old = {name: p.detach().clone() for name, p in trained.items() if name.endswith("weight")}
    adam = torch.optim.Adam(list(trained.values()), lr=RATE)
    wanted, losses, longest = case.wanted.flatten(0, 1)[case.rays], [], 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(ITERATIONS):
        begun = time.perf_counter()
        error = (case.trace(scene, case.rays) - wanted).square().mean()
        loss = error + STAY * sum((trained[name] - before).square().mean() for name, before in old.items())
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
        longest = max(longest, time.perf_counter() - begun)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    apart = float(np.abs(np.array(losses) - case.oracle["coloredit_losses"]).max())
    edited = replace(scene, field=field.refreshed())
    picture, update = timed(lambda: case.picture(edited))
    error = float((picture - torch.from_numpy(case.oracle["coloredit_rgb_after"])).abs().mean())
    print(f"published, replayed: losses within {apart:.1e} of the official run's, picture {error:.1e} in the mean")
    return Measured("official procedure", picture, case.around(edited), wall, cpu, update, longest)


def ours(case: Case) -> Measured:
    """`edit_colour`, piece by piece as the render loop runs it."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(case.generator, side_files=SideFiles(folder))
        state = drawn(case)
        pipeline.unedited_scene(state)
        result, longest = None, 0.0
        wall, cpu = time.perf_counter(), time.process_time()
        begun = wall
        for progress in edit_colour(pipeline, state, size=SIDE):
            longest, begun = max(longest, time.perf_counter() - begun), time.perf_counter()
            result = progress.result or result
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert result is not None
        edited = replace(state, edits=Edits(result=result.store(pipeline.side_files)))
        picture, update = timed(lambda: pipeline.frame(edited, "exact").rgb)
        return Measured("ours", picture, case.around(pipeline.scene(edited)), wall, cpu, update, longest)


def drawn(case: Case) -> ViewState:
    """The oracle's masks as strokes, one a row."""
    state = first_state("editnerf", case.generator.camera)
    camera = Camera(cam2world=tuple(case.pose.flatten().tolist()), intrinsics=tuple(case.lens.flatten().tolist()))
    red, green, blue = case.wanted[case.struck][0].tolist()
    strokes = []
    for kind, mask in (("colour", case.struck), ("keep", case.kept)):
        for row in mask.any(1).nonzero()[:, 0].tolist():
            columns = mask[row].nonzero()[:, 0].tolist()
            path = (columns[0] / SIDE, row / SIDE), (columns[-1] / SIDE, row / SIDE)
            strokes.append(Stroke(kind, path, camera, 1 / SIDE, (red, green, blue)))  # type: ignore[arg-type]
    latents = replace(state.latents, seed_a=0, truncation=1.0)
    return replace(state, camera=camera, latents=latents, edits=Edits(tuple(strokes)))


def turned(pose: np.ndarray, angle: float) -> np.ndarray:
    """A camera-to-world matrix carried around the world's z axis, which is up in the official data."""
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.eye(4)
    turn[:2, :2] = (cos, -sin), (sin, cos)
    return turn @ pose


def psnr(apart: Tensor) -> str:
    """dB of colour differences (0..1), as the table writes it."""
    error = float(apart.square().mean())
    return f"{-10 * math.log10(error):.1f}" if error else "same"


def described(case: Case) -> str:
    """What the checkpoint is."""
    about = json.loads((ORACLE / "oracle.json").read_text())
    return (
        f"model.tar as the official code writes it ({about['repo']} {about['commit'][:7]}): "
        f"{len(case.generator.styles)} instances, two networks of {about['parameters_per_net']:,} parameters at the "
        "published sizes. Its weights are seeded and not trained: haze, which says how well a colour is met and how "
        "far it leaks, and nothing about cars or chairs."
    )


def timed(picture: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """What it gives, and the CPU seconds that it takes."""
    cpu = time.process_time()
    made = picture()
    return made, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", help="PNG of before, the published edit and ours, side by side")
    given = parser.parse_args()
    if not (ORACLE / "model.tar").is_file():
        print(f"Skipped: there is no {ORACLE / 'model.tar'}; the official checkpoint lies beside the repository.")
        sys.exit(0)
    prepare_process()
    torch.set_num_threads(1)
    case = Case(ORACLE)
    plain = case.scene()
    before, around = case.picture(plain), case.around(plain)
    inside, outside = case.struck, ~case.struck
    table = Table(
        title="A colour edit on the official EditNeRF checkpoint, PSNR in dB, one core", caption=described(case)
    )
    for column in (
        "procedure",
        "inside",
        "mean colour",
        "keep strokes",
        "outside",
        "other views",
        "CPU s",
        "clock s",
        "longest s",
        "updates/s",
    ):
        table.add_column(column, justify="left" if column == "procedure" else "right")
    rows = [Measured("before", before, around, 0.0, 0.0, 0.0, 0.0), published(case), ours(case)]
    for row in rows:
        colour = "/".join(f"{value:.2f}" for value in row.picture[inside].mean(0).tolist())
        change = row.picture - before
        stays = (psnr(change[case.kept]), psnr(change[outside]), psnr(row.others - around))
        times = (f"{row.cpu:.1f}", f"{row.seconds:.1f}", f"{row.longest:.2f}", f"{1 / max(row.update, 1e-9):.1f}")
        table.add_row(
            row.name,
            psnr((row.picture - case.wanted)[inside]),
            colour,
            *(stays if row.cpu else ("",) * 3),
            *(times if row.cpu else ("",) * 4),
        )
    Console(width=130).print(table)
    if given.sheet:
        sheet = torch.cat([row.picture for row in rows], 1).clamp(0, 1)
        Image.fromarray((sheet * 255).round().byte().numpy()).resize((3 * 320, 320), 0).save(given.sheet)


if __name__ == "__main__":
    main()
