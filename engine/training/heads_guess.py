"""Trains the heads' first guess (`engine/editing/first_guess.py`) on pictures of the procedural teacher.

Heads that nobody else uses, each drawn once from a random side; a small convolutional network learns to read w and the
camera off the picture. Roll, zoom and shift are put into the drawn pictures anew at every look, because all three only
move a picture within its plane. Sides from which portraits are taken come more often. About eight minutes of one core.

Command: ``python -m neuroview.engine.training.heads_guess --out assets/guesses``
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.catalog import open_generator
from ...models.eg3d_generator import EG3DGenerator
from ..editing.first_guess import POSE, SIDE, FirstGuess
from .heads_parameters import Z_DIM, heads_from_latents
from .sphere_trace import FOCAL, Teacher, look_at_origin, render

LATENT_SEED = 31
FRONTAL, OFTEN = 1.4, 0.75
"""Radians of yaw that are portraits, and the part of all pictures that lies within."""
PITCH = (0.06, 0.18)
"""Mean and standard deviation, radians; kept within what the heads were trained on."""
ROLL, ZOOM, SHIFT = 0.04, 0.06, 0.008
"""Standard deviations: radians, of the logarithm, in parts of the camera's distance."""
SOFTENED = 0.4
"""Part of the pictures that are looked at blurred: a model's own are softer than its teacher's."""
NOISE = 0.02
AT_ONCE, BATCH = 16, 128
HELD_OUT = 0.04
CODES = 96
"""Principal axes of w that are read."""
CONVOLUTIONS = ((24, 5), (48, 3), (96, 3), (128, 3))
"""Channels and kernel of each; each halves the picture."""
HIDDEN = 256
POSE_WEIGHT = (8.0, 8.0, 4.0, 1.0, 1.0, 1.0, 1.0)
"""In the loss, beside 1 for the mean number of w."""

Batch = tuple[Tensor, Tensor, Tensor]


@torch.no_grad()
def pictures(generator: EG3DGenerator, teacher: Teacher, heads: int) -> Iterator[Batch]:
    """Pictures [B, 3, 64, 64] in 0..1, w [B, W] and (yaw, pitch) [B, 2] of heads that are drawn once each."""
    source = torch.Generator().manual_seed(LATENT_SEED)
    for start in range(0, heads, AT_ONCE):
        count = min(AT_ONCE, heads - start)
        z = torch.randn(count, Z_DIM, generator=source)
        around = torch.rand(count, generator=source) >= OFTEN
        yaw = (torch.rand(count, generator=source) * 2 - 1) * torch.where(around, math.pi, FRONTAL)
        pitch = (PITCH[0] + PITCH[1] * torch.randn(count, generator=source)).clamp(-0.45, 0.55)
        drawn = render(teacher, heads_from_latents(z), look_at_origin(yaw, pitch), SIDE)[0]
        yield drawn, generator.codes_of_latent(z)[:, 0], torch.stack([yaw, pitch], 1)


def looked_at(drawn: Tensor, sides: Tensor, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """The same pictures as a photographer might have taken them.

    Args:
        drawn: [B, 3, S, S] on white.
        sides: [B, 2] yaw and pitch.
        source: of randomness.

    Returns:
        Pictures [B, 3, S, S], rolled, zoomed, shifted, some of them softened; poses [B, 7] as `FirstGuess` reads them.
    """
    count = len(drawn)
    roll, zoom, across, down = (torch.randn(4, count, generator=source).T * torch.tensor([ROLL, ZOOM, SHIFT, SHIFT])).T
    # Where a pixel of the new picture was in the drawn one: undo the zoom, then the shift, then the roll.
    size, turn, tilt = (-zoom).exp(), roll.cos(), roll.sin()
    right, below = 2 * FOCAL * across, 2 * FOCAL * down  # grids reach from -1 to 1
    place = torch.stack(
        [
            torch.stack([turn * size, -tilt * size, turn * right - tilt * below], 1),
            torch.stack([tilt * size, turn * size, tilt * right + turn * below], 1),
        ],
        1,
    )
    grid = F.affine_grid(place, list(drawn.shape), align_corners=False)
    seen = 1 - F.grid_sample(1 - drawn, grid, align_corners=False)
    soft = F.interpolate(F.avg_pool2d(seen, 2), scale_factor=2, mode="bilinear", align_corners=False)
    seen = torch.where((torch.rand(count, generator=source) < SOFTENED)[:, None, None, None], soft, seen)
    seen = seen + NOISE * torch.randn(seen.shape, generator=source)
    yaw, pitch = sides.unbind(1)
    return seen, torch.stack([yaw.sin(), yaw.cos(), pitch, roll, zoom, across, down], 1)


def fitted(drawn: Tensor, codes: Tensor, sides: Tensor, fingerprint: str, epochs: int = 28) -> FirstGuess:
    """Trains; prints what held-out pictures give.

    Args:
        drawn: [N, 3, 64, 64] in 0..1, or as bytes.
        codes: w [N, W].
        sides: yaw and pitch [N, 2].
        fingerprint: of the generator's weights.
        epochs: looks at every picture.
    """
    torch.manual_seed(0)
    source = torch.Generator().manual_seed(0)
    count, width = codes.shape
    mean = codes.mean(0)
    deviations, axes = _principal(codes - mean, min(CODES, width, count - 1))
    coefficients = (codes - mean) @ axes.T / deviations
    scale = looked_at(drawn[:512].float(), sides[:512], source)[1].square().mean(0).sqrt().clamp_min(1e-3)
    weight = torch.cat([deviations.square() / deviations.square().mean(), torch.tensor(POSE_WEIGHT)])
    fixed = {"code_mean": mean[None], "code_basis": (axes * deviations[:, None])[:, None], "pose_scale": scale}
    layers = _fresh(len(axes) + POSE)
    trained = [value.requires_grad_(True) for value in layers.values()]
    guess = FirstGuess({**fixed, **layers}, fingerprint)

    held = max(1, int(HELD_OUT * count))
    batch = min(BATCH, count - held)
    steps = (count - held) // batch
    optimiser = torch.optim.AdamW(trained, lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=epochs * steps)
    for epoch in range(epochs):
        order = torch.randperm(count - held, generator=source)[: steps * batch].view(steps, batch)
        for chosen in order:
            seen, poses = looked_at(_unit(drawn[chosen]), sides[chosen], source)
            with torch.autocast("cpu", torch.bfloat16):
                found = guess.numbers(seen)
            wanted = torch.cat([coefficients[chosen], poses / scale], 1)
            loss = ((found.float() - wanted).square() * weight).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
        if epoch % 5 == 4 or epoch == epochs - 1:
            print(
                f"epoch {epoch + 1}: {_held_out(guess, drawn[-held:], coefficients[-held:], sides[-held:])}", flush=True
            )
    return FirstGuess({name: value.detach() for name, value in guess.tensors.items()}, fingerprint)


@torch.no_grad()
def _held_out(guess: FirstGuess, drawn: Tensor, coefficients: Tensor, sides: Tensor) -> str:
    seen, poses = looked_at(_unit(drawn), sides, torch.Generator().manual_seed(1))
    found = guess.numbers(seen)
    basis = guess.tensors["code_basis"].square().sum((1, 2))
    wrong = ((found[:, :-POSE] - coefficients).square() @ basis).mean() / basis.sum()
    pose = found[:, -POSE:] * guess.tensors["pose_scale"]
    turn = torch.atan2(pose[:, 0], pose[:, 1]) - sides[:, 0]
    yaw = torch.rad2deg(torch.atan2(turn.sin(), turn.cos()).abs())
    pitch = torch.rad2deg((pose[:, 2] - poses[:, 2]).abs())
    return (
        f"{100 * (1 - float(wrong)):.0f} % of the variance of w, yaw off {yaw.median():.1f} degrees "
        f"(nine of ten under {yaw.quantile(0.9):.1f}), pitch {pitch.median():.1f}"
    )


def _fresh(outputs: int) -> dict[str, Tensor]:
    """Weights to begin with."""
    layers: dict[str, Tensor] = {}
    before = 3
    for index, (channels, kernel) in enumerate(CONVOLUTIONS):
        fan = before * kernel * kernel
        layers[f"convolution.{index}.weight"] = torch.randn(channels, before, kernel, kernel) * math.sqrt(2 / fan)
        layers[f"convolution.{index}.bias"] = torch.zeros(channels)
        before = channels
    sizes = (before * (SIDE >> len(CONVOLUTIONS)) ** 2, HIDDEN, outputs)
    for index in range(len(sizes) - 1):
        layers[f"linear.{index}.weight"] = torch.randn(sizes[index + 1], sizes[index]) * sizes[index] ** -0.5
        layers[f"linear.{index}.bias"] = torch.zeros(sizes[index + 1])
    return layers


def _unit(drawn: Tensor) -> Tensor:
    return drawn.float() / 255 if drawn.dtype == torch.uint8 else drawn


def _principal(centred: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Standard deviations [K] and axes [K, M] of rows [N, M], by falling deviation."""
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    return values.flip(0)[:most].clamp_min(1e-12).sqrt(), vectors.T.flip(0)[:most].contiguous()


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, draws, trains and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=18_000, help="that are drawn")
    parser.add_argument("--epochs", type=int, default=28)
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile (needs a C++ compiler)")
    parser.add_argument("--model", default="heads", help="the heads' weights (the shipped ones)")
    parser.add_argument("--out", type=Path, required=True, help="folder for heads.safetensors")
    given = parser.parse_args(arguments)
    generator = open_generator(given.model)
    assert isinstance(generator, EG3DGenerator)
    teacher = Teacher(compile=not given.no_compile)
    parts = [((d * 255).round().byte(), c, s) for d, c, s in pictures(generator, teacher, given.heads)]
    drawn, codes, sides = (torch.cat(column) for column in zip(*parts, strict=True))
    print(f"{len(drawn)} heads drawn", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    guess = fitted(drawn, codes, sides, generator.card.fingerprint, given.epochs)
    guess.write(given.out / "heads.safetensors")


if __name__ == "__main__":
    main()
