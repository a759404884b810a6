"""A pi-GAN's compiled loops against torch: the sine, the field at points, the march and the exact picture."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering import compiled, siren_quick
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.fast import CompiledRenderer
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.rendering.siren_lanes import PACKET, WAVES, packed, waves
from neuroview.engine.rendering.siren_quick import QuickSiren
from neuroview.engine.state import first_state
from neuroview.models.base import Scene, VolumeSettings
from neuroview.models.catalog import open_generator
from neuroview.models.pigan import PiGANField, PiGANLayout, PiGANNetwork

BOX = ((-1.0, -0.8, -1.0), (1.0, 0.8, 1.0))
VOLUME = VolumeSettings(None, None, 24, 20, "relu", "left", "pigan", white_background=True, last_interval=0.0)
POSE = torch.tensor([[1.0, 0, 0, 0.1], [0, -1, 0, 0], [0, 0, -1, 2.6], [0, 0, 0, 1]])
LENS = torch.tensor([[1.1, 0.0, 0.5], [0.0, 1.1, 0.5], [0.0, 0.0, 1.0]])
LAYOUT = PiGANLayout(width=13, depth=3, z_dim=5, mapping_width=6, mapping_depth=1, scale=0.05, colour_depth=2)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


def made_up(layout: PiGANLayout = LAYOUT, **settings) -> PiGANField:
    """Random weights, after the first layer as small as SIREN wants them; about half of its box is dense."""
    torch.manual_seed(1)
    network = PiGANNetwork(layout).requires_grad_(False)
    for film in network.films[1:]:
        film.layer.weight *= 0.1
    network.final_layer.weight *= 12
    network.final_layer.bias.zero_()
    return PiGANField(network, network.codes(torch.randn(1, layout.z_dim))[0], BOX, **{"closed": True} | settings)


def scene_of(field: PiGANField, **changes) -> Scene:
    return Scene(field, replace(VOLUME, **changes), 16, 16)


def some(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(count, 3) * 2.4 - 1.2, torch.nn.functional.normalize(torch.randn(count, 3), dim=-1)


@pytest.fixture(scope="module", autouse=True)
def loops():
    compiled.load(siren_quick.__name__)


@numba.njit
def _wave(weights, bias, x, out):
    waves(weights, bias, x, out)  # pyright: ignore[reportCallIssue]


def test_a_wave_is_the_sine_to_rounding_over_hundreds_of_turns():
    weights, bias = packed(np.ones((WAVES, 1)), WAVES), np.zeros(WAVES, np.float32)
    worst = 0.0
    for reach in (0.5, 2.0, 300.0):
        turns = np.linspace(-reach, reach, 64 * PACKET).astype(np.float32).reshape(64, 1, PACKET)
        for row in turns:
            out = np.empty((WAVES, PACKET), np.float32)
            _wave(weights, bias, row, out)
            # Half turns, of which whole turns are taken off exactly: np.sin(pi x) would round pi x.
            exact = np.sin(np.pi * (row.astype(np.float64) - 2 * np.round(row.astype(np.float64) / 2)))
            worst = max(worst, float(np.abs(out - exact).max()))
    assert worst < 2e-7


@pytest.mark.parametrize(
    "field",
    [
        made_up(),
        made_up(locked=True),
        made_up(closed=False),
        made_up(replace(LAYOUT, width=16, depth=1, colour_depth=1)),
    ],
    ids=["seen along directions", "seen from the front", "without end", "one layer"],
)
def test_points_get_the_density_and_colour_that_torch_gives_them(field):
    points, directions = some(2100)
    quick = QuickSiren(field)
    raw, rgb = quick(points, directions)
    wanted, colours = field(points, directions)
    torch.testing.assert_close(raw, wanted, atol=2e-4, rtol=1e-5)
    torch.testing.assert_close(rgb, colours, atol=2e-5, rtol=0)
    assert torch.equal(quick.density(points), raw)


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"near": 1.1, "far": 4.3}, {}),  # ends where nothing is: the twin has an interval of its own behind the last
        ({"near": 1.1, "far": 4.3, "white_background": False, "unit_rays": False}, {"locked": True}),
        ({"near": 1.4, "far": 4.0, "opaque_end": True}, {"closed": False}),
    ],
)
def test_the_march_renders_what_its_twin_renders(changes, settings):
    field = made_up(**settings)
    scene = scene_of(field, **changes)
    grid = build_occupancy(field, scene.volume, thin=True, resolution=12)
    with torch.inference_mode():
        twin = render_occupancy(scene, grid, POSE, LENS, resolution=(19, 22), samples=60)
        made = QuickSiren(field).render(scene, grid, POSE, LENS, 19, 22, samples=60)
    assert 0.05 < float(grid.occupied.float().mean()) < 0.95
    assert float(twin.features.std()) > 0.03
    assert psnr(made.features, twin.features) > 50
    assert psnr(made.alpha, twin.alpha) > 50
    assert (made.depth - twin.depth)[twin.alpha > 0.5].abs().max() < 0.02


def test_rays_of_their_own_density_cost_less_and_come_as_near_to_the_integral():
    field = made_up()
    scene = scene_of(field)
    grid = build_occupancy(field, scene.volume, resolution=12)
    quick = QuickSiren(field)
    converged = quick.render(scene, grid, POSE, LENS, 24, 24, fineness=16.0)
    assert psnr(quick.render(scene, grid, POSE, LENS, 24, 24).features, converged.features) > 40
    assert psnr(quick.render(scene, grid, POSE, LENS, 24, 24, fineness=4.0).features, converged.features) > 50


@pytest.mark.parametrize(
    ("changes", "settings", "samples"),
    [
        ({}, {}, 1.0),
        ({"fine": 0}, {"locked": True}, 1.0),
        ({"unit_rays": False}, {}, 1.0),
        ({"near": 1.9, "far": 3.0, "last_interval": 0.3}, {"closed": False}, 1.7),
        ({"near": 1.4, "far": 4.0, "last_interval": 1e10, "opaque_end": True}, {"closed": False}, 1.0),
    ],
)
def test_the_exact_picture_is_torchs(changes, settings, samples):
    field = made_up(**settings)
    scene = scene_of(field, **changes)
    with torch.inference_mode():
        wanted = render_exact(scene, POSE, LENS, resolution=(15, 18), samples=samples)
    made = QuickSiren(field).render_exact(scene, POSE, LENS, 15, 18, samples=samples)
    assert float(wanted.features.std()) > 0.03
    assert psnr(made.features, wanted.features) > 80
    assert psnr(made.alpha, wanted.alpha) > 80
    assert (made.depth - wanted.depth)[wanted.alpha > 0.05].abs().max() < 2e-3


def test_a_picture_that_nobody_waits_for_is_given_up():
    def overtaken() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        QuickSiren(made_up()).render_exact(scene_of(made_up()), POSE, LENS, 8, 8, checkpoint=overtaken)


def test_a_camera_that_sees_nothing_gets_the_background():
    field = made_up()
    away = POSE.clone()
    away[:3, 2] = torch.tensor([0.0, 0.0, 1.0])
    made = QuickSiren(field).render_exact(scene_of(field), away, LENS, 6, 5)
    assert torch.equal(made.features, torch.ones(3, 6, 5))
    assert not made.alpha.any()


def test_the_cars_are_the_same_through_the_pipeline_and_its_occupied_cells():
    generator = open_generator("cars")
    state = first_state("cars", generator.camera)
    state = replace(state, latents=replace(state.latents, seed_a=4), output=replace(state.output, size=40))
    pipeline = Pipeline(generator)
    assert isinstance(pipeline.fast.field(pipeline.scene(state).field), QuickSiren)
    view = tuple(torch.from_numpy(m).float() for m in camera_matrices(state.camera, generator.camera))
    with torch.inference_mode():
        exact = render_exact(pipeline.scene(state), *view, resolution=40)
    assert psnr(pipeline.frame(state, "exact", live=True).raw.permute(2, 0, 1), exact.features) > 80
    assert psnr(pipeline.frame(state, "occupancy", live=True).raw.permute(2, 0, 1), exact.features) > 40


def test_what_the_loops_do_not_know_is_left_to_torch():
    scene = scene_of(made_up(), sampler="nerf")
    assert CompiledRenderer().exact(scene, np.eye(4), np.eye(3), 4) is None


def test_until_the_loops_are_compiled_torch_answers(monkeypatch):
    monkeypatch.setattr(compiled, "ready", lambda module: False)
    field = made_up()
    assert CompiledRenderer().field(field) is field
