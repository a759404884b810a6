"""What pictures with depth tell a field."""

from dataclasses import replace

import pytest
import torch
from nerf_balls import RADIUS, ball_data
from neuroview.engine.training.nerf_depth import field_loss

STEP = 0.03


class Ball:
    """The painted ball of `nerf_balls` as a field, or a larger or smaller one."""

    def __init__(self, cube, radius=RADIUS):
        self.cube, self.radius, self.asked = cube, radius, 0

    def trunk(self, points, window=None):
        self.asked += len(points)
        raw = torch.where(points.norm(dim=-1) < self.radius + 1e-3, 6.0, -6.0)
        return raw.requires_grad_(), points

    def density(self, raw):
        return raw.exp()

    def colour(self, features, directions):
        return 0.5 + 0.45 * torch.sin(5 * features + torch.tensor([0.0, 1.0, 2.0]))


def _loss(data, radius=RADIUS):
    torch.manual_seed(0)
    return field_loss(Ball(data.cube, radius), data.train, data.cube, 2000, STEP)


def test_the_true_field_leaves_hardly_anything_to_learn():
    found = _loss(ball_data(depth=True))
    print(f"loss {float(found.loss.detach()):.5f}, colours {float(found.colour):.6f}")
    # Behind a surface seen from the side there is little ball; colours are those of a little behind it.
    assert float(found.loss.detach()) < 0.1
    assert float(found.colour) < 0.01


@pytest.mark.parametrize("radius", [0.85 * RADIUS, 1.15 * RADIUS])
def test_a_field_whose_surface_is_elsewhere_has_much_to_learn(radius):
    data = ball_data(depth=True)
    assert float(_loss(data, radius).loss.detach()) > 3 * float(_loss(data).loss.detach())


def test_pixels_without_depth_and_pixels_that_do_not_count_are_left_out():
    data = ball_data(depth=True)
    shown = (data.train.depth > 0) & (data.train.pictures[..., 3] == 255)
    field = Ball(data.cube)
    field_loss(field, data.train, data.cube, 4000, STEP)
    assert field.asked / 3 / 4000 == pytest.approx(float(shown.float().mean()), abs=0.05)
    uncounted = replace(data.train, counted=torch.zeros_like(shown))
    field = Ball(data.cube)
    found = field_loss(field, uncounted, data.cube, 100, STEP)
    assert field.asked == 0
    assert float(found.loss.detach()) == 0.0


def test_what_stands_outside_of_the_cube_is_left_out():
    data = ball_data(depth=True)
    small = type(data.cube)((-0.1, -0.1, -0.1), 0.2)
    field = Ball(small)
    field_loss(field, data.train, small, 500, STEP)
    assert field.asked == 0
