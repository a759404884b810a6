"""The heads beside their teacher: held-out latents and cameras by the heads' own names; `metrics` does the measuring.

Command: ``python -m neuroview.engine.training.evaluate_heads --model DIR --out DIR``, which is
``neuroview evaluate eg3d DIR/heads.safetensors --teacher heads --out DIR``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from ...models.base import ModelCard
from ...models.eg3d import TriPlaneGenerator
from ...models.eg3d_generator import EG3DGenerator
from .camera_labels import lens_of
from .heads_parameters import Z_DIM, heads_from_latents
from .heads_student import APPEARANCE_LAYERS, GEOMETRY_LAYERS
from .metrics import command
from .metrics.pictures import psnr
from .metrics.sheets import write_png
from .metrics.views import Pose, Subject, View, held_out_latent
from .sphere_trace import FOCAL, Teacher, look_at_origin, render

__all__ = ["Judge", "camera", "latent", "psnr", "write_png"]

PITCH = 0.08


def latent(seed: int) -> Tensor:
    """A held-out latent [1, 64]; training draws from other seeds' streams."""
    return held_out_latent(seed, Z_DIM)


def camera(yaw: float, pitch: float = PITCH) -> Tensor:
    """One camera [1, 4, 4] that looks at the origin; radians."""
    return look_at_origin(torch.tensor([yaw]), torch.tensor([pitch]))


class Judge:
    """Renders both sides of a comparison, for a network in training."""

    def __init__(self, network: TriPlaneGenerator, teacher: Teacher) -> None:
        made = EG3DGenerator(
            network,
            ModelCard("heads", "eg3d", "Heads"),
            geometry_layers=GEOMETRY_LAYERS,
            appearance_layers=APPEARANCE_LAYERS,
        )
        self.teacher, self.size = teacher, network.config.image_resolution
        self._subject = Subject(made)

    def student(self, geometry: Tensor, appearance: Tensor, cam2world: Tensor) -> View:
        """The student's view of a geometry latent [1, 64] under an appearance latent, from cam2world [1, 4, 4]."""
        return self._subject.look(self._subject.codes(geometry, appearance), Pose(cam2world[0], lens_of(FOCAL)))

    def truth(self, geometry: Tensor, appearance: Tensor, cam2world: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's picture [3, 256, 256] and coverage [256, 256]."""
        rgb, coverage, _ = render(self.teacher, heads_from_latents(geometry, appearance), cam2world, self.size)
        return rgb[0], coverage[0]


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, measures and draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder with heads.safetensors and heads.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for metrics.json and pictures")
    parser.add_argument("--count", type=int, default=command.HELD_OUT, help="held-out latents to measure")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile")
    given = parser.parse_args(arguments)
    line = [str(given.model / "heads.safetensors"), "--teacher", "heads", "--out", str(given.out)]
    line += ["--count", str(given.count), *(["--no-compile"] if given.no_compile else [])]
    options = argparse.ArgumentParser()
    command.add_arguments(options)
    command.main(options.parse_args(line, argparse.Namespace(what="eg3d")))


if __name__ == "__main__":
    main()
