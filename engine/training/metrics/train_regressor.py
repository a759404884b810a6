"""Trains the network whose features carry our Frechet distance, on pictures of a teacher.

Command: ``python -m neuroview.engine.training.metrics.train_regressor --teacher heads --count 4000 --out DIR``
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ..picture_teachers import TEACHERS, PictureTeacher, open_teacher
from ..teacher_pictures import drawn_pictures
from ..translator_metrics.frechet import moments
from .regressor import SIDE, ParameterRegressor, Reference, save

SEED = 1
"""Of the pictures; `neuroview train pictures` draws from seed 0."""
HELD_OUT = 0.1
BATCH = 64
RATE = 2e-3
SHIFT = 2
"""Pixels by which pictures are moved at random: a small set teaches the place of things otherwise."""
NOISE = 0.02


def targets(teacher: PictureTeacher, labels: Tensor, z: Tensor) -> Tensor:
    """What is to be read off a picture: parameters in -1..1 and the camera's direction, [N, P + 3]."""
    position = labels[:, [3, 7, 11]]
    return torch.cat([2 * teacher.parameters(z) - 1, F.normalize(position, dim=1)], 1)


def trained(
    pictures: Tensor, wanted: Tensor, steps: int, every: int = 100
) -> tuple[ParameterRegressor, dict[str, float]]:
    """Trains on pictures [N, 3, 64, 64] uint8 and targets [N, P + 3]; prints what held-out ones give.

    Returns:
        The averaged network, and the part of the targets' variance that it reads off held-out pictures: of all
        parameters ('explained'), of the best quarter of them and of the camera.
    """
    torch.manual_seed(0)
    held = round(HELD_OUT * len(pictures))
    network = ParameterRegressor(wanted.shape[1] - 3)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    scores: dict[str, float] = {}
    for step in range(steps):
        chosen = torch.randint(held, len(pictures), (BATCH,))
        given = pictures[chosen].float() / 255
        x, y = (int(v) for v in torch.randint(-SHIFT, SHIFT + 1, (2,)))
        given = F.pad(given, (SHIFT,) * 4, mode="replicate")[..., SHIFT + y :, SHIFT + x :][..., :SIDE, :SIDE]
        loss = F.mse_loss(network(given + NOISE * torch.randn_like(given)), wanted[chosen])
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update_parameters(network)
        if (step + 1) % every == 0 or step + 1 == steps:
            scores = _explained(average.module, pictures[:held], wanted[:held])
            print(json.dumps({"step": step + 1, "loss": round(float(loss.detach()), 4), **scores}), flush=True)
    network.load_state_dict(average.module.state_dict())
    return network.eval().requires_grad_(False), scores


@torch.no_grad()
def _explained(network: torch.nn.Module, pictures: Tensor, wanted: Tensor) -> dict[str, float]:
    error = (network(pictures.float() / 255) - wanted).square().mean(0)
    part = 1 - error / wanted.var(0).clamp_min(1e-6)
    parameters = part[:-3].sort(descending=True).values
    return {
        "explained": round(float(parameters.mean()), 4),
        "best_quarter": round(float(parameters[: max(len(parameters) // 4, 1)].mean()), 4),
        "camera": round(float(part[-3:].mean()), 4),
    }


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, draws pictures, trains and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", choices=tuple(TEACHERS), default="heads")
    parser.add_argument("--count", type=int, default=4000, help="pictures (4000)")
    parser.add_argument("--steps", type=int, default=1500, help="updates of 64 pictures (1500)")
    parser.add_argument("--out", type=Path, required=True, help="folder for TEACHER_regressor.safetensors")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile (needs a C++ compiler)")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    teacher = open_teacher(given.teacher, compile=not given.no_compile)
    pictures, wanted = [], []
    for drawn, labels, z in drawn_pictures(teacher, given.count, SIDE, SEED):
        pictures.append((drawn * 255).round().byte())
        wanted.append(targets(teacher, labels, z))
    write(given.out, teacher, torch.cat(pictures), torch.cat(wanted), given.steps)


def write(out: Path, teacher: PictureTeacher, pictures: Tensor, wanted: Tensor, steps: int) -> Reference:
    """Trains, measures the features of all pictures, and writes the reference."""
    network, _ = trained(pictures, wanted, steps)
    features = torch.cat([network.features(part.float() / 255) for part in pictures.split(256)])
    reference = Reference(teacher.name, network, *moments(features.numpy()), len(pictures))
    save(out / f"{teacher.name}_regressor.safetensors", reference)
    return reference


if __name__ == "__main__":
    main()
