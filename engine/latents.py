"""From two seeds and their sliders to the codes of one identity, the same way for every family."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..models.base import Generator
from .editing.errors import EditError
from .editing.side_files import SideFiles
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


def identity_codes(files: SideFiles, name: str, generator: Generator) -> Tensor:
    """Codes `[num_layers, width]` of the identity that `name` stands for (an inverted photo), in place of seed A's.

    Raises:
        EditError: its side file is missing or damaged, or it was made with a model of other layers.
    """
    from .editing.identity import identity_codes as stored

    codes = stored(files, name)
    if len(codes) != generator.num_layers:
        raise EditError(
            f"The identity has {len(codes)} layers, and this model has {generator.num_layers}. Open the model that it "
            "was made with, or go back to a seed."
        )
    return codes


def identity_parameters(files: SideFiles, name: str) -> Mapping[str, Tensor]:
    """Deltas of the generator's own tensors that belong to an identity; none where there is no identity."""
    if not name:
        return {}
    from .editing.identity import identity_parameters as stored

    return stored(files, name)


def directed(codes: Tensor, generator: Generator, reference: str, latents: Latents, files: SideFiles) -> Tensor:
    """codes + sum of amount * sigma * v over the state's named directions; `[num_layers, width]`.

    Args:
        codes: mixed and truncated.
        generator: whose codes they are.
        reference: name or path of the model, by which shipped directions are found.
        latents: name the directions and amounts.
        files: where the directions of other models are kept.

    Raises:
        EditError: a direction that the model has not.
    """
    if not latents.directions:
        return codes
    from .editing.directions import apply_directions, directions_of

    return apply_directions(codes, directions_of(generator, reference, files), latents.directions)
