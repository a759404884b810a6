"""The measures of `neuroview evaluate`: pictures, reprojection, mixes, jumps and distances of distributions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from neuroview.engine.training.camera_labels import lens_of
from neuroview.engine.training.metrics.disentanglement import extent, mean_colour
from neuroview.engine.training.metrics.pictures import overlap, psnr, ssim
from neuroview.engine.training.metrics.report import as_json, figure_table
from neuroview.engine.training.metrics.reprojection import carried, reprojection_psnr
from neuroview.engine.training.metrics.scores import Scores
from neuroview.engine.training.metrics.smoothness import jumps, worst_jump
from neuroview.engine.training.metrics.views import Pose, View, dense, held_out_latent, slerp
from neuroview.engine.training.sphere_trace import look_at_origin
from neuroview.engine.training.translator_metrics.frechet import frechet_distance, frechet_of_moments, moments
from neuroview.models.base import VolumeSettings

VOLUME = VolumeSettings(None, None, 8, 8, "softplus_shifted", "midpoint", "eg3d", white_background=True)
SIDE, RADIUS = 96, 0.3


def pose(yaw: float) -> Pose:
    return Pose(look_at_origin(torch.tensor([yaw]), torch.tensor([0.1]))[0], lens_of(3.0))


def ball(camera: Pose, shift: float = 0.0, unit: bool = True) -> View:
    """An exact sphere with a smooth texture that is painted on its surface, turned by `shift` radians."""
    steps = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    grid = torch.stack(
        [steps.expand(SIDE, SIDE) / 3, steps[:, None].expand(SIDE, SIDE) / 3, torch.ones(SIDE, SIDE)], -1
    )
    lengths = grid.norm(dim=-1)
    directions = (grid / lengths[..., None]) @ camera.cam2world[:3, :3].T
    origin = camera.cam2world[:3, 3]
    along = directions @ origin
    inside = along.square() - (origin.square().sum() - RADIUS**2)
    hit = inside > 0
    depth = -along - inside.clamp(min=0).sqrt()
    points = origin + depth[..., None] * directions
    angle = torch.atan2(points[..., 0], points[..., 2]) + shift
    texture = torch.stack([torch.sin(6 * angle), torch.cos(6 * angle), torch.sin(20 * points[..., 1])]) * 0.3 + 0.5
    picture = torch.where(hit, texture, torch.ones(3, SIDE, SIDE))
    return View(picture, picture, hit.float(), depth if unit else depth / lengths)


def test_an_exact_sphere_is_consistent_between_views():
    a, b = pose(0.0), pose(0.3)
    value, share = reprojection_psnr(ball(a), ball(b), a, b, VOLUME)
    assert value > 40
    assert share > 0.6


def test_a_texture_that_follows_the_camera_is_not_consistent():
    a, b = pose(0.0), pose(0.3)
    value, _ = reprojection_psnr(ball(a), ball(b, shift=0.3), a, b, VOLUME)
    assert value < 20


def test_depth_along_the_axis_is_carried_as_well():
    a, b = pose(0.0), pose(0.3)
    value, _ = reprojection_psnr(ball(a, unit=False), ball(b, unit=False), a, b, replace(VOLUME, unit_rays=False))
    assert value > 40


def test_what_the_other_camera_cannot_see_is_not_compared():
    a, b = pose(0.0), pose(1.2)
    result = carried(ball(a), ball(b), a, b, VOLUME)
    left, right = result.compared[:, : SIDE // 2].sum(), result.compared[:, SIDE // 2 :].sum()
    assert float(left) < 0.5 * float(right)  # camera b stands to the right


def test_nothing_to_compare_is_not_a_number():
    a = pose(0.0)
    empty = View(torch.ones(3, 8, 8), torch.ones(3, 8, 8), torch.zeros(8, 8), torch.ones(8, 8))
    value, share = reprojection_psnr(empty, empty, a, a, VOLUME)
    assert math.isnan(value)
    assert share == 0


def test_a_coarser_depth_serves_a_finer_picture():
    a, b = pose(0.0), pose(0.3)

    def coarse(view: View) -> View:
        return View(view.picture, view.raw, view.alpha[1::3, 1::3], view.depth[1::3, 1::3])

    value, share = reprojection_psnr(coarse(ball(a)), coarse(ball(b)), a, b, VOLUME)
    assert value > 30
    assert share > 0.3


def test_psnr_of_a_known_error():
    a = torch.zeros(3, 4, 4)
    assert psnr(a, a + 0.1) == pytest.approx(20.0, abs=1e-4)
    assert psnr(a, a) == pytest.approx(100.0)


def test_ssim_is_one_of_equal_pictures_and_falls_with_noise():
    torch.manual_seed(0)
    a = torch.rand(3, 32, 32)
    assert ssim(a, a) == pytest.approx(1.0)
    assert ssim(a, (a + 0.3 * torch.randn_like(a)).clamp(0, 1)) < 0.8


def test_overlap_is_intersection_over_union():
    a, b = torch.tensor([1, 1, 0, 0]).bool(), torch.tensor([0, 1, 1, 0]).bool()
    assert overlap(a, b) == pytest.approx(1 / 3)


def test_the_extent_of_what_is_seen_of_a_sphere_is_its_nearer_cap():
    view, camera = ball(pose(0.0)), pose(0.0)
    assert 0.7 * RADIUS < extent(view, camera, VOLUME) < 1.05 * RADIUS


def test_the_mean_colour_leaves_the_background_out():
    picture = torch.ones(3, 2, 2)
    picture[:, 0, 0] = torch.tensor([0.2, 0.4, 0.6])
    alpha = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(mean_colour(View(picture, picture, alpha, alpha)), torch.tensor([0.2, 0.4, 0.6]))


def test_a_steady_walk_has_no_pop_and_a_jump_shows():
    steady = [torch.full((3, 4, 4), 0.1 * i) for i in range(8)]
    assert worst_jump(steady) == pytest.approx(1.0, abs=1e-4)
    torch.testing.assert_close(jumps(steady), torch.full((7,), 0.1))
    assert worst_jump([*steady[:4], *(frame + 0.4 for frame in steady[4:])]) == pytest.approx(5.0, abs=1e-3)


def test_a_walk_keeps_the_length_of_orthogonal_latents():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    walk = slerp(a, b, 5)
    assert torch.equal(walk[0], a)
    torch.testing.assert_close(walk[-1], b)
    torch.testing.assert_close(torch.cat(walk).norm(dim=1), torch.ones(5))


def test_held_out_latents_are_the_same_for_ever():
    torch.testing.assert_close(held_out_latent(0, 64)[0, :3], torch.randn(64, generator=seeded(10_000))[:3])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_eg3ds_fields_are_sampled_densely_and_others_as_they_are():
    assert dense(VOLUME).coarse == 96
    assert dense(VOLUME).fine == 0
    other = replace(VOLUME, sampler="pigan")
    assert dense(other) is other


def test_the_frechet_distance_of_equal_sets_is_nothing_and_grows_with_a_shift():
    features = np.random.RandomState(0).randn(200, 6)
    assert frechet_distance(features, features) == pytest.approx(0.0, abs=1e-6)
    shifted = [frechet_distance(features, features + s) for s in (0.5, 1.0, 2.0)]
    assert shifted == pytest.approx([6 * 0.25, 6 * 1.0, 6 * 4.0], rel=1e-6)


def test_the_frechet_distance_of_moments_is_that_of_the_sets():
    source = np.random.RandomState(1)
    a, b = source.randn(150, 4), 2 * source.randn(90, 4) + 1
    assert frechet_of_moments(*moments(a), *moments(b)) == pytest.approx(frechet_distance(a, b))


def test_scores_leave_out_what_could_not_be_measured():
    scores = Scores()
    scores.note(a=1.0, b=float("nan"))
    scores.note(a=2.0)
    assert scores.means() == {"a": 1.5}


def test_a_report_has_a_row_for_each_known_figure_and_null_for_none():
    table = figure_table({"psnr": 25.123, "reprojection_psnr": 29.0, "iou": float("nan")}, "t")
    assert table.row_count == 2
    assert '"iou": null' in as_json({"iou": float("nan")}, {})
