"""Posed pictures of a painted ball, made in closed form: a scene that a tiny NeRF learns in seconds."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import torch
from neuroview.engine.training.nerf_views import NerfData, Views, cube_of
from neuroview.engine.training.showroom_render import even_cameras
from PIL import Image

RADIUS = 0.8
FOV = 0.7
_TO_OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))


def ball_views(count: int, size: int = 32) -> Views:
    """RGBA pictures of a ball at the origin, its colour by its normal, from cameras all around the upper half."""
    cameras = even_cameras(count)
    focal = 0.5 / math.tan(FOV / 2)
    lens = torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]]).repeat(count, 1, 1)
    views = Views(
        tuple(f"{i:03d}.png" for i in range(count)), torch.zeros(count, size, size, 4, dtype=torch.uint8), cameras, lens
    )
    index = torch.arange(count * size * size)
    view, row, column = index // size**2, index // size % size, index % size
    origins, directions = views.rays(view, row + 0.5, column + 0.5)
    along = (origins * directions).sum(-1)
    inside = along**2 - (origins**2).sum(-1) + RADIUS**2
    points = origins - (along + inside.clamp_min(0).sqrt())[:, None] * directions
    # Wide stripes, so that a camera that has turned is seen to have.
    rgb = 0.5 + 0.45 * torch.sin(5 * points + torch.tensor([0.0, 1.0, 2.0]))
    rgba = torch.cat([rgb, (inside > 0).float()[:, None]], -1)
    views.pictures[:] = (rgba * 255).round().byte().view(count, size, size, 4)
    return views


def with_depth(views: Views) -> Views:
    """The same with the distance to the ball in the middle of each pixel, 0 beside it."""
    count, (height, width) = len(views), views.size
    index = torch.arange(count * height * width)
    view, row, column = index // (height * width), index // width % height, index % width
    origins, directions = views.rays(view, row + 0.5, column + 0.5)
    along = (origins * directions).sum(-1)
    inside = along**2 - (origins**2).sum(-1) + RADIUS**2
    depth = torch.where(inside > 0, -along - inside.clamp_min(0).sqrt(), torch.zeros_like(along))
    return replace(views, depth=depth.view(count, height, width))


def ball_data(count: int = 24, size: int = 32, *, depth: bool = False) -> NerfData:
    """The pictures, every sixth one held out."""
    views = ball_views(count, size)
    views = with_depth(views) if depth else views
    train = views.chosen([i for i in range(count) if i % 6])
    return NerfData("ball", train, views.chosen(range(0, count, 6)), cube_of(views), "transparent")


def write_transforms(folder, views: Views, name: str = "transforms.json", **keys) -> dict:
    """Writes pictures and such a file; returns what stands in it."""
    frames = []
    for index, (picture, matrix) in enumerate(zip(views.pictures, views.cam2world, strict=True)):
        Image.fromarray(picture.numpy()).save(folder / views.names[index])
        frames.append({"file_path": views.names[index], "transform_matrix": (matrix @ _TO_OPENGL).tolist()})
    contents = {"camera_angle_x": FOV, **keys, "frames": frames}
    (folder / name).write_text(json.dumps(contents))
    return contents


def psnr(a, b) -> float:
    """dB between two pictures of any kind."""
    return -10 * math.log10(float(np.square(np.asarray(a) - np.asarray(b)).mean()))
