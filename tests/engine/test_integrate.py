"""The volume rendering integral: exact where mathematics knows the answer, official where EG3D's code does."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neuroview.engine.rendering.integrate import activate, composite, compositing_weights, opacities, transmittance
from neuroview.models.base import VolumeSettings

MIDPOINT = VolumeSettings(
    near=0, far=1, coarse=4, fine=4, activation="softplus_shifted", quadrature="midpoint", sampler="eg3d"
)
LEFT = replace(MIDPOINT, activation="relu", quadrature="left", sampler="nerf")
raw_densities = st.lists(st.floats(-50, 200, width=32), min_size=2, max_size=24)


@pytest.fixture(scope="module")
def stages(oracles: Path) -> dict[str, torch.Tensor]:
    with np.load(oracles / "eg3d" / "small512.extras.npz") as values:
        return {k.removeprefix("stage_"): torch.from_numpy(values[k][0]) for k in values if k.startswith("stage_")}


def test_eg3d_coarse_weights_are_the_official_ones(stages):
    depths = stages["depths_coarse"][..., 0]  # [1024, 48]
    weights = compositing_weights(MIDPOINT, depths, stages["sigma_coarse"].view(1024, 48), torch.ones(1024))
    torch.testing.assert_close(weights, stages["weights_coarse"][..., 0], atol=1e-6, rtol=0)


def test_eg3d_composites_are_the_official_ones(stages):
    rays = 8192 // 48  # as many as the oracle holds colours for
    both = [
        (
            stages[f"depths_{kind}"][:rays, :, 0],
            stages[f"sigma_{kind}"].view(1024, 48)[:rays],
            stages[f"rgbfeat_{kind}_first8192"][: rays * 48].view(rays, 48, 32),
        )
        for kind in ("coarse", "fine")
    ]
    depths, raw, features = (torch.cat(pair, dim=1) for pair in zip(*both, strict=True))
    depths, order = depths.sort(dim=-1)
    features = features.gather(1, order[..., None].expand_as(features))
    result = composite(MIDPOINT, depths, raw.gather(1, order), features, torch.ones(rays))
    torch.testing.assert_close(result.features * 2 - 1, stages["feature_samples"][:rays], atol=1e-5, rtol=0)
    torch.testing.assert_close(result.depth, stages["depth_samples"][:rays, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(result.alpha, stages["weights_total"][:rays, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("volume", [MIDPOINT, LEFT])
@pytest.mark.parametrize("norm", [1.0, 1.7])
def test_a_constant_medium_absorbs_one_minus_exp_of_minus_density_times_length(volume, norm):
    volume = replace(volume, last_interval=0.0)
    depths = torch.linspace(1.0, 3.0, 33)[None]
    raw = torch.full_like(depths, 0.8)
    sigma = activate(raw, volume.activation)[0, 0].item()
    result = composite(volume, depths, raw, torch.ones(1, 33, 3), torch.tensor([norm]))
    expected = 1 - math.exp(-sigma * 2.0 * norm)
    assert result.alpha.item() == pytest.approx(expected, abs=1e-5)
    assert result.features[0].tolist() == pytest.approx([expected] * 3, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(raw=raw_densities, quadrature=st.sampled_from([MIDPOINT, LEFT]), step=st.floats(0.01, 1))
def test_weights_are_a_part_of_the_light_and_what_is_left_never_grows(raw, quadrature, step):
    density = torch.tensor([raw])
    depths = 1 + step * torch.arange(density.shape[1])[None].float()
    alpha = opacities(quadrature, depths, density, torch.ones(1))
    weights = compositing_weights(quadrature, depths, density, torch.ones(1))
    assert (weights >= 0).all()
    assert weights.sum() <= 1 + 1e-5
    assert (transmittance(alpha).diff(dim=-1) <= 1e-6).all()
    assert transmittance(alpha)[0, 0] == 1


@settings(max_examples=20, deadline=None)
@given(raw=raw_densities)
def test_an_opaque_end_takes_all_light_that_is_left(raw):
    density = torch.tensor([raw])
    depths = torch.linspace(0, 0.1, density.shape[1])[None]
    weights = compositing_weights(replace(LEFT, opaque_end=True, last_interval=0.0), depths, density, torch.ones(1))
    assert weights.sum().item() == pytest.approx(1, abs=1e-5)


def test_midpoint_averages_raw_densities_before_it_activates_them():
    alpha = opacities(MIDPOINT, torch.tensor([[0.0, 1.0]]), torch.tensor([[-10.0, 12.0]]), torch.ones(1))
    assert alpha.item() == pytest.approx(1 - math.exp(-math.log1p(math.exp(1.0 - 1.0))), abs=1e-6)


def test_left_gives_the_last_sample_an_endless_interval():
    result = composite(LEFT, torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.1]]), torch.ones(1, 2, 3), torch.ones(1))
    assert result.alpha.item() == pytest.approx(1)
    assert result.depth.item() == pytest.approx(2)


def test_depth_is_where_the_light_is_absorbed_however_thin_the_matter():
    raw = torch.tensor([[0.0, 0.0, 1e-3, 0.0]])
    result = composite(LEFT, torch.tensor([[1.0, 2.0, 3.0, 4.0]]), raw, torch.zeros(1, 4, 3), torch.ones(1))
    assert result.depth.item() == pytest.approx(3)


def test_an_empty_ray_shows_the_background_and_no_depth():
    empty = torch.zeros(1, 4)
    depths = torch.linspace(1, 2, 4)[None]
    black = composite(LEFT, depths, empty, torch.ones(1, 4, 5), torch.ones(1))
    white = composite(replace(LEFT, white_background=True), depths, empty, torch.ones(1, 4, 5), torch.ones(1))
    assert black.features.tolist() == [[0.0] * 5]
    assert white.features.tolist() == [[1.0] * 5]
    assert black.depth.isnan().all()


@pytest.mark.parametrize("activation", ["softplus_shifted", "softplus", "relu", "exp"])
def test_densities_are_never_negative(activation):
    assert (activate(torch.linspace(-20, 20, 41), activation) >= 0).all()


def test_an_unknown_activation_is_named_in_the_error():
    with pytest.raises(ValueError, match="'elu'"):
        activate(torch.zeros(1), "elu")


@pytest.mark.parametrize("volume", [MIDPOINT, replace(LEFT, activation="softplus"), replace(LEFT, activation="exp")])
def test_gradients_agree_with_finite_differences(volume):
    random = torch.Generator().manual_seed(1)
    depths = torch.rand(3, 6, generator=random, dtype=torch.float64).cumsum(-1).requires_grad_()
    raw = torch.randn(3, 6, generator=random, dtype=torch.float64, requires_grad=True)
    features = torch.rand(3, 6, 4, generator=random, dtype=torch.float64, requires_grad=True)
    lengths = (1 + torch.rand(3, generator=random, dtype=torch.float64)).requires_grad_()
    volume = replace(volume, last_interval=0.3)

    def gathered(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result = composite(volume, *inputs)
        return result.features, result.depth, result.alpha

    assert torch.autograd.gradcheck(gathered, (depths, raw, features, lengths))
