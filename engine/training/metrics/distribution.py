"""Whether a generator's pictures are distributed as the real ones: Frechet distances over features of many of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...rendering.exact import render_exact, render_image
from ..camera_labels import lens_of, split_label
from ..image_folder import ImageFolder
from ..teacher_pictures import drawn_pictures
from ..translator_metrics.frechet import frechet_distance
from .inception import Inception
from .regressor import SIDE, Reference
from .views import Pose, Progress, Subject, held_out_latent, silent

FIRST = 50_000
"""Held-out seed of the first picture."""
TEACHER_SEED = 2
"""Of the teacher's pictures that the floor is measured from: neither trained on nor part of the statistics."""

Features = Callable[[Tensor], NDArray[np.float32]]


@torch.inference_mode()
def generated(subject: Subject, count: int, poses: Callable[[int], Pose]) -> Iterator[Tensor]:
    """Pictures [1, 3, H, W] of held-out latents from random poses, rendered as the model's own setting says."""
    for index in range(count):
        scene = subject.generator.scene(subject.codes(held_out_latent(FIRST + index, subject.z_dim)))
        pose = poses(index)
        device = getattr(subject.generator, "device", torch.device("cpu"))
        rendered = render_exact(scene, pose.cam2world, pose.intrinsics, device=device)
        yield render_image(scene, rendered)[None].float().clamp(0, 1).cpu()


def teacher_poses(subject: Subject) -> Callable[[int], Pose]:
    """The teacher's training cameras, one for each number."""
    teacher = subject.teacher
    assert teacher is not None, "only a teacher knows where pictures are taken from"

    def pose(index: int) -> Pose:
        torch.manual_seed(FIRST + index)
        return Pose(teacher.cameras(1)[0], lens_of(teacher.focal))

    return pose


def data_poses(data: ImageFolder) -> Callable[[int], Pose]:
    """The cameras of a set of pictures, one after another in a fixed random order."""
    labels = data.labels
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(FIRST))

    def pose(index: int) -> Pose:
        return Pose(*split_label(labels[order[index % len(labels)]]))

    return pose


def features_of(pictures: Iterator[Tensor], features: Features, count: int, what: str, progress: Progress) -> NDArray:
    """Features [count, D] of pictures that come one batch after another."""
    found, done = [], 0
    for part in pictures:
        found.append(features(part))
        done += len(part)
        progress(what, min(done, count), count)
    return np.concatenate(found)


def teacher_distance(
    subject: Subject, reference: Reference, count: int, progress: Progress = silent
) -> dict[str, float]:
    """frechet: over the parameter regressor's features (`regressor.NAME`), of `count` pictures to the teacher's;
    frechet_floor: the same of as many other pictures of the teacher."""
    assert subject.teacher is not None, "there is nothing to be distributed as"
    fake = features_of(
        generated(subject, count, teacher_poses(subject)), reference.features, count, "generated pictures", progress
    )
    theirs = (pictures for pictures, _, _ in drawn_pictures(subject.teacher, count, SIDE, TEACHER_SEED))
    real = features_of(theirs, reference.features, count, "the teacher's pictures", progress)
    return {
        "frechet": round(reference.distance(fake), 4),
        "frechet_floor": round(reference.distance(real), 4),
        "frechet_pictures": float(count),
    }


@torch.inference_mode()
def data_distance(
    subject: Subject, data: ImageFolder, features: Features, count: int, progress: Progress = silent
) -> dict[str, float]:
    """frechet of `count` generated pictures to as many of the data's; frechet_floor of those to as many others of the
    data's, or between halves where there are not so many."""
    fake = features_of(generated(subject, count, data_poses(data)), features, count, "generated pictures", progress)
    count = min(count, len(data.names))
    order = torch.randperm(len(data.names), generator=torch.Generator().manual_seed(FIRST))[: 2 * count]
    pictures = ((data.pictures([int(index)]) + 1) / 2 for index in order)
    real = features_of(pictures, features, len(order), "the data's pictures", progress)
    half = len(real) // 2
    return {
        "frechet": round(frechet_distance(fake, real[:count]), 4),
        "frechet_floor": round(frechet_distance(real[:half], real[half:]), 4),
        "frechet_pictures": float(count),
    }


def inception_features(network: Inception) -> Features:
    """Features of pictures [N, 3, H, W] in 0..1, rounded to 8 bits as files are."""

    def features(pictures: Tensor) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network((pictures * 255).round() / 255).numpy()

    return features
