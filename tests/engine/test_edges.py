"""More rays at edges."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering import compiled, triplane_quick
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.rendering.edges import edges, finer, with_smooth_edges
from neuroview.engine.rendering.exact import render_exact, render_in_chunks, render_rays
from neuroview.engine.rendering.fast import CompiledRenderer, TorchRenderer
from neuroview.engine.rendering.rays import camera_rays, ray_limits
from neuroview.engine.rendering.supersample import averaged
from neuroview.engine.state import first_state
from neuroview.models.catalog import open_generator
from spheres import SphereGenerator
from torch.nn import functional as F


class Fine(SphereGenerator):
    """A sphere whose pixels are worth four rays."""

    def scene(self, codes, **given):
        return replace(super().scene(codes, **given), supersampling=2)


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


def seen(generator, size):
    """A scene, its camera's matrices, and its picture of one ray a pixel."""
    scene = generator.scene(generator.codes(3))
    camera = first_state("sphere", generator.camera).camera
    matrices = tuple(torch.from_numpy(m).float() for m in camera_matrices(camera, generator.camera))
    return scene, matrices, render_exact(scene, *matrices, resolution=size)


def test_an_edge_is_where_neighbours_differ():
    picture = torch.zeros(1, 3, 6, 6)
    picture[0, 1, :, 3:] = 0.5
    picture[0, 2, 5, 0] = 0.1  # too little
    assert edges(picture)[0].any(0).tolist() == [False, False, True, True, False, False]
    assert bool(edges(picture)[0].all(0)[2])


def test_finer_pixels_lie_in_their_own():
    fine = finer(torch.tensor([0, 4]), 3)  # the first pixel of the first row, and the second of the second
    assert fine.tolist() == [[0, 1, 6, 7], [14, 15, 20, 21]]


def test_edges_are_as_of_a_picture_of_more_rays_and_all_else_as_it_was():
    scene, matrices, rendered = seen(SphereGenerator(), 24)
    made = with_smooth_edges(scene, rendered, *matrices, partial(render_in_chunks, scene, scene.volume))
    dense = averaged(render_exact(scene, *matrices, resolution=48), 2)
    edge = edges(rendered.features[None])[0]
    assert 0.05 < float(edge.float().mean()) < 0.6
    for ours, before, wanted in (
        (made.features, rendered.features, dense.features),
        (made.alpha[None], rendered.alpha[None], dense.alpha[None]),
    ):
        assert torch.equal(ours[:, ~edge], before[:, ~edge])
        assert (ours[:, edge] - wanted[:, edge]).abs().max() < 1e-5
    # Depth is of what was met, so nowhere farther than the sphere is.
    met = edge & (made.alpha > 0.2)
    assert float(made.depth[met].max()) < 4.2
    assert (made.depth[met] - dense.depth[met]).abs().max() < 1e-3


def test_a_few_more_rays_give_nearly_all_that_four_times_as_many_give():
    scene, matrices, rendered = seen(SphereGenerator(), 32)
    truth = F.avg_pool2d(render_exact(scene, *matrices, resolution=256).features, 8)
    cast = []

    def count(*rays):
        cast.append(len(rays[0]))
        return render_rays(scene, scene.volume, *rays)

    made = with_smooth_edges(scene, rendered, *matrices, count)
    dense = averaged(render_exact(scene, *matrices, resolution=64), 2)
    assert sum(cast) < 0.8 * 32 * 32
    assert psnr(made.features, truth) > psnr(rendered.features, truth) + 4
    assert psnr(made.features, truth) > psnr(dense.features, truth) - 0.5


def test_what_has_a_background_of_its_own_is_left_alone():
    scene, matrices, rendered = seen(SphereGenerator(), 16)
    behind = replace(scene, background=lambda cam2world, intrinsics, pixels: torch.zeros(len(pixels), 3))
    assert with_smooth_edges(behind, rendered, *matrices, pytest.fail) is rendered
    plain = replace(rendered, features=torch.ones_like(rendered.features))
    assert with_smooth_edges(scene, plain, *matrices, pytest.fail) is plain  # no edges


def test_only_pictures_that_stand_still_are_smoothed():
    pipeline = Pipeline(Fine())
    state = first_state("sphere", pipeline.generator.camera)
    scene = pipeline.scene(state)
    matrices = tuple(torch.from_numpy(m).float() for m in camera_matrices(state.camera, pipeline.generator.camera))
    rays = render_exact(scene, *matrices, resolution=64)
    smooth = with_smooth_edges(scene, rays, *matrices, partial(render_rays, scene, scene.volume))
    still = pipeline.frame(state, "exact")
    assert torch.allclose(still.raw, averaged(smooth, 2).features.permute(1, 2, 0), atol=1e-6)
    moving = pipeline.frame(state, "exact", live=True)
    assert torch.allclose(moving.raw, render_exact(scene, *matrices, resolution=32).features.permute(1, 2, 0))


def test_a_picture_that_nobody_waits_for_gives_up_among_its_edges():
    pipeline = Pipeline(Fine())
    state = first_state("sphere", pipeline.generator.camera)
    calls = []

    def checkpoint():
        calls.append(1)

    pipeline.frame(state, "exact", checkpoint=checkpoint)
    whole = len(calls)
    turned = replace(state, camera=replace(state.camera, yaw=0.3))

    def stops():
        calls.append(1)
        if len(calls) == 2 * whole - 1:  # the last look but the one after the volume image
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.frame(turned, "exact", checkpoint=stops)


def test_compiled_loops_cast_single_rays_as_torch_does():
    compiled.load(triplane_quick.__name__)
    generator = open_generator("heads")
    with torch.no_grad():
        scene = generator.scene(generator.codes(22))
        camera = first_state("heads", generator.camera).camera
        matrices = camera_matrices(camera, generator.camera)
        origins, directions = camera_rays(*matrices, 40, 40, scene.volume)
        near, far = ray_limits(origins, directions, scene.volume, scene.field.bounds)
        some = torch.randperm(1600, generator=torch.Generator().manual_seed(1))[:333]
        rays = tuple(values[some] for values in (origins, directions, near, far))
        wanted = render_rays(scene, scene.volume, *rays)
    made = CompiledRenderer().rays(scene, rays)
    assert made is not None
    assert psnr(made.features, wanted.features) > 80
    assert psnr(made.alpha, wanted.alpha) > 80
    assert torch.equal(made.depth.isnan(), wanted.depth.isnan())
    assert TorchRenderer().rays(scene, rays) is None
