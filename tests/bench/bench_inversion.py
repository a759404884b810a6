"""How near an inversion comes to held-out heads of the procedural teacher, from the photo's side and from others.

    python tests/bench/bench_inversion.py [--heads N] [--threads N] [--sheets DIR]

The teacher draws a head whose latent the generator was never trained on, from a camera that is not told; the inversion
gets the 256 x 256 picture and nothing else. PSNR is against the teacher's own pictures, by the exact renderer: of the
codes alone, after pivotal tuning, and of the code that the mapping network gives for the head's true latent, which is
what distillation reached. 'Other views' turn camera and teacher by the same angles. Wall time depends on who else uses
the machine; processor seconds do less so. What the teacher cannot do (a photo of something else) comes last.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.editing.directions import directions_of
from neuroview.engine.editing.framing import framed_photo
from neuroview.engine.editing.inversion import InversionProgress, invert
from neuroview.engine.editing.perceptual import psnr
from neuroview.engine.editing.photo import Photo, picture_of
from neuroview.engine.editing.pivotal import tuned
from neuroview.engine.rendering.exact import render_exact, render_image
from neuroview.engine.state import Camera
from neuroview.engine.training.evaluate_heads import latent, write_png
from neuroview.engine.training.heads_parameters import heads_from_latents
from neuroview.engine.training.sphere_trace import Teacher, look_at_origin, render
from neuroview.models.base import Generator
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d_generator import EG3DGenerator
from rich.console import Console
from rich.table import Table

FIRST_HEAD = 300
CAMERAS = ((0.35, 0.05), (-0.5, 0.15), (0.0, 0.0), (0.7, -0.05), (-0.2, 0.25))
"""Yaw and pitch of each head's photo, radians."""
TURNS = (-0.6, 0.6, 1.5)
"""Yaw of the other views, away from the photo's."""
SIDE = 256


class Head:
    """One held-out head of the teacher."""

    def __init__(self, teacher: Teacher, seed: int, yaw: float, pitch: float) -> None:
        self.z = latent(seed)
        self.yaw, self.pitch = yaw, pitch
        self._teacher, self._head = teacher, heads_from_latents(self.z)

    def seen(self, turn: float = 0.0) -> torch.Tensor:
        """The teacher's picture [3, 256, 256]."""
        camera = look_at_origin(torch.tensor([self.yaw + turn]), torch.tensor([self.pitch]))
        return render(self._teacher, self._head, camera, SIDE)[0][0]


@torch.inference_mode()
def shown(generator: Generator, codes: torch.Tensor, camera: Camera) -> torch.Tensor:
    """The exact renderer's picture [3, 256, 256]."""
    matrices = [torch.from_numpy(m).float() for m in camera_matrices(camera, generator.camera)]
    scene = generator.scene(codes)
    return render_image(scene, render_exact(scene, *matrices)).clamp(0, 1)


def inverted(generator: Generator, photo: Photo) -> tuple[InversionProgress, InversionProgress, float, float, float]:
    """The last progress before tuning, the last of all, wall and processor seconds, and the longest piece's ms."""
    directions = directions_of(generator, "heads")
    wall, busy = time.perf_counter(), time.process_time()
    before = last = None
    longest, since = 0.0, busy
    for progress in invert(generator, photo, directions=directions):
        longest, since = max(longest, time.process_time() - since), time.process_time()
        if progress.identity is not None and not progress.identity.parameters:
            before = progress
        last = progress
    assert before is not None
    assert last is not None
    return before, last, time.perf_counter() - wall, time.process_time() - busy, 1000 * longest


def measure(generator: EG3DGenerator, head: Head, sheet: Path | None) -> list[str]:
    """One row of the table; draws photo, codes alone, tuned, and the same from the other views."""
    truth = head.seen()
    before, last, wall, busy, longest = inverted(generator, framed_photo(generator, picture_of(truth)))
    assert before.identity is not None
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
            shown(generator, before.identity.codes, there),
            shown(bent, last.identity.codes, there),
            shown(generator, own, replace(ideal, yaw=head.yaw + turn)),
        ]
        scores.append(tuple(psnr(picture, real) for picture in pictures))  # type: ignore[arg-type]
        columns.append([real, *pictures])
    if sheet is not None:
        write_png(sheet, torch.cat([torch.cat(column, 1) for column in columns], 2))
    others = torch.tensor(scores[1:]).mean(0).tolist()
    numbers = [f"{value:.2f}" for value in (*scores[0], *others)]
    apart = f"{abs(camera.yaw - head.yaw):.2f} {abs(camera.pitch - head.pitch):.2f}"
    return [*numbers, apart, f"{wall:.0f}", f"{busy:.0f}", f"{longest:.0f}", "poor" if last.poor else ""]


def something_else() -> torch.Tensor:
    """A picture [3, 256, 256] that no head looks like: coloured stripes."""
    y, x = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    return torch.stack([0.5 + 0.5 * torch.sin(40 * x), y, 0.5 + 0.5 * torch.sin(30 * (x + y))])


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=len(CAMERAS), help="held-out heads")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each head")
    parser.add_argument("--no-other", action="store_true", help="leave out the photo of something else")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    generator = open_generator("heads")
    assert isinstance(generator, EG3DGenerator)
    if given.sheets is not None:
        given.sheets.mkdir(parents=True, exist_ok=True)
    teacher = Teacher()
    names = ("codes", "tuned", "own code", "other views: codes", "tuned", "own code", "camera off, rad")
    table = Table("head", *names, "wall s", "cpu s", "longest piece, ms", "", title="Inversion, PSNR in dB")
    for index in range(given.first, min(given.first + given.heads, len(CAMERAS))):
        head = Head(teacher, FIRST_HEAD + index, *CAMERAS[index])
        sheet = None if given.sheets is None else given.sheets / f"inversion_{index}.png"
        row = measure(generator, head, sheet)
        print(f"head {index}: {'  '.join(row)}", flush=True)
        table.add_row(str(index), *row)
    Console(width=160).print(table)
    if not given.no_other:
        *_, last = invert(generator, framed_photo(generator, picture_of(something_else())))
        print(f"Something else: {last.says}")


if __name__ == "__main__":
    main()
