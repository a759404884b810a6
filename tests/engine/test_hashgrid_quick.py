"""A hash grid's compiled loops against torch: the field at points, the march and the exact picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering import compiled, hashgrid_quick
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.fast import CompiledRenderer
from neuroview.engine.rendering.hashgrid_quick import QuickHashGrid
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.state import first_state
from neuroview.models.base import Scene, VolumeSettings
from neuroview.models.catalog import open_generator
from neuroview.models.hashgrid import HashGrid, HashGridLayout
from neuroview.models.hashgrid_field import AffineWarp, ColourHead, Dense, DensityGrid, HashGridField

BOX = ((-1.0, -0.8, -1.0), (1.0, 0.8, 1.0))
VOLUME = VolumeSettings(None, None, 24, 20, "exp", "left", "nerf", white_background=True, last_interval=0.0)
POSE = torch.tensor([[1.0, 0, 0, 0.1], [0, -1, 0, 0], [0, 0, -1, 2.6], [0, 0, 0, 1]])
LENS = torch.tensor([[1.1, 0.0, 0.5], [0.0, 1.1, 0.5], [0.0, 0.0, 1.0]])


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


def dense(inputs: int, outputs: int, bias: bool = True) -> Dense:
    return Dense(torch.randn(inputs, outputs) * inputs**-0.5, torch.randn(outputs) * 0.1 if bias else None)


def made_up(*, occupancy: bool = True, layout: HashGridLayout | None = None, **changes) -> HashGridField:
    """Random weights, tables that half precision holds; sizes that are no multiples of anything."""
    torch.manual_seed(0)
    layout = layout or HashGridLayout(levels=5, log2_size=9, base_resolution=4, growth=1.7)
    grid = HashGrid.from_flat(layout, torch.randn(layout.parameters).half().float())
    turn = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    head = ColourHead(dense(6, 19, False), dense(16, 19, False), (dense(19, 22), dense(22, 3)), turn=turn)
    warp = AffineWarp(((0.5, 0.0, 0.0), (0.0, 0.0, 0.5), (0.0, 0.5, 0.1)), (0.5, 0.5, 0.5))
    cells = None
    if occupancy:
        centres = (torch.stack(torch.meshgrid(*[torch.arange(16)] * 3, indexing="ij"), -1) + 0.5) / 16 - 0.5
        ball = centres.norm(dim=-1) < 0.4
        cells = DensityGrid(torch.stack([ball, torch.rand(16, 16, 16) < 0.1]), warp)
    layers = (dense(layout.width, 13), dense(13, 7))
    settings = {"bias": 2.5, "first_feature": 1, "occupancy": cells} | changes
    return HashGridField(grid, layers, head, warp, BOX, **settings)


def scene_of(field: HashGridField, **changes) -> Scene:
    return Scene(field, replace(VOLUME, **changes), 16, 16)


@pytest.fixture(scope="module", autouse=True)
def loops():
    compiled.load(hashgrid_quick.__name__)


@pytest.fixture(scope="module")
def showroom():
    generator = open_generator("showroom")
    return generator, generator.scene(generator.codes(0))


@pytest.mark.parametrize(
    "field",
    [
        made_up(),
        made_up(occupancy=False),
        made_up(first_feature=0),
        made_up(layout=HashGridLayout(3, 4, 8, 5, 1.6, smooth=True), first_feature=1),
        made_up(layout=HashGridLayout(4, 2, 7, 5, 1.6, dialect="nerfstudio")),
    ],
    ids=["occupied cells", "anywhere", "all outputs read", "four smooth features", "every level hashed"],
)
def test_points_get_the_density_and_colour_that_torch_gives_them(field):
    points = torch.rand(3000, 3) * 2.4 - 1.2  # some outside
    points[:3] = torch.tensor([[1.0, 0.0, 1.0], [-1.0, 0.0, 0.6], [0.01, 0.0, 0.0]])  # two on the cube's faces
    directions = torch.nn.functional.normalize(torch.randn(3000, 3), dim=-1)
    if field.first_feature == 0:
        field.head = replace(field.head, features=dense(7, 19))
    quick = QuickHashGrid(field)
    assert QuickHashGrid.knows(field)
    raw, rgb = quick(points, directions)
    wanted, colours = field(points, directions)
    torch.testing.assert_close(raw, wanted, atol=2e-4, rtol=1e-5)
    torch.testing.assert_close(rgb, colours, atol=2e-5, rtol=0)
    assert torch.equal(quick.density(points), raw)


def test_a_baked_colour_is_that_of_the_same_trunk():
    field = made_up()
    quick = QuickHashGrid(field)
    points = torch.rand(500, 3) - 0.5
    directions = torch.nn.functional.normalize(torch.randn(500, 3), dim=-1)
    raw, trunk = quick.trunk(points)
    wanted, said = field.trunk(points)
    torch.testing.assert_close(raw, wanted, atol=2e-4, rtol=1e-5)
    torch.testing.assert_close(trunk, said, atol=2e-4, rtol=1e-5)
    torch.testing.assert_close(quick.colour(trunk, directions), field.colour(said, directions), atol=1e-4, rtol=0)


@pytest.mark.parametrize("changes", [{}, {"white_background": False, "unit_rays": False}, {"near": 1.4, "far": 4.0}])
def test_the_march_renders_what_its_twin_renders(changes):
    field = made_up()
    scene = scene_of(field, **changes)
    grid = build_occupancy(field, scene.volume, thin=True, resolution=12)
    twin = render_occupancy(scene, grid, POSE, LENS, resolution=(19, 22))
    made = QuickHashGrid(field).render(scene, grid, POSE, LENS, 19, 22)
    assert 0.05 < float(twin.alpha.mean()) < 0.95
    assert psnr(made.features, twin.features) > 45
    assert psnr(made.alpha, twin.alpha) > 45
    seen = twin.alpha > 0.5
    assert (made.depth - twin.depth)[seen].abs().max() < 0.02
    assert torch.equal(made.depth[twin.alpha == 0], twin.depth[twin.alpha == 0])


@pytest.mark.parametrize(
    ("changes", "samples"),
    [
        ({}, 1.0),
        ({"fine": 0}, 1.0),
        ({"unit_rays": False}, 1.0),
        ({"last_interval": 0.3, "near": 1.9, "far": 3.0}, 1.7),
        ({"coarse": 9}, 1.0),
    ],
)
def test_the_exact_picture_is_torchs(changes, samples):
    field = made_up(occupancy=False, bias=-0.7)
    scene = scene_of(field, **changes)
    with torch.inference_mode():
        wanted = render_exact(scene, POSE, LENS, resolution=(15, 18), samples=samples)
    made = QuickHashGrid(field).render_exact(scene, POSE, LENS, 15, 18, samples=samples)
    assert 0.05 < float(wanted.alpha.mean()) < 0.95
    assert psnr(made.features, wanted.features) > 80
    assert psnr(made.alpha, wanted.alpha) > 80
    seen = wanted.alpha > 0.05
    assert (made.depth - wanted.depth)[seen].abs().max() < 2e-3


def test_with_occupied_cells_it_differs_only_where_a_sample_lies_on_a_cells_face():
    field = made_up()
    scene = scene_of(field)
    with torch.inference_mode():
        wanted = render_exact(scene, POSE, LENS, resolution=(15, 18))
    made = QuickHashGrid(field).render_exact(scene, POSE, LENS, 15, 18)
    different = (made.features - wanted.features).abs().amax(0) > 1e-4
    assert 0.05 < float(wanted.alpha.mean()) < 0.95
    assert float(different.float().mean()) < 0.04  # rounding decides on which side it is


def test_the_showroom_is_the_same_through_the_pipeline_and_its_occupied_cells(showroom):
    generator, scene = showroom
    state = first_state("showroom", generator.camera)
    state = replace(state, output=replace(state.output, size=40))
    pipeline = Pipeline(generator)
    assert isinstance(pipeline.fast.field(pipeline.scene(state).field), QuickHashGrid)
    view = tuple(torch.from_numpy(m).float() for m in camera_matrices(state.camera, generator.camera))
    with torch.inference_mode():
        exact = render_exact(scene, *view, resolution=40)
        march = render_occupancy(scene, pipeline.occupancy(state), *view, resolution=40)
    assert psnr(pipeline.frame(state, "exact", live=True).raw.permute(2, 0, 1), exact.features) > 80
    assert psnr(pipeline.frame(state, "occupancy", live=True).raw.permute(2, 0, 1), march.features) > 45


def test_what_the_loops_do_not_know_is_left_to_torch():
    deeper, rough = made_up(), made_up()
    deeper.layers = (*deeper.layers, dense(7, 7))
    rough.grid.tables[0] = rough.grid.tables[0] + 1e-5  # no half precision numbers
    for field in (deeper, rough):
        assert CompiledRenderer().field(field) is field
    scene = scene_of(made_up(), activation="relu")
    assert CompiledRenderer().exact(scene, np.eye(4), np.eye(3), 4) is None


def test_until_the_loops_are_compiled_torch_answers(monkeypatch):
    monkeypatch.setattr(compiled, "ready", lambda module: False)
    field = made_up()
    assert CompiledRenderer().field(field) is field
