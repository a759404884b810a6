"""Pivotal tuning: a generator bent a little, so that one code gives exactly what no code of it gave.

Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images": with the code (the pivot) held fixed, the
generator's own tensors are trained on the one picture, and a locality term keeps what other codes give as it was. Only
the tensors nearest to the picture are trained, and only their change is stored, in half precision.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...models.base import Generator
from .adam import Adam
from .errors import EditError

MOST_NUMBERS = 400_000
"""Numbers in all deltas together, 0.8 MB: of `heads` everything from the 64 x 64 blocks on. Coarser tensors decide the
shape of all sides at once, and one photo knows one side."""
RATE = 0.005
"""What a tensor moves by in a step, in parts of its own typical size."""
STAY = 0.01
"""Weight of the tensors' own relative change in the loss."""
REFINER = "refiner."
"""How names begin of the tensors behind super-resolution."""
LEFT_ALONE = ("mapping", "w_avg", "resample_filter", "noise_const", "noise_strength", "affine")
"""Parts of tensor names that are never tuned: what turns a seed into a style keeps its meaning."""


def network_of(generator: Generator) -> nn.Module:
    """The network behind a generator, the one that its `scene` reads; an empty one where it has none."""
    network = getattr(generator, "network", None)
    return network if isinstance(network, nn.Module) else nn.Module()


def tunable(generator: Generator, most: int = MOST_NUMBERS) -> tuple[str, ...]:
    """Names of the tensors to tune: from the picture's end of the network backwards, as many as are allowed.

    EG3D: super-resolution, decoder, then the backbone's finer blocks; pi-GAN: colour and density heads, then the trunk
    from its end; StyleNeRF: the up-sampler from its end, then the perceptrons.
    """
    named = [
        (name, parameter.numel())
        for name, parameter in network_of(generator).named_parameters()
        if not any(part in name.split(".") for part in LEFT_ALONE)
    ]
    # Modules are registered from the code to the picture, but EG3D's decoder and pi-GAN's heads come late by purpose.
    chosen: list[str] = []
    total = 0
    for name, count in reversed(named):
        if total + count > most:
            break
        total += count
        chosen.append(name)
    return tuple(reversed(chosen))


@torch.inference_mode(False)
def copied(generator: Generator) -> Generator:
    """A generator of the same kind with tensors of its own, which may be trained."""
    twin = copy.copy(generator)
    made: dict[str, Any] = {}
    memo: dict[int, Any] = {}
    # Deep copies of the networks only: cards, cameras and options are immutable and stay shared.
    for name, value in vars(generator).items():
        if isinstance(value, nn.Module):
            made[name] = _own(copy.deepcopy(value, memo))
        elif isinstance(value, Mapping) and any(isinstance(v, nn.Module) for v in value.values()):
            made[name] = {k: _own(copy.deepcopy(v, memo)) if isinstance(v, nn.Module) else v for k, v in value.items()}
    vars(twin).update(made)
    return twin


@torch.inference_mode(False)
def tuned(generator: Generator, deltas: Mapping[str, Tensor]) -> Generator:
    """The generator with `deltas` added to its tensors; the given one stays as it is.

    Raises:
        EditError: a delta for a tensor that it does not have, or of another shape.
    """
    if not deltas:
        return generator
    twin = copied(generator)
    parameters = dict(network_of(twin).named_parameters())
    with torch.no_grad():
        for name, delta in deltas.items():
            parameter = parameters.get(name)
            if parameter is None or parameter.shape != delta.shape:
                found = "none" if parameter is None else str(tuple(parameter.shape))
                raise EditError(
                    f"The identity was made with another model: it changes {name} of {tuple(delta.shape)}, and this "
                    f"one's is {found}. Open the model that it was made with, or reset the identity."
                )
            parameter.add_(delta.to(parameter))
    return twin


class Tuning:
    """A generator's own copy while some of its tensors are trained.

    Args:
        generator: stays as it is.
        names: of tensors; None: `tunable`.
    """

    def __init__(self, generator: Generator, names: Sequence[str] | None = None) -> None:
        self.generator = copied(generator)
        network = network_of(self.generator)
        network.requires_grad_(False)
        chosen = set(tunable(generator) if names is None else names)
        self._trained = {n: p for n, p in network.named_parameters() if n in chosen}
        self._start = {n: p.detach().clone() for n, p in self._trained.items()}
        # A tensor's own size sets the pace, so that one rate suits biases and convolutions.
        self._sizes = [float(p.detach().square().mean().sqrt().clamp(1e-3, 1.0)) for p in self._trained.values()]

    def optimiser(self, rate: float = RATE, *, part: str = "") -> Adam:
        """Adam over the tensors whose names begin with `part`, each moving by about `rate` of its own typical size a
        step."""
        sized = zip(self._trained.items(), self._sizes, strict=True)
        return Adam([(tensor, rate * size) for (name, tensor), size in sized if name.startswith(part)])

    def start_training(self) -> None:
        """Lets gradients reach the tensors."""
        for parameter in self._trained.values():
            parameter.requires_grad_(True)

    def distance(self) -> Tensor:
        """`STAY` times the mean squared change, each tensor's relative to its own size; to be added to the loss."""
        moved = [
            (p - self._start[n]).square().mean() / self._start[n].square().mean().clamp_min(1e-6)
            for n, p in self._trained.items()
        ]
        return STAY * torch.stack(moved).mean()

    def deltas(self) -> dict[str, Tensor]:
        """What has changed, fp16, by name; empty when nothing has."""
        found = {n: (p.detach() - self._start[n]).half() for n, p in self._trained.items()}
        return found if any(bool(d.any()) for d in found.values()) else {}


def _own(module: nn.Module) -> nn.Module:
    """The module with tensors that may take part in learning, though they were made under inference mode."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if parameter.is_inference():
                part.register_parameter(name, nn.Parameter(parameter.detach().clone(), requires_grad=False))
        for name, buffer in list(part.named_buffers(recurse=False)):
            if buffer.is_inference():
                part.register_buffer(name, buffer.clone())
    return module
