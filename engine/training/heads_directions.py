"""Makes the named directions that ship with the heads, from the teacher's parameters.

The teacher knows of every latent whether its head wears a hat, how long its hair is and how dark its skin. The mean
change of w with such a parameter p is a direction that changes it and, because the teacher's parameters are drawn
independently, nothing else:  v = Cov(w, p) / Std(p), the displacement of w that goes with one standard deviation of p.
(InterFaceGAN, Shen et al. 2020, finds the same with a classifier's normal.) PCA (GANSpace, Harkonen et al. 2020) in
the space orthogonal to them was looked at too: its first components were parameters not yet named, which are named now,
and what is left changes nothing that one sees.

Command: ``python -m neuroview.engine.training.heads_directions --out assets/directions``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...models.catalog import open_generator
from ...models.eg3d_generator import EG3DGenerator
from ..editing.directions import Direction, write_directions
from .heads_parameters import Z_DIM, Head, heads_from_latents
from .heads_student import APPEARANCE_LAYERS, GEOMETRY_LAYERS, W_APPEARANCE, W_GEOMETRY

SEEDS = 20_000
SHAPES = {
    "Hair length": "hair_length",
    "Hair volume": "hair_volume",
    "Fringe": "fringe",
    "Hat": "hat_on",
    "Glasses": "gl",
    "Beard": "bd",
    "Smile": "smile",
    "Open mouth": "mo",
    "Eye size": "eye_size",
    "Eye height": "eye_height",
    "Eyelids": "lid",
    "Head width": "head_width",
    "Jaw": "jaw_width",
    "Chin": "jaw_length",
    "Nose": "nose_length",
    "Shoulders": "shoulder",
}
"""Name of the slider: the teacher's parameter. Switches go by their effect (hat_on), or the mean would blur them."""
COLOURS = {
    "Skin": "skin",
    "Hair lightness": "hair",
    "Hair warmth": "hair_warmth",
    "Hair dye": "vivid",
    "Dye hue": "vivid_hue",
    "Eye colour": "iris",
    "Shirt hue": "cloth_hue",
    "Shirt red": "shirt_red",
    "Shirt lightness": "cloth_light",
    "Shirt saturation": "cloth_chroma",
    "Hat colour": "accent",
    "Glasses colour": "glass_tint",
}
LIMITS = {"Skin": 2.0, "Hair lightness": 2.5}
"""Standard deviations to either side, where three leave the colours that a head may have."""


@torch.no_grad()
def heads_directions(generator: EG3DGenerator, seeds: int = SEEDS) -> tuple[Direction, ...]:
    """The directions of the heads, shapes first."""
    z = torch.randn(seeds, Z_DIM, generator=torch.Generator().manual_seed(20))
    w = generator.codes_of_latent(z)[:, 0]  # [N, W]; all layers have one w
    head = heads_from_latents(z)
    parts = (
        ("shape", SHAPES, GEOMETRY_LAYERS, slice(0, W_GEOMETRY)),
        ("colour", COLOURS, APPEARANCE_LAYERS, slice(W_GEOMETRY, W_GEOMETRY + W_APPEARANCE)),
    )
    made: list[Direction] = []
    for about, names, layers, block in parts:
        centred = torch.zeros_like(w)
        centred[:, block] = w[:, block] - w[:, block].mean(0)
        variance = float(centred.square().sum() / seeds)
        found = [(name, along(centred, parameter_of(head, key))) for name, key in names.items()]
        made += [_direction(name, v, about, layers, variance) for name, v in found]
    return tuple(made)


def parameter_of(head: Head, key: str) -> Tensor:
    """A named parameter of all heads [N], of zero mean and unit variance. A hue is a circle: 'shirt_red' is its other
    half."""
    p = head["c_shirt"][..., 0].flatten() if key == "shirt_red" else head[key].flatten()
    return (p - p.mean()) / p.std()


def along(centred: Tensor, p: Tensor) -> Tensor:
    """The displacement [W] of w that goes with one standard deviation of p: rows [N, W] of mean zero, p [N]."""
    return centred.T @ p / len(p)


def _direction(name: str, v: Tensor, about: str, layers: Sequence[int], variance: float) -> Direction:
    delta = torch.zeros(len(GEOMETRY_LAYERS) + len(APPEARANCE_LAYERS), len(v))
    delta[list(layers)] = v
    return Direction(name, delta, about, round(float(v.square().sum()) / variance, 5), LIMITS.get(name, 3.0))


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, computes and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="heads", help="the heads' weights (the shipped ones)")
    parser.add_argument("--out", type=Path, required=True, help="folder for heads.safetensors")
    given = parser.parse_args(arguments)
    generator = open_generator(given.model)
    assert isinstance(generator, EG3DGenerator)
    given.out.mkdir(parents=True, exist_ok=True)
    found = heads_directions(generator)
    write_directions(given.out / "heads.safetensors", found, generator.card.fingerprint)
    for direction in found:
        print(f"{direction.name:18} {direction.about:7} {100 * direction.explained:5.1f} % of the variance")


if __name__ == "__main__":
    main()
