"""Small pi-GAN checkpoints as the official training script writes them: whole objects of classes by their own names."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

WIDTH, DEPTH, Z, MAPPED = 8, 3, 5, 6


def _module(name: str, **attributes: Any) -> type:
    return type(name.rpartition(".")[2], (nn.Module,), {"__module__": name.rpartition(".")[0], **attributes})


FILM, MAPPING = _module("siren.siren.FiLMLayer"), _module("siren.siren.CustomMappingNetwork")
WARP, SPATIAL = _module("siren.siren.UniformBoxWarp"), _module("siren.siren.SPATIALSIRENBASELINE")
TALL, OTHER = _module("siren.siren.TALLSIREN"), _module("siren.siren.EmbeddingPiGAN128")
GENERATOR = _module("generators.generators.ImplicitGenerator3d")
AVERAGE = type("ExponentialMovingAverage", (), {"__module__": "torch_ema.ema"})


@contextmanager
def official_names() -> Iterator[None]:
    """Makes the classes importable under the names that they carry, which pickling insists on."""
    made = {}
    for kind in (FILM, MAPPING, WARP, SPATIAL, TALL, OTHER, GENERATOR, AVERAGE):
        module = made.setdefault(kind.__module__, ModuleType(kind.__module__))
        setattr(module, kind.__name__, kind)
    made |= {name: ModuleType(name) for name in {name.partition(".")[0] for name in made}}
    before = {name: sys.modules.get(name) for name in made}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


def film(inputs: int) -> nn.Module:
    layer = FILM()
    layer.layer = nn.Linear(inputs, WIDTH)
    return layer


def siren(kind: type = SPATIAL, seed: int = 0) -> Any:
    """The field's module, in the official order of its parts."""
    torch.manual_seed(seed)
    made = kind()
    made.network = nn.ModuleList(film(WIDTH if index else 3) for index in range(DEPTH))
    made.final_layer = nn.Linear(WIDTH, 1)
    made.color_layer_sine = film(WIDTH + 3)
    made.color_layer_linear = nn.Sequential(nn.Linear(WIDTH, 3), *([nn.Sigmoid()] if kind is TALL else []))
    made.mapping_network = MAPPING()
    sizes = [Z, MAPPED, MAPPED, 2 * WIDTH * (DEPTH + 1)]
    stages = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    made.mapping_network.network = nn.Sequential(stages[0], nn.LeakyReLU(0.2), stages[1], nn.LeakyReLU(0.2), stages[2])
    if kind is SPATIAL:
        made.gridwarper = WARP()
        made.gridwarper.scale_factor = 2 / 0.24
    return made


def generator(field: Any = None) -> Any:
    """The generator around a field's module."""
    made = GENERATOR()
    made.siren = siren() if field is None else field
    made.z_dim, made.step, made.epoch, made.device = Z, 700, 3, torch.device("cpu")
    return made


def average(of: Any, decay: float = 0.5) -> Any:
    """A moving average whose tensors are the parameters of another module of the same kind."""
    made = AVERAGE()
    made.decay, made.num_updates, made.collected_params = decay, 700, []
    made.shadow_params = [parameter.detach().clone() for parameter in of.parameters()]
    return made


def saved(path: Path, content: Any, *, legacy: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with official_names(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's older format would like to see the classes' source
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path
