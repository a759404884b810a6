"""How near an inversion comes to held-out heads of the procedural teacher, from the photo's side and from others.

    python tests/bench/bench_inversion.py [--heads N] [--first N] [--threads N] [--sheets DIR]
    python tests/bench/bench_inversion.py --cameras 20      where the camera is put, before anything is optimised
    python tests/bench/bench_inversion.py --doubt 20        heads and pictures of other things: which are called poor

The teacher draws a head whose latent the generator was never trained on, from a camera that is not told; the inversion
gets the 256 x 256 picture and nothing else. PSNR is against the teacher's own pictures, by the exact renderer: of the
codes alone, after pivotal tuning, and of the code that the mapping network gives for the head's true latent, which is
what distillation reached. 'Other views' turn camera and teacher by the same angles. Wall time depends on who else uses
the machine; processor seconds do less so.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.editing.directions import directions_of
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.first_guess import guess_of
from neuroview.engine.editing.framing import framed_photo
from neuroview.engine.editing.inversion import InversionProgress, invert
from neuroview.engine.editing.inversion_progress import DEFAULT, POOR
from neuroview.engine.editing.perceptual import psnr
from neuroview.engine.editing.photo import Photo, picture_of
from neuroview.engine.editing.pivotal import tuned
from neuroview.engine.rendering.edges import with_smooth_edges
from neuroview.engine.rendering.exact import render_exact, render_image, render_in_chunks
from neuroview.engine.rendering.supersample import averaged
from neuroview.engine.state import Camera
from neuroview.engine.training.evaluate_heads import latent, write_png
from neuroview.engine.training.heads_parameters import heads_from_latents
from neuroview.engine.training.sphere_trace import Teacher, look_at_origin, render
from neuroview.models.base import Generator
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d_generator import EG3DGenerator
from other_pictures import OTHERS
from rich.console import Console
from rich.table import Table
from torch.nn.functional import avg_pool2d

FIRST_HEAD = 300
CAMERAS = ((0.35, 0.05), (-0.5, 0.15), (0.0, 0.0), (0.7, -0.05), (-0.2, 0.25))
"""Yaw and pitch of each head's photo, radians."""
TURNS = (-0.6, 0.6, 1.5, 3.0)
"""Yaw of the other views, away from the photo's."""
SIDE = 256
FIRST_DOUBT = 400
VIEWS = ((0.3, 0.05), (-0.4, 0.1), (0.0, 0.0), (0.8, -0.1), (-0.7, 0.2), (0.15, -0.15), (-1.1, 0.05), (0.5, 0.3))
"""Yaw and pitch, radians, of the photos that are doubted."""
DEGREES = 180 / math.pi


class Head:
    """One held-out head of the teacher."""

    def __init__(self, teacher: Teacher, seed: int, yaw: float, pitch: float) -> None:
        self.z = latent(seed)
        self.yaw, self.pitch = yaw, pitch
        self._teacher, self._head = teacher, heads_from_latents(self.z)

    def seen(self, turn: float = 0.0) -> torch.Tensor:
        """The teacher's picture [3, 256, 256], as smooth as a photo: four rays a pixel."""
        camera = look_at_origin(torch.tensor([self.yaw + turn]), torch.tensor([self.pitch]))
        return avg_pool2d(render(self._teacher, self._head, camera, 2 * SIDE)[0], 2)[0]


@torch.inference_mode()
def shown(generator: Generator, codes: torch.Tensor, camera: Camera) -> torch.Tensor:
    """The exact renderer's picture [3, 256, 256] as it stands still in the window, with more rays at edges."""
    matrices = [torch.from_numpy(m).float() for m in camera_matrices(camera, generator.camera)]
    scene = generator.scene(codes)
    side = scene.resolution * scene.supersampling
    cast = partial(render_in_chunks, scene, scene.volume)
    rendered = with_smooth_edges(scene, render_exact(scene, *matrices, resolution=side), *matrices, cast)
    return render_image(scene, averaged(rendered, scene.supersampling)).clamp(0, 1)


class Course:
    """An inversion run to its end, with what it took."""

    def __init__(self, generator: Generator, photo: Photo) -> None:
        directions = directions_of(generator, "heads")
        wall, busy = time.perf_counter(), time.process_time()
        since = busy
        pieces: list[float] = []
        self.stages: dict[str, float] = {}
        """What is said of a stage: the likeness that it ended with, dB."""
        for progress in invert(generator, photo, directions=directions):
            pieces.append(1000 * (time.process_time() - since))
            if progress.picture is not None and not progress.done:
                self.stages[progress.says] = progress.likeness
            if progress.identity is not None and not progress.identity.parameters:
                self.before = progress.identity
            self.last = progress
            since = time.process_time()
        self.wall, self.busy = time.perf_counter() - wall, time.process_time() - busy
        self.pieces = torch.tensor(pieces)

    def pace(self) -> str:
        """How long pieces of work are: median, 19 of 20 under, longest, and how many beyond 100 ms."""
        ms, over = self.pieces, int((self.pieces > 100).sum())
        return f"{ms.median():.0f} {ms.quantile(0.95):.0f} {ms.max():.0f}, {over} of {len(ms)}"


def measure(generator: EG3DGenerator, head: Head, sheet: Path | None) -> list[str]:
    """One row of the table; draws photo, codes alone, tuned, difference, and the same from the other views."""
    truth = head.seen()
    course = Course(generator, framed_photo(generator, picture_of(truth)))
    last: InversionProgress = course.last
    assert last.identity is not None
    bent, camera = tuned(generator, last.identity.parameters), last.identity.camera
    usual = generator.camera
    ideal = Camera(yaw=head.yaw, pitch=head.pitch, radius=usual.radius, fov=usual.fov)
    own = generator.codes_of_latent(head.z)[0]
    columns: list[list[torch.Tensor]] = []
    scores: list[tuple[float, float, float]] = []
    for turn in (0.0, *TURNS):
        real = truth if turn == 0.0 else head.seen(turn)
        there = replace(camera, yaw=camera.yaw + turn)
        pictures = [
            shown(generator, course.before.codes, there),
            shown(bent, last.identity.codes, there),
            shown(generator, own, replace(ideal, yaw=head.yaw + turn)),
        ]
        scores.append(tuple(psnr(picture, real) for picture in pictures))  # type: ignore[arg-type]
        columns.append([real, *pictures, (0.5 + 2 * (pictures[1] - real)).clamp(0, 1)])
    if sheet is not None:
        write_png(sheet, torch.cat([torch.cat(column, 1) for column in columns], 2))
    others = torch.tensor(scores[1:]).mean(0).tolist()
    numbers = [f"{value:.2f}" for value in (*scores[0], *others)]
    apart = f"{abs(camera.yaw - head.yaw) * DEGREES:.1f} {abs(camera.pitch - head.pitch) * DEGREES:.1f}"
    print("  " + ", ".join(f"{says}: {likeness:.1f}" for says, likeness in course.stages.items()), flush=True)
    return [*numbers, apart, f"{course.wall:.0f}", f"{course.busy:.0f}", course.pace(), "poor" if last.poor else ""]


def cameras(generator: EG3DGenerator, teacher: Teacher, count: int) -> None:
    """How far the guessed camera is from the true one: yaw and pitch of portraits, degrees."""
    guess = guess_of(generator)
    if guess is None:
        print("These weights have no first guess.")
        return
    off = []
    for index in range(count):
        yaw, pitch = VIEWS[index % len(VIEWS)]
        head = Head(teacher, FIRST_DOUBT + index, yaw, pitch)
        photo = framed_photo(generator, picture_of(head.seen()))
        found = guess(photo.over(1.0), generator.camera, generator.num_layers).camera
        off.append([abs(found.yaw - yaw) * DEGREES, abs(found.pitch - pitch) * DEGREES])
    errors = torch.tensor(off)
    for name, column in zip(("yaw", "pitch"), errors.T, strict=True):
        print(
            f"{name} off by {column.median():.1f} degrees in the median, {column.mean():.1f} in the mean, "
            f"{column.quantile(0.9):.1f} in nine of ten, {column.max():.1f} at most ({count} held-out heads)"
        )


def doubt(generator: EG3DGenerator, teacher: Teacher, first: int, count: int) -> None:
    """What codes explain of held-out heads and of other things: `POOR` has to lie between."""
    directions = directions_of(generator, "heads")
    settings = replace(DEFAULT, layer_steps=0, tuning_steps=0, least=-1e9)

    def explained(rgb: torch.Tensor) -> float:
        photo = framed_photo(generator, picture_of(rgb))
        *_, last = invert(generator, photo, directions=directions, settings=settings)
        return last.explained

    made: dict[str, list[float]] = {"heads": [], "other things": []}
    for index in range(first, first + count):
        head = Head(teacher, FIRST_DOUBT + index, *VIEWS[index % len(VIEWS)])
        made["heads"].append(explained(head.seen()))
        print(f"head {FIRST_DOUBT + index}: {made['heads'][-1]:.3f}", flush=True)
    for name, draw in OTHERS.items() if first == 0 else ():
        try:
            made["other things"].append(explained(draw()))
            print(f"{name}: {made['other things'][-1]:.3f}", flush=True)
        except EditError as error:
            print(f"{name}: refused. {error}")
    for name, found in ((name, found) for name, found in made.items() if found):
        wrong = sum((value < POOR) == (name == "heads") for value in found)
        print(f"{name}: {min(found):.3f} to {max(found):.3f}; {wrong} of {len(found)} on the wrong side of {POOR}")


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=len(CAMERAS), help="held-out heads")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each head")
    parser.add_argument("--cameras", type=int, default=0, help="held-out heads whose camera is guessed, and no more")
    parser.add_argument("--doubt", type=int, help="held-out heads beside (from 0 on) pictures of other things")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    generator = open_generator("heads")
    assert isinstance(generator, EG3DGenerator)
    if given.sheets is not None:
        given.sheets.mkdir(parents=True, exist_ok=True)
    teacher = Teacher()
    if given.cameras or given.doubt is not None:
        cameras(generator, teacher, given.cameras) if given.cameras else doubt(
            generator, teacher, given.first, given.doubt
        )
        return
    names = ("codes", "tuned", "own code", "other views: codes", "tuned", "own code", "camera off, degrees")
    pieces = "pieces, ms: median, 19 of 20, longest; over 100"
    table = Table("head", *names, "wall s", "cpu s", pieces, "", title="Inversion, PSNR in dB")
    tuned_scores = []
    for index in range(given.first, min(given.first + given.heads, len(CAMERAS))):
        head = Head(teacher, FIRST_HEAD + index, *CAMERAS[index])
        sheet = None if given.sheets is None else given.sheets / f"inversion_{index}.png"
        row = measure(generator, head, sheet)
        tuned_scores.append(float(row[1]))
        print(f"head {FIRST_HEAD + index}: {'  '.join(row)}", flush=True)
        table.add_row(str(FIRST_HEAD + index), *row)
    Console(width=200).print(table)
    print(f"tuned, in the mean: {sum(tuned_scores) / len(tuned_scores):.2f} dB")


if __name__ == "__main__":
    main()
