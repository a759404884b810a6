"""Trains the heads' first guess (`engine/editing/first_guess.py`) from the generator's own pictures.

Seeds that nobody uses are drawn from random sides at 24 x 24, with a little roll, zoom and shift; a perceptron learns
to read codes and camera off the principal components of the pixels. Sides from which portraits are taken come more
often.

Command: ``python -m neuroview.engine.training.heads_guess --out assets/guesses``
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Generator
from ...models.catalog import open_generator
from ..camera import camera_matrices
from ..editing.first_guess import POSE, SIDE, FirstGuess
from ..editing.guided_render import place_samples, render_placed
from ..state import Camera

FIRST_SEED = 3_000_000
FRONTAL, OFTEN = 1.4, 0.75
"""Radians of yaw that are portraits, and the part of all pictures that lies within."""
PIXELS, HIDDEN, CODES = 128, (320, 256), 64
NOISE = 0.03
HELD_OUT = 0.05


@torch.no_grad()
def pictures(generator: Generator, seeds: int, views: int = 3) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(picture [3, 24, 24] in 0..1, codes [L, W], pose [7]) of random seeds from random sides."""
    usual, source = generator.camera, np.random.RandomState(0)
    everywhere = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        codes = generator.codes(seed)
        scene = generator.scene(codes)
        for _ in range(views):
            yaw = float(
                source.uniform(-FRONTAL, FRONTAL) if source.rand() < OFTEN else source.uniform(-math.pi, math.pi)
            )
            pitch = float(np.clip(source.normal(0.06, 0.17), -0.45, 0.55))
            roll, zoom = source.normal(0, 0.03, 2).tolist()
            across, down = source.normal(0, 0.006, 2).tolist()
            camera = Camera(yaw=yaw, pitch=pitch, roll=roll, radius=usual.radius, fov=usual.fov, pivot=usual.pivot)
            camera = replace(camera, fov=2 * math.atan(math.tan(0.5 * usual.fov) / math.exp(zoom)))
            cam2world, intrinsics = (torch.from_numpy(m).float() for m in camera_matrices(camera, usual))
            cam2world[:3, 3] += usual.radius * (across * cam2world[:3, 0] + down * cam2world[:3, 1])
            place = place_samples(scene, cam2world, intrinsics, SIDE, 6, coarse=16, wanted=everywhere)
            drawn = render_placed(scene, cam2world, intrinsics, place).features[:3].clamp(0, 1)
            yield drawn, codes, torch.tensor([math.sin(yaw), math.cos(yaw), pitch, roll, zoom, across, down])


def fitted(drawn: Tensor, codes: Tensor, poses: Tensor, fingerprint: str, epochs: int = 60) -> FirstGuess:
    """Trains on pictures [N, 3, 24, 24], codes [N, L or 1, W] and poses [N, 7]; prints what held-out ones give."""
    torch.manual_seed(0)
    count, depth, width = codes.shape
    pixels = drawn.flatten(1)
    mean = pixels.mean(0)
    spread, axes = _principal(pixels - mean, PIXELS)
    axes = axes / spread.clamp_min(0.02 * spread[0])[:, None]  # white, but for the faintest
    code_mean = codes.mean(0)
    deviations, directions = _principal((codes - code_mean).flatten(1), CODES)
    basis = (directions * deviations[:, None]).view(-1, depth, width)
    coefficients = (codes - code_mean).flatten(1) @ directions.T / deviations
    scale = poses.square().mean(0).sqrt()
    wanted = torch.cat([coefficients, poses / scale], 1)
    weight = torch.cat([deviations.square() / deviations.square().mean(), torch.tensor([8.0, 8, 4, 1, 1, 1, 1])])

    sizes = (len(axes), *HIDDEN, wanted.shape[1])
    layers: dict[str, Tensor] = {}
    for index in range(len(sizes) - 1):
        layers[f"{index}.weight"] = torch.randn(sizes[index + 1], sizes[index]) * sizes[index] ** -0.5
        layers[f"{index}.bias"] = torch.zeros(sizes[index + 1])
    trained = [value.requires_grad_(True) for value in layers.values()]
    fixed = {"mean": mean, "axes": axes, "code_mean": code_mean, "code_basis": basis, "pose_scale": scale}
    guess = FirstGuess({**fixed, **layers}, fingerprint)
    optimiser = torch.optim.AdamW(trained, lr=2e-3, weight_decay=0.1)
    held = max(1, int(HELD_OUT * count))
    white = (pixels - mean) @ axes.T
    steps = max(1, (count - held) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=epochs * steps)
    for epoch in range(epochs):
        order = torch.randperm(count - held)[: steps * 128].view(steps, -1)
        for chosen in order:
            x = white[chosen]
            x = x + (NOISE * torch.randn(len(chosen), pixels.shape[1])) @ axes.T
            loss = ((guess.numbers(x) - wanted[chosen]).square() * weight).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
        if epoch % 10 == 9:
            with torch.no_grad():
                off = (guess.numbers(white[-held:]) - wanted[-held:]) * torch.cat([torch.ones(len(basis)), scale])
            explained = 1 - float((off[:, :-POSE].square() @ deviations.square()).mean() / deviations.square().sum())
            angle = F.normalize(poses[-held:, :2], dim=1) - F.normalize(
                poses[-held:, :2] + off[:, -POSE : 2 - POSE], dim=1
            )
            yaw = angle.norm(dim=1)
            print(
                f"epoch {epoch + 1}: loss {float(loss.detach()):.3f}; held out: {100 * explained:.0f} % of the codes' "
                f"variance, yaw off {float(yaw.median()):.3f} (9 of 10 under {float(yaw.quantile(0.9)):.3f}), pitch "
                f"{float(off[:, 2 - POSE].abs().median()):.3f} rad",
                flush=True,
            )
    return FirstGuess({name: value.detach() for name, value in guess.tensors.items()}, fingerprint)


def _principal(centred: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Standard deviations [K] and axes [K, M] of rows [N, M], by falling deviation."""
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    return values.flip(0)[:most].clamp_min(1e-12).sqrt(), vectors.T.flip(0)[:most].contiguous()


def main() -> None:
    """Parses the command line, draws, trains and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="heads")
    parser.add_argument("--seeds", type=int, default=3000)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    generator = open_generator(given.model)
    drawn, codes, poses = (torch.stack(parts) for parts in zip(*pictures(generator, given.seeds), strict=True))
    if bool((codes[:8] == codes[:8, :1]).all()):  # all layers have one w
        codes = codes[:, :1]
    given.out.mkdir(parents=True, exist_ok=True)
    fitted(drawn, codes, poses, generator.card.fingerprint).write(given.out / f"{given.model}.safetensors")


if __name__ == "__main__":
    main()
