"""Where rays are sampled while a hash grid trains, and what their weights are."""

import torch
from neuroview.engine.rendering.integrate import compositing_weights
from neuroview.engine.rendering.rays import box_limits
from neuroview.engine.training.nerf_march import Cube, _march_torch, march, packed_weights
from neuroview.engine.training.nerf_occupancy import LiveOccupancy
from neuroview.models.base import VolumeSettings

CUBE = Cube((-1.0, -1.0, -1.0), 2.0)


def _rays(count=200):
    torch.manual_seed(1)
    origins = 3 * torch.nn.functional.normalize(torch.randn(count, 3), dim=-1)
    directions = torch.nn.functional.normalize(0.9 * torch.randn(count, 3).clamp(-1, 1) - origins, dim=-1)
    return origins, directions


def _field(points):
    """Density of a ball of radius .5."""
    return torch.where(points.norm(dim=-1) < 0.5, 20.0, 0.0)


def test_the_compiled_march_finds_the_samples_of_the_torch_twin():
    origins, directions = _rays()
    occupied = torch.rand(16, 16, 16) > 0.7
    offsets = torch.rand(len(origins))
    found = march(origins, directions, occupied, CUBE, 0.03, offsets)
    enter, leave, hit = box_limits(origins, directions, CUBE.bounds)
    count = torch.where(hit, (leave - enter) / 0.03 - offsets + 1, torch.zeros_like(enter)).clamp_min(0).int()
    twin = _march_torch(origins, directions, occupied, CUBE, 0.03, enter + offsets * 0.03, count)
    # A sample on the border of two cells may fall to either.
    assert abs(len(found.ray) - len(twin.ray)) <= 0.001 * len(twin.ray)
    assert torch.equal(torch.bincount(found.ray, minlength=200) > 0, torch.bincount(twin.ray, minlength=200) > 0)


def test_packed_weights_are_those_of_the_exact_renderer():
    origins, directions = _rays(50)
    step = 0.02
    found = march(origins, directions, torch.ones(4, 4, 4, dtype=torch.bool), CUBE, step, torch.zeros(50))
    density = _field(origins[found.ray] + found.depth[:, None] * directions[found.ray])
    weights = packed_weights(density * step, found.ray)
    volume = VolumeSettings(None, None, 4, 0, "relu", "left", "nerf", last_interval=step)
    for ray in range(50):
        mine = found.ray == ray
        if mine.any():
            exact = compositing_weights(volume, found.depth[mine][None], density[mine][None], torch.ones(1))[0]
            torch.testing.assert_close(weights[mine], exact, atol=2e-4, rtol=1e-3)


def test_weights_pass_gradients_to_what_lies_in_front_and_behind():
    thickness = torch.tensor([0.5, 0.7, 0.2, 0.4], requires_grad=True)
    ray = torch.tensor([0, 0, 0, 1])
    packed_weights(thickness, ray)[2].backward()
    assert thickness.grad is not None
    assert thickness.grad[0] < 0
    assert thickness.grad[1] < 0 < thickness.grad[2]
    assert thickness.grad[3] == 0


def test_leaving_out_empty_cells_changes_nothing_that_is_visible():
    origins, directions = _rays()
    occupancy = LiveOccupancy(32, CUBE)
    for _ in range(6):
        occupancy.update(_field, 1.0, 0.02)
    assert float(occupancy.occupied.float().mean()) < 0.15

    def opacity(occupied):
        found = march(origins, directions, occupied, CUBE, 0.02, torch.full((200,), 0.5))
        density = _field(origins[found.ray] + found.depth[:, None] * directions[found.ray])
        weights = packed_weights(density * 0.02, found.ray)
        return torch.zeros(200).index_add(0, found.ray, weights), len(found.ray)

    whole, asked = opacity(torch.ones(32, 32, 32, dtype=torch.bool))
    skipped, fewer = opacity(occupancy.grown())
    print(f"{asked} samples, {fewer} of them in cells that may hold something")
    torch.testing.assert_close(skipped, whole, atol=1e-5, rtol=0)
    assert fewer < 0.4 * asked


def test_what_grows_in_an_empty_cell_is_found_again():
    occupancy = LiveOccupancy(16, CUBE)
    for _ in range(4):
        occupancy.update(_field, 1.0, 0.02)
    corner = torch.tensor([[0.9, 0.9, 0.9]])
    assert not bool(occupancy.contains(corner)[0])
    torch.manual_seed(0)
    for _ in range(40):
        occupancy.update(lambda points: _field(points - 0.75), 0.25, 0.02)
    assert bool(occupancy.contains(torch.tensor([[0.75, 0.75, 0.75]]))[0])
