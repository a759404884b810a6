"""A small network that reads a teacher's parameters off pictures; its features carry a Frechet distance.

FID over Inception's features asks whether pictures look like ImageNet's kinds of things. For procedural heads or cars
the better question is whether hair, hats, eyes, paint and wheels come as often and as clearly as the teacher's, and
features from which exactly these can be read answer it. The figures compare with each other only, and are no FID.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ....models.errors import CheckpointError
from ....models.weights import filled
from ..translator_metrics.frechet import frechet_of_moments, moments

NAME = "Frechet distance over a parameter regressor's features"
FORMAT = "neuroview-parameter-regressor-1"
SIDE = 64
"""Pictures are reduced to this; larger detail is not judged."""
WIDTHS = (24, 48, 72, 96)
FEATURES = 64
CAMERA = 3
"""Numbers of the camera's direction, which it also reads: poses are part of what pictures show."""


class ParameterRegressor(nn.Module):
    """Pictures [N, 3, 64, 64] in 0..1 -> parameters and the camera's direction [N, parameters + 3].

    Args:
        parameters: of the teacher.
    """

    def __init__(self, parameters: int) -> None:
        super().__init__()
        self.parameters_read = parameters
        layers: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            layers += [nn.Conv2d(before, width, 3, 2, 1), nn.GroupNorm(8, width), nn.SiLU()]
            before = width
        self.trunk = nn.Sequential(*layers)
        self.features_of = nn.Linear(before * (SIDE >> len(WIDTHS)) ** 2, FEATURES)
        self.head = nn.Linear(FEATURES, parameters + CAMERA)

    def features(self, pictures: Tensor) -> Tensor:
        """[N, 64], before the last layer."""
        return F.silu(self.features_of(self.trunk(pictures * 4 - 2).flatten(1)))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.features(pictures))


@dataclass(frozen=True)
class Reference:
    """A regressor and what its features are like over the teacher's pictures."""

    teacher: str
    network: ParameterRegressor
    mean: NDArray[np.float64]
    """[64]"""
    covariance: NDArray[np.float64]
    """[64, 64]"""
    pictures: int
    """From which they were measured."""

    @torch.inference_mode()
    def features(self, pictures: Tensor) -> NDArray[np.float32]:
        """[N, 64] of pictures [N, 3, R, R] in 0..1, reduced to 64 x 64."""
        if pictures.shape[-1] != SIDE:
            pictures = F.interpolate(pictures, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        return self.network.features(pictures.clamp(0, 1)).numpy()

    def distance(self, features: NDArray[np.floating]) -> float:
        """The Frechet distance of features [n, 64] to the teacher's.

        Few pictures measure too far: 500 of the teacher's own are at the floor that `evaluate` prints, not at 0.
        """
        return frechet_of_moments(*moments(features), self.mean, self.covariance)


def save(path: Path, reference: Reference, dtype: torch.dtype = torch.float16) -> None:
    """Writes weights and statistics as safetensors."""
    state = {f"network.{name}": value.to(dtype).contiguous() for name, value in reference.network.state_dict().items()}
    state["mean"] = torch.from_numpy(reference.mean).float()
    state["covariance"] = torch.from_numpy(reference.covariance).float()
    told = {
        "format": FORMAT,
        "teacher": reference.teacher,
        "parameters": str(reference.network.parameters_read),
        "pictures": str(reference.pictures),
    }
    save_file(state, str(path), metadata=told)


def load_reference(teacher: str, path: Path | None = None) -> Reference:
    """The shipped regressor of a teacher, or that of a file.

    Raises:
        CheckpointError: none ships for this teacher, or the file is damaged.
    """
    if path is not None:
        return _read(path, path.name)
    shipped = resources.files("neuroview.assets") / "evaluation" / f"{teacher}_regressor.safetensors"
    if not shipped.is_file():
        raise CheckpointError(
            f"no parameter regressor ships for {teacher!r}; train one with "
            f"python -m neuroview.engine.training.metrics.train_regressor --teacher {teacher}"
        )
    with resources.as_file(shipped) as found:
        return _read(found, found.name)


def _read(path: Path, name: str) -> Reference:
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            told = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 - a file, not a dict
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{name} is no readable safetensors file ({str(error)[:120]})") from error
    if told.get("format") != FORMAT or not told.get("parameters", "").isdecimal():
        raise CheckpointError(f"{name} has format {told.get('format')!r}; expected {FORMAT!r}")
    count = int(told["parameters"])
    if not 1 <= count <= 1024:
        raise CheckpointError(f"{name} reads {count} parameters; expected 1 to 1024")
    mean, covariance = tensors.get("mean"), tensors.get("covariance")
    if mean is None or covariance is None or mean.shape != (FEATURES,) or covariance.shape != (FEATURES, FEATURES):
        raise CheckpointError(f"{name} lacks the mean [{FEATURES}] and covariance [{FEATURES}, {FEATURES}] of features")
    weights = {key.removeprefix("network."): value for key, value in tensors.items() if key.startswith("network.")}
    network = filled(lambda: ParameterRegressor(count), weights)
    pictures = told.get("pictures", "")
    return Reference(
        told.get("teacher", ""),
        network,
        mean.double().numpy(),
        covariance.double().numpy(),
        int(pictures) if pictures.isdecimal() else 0,
    )
