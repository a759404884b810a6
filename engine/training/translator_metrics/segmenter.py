"""The town's segmenter: a small U-Net that reads labels back from pictures, and so tells whether they can be read.

Its weights ship in assets/evaluation; `train_segmenter` made them. It knows the embedded town and nothing else.
"""

from __future__ import annotations

import functools
import itertools
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ....models.errors import CheckpointError
from ....models.weights import filled
from .similarity import MeasureError, Picture

FORMAT = "neuroview-town-segmenter-1"
SIZE: Final = (128, 256)
"""(height, width) that it was trained at; larger pictures are reduced to it first."""
WIDTHS = (12, 24, 40, 56, 64)
"""Channels at full size and at each halving."""

GROUPS: dict[str, tuple[int, ...]] = {
    "road": (1,),
    "road line": (24,),
    "sidewalk": (2,),
    "building": (3,),
    "fence": (5,),
    "pole": (6, 7, 8),
    "vegetation": (9,),
    "terrain": (10,),
    "sky": (11,),
    "person": (12,),
    "car": (14,),
}
"""The classes that it tells apart, and the CARLA tags of each. Poles, traffic lights and signs count as one: at
256 x 128 the last two are a few pixels each. Other tags are not judged."""
NOT_JUDGED: Final = 255


class Segmenter(nn.Module):
    """Pictures [N, 3, H, W] in 0..1, sides multiples of 16, to scores [N, len(GROUPS), H, W]."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.stem = _block(3, widths[0])
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(_block(a, b, 2), _block(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(_block(a + b, a) for a, b in reversed(pairs))
        self.head = nn.Conv2d(widths[0], len(GROUPS), 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores before the softmax."""
        return self.read(pictures)[0]

    def read(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and the features [N, WIDTHS[-1], H / 16, W / 16] that the Frechet distance is taken over."""
        x = self.stem(pictures * 4 - 2)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        features = x
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skip], 1))
        return self.head(x), features


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


class Reading(NamedTuple):
    """What the segmenter saw in a picture."""

    groups: NDArray[np.uint8]
    """[SIZE], index into GROUPS."""
    features: NDArray[np.float32]
    """[8, WIDTHS[-1]]: means over 2 x 4 parts of the picture."""


@torch.inference_mode()
def read(segmenter: Segmenter, picture: Picture) -> Reading:
    """Segments a picture [H, W, 3] of any size, reduced to SIZE."""
    if picture.shape[:2] != SIZE:
        picture = np.asarray(cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    given = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
    scores, features = segmenter.read(given.contiguous(memory_format=torch.channels_last))
    pooled = F.adaptive_avg_pool2d(features.float(), (2, 4))[0].flatten(1).t()
    return Reading(scores[0].argmax(0).byte().numpy(), pooled.numpy().copy())


def grouped(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """CARLA tags [H, W] as indices into GROUPS, or NOT_JUDGED; reduced to SIZE if larger."""
    tags = labels.astype(np.uint8)
    if tags.shape != SIZE:
        tags = np.asarray(cv2.resize(tags, SIZE[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    return _table()[tags]


@functools.cache
def _table() -> NDArray[np.uint8]:
    table = np.full(256, NOT_JUDGED, np.uint8)
    for index, tags in enumerate(GROUPS.values()):
        table[list(tags)] = index
    return table


class Confusion:
    """Counts how often each class was read as each: what mIoU and pixel accuracy are made of."""

    def __init__(self) -> None:
        self.counts = np.zeros((len(GROUPS), len(GROUPS)), np.int64)

    def add(self, truth: NDArray[np.uint8], found: NDArray[np.uint8]) -> None:
        """One picture's classes [H, W], true and read.

        Raises:
            MeasureError: different sizes.
        """
        if truth.shape != found.shape:
            raise MeasureError(f"classes of {truth.shape} and {found.shape}; expected the same size")
        judged = truth != NOT_JUDGED
        pairs = truth[judged].astype(np.int64) * len(GROUPS) + found[judged]
        self.counts += np.bincount(pairs, minlength=self.counts.size).reshape(self.counts.shape)

    def ious(self) -> dict[str, float]:
        """Intersection over union of each class that occurred."""
        hits = self.counts.diagonal()
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        there = self.counts.sum(1) > 0
        return {name: float(hits[i] / union[i]) for i, name in enumerate(GROUPS) if there[i]}

    def miou(self) -> float:
        """Mean intersection over union of the classes that occurred, over all pictures' pixels together."""
        return float(np.mean([*self.ious().values()])) if self.counts.any() else float("nan")

    def accuracy(self) -> float:
        """Part of the pixels that was read right."""
        total = int(self.counts.sum())
        return float(self.counts.trace() / total) if total else float("nan")


def shipped_weights() -> Path:
    """Where the shipped weights are."""
    return Path(str(resources.files("neuroview.assets"))) / "evaluation" / "town_segmenter.safetensors"


def save_segmenter(segmenter: Segmenter, path: Path) -> None:
    """Writes fp16 safetensors."""
    tensors = {
        name: tensor.detach().half().contiguous()
        for name, tensor in segmenter.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(path), metadata={"format": FORMAT, "classes": ", ".join(GROUPS)})
    path.chmod(0o644)  # safetensors writes files that nobody else may read


def load_segmenter(path: Path | None = None) -> Segmenter:
    """Reads weights, by default the shipped ones; fp32, ready to read pictures.

    Raises:
        CheckpointError: no such file, or it holds something else.
    """
    path = path or shipped_weights()
    if not path.is_file():
        raise CheckpointError(
            f"the segmenter's weights are not at {path}; "
            "`python -m neuroview.engine.training.translator_metrics.train_segmenter` makes them in ten minutes"
        )
    try:
        tensors = load_file(str(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is no readable safetensors file ({str(error)[:200]}).") from error
    made = filled(Segmenter, tensors, absent=lambda name, expected: _batch_count(name))
    return made.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # pyright: ignore[reportCallIssue]


def _batch_count(name: str) -> Tensor | None:
    """Batch norm's counter is of use in training only and is not shipped."""
    return torch.zeros(()) if name.endswith("num_batches_tracked") else None
