"""How far a picture is from a photo: pixels at several scales, edges, and learned features where weights are at hand.

    loss = sum_k |L_k(a) - L_k(b)| + edges |grad a - grad b| + squared (a - b)^2 (+ perceptual LPIPS(a, b))

L_k are the bands of a Laplacian pyramid (Bojanowski et al. 2018 use it for latent optimisation). LPIPS (Zhang et al.
2018) needs the weights of a pretrained VGG-16, which neuroview does not ship: where a person has put them (see
`weights_path`) they are used. They are safetensors, so nothing in them can run.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from .errors import EditError

SQUARED, EDGES, PERCEPTUAL = 8.0, 0.5, 0.4
FINEST_BAND = 8
"""Side at which the pyramid ends, pixels."""

_VGG = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""torchvision's `features.N` of VGG-16's convolutions; a pooling stands between the groups."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def weights_path() -> Path:
    """Where weights would be: NEUROVIEW_VGG16, or `vgg16.safetensors` in neuroview's data folder.

    The file holds torchvision's VGG-16 tensors under their own names (`features.0.weight`, ...).
    """
    given = os.environ.get("NEUROVIEW_VGG16")
    return (
        Path(given) if given else Path(platformdirs.user_data_dir("neuroview", appauthor=False)) / "vgg16.safetensors"
    )


class PhotoLoss:
    """The distance of pictures [3, S, S] in 0..1 from one photo of the same size; differentiable.

    Args:
        photo: [3, S, S].
        weight: [S, S], how much each pixel counts; None: all alike.
        perceptual: learned features, from `learned_features`; None: none at hand.
        squared: weight of the squared error beside bands and edges.
    """

    def __init__(
        self,
        photo: Tensor,
        weight: Tensor | None = None,
        perceptual: LearnedFeatures | None = None,
        squared: float = SQUARED,
    ) -> None:
        self.photo, self._squared = photo, squared
        self._weight = torch.ones_like(photo[:1]) if weight is None else weight[None].to(photo)
        self._weight = self._weight / self._weight.mean().clamp_min(1e-6)
        self._weights = _shrunk(self._weight)
        self._perceptual = perceptual
        self._features = None if perceptual is None else perceptual(photo)

    def __call__(self, picture: Tensor) -> Tensor:
        """A number of about 0.02 for a good likeness and 0.5 for another person."""
        error = picture - self.photo
        loss = self._squared * (error.square() * self._weight).mean()
        bands = _laplacian(error)  # the pyramid is linear, so that of the error is the error of the pyramids
        loss = loss + sum(
            (band.abs() * weight).mean() for band, weight in zip(bands, self._weights, strict=True)
        ) / len(bands)
        across, down = error[:, :, 1:] - error[:, :, :-1], error[:, 1:] - error[:, :-1]
        loss = loss + EDGES * (
            (across.abs() * self._weight[:, :, 1:]).mean() + (down.abs() * self._weight[:, 1:]).mean()
        )
        if self._perceptual is not None and self._features is not None:
            loss = loss + PERCEPTUAL * self._perceptual.distance(self._perceptual(picture), self._features)
        return loss


class LearnedFeatures:
    """VGG-16's unit-length activations at five depths: LPIPS without its learned channel weights.

    Args:
        tensors: torchvision's, by name.

    Raises:
        EditError: a tensor is missing or has another shape.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self._layers: list[list[tuple[Tensor, Tensor]]] = []
        channels = 3
        for group in _VGG:
            layers = []
            for index in group:
                weight, bias = tensors.get(f"features.{index}.weight"), tensors.get(f"features.{index}.bias")
                if weight is None or bias is None or weight.ndim != 4 or weight.shape[1:] != (channels, 3, 3):
                    raise EditError(
                        f"The perceptual weights lack a fitting features.{index}: expected torchvision's VGG-16 as "
                        "safetensors. Put the right file there, or remove it to invert without."
                    )
                channels = len(weight)
                layers.append((weight.float(), bias.float()))
            self._layers.append(layers)

    def __call__(self, picture: Tensor) -> list[Tensor]:
        """Activations [C, h, w] of a picture [3, S, S] in 0..1."""
        mean, std = (picture.new_tensor(v)[:, None, None] for v in (_MEAN, _STD))
        x, found = ((picture - mean) / std)[None], []
        for index, group in enumerate(self._layers):
            x = F.max_pool2d(x, 2) if index else x
            for weight, bias in group:
                x = F.relu(F.conv2d(x, weight.to(x), bias.to(x), padding=1))
            found.append(F.normalize(x[0], dim=0))
        return found

    def distance(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """Mean squared distance over depths and places."""
        return torch.stack([(x - y).square().sum(0).mean() for x, y in zip(a, b, strict=True)]).mean()


def learned_features(path: Path | None = None) -> LearnedFeatures | None:
    """Learned features where there are weights; None where there is no file.

    Raises:
        EditError: there is a file and it is not what it should be.
    """
    path = path if path is not None else weights_path()
    if not path.is_file():
        return None
    try:
        return LearnedFeatures(load_file(path))
    except (OSError, SafetensorError) as error:
        raise EditError(f"{path} holds no perceptual weights ({error}). Remove it to invert without.") from error


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio, dB, of pictures in 0..1."""
    return float(-10 * torch.log10((a.clamp(0, 1) - b.clamp(0, 1)).square().mean() + 1e-10))


def _laplacian(image: Tensor) -> list[Tensor]:
    """Bands of a picture [C, S, S], finest first, and what is left."""
    bands, current = [], image[None]
    while min(current.shape[-2:]) >= 2 * FINEST_BAND:
        smaller = F.avg_pool2d(current, 2)
        bands.append((current - F.interpolate(smaller, size=current.shape[-2:], mode="bilinear"))[0])
        current = smaller
    return [*bands, current[0]]


def _shrunk(weight: Tensor) -> list[Tensor]:
    found = [weight]
    while min(found[-1].shape[-2:]) >= 2 * FINEST_BAND:
        found.append(F.avg_pool2d(found[-1][None], 2)[0])
    return found
