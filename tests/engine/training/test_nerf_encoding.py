"""The compiled hash encoding against its readable twin, forward and backward."""

import pytest
import torch
from neuroview.engine.training.nerf_encoding import encode
from neuroview.models.hashgrid import HashGrid, HashGridLayout

LAYOUTS = {
    "dense and hashed levels": HashGridLayout(levels=6, log2_size=10, base_resolution=4, growth=1.7),
    "nerfstudio's levels": HashGridLayout(levels=4, log2_size=9, base_resolution=5, growth=1.9, dialect="nerfstudio"),
}


def _pair(layout):
    torch.manual_seed(0)
    table = torch.randn(layout.parameters // 2, 2, requires_grad=True)
    points = torch.cat([torch.rand(700, 3), torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0.5, 0], [-0.2, 1.3, 0.4]])])
    points.requires_grad_(True)
    return table, points, encode(layout, table, points), HashGrid.from_flat(layout, table.reshape(-1))(points)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_compiled_encoding_is_that_of_the_torch_twin(layout):
    _, _, ours, twin = _pair(layout)
    error = float((ours - twin).detach().abs().max())
    print(f"largest difference of features: {error:.2e}")
    assert error < 2e-4  # features are about 1, and a coordinate of some hundred cells is rounded to 1e-5 of a cell


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_both_gradients_are_those_of_the_torch_twin(layout):
    table, points, ours, twin = _pair(layout)
    upstream = torch.randn_like(ours)
    mine = torch.autograd.grad((ours * upstream).sum(), (table, points))
    theirs = torch.autograd.grad((twin * upstream).sum(), (table, points))
    for name, a, b in zip(("table", "points"), mine, theirs, strict=True):
        error = float((a - b)[:700].abs().max() / b.abs().max())
        print(f"largest relative difference of the gradient of the {name}: {error:.2e}")
        assert error < 1e-3


def test_a_point_that_was_moved_to_a_face_has_no_slope_across_it():
    layout = LAYOUTS["dense and hashed levels"]
    table = torch.randn(layout.parameters // 2, 2)
    points = torch.tensor([[-0.2, 0.5, 0.5]], requires_grad=True)
    encode(layout, table, points).sum().backward()
    assert points.grad is not None
    assert float(points.grad[0, 0]) == 0.0
    assert float(points.grad[0, 1]) != 0.0
