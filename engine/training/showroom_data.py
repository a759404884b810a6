"""Writes the showroom as a data folder like NeRF's synthetic scenes: pictures with alpha, depth, transforms_*.json.

Command: ``python -m neuroview.engine.training.showroom_data --out DIR [--train N] [--held-out N] [--size PIXELS]``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .showroom_render import FOV, even_cameras, render
from .task import TrainingError

DEPTH_UNIT = 1000.0
"""Depth pictures hold thousandths of a world unit in 16 bits, as nerfstudio reads them; 0: nothing there."""
_TO_OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))


def write_showroom(
    folder: Path,
    *,
    train: int = 100,
    held_out: int = 20,
    size: int = 256,
    samples: int = 2,
    device: str | torch.device = "cpu",
    told: Callable[[str], None] = lambda line: None,
) -> Path:
    """Renders the scene from all sides; pictures that are there already are kept, so a killed run can go on.

    Args:
        folder: where to; it then holds transforms_train.json, transforms_val.json, train/ and val/.
        train: pictures to learn from.
        held_out: pictures to measure on, from between them.
        size: side of a picture, pixels.
        samples: rays along each side of a pixel.
        device: where to compute.
        told: receives a line now and then.

    Returns:
        The folder.

    Raises:
        TrainingError: it cannot be written.
    """
    if min(train, held_out, size, samples) < 1:
        raise TrainingError(f"showroom: {train} + {held_out} pictures of {size} pixels; expected at least 1 of each")
    try:
        for name, cameras in (("train", even_cameras(train)), ("val", even_cameras(held_out, 0.10, 1.20))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            frames = []
            for index, camera in enumerate(cameras):
                path = folder / name / f"{index:03d}.png"
                depth = path.with_name(f"{index:03d}_depth.png")
                if not (path.is_file() and depth.is_file() and _side(path) == size):
                    _write(path, depth, camera.to(device), size, samples)
                    told(f"showroom: {name} {index + 1} of {len(cameras)}")
                frames.append(
                    {
                        "file_path": f"{name}/{path.name}",
                        "depth_file_path": f"{name}/{depth.name}",
                        "transform_matrix": (camera @ _TO_OPENGL).tolist(),
                    }
                )
            contents = {"camera_angle_x": FOV, "w": size, "h": size, "depth_along": "ray", "frames": frames}
            (folder / f"transforms_{name}.json").write_text(json.dumps(contents, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder


def _side(path: Path) -> int:
    with Image.open(path) as picture:
        return picture.size[0]


def _write(path: Path, depth: Path, camera: Tensor, size: int, samples: int) -> None:
    made = render(camera, size, samples=samples)
    rgba = torch.cat([made.rgb, made.alpha[..., None]], -1).clamp(0, 1).mul(255).round().byte().cpu().numpy()
    far = (torch.where(made.depth.isfinite(), made.depth, 0.0) * DEPTH_UNIT).round().cpu().numpy().astype(np.uint16)
    Image.fromarray(far).save(depth)
    # The picture last, and at once: it is the sign that both are whole.
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    Image.fromarray(rgba).save(unfinished, "PNG")
    unfinished.replace(path)


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder; pictures that it holds already are kept")
    parser.add_argument("--train", type=int, default=100, help="pictures to learn from (100)")
    parser.add_argument("--held-out", type=int, default=20, help="pictures to measure on (20)")
    parser.add_argument("--size", type=int, default=256, help="side of a picture, pixels (256)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:0 (auto)")
    given = parser.parse_args(arguments)
    device = given.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    write_showroom(
        given.out,
        train=given.train,
        held_out=given.held_out,
        size=given.size,
        device=device,
        told=lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    main()
