"""Trains the town's segmenter on photos of towns that are never evaluated.

Command: ``python -m neuroview.engine.training.translator_metrics.train_segmenter [--steps 1800] [--out FILE]``: about
six minutes on one thread, half of them for the photos. With ``--clips DIR ...`` it learns from clips that
`translator.render_clips` made for a painter, and takes photos of the held-out town only.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...driving.messages import VIEWPOINTS, Weather
from ..translator.clips import Clips
from .footage import Clip, open_town, shoot
from .segmenter import (
    GROUPS,
    NOT_JUDGED,
    SIZE,
    Confusion,
    Segmenter,
    grouped,
    load_segmenter,
    read,
    save_segmenter,
    shipped_weights,
)
from .similarity import MeasureError, Picture

TOWNS = (200, 201, 202, 203)
"""Seeds to learn from; painters train on lower ones, evaluations use 7."""
HELD_OUT = 299
PHOTOS = 90
"""Of each town."""
HOURS = (8.0, 19.0)
STEPS, BATCH, RATE = 1800, 8, 2e-3


@dataclass(frozen=True)
class Photos:
    """Pictures [n, H, W, 3] and their classes [n, H, W]."""

    pictures: NDArray[np.uint8]
    classes: NDArray[np.uint8]


def photograph(seed: int, count: int) -> Photos:
    """Photos of one town: all hours of HOURS, all weathers and viewpoints, a few seconds apart."""
    random = np.random.default_rng(seed)
    simulator = open_town(seed, SIZE[1], SIZE[0])
    pictures: list[Picture] = []
    classes: list[NDArray[np.uint8]] = []
    try:
        for number in range(count):
            weather = Weather(float(random.uniform(*HOURS)), float(random.uniform(0, 1)), float(random.uniform(0, 0.5)))
            # One from above for four of the street, as it is rarely driven.
            viewpoint = VIEWPOINTS[(0, 1, 0, 1, 2)[number % 5]]
            for frame in shoot(simulator, Clip(viewpoint, weather, 1, 1), float(random.uniform(1, 6))):
                assert frame.photo is not None
                pictures.append(frame.photo)
                classes.append(grouped(frame.labels))
    finally:
        simulator.close()
    return Photos(np.stack(pictures), np.stack(classes))


def from_clips(folders: Sequence[Path]) -> Photos:
    """The first, the middle and the last photo of each rendered clip, of SIZE.

    Raises:
        ClipError: a folder holds no clips.
        MeasureError: clips of another size.
    """
    pictures: list[Picture] = []
    classes: list[NDArray[np.uint8]] = []
    for folder in folders:
        clips = Clips(folder)
        for clip in range(len(clips)):
            last = clips.length(clip) - 1
            for index in sorted({0, last // 2, last}):
                frame = clips.frame(clip, index)
                if tuple(frame.labels.shape) != SIZE:
                    raise MeasureError(f"{folder} holds frames of {tuple(frame.labels.shape)}; expected {SIZE}")
                pictures.append(frame.photo.permute(1, 2, 0).contiguous().numpy())
                classes.append(grouped(frame.labels.numpy()))
    return Photos(np.stack(pictures), np.stack(classes))


def augmented(picture: Picture, classes: NDArray[np.uint8], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Half of a photo, [3, H, W / 2] and [H, W / 2], as a painter might have made it: other colours, softer, grainier,
    or mirrored. Halves, because two of different photos teach more than one photo for the same time."""
    half = picture.shape[1] // 2
    left = int(random.integers(0, half + 1))
    picture, classes = picture[:, left : left + half], classes[:, left : left + half]
    if random.random() < 0.5:
        picture, classes = picture[:, ::-1], classes[:, ::-1]
    image = picture.astype(np.float32) / 255
    image = image ** np.float32(np.exp(random.normal(0, 0.15)))
    grey = image.mean(2, keepdims=True)
    image = grey + (image - grey) * np.float32(random.uniform(0.6, 1.3))
    image = (image - 0.5) * np.float32(random.uniform(0.8, 1.2)) + 0.5 + random.normal(0, 0.05, 3).astype(np.float32)
    kind = random.random()
    if kind < 0.35:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.4, 1.1))), np.float32)
    elif kind < 0.5:
        soft = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.float32)
        image = image + (image - soft) * np.float32(random.uniform(0.2, 0.8))
    if random.random() < 0.4:
        image = image + random.normal(0, random.uniform(0.005, 0.04), image.shape).astype(np.float32)
    image = np.ascontiguousarray(image.clip(0, 1).transpose(2, 0, 1), np.float32)
    return torch.from_numpy(image), torch.from_numpy(np.ascontiguousarray(classes))


def loss(scores: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropy, and the soft Dice loss (Milletari et al. 2016) for the classes that cover few pixels."""
    judged = classes != NOT_JUDGED
    target = torch.where(judged, classes, 0).long()
    entropy = F.cross_entropy(scores, torch.where(judged, target, -100), weights, ignore_index=-100)
    probability = scores.softmax(1) * judged[:, None]
    wanted = F.one_hot(target, len(GROUPS)).permute(0, 3, 1, 2) * judged[:, None]
    overlap, size = (probability * wanted).sum((0, 2, 3)), (probability + wanted).sum((0, 2, 3))
    there = wanted.sum((0, 2, 3)) > 0
    return entropy + (1 - (2 * overlap[there] + 1) / (size[there] + 1)).mean()


def train(photos: Photos, steps: int = STEPS, seed: int = 0, start: Segmenter | None = None) -> Segmenter:
    """A segmenter after `steps`, new or going on from `start`; prints its loss now and then."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    segmenter = (start or Segmenter()).train().requires_grad_(True)
    segmenter = segmenter.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = torch.optim.AdamW(segmenter.parameters(), RATE, weight_decay=1e-4)
    # A weight of 1 / share would have every second pixel be a person.
    counts = np.bincount(photos.classes[photos.classes != NOT_JUDGED], minlength=len(GROUPS))
    weights = torch.from_numpy((counts / counts.sum()).clip(2e-4) ** -0.4).float()
    weights /= weights.mean()
    for step in range(steps):
        for group in optimiser.param_groups:  # warm up, then a half cosine
            group["lr"] = RATE * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        chosen = random.integers(0, len(photos.pictures), BATCH)
        pairs = [augmented(photos.pictures[i], photos.classes[i], random) for i in chosen]
        pictures = torch.stack([pair[0] for pair in pairs]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            scores = segmenter(pictures)
        value = loss(scores.float(), torch.stack([pair[1] for pair in pairs]), weights)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} of {steps}, loss {float(value.detach()):.3f}", flush=True)
    return segmenter.eval()


def judged(segmenter: Segmenter, photos: Photos) -> Confusion:
    """How it reads photos."""
    confusion = Confusion()
    for picture, classes in zip(photos.pictures, photos.classes, strict=True):
        confusion.add(classes, read(segmenter, picture).groups)
    return confusion


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, takes photos, trains, writes and judges what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of training (default {STEPS})")
    parser.add_argument("--photos", type=int, default=PHOTOS, help=f"of each of {len(TOWNS)} towns (default {PHOTOS})")
    parser.add_argument("--clips", type=Path, nargs="+", metavar="DIR", help="rendered clips, in place of new photos")
    parser.add_argument("--start", type=Path, metavar="FILE", help="weights to go on from")
    parser.add_argument("--out", type=Path, default=shipped_weights(), help="default: where the shipped weights are")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    start = time.monotonic()
    if given.clips:
        photos = from_clips(given.clips)
    else:
        parts = [photograph(seed, given.photos) for seed in TOWNS]
        photos = Photos(np.concatenate([p.pictures for p in parts]), np.concatenate([p.classes for p in parts]))
    unseen = photograph(HELD_OUT, max(8, given.photos // 2))
    print(f"{len(photos.pictures)} photos in {time.monotonic() - start:.0f} s", flush=True)
    save_segmenter(train(photos, given.steps, start=load_segmenter(given.start) if given.start else None), given.out)
    found = judged(load_segmenter(given.out), unseen)
    print(f"unseen town {HELD_OUT}: mIoU {found.miou():.3f}, accuracy {found.accuracy():.3f}")
    print(", ".join(f"{name} {iou:.3f}" for name, iou in found.ious().items()))


if __name__ == "__main__":
    main()
