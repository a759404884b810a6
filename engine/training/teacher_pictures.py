"""`neuroview train pictures`: pictures of a procedural teacher, in the format that pure GAN training reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.errors import NeuroviewError
from .camera_labels import joined_label, lens_of
from .image_folder import PictureWriter
from .picture_teachers import TEACHERS, PictureTeacher, open_teacher

BATCH = 8
FINER = 2
"""Pictures are rendered this much larger and averaged down: a GAN would copy a jagged edge."""


@torch.no_grad()
def drawn_pictures(
    teacher: PictureTeacher, count: int, size: int, seed: int = 0
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of pictures [B, 3, size, size] in 0..1, their labels [B, 25] and latents [B, z_dim].

    The i-th picture of a seed is the same whatever `count` is, to whole batches.
    """
    for start in range(0, count, BATCH):
        torch.manual_seed((seed << 32) + start)
        b = min(BATCH, count - start)
        z, cameras = torch.randn(b, teacher.z_dim), teacher.cameras(b)
        rgb, _, _ = teacher.render(z, z, cameras, size * FINER)
        yield F.avg_pool2d(rgb, FINER), joined_label(cameras, lens_of(teacher.focal)), z


def write_pictures(teacher: PictureTeacher, path: Path, count: int, size: int, seed: int = 0) -> Iterator[int]:
    """Writes them as a zip; yields how many are done.

    Raises:
        DataError: the zip cannot be written.
    """
    done = 0
    with PictureWriter(path) as writer:
        for pictures, labels, _ in drawn_pictures(teacher, count, size, seed):
            for picture, label in zip(pictures, labels, strict=True):
                writer.add(picture, label)
            done += len(pictures)
            yield done


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be typed after `neuroview train pictures`."""
    parser.description = (
        "Writes pictures of a procedural teacher with their cameras as a zip in EG3D's format (dataset.json), for "
        "`neuroview train eg3d --data FILE.zip`."
    )
    parser.add_argument("--teacher", choices=tuple(TEACHERS), default="heads", help="whose pictures (default heads)")
    parser.add_argument("--count", type=_count, default=2000, help="how many (default 2000)")
    parser.add_argument("--size", type=_size, default=128, help="side in pixels (default 128)")
    parser.add_argument("--seed", type=_seed, default=0, help="other seeds give other pictures (default 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile (needs a C++ compiler)")


def main(options: argparse.Namespace) -> int:
    """Renders and writes; returns the exit code.

    Raises:
        NeuroviewError: the file cannot be written.
    """
    from rich.console import Console
    from rich.progress import track

    if options.out.suffix.lower() != ".zip":
        raise NeuroviewError(f"--out is {options.out}; expected a name that ends in .zip.")
    teacher = open_teacher(options.teacher, compile=not options.no_compile)
    steps = -(-options.count // BATCH)
    console = Console(stderr=True)
    for _ in track(
        write_pictures(teacher, options.out, options.count, options.size, options.seed),
        f"{options.count} {options.teacher}",
        total=steps,
        console=console,
        disable=not sys.stderr.isatty(),
    ):
        pass
    print(f"{options.out}: {options.count} pictures of {options.size} x {options.size} with cameras")
    return 0


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is outside 1..1000000")
    return value


def _size(text: str) -> int:
    value = int(text)
    if not 8 <= value <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is outside 8..1024")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..2147483647")
    return value
