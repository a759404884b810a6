"""From two seeds and their sliders to the codes of one identity, the same way for every family."""

from __future__ import annotations

from torch import Tensor

from ..models.base import Generator
from .state import Latents


def seed_codes(generator: Generator, latents: Latents, seed: int) -> Tensor:
    """Codes `[num_layers, width]` of one seed under the state's truncation and conditioning camera."""
    return generator.codes(
        seed, truncation=latents.truncation, cutoff=latents.cutoff, conditioning=latents.conditioning
    )


def layer_weights(generator: Generator, latents: Latents) -> list[float]:
    """For each layer, how much of seed B it takes, 0..1.

    Geometry layers follow `mix_geometry`, all others `mix_appearance`; an entry of `layer_mix` overrides either.
    """
    geometry = set(generator.geometry_layers)
    weights = [
        latents.mix_geometry if layer in geometry else latents.mix_appearance for layer in range(generator.num_layers)
    ]
    for layer, own in enumerate(latents.layer_mix[: len(weights)]):
        if own is not None:
            weights[layer] = own
    return weights


def mix_codes(codes_a: Tensor, codes_b: Tensor, weights: list[float]) -> Tensor:
    """codes = (1 - m) codes_a + m codes_b with one m a layer; both `[num_layers, width]`."""
    share = codes_a.new_tensor(weights)[:, None]
    return codes_a * (1 - share) + codes_b * share
