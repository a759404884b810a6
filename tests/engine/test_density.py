"""How a grid stores densities."""

from __future__ import annotations

import math

import pytest
import torch
from neuroview.engine.rendering.density import knee_density, raw_at_density, stored, stored_density
from neuroview.engine.rendering.integrate import activate

ACTIVATIONS = ["softplus_shifted", "softplus", "relu", "exp"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("thin", [False, True])
def test_a_density_and_its_raw_value_are_stored_alike(activation, thin):
    knee = knee_density(0.01, thin)
    for density in (0.5, 20.0, 900.0):
        raw = torch.tensor([raw_at_density(density, activation)])
        assert math.isclose(
            float(stored(raw, activation, knee)), stored_density(density, activation, knee), rel_tol=1e-4
        )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_compressed_densities_come_back(activation):
    knee = knee_density(0.01, True)
    raw = torch.linspace(0.0, 6.0, 50)
    kept = stored(raw, activation, knee)
    torch.testing.assert_close(knee * kept.sinh(), activate(raw, activation), rtol=1e-4, atol=1e-4)


def test_relu_keeps_its_sign_so_that_a_surface_stays_where_it_is():
    low, high = stored(torch.tensor([-3.0, 3.0]), "relu", knee_density(0.01, True))
    assert low == -high


def test_generated_fields_are_stored_raw():
    raw = torch.randn(10)
    assert stored(raw, "softplus", knee_density(0.01, False)) is raw
