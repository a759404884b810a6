"""Where the last sample takes all light that is left, baked rays end at a backdrop as the exact ones do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from neuroview.engine.rendering.backdrop import SIDE, bake_backdrop, close
from neuroview.engine.rendering.bake import bake_levels
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.image import Rendered
from neuroview.engine.rendering.march import render_baked
from neuroview.models.base import Scene, VolumeSettings

VOLUME = VolumeSettings(
    near=1.0, far=3.0, coarse=64, fine=0, activation="relu", quadrature="left", sampler="nerf", opaque_end=True
)
LENS = np.array([[1.5, 0.0, 0.5], [0.0, 1.5, 0.5], [0.0, 0.0, 1.0]])
POSE = np.eye(4)
POSE[2, 3] = -2.0  # looks along +z at the origin


class Coloured:
    """Colours that are the position, and a ball in the middle when asked for."""

    features, view_dependent = 3, False
    bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __init__(self, ball: float = 0.0) -> None:
        self.ball = ball

    def __call__(self, points, directions=None):
        return 500 * (self.ball - points.norm(dim=-1)), (0.5 + 0.4 * points).clamp(0, 1)


def test_a_backdrop_gives_back_what_was_asked_of_the_field():
    backdrop = bake_backdrop(Coloured(), 2)
    points = torch.tensor([[0.0, 0.5, -1.0], [0.3, -0.7, 0.2], [1.0, 1.0, 1.0]])
    torch.testing.assert_close(backdrop.at(points), (0.5 + 0.4 * points)[:, :2])
    assert backdrop.features.shape == (1, 2, SIDE, SIDE, SIDE)


def test_outside_of_the_box_the_nearest_colour_is_seen():
    backdrop = bake_backdrop(Coloured(), 3)
    torch.testing.assert_close(backdrop.at(torch.tensor([[3.0, 0.0, -9.0]])), torch.tensor([[0.9, 0.5, 0.1]]))


@pytest.mark.parametrize("ball", [0.0, 0.5])
def test_a_baked_picture_ends_where_the_exact_one_does(ball):
    scene = Scene(Coloured(ball), VOLUME, 32, 32)
    exact = render_exact(scene, POSE, LENS, resolution=32)
    first, *_, last = bake_levels(scene.field, VOLUME, (16, 48))
    baked = render_baked(last, VOLUME, POSE, LENS, 32, 32)
    assert last.backdrop is first.backdrop
    torch.testing.assert_close(baked.alpha, torch.ones(32, 32))
    assert (baked.features - exact.features).abs().mean() < 0.01
    assert (baked.depth - exact.depth).abs().mean() < 0.05


def test_rays_that_are_closed_or_have_no_end_are_left_alone():
    backdrop = bake_backdrop(Coloured(), 3)
    full = Rendered(torch.zeros(3, 4, 4), torch.ones(4, 4), torch.ones(4, 4))
    assert close(full, backdrop, VOLUME, POSE, LENS) is full
    open_ = replace(full, alpha=torch.zeros(4, 4))
    assert close(open_, backdrop, replace(VOLUME, far=None), POSE, LENS) is open_
