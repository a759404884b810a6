"""Normals to look at."""

from __future__ import annotations

import pytest
import torch
from balls import Balls, dense, look, volume
from neuroview.engine.rendering.normals import normals_from_depth, normals_from_field
from neuroview.engine.rendering.rays import camera_rays

SIZE = 64
BALL = ((0.1, 0.0, 0.0, 0.6),)


@pytest.fixture(scope="module", params=[True, False])
def view(request):
    settings = volume(unit_rays=request.param)
    return settings, look(), dense(Balls(BALL, sharpness=5000.0), settings, *look(), SIZE, SIZE)


def truth(settings, camera, depth):
    origins, directions = camera_rays(*camera, SIZE, SIZE, settings)
    points = origins + depth.reshape(-1, 1) * directions
    return torch.nn.functional.normalize(points - torch.tensor(BALL[0][:3]), dim=-1).T.view(3, SIZE, SIZE)


def degrees(a, b):
    return torch.rad2deg(torch.arccos((a * b).sum(0).clamp(-1, 1)))


def test_a_balls_normals_point_away_from_its_centre(view):
    settings, camera, picture = view
    normals = normals_from_depth(picture.depth, picture.alpha, *camera, settings) * 2 - 1
    expected = truth(settings, camera, picture.depth)
    inner = picture.alpha > 0.999
    error = degrees(torch.nn.functional.normalize(normals, dim=0), expected)[inner]
    assert error.mean() < 4
    assert error.median() < 2


def test_the_fields_own_slope_is_more_precise(view):
    settings, camera, picture = view
    normals = normals_from_field(Balls(BALL), settings, picture.depth, picture.alpha, *camera, spacing=0.005) * 2 - 1
    expected = truth(settings, camera, picture.depth)
    inner = picture.alpha > 0.999
    assert degrees(torch.nn.functional.normalize(normals, dim=0), expected)[inner].mean() < 0.5


def test_normals_face_the_camera(view):
    settings, camera, picture = view
    normals = normals_from_depth(picture.depth, picture.alpha, *camera, settings) * 2 - 1
    _, directions = camera_rays(*camera, SIZE, SIZE, settings)
    assert ((normals.permute(1, 2, 0).reshape(-1, 3) * directions).sum(-1) <= 1e-4).all()


def test_where_nothing_was_met_normals_are_neutral(view):
    settings, camera, picture = view
    normals = normals_from_depth(picture.depth, picture.alpha, *camera, settings)
    empty = picture.alpha < 1e-6
    assert (normals[:, empty] - 0.5).abs().max() < 1e-5
    assert normals.min() >= 0
    assert normals.max() <= 1


def test_a_silhouette_does_not_bend_the_normals_beside_it(view):
    settings, camera, picture = view
    normals = normals_from_depth(picture.depth, picture.alpha, *camera, settings) * 2 - 1
    expected = truth(settings, camera, picture.depth)
    solid = picture.alpha > 0.999
    eroded = -torch.nn.functional.max_pool2d(-solid[None].float(), 3, 1, 1)[0] > 0
    rim = eroded & ~(-torch.nn.functional.max_pool2d(-eroded[None].float(), 3, 1, 1)[0] > 0)
    error = degrees(torch.nn.functional.normalize(normals, dim=0), expected)[rim]
    assert error.mean() < 12


def test_a_slanted_plane_has_one_normal():
    settings = volume()
    pose, lens = look(0.0, 0.0)
    origins, directions = camera_rays(pose, lens, SIZE, SIZE, settings)
    normal = torch.nn.functional.normalize(torch.tensor([0.5, 0.3, 1.0]), dim=0)
    depth = (-(origins @ normal) / (directions @ normal)).view(SIZE, SIZE)
    found = normals_from_depth(depth, torch.ones(SIZE, SIZE), pose, lens, settings) * 2 - 1
    assert degrees(found, normal[:, None, None].expand_as(found))[2:-2, 2:-2].max() < 2


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="expected one shape"):
        normals_from_depth(torch.ones(4, 4), torch.ones(4, 5), *look(), volume())
