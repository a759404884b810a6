"""EG3D's compiled loops against torch: the field at points, the march against its readable twin."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering import compiled, triplane_quick
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.fast import CompiledRenderer, TorchRenderer
from neuroview.engine.rendering.lanes import LANES, affine, lane_loops
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.rendering.triplane_quick import QuickTriPlane
from neuroview.engine.state import first_state
from neuroview.models.base import Scene, VolumeSettings
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d import OSGDecoder, TriPlaneField

POSE = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.5], [0, 0, 0, 1]])
LENS = torch.tensor([[1.2, 0.0, 0.5], [0.0, 1.2, 0.5], [0.0, 0.0, 1.0]])
LOOKING_ON = (POSE, LENS)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


@pytest.fixture(scope="module")
def generator():
    compiled.load(triplane_quick.__name__)
    return open_generator("heads")


@pytest.fixture(scope="module")
def head(generator):
    with torch.no_grad():
        return generator.scene(generator.codes(22))


def matrices(generator, **camera):
    view = replace(first_state("heads", generator.camera).camera, **camera)
    return tuple(torch.from_numpy(m).float() for m in camera_matrices(view, generator.camera))


def test_points_get_density_and_features_as_near_to_double_precision_as_torchs(head):
    torch.manual_seed(0)
    points = torch.rand(5000, 3) * 0.9 - 0.45  # some outside of the planes
    decoder = copy.deepcopy(head.field.decoder).double()
    precise = TriPlaneField(head.field.planes.double(), decoder, head.field.box_warp)
    with torch.no_grad():
        made, torchs, wanted = QuickTriPlane(head.field)(points), head.field(points), precise(points.double())
    for ours, theirs, right in zip(made, torchs, wanted, strict=True):
        assert (ours - right).abs().max() < 1.5 * (theirs - right).abs().max()
        assert (ours - right).abs().mean() < 1.1 * (theirs - right).abs().mean()
    assert torch.equal(QuickTriPlane(head.field).density(points), made[0])


def test_points_on_the_border_of_the_planes_are_blended_with_zeros(head):
    edge = head.field.box_warp / 2
    points = torch.tensor([[edge, 0.0, 0.0], [0.0, -edge, 0.01], [edge - 1e-4, edge - 1e-4, -edge], [2.0, 0.0, 0.0]])
    raw, features = QuickTriPlane(head.field)(points)
    with torch.no_grad():
        wanted, colours = head.field(points)
    torch.testing.assert_close(raw, wanted, atol=2e-3, rtol=1e-5)
    torch.testing.assert_close(features, colours, atol=3e-6, rtol=0)


@pytest.mark.parametrize("yaw", [0.0, 0.8, 3.0])
def test_the_march_renders_what_its_twin_renders(generator, head, yaw):
    with torch.no_grad():
        grid = build_occupancy(head.field, head.volume)
    view = matrices(generator, yaw=yaw)
    twin = render_occupancy(head, grid, *view, resolution=(40, 48))
    made = QuickTriPlane(head.field).render(head, grid, *view, 40, 48)
    assert psnr(made.features, twin.features) > 55
    assert psnr(made.alpha, twin.alpha) > 55
    seen = twin.alpha > 0.5
    assert (made.depth - twin.depth)[seen].abs().max() < 2e-3
    assert torch.equal(made.depth[twin.alpha == 0], twin.depth[twin.alpha == 0])


def test_sizes_that_are_no_multiple_of_anything_agree_too():
    torch.manual_seed(0)
    field = TriPlaneField(2 * torch.randn(1, 3, 7, 24, 24), OSGDecoder(7, hidden=13, features=5), 1.5, merged=True)
    volume = VolumeSettings(None, None, 24, 24, "softplus_shifted", "midpoint", "eg3d")
    scene = Scene(field, volume, 16, 16)
    with torch.no_grad():
        grid = build_occupancy(field, volume, resolution=9)
    twin = render_occupancy(scene, grid, *LOOKING_ON, resolution=(17, 13), samples=90)
    made = QuickTriPlane(field).render(scene, grid, *LOOKING_ON, 17, 13, samples=90)
    assert psnr(made.features, twin.features) > 50


@pytest.mark.parametrize(("size", "samples"), [((33, 24), 1.0), ((20, 20), 0.7), ((16, 16), 2.0)])
def test_the_exact_picture_is_torchs(generator, head, size, samples):
    view = matrices(generator, yaw=0.6)
    with torch.inference_mode():
        wanted = render_exact(head, *view, resolution=size, samples=samples)
    made = QuickTriPlane(head.field).render_exact(head, *view, *size, samples=samples)
    assert psnr(made.features, wanted.features) > 90
    assert psnr(made.alpha, wanted.alpha) > 90
    assert (made.depth - wanted.depth).abs().max() < 1e-4


@pytest.mark.parametrize(
    "changes",
    [{"fine": 0}, {"near": 2.25, "far": 3.3}, {"white_background": True}, {"coarse": 23, "fine": 9}],
    ids=str,
)
def test_so_it_is_with_other_settings_and_sizes_that_are_no_multiple_of_anything(changes):
    torch.manual_seed(1)
    field = TriPlaneField(2 * torch.randn(1, 3, 7, 24, 24), OSGDecoder(7, hidden=13, features=5), 1.5, merged=True)
    volume = VolumeSettings(None, None, 24, 24, "softplus_shifted", "midpoint", "eg3d")
    scene = Scene(field, replace(volume, **changes), 16, 16)
    with torch.inference_mode():
        wanted = render_exact(scene, *LOOKING_ON, resolution=(17, 13))
    made = QuickTriPlane(field).render_exact(scene, *LOOKING_ON, 17, 13)
    assert psnr(made.features, wanted.features) > 90
    assert (made.depth - wanted.depth).abs().max() < 1e-4


def test_an_exact_picture_can_be_given_up_between_chunks_of_rays(head, generator):
    def checkpoint():
        raise Cancelled

    with pytest.raises(Cancelled):
        QuickTriPlane(head.field).render_exact(head, *matrices(generator), 8, 8, checkpoint=checkpoint)


def test_the_pipeline_renders_and_bakes_by_the_loops(generator):
    state = first_state("heads", generator.camera)
    by_torch, by_loops = Pipeline(generator), Pipeline(generator)
    by_torch.fast = TorchRenderer()
    assert isinstance(by_loops.fast.field(by_loops.scene(state).field), QuickTriPlane)
    frames = [pipeline.frame(state, "occupancy") for pipeline in (by_torch, by_loops)]
    assert psnr(frames[0].rgb, frames[1].rgb) > 45
    cells = [pipeline.occupancy(state).occupied for pipeline in (by_torch, by_loops)]
    assert float((cells[0] != cells[1]).float().mean()) < 1e-3
    for pipeline in (by_torch, by_loops):
        next(iter(pipeline.bake(state)))
    frames = [pipeline.frame(state, "baked") for pipeline in (by_torch, by_loops)]
    assert psnr(frames[0].rgb, frames[1].rgb) > 45


def test_until_the_loops_are_compiled_torch_renders(generator, head, monkeypatch):
    monkeypatch.setattr(compiled, "ready", lambda module: False)
    renderer = CompiledRenderer()
    assert renderer.field(head.field) is head.field
    assert renderer.render(head, None, None, None, 8) is None  # type: ignore[arg-type]
    assert renderer.exact(head, None, None, 8) is None


def test_a_field_of_another_kind_is_left_alone():
    def other(points, directions=None):
        return points[:, 0], points

    assert CompiledRenderer().field(other) is other  # type: ignore[arg-type]


def test_a_linear_layer_of_lanes_is_a_matrix_product():
    @lane_loops
    def layer(weights, bias, x, out):
        affine(weights, bias, x, out)

    random = np.random.RandomState(0)
    weights, bias = random.randn(12, 9).astype(np.float32), random.randn(12).astype(np.float32)
    x, out = random.randn(9, LANES).astype(np.float32), np.zeros((12, LANES), np.float32)
    layer(weights, bias, x, out)
    np.testing.assert_allclose(out, weights @ x + bias[:, None], atol=1e-5)
