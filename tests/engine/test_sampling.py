"""Samples stand where EG3D's and NeRF's official code would put them with its randomness taken out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neuroview.engine.rendering.sampling import importance, inverse_transform, stratified


@pytest.fixture(scope="module")
def stages(oracles: Path) -> dict[str, torch.Tensor]:
    with np.load(oracles / "eg3d" / "small512.extras.npz") as values:
        names = ("stage_depths_coarse", "stage_depths_fine", "stage_weights_coarse")
        return {name.removeprefix("stage_"): torch.from_numpy(values[name][0, ..., 0]) for name in names}


def limits(*pairs: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([p[0] for p in pairs]), torch.tensor([p[1] for p in pairs])


def test_eg3d_coarse_samples_are_the_official_ones(stages):
    near, far = limits(*[(2.25, 3.3)] * 1024)
    torch.testing.assert_close(stratified(near, far, 48, "eg3d"), stages["depths_coarse"], atol=1e-6, rtol=0)


def test_eg3d_fine_samples_are_the_official_ones(stages):
    fine = importance(stages["depths_coarse"], stages["weights_coarse"], 48, "eg3d")
    torch.testing.assert_close(fine, stages["depths_fine"], atol=2e-4, rtol=0)
    assert (fine - stages["depths_fine"]).abs().mean() < 1e-6


def test_eg3d_samples_lie_half_a_step_late_so_the_last_is_past_the_end():
    depths = stratified(*limits((1.0, 3.0)), 5, "eg3d")
    assert depths[0].tolist() == pytest.approx([1.25, 1.75, 2.25, 2.75, 3.25])


def test_nerf_samples_include_both_ends():
    assert stratified(*limits((2.0, 6.0)), 5, "nerf")[0].tolist() == pytest.approx([2, 3, 4, 5, 6])


def test_disparity_samples_are_evenly_spaced_in_one_over_depth():
    depths = stratified(*limits((1.0, 4.0)), 4, "nerf", disparity=True)
    assert (1 / depths[0]).tolist() == pytest.approx([1, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("sampler", ["eg3d", "nerf"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_ray_has_its_own_limits_and_increasing_samples(sampler, count):
    depths = stratified(*limits((1.0, 2.0), (3.0, 7.0)), count, sampler)
    assert depths.shape == (2, count)
    assert (depths.diff(dim=-1) > 0).all()
    assert depths[1, 0] >= 3.0


@pytest.mark.parametrize("sampler", ["eg3d", "nerf"])
def test_jitter_repeats_with_its_generator_and_keeps_the_order(sampler):
    draw = lambda seed: stratified(*limits((2.0, 6.0)), 16, sampler, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))
    assert (draw(3).diff(dim=-1) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6),
    sampler=st.sampled_from(["eg3d", "nerf"]),
    count=st.integers(1, 40),
    seed=st.none() | st.integers(0, 5),
)
def test_fine_samples_stay_between_the_outer_middles_whatever_the_weights(weights, sampler, count, seed):
    depths = torch.tensor([[1.0, 1.5, 1.75, 3.0, 4.0, 6.0]])
    given_weights = torch.tensor([weights if sampler == "nerf" else weights[:5]])
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    fine = importance(depths, given_weights, count, sampler, generator=generator)
    assert fine.shape == (1, count)
    assert fine.min() >= 1.25 - 1e-5
    assert fine.max() <= 5.0 + 1e-5
    if generator is None:
        assert (fine.diff(dim=-1) >= -1e-5).all()


def test_nerf_fine_samples_gather_in_the_bin_that_holds_the_weight():
    depths = torch.linspace(0, 10, 11)[None]
    weights = torch.zeros(1, 11)
    weights[0, 5] = 1.0
    fine = importance(depths, weights, 64, "nerf")[0]
    assert ((fine >= 4.5) & (fine <= 5.5)).float().mean() > 0.95


def test_eg3d_fine_samples_never_reach_the_last_bin():
    depths = torch.linspace(0, 10, 11)[None]
    assert importance(depths, torch.ones(1, 10), 64, "eg3d").max() <= 8.5 + 1e-5  # edges go on to 9.5


def test_quantiles_of_a_uniform_density_are_evenly_spaced():
    u = torch.linspace(0, 1, 9)[None]
    quantiles = inverse_transform(torch.linspace(2, 4, 6)[None], torch.ones(1, 5), u)
    torch.testing.assert_close(quantiles, 2 + 2 * u, atol=1e-5, rtol=0)


def test_fine_samples_have_no_gradient():
    weights = torch.rand(1, 8, requires_grad=True)
    assert not importance(torch.linspace(0, 1, 8)[None], weights, 4, "nerf").requires_grad
