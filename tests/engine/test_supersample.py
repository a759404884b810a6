"""Several rays a pixel."""

from __future__ import annotations

from dataclasses import replace

import torch
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering.image import Rendered
from neuroview.engine.rendering.supersample import averaged
from neuroview.engine.state import first_state
from spheres import SphereGenerator


class Fine(SphereGenerator):
    """A sphere whose pixels are worth nine rays."""

    def scene(self, codes, **given):
        return replace(super().scene(codes, **given), supersampling=3)


def test_light_adds_up_and_depth_counts_only_what_was_met():
    features = torch.arange(16.0).view(1, 4, 4)
    alpha = torch.zeros(4, 4)
    alpha[0, 0], alpha[0, 1] = 1.0, 0.5
    depth = torch.full((4, 4), 9.0)
    depth[0, 0], depth[0, 1] = 2.0, 5.0
    made = averaged(Rendered(features, depth, alpha), 2)
    assert made.features[0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert made.alpha.tolist() == [[0.375, 0.0], [0.0, 0.0]]
    assert made.depth.tolist() == [[3.0, 9.0], [9.0, 9.0]]


def test_one_ray_a_pixel_changes_nothing():
    rendered = Rendered(torch.rand(3, 5, 5), torch.rand(5, 5), torch.rand(5, 5))
    assert averaged(rendered, 1) is rendered


def test_a_picture_that_stands_still_has_smoother_edges_than_a_live_one():
    fine, plain = Pipeline(Fine()), Pipeline(SphereGenerator())
    state = first_state("sphere", fine.generator.camera)
    still, live = fine.frame(state, "exact"), fine.frame(state, "exact", live=True)
    assert still.rays == 9 * live.rays
    assert still.raw.shape == live.raw.shape
    assert torch.equal(live.raw, plain.frame(state, "exact").raw)

    def partly(frame):
        return int(((frame.alpha > 0.05) & (frame.alpha < 0.95)).sum())

    assert partly(still) > partly(live)


def test_every_rung_averages_the_same_rays():
    pipeline = Pipeline(Fine())
    state = first_state("sphere", pipeline.generator.camera)
    exact = pipeline.frame(state, "exact").rgb
    for rung in ("occupancy", "baked"):
        for _ in pipeline.bake(state) if rung == "baked" else ():
            pass
        error = (pipeline.frame(state, rung).rgb - exact).square().mean()
        assert -10 * torch.log10(error) > 30
